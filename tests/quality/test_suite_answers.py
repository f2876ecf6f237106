"""Suites of Great Expectations give the verdicts and counts here that they give by themselves.

``suite_answers.json`` holds rows, and what Great Expectations itself said about them: success, and for
expectations about rows the number of unexpected ones.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lakewright.project.suites import SUPPORTED, read_suite
from lakewright.quality.score import CheckResult, results
from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.spec.expectations import Expectation
from lakewright.sql.checks import audit_query, compile_checks
from lakewright.sql.dialect import render
from lakewright.sql.names import column, table

KNOWN = json.loads((Path(__file__).parent / "suite_answers.json").read_text())
NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.processed")
    columns = ", ".join(f"{render(column(name))} {kind}" for name, kind in KNOWN["columns"].items())
    con.execute(f"CREATE TABLE lake.processed.answers ({columns})")
    marks = ", ".join("?" for _ in KNOWN["columns"])
    con.executemany(f"INSERT INTO lake.processed.answers VALUES ({marks})", KNOWN["rows"])
    return con


def judged(con: duckdb.DuckDBPyConnection, expectations: list[Expectation]) -> tuple[CheckResult, ...]:
    spec = Dataset(
        zone="processed", name="answers", file=DatasetFile(expect=tuple(expectations)), path="answers.yaml"
    )
    checks = compile_checks(spec, KNOWN["columns"], on_violation="quarantine", now=NOW)
    cursor = con.execute(render(audit_query(checks, table(spec.id), staged=False)))
    names = [one[0] for one in cursor.description or ()]
    return results(checks, dict(zip(names, cursor.fetchone() or (), strict=True)))


def test_every_answer_is_the_same(con: duckdb.DuckDBPyConnection) -> None:
    wrong: list[Any] = []
    for answer in KNOWN["answers"]:
        suite = {"name": "s", "expectations": [{"type": answer["type"], "kwargs": answer["kwargs"]}]}
        found = read_suite(json.dumps(suite).encode(), "suite.json")
        assert not found.problems
        if found.notes:
            wrong.append((answer, found.notes))
            continue
        try:
            said = judged(con, found.expectations)
        except Exception as error:
            wrong.append((answer, str(error)))
            continue
        # without a share, a repeated key counts the rows that are one too many; with one, all that share it
        counted = answer["unexpected"] is not None and said[0].scope != "key"
        if all(one.passed for one in said) != answer["success"] or (
            counted and said[0].violations != answer["unexpected"]
        ):
            wrong.append((answer, [(one.sentence, one.passed, one.violations, one.observed) for one in said]))
    assert wrong == []


def test_the_answers_cover_the_types_that_are_supported() -> None:
    asked = Counter(one["type"] for one in KNOWN["answers"])
    assert len(SUPPORTED) >= 50
    # other names of types that are asked, and one that compares with another table
    assert set(SUPPORTED) - set(asked) == {
        "expect_column_type_to_be",
        "expect_multicolumn_values_to_be_unique",
        "expect_table_row_count_to_equal_other_table",
    }
