"""Compiled checks judge rows as their words say, staged and directly."""

from __future__ import annotations

import json
from datetime import date

import duckdb
import pytest
from checking import Stage, as_table, compiled, dataset, direct

from lakewright.errors import ProjectError
from lakewright.spec.dataset import Column, Scd2, Write
from lakewright.spec.expectations import (
    ColumnSet,
    Completeness,
    Condition,
    DistinctCount,
    Fresh,
    References,
    RowCount,
    Statistic,
    Unique,
)
from lakewright.sql.checks import check_dependencies


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def test_column_rules_count_and_leave_nulls_alone(con: duckdb.DuckDBPyConnection) -> None:
    columns = {"id": "BIGINT", "n": "INTEGER", "s": "VARCHAR", "d": "DATE", "tags": "VARCHAR[]"}
    spec = dataset(
        columns={
            "id": Column(required=True),
            "n": Column(min=1, max=10, in_=(1, 2, 20)),
            "s": Column(pattern="^a", min_length=2, max_length=3),
            "d": Column(min="2024-01-01", max="2024-12-31"),
            "tags": Column(min_length=1),
        }
    )
    rows = """(VALUES (1, 1, 'ab', DATE '2024-05-01', ['x']), (NULL, 0, 'b', DATE '2023-05-01', []),
                      (3, 20, 'abcd', DATE '2025-01-01', ['x']), (4, NULL, NULL, NULL, NULL)) t(id, n, s, d, tags)"""
    checks = compiled(spec, columns)
    con.execute(f"CREATE TABLE t AS SELECT * FROM {rows}")
    stage = Stage(con, "FROM t", checks)
    expected = {
        "rows": 4, "bad_rows": 2, "id.required": 1, "n.min": 1, "n.max": 1, "n.in": 1, "s.pattern": 1,
        "s.min_length": 1, "s.max_length": 1, "d.min": 1, "d.max": 1, "tags.min_length": 1,
    }  # fmt: skip
    assert stage.audit() == expected
    assert direct(con, "t", checks) == expected
    assert stage.quarantined() == [1, 2]
    assert stage.reasons()[2] == ["n.max", "s.max_length", "d.max"]
    assert stage.reasons()[0] == stage.reasons()[3] == []


def test_a_value_that_does_not_convert_breaks_type_but_is_not_missing(con: duckdb.DuckDBPyConnection) -> None:
    spec = dataset(columns={'odd "name"': Column(type="date", required=True), "b": Column(type="integer")})
    checks = compiled(spec, {'odd "name"': "DATE", "b": "INTEGER"}, casts=['odd "name"', "b"])
    assert [one.id for one in checks] == ['odd "name".type', 'odd "name".required', "b.type"]
    con.execute('CREATE TABLE t ("odd ""name""" DATE, b INTEGER, _failed VARCHAR)')
    rows = [
        (date(2024, 1, 1), 1, None),
        (None, 2, json.dumps({'odd "name"': "soon"})),
        (None, None, '{"b": "x"}'),
    ]
    con.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    stage = Stage(con, "FROM t", checks)
    assert stage.audit() == {
        "rows": 3, "bad_rows": 2, 'odd "name".type': 1, 'odd "name".required': 1, "b.type": 1,
    }  # fmt: skip
    assert stage.reasons()[2] == ['odd "name".required', "b.type"]
