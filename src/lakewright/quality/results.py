"""Results in the state: saved once per run and dataset, read back and trended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lakewright.quality.gate import Verdict
from lakewright.quality.score import CheckResult
from lakewright.state import State, metadata, now
from lakewright.state.types import UtcTime

__all__ = [
    "Audit",
    "Point",
    "check_trend",
    "latest",
    "load",
    "metrics_history",
    "save",
    "trend",
]

#: One audited batch of a dataset. ``metrics`` are numbers to watch for anomalies, JSON name → value.
audits = sa.Table(
    "quality_audits",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("dataset", sa.String(255), primary_key=True),
    sa.Column("batch", sa.BigInteger, nullable=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bad_rows", sa.BigInteger, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Index("quality_audits_trend", "dataset", "at"),
)

checks = sa.Table(
    "quality_checks",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("dataset", sa.String(255), primary_key=True),
    sa.Column("check_id", sa.String(255), primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("columns", sa.Text, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.Column("evaluated", sa.BigInteger, nullable=False),
    sa.Column("violations", sa.BigInteger, nullable=False),
    sa.Column("percent", sa.Float, nullable=False),
    sa.Column("observed", sa.Text, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Index("quality_checks_trend", "dataset", "check_id"),
)


@dataclass(frozen=True)
class Audit:
    """A verdict as it was kept: of which run, dataset and batch, and when."""

    run_id: str
    dataset: str
    batch: int | None
    at: datetime
    verdict: Verdict
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Point:
    """One run's figure in a trend."""

    run_id: str
    at: datetime
    score: float
    rows: int
    bad_rows: int
    passed: bool


def save(
    state: State,
    run_id: str,
    dataset: str,
    verdict: Verdict,
    *,
    batch: int | None = None,
    metrics: Mapping[str, float] | None = None,
    at: datetime | None = None,
) -> None:
    """Keep *verdict*; a second attempt of the same run and dataset replaces the first one's."""
    with state.begin(audits, checks) as connection:
        for table in (checks, audits):
            connection.execute(table.delete().where(table.c.run_id == run_id, table.c.dataset == dataset))
        connection.execute(
            audits.insert(),
            {
                "run_id": run_id, "dataset": dataset, "batch": batch, "at": at or now(),
                "score": verdict.score, "threshold": verdict.threshold, "passed": verdict.passed,
                "rows": verdict.rows, "bad_rows": verdict.bad_rows,
                "reasons": json.dumps(verdict.reasons), "metrics": json.dumps(dict(metrics or {})),
            },
        )  # fmt: skip
        if verdict.results:
            connection.execute(
                checks.insert(),
                [
                    {
                        "run_id": run_id, "dataset": dataset, "check_id": one.check_id, "place": place,
                        "kind": one.kind, "columns": json.dumps(one.columns), "severity": one.severity,
                        "sentence": one.sentence, "scope": one.scope, "evaluated": one.evaluated,
                        "violations": one.violations, "percent": one.percent, "observed": one.observed,
                        "passed": one.passed,
                    }
                    for place, one in enumerate(verdict.results)
                ],
            )  # fmt: skip


def load(state: State, run_id: str) -> tuple[Audit, ...]:
    """Return what was kept of a run, by dataset."""
    with state.begin(audits, checks) as connection:
        found = connection.execute(
            audits.select().where(audits.c.run_id == run_id).order_by(audits.c.dataset)
        ).all()
        return tuple(_audit(connection, row) for row in found)


def latest(state: State, dataset: str) -> Audit | None:
    """Return the newest audit of *dataset*, if there is one."""
    with state.begin(audits, checks) as connection:
        row = connection.execute(
            audits.select().where(audits.c.dataset == dataset).order_by(audits.c.at.desc()).limit(1)
        ).first()
        return None if row is None else _audit(connection, row)


def trend(state: State, dataset: str, limit: int = 30) -> tuple[Point, ...]:
    """Return the last *limit* audits of *dataset*, oldest first."""
    chosen = (
        sa.select(
            audits.c.run_id, audits.c.at, audits.c.score, audits.c.rows, audits.c.bad_rows, audits.c.passed
        )
        .where(audits.c.dataset == dataset)
        .order_by(audits.c.at.desc())
        .limit(limit)
    )
    with state.begin(audits) as connection:
        rows = connection.execute(chosen).all()
    return tuple(Point(*row) for row in reversed(rows))


def check_trend(
    state: State, dataset: str, check_id: str, limit: int = 30
) -> tuple[tuple[datetime, float], ...]:
    """Return when and what percentage of rows held the check, for its last *limit* runs, oldest first."""
    joined = checks.join(
        audits, sa.and_(checks.c.run_id == audits.c.run_id, checks.c.dataset == audits.c.dataset)
    )
    chosen = (
        sa.select(audits.c.at, checks.c.percent)
        .select_from(joined)
        .where(checks.c.dataset == dataset, checks.c.check_id == check_id)
        .order_by(audits.c.at.desc())
        .limit(limit)
    )
    with state.begin(audits, checks) as connection:
        rows = connection.execute(chosen).all()
    return tuple((row[0], row[1]) for row in reversed(rows))


def metrics_history(state: State, dataset: str, limit: int = 60) -> dict[str, tuple[float, ...]]:
    """Return each metric's last *limit* values, oldest first, of runs that the gate let through."""
    chosen = (
        sa.select(audits.c.metrics)
        .where(audits.c.dataset == dataset, audits.c.passed.is_(True))
        .order_by(audits.c.at.desc())
        .limit(limit)
    )
    with state.begin(audits) as connection:
        rows = connection.execute(chosen).all()
    history: dict[str, list[float]] = {}
    for (text,) in reversed(rows):
        for name, value in json.loads(text).items():
            history.setdefault(name, []).append(float(value))
    return {name: tuple(values) for name, values in history.items()}


def _audit(connection: sa.Connection, row: sa.Row[Any]) -> Audit:
    chosen = (
        checks.select()
        .where(checks.c.run_id == row.run_id, checks.c.dataset == row.dataset)
        .order_by(checks.c.place)
    )
    verdict = Verdict(
        row.score, row.threshold, row.passed, row.rows, row.bad_rows,
        tuple(_check(one) for one in connection.execute(chosen)), tuple(json.loads(row.reasons)),
    )  # fmt: skip
    return Audit(row.run_id, row.dataset, row.batch, row.at, verdict, json.loads(row.metrics))


def _check(row: sa.Row[Any]) -> CheckResult:
    columns: Sequence[str] = json.loads(row.columns)
    return CheckResult(
        row.check_id, row.kind, tuple(columns), row.severity, row.sentence, row.scope, row.evaluated,
        row.violations, row.percent, row.observed, row.passed,
    )  # fmt: skip
