"""A shop's data, made up: files for batch, events for streams, as clean or as dirty as asked.

The same arguments give the same content, at any size, on any machine. Statements make the rows
(:mod:`lakewright.sources.sample_sql`); what is here decides the files and writes them.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from string import Template
from typing import IO, TYPE_CHECKING

import duckdb

from lakewright.sources import sample_sql

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sample", "events", "write_catalogue", "write_shop"]

#: Orders by weekday, Monday first, as a share of an average day.
_WEEK = (0.85, 0.88, 0.93, 0.99, 1.18, 1.34, 0.83)

#: Days after which no order's status moves any more.
_LIFE = 7

_BLOCK = 1 << 20


@dataclass
class Sample:
    """What was written: files, rows per dataset, and planted mistakes per dataset and kind.

    ``rows`` counts the data lines of the files, duplicates and broken lines included.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    planted: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.stat().st_size for file in self.files)

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.rows.items())
        mistakes = sum(sum(kinds.values()) for kinds in self.planted.values())
        return f"{len(self.files)} files with {rows}; {mistakes:,} mistakes planted"


@dataclass(frozen=True)
class _Day:
    number: int
    date: date
    first: int  # order ids placed that day, both ends included
    last: int
    customers: int  # customers known at its end

    @property
    def week(self) -> int:
        return self.number // 7


def write_shop(
    folder: Path | str,
    seed: int = 7,
    days: int = 30,
    orders_per_day: int = 200,
    dirt: float = 0.01,
    start: date = date(2024, 1, 1),
    *,
    products: int | None = None,
    customers: int | None = None,
) -> Sample:
    """Write the files that a shop's systems would leave in *folder* over *days* days.

    ============  =====================================================================
    customers/    daily CSV of the CRM: semicolons, Windows-1252, dates as 31.12.1990
    products/     weekly JSON document with nested attributes
    stores/       one Excel workbook
    orders/       daily CSV: new orders, and older ones whose status has changed
    order_lines/  daily Parquet
    payments/     daily gzipped NDJSON of the payment provider
    ============  =====================================================================

    *dirt* is the share of rows (0 to 1) that carry one of the mistakes of
    :data:`~lakewright.sources.sample_sql.DIRT`; what was planted is counted in the result.
    *orders_per_day* is an average: weekends sell more. Memory stays at one day's rows.
    """
    if days < 1 or orders_per_day < 1:
        raise ValueError("days and orders_per_day must be at least 1")
    if not 0 <= dirt <= 1:
        raise ValueError("dirt is a share between 0 and 1")
    sample = Sample(Path(folder))
    n_customers = customers or max(40, days * orders_per_day // 6)
    n_products = products or min(5_000, max(40, orders_per_day // 2))
    calendar = _calendar(start, days, orders_per_day, n_customers)
    with closing(_connect(seed, n_products)) as con:
        _stores(con, sample)
        for day in calendar:
            _customers(con, sample, day, calendar, dirt)
            if day.number % 7 == 0:
                _products(con, sample, day, dirt)
            _orders(con, sample, day, calendar, dirt)
            _order_lines(con, sample, day, dirt)
            _payments(con, sample, day, calendar, dirt)
    return sample


def events(
    count: int | None = None,
    *,
    seed: int = 7,
    batch: int = 1_000,
    rate: float = 100.0,
    dirt: float = 0.01,
    start: datetime = datetime(2024, 1, 1),
    customers: int = 1_000,
    products: int = 100,
) -> Iterator[pa.Table]:
    """Yield click and order events for a stream, *batch* at a time, for ever when *count* is None.

    Each table has the columns ``event_id, type, session_id, customer_id, product_id, amount, device,
    happened_at, kind, payload``: the typed event, the mistake planted in it (empty when none), and
    the JSON text a producer would send. *rate* is in events per second of event time; nothing
    sleeps here. *start* is a time in UTC without zone. A batch grows by its duplicates.
    """
    if batch < 1 or rate <= 0 or not 0 <= dirt <= 1:
        raise ValueError("batch and rate must be positive and dirt a share between 0 and 1")
    with closing(_connect(seed, products)) as con:
        con.execute(f"set variable customers = {int(customers)}")
        first = 0
        while count is None or first < count:
            last = first + batch - 1 if count is None else min(first + batch, count) - 1
            values: dict[str, float | date] = {"first": first, "last": last}
            values |= {"rate": float(rate), "dirt": dirt, "start": start}
            yield con.execute(_fill(sample_sql.events(), values)).to_arrow_table()
            first = last + 1


def _connect(seed: int, products: int) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set preserve_insertion_order = true")
    con.execute(f"set variable seed = {int(seed)}")
    con.execute(f"set variable products = {int(products)}")
    con.execute(sample_sql.MACROS)
    return con


def _calendar(start: date, days: int, orders_per_day: int, customers: int) -> list[_Day]:
    calendar: list[_Day] = []
    next_order = 1_000_001
    for number in range(days):
        today = start + timedelta(days=number)
        placed = max(1, round(orders_per_day * _WEEK[today.weekday()]))
        # Seven of ten customers were there before; the others come evenly.
        known = max(1, round(customers * (0.7 + 0.3 * (number + 1) / days)))
        calendar.append(_Day(number, today, next_order, next_order + placed - 1, known))
        next_order += placed
    return calendar


def _customers(
    con: duckdb.DuckDBPyConnection, sample: Sample, day: _Day, calendar: list[_Day], dirt: float
) -> None:
    first = calendar[day.number - 1].customers + 1 if day.number else 1
    _stage(
        con,
        sample_sql.customers(),
        {"n": day.number, "day": day.date, "first": first, "last": day.customers, "dirt": dirt},
    )
    target = _file(sample, "customers", f"customers_{day.date}.csv")
    plain = _lines(con, target, sample_sql.CUSTOMERS_HEADER)
    with plain.open("rb") as source, target.open("wb") as out:
        for block in _blocks(source):
            out.write(block.decode().encode("windows-1252"))
    plain.unlink()
    _count(con, sample, "customers")


def _products(con: duckdb.DuckDBPyConnection, sample: Sample, day: _Day, dirt: float) -> None:
    _stage(con, sample_sql.products(), {"week": day.week, "dirt": dirt})
    target = _file(sample, "products", f"products_{day.date}.json")
    document = f"select '{day.date}T02:00:00Z' as exported_at, list(p order by product_id) as products"
    con.execute(
        f"copy ({document} from (select t as p, product_id from (select * exclude (kind) from day) t)) "
        f"to {_text(target)} (format json)"
    )
    _count(con, sample, "products")


def _stores(con: duckdb.DuckDBPyConnection, sample: Sample) -> None:
    from lakewright.engine import extensions

    extensions.load(con, "excel")
    _stage(con, f"select *, '' as kind from ({sample_sql.stores()})", {})
    target = _file(sample, "stores", "stores.xlsx")
    con.execute(f"copy (select * exclude (kind) from day) to {_text(target)} (format xlsx, header true)")
    _count(con, sample, "stores")


def _orders(
    con: duckdb.DuckDBPyConnection, sample: Sample, day: _Day, calendar: list[_Day], dirt: float
) -> None:
    _stage(con, sample_sql.orders(_placed(calendar, day, _LIFE)), {"day": day.date, "dirt": dirt})
    target = _file(sample, "orders", f"orders_{day.date}.csv")
    plain = _lines(con, target, sample_sql.ORDERS_HEADER)
    with plain.open("rb") as source, target.open("wb") as out:
        for block in _blocks(source):
            out.write(block.replace("\ue000".encode(), b"\xe9"))
    plain.unlink()
    _count(con, sample, "orders")


def _order_lines(con: duckdb.DuckDBPyConnection, sample: Sample, day: _Day, dirt: float) -> None:
    _stage(
        con,
        sample_sql.order_lines(),
        {"day": day.date, "week": day.week, "first": day.first, "last": day.last, "dirt": dirt},
    )
    target = _file(sample, "order_lines", f"order_lines_{day.date}.parquet")
    con.execute(f"copy (select * exclude (kind) from day) to {_text(target)} (format parquet)")
    _count(con, sample, "order_lines")


def _payments(
    con: duckdb.DuckDBPyConnection, sample: Sample, day: _Day, calendar: list[_Day], dirt: float
) -> None:
    _stage(con, sample_sql.payments(_placed(calendar, day, 1)), {"day": day.date, "dirt": dirt})
    target = _file(sample, "payments", f"payments_{day.date}.ndjson.gz")
    plain = _lines(con, target)
    # The time in a gzip header would make two equal runs differ.
    with (
        plain.open("rb") as source,
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as out,
    ):
        for block in _blocks(source):
            out.write(block)
    plain.unlink()
    _count(con, sample, "payments")


def _stage(con: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, float | date]) -> None:
    con.execute(f"create or replace temp table day as {_fill(query, values)}")


def _fill(query: str, values: Mapping[str, float | date]) -> str:
    # Literals, not parameters: binding one makes DuckDB's client import pandas, where it is installed.
    def literal(value: float | date) -> str:
        if isinstance(value, datetime):
            return f"timestamp '{value}'"
        return f"date '{value}'" if isinstance(value, date) else f"({value!r})"

    return Template(query).substitute({name: literal(value) for name, value in values.items()})


def _placed(calendar: list[_Day], day: _Day, life: int) -> str:
    """The days whose orders may still change on *day*, as rows (age, first, last, existing, week)."""
    return ", ".join(
        f"({age}, {placed.first}, {placed.last}, {placed.customers}, {placed.week})"
        for age in range(min(day.number, life), -1, -1)
        for placed in (calendar[day.number - age],)
    )


def _file(sample: Sample, dataset: str, name: str) -> Path:
    target = sample.folder / dataset / name
    target.parent.mkdir(parents=True, exist_ok=True)
    sample.files.append(target)
    return target


def _lines(con: duckdb.DuckDBPyConnection, target: Path, header: str | None = None) -> Path:
    """Write the staged lines as they are beside *target*, and return that file."""
    plain = target.with_name(f".{target.name}.part")
    con.execute(
        f"copy (select line from day) to {_text(plain)} "
        # One column, and a delimiter and quote that never occur: lines come out untouched.
        "(format csv, header false, delimiter '\x1f', quote '', escape '')"
    )
    if header is not None:
        body = plain.with_suffix(".body")
        plain.rename(body)
        with body.open("rb") as source, plain.open("wb") as out:
            out.write(header.encode() + b"\n")
            for block in _blocks(source):
                out.write(block)
        body.unlink()
    return plain


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    """Blocks of about a megabyte that end with a line, so that no letter is cut in two."""
    while block := source.read(_BLOCK):
        yield block + source.readline()


def _count(con: duckdb.DuckDBPyConnection, sample: Sample, dataset: str) -> None:
    planted = sample.planted.setdefault(dataset, dict.fromkeys(sample_sql.DIRT.get(dataset, ()), 0))
    for kind, rows in con.execute("select kind, count(*) from day group by kind").fetchall():
        sample.rows[dataset] = sample.rows.get(dataset, 0) + rows
        if kind:
            # Both copies of a doubled line carry the kind; one of them is the mistake.
            planted[kind] += rows // 2 if kind == "duplicate" else rows


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def write_catalogue(folder: Path) -> Path:
    """Put the latest catalogue among the files of :func:`write_shop` into a SQLite database, and return its path."""
    latest = max((folder / "products").glob("*.json"))
    products = json.loads(latest.read_text("utf-8"))["products"]
    path = folder / "erp.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE products (product_id INTEGER PRIMARY KEY, sku TEXT, name TEXT, category TEXT,"
            " list_price DECIMAL(10, 2), cost DECIMAL(10, 2))"
        )
        names = ("product_id", "sku", "name", "category", "list_price", "cost")
        database.executemany(
            "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?, ?)",
            [[one.get(name) for name in names] for one in products],
        )
        database.commit()
    shutil.rmtree(folder / "products")
    return path
