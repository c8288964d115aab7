"""The exception tree of Ripieno.

::

    RipienoError
    ├── SpaceError(ValueError)        a space, a domain or a config that cannot be
    ├── SearchError(ValueError)       a searcher or scheduler asked for the impossible
    ├── RecipeError(ValueError)       a training recipe that cannot be carried out
    ├── DataError(ValueError)         data that cannot be read or trained on
    ├── StudyError(ValueError)        a study that cannot be started, opened or resumed
    ├── LedgerError(OSError)          the record of a study cannot be read or written
    │   └── ArtifactError             a stored state or prediction is missing or damaged
    │       └── DiskLimitError        the room that a study was given is used up
    ├── EnsembleError(ValueError)     predictions that cannot be combined
    ├── ReportError(ValueError)       a page or picture that cannot be drawn
    ├── HypergradientError(ValueError) hyperparameters that cannot be tuned by gradient
    └── WorkerError(RuntimeError)     a worker process died or could not start

What is no error but may be a mistake is told by a ``RipienoWarning(UserWarning)``.

A message has three parts, which are attributes too: the problem (name and value),
where it was found, and how to mend it.
"""

__all__ = [
    "ArtifactError",
    "DataError",
    "DiskLimitError",
    "EnsembleError",
    "HypergradientError",
    "LedgerError",
    "RecipeError",
    "ReportError",
    "RipienoError",
    "RipienoWarning",
    "SearchError",
    "SpaceError",
    "StudyError",
    "WorkerError",
]

_MOST_LETTERS = 2_000
"""Of each part of a message, as it is printed; the attributes hold all of it."""


class RipienoError(Exception):
    """Base of every error that Ripieno raises on purpose.

    Attributes:
        problem: What is wrong, with the name and the value.
        where: Where it was found.
        fix: What the reader can do about it.
    """

    def __init__(self, problem: str, *, where: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        problem, where, fix = map(_shortened, (self.problem, self.where, self.fix))
        return f"{problem}\n  In:  {where}\n  Fix: {fix}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments: the default would call the class with `args` alone.
        parts = {"problem": self.problem, "where": self.where, "fix": self.fix}
        return _rebuild, (type(self), parts)


def _shortened(part: str) -> str:
    """Cut the middle out of what nobody reads to its end: a value may be a whole file."""
    if len(part) <= _MOST_LETTERS:
        return part
    half = _MOST_LETTERS // 2
    return f"{part[:half]} … {part[-half:]}"


def _rebuild(kind: type[RipienoError], parts: dict[str, str]) -> RipienoError:
    return kind(parts["problem"], where=parts["where"], fix=parts["fix"])


class SpaceError(RipienoError, ValueError):
    """A space, a domain or a config that cannot be."""


class SearchError(RipienoError, ValueError):
    """A searcher or scheduler was asked for the impossible."""


class RecipeError(RipienoError, ValueError):
    """A training recipe that cannot be carried out."""


class DataError(RipienoError, ValueError):
    """Data that cannot be read or trained on."""


class StudyError(RipienoError, ValueError):
    """A study that cannot be started, opened or resumed."""


class LedgerError(RipienoError, OSError):
    """The record of a study cannot be read or written."""


class ArtifactError(LedgerError):
    """A stored state or prediction is missing or damaged."""


class DiskLimitError(ArtifactError):
    """The room that a study was given for its states and predictions is used up."""


class EnsembleError(RipienoError, ValueError):
    """Predictions that cannot be combined."""


class ReportError(RipienoError, ValueError):
    """A page or picture that cannot be drawn."""


class HypergradientError(RipienoError, ValueError):
    """Hyperparameters that cannot be tuned by gradient, or not in the way that was asked for."""


class WorkerError(RipienoError, RuntimeError):
    """A worker process died or could not start."""


class RipienoWarning(UserWarning):
    """What was passed can be used, and is hardly what was meant."""
