"""What `--help` shows is all that was written: a default in brackets is no markup."""

import re

import pytest
import typer
from rich.text import Text

from ripieno.cli.app import app

COMMANDS = sorted(typer.main.get_command(app).commands.items())
BOLD = re.compile(r"\[/?bold\]")


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_nothing_of_a_help_text_is_taken_for_markup(name, command):
    texts = [command.help, *(getattr(option, "help", None) for option in command.params)]
    for text in filter(None, texts):
        meant = BOLD.sub("", text).replace("\\[", "[")
        assert Text.from_markup(text).plain == meant, name
