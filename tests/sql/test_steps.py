"""Steps: what each does to rows, in which order, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from lakewright.errors import ProjectError
from lakewright.spec.dataset import Column
from lakewright.spec.steps import (
    Aggregate,
    Cast,
    DateParts,
    Deduplicate,
    Derive,
    Drop,
    DropNulls,
    FillNulls,
    Filter,
    Flatten,
    MapValues,
    NormalizeText,
    PythonStep,
    Rename,
    Select,
    StandardizeNames,
    Step,
    Unnest,
)
from lakewright.sql.dialect import foreign_functions, render
from lakewright.sql.steps import Compiled, Dedupe, compile_steps, losers_query, segments

TEXTS = {"Order ID": "VARCHAR", "qty": "VARCHAR", "At": "VARCHAR", "status": "VARCHAR"}
AUDIT = {"_source_file": "VARCHAR", "_source_row": "BIGINT"}


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    yield con
    con.close()


def source(columns: Mapping[str, str]) -> exp.Query:
    query = exp.select(exp.Star()).from_(exp.to_table("given"))
    assert columns
    return query


def compiled(
    columns: Mapping[str, str], *steps: Step, contract: Mapping[str, Column] | None = None, **more: Any
) -> Compiled:
    return compile_steps(source(columns), columns, steps, contract or {}, path="datasets/t.yaml", **more)


class Table:
    """A table ``given`` with rows, and what steps make of it."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
    ) -> None:
        self.con, self.columns = con, columns
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        con.execute(f"CREATE OR REPLACE TEMP TABLE given ({listed})")
        for row in rows:
            con.execute(f"INSERT INTO given VALUES ({', '.join('?' for _ in row)})", list(row))

    def run(
        self, *steps: Step, contract: Mapping[str, Column] | None = None, **more: Any
    ) -> list[dict[str, Any]]:
        made = compiled(self.columns, *steps, contract=contract, **more)
        query = made.deduplicated().sql("duckdb")
        cursor = self.con.execute(query)
        names = [one[0] for one in cursor.description or ()]
        assert names == list(made.columns)
        types = {row[0]: row[1] for row in self.con.execute(f"DESCRIBE {query}").fetchall()}
        assert {name: kind for name, kind in made.columns.items() if kind} == {
            name: types[name] for name, kind in made.columns.items() if kind
        }
        return [dict(zip(names, row, strict=True)) for row in self.con.execute(query).fetchall()]


def refused(
    *steps: Step, code: str, says: str, columns: Mapping[str, str] | None = None, **more: Any
) -> None:
    with pytest.raises(ProjectError) as caught:
        compiled(columns or {"a": "VARCHAR", "n": "INTEGER", "d": "DATE"}, *steps, **more)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert str(caught.value).startswith("datasets/t.yaml: ")


def test_names_and_order(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {**TEXTS, **AUDIT}, [("1", "2", "2024-01-02", "N", "f.csv", 7)])
    found = table.run(StandardizeNames(), Rename(columns={"qty": "quantity"}), Drop(columns=("at",)))
    assert found == [
        {"order_id": "1", "quantity": "2", "status": "N", "_source_file": "f.csv", "_source_row": 7}
    ]
    found = table.run(Select(columns=("STATUS", "Order ID")))
    assert list(found[0]) == ["status", "Order ID", "_source_file", "_source_row"]


def test_contract_types_come_first_and_in_its_order(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(
        con,
        {**TEXTS, **AUDIT},
        [("1", "x", "2024-01-02", "N", "f.csv", 1), ("2", "4", "soon", "", "f.csv", 2)],
    )
    contract = {
        "at": Column(type="date"),
        "qty": Column(type="integer"),
        "order_id": Column(type="bigint", key=True),
    }
    made = compiled({**TEXTS, **AUDIT}, StandardizeNames(), Filter(where="qty < 10"), contract=contract)
    assert list(made.columns) == ["at", "qty", "order_id", "status", "_source_file", "_source_row", "_failed"]
    assert made.casts == ("order_id", "qty", "at")
    assert not made.one_to_one
    found = table.run(StandardizeNames(), Filter(where="qty < 10"), contract=contract)
    # what the filter cannot judge is kept, so that it reaches quarantine
    assert [json.loads(row["_failed"]) for row in found] == [{"qty": "x"}, {"at": "soon"}]
    assert found[1]["status"] == ""


def test_failures_have_the_name_that_the_column_ends_with(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"A": "VARCHAR", "B": "VARCHAR"}, [("x", "y")])
    contract = {"first": Column(type="integer"), "second": Column(type="date")}
    found = table.run(
        Derive(columns={"c": "1"}), Rename(columns={"A": "first", "b": "second"}), contract=contract
    )
    assert found == [{"first": None, "second": None, "c": 1, "_failed": '{"first":"x","second":"y"}'}]


def test_failures_of_several_steps_add_up(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"a": "VARCHAR", "b": "VARCHAR"}, [("x", 'y"\n'), ("1", "z"), ("x", "2"), ("1", "2")])
    found = table.run(Cast(columns={"a": "integer"}), Cast(columns={"b": "integer"}))
    assert [json.loads(row["_failed"]) if row["_failed"] else None for row in found] == [
        {"a": "x", "b": "y\"\n"}, {"b": "z"}, {"a": "x"}, None,
    ]  # fmt: skip


def test_a_column_cleaned_as_text_is_converted_after(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"price": "VARCHAR", "qty": "VARCHAR"}, [("$1,200.50", "2"), ("n/a", "3")])
    contract = {
        "price": Column(type="decimal(10,2)"),
        "qty": Column(type="integer"),
        "total": Column(type="decimal(12,2)"),
    }
    found = table.run(
        Derive(columns={"price": "nullif(replace(replace(price, '$', ''), ',', ''), 'n/a')"}),
        Derive(columns={"total": "price * qty"}),
        contract=contract,
    )
    assert [(str(row["price"]), str(row["total"]), row["_failed"]) for row in found] == [
        ("1200.50", "2401.00", None), ("None", "None", None),
    ]  # fmt: skip


def test_a_column_computed_from_itself_is_converted_before_and_after(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"price": "VARCHAR"}, [("10.00",)])
    found = table.run(
        Derive(columns={"price": "price * 1.015"}), contract={"price": Column(type="decimal(10,2)")}
    )
    assert str(found[0]["price"]) == "10.15"


def test_derived_columns_replace_or_follow(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"a": "INTEGER", "s": "STRUCT(x INTEGER)"}, [(1, {"x": 5}), (None, None)])
    found = table.run(
        Derive(
            columns={"b": "a + 1", "a": "A * 10", "c": "s.x + b", "l": "list_transform([a, 2], x -> x + 1)"}
        )
    )
    assert found[0] == {"a": 10, "s": {"x": 5}, "b": 2, "c": 7, "l": [11, 3]}
    assert found[1] == {"a": None, "s": None, "b": None, "c": None, "l": [None, 3]}


def test_windows_keep_the_reading_order(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"k": "VARCHAR", "n": "INTEGER"}, [("b", 1), ("a", 2), ("b", 3), ("a", 4)])
    found = table.run(Derive(columns={"s": "sum(n) over (partition by k)", "n": "n * 2"}))
    assert [(row["k"], row["n"], row["s"]) for row in found] == [
        ("b", 2, 4),
        ("a", 4, 6),
        ("b", 6, 4),
        ("a", 8, 6),
    ]


def test_date_parts(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"d": "VARCHAR", "x": "INTEGER"}, [("2024-12-29", 1)])
    parts = ("year", "quarter", "month", "week", "day", "weekday", "hour")
    found = table.run(DateParts(column="d", parts=parts), contract={"d": Column(type="date")})
    assert list(found[0].values())[1:9] == [2024, 4, 12, 52, 29, 7, 0, 1]
    found = table.run(
        DateParts(column="d", parts=("year",), prefix="on"), contract={"d": Column(type="date")}
    )
    assert list(found[0]) == ["d", "on_year", "x", "_failed"]


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({}, " \u00a0a \t b\n", "a b"),
        ({}, "   ", None),
        ({"empty_as_null": False}, "   ", ""),
        ({"collapse": False}, "\u2003 a  b ", "a  b"),
        ({"trim": False}, " a  b ", " a b "),
        ({"trim": False, "collapse": False}, " a  b ", " a  b "),
        ({"case": "upper"}, "straße", "STRASSE"),
        ({"case": "lower"}, "ÀB", "àb"),
        ({"case": "title"}, "hELLO élan o'neil", "Hello Élan O'neil"),
        ({"strip_accents": True}, "Ñandú élan", "Nandu elan"),
    ],
)
def test_normalize_text(
    con: duckdb.DuckDBPyConnection, options: dict[str, Any], text: str, expected: str | None
) -> None:
    table = Table(con, {"a": "VARCHAR", "n": "INTEGER"}, [(text, 1), (None, 2)])
    if expected == "STRASSE":  # DuckDB keeps ß, as there is one capital letter for it
        expected = con.execute("SELECT upper('straße')").fetchone()[0]  # type: ignore[index]
    assert [row["a"] for row in table.run(NormalizeText(**options))] == [expected, None]


def test_fill_nulls(con: duckdb.DuckDBPyConnection) -> None:
    columns = {"s": "VARCHAR", "n": "INTEGER", "d": "DATE", "b": "BOOLEAN", "m": "DECIMAL(5,2)"}
    table = Table(con, columns, [(None,) * 5])
    found = table.run(FillNulls(columns={"s": "x", "n": 7, "d": "2024-01-02", "b": True, "m": 1.5}))
    assert [str(one) for one in found[0].values()] == ["x", "7", "2024-01-02", "True", "1.50"]


def test_map_values(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"s": "VARCHAR", "n": "INTEGER"}, [("N", 1), ("P", 2), (None, None)])
    found = table.run(MapValues(column="s", values={"N": "new"}), MapValues(column="n", values={"1": "one"}))
    assert [tuple(row.values()) for row in found] == [("new", "one"), ("P", "2"), (None, None)]
    found = table.run(
        MapValues(column="s", values={"N": 1, "P": 2}, other="null"),
        MapValues(column="n", values={"2": None}),
    )
    assert [tuple(row.values()) for row in found] == [(1, 1), (2, None), (None, None)]


def test_drop_nulls_keeps_what_did_not_convert(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(con, {"a": "VARCHAR", "b": "VARCHAR"}, [("1", "p"), ("", "q"), ("x", "r")])
    found = table.run(DropNulls(columns=("a",)), contract={"a": Column(type="integer")})
    assert [(row["a"], row["b"]) for row in found] == [(1, "p"), (None, "r")]


def test_flatten_and_unnest(con: duckdb.DuckDBPyConnection) -> None:
    columns = {
        "id": "INTEGER",
        "lines": 'STRUCT(sku VARCHAR, geo STRUCT(x INTEGER, "y z" DATE))[]',
        "_source_row": "BIGINT",
    }
    rows = [
        (1, [{"sku": "a", "geo": {"x": 1, "y z": None}}, {"sku": "b", "geo": None}], 1),
        (2, [], 2),
        (3, None, 3),
    ]
    table = Table(con, columns, rows)
    found = table.run(Unnest(column="lines"), Flatten(columns=("lines",)), Flatten(columns=("lines_geo",)))
    assert [tuple(row.values()) for row in found] == [
        (1, "a", 1, None, 1), (1, "b", None, None, 1), (2, None, None, None, 2), (3, None, None, None, 3),
    ]  # fmt: skip
    assert list(found[0]) == ["id", "lines_sku", "lines_geo_x", "lines_geo_y z", "_source_row"]
    assert [row["id"] for row in table.run(Unnest(column="lines", keep_empty=False))] == [1, 1]


def test_aggregate(con: duckdb.DuckDBPyConnection) -> None:
    table = Table(
        con,
        {"k": "VARCHAR", "n": "VARCHAR", "_source_row": "BIGINT"},
        [("a", "1", 1), ("a", "x", 2), ("b", "5", 3)],
    )
    steps = (
        Aggregate(
            by=("k",), columns={"total": "sum(n)", "rows": "count(*)", "big": "count(*) filter (where n > 2)"}
        ),
        Filter(where="total > 0"),
    )
    with pytest.raises(ProjectError):
        table.run(*steps, contract={"n": Column(type="integer")})
    found = table.run(Cast(columns={"n": "integer"}), *steps)
    assert sorted((row["k"], int(row["total"]), row["rows"], row["big"], row["_failed"]) for row in found) == [
        ("a", 1, 2, 0, '{"n":"x"}'), ("b", 5, 1, 1, None),
    ]  # fmt: skip


def test_missing_columns_of_the_contract(con: duckdb.DuckDBPyConnection) -> None:
    contract = {"amout": Column(type="integer"), "a": Column()}
    refused(
        code="LW306",
        says="'amout' of the contract; did you mean 'amount'",
        columns={"amount": "INTEGER"},
        contract=contract,
    )
    table = Table(con, {"a": "VARCHAR"}, [("x",)])
    assert table.run(contract=contract, missing="null") == [{"amout": None, "a": "x"}]


def test_segments() -> None:
    python = PythonStep(function="m:f")
    one, two = Filter(where="a"), Drop(columns=("a",))
    assert segments((one, two, python, python, two)) == [(one, two), python, python, (two,)]
    assert segments(()) == []


def test_the_next_segment_goes_on_where_one_ended(con: duckdb.DuckDBPyConnection) -> None:
    contract = {"b": Column(type="integer"), "a": Column(type="integer"), "later": Column(type="date")}
    first = compiled({"a": "VARCHAR", "b": "VARCHAR"}, contract=contract, final=False)
    assert list(first.columns) == ["a", "b", "_failed"]
    Table(con, {"a": "VARCHAR", "b": "VARCHAR"}, [("1", "x")])
    second = compile_steps(
        first.query, first.columns, (Derive(columns={"later": "date '2024-01-01' + a"}),), contract, path="t"
    )
    found = con.execute(second.query.sql("duckdb")).fetchall()
    assert str(found[0][2])[:10] == "2024-01-01"[:8] + "02"
    assert list(second.columns) == ["b", "a", "later", "_failed"]
    assert found[0][3] == '{"b":"x"}'


class TestDeduplicate:
    COLUMNS = {"k": "INTEGER", "t": "INTEGER", "v": "VARCHAR"}  # noqa: RUF012

    def test_waits_for_the_stage_when_it_can(self) -> None:
        made = compiled(
            self.COLUMNS,
            Deduplicate(keys=("K",), latest_by="t"),
            Rename(columns={"k": "id"}),
            Derive(columns={"w": "v"}),
        )
        assert made.dedupe == Dedupe(("id",), "t")
        assert made.one_to_one

    @pytest.mark.parametrize(
        "after",
        [
            Filter(where="t > 1"), Derive(columns={"k": "k % 2"}), Drop(columns=("t",)), Aggregate(by=("k",), columns={}),
            Derive(columns={"n": "count(*) over ()"}), FillNulls(columns={"t": 0}), Deduplicate(keys=("v",)),
            Select(columns=("v",)), DropNulls(columns=("v",)),
        ],
    )  # fmt: skip
    def test_is_done_at_once_when_the_next_step_depends_on_it(
        self, con: duckdb.DuckDBPyConnection, after: Step
    ) -> None:
        made = compiled(self.COLUMNS, Deduplicate(keys=("k",), latest_by="t"), after)
        assert made.dedupe is None or made.dedupe.keys == ("v",)
        assert not made.one_to_one

    def test_compares_before_it_filters(self, con: duckdb.DuckDBPyConnection) -> None:
        table = Table(
            con,
            self.COLUMNS,
            [(1, 1, "a"), (2, 1, "b"), (1, 2, "c"), (1, 2, "d"), (None, 1, "e"), (None, 1, "f")],
        )
        found = table.run(Deduplicate(keys=("k",), latest_by="t"), Filter(where="v <> 'd'"))
        assert [row["v"] for row in found] == ["b", "e", "f"]
        found = table.run(Deduplicate(keys=("k",)))
        assert [row["v"] for row in found] == ["b", "d", "e", "f"]

    def test_whole_rows(self, con: duckdb.DuckDBPyConnection) -> None:
        columns = {"a": "VARCHAR", "n": "VARCHAR", "_source_row": "BIGINT"}
        table = Table(
            con,
            columns,
            [("x", "1", 1), ("x", "1", 2), ("x", "p", 3), ("x", "q", 4), (None, None, 5), (None, None, 6)],
        )
        contract = {"n": Column(type="integer")}
        # p and q are both no numbers, but they are not the same
        assert [row["_source_row"] for row in table.run(Deduplicate(), contract=contract)] == [2, 3, 4, 6]
        made = compiled(columns, Deduplicate(), contract=contract)
        assert made.dedupe == Dedupe(("a", "n", "_failed"), None, whole=True)

    rows = st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 3))),
        max_size=12,
    )  # fmt: skip

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(rows=rows, keys=st.sampled_from([("k",), ("k", "t"), ()]), latest=st.sampled_from([None, "t"]))
    def test_keeps_one_row_per_key_and_the_latest(
        self,
        con: duckdb.DuckDBPyConnection,
        rows: list[tuple[Any, ...]],
        keys: tuple[str, ...],
        latest: str | None,
    ) -> None:
        columns = {"k": "INTEGER", "t": "INTEGER", "v": "INTEGER", "_source_row": "BIGINT"}
        table = Table(con, columns, [(*row, place) for place, row in enumerate(rows)])
        best: dict[Any, tuple[Any, int]] = {}
        for place, (k, t, v) in enumerate(rows):
            named = {"k": k, "t": t, "v": v}
            key: Any = tuple(named[one] for one in keys or named)
            if keys and all(one is None for one in key):
                key = ("no key", place)
            rank = ((t is not None, t or 0) if latest else 0, place)
            if key not in best or rank > best[key]:
                best[key] = rank
        expected = sorted(place for _, place in best.values())
        step = Deduplicate(keys=keys, latest_by=latest)
        assert [row["_source_row"] for row in table.run(step)] == expected
        made = compiled(columns, step)
        assert made.dedupe is not None
        con.execute(f"CREATE OR REPLACE TEMP TABLE stage AS {made.query.sql('duckdb')}")
        losers = losers_query(made.dedupe, exp.to_table("stage"), made.columns).sql("duckdb")
        kept = con.execute(
            f"SELECT _source_row FROM stage WHERE rowid NOT IN ({losers}) ORDER BY rowid"
        ).fetchall()
        assert [row[0] for row in kept] == expected


REFUSED: list[tuple[Step, str, str]] = [
    (Rename(columns={"b": "c"}), "LW305", "step 1 (rename): there is no column 'b'"),
    (Drop(columns=("dd",)), "LW305", "did you mean 'd'"),
    (Derive(columns={"x": "aa + 1"}), "LW305", "did you mean 'a'"),
    (Rename(columns={"a": "n"}), "LW313", "'a' and 'n' would both be 'n'"),
    (Rename(columns={"a": "_x"}), "LW313", "underscore"),
    (Derive(columns={"_x": "1"}), "LW313", "underscore"),
    (Derive(columns={"x": "a +"}), "LW301", "step 1 (derive)"),
    (Derive(columns={"x": "a, n"}), "LW301", "not one expression"),
    (Derive(columns={"x": "1; drop table t"}), "LW302", ""),
    (Derive(columns={"x": "*"}), "LW301", "must name its columns"),
    (Derive(columns={"x": "(select 1)"}), "LW303", "holds a query"),
    (Derive(columns={"x": "getenv('HOME')"}), "LW303", "getenv"),
    (Derive(columns={"x": "read_text('/etc/passwd')"}), "LW303", "read_text"),
    (Derive(columns={"x": "sum(n)"}), "LW311", "sum() on a single row"),
    (Filter(where="row_number() over () = 1"), "LW311", "looks at one row"),
    (Filter(where="exists (select 1)"), "LW303", "holds a query"),
    (Aggregate(by=("a",), columns={"x": "n + sum(n)"}), "LW311", "neither aggregated nor in `by`"),
    (Aggregate(by=("a",), columns={"a": "sum(n)"}), "LW313", "twice"),
    (DateParts(column="a"), "LW311", "'a' is VARCHAR, not a date"),
    (NormalizeText(columns=("n",)), "LW311", "'n' is INTEGER, not text"),
    (FillNulls(columns={"n": "many"}), "LW311", "'many' is not a value of type INTEGER"),
    (FillNulls(columns={"d": "soon"}), "LW311", "'soon' is not a value of type DATE"),
    (MapValues(column="n", values={"x": 1}), "LW311", "'x' is not a value of type INTEGER"),
    (Flatten(columns=("a",)), "LW311", "'a' is VARCHAR, not a struct"),
    (Unnest(column="a"), "LW311", "'a' is VARCHAR, not a list"),
    (Cast(columns={"a": "integr"}), "LW312", "did you mean 'integer'"),
    (Cast(columns={"a": {"format": "%Y"}}), "LW312", "write a type"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "code", "says"), REFUSED)
def test_what_is_refused(step: Step, code: str, says: str) -> None:
    refused(step, code=code, says=says)


def test_every_unknown_column_of_a_step_is_told() -> None:
    with pytest.raises(ProjectError) as caught:
        compiled({"a": "VARCHAR"}, Select(columns=("x", "y", "a")))
    assert len(caught.value.problems) == 2


EVERY: dict[str, tuple[Step, ...]] = {
    "standardize_names": (StandardizeNames(),),
    "rename": (Rename(columns={"At": "sold_at"}),),
    "select": (Select(columns=("status", "qty")),),
    "drop": (Drop(columns=("At",)),),
    "cast": (Cast(columns={"qty": "integer", "At": {"type": "date", "format": "%d/%m/%Y"}}),),
    "derive": (Derive(columns={"x": "upper(status) || qty", "y": "regexp_replace(status, '(a)', '\\1!', 'g')"}),),
    "derive window": (Derive(columns={"x": "row_number() over (partition by status order by qty)"}),),
    "date_parts": (DateParts(column="d", parts=("year", "quarter", "month", "week", "day", "weekday", "hour")),),
    "normalize_text": (NormalizeText(columns=("status",), case="title", strip_accents=True),),
    "fill_nulls": (FillNulls(columns={"status": "unknown", "d": "2024-01-01"}),),
    "drop_nulls": (DropNulls(columns=("qty", "status")),),
    "map_values": (MapValues(column="status", values={"N": "new", "X": None}),),
    "filter": (Cast(columns={"qty": "integer"}), Filter(where="qty between 1 and 5 or status in ('a', 'b')")),
    "deduplicate": (Deduplicate(keys=("Order ID",), latest_by="At"), Filter(where="status = 'N'")),
    "flatten": (Flatten(columns=("s",)),),
    "unnest": (Unnest(column="l"),),
    "aggregate": (Aggregate(by=("status",), columns={"n": "count(*)", "m": "median(len(l))", "q": "quantile_cont(k, 0.9)"}),),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_both_spellings(con: duckdb.DuckDBPyConnection, name: str, snapshot: Any) -> None:
    columns = {
        **TEXTS,
        "d": "DATE",
        "s": "STRUCT(x INTEGER, y VARCHAR)",
        "l": "INTEGER[]",
        "k": "DOUBLE",
        **AUDIT,
    }
    Table(con, columns, [])
    made = compiled(columns, *EVERY[name])
    query = made.deduplicated()
    con.execute(query.sql("duckdb"))
    assert foreign_functions(query) == ()
    for dialect in ("duckdb", "spark"):
        sql = render(query, dialect, pretty=True)  # type: ignore[arg-type]
        assert parse_one(sql, dialect=dialect)
        assert sql == snapshot(name=dialect)
