"""`plan`: what a run would build and why; nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from lakewright.app.compatibility import incompatibilities
from lakewright.app.platform import Platform
from lakewright.app.text import lines_of
from lakewright.errors import LakewrightError, UsageError
from lakewright.plan.select import select as choose
from lakewright.plan.tasks import Found, Request, TaskPlan, backfill_column, plan_tasks
from lakewright.project.check_encryption import encryption_warnings
from lakewright.project.check_mask import mask_warnings
from lakewright.run.ingest import look
from lakewright.run.settle import owed, with_settling
from lakewright.run.states import built_states, fingerprints, upstream_states

__all__ = ["PlanReport", "Planned", "make_plan", "plan", "request_of"]


@dataclass(frozen=True)
class Planned:
    """One line of the plan. ``files``, ``rows`` and ``bytes`` are what would be read, None where not known."""

    dataset: str
    kind: str
    action: str
    mode: str
    reason: str
    files: int | None
    rows: int | None
    bytes: int | None
    after: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class PlanReport:
    """What a run would do, in order, with things worth knowing before."""

    tasks: tuple[Planned, ...]
    warnings: tuple[str, ...] = ()
    statements: dict[str, str] = field(default_factory=dict)

    @property
    def to_run(self) -> int:
        """How many tasks have something to do."""
        return sum(one.action == "build" for one in self.tasks)

    def __repr__(self) -> str:
        lines = [
            (one.dataset, one.action, one.reason, *("" if n is None else n for n in (one.files, one.rows)))
            for one in self.tasks
        ]
        return lines_of(("dataset", "action", "why", "files", "rows"), lines)


def plan(
    platform: Platform,
    select: Sequence[str] = (),
    *,
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    backfill: str | None = None,
    accept_gaps: bool = False,
    statements: bool = False,
) -> PlanReport:
    """Return what ``run`` with the same words would do. With *statements*, also each dataset's query."""
    request = request_of(full_refresh, backfill, accept_gaps=accept_gaps)
    ids = choose(platform.graph, platform.project, select, exclude=exclude)
    plans, problems = make_plan(platform, ids, request)
    refused = {id: f"{one.code} {one.message}" for id, one in incompatibilities(platform, ids).items()}
    lines = tuple(
        Planned(
            one.id,
            one.kind,
            "blocked" if one.blocked or one.id in refused else one.action,
            one.work.mode,
            refused.get(one.id) or problems.get(one.id, one.reason),
            one.estimate.files,
            one.estimate.rows,
            one.estimate.bytes,
            one.upstream,
        )
        for one in plans
    )
    return PlanReport(lines, _warnings(platform, ids), _statements(platform, ids) if statements else {})


def make_plan(
    platform: Platform, ids: Sequence[str], request: Request
) -> tuple[tuple[TaskPlan, ...], dict[str, str]]:
    """Return the tasks for *ids*, and by raw dataset what went wrong when its source was looked at."""
    services = platform.services
    if request.backfill is not None:
        _check_dated(platform, ids)
    found: dict[str, Found] = {}
    problems: dict[str, str] = {}
    for id in ids:
        if id in platform.project.raw:
            try:
                found[id] = look(services, id)
            except LakewrightError as error:
                # the task itself will fail with it; the rest of the plan still holds
                problems[id] = error.problem.message
    tasks = plan_tasks(
        platform.graph,
        platform.project,
        ids,
        fingerprints=fingerprints(services, ids),
        built=built_states(services),
        upstreams=upstream_states(services),
        found=found,
        request=request,
    )
    return with_settling(tasks, owed(services)), problems


def _check_dated(platform: Platform, ids: Sequence[str]) -> None:
    tables = [platform.project.datasets[id] for id in ids if id in platform.project.datasets]
    if not any(backfill_column(one) for one in tables):
        raise UsageError(
            "LW606",
            f"{', '.join(one.id for one in tables[:5]) or 'what is selected'} has no date to backfill by",
            remedy="partition it by a date, name incremental.column, or use --full-refresh",
        )


def request_of(full_refresh: bool, backfill: str | None, *, accept_gaps: bool = False) -> Request:
    """Return what the user asked for. Raises LW902 when *backfill* is not ``FROM..TO`` with ISO dates."""
    if backfill is None:
        return Request(full_refresh=full_refresh, accept_gaps=accept_gaps)
    if full_refresh:
        raise UsageError("LW904", "--full-refresh and --backfill exclude each other")
    low, dots, high = backfill.partition("..")
    try:
        first, last = date.fromisoformat(low), date.fromisoformat(high if dots else low)
    except ValueError:
        raise UsageError(
            "LW904", f"{backfill!r} is no range of dates", remedy="write --backfill 2024-01-01..2024-01-31"
        ) from None
    if first > last:
        raise UsageError("LW904", f"the range {backfill} ends before it begins")
    return Request(backfill=(first.isoformat(), last.isoformat()), accept_gaps=accept_gaps)


def _warnings(platform: Platform, ids: Sequence[str]) -> tuple[str, ...]:
    from lakewright.sql.dialect import foreign_functions
    from lakewright.sql.query import parse_query

    found: list[str] = [*encryption_warnings(platform.project)]
    for id in ids:
        dataset = platform.project.datasets.get(id)
        if dataset is not None:
            found += mask_warnings(dataset)
        if dataset is not None and dataset.sql is not None and dataset.sql_path is not None:
            names = foreign_functions(parse_query(dataset.sql, path=dataset.sql_path or dataset.path))
            if names:
                found.append(f"{id} uses {', '.join(names)}: sure to mean the same on DuckDB only")
    return tuple(found)


def _statements(platform: Platform, ids: Sequence[str]) -> dict[str, str]:
    from lakewright.sql.query import parse_query

    found = {}
    for id in ids:
        dataset = platform.project.datasets.get(id)
        if dataset is not None and dataset.shown_sql is not None:
            tree = parse_query(dataset.shown_sql, path=dataset.sql_path or dataset.path)
            found[id] = tree.sql("duckdb", pretty=True)
    return found
