"""Commands that make and build: init, check, plan, run, test, schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lakewright.cli.options import AsJson, Exclude, ProjectFolder, Selection, TargetName
from lakewright.cli.output import counted, emit_json, note, print_table, print_text

__all__ = ["register"]

FullRefresh = Annotated[
    bool, typer.Option("--full-refresh", help="Build from all there is instead of what is new.")
]
Backfill = Annotated[
    str | None,
    typer.Option("--backfill", metavar="FROM..TO", help="Build a range of dates again, both ends included."),
]
AcceptGaps = Annotated[
    bool,
    typer.Option(
        "--accept-gaps",
        help="Make tables anew though raw files are expired; their rows stay where rows are appended or merged.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.command("init")(init)
    app.command("check")(check)
    app.command("plan")(plan)
    app.command("run")(run)
    app.command("test")(test)
    app.command("schema")(schema)


def init(
    folder: Annotated[Path, typer.Argument(help="Where the project goes; made when missing.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Look at the files, or the database, there and write a project for them.",
        ),
    ] = None,
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--tables", metavar="PATTERN", help="Tables of a database, as schema.table with * and ?."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="PATTERN", help="Tables of a database to leave out."),
    ] = None,
    template: Annotated[
        str,
        typer.Option(help="quickstart (a shop with data), retail (a star schema and a warehouse) or empty."),
    ] = "quickstart",
    as_json: AsJson = False,
) -> None:
    """Write a new project: from your files, from a database, or from a template."""
    from lakewright.app.init import init_from, init_template

    if source:
        made = init_from(folder, source, tables=tables or (), exclude=exclude or ())
    else:
        made = init_template(folder, template)
    if as_json:
        emit_json(made)
        return
    for path in made.files:
        note(f"  wrote {path}")
    for line in made.notes:
        note(f"  {line}")
    print_text(f"project {made.name} in {made.folder}")
    note(f"next: cd {made.folder} && lakewright plan && lakewright run")


def check(project: ProjectFolder = Path(), target: TargetName = None, as_json: AsJson = False) -> None:
    """Check the project's files; every mistake at once, nothing is run."""
    from lakewright.app.check import check as verb

    summary = verb(project, target)
    if as_json:
        emit_json(summary)
    else:
        for line in summary.notes:
            note(line)
        print_text(
            f"ok: {counted(summary.sources, 'source')}, {counted(summary.raw, 'raw dataset')}, "
            f"{counted(summary.datasets, 'dataset')}, {counted(summary.tests, 'test')}"
        )


def plan(
    select: Selection = None,
    exclude: Exclude = None,
    full_refresh: FullRefresh = False,
    backfill: Backfill = None,
    accept_gaps: AcceptGaps = False,
    sql: Annotated[bool, typer.Option("--sql", help="Also print the statements.")] = False,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would build and why; nothing runs."""
    from lakewright.app.plan import plan as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        shown = verb(
            platform,
            select or (),
            exclude=exclude or (),
            full_refresh=full_refresh,
            backfill=backfill,
            accept_gaps=accept_gaps,
            statements=sql,
        )
        if as_json:
            emit_json(shown)
            return
        print_table(
            ["dataset", "action", "why", "files", "rows"],
            [(one.dataset, one.action, one.reason, one.files, one.rows) for one in shown.tasks],
            right=["files", "rows"],
        )
        for warning in shown.warnings:
            note(f"note: {warning}")
        for name, text in shown.statements.items():
            print_text(f"\n-- {name}\n{text}")
        blocked = sum(one.action == "blocked" for one in shown.tasks)
        current = len(shown.tasks) - shown.to_run - blocked
        note(f"{shown.to_run} to run, {current} up to date" + (f", {blocked} blocked" if blocked else ""))


def run(
    select: Selection = None,
    exclude: Exclude = None,
    full_refresh: FullRefresh = False,
    backfill: Backfill = None,
    accept_gaps: AcceptGaps = False,
    from_failed: Annotated[
        bool, typer.Option("--from-failed", help="Take up the last run where it failed.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="A run that succeeded under this key is not run again."),
    ] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Build what is new: files into raw, raw into tables, checked on the way."""
    from lakewright.app.platform import Platform
    from lakewright.app.run import run as verb
    from lakewright.cli.progress import Progress
    from lakewright.run.cancel import cancel_on_signals

    with (
        Platform.open(project, target) as platform,
        Progress(enabled=not as_json) as progress,
        cancel_on_signals() as cancel,
    ):
        report = verb(
            platform,
            select or (),
            exclude=exclude or (),
            full_refresh=full_refresh,
            backfill=backfill,
            accept_gaps=accept_gaps,
            from_failed=from_failed,
            idempotency_key=key,
            on_event=progress.event,
            cancel=cancel,
        )
    if as_json:
        emit_json(report)
    else:
        progress.summary(report)
    sys.exit(report.exit_code)


def test(
    select: Annotated[list[str] | None, typer.Argument(metavar="[TEST]...", help="Names of tests.")] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Run the project's unit tests: given these rows, expect those. The lake is not touched."""
    from lakewright.app.test import test as verb

    report = verb(project, select or (), target)
    if as_json:
        emit_json(report)
    else:
        for one in report.results:
            print_text(f"{'ok  ' if one.passed else 'FAIL'} {one.name} ({one.dataset})")
            for line in one.differences:
                print_text(f"     {line}")
        print_text(f"{report.passed} passed, {report.failed} failed")
    sys.exit(1 if report.failed else 0)


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(help="lakewright.yaml (or project), source, dataset or test; all when left out."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files here instead of to stdout.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export the JSON Schemas of the project's files, for editors."""
    from lakewright.app.schema import schemas

    found = schemas(kind)
    if folder is None:
        emit_json(found if kind is None else next(iter(found.values())))
        return
    import msgspec

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in found.items():
        path = folder / f"{name}.schema.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        written.append(str(path))
    if as_json:
        emit_json(written)
    else:
        print_text("\n".join(written))
