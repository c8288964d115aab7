"""``FILE.py:NAME``: the only way in which the command runs a user's own code."""

import importlib.util
import sys
from pathlib import Path

from ripieno.errors import StudyError
from ripieno.executors import send_by_value

__all__ = ["is_reference", "load_object"]


def is_reference(text: str) -> bool:
    """Say whether the text has the form ``FILE.py:NAME``."""
    path, separator, name = text.rpartition(":")
    return bool(separator) and path.endswith(".py") and name.isidentifier()


def load_object(reference: str) -> object:
    """Run a Python file and return one object of it.

    The file's folder is put on ``sys.path``, so that it may import its neighbours, and its
    functions are sent to worker processes by value.

    Raises:
        StudyError: The file is missing, fails, or does not define the name.
    """
    path_text, _, name = reference.rpartition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise StudyError(
            f"the file {path_text!r} does not exist.",
            where=reference,
            fix="give the path of a Python file, a colon and a name in it: model.py:recipe.",
        )
    module_name = f"ripieno_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None  # noqa: S101 - a .py file always has a loader
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # anything may go wrong in a user's file
        raise StudyError(
            f"{path_text!r} stops with {type(error).__name__}: {error}.",
            where=_last_line(error, path),
            fix=f"run `python {path_text}` and mend what it says.",
        ) from error
    send_by_value(module)
    try:
        return getattr(module, name)
    except AttributeError:
        public = sorted(n for n in vars(module) if not n.startswith("_"))
        raise StudyError(
            f"{path_text!r} defines no {name!r}.",
            where=f"it defines {', '.join(public) or 'nothing'}",
            fix="name a function or object of the file after the colon.",
        ) from None


def _last_line(error: BaseException, path: Path) -> str:
    """Return the last line of the user's own file that the error passed through."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.lineno:
        line = error.lineno
    return f"{path}:{line}" if line else str(path)
