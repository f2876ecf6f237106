"""The page of commands: ``python -m lakewright.cli.reference > docs/cli.md``, made from the commands themselves."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from lakewright.cli.main import app

__all__ = ["markdown"]

_INTRO = """\
# Commands

Made from the program by `python -m lakewright.cli.reference`. `lakewright COMMAND --help` prints the same.

Data goes to stdout, everything else to stderr. With `--json`, stdout is one JSON document, for errors
`{"problems": [...]}`.

| exit code | meaning |
|---|---|
| 0 | it went well, or there was nothing to do |
| 1 | something failed |
| 2 | the project's files or the command are wrong; nothing was run |
| 3 | a quality gate refused a dataset |
| 4 | what was named does not exist |
| 130 | interrupted |

`LAKEWRIGHT_PROJECT` and `LAKEWRIGHT_TARGET` stand in for `--project` and `--target`; `LAKEWRIGHT_ROLE` and
`LAKEWRIGHT_USER` choose [whom to act as](access.md), for every command. With `LAKEWRIGHT_DEBUG=1` an error
that Lakewright did not foresee shows where it comes from.
"""


def markdown() -> str:
    """Return the page: each command, what it does, its arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = [_INTRO]
    for name, command in sorted(_commands(group)):
        parts.append(f"## `lakewright {name}`\n")
        parts.append(_line(command.help) + "\n")
        parts.append("| argument or option | meaning | default |\n|---|---|---|")
        parts[-1] += "".join("\n" + _row(one) for one in command.params if not one.hidden) + "\n"
    return "\n".join(parts)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its words, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _row(one: Any) -> str:
    if one.param_type_name == "argument":
        name = f"`{one.name.upper()}`" + (" …" if one.nargs == -1 else "")
    else:
        takes = "" if one.is_flag else f" {one.metavar or _kind(one)}"
        name = ", ".join(f"`{spelled}`" for spelled in one.opts) + (f" `{takes.strip()}`" if takes else "")
    default = ""
    if one.required:
        default = "**required**"
    elif isinstance(one.default, str | int) and not isinstance(one.default, bool):
        default = f"`{getattr(one.default, 'value', one.default)}`"
    return f"| {name} | {_line(one.help)} | {default} |"


def _kind(one: Any) -> str:
    kind = one.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "/".join(str(choice.value) for choice in kind)
    return {int: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(markdown())
