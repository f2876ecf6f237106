"""Commands for data that grows old: lifecycle, archives, hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import emit_json, note, print_table, print_text, short_time
from lakewright.errors import UsageError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.command("lifecycle")(lifecycle)
    app.command("archives")(archives)
    group = typer.Typer(
        help="Legal holds: what may not be expired, archived or forgotten.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("add")(add)
    group.command("list")(list_)
    group.command("release")(release)
    app.add_typer(group, name="hold")


def lifecycle(
    dataset: Annotated[list[str] | None, typer.Argument(help="Datasets; all when left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Move rows and raw files older than their retention to the archive, verified before they are deleted."""
    from lakewright.app.lifecycle import lifecycle as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        steps = verb(platform, dataset or (), dry_run=dry_run)
    if as_json:
        emit_json(steps)
        return
    print_table(
        ["dataset", "retention", "action", "before", "by", "files", "rows", "archive or reason"],
        [
            (
                *(one.dataset, one.retention, one.action, one.before, one.age_by, one.files, one.rows),
                "; ".join(filter(None, (one.archive, one.why))),
            )
            for one in steps
        ],
        right=["files", "rows"],
    )
    if dry_run:
        note("nothing was changed")


def archives(
    dataset: Annotated[str | None, typer.Argument(help="Only those of this dataset.")] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what was archived or expired, oldest first."""
    from lakewright.app.lifecycle import archives as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = verb(platform, dataset)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["archive", "dataset", "kind", "rows", "from", "to", "at"],
        [(a.id, a.dataset, a.kind, a.rows, a.first, a.last, short_time(a.at)) for a in found],
        right=["rows"],
    )


def add(
    dataset: Annotated[str, typer.Argument(help="The dataset to hold.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")],
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day that is held; all without it.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day that is held; all without it.")
    ] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Hold a dataset, or its rows of some days: they are not expired, archived or forgotten."""
    from lakewright.app.lifecycle import hold
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        made = hold(platform, dataset, reason, first=_date(first), last=_date(last))
    if as_json:
        emit_json(made)
    else:
        print_text(f"hold {made.id} on {made.dataset}")


def list_(
    released: Annotated[bool, typer.Option("--all", help="Also those that were released.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show the holds that are on."""
    from lakewright.app.lifecycle import hold_list
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = hold_list(platform, released=released)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["hold", "dataset", "from", "to", "reason", "since", "released"],
        [
            (
                one.id,
                one.dataset,
                one.first,
                one.last,
                one.reason,
                short_time(one.at),
                short_time(one.released_at),
            )
            for one in found
        ],
        right=["hold"],
    )


def release(
    number: Annotated[int, typer.Argument(help="The hold's number.")],
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Release a hold."""
    from lakewright.app.lifecycle import release as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        found = verb(platform, number)
    if as_json:
        emit_json(found)
    else:
        print_text(f"hold {found.id} on {found.dataset} is released")


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError("LW904", f"{text!r} is no date", remedy="write it like 2024-12-31") from None
