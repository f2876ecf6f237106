"""The command that brings things back: recover."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakewright.cli.backup import From, PassphraseFrom
from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import counted, emit_json, note, print_table, print_text, short_time, size
from lakewright.errors import UsageError

if TYPE_CHECKING:
    from lakewright.recovery.whole import Report

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.command("recover")(recover)


def recover(
    place: From = None,
    at: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="The time to go back to, of this machine without a zone; or latest."
        ),
    ] = "latest",
    backup: Annotated[
        str, typer.Option(metavar="ID", help="A certain backup, instead of the one that fits.")
    ] = "latest",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset, into the lake that goes on; may be repeated.")
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Only put back files of the lake that are gone or damaged.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Recover into another folder, beside what there is.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    passphrase_from: PassphraseFrom = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Bring the project back from a backup: all of it, or single files. What is in the way is moved aside."""
    from lakewright.app.recover import moment_of

    moment = moment_of(at)
    if files:
        if moment is not None or into is not None or dataset:
            raise UsageError(
                "LW904", "--files heals what is there now: it takes no --at, --into or --dataset"
            )
        _files(place, project, target, dry_run=dry_run, as_json=as_json)
        return
    if dataset:
        if into is not None or dry_run:
            raise UsageError(
                "LW904", "--dataset loads rows into the lake: it takes neither --into nor --dry-run"
            )
        _datasets(dataset, place, project, target, backup=backup, at=moment, as_json=as_json)
        return
    from lakewright.app.recover import recover as verb

    if not (yes or dry_run or into) and sys.stdin.isatty():
        typer.confirm("Put the whole project back? What differs is moved aside.", abort=True, err=True)
    done = verb(
        project,
        place=place,
        backup=backup,
        at=moment,
        into=into,
        target=target,
        passphrase_from=passphrase_from,
        dry_run=dry_run,
    )
    if as_json:
        emit_json(done)
    else:
        _tell(done, dry_run=dry_run)


def _tell(done: Report, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    print_text(f"backup {done.backup}: {done.why}")
    print_text(
        f"{counted(done.put, 'file')} {would}put back, {done.replaced:,} {would}replaced, {done.right:,} right as they were; "
        f"{size(done.bytes)} copied"
    )
    print_text(
        f"the lake {'would be' if dry_run else 'is'} as it was at {short_time(done.reached)} UTC, in {done.root}"
    )
    for one in done.aside:
        print_text(f"set aside: {one}")
    for line in done.notes:
        note(line)
    if not dry_run:
        note("next: `lakewright verify`, then `lakewright run` for what came after")


def _files(place: str | None, project: Path, target: str | None, *, dry_run: bool, as_json: bool) -> None:
    from lakewright.app.platform import Platform
    from lakewright.app.recover import recover_files

    with Platform.open(project, target) as platform:
        done = recover_files(platform, place=place, dry_run=dry_run)
    if as_json:
        emit_json(done)
    elif done:
        print_table(
            ["file", "dataset", "was", "now"],
            [
                (
                    one.file,
                    one.dataset,
                    one.was,
                    one.problem or _done(made=one.made, dry_run=dry_run),
                )
                for one in done
            ],
        )
    else:
        print_text("every file is right")
    if any(not one.healed for one in done):
        note(
            "what no backup has: `lakewright recover --dataset NAME`, or build it anew with `run --full-refresh`"
        )
    sys.exit(0 if all(one.healed for one in done) else 1)


def _done(*, made: bool, dry_run: bool) -> str:
    what = "made anew from the original" if made else "put back"
    return f"would be {what}" if dry_run else what


def _datasets(
    datasets: list[str],
    place: str | None,
    project: Path,
    target: str | None,
    *,
    backup: str,
    at: datetime | None,
    as_json: bool,
) -> None:
    from lakewright.app.platform import Platform
    from lakewright.app.recover import recover_datasets

    with Platform.open(project, target) as platform:
        done = recover_datasets(platform, datasets, place=place, backup=backup, at=at)
    if as_json:
        emit_json(done)
        return
    print_text(f"backup {done[0].backup}: {done[0].why}")
    for one in done:
        print_text(f"{one.dataset}: {one.rows:,} rows, as of {short_time(one.reached)} UTC")
    note("next: `lakewright run` builds what came after, and what is made of it")
