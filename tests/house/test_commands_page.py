"""The page of commands is what the program says, and what messages tell users to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from lakewright.cli.main import app
from lakewright.cli.reference import markdown
from lakewright.codes import CODES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == markdown(), "run: python -m lakewright.cli.reference > docs/cli.md"


def test_remedies_name_commands_and_options_that_exist() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for code, one in CODES.items():
        for text in re.findall(r"`lakewright ([^`]+)`", f"{one.meaning} {one.remedy}"):
            name, *rest = text.split()
            assert name in commands, (code, text)
            known = {"--help", *(opt for param in commands[name].params for opt in param.opts)}
            assert {word for word in rest if word.startswith("-")} <= known, (code, text)
