"""The vocabulary: DuckDB's words as they are, Spark's with the same meaning."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp, parse_one

from lakewright.sql.dialect import annotate, call, foreign_functions, render
from lakewright.sql.dialect_spark import accents, java_time_format
from lakewright.sql.names import column, literal

TYPES = {
    "l": "INTEGER[]",
    "s": "VARCHAR",
    "ts": "TIMESTAMP",
    "i": "BIGINT",
    "x": "DOUBLE",
    "odd": "GEOMETRY_OF_MINE",
}


@pytest.mark.parametrize(
    ("sql", "spark"),
    [
        ("len(l)", "SIZE(l)"),
        ("len(s)", "LENGTH(s)"),
        ("epoch_ms(ts)", "UNIX_MILLIS(ts)"),
        ("epoch_ms(i)", "TIMESTAMP_MILLIS(i)"),
        ("quantile_cont(x, 0.5)", "PERCENTILE(x, 0.5)"),
        ("log(x)", "LOG10(x)"),
        ("ln(x)", "LN(x)"),
        ("dayofweek(ts)", "(DAYOFWEEK(ts) - 1)"),
        ("date_part('dow', ts)", "(DAYOFWEEK(ts) - 1)"),
        ("extract(isodow from ts)", "(WEEKDAY(ts) + 1)"),
        ("isodow(ts)", "((DAYOFWEEK(ts) % 7) + 1)"),
        ("cast(x as hugeint)", "CAST(x AS DECIMAL(38, 0))"),
        ("cast(x as ubigint)", "CAST(x AS DECIMAL(20, 0))"),
        ("try_cast(s as timestamp)", "TRY_CAST(s AS TIMESTAMP_NTZ)"),
        ("cast(s as timestamptz)", "CAST(s AS TIMESTAMP)"),
        ("regexp_matches(s, 'a')", "s RLIKE 'a'"),
        ("try_strptime(s, '%d/%m/%Y')", "CAST(TRY_TO_TIMESTAMP(s, 'd/M/yyyy') AS TIMESTAMP_NTZ)"),
        ("list_filter(l, a -> len(s) > a)", "FILTER(l, a -> LENGTH(s) > a)"),
        ("odd", "odd"),
    ],
)
def test_spark_means_the_same(sql: str, spark: str) -> None:
    tree = annotate(parse_one(sql, dialect="duckdb"), TYPES)
    before = tree.sql("duckdb")
    assert render(tree, "spark") == spark
    assert tree.sql("duckdb") == before == render(tree)
    assert parse_one(spark, dialect="spark")


@pytest.mark.parametrize(
    ("tree", "value"),
    [
        (call("list_length", exp.array("1", "2")), 2),
        (call("list_sort", exp.array("2", "1")), [1, 2]),
        (call("present", exp.Null(), literal("a"), literal("b")), ["a", "b"]),
        (
            call("json_add", exp.Null(), literal("a"), exp.Null(), literal('b"'), literal("x\n")),
            '{"b\\"":"x\\n"}',
        ),
        (call("json_add", literal('{"z":"1"}'), literal("a"), literal("ü")), '{"z":"1","a":"ü"}'),
        (call("strip_accents", literal("Ñandú")), "Nandu"),
        (call("title", literal("aB c")), "Ab C"),
        (call("matches", literal("abc"), literal("b")), True),
        (call("full_match", literal("abc"), literal("b")), False),
        (call("replace_all", literal("aXbX"), literal("X"), literal("-")), "a-b-"),
        (call("bytes", literal("ü")), 2),
        (call("log10", literal(100)), 2.0),
        (call("weekday", exp.cast(literal("2024-12-29"), "DATE")), 7),
    ],
)
def test_our_own_functions(tree: exp.Expr, value: object) -> None:
    found = duckdb.sql(f"SELECT {tree.sql('duckdb')}").fetchone()
    assert found is not None
    assert found[0] == value
    assert foreign_functions(tree) == ()
    assert parse_one(render(tree, "spark"), dialect="spark")


def test_unknown_names_are_mistakes_of_ours() -> None:
    with pytest.raises(KeyError):
        call("no_such_function", column("a"))


def test_foreign_functions_are_named() -> None:
    tree = parse_one(
        "SELECT hash(a), time_bucket(INTERVAL 1 DAY, b), upper(c), jaccard(a, b) FROM t", dialect="duckdb"
    )
    assert foreign_functions(tree) == ("DATE_BIN", "HASH", "JACCARD")


@pytest.mark.parametrize(
    ("strptime", "java"),
    [
        ("%Y-%m-%dT%H:%M:%S", "yyyy-M-d'T'H:m:s"),
        ("%d/%m/%y at %I:%M %p", "d/M/yy' at 'h:m a"),
        ("%F %T", "yyyy-M-d H:m:s"),
        ("%d o'clock", "d' o''clock'"),
    ],
)
def test_time_formats(strptime: str, java: str) -> None:
    assert java_time_format(strptime) == java


def test_accents_pair_up() -> None:
    marked, plain = accents()
    assert len(marked) == len(plain)
    assert plain[marked.index("é")] == "e"
