"""Fewer, larger files as data grows old: a month's days in one file, later a year's months, in a table's order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import duckdb
from sqlglot import exp

from lakewright.lake.protocol import Lake
from lakewright.sql.names import column, identifier, literal, split_id, table
from lakewright.sql.partition import parse_partition, partition_value

__all__ = ["SMALL", "Age", "Ageing", "merge_old"]

#: Files of a period are put together while they have fewer bytes than this on average.
SMALL = 64 << 20

_ROWS = "_aged_rows"
_INLINED = "ducklake_default_data_inlining_row_limit"


@dataclass(frozen=True)
class Age:
    """Rows from ``first`` (None: from the beginning) to before ``before`` lie in a file for each ``unit``."""

    unit: Literal["month", "year"]
    first: date | None
    before: date


@dataclass(frozen=True)
class Ageing:
    """How a table ages: its dates in ``by``, its ``partition_by`` and ``sort_by`` as a project writes them."""

    id: str
    by: str
    partition_by: tuple[str, ...]
    sort_by: tuple[str, ...]
    ages: tuple[Age, ...]


def merge_old(lake: Lake, cursor: duckdb.DuckDBPyConnection, given: Ageing) -> int:
    """Write the files of old periods anew, each period's into as few as it takes; return the number of periods.

    Each period is one commit, with the same rows before and after it: who reads sees one or the other, earlier
    versions stay, and what a crash leaves undone is done by the next call. A period that has few
    files already is left alone.
    """
    done = 0
    columns = lake.columns(cursor, given.id) or {}
    for age in given.ages:
        for start in _periods(cursor, given, age, columns[given.by]):
            _merge(lake, cursor, given, age, start, columns)
            done += 1
    return done


def _periods(cursor: duckdb.DuckDBPyConnection, given: Ageing, age: Age, type: str) -> list[date]:
    """The first days of the periods of which some partition lies in too many files."""
    zone, name = split_id(given.id)
    start = exp.cast(exp.TimestampTrunc(this=column(given.by), unit=literal(age.unit.upper())), "DATE")
    limit: list[exp.Expr] = [exp.LT(this=column(given.by), expression=_moment(age.before, type))]
    if age.first is not None:
        limit.append(exp.GTE(this=column(given.by), expression=_moment(age.first, type)))
    others = [parse_partition(one) for one in _others(given)]
    values = [one for one in map(partition_value, others) if one is not None]
    # rows of different buckets never share a file
    least = math.prod(one.buckets for one in others if one.transform == "bucket")
    apart = [exp.alias_(value, f"p{number}") for number, value in enumerate(values)]
    pairs = exp.select(exp.alias_(start, "period"), *apart, exp.alias_(exp.column("filename"), "file"))
    pairs = pairs.distinct().from_(table(given.id)).where(*limit)
    by = ", ".join(["period", *(one.alias for one in apart)])
    crowded = (
        f"SELECT period FROM ({pairs.sql('duckdb')}) p "  # noqa: S608 - numbered names, and a tree
        "JOIN ducklake_list_files('lake', ?, schema => ?) f ON f.data_file = p.file "
        f"GROUP BY {by} HAVING count(*) > ? AND sum(f.data_file_size_bytes) < count(*) * ?"
    )
    rows = cursor.execute(
        f"SELECT DISTINCT period FROM ({crowded}) ORDER BY period",  # noqa: S608
        [name, zone, least, SMALL],
    ).fetchall()
    return [row[0] for row in rows]


def _merge(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    given: Ageing,
    age: Age,
    start: date,
    columns: Mapping[str, str],
) -> None:
    """Take the rows of one period out and put them back in order, while the table has coarser partitions."""
    end = date(start.year + 1, 1, 1) if age.unit == "year" else _next_month(start)
    kind = columns[given.by]
    mine = exp.and_(
        exp.GTE(this=column(given.by), expression=_moment(start, kind)),
        exp.LT(this=column(given.by), expression=_moment(end, kind)),
    )
    names = [identifier(one) for one in columns]
    rows = exp.select(*(exp.column(one) for one in names)).from_(table(given.id)).where(mine)
    order = [column(one) for one in given.sort_by] or [column(given.by)]
    back = exp.Insert(
        this=exp.Schema(this=table(given.id), expressions=[one.copy() for one in names]),
        expression=exp.select("*").from_(_ROWS).order_by(*order),
    )

    def work() -> None:
        lake.set_partitions(cursor, given.id, _coarser(given, age.unit))
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS {rows.sql('duckdb')}")
        cursor.execute(exp.delete(table(given.id)).where(mine).sql("duckdb"))
        cursor.execute(back.sql("duckdb"))
        lake.set_partitions(cursor, given.id, given.partition_by)

    done = f"{start:%Y-%m}" if age.unit == "month" else f"{start:%Y}"
    # a table with rows that wait in the catalog for a file cannot change its partitions
    cursor.execute(f"SET {_INLINED} = 0")
    try:
        lake.commit(cursor, work, message=f"{given.id}: files of {done} put together")
    finally:
        cursor.execute(f"RESET {_INLINED}")
        cursor.execute(f"DROP TABLE IF EXISTS temp.{_ROWS}")


def _coarser(given: Ageing, unit: str) -> tuple[str, ...]:
    """The table's partitions, with those of the date replaced by its year, or year and month."""
    name = identifier(given.by).sql("duckdb")
    dated = (f"year({name})", f"month({name})") if unit == "month" else (f"year({name})",)
    return (*dated, *_others(given))


def _others(given: Ageing) -> list[str]:
    """The table's partitions by anything else than its date."""
    return [one for one in given.partition_by if parse_partition(one).column.lower() != given.by.lower()]


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _moment(day: date, kind: str) -> exp.Expr:
    """The beginning of a day, UTC, as a column of this type compares with it."""
    text = day.isoformat()
    if kind.upper() == "DATE":
        return exp.cast(literal(text), "DATE")
    zoned = "ZONE" in kind.upper()
    return exp.cast(
        literal(f"{text} 00:00:00{'+00' if zoned else ''}"), "TIMESTAMPTZ" if zoned else "TIMESTAMP"
    )
