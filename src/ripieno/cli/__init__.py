"""The command ``ripieno``."""

from ripieno.cli.app import main

__all__ = ["main"]
