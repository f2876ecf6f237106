"""PostgreSQL: binary COPY to Arrow by ADBC, in one exported snapshot, also in parallel slices."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.sources.database.address import Address
from lakewright.sources.database.faults import fault
from lakewright.sources.database.model import (
    Column,
    Database,
    Interrupts,
    Value,
    copy_to,
    explained,
    landing,
    named,
    quoted,
)

__all__ = ["PostgresDatabase", "conninfo", "described"]

#: Types that arrive in binary form exactly as they are, and what they are in raw.
_AS_THEY_ARE = {
    "bool": "BOOLEAN", "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "FLOAT",
    "float8": "DOUBLE", "text": "VARCHAR", "varchar": "VARCHAR", "bpchar": "VARCHAR", "bytea": "BLOB",
    "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "uuid": "UUID", "json": "JSON", "jsonb": "JSON", "interval": "INTERVAL",
}  # fmt: skip

#: What ADBC makes of infinity, which overflows when its epoch is moved, and the infinity that is meant.
_INFINITE = {
    "date": (("5877612-06-21 (BC)", "infinity"), ("5877612-06-22 (BC)", "-infinity")),
    "timestamp": (
        ("290279-12-22 (BC) 19:59:05.224191", "infinity"),
        ("290279-12-22 (BC) 19:59:05.224192", "-infinity"),
    ),
    "timestamptz": (
        ("290279-12-22 (BC) 19:59:05.224191+00", "infinity"),
        ("290279-12-22 (BC) 19:59:05.224192+00", "-infinity"),
    ),
}

#: So that values asked for as text do not depend on how the server is set up, and two reads give the same order.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "synchronize_seqscans": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}

_DESCRIBED = """
SELECT t.typname, t.typtype, e.typname, e.typtype
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE t.oid = %s
"""

_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2
"""

_KEY = """
SELECT a.attname FROM pg_catalog.pg_index i
JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place) ON true
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.place
"""

_SIZE = """
SELECT c.relkind, c.reltuples::bigint, pg_relation_size(c.oid) / current_setting('block_size')::bigint,
  (SELECT sum(p.reltuples)::bigint FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid WHERE t.isleaf)
FROM pg_catalog.pg_class c WHERE c.oid = %s::regclass
"""


class PostgresDatabase(Database):
    """A repeatable-read, read-only transaction whose snapshot every reading connection takes over."""

    dialect = "postgres"

    def __init__(
        self,
        address: Address,
        cursor: duckdb.DuckDBPyConnection,
        interrupts: Interrupts,
        snapshot: str = "",
    ) -> None:
        """Open the database as it is now, or as it is in a *snapshot* that another connection exported."""
        super().__init__(address, cursor, interrupts)
        import psycopg

        self._conninfo = conninfo(address)
        try:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            for statement in _prologue():
                self._connection.execute(statement.encode())
            if snapshot:
                literal = exp.Literal.string(snapshot).sql("postgres")
                self._connection.execute(f"SET TRANSACTION SNAPSHOT {literal}".encode())
            row = self._connection.execute("SELECT pg_export_snapshot()").fetchone()
        except psycopg.Error as error:
            raise fault(error, address, "connecting") from error
        self._snapshot = str(row[0]) if row else ""
        self.interrupts.callbacks.append(self._connection.cancel)

    def columns(self, what: exp.Expr) -> tuple[Column, ...]:
        import psycopg

        query = exp.select("*").from_(what.copy()).limit(0)
        try:
            done = self._connection.execute(query.sql("postgres").encode())
            result = done.pgresult
            assert result is not None
            found = [one.name for one in done.description or ()]
            types = [(result.ftype(number), result.fmod(number)) for number in range(len(found))]
            kinds = {oid: self._connection.execute(_DESCRIBED, [oid]).fetchone() for oid, _ in types}
        except psycopg.Error as error:
            raise fault(error, self.address, "looking at the columns") from error
        names = named(found)
        columns = [
            described(source, name, kinds[oid] or ("text", "b", None, None), modifier)
            for source, name, (oid, modifier) in zip(found, names, types, strict=True)
        ]
        return self._deep(what, columns)

    def _deep(self, what: exp.Expr, columns: list[Column]) -> tuple[Column, ...]:
        """Take arrays of several dimensions as JSON: the server does not say beforehand which these are."""
        arrays = [one for one in columns if one.type.endswith("[]")]
        if not arrays:
            return tuple(columns)
        dimensions = [exp.func("array_ndims", quoted(one.source)) for one in arrays]
        most = [
            exp.Coalesce(this=exp.Max(this=one), expressions=[exp.Literal.number(1)]) for one in dimensions
        ]
        found = self.count(exp.select(*most).from_(what.copy()))
        deep = {one.source for one, number in zip(arrays, found, strict=True) if number > 1}
        return tuple(_nested(one) if one.source in deep else one for one in columns)

    def land(
        self, query: exp.Select, columns: Sequence[Column], file: Path, *, lenient: bool = False
    ) -> None:
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

        try:
            with (
                closing(dbapi.connect(self._conninfo)) as connection,
                closing(connection.cursor()) as cursor,
                self.interrupts.during(cursor.adbc_cancel),
            ):
                for statement in _prologue(begin=False):
                    cursor.execute(statement)
                literal = exp.Literal.string(self._snapshot).sql("postgres")
                cursor.execute(f"SET TRANSACTION SNAPSHOT {literal}")
                cursor.execute(query.sql("postgres"))
                self._write(cursor.fetch_record_batch(), columns, file, lenient)
        except dbapi.Error as error:
            raise fault(error, self.address, "reading") from error

    def _write(self, rows: Any, columns: Sequence[Column], file: Path, lenient: bool) -> None:
        with (
            closing(self.cursor.cursor()) as cursor,
            self.interrupts.during(cursor.interrupt),
            explained(self.address, "reading"),
        ):
            cursor.register("_fetched", rows)
            cursor.execute(copy_to(landing(columns, "_fetched", lenient=lenient), file))

    def count(self, query: exp.Select) -> list[int]:
        import psycopg

        try:
            row = self._connection.execute(query.sql("postgres").encode()).fetchone()
        except psycopg.Error as error:
            raise fault(error, self.address, "counting") from error
        return [int(one or 0) for one in row or ()]

    def tables(self) -> list[tuple[str, str]]:
        rows = self._connection.execute(_TABLES.encode()).fetchall()
        return [(str(schema), str(table)) for schema, table in rows]

    def estimate(self, what: exp.Expr) -> int | None:
        found = self._size(what)
        if found is None:
            return None
        kind, rows, _, partitions = found
        number = partitions if kind == "p" else rows
        return int(number) if number is not None and number >= 0 and kind in ("r", "p", "m") else None

    def key_of(self, what: exp.Table) -> tuple[str, ...]:
        rows = self._connection.execute(_KEY, [_regclass(what)]).fetchall()
        return tuple(str(row[0]) for row in rows)

    def slices(self, what: exp.Expr, count: int) -> list[exp.Expr]:
        found = self._size(what)
        if found is None or found[0] not in ("r", "m"):
            return []
        pages = int(found[2])
        count = min(count, pages)
        edges = [pages * number // count for number in range(1, count)] if count > 1 else []
        return _between(edges)

    def _size(self, what: exp.Expr) -> Any:
        import psycopg

        if not isinstance(what, exp.Table):
            return None
        try:
            return self._connection.execute(_SIZE, [_regclass(what)]).fetchone()
        except psycopg.Error as error:
            raise fault(error, self.address, "looking at the table") from error

    def close(self) -> None:
        with suppress(Exception):
            self.interrupts.callbacks.remove(self._connection.cancel)
            self._connection.close()


def conninfo(address: Address) -> str:
    """Return what libpq connects to *address* with."""
    from psycopg.conninfo import make_conninfo

    login = {"user": address.user, "password": address.password, "port": str(address.port or "")}
    given = {"host": address.host, "connect_timeout": "15", "application_name": "lakewright"}
    given |= {**address.options, **login, "dbname": address.database}
    return make_conninfo("", **{key: value for key, value in given.items() if value})


def _prologue(*, begin: bool = True) -> list[str]:
    """Statements that open a session's moment; ADBC has begun a transaction by itself."""
    settings = [f"SET {name} = '{value}'" for name, value in _SETTINGS.items()]
    if begin:
        return [*settings, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]
    local = [one.replace("SET ", "SET LOCAL ", 1) for one in settings]
    return ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", *local]


def _regclass(what: exp.Table) -> str:
    return ".".join(part.sql("postgres") for part in what.parts)


def described(source: str, name: str, kind: tuple[Any, ...], modifier: int) -> Column:
    """Return the column for a type of the catalog: (name, sort, element's name, element's sort), and its modifier."""
    typname, typtype, element, element_type = kind
    asked = quoted(source)
    if element is None:
        base = "text" if typtype == "e" else str(typname)
        if base == "numeric":
            return _numeric(source, name, asked, modifier)
        if base == "oid":
            return Column(source, name, base, "BIGINT", exp.cast(asked, "bigint", dialect="postgres"))
        if base == "money":
            fetch = exp.cast(asked, "numeric(19,2)", dialect="postgres")
            return Column(source, name, base, "DECIMAL(19,2)", fetch, _to("DECIMAL(19,2)"))
        if base in _AS_THEY_ARE:
            return Column(source, name, base, _AS_THEY_ARE[base], asked, _finite(base))
        return Column(source, name, base, "VARCHAR", exp.cast(asked, "text", dialect="postgres"))
    base = "text" if element_type == "e" else str(element)
    if base == "numeric":
        type = _decimal(modifier)
        return Column(source, name, str(typname), f"{type}[]", asked, _to(f"{type}[]"))
    if base in _AS_THEY_ARE:
        return Column(source, name, str(typname), f"{_AS_THEY_ARE[base]}[]", asked, _each(_finite(base)))
    return Column(source, name, str(typname), "VARCHAR[]", exp.cast(asked, "text[]", dialect="postgres"))


def _nested(column: Column) -> Column:
    fetch = exp.func("to_json", quoted(column.source))
    return Column(column.source, column.name, column.kind, "JSON", fetch)


def _numeric(source: str, name: str, asked: exp.Expr, modifier: int) -> Column:
    """``numeric(p,s)`` is a decimal where one has room for it; what has no bound stays text, digit by digit."""
    type = _decimal(modifier)
    if type == "VARCHAR":
        return Column(source, name, "numeric", type, asked)
    special = [exp.Literal.string(text) for text in ("NaN", "Infinity", "-Infinity")]
    refused = exp.In(this=exp.cast(asked.copy(), "text", dialect="postgres"), expressions=special)

    def lenient(value: exp.Expr) -> exp.Expr:
        return exp.TryCast(this=value, to=exp.DataType.build(type, dialect="duckdb"))

    return Column(source, name, "numeric", type, asked, _to(type), lenient, refused)


def _decimal(modifier: int) -> str:
    """The decimal for a type modifier of numeric: precision and scale in its halves, 4 added to both."""
    precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
    if modifier < 4 or precision > 38 or scale > precision:
        return "VARCHAR"
    return f"DECIMAL({precision},{scale})"


def _to(type: str) -> Value:
    return lambda value: exp.cast(value, type, dialect="duckdb")


def _finite(base: str) -> Value:
    """Turn what stands for infinity into infinity."""
    found = _INFINITE.get(base)
    if found is None:
        return lambda value: value
    type = _AS_THEY_ARE[base]

    def value_of(value: exp.Expr) -> exp.Expr:
        case = exp.Case()
        for seen, meant in found:
            this = exp.cast(exp.Literal.string(seen), type, dialect="duckdb")
            case = case.when(
                value.copy().eq(this), exp.cast(exp.Literal.string(meant), type, dialect="duckdb")
            )
        return case.else_(value.copy())

    return value_of


def _each(make: Value) -> Value:
    """Apply *make* to each element of a list."""

    def value_of(value: exp.Expr) -> exp.Expr:
        element = exp.to_identifier("e")
        changed = make(exp.column("e"))
        if changed == exp.column("e"):
            return value
        function = exp.Lambda(this=changed, expressions=[element])
        return exp.Anonymous(this="list_transform", expressions=[value, function])

    return value_of


def _between(edges: Sequence[int]) -> list[exp.Expr]:
    """Ranges of pages: below the first edge, between two, from the last one on."""
    if not edges:
        return []
    place = quoted("ctid")

    def tid(page: int) -> exp.Expr:
        return exp.cast(
            exp.Literal.string(f"({page},0)"), exp.DataType.build("tid", udt=True), dialect="postgres"
        )

    inner = [exp.and_(place.copy() >= tid(low), place.copy() < tid(high)) for low, high in pairwise(edges)]
    return [place.copy() < tid(edges[0]), *inner, place.copy() >= tid(edges[-1])]
