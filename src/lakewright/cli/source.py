"""Commands for sources: list, resnapshot, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import emit_json, note, print_table, print_text, size

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    group = typer.Typer(
        help="Where raw data comes from, and how far databases' changes are read.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("list")(list_)
    group.command("resnapshot")(resnapshot)
    group.command("remove")(remove)
    app.add_typer(group, name="source")


def list_(
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show raw datasets by source, and what the server keeps for captured ones."""
    from lakewright.app.platform import Platform
    from lakewright.app.sources import sources

    with Platform.open(project, target) as platform:
        found = sources(platform)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["source", "kind", "dataset", "load", "position", "not read", "log kept", "note"],
        [
            (
                one.source,
                one.kind,
                one.dataset,
                one.load,
                one.position,
                "" if one.lag is None else size(one.lag),
                "" if one.retained is None else size(one.retained),
                one.note,
            )
            for one in found
        ],
        right=["not read", "log kept"],
    )


def resnapshot(
    name: Annotated[str, typer.Argument(help="The source.")],
    dataset: Annotated[list[str] | None, typer.Argument(help="Datasets; all when left out.")] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Have the next run read captured tables again and take what differs from raw, deleted rows too."""
    from lakewright.app.platform import Platform
    from lakewright.app.sources import resnapshot as verb

    with Platform.open(project, target) as platform:
        found = verb(platform, name, dataset or ())
    if as_json:
        emit_json({"source": name, "datasets": found})
    else:
        print_text(f"the next run reads {', '.join(found)} again")


def remove(
    name: Annotated[str, typer.Argument(help="The source.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be dropped.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """End the capture of a source: drop its slot and publication, forget its positions. Raw data stays."""
    from lakewright.app.platform import Platform
    from lakewright.app.sources import remove_source

    with Platform.open(project, target) as platform:
        found = remove_source(platform, name, dry_run=dry_run)
    if as_json:
        emit_json(found)
        return
    for one in found.dropped:
        print_text(f"{'would drop' if dry_run else 'dropped'} {one}")
    for one in found.forgotten:
        print_text(f"{'would forget' if dry_run else 'forgot'} the position of {one}")
    if dry_run:
        note("nothing was changed")
