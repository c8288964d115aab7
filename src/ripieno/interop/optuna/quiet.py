"""Optuna without its log lines and its warnings of experimental names."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna say nothing less than an error, and leave its verbosity as it was."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
