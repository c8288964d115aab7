"""How the targets of the fuzzing are run, and what none of them may do.

In the ordinary suite each target sees the same few examples every time. With
``RIPIENO_FUZZ_MINUTES=10`` it looks for so long, with another seed in each round, and stops
at the first failure, which Hypothesis makes small.
"""

import os
import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from ripieno.errors import RipienoError

MINUTES = float(os.environ.get("RIPIENO_FUZZ_MINUTES", "0"))

_ALWAYS = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
_ROUND = 300
# Far more than any example needs, and far less than a reader that runs away would take.
_MOST_SECONDS = 60
_MOST_BYTES = 4 * 2**30
_LONGEST_MESSAGE = 20_000


def fuzz(check: Callable[[Any], None], strategy: st.SearchStrategy[Any], *, examples: int) -> None:
    """Show a check many examples.

    Args:
        check: Takes what is drawn.
        strategy: What is drawn.
        examples: How many the ordinary suite looks at.
    """
    seen = 0

    def bounded(drawn: Any) -> None:
        nonlocal seen
        seen += 1
        with _bounded():
            check(drawn)

    # That what it shows of a failure is long.
    warnings.filterwarnings("ignore", category=HypothesisWarning)
    if not MINUTES:
        settings(_ALWAYS, max_examples=examples)(given(strategy)(check))()
        return
    often = settings(_ALWAYS, derandomize=False, max_examples=_ROUND)
    began, number = time.monotonic(), int.from_bytes(os.urandom(4))
    while time.monotonic() - began < 60 * MINUTES:
        number += 1
        seed(number)(often(given(strategy)(bounded)))()
    print(f"\n{check.__name__}: {seen:,} examples")  # noqa: T201 - asked for by hand


def met(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a call gives, or None where it refuses in three parts; all else is raised."""
    try:
        return call(*arguments, **options)
    except RipienoError as error:
        assert_three_parts(error)
        return None


def assert_three_parts(error: RipienoError) -> None:
    for part in (error.problem, error.where, error.fix):
        assert isinstance(part, str)
        assert part.strip(), f"{error!r} lacks a part"
    assert len(str(error)) < _LONGEST_MESSAGE, "nobody reads so long a message"


@contextmanager
def _bounded() -> Iterator[None]:
    """End an example that runs away, in time or in memory."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"an example took more than {_MOST_SECONDS} seconds")

    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    handler = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
