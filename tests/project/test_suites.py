"""Suites of Great Expectations in a project: read in place, with lines; what is not supported is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from project_files import Write, all_problems

from lakewright.project import load
from lakewright.project.suites import SUPPORTED, read_suite
from lakewright.spec.expectations import ColumnType, Measure, RowCount, Suite, Values


def suite(*expectations: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"name": "orders", "expectations": list(expectations), **more}, indent=1).encode()


def one(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs}


def test_old_and_new_forms() -> None:
    old = {
        "expectation_suite_name": "orders",
        "data_asset_type": None,
        "expectations": [
            {
                "expectation_type": "expect_column_values_to_be_between",
                "kwargs": {
                    "column": "n",
                    "min_value": 1,
                    "strict_min": True,
                    "result_format": "BASIC",
                    "mostly": 1.0,
                },
                "meta": {"notes": "x"},
            }
        ],
        "meta": {"great_expectations_version": "0.18.22"},
    }
    found = read_suite(json.dumps(old).encode(), "suite.json")
    assert (found.expectations, found.notes, found.problems) == ([Values(column="n", above=1)], [], [])
    new = suite({**one("expect_column_mean_to_be_between", column="n", max_value=3), "severity": "warning"})
    assert read_suite(new, "suite.json").expectations == [
        Measure(column="n", of="mean", max=3, severity="warn")
    ]


def test_text_beyond_sixteen_bits_and_tabs_are_json_too() -> None:
    text = json.dumps(
        {"expectations": [one("expect_column_values_to_be_in_set", column="s", value_set=["😀", "\\ud83d"])]}
    )
    assert "\\ud83d\\ude00" in text
    found = read_suite(text.replace(", ", ",\t").encode(), "suite.json")
    assert found.problems == []
    assert found.expectations == [Values(column="s", in_=("😀", "\\ud83d"))]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (one("expect_column_values_to_be_increasing", column="a"), "the rows of a table have no order"),
        (one("expect_column_values_to_match_json_schema", column="a", json_schema={}), "JSON Schemas"),
        (one("expect_my_own_thing", column="a"), "this type is not known"),
        (one("expect_column_values_to_be_in_set", column="a", value_set={"$PARAMETER": "x"}), "set at run time"),
        (one("expect_column_values_to_be_in_set", column="a"), "value_set is missing"),
        (one("expect_column_values_to_be_between", column="a"), "no bound is given"),
        (one("expect_column_values_to_match_regex", column="a", regex="(?=x)y"), "look-around"),
        (one("expect_column_values_to_be_unique", column="a", depth=3), "the arguments depth"),
        (one("expect_column_values_to_be_of_type", column="a", type_="numpy.ndarray"), "the type 'numpy.ndarray'"),
        (one("expect_column_values_to_not_be_null", column="a", row_condition="f(x) > 1", condition_parser="pandas"),
         "the row_condition 'f(x) > 1'"),
        (one("expect_column_values_to_not_be_outliers", column="a", multiplier=1.5), "method iqr"),
        (one("expect_table_row_count_to_equal_other_table", other_table_name="t"), "no zone.name"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named_with_its_line(given: dict[str, Any], reason: str) -> None:
    found = read_suite(suite(given), "suites/orders.json")
    assert (found.expectations, found.problems) == ([], [])
    (said,) = found.notes
    assert said.startswith(f"not supported: {given['type']}: ")
    assert reason in said
    assert said.endswith("at suites/orders.json:5")


@pytest.mark.parametrize(
    ("condition", "parser", "sql"),
    [
        ('a == "x" and b > 2', "pandas", '("a" = \'x\') AND ("b" > 2)'),
        ("`odd name` != 3 | ~(a in [1, 2])", "pandas", None),
        ("a.notnull()", "pandas", 'NOT "a" IS NULL'),
        ('col("a") >= 3', "great_expectations", '"a" >= 3'),
        ('col("a") == date("2024-01-01")', "great_expectations", "\"a\" = '2024-01-01'"),
        ("a > 1 AND b IS NULL", "spark", "a > 1 AND b IS NULL"),
    ],
)
def test_conditions_on_rows(condition: str, parser: str, sql: str | None) -> None:
    given = one(
        "expect_column_values_to_not_be_null", column="c", row_condition=condition, condition_parser=parser
    )
    found = read_suite(suite(given), "s.json")
    if sql is None:
        assert "row_condition" in found.notes[0]  # `!=` binds otherwise beside `|` than it reads
    else:
        assert found.expectations == [Values(column="c", present=True, where=sql)]


def test_at_least_forty_types() -> None:
    assert len(SUPPORTED) >= 50


def test_a_suite_in_a_project_stays_live(write: Write) -> None:
    text = suite(
        one("expect_table_row_count_to_be_between", min_value=1),
        one("expect_column_values_to_be_of_type", column="order_id", type_="int64"),
        one("expect_column_values_to_be_decreasing", column="order_id"),
    )
    root = write(
        {
            "datasets/processed/orders.yaml": "from: raw.orders\nexpect:\n  - suite: orders.json\n  - row_count: {max: 9}\n",
            "suites/orders.json": text,
        }
    )
    spec = load(root, env={}).datasets["processed.orders"]
    assert spec.file.expect == (
        Suite(file="orders.json"),
        RowCount(max=9),
        RowCount(min=1),
        ColumnType(column="order_id", types=("bigint",)),
    )
    assert spec.places["expect.3"] == ("suites/orders.json", 11)
    assert spec.notes == (
        "not supported: expect_column_values_to_be_decreasing: the rows of a table have no order, "
        "at suites/orders.json:18",
    )


def test_mistakes_point_into_the_suite(write: Write) -> None:
    text = suite(one("expect_column_values_to_not_be_null", column="ordr_id"))
    files = {
        "datasets/processed/orders.yaml": "from: raw.orders\nsteps: [{select: [order_id]}]\nexpect: [{suite: s.json}]\n",
        "suites/s.json": text,
    }
    (said,) = all_problems(write(files))
    assert said.startswith(
        "suites/s.json:5: LW128 the steps produce no column 'ordr_id'; did you mean 'order_id'?"
    )
    files["suites/s.json"] = b'{"expectations": 3}'
    assert all_problems(write(files)) == [
        "suites/s.json:1: LW114 this is no expectation suite: it has no list of `expectations`"
    ]
    files["datasets/processed/orders.yaml"] = "from: raw.orders\nexpect: [{suite: t.json}]\n"
    assert all_problems(write(files)) == ["datasets/processed/orders.yaml:2: LW114 there is no file 't.json'"]
