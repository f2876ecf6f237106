"""A few of the rows that break checks, as text, with personal data masked."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.quality.score import MASK
from lakewright.sql.dialect import render
from lakewright.sql.names import FAILED, column

if TYPE_CHECKING:
    import duckdb

__all__ = ["MASK", "Sample", "mask", "sample_rows"]

_SHOWN = 200
_LOOKED_AT = 5000


@dataclass(frozen=True)
class Sample:
    """Rows that break checks: column names, and for each row the checks it breaks and its values as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str | None, ...]], ...]


def sample_rows(
    cursor: duckdb.DuckDBPyConnection,
    relation: exp.Table,
    columns: Sequence[str],
    reasons: exp.Expr,
    *,
    where: exp.Expr | None = None,
    pii: Collection[str] = (),
    each: int = 3,
    limit: int = 20,
) -> Sample:
    """Return up to *limit* rows of *relation*, at most *each* for one combination of *reasons*.

    *reasons* is the list of check ids of a row: the column of a quarantine table, or
    ``reasons(checks)`` over a stage. Only the first 5,000 rows that *where* lets through are
    looked at. Values are cut to 200 characters; those of the columns in *pii* are masked.
    """
    shown = [
        exp.alias_(
            exp.Left(this=exp.cast(column(name), "TEXT"), expression=exp.Literal.number(_SHOWN)),
            f"_{place}",
            quoted=True,
        )
        for place, name in enumerate(columns)
    ]
    first = exp.select(exp.alias_(reasons.copy(), "_reasons"), *shown).from_(relation.copy())
    if where is not None:
        first = first.where(where.copy())
    place_of = exp.Window(this=exp.RowNumber(), partition_by=[exp.column("_reasons")])
    query = (
        exp.select("*")
        .from_(first.limit(_LOOKED_AT).subquery("_looked_at"))
        .qualify(exp.LTE(this=place_of, expression=exp.Literal.number(each)))
        .limit(limit)
    )
    found = cursor.execute(render(query)).fetchall()
    sample = Sample(tuple(columns), tuple((tuple(row[0] or ()), tuple(row[1:])) for row in found))
    return mask(sample, pii)


def mask(sample: Sample, pii: Collection[str]) -> Sample:
    """Return *sample* with the values of the columns in *pii* replaced, also inside ``_failed``."""
    hidden = {name.lower() for name in pii}
    if not hidden:
        return sample
    rows = tuple(
        (
            reasons,
            tuple(_masked(name, value, hidden) for name, value in zip(sample.columns, values, strict=True)),
        )
        for reasons, values in sample.rows
    )
    return Sample(sample.columns, rows)


def _masked(name: str, value: str | None, hidden: Collection[str]) -> str | None:
    if value is None:
        return None
    if name.lower() in hidden:
        return MASK
    if name == FAILED:
        try:
            failed: Mapping[str, object] = json.loads(value)
        except ValueError:  # cut off in the middle
            return MASK
        kept = {key: MASK if key.lower() in hidden else text for key, text in failed.items()}
        return json.dumps(kept, ensure_ascii=False)
    return value
