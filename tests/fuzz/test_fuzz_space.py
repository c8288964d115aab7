"""Any text is a space or is refused; what was read can be used or says why not."""

import json

import numpy as np
from hypothesis import strategies as st

from fuzz.fuzzing import fuzz, met
from fuzz.hostile import as_text, tree_with_lies
from properties.strategies import spaces
from ripieno.space import Space

_RULES = st.sampled_from(
    [
        "x < 1", "a * b <= 512", "9 ** 9 ** 9", "a ** b ** c", "'x' * a", "a if b else c", "f(x)",
        "x.__class__", "(" * 300 + "x" + ")" * 300, "not " * 500 + "x", "-" * 3_000 + "1",
        "1" * 5_000, "x <\0 1", "a % 0", "1 / a", "a < b < c", "[x]", "lambda: x", "\ud800",
        "1e308 * 1e308 * a", "a == 'b'", "+".join(["a"] * 3_000), "a << 99999999", "~a",
    ]
)  # fmt: skip


@st.composite
def _written(draw):
    space = draw(spaces())
    tree = json.loads(space.to_json())
    tree["constraints"] += [
        {"description": "rule", "expression": rule}
        for rule in draw(st.lists(_RULES | st.text(max_size=12), max_size=2))
    ]
    return draw(as_text(tree_with_lies(tree)))


def read_and_use(text):
    space = met(Space.from_json, text)
    if space is None:
        return
    assert met(Space.from_json, space.to_json()) == space
    repr(space), hash(space), space.size
    default = met(space.default)
    if default is not None:
        met(space.config, default)
        met(space.adopt, default)
        space.encode(default)
    if space.dims <= 8:
        met(space.sample, np.random.default_rng(0), 2)
    grid = met(space.grid)
    if grid is not None and not space.constraints:
        met(next, grid, None)


def test_any_space_is_read_or_refused():
    fuzz(read_and_use, _written(), examples=150)
