"""Checkpoints: append-only rows in the lake that commit together with the data they speak of.

Append-only because an UPDATE of a table that all datasets share conflicts everywhere, and an INSERT
never does. The last row of a dataset, by batch, is the one that counts.
"""

from __future__ import annotations

from typing import Protocol

import duckdb
from sqlglot import exp

from lakewright.lake.protocol import BOOKKEEPING, CATALOG, Checkpoint, Runs
from lakewright.sql.names import column, identifier, literal, table

__all__ = ["COLUMNS", "TABLE", "add", "last_batch", "latest", "restored_since"]

#: The id of the table of checkpoints.
TABLE = f"{BOOKKEEPING}.checkpoints"

#: Its columns and types, in the order of :class:`~lakewright.lake.protocol.Checkpoint`.
COLUMNS: dict[str, str] = {
    "dataset": "VARCHAR",
    "batch": "BIGINT",
    "run_id": "VARCHAR",
    "positions": "VARCHAR",
    "fingerprint": "VARCHAR",
    "rows": "BIGINT",
    "at": "TIMESTAMP WITH TIME ZONE",
    "kind": "VARCHAR",
    "base": "BIGINT",
}


def _insert() -> str:
    row = exp.Tuple(expressions=[exp.Placeholder() for _ in COLUMNS])
    into = exp.Schema(this=table(TABLE, CATALOG), expressions=[identifier(name) for name in COLUMNS])
    return exp.Insert(this=into, expression=exp.Values(expressions=[row])).sql("duckdb")


# Rendered once: every small commit runs it.
_INSERT = _insert()


class _Lake(Runs, Protocol):
    def columns(self, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str] | None: ...


def add(lake: _Lake, cursor: duckdb.DuckDBPyConnection, checkpoint: Checkpoint) -> None:
    """Append *checkpoint*; the table was made when the lake was opened for writing."""
    lake.run(cursor, _INSERT, [getattr(checkpoint, name) for name in COLUMNS])


def latest(
    lake: _Lake, cursor: duckdb.DuckDBPyConnection, relation: exp.Table | None = None
) -> dict[str, Checkpoint]:
    """Return the last checkpoint of each dataset, by dataset, from *relation* (default: the table as it is now)."""
    if relation is None:
        if lake.columns(cursor, TABLE) is None:
            return {}
        relation = table(TABLE, CATALOG)
    newest = [
        exp.alias_(exp.func("arg_max", column(name), column("batch"), dialect="duckdb"), name, quoted=True)
        for name in COLUMNS
        if name != "dataset"
    ]
    query = exp.select(column("dataset"), *newest).from_(relation).group_by(column("dataset"))
    rows = lake.run(cursor, query.order_by(column("dataset"))).fetchall()
    return {row[0]: Checkpoint(*row) for row in rows}


# Rendered once, too.
_LAST = (
    exp.select(exp.Max(this=column("batch")))
    .from_(table(TABLE, CATALOG))
    .where(column("dataset").eq(exp.Placeholder()))
    .sql("duckdb")
)


def last_batch(lake: _Lake, cursor: duckdb.DuckDBPyConnection, dataset: str) -> int:
    """Return the number of the last batch of *dataset*, 0 when there is none."""
    row = lake.run(cursor, _LAST, [dataset]).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def restored_since(lake: _Lake, cursor: duckdb.DuckDBPyConnection, dataset: str, batch: int) -> bool:
    """Whether rows of *dataset* up to *batch* were taken away by a later restore."""
    if lake.columns(cursor, TABLE) is None:
        return False
    query = (
        exp.select("1")
        .from_(table(TABLE, CATALOG))
        .where(column("dataset").eq(literal(dataset)), column("batch") > literal(batch))
        .where(column("kind").eq(literal("restore")), column("base") < literal(batch))
        .limit(1)
    )
    return lake.run(cursor, query).fetchone() is not None
