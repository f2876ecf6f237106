"""Profiles of tables of every type, and their figures against plain Python."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from lakewright.quality.profile import profile
from lakewright.quality.profile_model import ColumnProfile, Profile


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute("SET TimeZone = 'UTC'")
    return con


def profiled(con: duckdb.DuckDBPyConnection, query: str, **more: Any) -> dict[str, ColumnProfile]:
    con.execute(f"CREATE OR REPLACE TEMP TABLE t AS {query}")
    columns = {row[0]: row[1] for row in con.execute("DESCRIBE t").fetchall()}
    found = profile(con, exp.to_table("t"), columns, **more)
    assert Profile.from_json(found.to_json()) == found
    assert [one.name for one in found.columns] == list(columns)
    for one in found.columns:
        assert 0 <= one.nulls <= one.rows == found.rows
        assert 0 <= one.distinct <= one.rows - one.nulls
        if one.histogram and found.sampled == found.rows:
            assert (
                sum(bin_.count for bin_ in one.histogram)
                == one.rows - one.nulls - one.not_a_number - one.infinite
            )
    return {one.name: one for one in found.columns}


def test_every_type_has_a_profile(con: duckdb.DuckDBPyConnection) -> None:
    values = {
        "i": ("1::TINYINT", "127"), "u": ("1::UBIGINT", "18446744073709551615"), "h": ("(-5)::HUGEINT", "2::HUGEINT**120"),
        "big": ("3::BIGNUM", "-7::BIGNUM"), "f": ("1.5::FLOAT", "'nan'"), "x": ("1.5::DOUBLE", "'-inf'"),
        "dec": ("1.10::DECIMAL(38,2)", "-3"), "b": ("true", "false"), "day": ("DATE '2024-01-01'", "'infinity'"),
        "ts": ("TIMESTAMP '2024-01-01'", "'290000-01-01 (BC)'"), "tz": ("TIMESTAMPTZ '2024-01-01'", "'-infinity'"),
        "ns": ("'2024-01-01'::TIMESTAMP_NS", "'2025-01-01'"), "sec": ("'2024-01-01'::TIMESTAMP_S", "NULL"),
        "t": ("TIME '10:00'", "'11:00'"), "ttz": ("'10:00:00+02'::TIMETZ", "NULL"), "iv": ("INTERVAL 1 DAY", "INTERVAL 2 MONTH"),
        "s": ("'a'", "''"), "e": ("'x'::ENUM('x', 'y')", "'y'"), "j": ("'{}'::JSON", "'null'"), "id": ("uuid()", "uuid()"),
        "bl": ("'x'::BLOB", "''"), "bits": ("'101'::BIT", "'1'"), "l": ("[1, 2]", "[]"), "ll": ("[[1]]", "[[], NULL]"),
        "arr": ("[1, 2]::INTEGER[2]", "NULL"), "st": ("{'a': 1}", "{'a': NULL}"), "m": ("MAP {'k': 1}", "MAP {}"),
        "un": ("1::UNION(a INTEGER, b VARCHAR)", "'x'::UNION(a INTEGER, b VARCHAR)"), "n": ("NULL", "NULL"),
        'odd "name"': ("1", "2"), "ORDER": ("'it''s'", "'%'"),
    }  # fmt: skip
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in values)
    rows = ", ".join(f"({', '.join(one)})" for one in zip(*values.values(), strict=True))
    found = profiled(con, f"SELECT * FROM (VALUES {rows}, ({', '.join(['NULL'] * len(values))})) t({names})")
    assert all(one.nulls >= 1 and one.rows == 3 for one in found.values())
    assert (found["f"].not_a_number, found["x"].infinite, found["day"].infinite, found["tz"].infinite) == (
        1,
        1,
        1,
        1,
    )
    assert (found["f"].minimum, found["f"].maximum, found["f"].mean) == ("1.5", "1.5", 1.5)
    assert (found["ts"].minimum, found["day"].maximum) == ("290000-01-01 (BC) 00:00:00", "2024-01-01")
    assert (found["s"].empty, found["bl"].longest, found["l"].mean_length, found["l"].empty) == (1, 1, 1.0, 1)
    assert found["u"].maximum == "18446744073709551615"
    assert {one.value for one in found["ORDER"].top} == {"it's", "%"}
    assert found["n"].distinct == 0
    assert {name: one.group for name, one in found.items() if one.group == "other"}.keys() == {
        "t",
        "ttz",
        "iv",
        "bits",
    }


def test_tables_without_rows_or_columns(con: duckdb.DuckDBPyConnection) -> None:
    found = profiled(con, "SELECT 1 AS a, 'x' AS b, [1] AS c LIMIT 0")
    assert [(one.rows, one.nulls, one.distinct, one.null_share) for one in found.values()] == [
        (0, 0, 0, 0.0)
    ] * 3
    assert profile(con, exp.to_table("t"), {}) == Profile(0, 0, ())


def test_a_wide_table(con: duckdb.DuckDBPyConnection) -> None:
    listed = ", ".join(
        f"range * {number} AS c{number}, 'x' || range % {number + 1} AS s{number}" for number in range(100)
    )
    found = profiled(con, f"SELECT {listed} FROM range(200)")
    assert len(found) == 200
    assert found["c99"].maximum == str(199 * 99)
    assert found["s1"].top[0].count == 100


def test_a_large_table_is_sampled_and_says_so(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE t AS SELECT range AS a, range % 4 AS b FROM range(100000)")
    found = profile(con, exp.to_table("t"), {"a": "BIGINT", "b": "BIGINT"}, sample=10000)
    assert found.rows == 100000
    assert 8000 < found.sampled < 12000
    a, b = found.columns
    assert (a.minimum, a.maximum, a.mean) == ("0", "99999", 49999.5)
    assert a.quantiles["50"] == pytest.approx(50000, rel=0.1)
    assert sum(one.count for one in a.histogram) == found.sampled == sum(one.count for one in b.top)


def test_of_private_columns_no_value_is_taken(con: duckdb.DuckDBPyConnection) -> None:
    found = profiled(
        con,
        "SELECT 'ann@example.com' AS email, 61 AS age, DATE '1963-01-01' AS born",
        private=["EMAIL", "age", "born"],
    )
    text = Profile(1, 1, tuple(found.values())).to_json()
    assert "ann" not in text and "61" not in text and "1963" not in text
    assert found["email"].longest == 15
    assert found["born"].distinct == 1


def test_extremes_of_doubles_do_not_overflow(con: duckdb.DuckDBPyConnection) -> None:
    found = profiled(con, "SELECT unnest([1.7e308, -1.7e308, 0.0, 5e-324]) AS x")["x"]
    assert found.deviation is not None and math.isfinite(found.deviation)
    assert len(found.histogram) == 20


def test_whole_numbers_and_days_have_bins_of_whole_steps(con: duckdb.DuckDBPyConnection) -> None:
    found = profiled(con, "SELECT unnest([1, 1, 2, 5]) AS n, DATE '2024-01-01' + n AS day")
    assert [(one.high, one.count) for one in found["n"].histogram] == [(1, 2), (2, 1), (3, 0), (4, 0), (5, 1)]
    assert [one.count for one in found["day"].histogram] == [2, 1, 0, 0, 1]


numbers = st.lists(
    st.none() | st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]),
    min_size=1,
    max_size=40,
)
texts = st.lists(st.none() | st.text(alphabet="ab'é\\ ", max_size=4), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers, texts)
def test_figures_equal_a_plain_evaluation(
    con: duckdb.DuckDBPyConnection, numbers: list[float | None], texts: list[str | None]
) -> None:
    length = min(len(numbers), len(texts))
    numbers, texts = numbers[:length], texts[:length]
    table = pa.table({"x": pa.array(numbers, pa.float64()), "s": pa.array(texts, pa.string())})
    con.register("given", table)
    found = profiled(con, "FROM given")
    x, s = found["x"], found["s"]
    present = [one for one in numbers if one is not None]
    finite = [one for one in present if math.isfinite(one)]
    assert x.nulls == length - len(present)
    assert x.not_a_number == sum(math.isnan(one) for one in present)
    assert x.infinite == sum(math.isinf(one) for one in present)
    if finite:
        assert x.mean == pytest.approx(statistics.fmean(finite), abs=1e-6)
        assert float(x.minimum or "nan") == min(finite)
        assert float(x.maximum or "nan") == max(finite)
        for low, high in zip(x.histogram, x.histogram[1:], strict=False):
            assert low.high == high.low
        for bin_ in x.histogram[1:]:
            assert bin_.count == sum(bin_.low < one <= bin_.high for one in finite)
    if len(finite) > 1:
        assert x.deviation == pytest.approx(statistics.stdev(finite), rel=1e-6, abs=1e-6)
    words = [one for one in texts if one is not None]
    counted = Counter(words)
    assert s.nulls == length - len(words)
    assert s.empty == counted[""]
    assert {one.value: one.count for one in s.top} == {
        value: counted[value] for value in (one.value for one in s.top)
    }
    if len(counted) <= 10:
        assert len(s.top) == len(counted)
    if words:
        assert (s.minimum, s.maximum) == (min(words, key=str.encode), max(words, key=str.encode))
        assert (s.shortest, s.longest) == (min(map(len, words)), max(map(len, words)))
