"""`quality`: what the checks found, profiles, reports; and an audit of a table as it is now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakewright.app.platform import Platform, Restricted
from lakewright.errors import NotFoundError
from lakewright.quality.gate import Verdict, judge
from lakewright.quality.profile import profile as profile_relation
from lakewright.quality.results import latest, load, trend
from lakewright.quality.score import CheckResult
from lakewright.run.report import report_file
from lakewright.sql.checks import audit_query, compile_checks
from lakewright.sql.names import hidden, quarantine_id, table
from lakewright.state import now

if TYPE_CHECKING:
    from lakewright.quality.profile_model import Profile

__all__ = ["ProfileTable", "QualityReport", "audit", "profile", "profile_of", "quality", "report_path"]


@dataclass(frozen=True)
class QualityReport:
    """The quality of one dataset's batch, or of its whole table after an audit. ``score`` is 0 to 1.

    For a role, ``withheld`` checks are not among the ``results``; figures of rows that it may not see are None.
    """

    dataset: str
    score: float | None
    threshold: float
    passed: bool
    rows: int | None
    bad: int | None
    reasons: tuple[str, ...]
    results: tuple[CheckResult, ...]
    trend: tuple[float, ...]
    quarantine: str
    run: str
    withheld: int = 0


@dataclass(frozen=True)
class ProfileTable:
    """A dataset's profile, and the same as lines of a table."""

    dataset: str
    rows: int
    profile: Any
    header: tuple[str, ...]
    lines: tuple[tuple[Any, ...], ...]
    right: tuple[str, ...]


def quality(
    platform: Platform, dataset: str | None = None, run: str | None = None
) -> tuple[QualityReport, ...]:
    """Return the latest results, of all datasets or one, or those of one run; for a role, as much as it may see."""
    if isinstance(platform, Restricted):
        from lakewright.app.permitted import permitted_quality

        return permitted_quality(platform, dataset, run)
    wanted = [platform.dataset_id(dataset)] if dataset else list(platform.project.datasets)
    if run is not None:
        info = platform.journal.run(run)
        found = [one for one in load(platform.state, info.id) if one.dataset in wanted]
    else:
        found = [one for id in wanted if (one := latest(platform.state, id)) is not None]
    return tuple(
        _report(
            platform, one.dataset, one.verdict, one.run_id, one.verdict.passed and one.verdict.bad_rows > 0
        )
        for one in found
    )


def audit(platform: Platform, dataset: str | None = None) -> tuple[QualityReport, ...]:
    """Check whole tables as they are now, with the rules of today's files. Nothing is changed or kept."""
    services = platform.services
    ids = [platform.dataset_id(dataset)] if dataset else list(platform.project.datasets)
    defaults = platform.project.file.defaults
    reports = []
    for id in ids:
        spec = platform.project.datasets.get(id)
        if spec is None:
            raise NotFoundError("LW901", f"{id} is raw; its files are checked when they are taken")
        cursor = services.session.cursor()
        columns = services.lake.columns(cursor, id)
        if columns is None:
            if dataset:
                raise NotFoundError("LW901", f"{id} has not been built yet")
            continue
        own = {name: type for name, type in columns.items() if not hidden(name)}
        checks = compile_checks(
            spec,
            own,
            on_violation=spec.file.on_violation or defaults.on_violation,
            relations=table,
            now=now(),
        )
        result = cursor.execute(audit_query(checks, table(id), staged=False, columns=own).sql("duckdb"))
        names = [str(one[0]) for one in result.description or ()]
        row = dict(zip(names, result.fetchone() or (), strict=True))
        threshold = spec.file.quality_threshold
        verdict = judge(checks, row, defaults.quality_threshold if threshold is None else threshold)
        reports.append(_report(platform, id, verdict, "", False))
        cursor.close()
    return tuple(reports)


def profile(platform: Platform, dataset: str | None = None) -> tuple[ProfileTable, ...]:
    """Profile tables as they are now: nulls, distinct values, range, quantiles, frequent values.

    For a role, the columns that it sees as they are, of tables of which it sees every row.
    """
    if isinstance(platform, Restricted):
        from lakewright.app.permitted import permitted_profile

        return permitted_profile(platform, dataset)
    ids = [platform.dataset_id(dataset)] if dataset else list(platform.project.datasets)
    found = [made for id in ids if (made := profile_of(platform, id)) is not None]
    if dataset and not found:
        raise NotFoundError("LW901", f"{ids[0]} has not been built yet")
    return tuple(found)


def profile_of(platform: Platform, id: str, only: Collection[str] | None = None) -> ProfileTable | None:
    """Return the profile of a table, of all its columns or *only* some (in small letters); None before it is built."""
    services = platform.services
    with services.session.cursor() as cursor:
        columns = services.lake.columns(cursor, id)
        if columns is None:
            return None
        own = {
            name: type
            for name, type in columns.items()
            if not hidden(name) and (only is None or name.lower() in only)
        }
        return _profile_table(platform, id, profile_relation(cursor, table(id), own))


def report_path(platform: Platform, run: str | None = None) -> Path:
    """Return the HTML report of *run*, or of the newest run that has one. Raises LW901 when there is none."""
    if run is not None:
        info = platform.journal.run(run)
        path = report_file(platform.root, info.id)
        if not path.exists():
            raise NotFoundError("LW901", f"run {info.id} built nothing, so it has no report")
        return path
    for info in platform.journal.runs(limit=1000):
        path = report_file(platform.root, info.id)
        if path.exists():
            return path
    raise NotFoundError("LW901", "no run has built anything yet, so there is no report")


def _report(platform: Platform, id: str, verdict: Verdict, run: str, quarantined: bool) -> QualityReport:
    return QualityReport(
        id,
        verdict.score,
        verdict.threshold,
        verdict.passed,
        verdict.rows,
        verdict.bad_rows,
        verdict.reasons,
        verdict.results,
        tuple(point.score for point in trend(platform.state, id, 10)),
        quarantine_id(id) if quarantined else "",
        run,
    )


def _profile_table(platform: Platform, id: str, made: Profile) -> ProfileTable:
    spec = platform.project.datasets.get(id)
    private = {name for name, rules in spec.file.columns.items() if rules.pii} if spec else set()
    lines = []
    for one in made.columns:
        secret = one.name in private
        top = "" if secret else ", ".join(f"{v.value} ({v.count:,})" for v in one.top[:3])
        lines.append(
            (
                one.name,
                one.type,
                round(100 * one.null_share, 2),
                one.distinct,
                "•••" if secret else one.minimum,
                "•••" if secret else one.maximum,
                one.mean if one.mean is not None and not secret else None,
                top,
            )
        )
    header = ("column", "type", "null %", "distinct", "min", "max", "mean", "most frequent")
    return ProfileTable(id, made.rows, made, header, tuple(lines), ("null %", "distinct", "mean"))
