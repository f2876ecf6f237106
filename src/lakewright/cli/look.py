"""Commands that look: query, quality, catalog, lineage, runs, logs."""

from __future__ import annotations

import enum
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakewright.cli.acting import acting
from lakewright.cli.options import AsJson, Attributes, ProjectFolder, RoleName, TargetName, UserName
from lakewright.cli.output import (
    counted,
    emit_json,
    note,
    print_rows,
    print_table,
    print_text,
    short_time,
    span,
)
from lakewright.errors import UsageError

if TYPE_CHECKING:
    from lakewright.app.quality import QualityReport

__all__ = ["register"]


class Output(enum.StrEnum):
    """Forms in which a query's rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    ndjson = "ndjson"
    parquet = "parquet"


class Direction(enum.StrEnum):
    """Which way lineage is followed."""

    up = "up"
    down = "down"
    both = "both"


class GraphFormat(enum.StrEnum):
    """Forms in which lineage is written."""

    text = "text"
    dot = "dot"
    mermaid = "mermaid"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the commands of this file to *app*."""
    app.command("query")(query)
    app.command("quality")(quality)
    app.command("catalog")(catalog)
    app.command("lineage")(lineage)
    app.command("runs")(runs)
    app.command("logs")(logs)


def query(
    sql: Annotated[
        str, typer.Argument(help="A SELECT over raw, processed, curated, quarantine, ops; - reads stdin.")
    ],
    output: Annotated[
        Output | None,
        typer.Option("--output", "-o", help="How rows are written; a table, or what the file's name says."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Write to this file, not stdout.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The lake as it was: a snapshot number or a time.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows that --output table shows; 0 for all.")] = 100,
    role: RoleName = None,
    user: UserName = None,
    attribute: Attributes = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Query any zone in SQL."""
    from lakewright.app.platform import Platform
    from lakewright.app.query import query as verb
    from lakewright.app.rows import write_result

    text = sys.stdin.read() if sql == "-" else sql
    form = "json" if as_json else _form(output, file)
    with (
        Platform.open(project, target, acting(role, user, attribute)) as platform,
        verb(platform, text, as_of=as_of, flat=form == "csv") as result,
    ):
        if form != "table":
            write_result(result, form, file)
            return
        if result.columns == ["explain_key", "explain_value"]:
            for _, drawing in result.fetchall():
                print_text(str(drawing))
            return
        shown, more = result.first(limit)
        print_rows(result.columns, shown, right=result.numeric)
        note(counted(len(shown), "row") + (" shown, there are more (--limit 0 shows all)" if more else ""))


def _form(output: Output | None, file: Path | None) -> str:
    """Return how rows are written: as asked, else as the file's name says."""
    if output is Output.table and file is not None:
        raise UsageError(
            "LW904", "a table is for people, not for a file", remedy="choose csv, json, ndjson or parquet"
        )
    if output is not None:
        return output.value
    if file is None:
        return "table"
    from lakewright.app.rows import form_of

    return form_of(file)


def quality(
    dataset: Annotated[str | None, typer.Argument(help="A dataset; all when left out.")] = None,
    run: Annotated[
        str | None, typer.Option(help="The run to show; the last one of each dataset by default.")
    ] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Check the whole table as it is now.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Show the profile of the columns.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Print the path of the HTML report.")] = False,
    role: RoleName = None,
    user: UserName = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what the checks found: score, counts, trend, where the bad rows are."""
    from lakewright.app import quality as verbs
    from lakewright.app.platform import Platform

    with Platform.open(project, target, acting(role, user, None)) as platform:
        if report:
            path = str(verbs.report_path(platform, run))
            if as_json:
                emit_json({"report": path})
            else:
                print_text(path)
            return
        if profile:
            found = verbs.profile(platform, dataset)
            if as_json:
                emit_json(found)
                return
            for table in found:
                print_text(f"{table.dataset}: {table.rows:,} rows")
                print_table(table.header, table.lines, right=table.right)
            return
        shown = verbs.audit(platform, dataset) if audit else verbs.quality(platform, dataset, run)
    if as_json:
        emit_json(shown)
        return
    for one in shown:
        _show_quality(one)
    if not shown:
        note("no quality results yet: run `lakewright run` first")


def _show_quality(one: QualityReport) -> None:
    mark = "ok" if one.passed else "FAILED"
    if one.score is None:
        print_text(f"{one.dataset}  {mark}  (figures are of rows that may not all be seen)")
        return
    trend = "" if not one.trend else "  trend " + " ".join(f"{100 * score:.1f}" for score in one.trend)
    print_text(
        f"{one.dataset}  score {100 * one.score:.2f} %  {mark}  {one.rows:,} rows, {one.bad:,} bad{trend}"
    )
    print_table(
        ["check", "severity", "met %", "violations", "observed", "ok"],
        [(c.check_id, c.severity, c.percent, c.violations, c.observed, c.passed) for c in one.results],
        right=["met %", "violations"],
    )
    if one.withheld:
        note(f"{counted(one.withheld, 'check')} of {one.dataset} not shown")
    if one.quarantine:
        print_text(f"bad rows: lakewright query 'select * from {one.quarantine}'\n")


def catalog(
    dataset: Annotated[str | None, typer.Argument(help="A dataset to show in full.")] = None,
    search: Annotated[str | None, typer.Option("--search", "-s", help="Words to find.")] = None,
    role: RoleName = None,
    user: UserName = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what there is: datasets, columns, owners, tags, scores, where they come from and go to."""
    from lakewright.app import catalog as verbs
    from lakewright.app.platform import Platform

    with Platform.open(project, target, acting(role, user, None)) as platform:
        if dataset:
            entry = verbs.entry(platform, dataset)
            if as_json:
                emit_json(entry)
            else:
                for name, value in verbs.facts(entry):
                    print_text(f"{name:<14} {value}")
                print_text("")
                print_table(["column", "type", "description", "pii", "tags"], verbs.column_rows(entry))
            return
        entries = verbs.search(platform, search) if search else verbs.entries(platform)
    if as_json:
        emit_json(entries)
        return
    print_table(
        ["dataset", "rows", "score %", "owner", "updated", "description"],
        [
            (
                one.dataset,
                one.rows,
                None if one.score is None else 100 * one.score,
                one.owner,
                one.updated,
                one.description,
            )
            for one in entries
        ],
        right=["rows", "score %"],
    )


def lineage(
    dataset: Annotated[str, typer.Argument(help="zone.name, or zone.name.column.")],
    direction: Annotated[
        Direction, typer.Option(help="Where it comes from, goes to, or both.")
    ] = Direction.both,
    columns: Annotated[bool, typer.Option("--columns", help="Show columns, not datasets only.")] = False,
    form: Annotated[
        GraphFormat, typer.Option("--format", help="How the graph is written.")
    ] = GraphFormat.text,
    role: RoleName = None,
    user: UserName = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show where a dataset or column comes from and what is made of it."""
    from lakewright.app.lineage import lineage as verb
    from lakewright.app.platform import Platform

    with Platform.open(project, target, acting(role, user, None)) as platform:
        found = verb(platform, dataset, direction=direction.value, columns=columns)
        if as_json or form is GraphFormat.json:
            emit_json(found.data)
        else:
            print_text(found.render(form.value))


def runs(
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    run: Annotated[
        str | None, typer.Argument(help="A run to show task by task; `last` is the newest.")
    ] = None,
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show the history of runs, or one run task by task."""
    from lakewright.app import runs as verbs
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        if run:
            detail = verbs.run_detail(platform, run)
            if as_json:
                emit_json(detail)
                return
            print_table(
                ["task", "status", "attempts", "rows", "quarantined", "took", "message"],
                [
                    (t.task, t.status, t.attempts, t.rows, t.quarantined, span(t.seconds), t.message)
                    for t in detail.tasks
                ],
                right=["attempts", "rows", "quarantined", "took"],
            )
            return
        found = verbs.runs(platform, limit)
    if as_json:
        emit_json(found)
        return
    print_table(
        ["run", "status", "started", "took", "built", "unchanged", "failed"],
        [
            (r.id, r.status, short_time(r.started), span(r.seconds), r.built, r.unchanged, r.failed)
            for r in found
        ],
        right=["took", "built", "unchanged", "failed"],
    )


def logs(
    run: Annotated[str, typer.Argument(help="A run's id; `last` is the newest.")] = "last",
    task: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    level: Annotated[str, typer.Option(help="debug, info, warning or error, and above.")] = "info",
    project: ProjectFolder = Path(),
    target: TargetName = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run logged."""
    from lakewright.app import runs as verbs
    from lakewright.app.platform import Platform

    with Platform.open(project, target) as platform:
        lines = verbs.logs(platform, run, task=task, level=level)
    if as_json:
        emit_json(lines)
        return
    for one in lines:
        place = f" {one.task}" if one.task else ""
        facts = "".join(f" {name}={value}" for name, value in one.fields.items() if name != "traceback")
        print_text(f"{short_time(one.at)} {one.level:<7}{place} {one.message}{facts}")
        if "traceback" in one.fields:
            print_text(textwrap.indent(str(one.fields["traceback"]), "    "))
