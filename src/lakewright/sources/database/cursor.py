"""The cursor of an incremental load: which columns can be one, from where to read on, how far it came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.database.model import Column, quoted
from lakewright.sources.database.positions import CursorPosition
from lakewright.spec.databases import DatabaseDataset
from lakewright.spec.durations import parse_duration

__all__ = ["beyond", "check_cursor", "greatest", "start_of"]

_NUMBER = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?$|DECIMAL|DOUBLE$|FLOAT$")
_TIME = re.compile(r"DATE$|TIMESTAMP")


def check_cursor(dataset: DatabaseDataset, columns: Sequence[Column], dialect: str, id: str) -> Column:
    """Return the cursor's column. Raises LW225 for a type whose order DuckDB and the database may not share."""
    column = next(one for one in columns if one.name == dataset.cursor)
    text = column.type == "VARCHAR" and dialect == "sqlite"
    if not (text or _NUMBER.match(column.type) or _TIME.match(column.type)):
        raise DatabaseFault(
            "LW225",
            f"{id}: the cursor {column.name!r} is {column.kind}; a cursor is a number, a date or a time",
        )
    back = dataset.lookback
    if back is not None and (text or _is_number(back) != bool(_NUMBER.match(column.type))):
        raise DatabaseFault(
            "LW225",
            f"{id}: a lookback of {back} does not fit the cursor {column.name!r}, which is {column.kind}",
        )
    return column


def start_of(cursor: duckdb.DuckDBPyConnection, position: CursorPosition, lookback: str | None) -> str | None:
    """Return from where to read on, as text: the position less *lookback*; None when there is none."""
    if position.cursor is None or lookback is None:
        return position.cursor
    back = (
        lookback
        if _is_number(lookback)
        else f"INTERVAL {int(parse_duration(lookback).total_seconds())} SECOND"
    )
    value = exp.cast(exp.Literal.string(position.cursor), position.type, dialect="duckdb").sql("duckdb")
    row = cursor.execute(f"SELECT CAST(CAST({value} - {back} AS {position.type}) AS VARCHAR)").fetchone()
    return str(row[0]) if row else None


def beyond(column: Column, since: str, dialect: str) -> exp.Expr:
    """Return the database's condition for rows from *since* on. Rows without a cursor are read each time."""
    value = quoted(column.source)
    return exp.paren(
        exp.or_(
            exp.GTE(this=value, expression=_literal(column, since, dialect)),
            exp.Is(this=value.copy(), expression=exp.Null()),
        )
    )


def at_or_beyond(column: Column, since: str) -> exp.Expr:
    """The same condition on rows in raw."""
    value = exp.column(exp.to_identifier(column.name, quoted=True))
    start = exp.cast(exp.Literal.string(since), column.type, dialect="duckdb")
    return exp.paren(
        exp.or_(exp.GTE(this=value, expression=start), exp.Is(this=value.copy(), expression=exp.Null()))
    )


def greatest(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[Path], column: Column, last: str | None
) -> str | None:
    """Return the greatest cursor in *files*, or *last* where none is greater. Infinity is none."""
    value = exp.column(exp.to_identifier(column.name, quoted=True))
    texts = [exp.Literal.string(str(one)) for one in files]
    scan = exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[exp.Array(expressions=texts)]))
    query = exp.select(exp.alias_(value, "v")).from_(scan)
    if _TIME.match(column.type) or column.type in ("DOUBLE", "FLOAT"):
        query = query.where(exp.Anonymous(this="isfinite", expressions=[value.copy()]))
    if last is not None:
        seen = exp.select(exp.alias_(exp.cast(exp.Literal.string(last), column.type, dialect="duckdb"), "v"))
        whole: exp.Query = exp.union(query, seen, distinct=False)
    else:
        whole = query
    most = exp.select(exp.cast(exp.Max(this=exp.column("v")), "VARCHAR")).from_(whole.subquery("_all"))
    row = cursor.execute(most.sql("duckdb")).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def _literal(column: Column, since: str, dialect: str) -> exp.Expr:
    if _NUMBER.match(column.type):
        if not re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", since):
            raise LakewrightError("LW223", f"the position {since!r} is no number")
        return exp.Literal.number(since)
    if dialect == "postgres":
        return exp.cast(exp.Literal.string(since), column.kind, dialect="postgres")
    return exp.Literal.string(since.removesuffix("+00"))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
