"""What of the rows that were read raw does not hold yet, and which of its keys are gone from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.sources.database.cursor import at_or_beyond
from lakewright.sources.database.model import Column
from lakewright.sources.read import Reading
from lakewright.sources.types import unite
from lakewright.spec.databases import DatabaseDataset
from lakewright.sql.names import identifier

__all__ = ["OP", "Changes", "changed_rows"]

#: The column that tells what was done to a row: ``upsert`` or ``delete``.
OP = "change_op"


@dataclass(frozen=True)
class Changes:
    """The rows to take, in a Parquet ``file``; ``deleted`` of them tell that a key is gone."""

    file: Path
    deleted: int


def changed_rows(
    cursor: duckdb.DuckDBPyConnection,
    dataset: DatabaseDataset,
    fetched: Path,
    keys: Path | None,
    before: Reading,
    column: Column | None,
    since: str | None,
    last: str | None,
    file: Path,
    *,
    by_row: bool = False,
) -> Changes:
    """Write to *file* what of *fetched* is not in raw yet, and the keys of raw that *keys* lacks.

    *before* is what raw holds. Rows from *since* on were read again: those that are equal in every column
    to one in raw are left out, as often as raw has them. With keys the last row of a key counts, so that
    one that was deleted and comes back is taken again. *by_row* tells that a file may have several rows of one
    key, in their order.
    """
    named = {str(row[0]): str(row[1]) for row in cursor.execute(f"DESCRIBE FROM {_scan(fetched)}").fetchall()}
    types = {name: _united(before.columns, name, type, cursor) for name, type in named.items()}
    held = exp.select("*").from_(before.query.subquery("_before"))
    if dataset.keys:
        held = _last_of_keys(held, dataset.keys, before.columns, by_row)
    if since is not None and column is not None:
        held = held.where(at_or_beyond(column, since))
    exact = [name for name, type in types.items() if "INTERVAL" in type]
    new = exp.select(*_cast(types, named), *_texts(exact)).from_(f"read_parquet({_literal(fetched)})")
    old = exp.select(*_cast(types, before.columns), *_texts(exact, before.columns)).from_(
        held.subquery("_held")
    )
    rest = exp.except_(new, old, distinct=False)
    rows: exp.Query = exp.select(*(exp.column(identifier(name)) for name in types)).from_(
        rest.subquery("_new")
    )
    if keys is not None:
        rows = rows.select(exp.alias_(exp.Literal.string("upsert"), identifier(OP)))
        known = {column.name: last} if column is not None else {}
        gone = _gone(dataset.keys, keys, fetched, before, types, known, by_row)
        rows = exp.union(rows, gone, distinct=False)
    target = exp.Literal.string(str(file)).sql("duckdb")
    cursor.execute(f"COPY ({rows.sql('duckdb')}) TO {target} (FORMAT parquet, COMPRESSION zstd)")
    deleted = 0
    if keys is not None:
        row = cursor.execute(_count_of_deletes(file).sql("duckdb")).fetchone()
        deleted = int(row[0]) if row else 0
    return Changes(file, deleted)


def _count_of_deletes(file: Path) -> exp.Select:
    gone = exp.column(identifier(OP)).eq(exp.Literal.string("delete"))
    return exp.select(exp.func("count", exp.Star())).from_(_scan(file)).where(gone)


def _last_of_keys(
    held: exp.Select, keys: Sequence[str], columns: Mapping[str, str], by_row: bool
) -> exp.Select:
    """The rows of the last batch of each key that do not say that it is gone. Files are named by their batch."""
    order = ["_source_file", "_source_row"] if by_row else ["_source_file"]
    place = exp.Window(
        this=exp.Anonymous(this="rank"),
        partition_by=[exp.column(identifier(one)) for one in keys],
        order=exp.Order(expressions=[exp.Ordered(this=exp.column(one), desc=True) for one in order]),
    )
    ranked = exp.select("*", exp.alias_(place, "_place")).from_(held.subquery("_raw"))
    last = exp.select("*").from_(ranked.subquery("_ranked")).where("_place = 1")
    if OP in columns:
        last = last.where(f"{OP} IS DISTINCT FROM 'delete'")
    return last


def _gone(
    keys: Sequence[str],
    here: Path,
    fetched: Path,
    before: Reading,
    types: Mapping[str, str],
    known: Mapping[str, str | None],
    by_row: bool,
) -> exp.Select:
    """The keys that raw holds and neither *here* nor *fetched* has, as rows that say so.

    *known* are values of other columns: the cursor is the last one, so that such a row counts as the latest.
    """
    held = _last_of_keys(
        exp.select("*").from_(before.query.subquery("_before")), keys, before.columns, by_row
    )
    names = [exp.column(identifier(one)) for one in keys]
    gone: exp.Query = exp.select(*names).distinct().from_(held.subquery("_held"))
    for file in (here, fetched):
        there = exp.select(*(one.copy() for one in names)).from_(f"read_parquet({_literal(file)})")
        gone = exp.except_(gone, there)

    def value(name: str) -> exp.Expr:
        if name in keys:
            return exp.column(identifier(name))
        text = known.get(name)
        return exp.Null() if text is None else exp.Literal.string(text)

    chosen = [
        exp.alias_(exp.cast(value(name), type, dialect="duckdb"), identifier(name))
        for name, type in types.items()
    ]
    chosen.append(exp.alias_(exp.Literal.string("delete"), identifier(OP)))
    return exp.select(*chosen).from_(gone.subquery("_gone"))


def _united(before: Mapping[str, str], name: str, type: str, cursor: duckdb.DuckDBPyConnection) -> str:
    return unite(before[name], type, cursor) if name in before else type


def _cast(types: Mapping[str, str], columns: Mapping[str, str]) -> list[exp.Expr]:
    found = []
    for name, type in types.items():
        value = exp.column(identifier(name)) if name in columns else exp.Null()
        cast = value if columns.get(name) == type else exp.cast(value, type, dialect="duckdb")
        found.append(exp.alias_(cast, identifier(name)))
    return found


def _texts(exact: Sequence[str], columns: Mapping[str, str] | None = None) -> list[exp.Expr]:
    """Intervals as text beside themselves: to DuckDB a month equals thirty days."""
    return [
        exp.alias_(
            exp.cast(
                exp.column(identifier(name)) if columns is None or name in columns else exp.Null(), "VARCHAR"
            ),
            f"_exact_{number}",
        )
        for number, name in enumerate(exact)
    ]


def _scan(file: Path) -> str:
    return f"read_parquet({_literal(file)})"


def _literal(file: Path) -> str:
    return exp.Literal.string(str(file)).sql("duckdb")
