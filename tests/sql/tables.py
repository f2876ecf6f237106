"""Tables to try statements on: plain DuckDB and a DuckLake with a SQLite catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.engine.extensions import load
from lakewright.sql.names import identifier

KINDS = ("duckdb", "ducklake")


def connect(kind: str, home: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection with a catalog ``lake`` that has the schema ``zone``."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET threads = 2")
    if kind == "ducklake":
        load(con, "ducklake", "sqlite_scanner")
        con.execute(f"ATTACH 'ducklake:sqlite:{home}/catalog.sqlite' AS lake (DATA_PATH '{home}/data/')")
        # rows in files, as larger batches are
        con.execute("CALL lake.set_option('data_inlining_row_limit', 0)")
    else:
        con.execute("ATTACH ':memory:' AS lake")
    con.execute("CREATE SCHEMA lake.zone")
    return con


def make(con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> exp.Table:
    """Create ``lake.zone.<name>`` anew and return it."""
    target = exp.Table(this=identifier(name), db=identifier("zone"), catalog=identifier("lake"))
    text = target.sql("duckdb")
    con.execute(f"DROP TABLE IF EXISTS {text}")
    listed = ", ".join(f"{identifier(one).sql('duckdb')} {kind}" for one, kind in columns.items())
    con.execute(f"CREATE TABLE {text} ({listed})")
    return target


def rows(columns: Mapping[str, str], values: Sequence[Sequence[Any]]) -> exp.Select:
    """Return a SELECT of constant rows with *columns*."""
    listed = []
    for row in values or [[None] * len(columns)]:
        items = [
            exp.alias_(exp.cast(_constant(value), kind, dialect="duckdb"), name, quoted=True)
            for value, (name, kind) in zip(row, columns.items(), strict=True)
        ]
        listed.append(exp.select(*items))
    union: exp.Query = listed[0]
    for one in listed[1:]:
        union = exp.union(union, one, distinct=False)
    query = exp.select(*(exp.column(identifier(name)) for name in columns)).from_(
        union.subquery("_constants")
    )
    return query if values else query.where(exp.false())


def _constant(value: Any) -> exp.Expr:
    if value is None:
        return exp.Null()
    return exp.Literal.string(str(value))


def run(con: duckdb.DuckDBPyConnection, statements: Sequence[exp.Expr]) -> None:
    """Run statements in one transaction."""
    con.execute("BEGIN")
    try:
        for one in statements:
            con.execute(one.sql("duckdb"))
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")
