"""Commands that keep the lake well: restore, snapshots, compact, doctor, cache, explain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.options import AsJson, ProjectFolder, TargetName
from lakewright.cli.output import counted, emit_json, note, print_table, print_text, short_time, size
from lakewright.errors import UsageError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.command("snapshots")(snapshots)
    app.command("restore")(restore)
    app.command("compact")(compact)
    app.command("doctor")(doctor)
    app.command("cache")(cache)
    app.command("explain")(explain)


def snapshots(
    dataset: Annotated[str | None, typer.Argument(help="Only the ones that changed this dataset.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show the lake's snapshots: what each changed, and which run made it."""
    from lakewright.app.platform import Platform
    from lakewright.app.upkeep import snapshots as verb

    with Platform.open(project, target) as platform:
        found = verb(platform, dataset, limit)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["snapshot", "at", "author", "message"],
        [(str(one.id), short_time(one.at), one.author, one.message) for one in found],
        right=["snapshot"],
    )


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Drop every result that is kept.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show how often results of queries were found in the cache, and what it holds."""
    from lakewright.app.cache import cache_report, clear_cache
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        dropped = clear_cache(platform) if clear else 0
        found = cache_report(platform)
    if as_json:
        emit_json(
            {
                "store": found.store,
                "entries": found.entries,
                "bytes": found.bytes,
                "hits": found.hits,
                "misses": found.misses,
                "rate": found.rate,
                "dropped": dropped,
            }
        )
        return
    if clear:
        note(f"{counted(dropped, 'result')} dropped")
    rate = "" if found.rate is None else f"{100 * found.rate:.1f} %"
    print_table(
        ["store", "results", "size", "hits", "misses", "rate"],
        [
            (
                found.store,
                f"{found.entries:,}",
                size(found.bytes),
                f"{found.hits:,}",
                f"{found.misses:,}",
                rate,
            )
        ],
        right=["results", "size", "hits", "misses", "rate"],
    )


def restore(
    dataset: Annotated[
        list[str] | None, typer.Argument(help="Datasets; the whole lake when left out.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="A snapshot number or a time.")] = None,
    from_archive: Annotated[
        bool, typer.Option("--from-archive", help="Bring the rows of one dataset's archives back.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Put datasets, or the whole lake, back to an earlier state. The present state stays in the history."""
    from lakewright.app.platform import Platform
    from lakewright.app.upkeep import restore as verb

    if (to is None) != from_archive:
        raise UsageError("LW904", "say what to go back to: --to SNAPSHOT, or --from-archive")
    if from_archive:
        _from_archive(dataset or [], project, target, as_json)
        return
    assert to is not None
    if not yes and sys.stdin.isatty():
        what = ", ".join(dataset) if dataset else "the whole lake"
        typer.confirm(f"Put {what} back to {to}?", abort=True, err=True)
    with Platform.open(project, target) as platform:
        done = verb(platform, dataset or (), to)
    if as_json:
        emit_json(done)
        return
    for one in done:
        print_text(f"{one.dataset}: {one.rows:,} rows, as of snapshot {one.version}")


def _from_archive(datasets: list[str], project: Path, target: str | None, as_json: bool) -> None:
    from lakewright.app.lifecycle import restore_archive
    from lakewright.app.platform import Platform

    if len(datasets) != 1:
        raise UsageError("LW904", "name the one dataset whose archives are to come back")
    with Platform.open(project, target) as platform:
        brought = restore_archive(platform, datasets[0])
    if as_json:
        emit_json(brought)
    else:
        print_text(f"{brought.dataset}: {brought.rows:,} rows from {brought.archives:,} archives")


def compact(
    dataset: Annotated[list[str] | None, typer.Argument(help="Datasets; all when left out.")] = None,
    expire: Annotated[
        str | None,
        typer.Option("--expire", metavar="AGE", help="Also forget snapshots older than this (30d)."),
    ] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Merge small files, those of old months and years too, and forget old snapshots on request."""
    from lakewright.app.platform import Platform
    from lakewright.app.upkeep import compact as verb

    with Platform.open(project, target) as platform:
        done = verb(platform, dataset or (), expire)
    if as_json:
        emit_json(done)
        return
    print_table(
        ["dataset", "files before", "files after", "bytes after"],
        [(one.dataset, one.files_before, one.files_after, size(one.bytes_after)) for one in done.datasets],
        right=["files before", "files after", "bytes after"],
    )
    for line in done.notes:
        note(line)


def doctor(project: ProjectFolder = Path(), target: TargetName = None, as_json: AsJson = False) -> None:
    """Look whether everything is in order: versions, files, lake, state, disk, leftovers."""
    from lakewright.app.doctor import doctor as verb

    findings = verb(project, target)
    if as_json:
        emit_json(findings)
    else:
        for one in findings:
            print_text(f"{one.status:<5} {one.what}: {one.message}")
    sys.exit(1 if any(one.status == "bad" for one in findings) else 0)


def explain(
    code: Annotated[str, typer.Argument(help="A code such as LW103.")], as_json: AsJson = False
) -> None:
    """Say what an error code means and what to do."""
    from lakewright.codes import CODES
    from lakewright.errors import NotFoundError, nearest

    found = CODES.get(code.upper())
    if found is None:
        raise NotFoundError("LW901", f"no error code {code!r}{nearest(code.upper(), CODES)}")
    if as_json:
        emit_json({"code": code.upper(), **found._asdict()})
        return
    print_text(f"{code.upper()}: {found.title}\n\n{found.meaning}\n\nfix: {found.remedy}")
