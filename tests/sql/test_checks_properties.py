"""The audit's counts equal a plain evaluation in Python, row by row, on random small tables."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from checking import Stage, as_table, compiled, dataset, direct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakewright.spec.base import Severity
from lakewright.spec.dataset import Column
from lakewright.spec.expectations import Completeness, Condition, DistinctCount, References, Unique

COLUMNS = {
    "id": "BIGINT",
    "n": "INTEGER",
    "x": "DOUBLE",
    "d": "DECIMAL(8,2)",
    "s": "VARCHAR",
    "day": "DATE",
    "b": "BOOLEAN",
    "tags": "INTEGER[]",
}
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "n": pa.int32(),
        "x": pa.float64(),
        "d": pa.decimal128(8, 2),
        "s": pa.string(),
        "day": pa.date32(),
        "b": pa.bool_(),
        "tags": pa.list_(pa.int32()),
    }
)
SEVERITIES: tuple[Severity, ...] = ("warn", "quarantine", "fail")

ids = st.integers(-(2**63), 2**63 - 1) | st.integers(-70, 70)
rows = st.lists(
    st.tuples(
        st.none() | ids,
        st.none() | st.integers(-5, 5),
        st.none() | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -2.25, 1e300]),
        st.none() | st.integers(-300, 300).map(lambda cents: Decimal(cents) / 100),
        st.none() | st.text(alphabet="ab@. \nñ", max_size=4),
        st.none() | st.integers(-3, 3).map(lambda days: date(2024, 1, 1) + timedelta(days)),
        st.none() | st.booleans(),
        st.none() | st.lists(st.none() | st.integers(0, 3), max_size=3),
    ),
    max_size=25,
)
severities = st.lists(st.sampled_from(SEVERITIES), min_size=8, max_size=8)
#: Values of the referenced column, which may hold nulls.
others = st.lists(st.none() | st.integers(-5, 5), max_size=6)

CONTRACT: dict[str, dict[str, Any]] = {
    "id": {"unique": True},
    "n": {"required": True, "min": -2, "max": 3, "in_": (-2, 0, 1, 3)},
    "x": {"min": -2.0, "max": 1.5},
    "d": {"min": "-1.10", "max": 2},
    "s": {"pattern": "a.?b|@$", "min_length": 1, "max_length": 3, "in_": ("ab", "a@", "")},
    "day": {"min": "2023-12-31", "max": "2024-01-02", "in_": ("2024-01-01", "2024-01-03")},
    "b": {"in_": (True,)},
    "tags": {"min_length": 1, "max_length": 2},
}
JUDGES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "n.required": lambda r: r["n"] is None,
    "n.min": lambda r: r["n"] is not None and r["n"] < -2,
    "n.max": lambda r: r["n"] is not None and r["n"] > 3,
    "n.in": lambda r: r["n"] is not None and r["n"] not in (-2, 0, 1, 3),
    "x.min": lambda r: r["x"] is not None and not r["x"] >= -2,
    "x.max": lambda r: r["x"] is not None and not r["x"] <= 1.5,
    "d.min": lambda r: r["d"] is not None and r["d"] < Decimal("-1.10"),
    "d.max": lambda r: r["d"] is not None and r["d"] > 2,
    "s.pattern": lambda r: r["s"] is not None and not re.search(r"a.?b|@\Z", r["s"]),
    "s.min_length": lambda r: r["s"] is not None and len(r["s"]) < 1,
    "s.max_length": lambda r: r["s"] is not None and len(r["s"]) > 3,
    "s.in": lambda r: r["s"] is not None and r["s"] not in ("ab", "a@", ""),
    "day.min": lambda r: r["day"] is not None and r["day"] < date(2023, 12, 31),
    "day.max": lambda r: r["day"] is not None and r["day"] > date(2024, 1, 2),
    "day.in": lambda r: r["day"] is not None and r["day"] not in (date(2024, 1, 1), date(2024, 1, 3)),
    "b.in": lambda r: r["b"] is not None and r["b"] is not True,
    "tags.min_length": lambda r: r["tags"] is not None and len(r["tags"]) < 1,
    "tags.max_length": lambda r: r["tags"] is not None and len(r["tags"]) > 2,
    "condition": lambda r: _is_false(r["n"], r["b"]),
}


def _is_false(n: int | None, b: bool | None) -> bool:
    # n > 0 OR b, in three-valued logic, is false only when both sides are
    return n is not None and n <= 0 and b is False


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def fill(con: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, rows: list[tuple[Any, ...]]) -> None:
    listed = [dict(zip(schema.names, row, strict=True)) for row in rows]
    con.register("_given", pa.Table.from_pylist(listed, schema=schema))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM _given")
    con.unregister("_given")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, severities=severities, others=others, bitmaps=st.booleans())
def test_counts_equal_a_plain_evaluation(
    con: duckdb.DuckDBPyConnection,
    rows: list[tuple[Any, ...]],
    severities: list[Severity],
    others: list[int | None],
    bitmaps: bool,
) -> None:
    fill(con, "t", SCHEMA, rows)
    fill(con, "other", pa.schema({"n": pa.int32()}), [(one,) for one in others])
    of = dict(zip(CONTRACT, severities, strict=True))
    spec = dataset(
        columns={name: Column(**rules, severity=of[name]) for name, rules in CONTRACT.items()},
        expect=(
            Condition(sql="n > 0 OR b", label="condition", severity="warn"),
            References(columns={"n": "processed.other.n"}, label="reference"),
            Unique(columns=("n", "s", "day"), severity="warn"),
            Completeness(columns={"x": 0.5}),
            Condition(sql="n > 0", mostly=0.5, label="mostly"),
            DistinctCount(column="s"),
        ),
    )
    checks = compiled(spec, COLUMNS, relations=lambda _: as_table("other"))
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    known = {one for one in others if one is not None}
    judges = {**JUDGES, "reference": lambda r: r["n"] is not None and r["n"] not in known}
    broken = [{name for name, judge in judges.items() if judge(row)} for row in table]
    expected: dict[str, int] = {name: sum(name in one for one in broken) for name in judges}
    expected["id.unique"] = _repeats([row["id"] for row in table])
    keys = [(row["n"], row["s"], row["day"]) for row in table]
    expected["unique.n_s_day"] = _repeats([None if None in key else key for key in keys])
    expected["x.completeness"] = sum(row["x"] is None for row in table)
    expected["mostly"] = sum(row["n"] is not None and row["n"] <= 0 for row in table)
    expected["s.distinct_count"] = len({row["s"] for row in table} - {None})
    expected["rows"] = len(rows)

    stage = Stage(con, "FROM t", checks, columns=COLUMNS if bitmaps else None)
    staged = stage.audit()
    stopping = {check.id for check in checks if check.severity != "warn"}
    why = stage.reasons()
    bad = [place for place, reasons in why.items() if stopping & set(reasons)]
    for place, one in enumerate(broken):
        assert set(why[place]) - {"id.unique", "unique.n_s_day"} == one
    assert stage.quarantined() == bad
    assert staged == {**expected, "bad_rows": len(bad)}

    found = direct(con, "t", checks, columns=COLUMNS if bitmaps else None)
    assert found["bad_rows"] >= len(bad) or found["bad_rows"] == len(rows)
    assert found == {**expected, "bad_rows": found["bad_rows"]}


def _repeats(keys: list[Any]) -> int:
    return sum(count - 1 for key, count in Counter(keys).items() if key is not None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.none() | ids, max_size=30),
    there=st.lists(st.none() | ids, max_size=10),
    bitmaps=st.booleans(),
)
def test_one_row_of_each_new_key_is_left(
    con: duckdb.DuckDBPyConnection, keys: list[int | None], there: list[int | None], bitmaps: bool
) -> None:
    fill(con, "keyed", pa.schema({"id": pa.int64()}), [(one,) for one in keys])
    fill(con, "target", pa.schema({"id": pa.int64()}), [(one,) for one in there])
    checks = compiled(dataset(columns={"id": Column(unique=True)}), {"id": "BIGINT"})
    types = {"id": "BIGINT"} if bitmaps else None
    stage = Stage(con, "FROM keyed", checks, target=as_table("target"), columns=types)
    surplus = set(stage.quarantined())
    kept = [key for place, key in enumerate(keys) if place not in surplus and key is not None]
    assert sorted(kept) == sorted(set(keys) - set(there) - {None})
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    assert all(first[key] not in surplus for key in kept)
    assert stage.audit()["id.unique"] == len(surplus)
