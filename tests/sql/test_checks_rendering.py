"""The statements of checks, spelled for DuckDB and for Spark; both parse, and DuckDB runs its own."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
import sqlglot
from checking import as_table, compiled, dataset
from sqlglot import exp
from syrupy.assertion import SnapshotAssertion

from lakewright.spec.dataset import Column
from lakewright.spec.expectations import (
    Completeness,
    Condition,
    DistinctCount,
    Fresh,
    References,
    RowCount,
    Statistic,
    Unique,
)
from lakewright.sql.checks import audit_query, quarantines, reasons, surplus_query, violation_columns
from lakewright.sql.dialect import Dialect, render
from lakewright.sql.names import FAILED

COLUMNS = {
    "order_id": "BIGINT",
    "line": "INTEGER",
    "customer_id": "BIGINT",
    "email": "VARCHAR",
    "order_date": "DATE",
    "seen_at": "TIMESTAMP WITH TIME ZONE",
    "weight": "DOUBLE",
    "total": "DECIMAL(12,2)",
    "status": "VARCHAR",
    "tags": "VARCHAR[]",
    "payload": "BLOB",
}
CHECKS = compiled(
    dataset(
        columns={
            "order_id": Column(key=True, min=0),
            "line": Column(key=True),
            "email": Column(pattern=r"^[^@\s]+@[^@\s]+$", unique=True, max_length=100),
            "order_date": Column(type="date", required=True, min="2020-01-01"),
            "seen_at": Column(max="2030-01-01T00:00:00+00:00", severity="warn"),
            "weight": Column(min=0.5, max=1000),
            "total": Column(min="-0.01", severity="fail"),
            "status": Column(in_=("new", "paid", "it's")),
            "tags": Column(min_length=1),
            "payload": Column(max_length=4096),
        },
        expect=(
            RowCount(min=1),
            Fresh(column="order_date", within="2d"),
            References(columns={"customer_id": "processed.customers.customer_id"}),
            Unique(columns=("customer_id", "order_date")),
            Completeness(columns={"email": 0.95}),
            Condition(sql="total >= 0 or status = 'cancelled'"),
            Condition(sql="length(email) > 5", mostly=0.9),
            Statistic(sql="avg(total)", min=10, max=90),
            DistinctCount(column="status", max=4),
        ),
    ),
    COLUMNS,
    casts=["order_date"],
)
# a published table has no record of failed conversions
PUBLISHED = tuple(one for one in CHECKS if FAILED not in repr(one.violated))
STAGE = as_table("stage")
SURPLUS = {"key.unique": as_table("surplus_0")}
KEYS = [one for one in CHECKS if one.scope == "key"]
KEPT = exp.not_(exp.In(this=exp.column("rowid"), query=exp.select("rid").from_("losers").subquery()))

STATEMENTS: dict[str, exp.Expression] = {
    "violations": exp.select(*violation_columns(CHECKS)).from_(STAGE.copy()),
    "quarantine": exp.select("*").from_(STAGE.copy()).where(quarantines(CHECKS, SURPLUS)),
    "reasons": exp.select(reasons(CHECKS, SURPLUS)).from_(STAGE.copy()),
    "audit of a stage": audit_query(CHECKS, STAGE, staged=True, where=KEPT, surplus=SURPLUS),
    "audit of a table": audit_query(
        PUBLISHED, as_table("lake.processed.orders"), staged=False, columns=COLUMNS
    ),
    "surplus of one column": surplus_query(KEYS[1], STAGE),
    "surplus of whole numbers": surplus_query(
        replace(KEYS[1], columns=("order_id",)), STAGE, columns=COLUMNS
    ),
    "surplus of a key": surplus_query(
        KEYS[0], STAGE, as_table("target"), where=KEPT, worse=quarantines(CHECKS)
    ),
}


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_spelled_and_parses(name: str, dialect: Dialect, snapshot: SnapshotAssertion) -> None:
    text = render(STATEMENTS[name], dialect, pretty=True)
    assert sqlglot.parse_one(text, dialect=dialect) is not None
    assert text == snapshot


@pytest.mark.parametrize("name", STATEMENTS)
def test_duckdb_runs_it(name: str) -> None:
    con = duckdb.connect()
    listed = ", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())
    con.execute("ATTACH ':memory:' AS lake")
    con.execute("CREATE SCHEMA lake.processed")
    con.execute(f"CREATE TABLE lake.processed.orders ({listed})")
    con.execute("CREATE TABLE lake.processed.customers (customer_id BIGINT)")
    con.execute(f"CREATE TABLE stage ({listed}, _failed VARCHAR, _violations_0 BIGINT)")
    con.execute("CREATE TABLE target AS FROM stage")
    con.execute("CREATE TABLE surplus_0 (rid BIGINT)")
    con.execute("CREATE TABLE losers (rid BIGINT)")
    con.execute(render(STATEMENTS[name])).fetchall()


def test_the_plain_spelling_of_duckdb_is_the_rendered_one() -> None:
    for statement in STATEMENTS.values():
        assert statement.sql(dialect="duckdb") == render(statement)
