"""Queries of datasets: what is accepted, what is refused and where, and binding to relations."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp

from lakewright.errors import ProjectError
from lakewright.sql.query import bind, dependencies, parse_query

PATH = "datasets/curated/x.sql"


def refused(text: str, line: int = 1) -> list[tuple[str, int, str]]:
    with pytest.raises(ProjectError) as caught:
        parse_query(text, path=PATH, line=line)
    for problem in caught.value.problems:
        assert problem.where is not None
        assert problem.where.path == PATH
    return [(p.code, p.where.line if p.where else 0, p.message) for p in caught.value.problems]


@pytest.mark.parametrize(
    "text, ids",
    [
        ("select * from processed.b join processed.a using (id)", ("processed.b", "processed.a")),
        ("from raw.orders", ("raw.orders",)),
        ("with a as (select * from raw.o) select * from a join curated.a on true", ("raw.o", "curated.a")),
        ("select 1 as one", ()),
        ("select * from raw.a union all by name select * from raw.b", ("raw.a", "raw.b")),
        (
            "select (select max(x) from raw.b) from raw.a where exists (from raw.c)",
            ("raw.b", "raw.a", "raw.c"),
        ),
        ("with recursive n as (select 1 as i union all select i + 1 from n where i < 3) from n", ()),
        ("with a as (with b as (from raw.x) from b) from a", ("raw.x",)),
        ("select * from raw.x, unnest(x.l) as t(v), range(3)", ("raw.x",)),
        ("(select * from raw.x)", ("raw.x",)),
        ("from (pivot raw.x on a using sum(b))", ("raw.x",)),
        ('select * from "raw"."two words"', ("raw.two words",)),
        ("select * from raw.x; -- the end\n", ("raw.x",)),
    ],
)
def test_dependencies(text: str, ids: tuple[str, ...]) -> None:
    assert dependencies(parse_query(text, path=PATH)) == ids


@pytest.mark.parametrize(
    "text, code, line",
    [
        ("select a frm x.y where", "LW301", 1),
        ("select a\nfrom x.y\nwhere (b = 1", "LW301", 3),
        ("select a,\n  'never closed from x.y", "LW301", 2),
        ("", "LW302", 1),
        ("-- nothing but a comment", "LW302", 1),
        ("select 1;\nselect 2", "LW302", 2),
        ("copy raw.x to 'a.csv'", "LW302", 1),
        ("attach 'x.db' as y", "LW302", 1),
        ("pragma database_list", "LW302", 1),
        ("set memory_limit = '1GB'", "LW302", 1),
        ("install httpfs", "LW302", 1),
        ("load httpfs", "LW302", 1),
        ("call foo()", "LW302", 1),
        ("create table a as select 1", "LW302", 1),
        ("insert into raw.a select 1", "LW302", 1),
        ("delete from raw.a", "LW302", 1),
        ("drop table raw.a", "LW302", 1),
        ("explain select 1", "LW302", 1),
        ("values (1)", "LW302", 1),
        ("with a as (delete from raw.b returning *)\nselect * from a", "LW302", 1),
        ("select a into raw.b from raw.c", "LW302", 1),
        ("select $1", "LW302", 1),
        ("select * from raw.a at (version => 3)", "LW302", 1),
        ("select *\nfrom read_csv('a.csv')", "LW303", 2),
        ("select *\nfrom read_parquet('s3://b/*')", "LW303", 2),
        ("select * from glob('*')", "LW303", 1),
        ("select * from sniff_csv('x')", "LW303", 1),
        ("select * from 'a.csv'", "LW303", 1),
        ("select * from query('select 1')", "LW303", 1),
        ("select * from duckdb_secrets()", "LW303", 1),
        ("select * from sqlite_scan('a', 'b')", "LW303", 1),
        ("select * from a_function_not_known_yet(1)", "LW303", 1),
        ("select 1,\n  getenv('HOME')", "LW303", 2),
        ("select current_setting('home_directory')", "LW303", 1),
        ("select x from raw.a where y = (select content from read_text('/etc/passwd'))", "LW303", 1),
        ("select * from orders", "LW304", 1),
        ("select * from lake.raw.orders", "LW304", 1),
        ("with a as (select * from b), b as (select 1) select * from a", "LW304", 1),
    ],
)
def test_refused(text: str, code: str, line: int) -> None:
    assert (code, line) in [(found, where) for found, where, _ in refused(text)]


def test_every_problem_is_told_at_once_and_lines_count_from_where_the_text_starts() -> None:
    found = refused("select getenv('A')\nfrom orders\njoin read_csv('b') on true", line=11)
    assert [(code, line) for code, line, _ in found] == [("LW303", 11), ("LW304", 12), ("LW303", 13)]


def test_nesting_without_end_is_refused() -> None:
    assert refused("select " + "(" * 20_000 + "1")[0][:2] == ("LW301", 1)


def test_a_cte_with_a_typing_error_is_suggested() -> None:
    assert "did you mean 'orders_clean'" in refused("with orders_clean as (select 1) from order_clean")[0][2]


def test_the_tree_is_the_callers_own() -> None:
    first = parse_query("select a from raw.x", path=PATH)
    first.expressions[0].replace(exp.column("b"))
    assert parse_query("select a from raw.x", path=PATH).sql() == "SELECT a FROM raw.x"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create table o as select * from (values (1, 'raw')) t(id, v)")
    con.execute("create table p as select * from (values (1, 'processed')) t(id, v)")
    return con


@pytest.mark.parametrize(
    "text, rows",
    [
        ("select orders.v from raw.orders", [("raw",)]),
        ("select raw.orders.v from raw.orders", [("raw",)]),
        ("select x.v from raw.orders as x", [("raw",)]),
        ("select raw.orders.* from raw.orders", [(1, "raw")]),
        ("select b from raw.orders as x(a, b)", [("raw",)]),
        (
            "select raw.orders.v, processed.orders.v from raw.orders join processed.orders"
            " on raw.orders.id = processed.orders.id",
            [("raw", "processed")],
        ),
        ("with orders as (select v || '!' as v from raw.orders) select v from orders", [("raw!",)]),
        ("select v from raw.orders where exists (from processed.orders p where p.id = orders.id)", [("raw",)]),
        ("select (select max(v) from processed.orders where processed.orders.id = raw.orders.id) from raw.orders",
         [("processed",)]),
        ("select count(*) from (from raw.orders union all from processed.orders)", [(2,)]),
        ('select "orders".v from "raw"."orders" using sample 1 rows', [("raw",)]),
        ("from (pivot raw.orders on v using count(*) group by id)", [(1, 1)]),
        ("select v from RAW.Orders where Orders.id = 1", [("raw",)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["table", "subquery", "query"])
def test_bind(con: duckdb.DuckDBPyConnection, text: str, rows: list[tuple[object, ...]], shape: str) -> None:
    query = parse_query(text, path=PATH)
    before = query.sql("duckdb")
    relations: dict[str, exp.Expr] = {}
    for id, name in (("raw.orders", "o"), ("processed.orders", "p")):
        select = exp.select("*").from_(name)
        relations[id] = {"table": exp.to_table(name), "subquery": select.subquery(), "query": select}[shape]
    assert con.execute(bind(query, relations).sql("duckdb")).fetchall() == rows
    assert query.sql("duckdb") == before


def test_tables_without_a_relation_stay() -> None:
    query = bind(parse_query("from raw.a, raw.b", path=PATH), {"raw.a": exp.to_table("x")})
    assert dependencies(query) == ("raw.b",)
    assert query.sql("duckdb") == "SELECT * FROM x AS a, raw.b"
