"""Conversions: a value is converted exactly, or null and reported; never changed in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from lakewright.errors import ProjectError
from lakewright.spec.dataset import Column
from lakewright.sql.dialect import render
from lakewright.sql.steps import compile_steps

QUIET = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    yield con
    con.close()


def convert(
    con: duckdb.DuckDBPyConnection,
    values: list[Any],
    kind: str,
    format: str | None = None,
    source: str = "VARCHAR",
) -> list[Any]:
    """Return each value converted to *kind*: the value, None, or the text ``failed:…`` that was reported."""
    con.register(
        "given", pa.table({"v": pa.array([None if v is None else str(v) for v in values], pa.string())})
    )
    query = parse_one(f"SELECT CAST(v AS {source}) AS v FROM given", dialect="duckdb")
    assert isinstance(query, exp.Query)
    compiled = compile_steps(query, {"v": source}, (), {"v": Column(type=kind, format=format)}, path="t.yaml")
    assert compiled.one_to_one
    result = []
    failed = "_failed" if compiled.casts else "NULL"
    for value, report in con.execute(f"SELECT v, {failed} FROM ({compiled.query.sql('duckdb')})").fetchall():
        if report is not None:
            assert value is None
            (name, original), *more = json.loads(report).items()
            assert (name, more) == ("v", [])
            value = f"failed:{original}"
        result.append(value)
    return result


GOOD: dict[str, dict[str, Any]] = {
    "integer": {
        "12": 12, " 12 ": 12, "-7": -7, "+5": 5, "0": 0, "-0": 0, "00012": 12, "1.0": 1, "1.": 1, "1.000": 1, "1e3": 1000,
        "1.5e1": 15, "2147483647": 2147483647, "\t3\n": 3, "0.0": 0, "0e5": 0, "1.000000000000000000e+03": 1000,
        "00000000000000000012": 12,
    },
    "bigint": {"9223372036854775807": 2**63 - 1, "9007199254740993": 2**53 + 1, "-9223372036854775808": -(2**63)},
    "hugeint": {"99999999999999999999": 99999999999999999999},
    "utinyint": {"255": 255, "0": 0},
    "decimal(10,2)": {
        "1": Decimal("1.00"), "590.9": Decimal("590.90"), "1.230": Decimal("1.23"), "1.2300000": Decimal("1.23"),
        ".5": Decimal("0.50"), "5.": Decimal("5.00"), "1e2": Decimal("100.00"), " 1.5 ": Decimal("1.50"),
        "-0.01": Decimal("-0.01"), "12345678.91": Decimal("12345678.91"), "1.5e-1": Decimal("0.15"), "0.00000": Decimal("0"),
    },
    "decimal(18,6)": {"1.5e-3": Decimal("0.0015"), "123456789012.123456": Decimal("123456789012.123456")},
    "decimal(38,10)": {"1234567890123456789012345678.0123456789": Decimal("1234567890123456789012345678.0123456789")},
    "decimal(5,0)": {"12": Decimal(12), "12.0": Decimal(12)},
    "double": {"1.7": 1.7, "1e300": 1e300, "-0.5": -0.5, " 2 ": 2.0, "1e-400": 0.0},
    "boolean": {"true": True, "FALSE": False, "t": True, "f": False, "Yes": True, "no": False, "Y": True, "n": False,
                "1": True, "0": False, " true ": True},
    "date": {"2024-02-29": date(2024, 2, 29), "2024-2-9": date(2024, 2, 9), "2024/02/09": date(2024, 2, 9),
             " 2024-02-09 ": date(2024, 2, 9), "2024-02-09 00:00:00": date(2024, 2, 9),
             "2024-02-09T00:00:00Z": date(2024, 2, 9), "2024-02-09T00:00:00.000Z": date(2024, 2, 9)},
    "timestamp": {"2024-02-09 10:00:00": datetime(2024, 2, 9, 10), "2024-02-09T10:00:00": datetime(2024, 2, 9, 10),
                  "2024-02-09": datetime(2024, 2, 9), "2024-02-09 10:00": datetime(2024, 2, 9, 10),
                  "2024-02-09T10:00:00Z": datetime(2024, 2, 9, 10), "2024-02-09 10:00:00+00": datetime(2024, 2, 9, 10),
                  "2024-02-09 10:00:00.123456": datetime(2024, 2, 9, 10, 0, 0, 123456),
                  "2024-02-09 10:00:00.123456000": datetime(2024, 2, 9, 10, 0, 0, 123456),
                  " 2024-02-09 10:00:00 ": datetime(2024, 2, 9, 10), "2024-2-9 1:2:3": datetime(2024, 2, 9, 1, 2, 3)},
    "time": {"10:30:00": time(10, 30), "10:30": time(10, 30), "1:02:03.5": time(1, 2, 3, 500000)},
    "uuid": {"6f9619ff-8b86-d011-b42d-00c04fc964ff": UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")},
    "json": {'{"a": 1}': '{"a": 1}'},
    "integer[]": {"[1, 2]": [1, 2], "[]": [], "[NULL]": [None]},
    "struct(a integer, b decimal(3,1)[])": {"{'a': 1, 'b': [1.5]}": {"a": 1, "b": [Decimal("1.5")]}},
}  # fmt: skip

BAD: dict[str, list[str]] = {
    "integer": ["1.7", "1e-1", "0x10", "0b1", "1,234", "x", "99999999999", "1e10", "NaN", "inf", "1 2", "½", "1.0000000000000000001",
                ".5", "-", "--5", "1e", "true", "1e-400", "5e-1", "2147483648", "2147483647.5"],
    "bigint": ["9223372036854775808", "9007199254740993.5", "1e19", "12345678901234567.8"],
    "utinyint": ["256", "-1"],
    "decimal(10,2)": ["1.239", "123456789.00", "NaN", "inf", "1,234.50", "1e-3", "1.005", "0.001", "1e-400", "$5", "1e400"],
    "decimal(18,6)": ["1.0000001", "1.0e-9", "1e-9"],
    "decimal(38,10)": ["1.01234567891"],
    "decimal(5,0)": ["1.5", "123456"],
    "double": ["NaN", "inf", "-Infinity", "1e400", "1,5", "x"],
    "float": ["1e39", "nan"],
    "boolean": ["maybe", "2", "on", "1.0", "yess"],
    "date": ["2024-02-30", "09.02.2024", "02/09/2024", "20240209", "2024-02-09 10:00:00", "infinity", "-infinity", "epoch",
             "24-02-09", "2024-02", "today", "2024-02-09 (BC)", "  24-02-09", "2024-02-09 1"],
    "timestamp": ["2024-02-30 10:00:00", "2024-02-09 10:00:00+02", "2024-02-09T10:00:00-05:00", "2024-02-09 10:00+02",
                  "2024-02-09 10:00:00.1234567", "24-02-09 10:00:00", "infinity", "2024-02-09 25:00:00", "epoch", "10:00"],
    "time": ["2024-02-29", "25:00:00", "10:61", "2024-02-09 10:00:00", "epoch"],
    "uuid": ["6f9619ff", "x"],
    "json": ["{a", "x"],
    "integer[]": ["[1, x]", "1", "[1.7]"],
    "struct(a integer, b decimal(3,1)[])": ["{'a': x, 'b': []}", "{'a': 1, 'b': [1.55]}"],
}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_text_that_converts(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    assert convert(con, list(GOOD[kind]), kind) == list(GOOD[kind].values())


@pytest.mark.parametrize("kind", BAD)
def test_text_that_does_not(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    assert convert(con, BAD[kind], kind) == [f"failed:{one}" for one in BAD[kind]]


@pytest.mark.parametrize("kind", [*GOOD, "timestamptz", "timestamp_ns", "interval", "float"])
def test_blank_text_is_null(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    assert convert(con, ["", "  ", "\t", None], kind) == [None] * 4


def test_times_with_zones(con: duckdb.DuckDBPyConnection) -> None:
    texts = ["2024-02-09 10:00:00+02", "2024-02-09T10:00:00Z", "2024-02-09 10:00:00", "2024-02-09 10:00:00 America/New_York",
             "2024-02-09T10:00:00.5+05:30"]  # fmt: skip
    found = [one.isoformat() for one in convert(con, texts, "timestamptz")]
    assert found == ["2024-02-09T08:00:00+00:00", "2024-02-09T10:00:00+00:00", "2024-02-09T10:00:00+00:00",
                     "2024-02-09T15:00:00+00:00", "2024-02-09T04:30:00.500000+00:00"]  # fmt: skip
    bad = ["2024-02-09 10:00:00.1234567+02", "infinity", "x"]
    assert convert(con, bad, "timestamptz") == [f"failed:{one}" for one in bad]


@pytest.mark.parametrize(
    ("kind", "format", "values"),
    [
        ("date", "%d/%m/%Y", {"9/2/2024": date(2024, 2, 9), "30/02/2024": "failed:30/02/2024", "": None,
                              "2024-02-09": "failed:2024-02-09", "09/02/24": "failed:09/02/24"}),
        ("date", "%d/%m/%y", {"09/02/24": date(2024, 2, 9)}),
        ("date", "%d %b %Y", {"9 Feb 2024": date(2024, 2, 9)}),
        ("timestamp", "%Y%m%dT%H%M%S", {"20240209T103000": datetime(2024, 2, 9, 10, 30)}),
        ("time", "%I:%M %p", {"01:30 PM": time(13, 30)}),
        ("timestamp", "epoch", {"0": datetime(1970, 1, 1), "1707472800.5": datetime(2024, 2, 9, 10, 0, 0, 500000),
                                "x": "failed:x", "1e300": "failed:1e300", "99999999999999": "failed:99999999999999"}),
        ("timestamp", "epoch_ms", {"1707472800500": datetime(2024, 2, 9, 10, 0, 0, 500000)}),
        ("date", "epoch_us", {"1707472800500000": date(2024, 2, 9)}),
        ("decimal(10,2)", "1,234.56", {"1,234.50": Decimal("1234.50"), "12": Decimal(12), "1,2345": "failed:1,2345",
                                       "1.239": "failed:1.239", "-1,000,000": Decimal(-1000000), "": None}),
        ("decimal(10,2)", "1.234,56", {"1.234,50": Decimal("1234.50"), "1234,5": Decimal("1234.50"), "1.5": "failed:1.5"}),
        ("double", "1 234,56", {"1 234,5": 1234.5, "12 34": "failed:12 34"}),
        ("integer", "1.234", {"12.345": 12345, "12.34": "failed:12.34"}),
        ("boolean", "ja/nein", {"Ja": True, " nein ": False, "yes": "failed:yes", "": None}),
    ],
)  # fmt: skip
def test_declared_formats(
    con: duckdb.DuckDBPyConnection, kind: str, format: str, values: dict[str, Any]
) -> None:
    assert convert(con, list(values), kind, format) == list(values.values())


@pytest.mark.parametrize(
    ("source", "kind", "values"),
    [
        ("DOUBLE", "integer", {"1.0": 1, "1.7": "failed:1.7", "1e300": "failed:1e+300"}),
        ("DECIMAL(10,2)", "bigint", {"5.00": 5, "5.50": "failed:5.50"}),
        ("DOUBLE", "decimal(10,2)", {"0.30000000000000004": Decimal("0.30"), "1e300": "failed:1e+300"}),
        ("BIGINT", "tinyint", {"127": 127, "128": "failed:128"}),
        ("BIGINT", "boolean", {"1": True, "0": False, "2": "failed:2"}),
        ("TIMESTAMP", "date", {"2024-02-09 10:00:00": date(2024, 2, 9)}),
        ("DATE", "timestamp", {"2024-02-09": datetime(2024, 2, 9)}),
        ("BIGINT", "varchar", {"7": "7"}),
        ("BIGINT", "date", {}),
        ("DATE", "integer", {}),
    ],
)
def test_values_with_a_type_convert_as_sql_does(
    con: duckdb.DuckDBPyConnection, source: str, kind: str, values: dict[str, Any]
) -> None:
    if not values:
        with pytest.raises(ProjectError, match=f"LW312.*no {source} becomes a"):
            convert(con, [], kind, source=source)
        return
    assert convert(con, list(values), kind, source=source) == list(values.values())


def test_whole_numbers_may_count_days(con: duckdb.DuckDBPyConnection) -> None:
    assert convert(con, [20240209, 20240231], "date", "%Y%m%d", "BIGINT") == [
        date(2024, 2, 9),
        "failed:20240231",
    ]
    assert convert(con, [86400], "timestamp", "epoch", "BIGINT") == [datetime(1970, 1, 2)]


numbers = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(lambda n: f"{n:f}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"[+-]?\d{0,4}\.?\d{0,4}([eE][+-]?\d{1,3})?", fullmatch=True),
    st.from_regex(r"[ +-]{0,2}[0-9_xb,.]{1,8}", fullmatch=True),
    st.text(max_size=4),
)


@settings(max_examples=400, deadline=None, suppress_health_check=QUIET)
@given(
    texts=st.lists(numbers, min_size=1, max_size=20),
    kind=st.sampled_from(["INTEGER", "BIGINT", "DECIMAL(9,2)", "DECIMAL(18,4)"]),
)
def test_numbers_are_exact_or_refused(con: duckdb.DuckDBPyConnection, texts: list[str], kind: str) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    for text, value in zip(texts, convert(con, texts, kind), strict=True):
        if value is None:
            assert not text.strip() or not text.isascii()
        elif isinstance(value, str):
            # what is refused is no number, too long, or written unusually; plain ones that fit are taken
            plain = text.strip().lstrip("+-")
            fits = (
                plain.isdigit()
                and plain.isascii()
                and len(plain) <= 5
                and len(text.strip()) - len(plain) <= 1
            )
            assert not fits, text
        else:
            exact = Decimal(text.strip().replace("_", ""))
            if "e" in text.lower():
                assert float(value) == float(exact)
            else:
                assert Decimal(value) == exact


@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
@given(moment=st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31)))
def test_iso_times_convert(con: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    texts = [moment.isoformat(), moment.isoformat(sep=" ")]
    assert convert(con, texts, "timestamp") == [moment, moment]
    day = moment.date()
    assert convert(con, [day.isoformat()], "date") == [day]


@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
@given(texts=st.lists(st.text(max_size=12), max_size=10), kind=st.sampled_from(sorted(GOOD)))
def test_no_text_stops_the_statement_or_vanishes(
    con: duckdb.DuckDBPyConnection, texts: list[str], kind: str
) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    for text, value in zip(texts, convert(con, texts, kind), strict=True):
        if value is None:
            assert not text.strip(" \t\n\r\f\v") or kind == "json"
        elif isinstance(value, str) and value.startswith("failed:"):
            assert value == f"failed:{text}"


@pytest.mark.parametrize(
    ("type", "format", "says"),
    [
        ("integr", None, "did you mean 'integer'"),
        ("decimal(40,2)", None, "1 to 38 digits"),
        ("date", "dd/mm/yyyy", "written with %Y"),
        ("date", "%s", "written with %Y"),
        ("decimal(10,2)", "#,##0", "how 1234.56 looks"),
        ("boolean", "ja", "both words"),
        ("uuid", "%Y", "takes no format"),
    ],
)
def test_types_and_formats_that_make_no_sense(
    con: duckdb.DuckDBPyConnection, type: str, format: str | None, says: str
) -> None:
    with pytest.raises(ProjectError, match="LW312") as caught:
        convert(con, [], type, format)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "kind", ["integer", "decimal(10,2)", "double", "boolean", "date", "timestamp", "time", "uuid"]
)
def test_both_spellings(kind: str, snapshot: Any) -> None:
    source = parse_one("SELECT v FROM given", dialect="duckdb")
    assert isinstance(source, exp.Query)
    compiled = compile_steps(source, {"v": "VARCHAR"}, (), {"v": Column(type=kind)}, path="t.yaml")
    for dialect in ("duckdb", "spark"):
        sql = render(compiled.query, dialect, pretty=True)  # type: ignore[arg-type]
        assert parse_one(sql, dialect=dialect)
        assert sql == snapshot(name=dialect)
