"""Commands about backups: create, list, show, verify, prune."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import counted, emit_json, note, print_table, print_text, short_time, size
from lakewright.errors import ProjectError

if TYPE_CHECKING:
    from lakewright.app.platform import Platform

__all__ = ["From", "PassphraseFrom", "opened", "register"]

_backup = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Copies of the whole project: lake, catalog, state, raw files, keys.",
)

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="Folder or s3://bucket/prefix of the backups; as the project says without it.",
    ),
]
PassphraseFrom = Annotated[
    str | None,
    typer.Option(
        "--passphrase-from",
        metavar="REF",
        help="Where the passphrase of the keys is: env:NAME, file:PATH, ${secret:NAME}.",
    ),
]
BackupName = Annotated[str, typer.Argument(metavar="[BACKUP]", help="Its id, or the beginning of it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.add_typer(_backup, name="backup")


def opened(project: Path, target: str | None, place: str | None) -> Platform | None:
    """Return the project, None when there is none that can be read and *place* says where the backups are."""
    from lakewright.app.platform import Platform

    try:
        return Platform.open(project, target)
    except ProjectError:
        if place is None:
            raise
        return None


@_backup.command("create")
def create(
    to: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Folder or s3://bucket/prefix; as the project says without it."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read every file again, and compare it with what is known of it.")
    ] = False,
    passphrase_from: PassphraseFrom = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup, while runs go on. Files that an earlier backup holds are not copied again."""
    from lakewright.app.backup import create as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        made = verb(platform, to, full=full, passphrase_from=passphrase_from)
    if as_json:
        emit_json(made)
    else:
        print_text(
            f"backup {made.id}: {counted(made.files, 'file')}, {size(made.bytes)}, lake at snapshot {made.snapshot}; "
            f"new in {made.place}: {counted(made.new_files, 'file')}, {size(made.new_bytes)}"
        )
    for line in made.notes:
        note(line)


@_backup.command("list")
def list_backups(
    place: From = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show the backups, newest first."""
    from lakewright.app.backup import backups

    found = backups(opened(project, target, place), place)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["backup", "made", "snapshot", "files", "size", "keys", "wrong"],
        [
            (
                one.id,
                short_time(one.created) if one.created else "",
                one.snapshot,
                f"{one.files:,}",
                size(one.bytes),
                one.keys,
                one.wrong,
            )
            for one in found
        ],
        right=["snapshot", "files", "size"],
    )


@_backup.command("show")
def show(
    backup: BackupName = "latest",
    place: From = None,
    files: Annotated[bool, typer.Option("--files", help="Also list every file.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what a backup holds, and the times that it can be recovered to."""
    from lakewright.app.backup import show as verb

    shown = verb(opened(project, target, place), place, backup)
    if as_json:
        emit_json(shown)
        return
    found = shown.manifest
    print_text(f"backup {shown.id} of project {found.project}, target {found.target or 'default'}")
    print_text(f"made {short_time(found.created)} by lakewright {found.version}; keys: {found.keys}")
    print_text(
        f"lake from snapshot {found.span.first} ({short_time(found.span.first_at)}) "
        f"to {found.span.last} ({short_time(found.span.last_at)})"
    )
    if files:
        print_table(
            ["kind", "path", "size", "sha256"],
            [(one.kind, one.path, size(one.size), one.sha256[:16]) for one in found.entries],
            right=["size"],
        )
        return
    groups: dict[tuple[str, str], list[int]] = {}
    for one in found.entries:
        groups.setdefault((one.kind, one.dataset), []).append(one.size)
    print_table(
        ["kind", "dataset", "files", "size"],
        [(kind, name, f"{len(sizes):,}", size(sum(sizes))) for (kind, name), sizes in sorted(groups.items())],
        right=["files", "size"],
    )


@_backup.command("verify")
def verify(
    backup: Annotated[
        str | None, typer.Argument(metavar="[BACKUP]", help="One backup; all when left out.")
    ] = None,
    place: From = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Read backups whole and compare every file with its checksum. Exit code 1 when one is damaged."""
    from lakewright.app.backup import verify as verb

    found = verb(opened(project, target, place), place, backup)
    if as_json:
        emit_json(found)
    elif found.wrong:
        print_table(
            ["backup", "file", "problem"],
            [(one.backup, one.file, one.problem) for one in found.wrong],
        )
        note("The next `lakewright backup create --full` stores again what the lake still has.")
    else:
        print_text(f"{counted(len(found.backups), 'backup')} whole")
    sys.exit(0 if found.whole else 1)


@_backup.command("prune")
def prune(
    keep: Annotated[int, typer.Option(help="Keep the newest so many.")],
    keep_daily: Annotated[int, typer.Option(help="Also the last one of each of so many days.")] = 0,
    keep_weekly: Annotated[int, typer.Option(help="Also the last one of each of so many weeks.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    place: From = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Let old backups go, and the files that no other one needs."""
    from lakewright.app.backup import prune as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        done = verb(platform, place, keep_last=keep, daily=keep_daily, weekly=keep_weekly, dry_run=dry_run)
    if as_json:
        emit_json(done)
        return
    for id in done.backups:
        print_text(f"{'would go' if dry_run else 'gone'}: {id}")
    print_text(
        f"{counted(len(done.kept), 'backup')} kept; {counted(done.blobs, 'file')}, {size(done.bytes)} "
        f"{'would be' if dry_run else ''} freed".replace("  ", " ")
    )
