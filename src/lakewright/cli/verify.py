"""The command that proves that everything is whole: verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakewright.cli.options import AsJson, Exclude, ProjectFolder, Selection, TargetName
from lakewright.cli.output import counted, emit_json, note, print_table, print_text
from lakewright.errors import UsageError

if TYPE_CHECKING:
    from lakewright.recovery.findings import Findings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command of this file to *app*."""
    app.command("verify")(verify)


def verify(
    select: Selection = None,
    exclude: Exclude = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only whether files are there, with their sizes.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every byte: checksums, every page of every file.")
    ] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Prove that the lake is whole: files, catalog, state, keys, references. Exit code 1 when something is wrong."""
    from lakewright.app.platform import Platform
    from lakewright.app.verify import verify as verb

    if quick and deep:
        raise UsageError("LW904", "--quick or --deep, not both")
    with Platform.open(project, target) as platform:
        found = verb(
            platform,
            select or (),
            exclude=exclude or (),
            level="quick" if quick else "deep" if deep else "normal",
        )
    if as_json:
        emit_json(found)
    else:
        _tell(found)
    sys.exit(0 if found.whole else 1)


def _tell(found: Findings) -> None:
    if found.problems:
        print_table(
            ["", "what", "dataset", "where", "problem", "heal with"],
            [(one.status, one.what, one.dataset, one.where, one.problem, one.heal) for one in found.problems],
        )
    looked = ", ".join(f"{number:,} {what}" for what, number in found.counts.items())
    bad = sum(one.status == "bad" for one in found.problems)
    if not found.counts:
        for line in found.notes:
            print_text(line)
        return
    print_text(f"{found.level}: looked at {looked}: {counted(bad, 'problem') if bad else 'all whole'}")
    for line in found.notes:
        note(line)
