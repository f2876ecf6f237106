"""What is written down about a build's quality: results, a few bad rows, the profile, anomalies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from sqlglot import exp

from lakewright.catalog import schemas
from lakewright.quality import results
from lakewright.quality.anomaly import Anomaly, anomalies
from lakewright.quality.gate import Verdict
from lakewright.quality.profile import profile
from lakewright.quality.profile_model import Profile
from lakewright.quality.samples import Sample, sample_rows
from lakewright.run.inputs import STAGE
from lakewright.run.stage import Staged
from lakewright.spec.dataset import Dataset
from lakewright.sql.checks import reasons
from lakewright.sql.names import FAILED
from lakewright.state import State, metadata
from lakewright.state.types import UtcTime

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["Findings", "keep_columns", "load_findings", "record_audit"]

#: Larger stages are profiled from about this many rows; the profile says so.
_PROFILED = 200_000

run_findings = sa.Table(
    "run_findings",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("dataset", sa.String(255), primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("findings", sa.Text, nullable=False),
)


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit showed beside its results. ``flow`` says where the rows read went, by name."""

    profile: Profile
    sample: Sample | None
    anomalies: tuple[Anomaly, ...]
    flow: tuple[tuple[str, int], ...]


def record_audit(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    staged: Staged,
    verdict: Verdict,
    *,
    read: int | None,
    run_id: str,
    batch: int,
    at: datetime,
) -> tuple[str, ...]:
    """Keep what the audit found, whether or not the gate let it through; return sentences worth telling.

    A second attempt of the same run replaces what the first one kept.
    """
    state = services.state
    private = [name for name, rules in dataset.file.columns.items() if rules.pii]
    made = profile_stage(cursor, staged, private)
    counts = {"rows": float(verdict.rows), "bad_rows": float(verdict.bad_rows), "score": verdict.score}
    metrics = {**made.metrics(), **counts}
    unusual = anomalies(results.metrics_history(state, dataset.id), metrics)
    results.save(state, run_id, dataset.id, verdict, batch=batch, metrics=metrics, at=at)
    findings = Findings(
        profile=made,
        sample=_sample(cursor, dataset, staged) if verdict.bad_rows else None,
        anomalies=unusual,
        flow=_flow(staged, verdict, read),
    )
    values = {"run_id": run_id, "dataset": dataset.id, "at": at}
    with state.begin(run_findings) as connection:
        table = run_findings
        connection.execute(table.delete().where(table.c.run_id == run_id, table.c.dataset == dataset.id))
        connection.execute(table.insert(), {**values, "findings": msgspec.json.encode(findings).decode()})
    told = [one.sentence for one in unusual]
    told += [
        f"warning: {one.sentence}, but {one.observed or f'{one.violations:,} rows break it'}"
        for one in verdict.failed
        if one.severity == "warn"
    ]
    return tuple(told)


def load_findings(state: State, run_id: str) -> dict[str, Findings]:
    """Return what a run's audits showed, by dataset."""
    with state.begin(run_findings) as connection:
        found = connection.execute(run_findings.select().where(run_findings.c.run_id == run_id)).all()
    return {row.dataset: msgspec.json.decode(row.findings, type=Findings) for row in found}


def profile_stage(
    cursor: duckdb.DuckDBPyConnection, staged: Staged, private: Collection[str] = ()
) -> Profile:
    """Return the profile of the staged rows; of a sample of them where there are many.

    No value of the columns in *private* is kept.
    """
    relation = exp.to_table(STAGE)
    if staged.rows > _PROFILED:
        # a sample of whole vectors: reading less is what makes it cheap
        share = 100 * _PROFILED / staged.rows
        cursor.execute(
            f"CREATE OR REPLACE TEMP VIEW {STAGE}_sample AS SELECT * FROM {STAGE} "
            f"TABLESAMPLE system({share:.6f} PERCENT) REPEATABLE (1)"
        )
        relation = exp.to_table(f"{STAGE}_sample")
    made = profile(cursor, relation, staged.columns, private=private)
    return Profile(staged.rows, made.sampled, made.columns) if staged.rows > _PROFILED else made


def keep_columns(
    services: Services, dataset: Dataset, columns: Mapping[str, str], *, same: bool
) -> dict[str, str]:
    """Return the columns to publish, by the dataset's drift rule, and check its declared compatibility.

    *same* tells that the definition is the one of the last build: other columns then mean that the
    upstream drifted. Raises LW701 for an incompatible schema, LW702 for drift that is to fail.
    """
    before = schemas.latest(services.state, dataset.id)
    found = dict(columns)
    if before is not None and same:
        known = {one.name: one.type for one in before.fields}
        drift = schemas.drifted(dataset.id, known, columns, dataset.file.on_drift)
        found = {name: type for name, type in columns.items() if name not in drift.left_out}
    fields = schemas.fields_of(found, dataset.file.columns)
    schemas.check(services.state, dataset.id, fields, dataset.file.compatibility)
    return found


def _sample(cursor: duckdb.DuckDBPyConnection, dataset: Dataset, staged: Staged) -> Sample:
    columns = [*staged.columns, *([FAILED] if FAILED in staged.hidden else [])]
    where = exp.and_(staged.bad, staged.kept) if staged.kept is not None else staged.bad
    private = [name for name, rules in dataset.file.columns.items() if rules.pii]
    why = reasons(staged.checks, staged.surplus)
    return sample_rows(cursor, exp.to_table(STAGE), columns, why, where=where, pii=private)


def _flow(staged: Staged, verdict: Verdict, read: int | None) -> tuple[tuple[str, int], ...]:
    start = staged.rows if read is None else read
    parts = [("read", start), ("good", verdict.good_rows), ("quarantined", verdict.bad_rows)]
    if staged.deduplicated:
        parts.append(("duplicates", staged.deduplicated))
    filtered = start - verdict.rows - staged.deduplicated
    if filtered > 0:
        parts.append(("left out by steps", filtered))
    return tuple(parts) if filtered >= 0 else ()
