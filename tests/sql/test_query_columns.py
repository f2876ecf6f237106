"""Columns that queries give, held against what DuckDB itself says, and references that cannot be right."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp

from lakewright.errors import ProjectError
from lakewright.sql.query import bind, parse_query
from lakewright.sql.query_columns import output_columns, resolve
from lakewright.sql.query_relation import Relation

SCHEMA = {
    "raw.a": {
        "id": "INTEGER",
        "x": "BIGINT",
        "s": "STRUCT(f INTEGER, g STRUCT(h INTEGER))",
        "l": "INTEGER[]",
        "ls": "STRUCT(p INTEGER, q INTEGER)[]",
        "d": "DATE",
        "v": "VARCHAR",
        "m": "DECIMAL(10,2)",
        "ts": "TIMESTAMP WITH TIME ZONE",
        "b": "BOOLEAN",
        "two words": "VARCHAR",
    },
    "raw.k": {"id": "INTEGER", "w": "DOUBLE"},
    "curated.a": {"id": "INTEGER", "y": "INTEGER"},
}

GOOD = [
    "select * from raw.a",
    "from raw.a",
    "from raw.a select id, x as y",
    "select a.*, k.w from raw.a join raw.k on a.id = k.id",
    "select * from raw.a join raw.k on a.id = k.id",
    "select t.* from (select id, id, x from raw.a) t",
    "select * from raw.a join raw.k using (id)",
    "select * from raw.k full join raw.a using (ID)",
    "select id, w from raw.a left join raw.k using (id)",
    "select a.id, k.id as kid from raw.a join raw.k using (id)",
    "select * from raw.a natural join raw.k",
    "select * from raw.a semi join raw.k using (id)",
    "select * from raw.a anti join raw.k on a.id = k.id",
    "select raw.a.x, curated.a.y from raw.a, curated.a",
    "select * exclude (id, l) replace (x + 1 as x) rename (d as day) from raw.a",
    "select a.* exclude (id) from raw.a",
    "select a.*, k.* from raw.a join raw.k using (id)",
    'select "two words" as t, ID, X from raw.a',
    "select s.f, s.g.h, a.s.f as sf, (x), current_date, a.s.g.h as deep from raw.a",
    "select sum(x) as t, count(*) as n, min(d) as first_day from raw.a group by v having sum(x) > 1",
    "select v, count(*) filter (where b) as n from raw.a group by all order by all",
    "select x as y, y + 1 as z from raw.a where z > 1 and y < 5 order by z",
    "select x + 1 as id, id as old from raw.a",
    "select v as g, sum(x) as t from raw.a group by g order by t desc",
    "select v, d from raw.a group by 1, 2 order by 2",
    "select row_number() over (partition by v order by d) as rn, lag(x) over w as p from raw.a window w as (order by d)",
    "select *, row_number() over (order by x) as rn from raw.a qualify rn = 1",
    "select id from raw.a where exists (select 1 from raw.k where k.id = a.id and k.w > x)",
    "select id, (select max(w) from raw.k where k.id = a.id) as w from raw.a",
    "select id from raw.a where id in (select id from raw.k) and x not in (1, 2)",
    "with c as (select id, x from raw.a), e as (select *, x * 2 as xx from c) select e.* from e join c using (id)",
    "with c(p, q) as (select id, x from raw.a) from c",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select i, i * 2 as j from n",
    "with recursive n as (select id, 1 as depth from raw.a union all select n.id, depth + 1 from n where depth < 3) from n",
    "select id, w from raw.k union all select id, x from raw.a order by w",
    "select id from raw.a union all by name select id, w from raw.k",
    "select id from raw.a except select id from raw.k",
    "(select id from raw.a) intersect (select id from raw.k) order by 1",
    "select list_transform(l, e -> e + x) as p, list_filter(l, lambda e: e > 1) as q, [z * 2 for z in l if z > 1] as r from raw.a",
    "select u.unnest as e, t.w from raw.a, unnest(a.l) as u, unnest(l) as t(w)",
    "select id, y from raw.a, lateral (select a.x + 1 as y)",
    "select id, y from raw.a, (select x + 1 as y)",
    "select t.p, t.x from (select id, x from raw.a) as t(p)",
    "select c, e from (values (1, 'a'), (2, 'b')) as t(c, e)",
    "select col0 from (values (1, 2))",
    "select i from range(3) as r(i)",
    "select range as i from range(3)",
    "select r.range as i from range(3) r",
    "select j.key, j.value from raw.a, json_each('[1]') as j",
    "select {'k': id, 'n': {'m': x}} as o, struct_pack(k := id) as p, map {'a': b} as m from raw.a",
    "select a as whole, count(a) over () as n from raw.a",
    "select columns('^(id|x)$') from raw.a",
    "select columns(*) from raw.k",
    "select min(columns(*)) from raw.k",
    "select unnest(l) as e, id from raw.a",
    "select s.* from raw.a",
    "select * like '%i%' from raw.a",
    "from (pivot raw.a on v using sum(x) group by id) select id",
    "select id, name, value from (unpivot (select id, x::double as x, m::double as m from raw.a) on x, m into name name value value)",
    "select * from raw.a pivot (sum(x) for v in ('p', 'q') group by id)",
    "select id: a.id, n: x + 1 from raw.a",
    "select k.id from (raw.a join raw.k using (id))",
    "select * from (raw.a join raw.k using (id)) join curated.a c using (id)",
    "select p.id from raw.k p join raw.k q on p.id = q.id join raw.k r on q.id = r.id",
    "select distinct on (v) v, d from raw.a order by v, d desc",
    "select id from raw.a order by x, length(v) limit (select count(*) from raw.k)",
    "select case when b then 'yes' else 'no' end as c, if(b, x, 0) as i, coalesce(v, 'none') as e from raw.a",
    "select extract(year from d) as y, date_part('month', d) as m, d + interval 1 day as t, date_trunc('month', d) as mm from raw.a",
    "select x::integer as i, try_cast(v as date) as dd, cast(m as decimal(18,4)) as mm, id::text as t from raw.a",
    "select upper(v) as u, v || 'x' as w, concat(v, id) as c, length(v) as n, x > 1 as p, b and x is null as q from raw.a",
    "select year(d) as y, month(ts) as m, strftime(d, '%Y') as f, md5(v) as h, now() as n, avg(x) as a from raw.a group by all",
    "select any_value(v) as v, max(m) as m, arg_max(v, x) as best, list(x order by d) as l, string_agg(v, ',') as t from raw.a",
    "select 1 as one, 'a' as t, 1.5 as f, true as b, null as n, 9999999999 as big, -1 as neg, date '2024-01-01' as d",
    "select sum(id) as i, sum(m) as s, avg(m) as v, sum(w) as w, round(m, 1) as r, m * 2 as mm, id / 2 as h, id // 2 as q, abs(id) as a from raw.a join raw.k using (id) group by all",
    "select datediff('day', d, current_date) as age, dayname(d) as n, last_day(d) as e, to_timestamp(1) as t, epoch(ts) as s, d - d as days from raw.a",
    "select regexp_extract(v, 'a') as e, regexp_matches(v, 'a') as m, v like 'a%' as k, split_part(v, ',', 1) as p, trim(v) as t, left(v, 2) as f, contains(v, 'a') as c, starts_with(v, 'a') as sw from raw.a",
    "select greatest(id, 1) as g, least(x, 2) as s, nullif(id, 0) as n, ceil(m) as c, floor(id) as f, sqrt(id) as q, power(id, 2) as p, id % 2 as o, ln(id) as l from raw.a",
    "select rowid as r, id from raw.a",
    "select excluded.id from raw.a as excluded where excluded.id is null or true",
]  # fmt: skip


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for id, columns in SCHEMA.items():
        listed = ", ".join(f'"{name}" {type}' for name, type in columns.items())
        con.execute(f'create table "{id}" ({listed})')
    return con


@pytest.mark.parametrize("text", GOOD)
def test_columns_are_those_of_the_engine(con: duckdb.DuckDBPyConnection, text: str) -> None:
    query = parse_query(text, path="q.sql")
    tables = {id: exp.to_table(f'"{id}"', dialect="duckdb") for id in SCHEMA}
    sql = bind(query, tables).sql("duckdb")
    # as a table is made of the query: names that occur twice get a number
    described = con.execute(f"describe select * from ({sql})").fetchall()
    truth = {name: type for name, type, *_ in described}
    found = output_columns(query, SCHEMA)
    relation, unknown = resolve(query, {id: Relation.of(id, c) for id, c in SCHEMA.items()})
    assert unknown == []
    if relation.open:
        assert set(found) <= set(truth)
    elif not relation.unnamed:
        assert list(found) == list(truth)
    for name, type in found.items():
        assert type in ("", truth.get(name, type)), name
    # with nothing known of the datasets, nothing may be called wrong
    assert resolve(query, {})[1] == []
    partly = {id: Relation.of(id, list(c)[:1], open=True) for id, c in SCHEMA.items()}
    assert resolve(query, partly)[1] == []


def test_types_follow_where_they_are_certain() -> None:
    found = output_columns(
        parse_query(
            "with c as (select id, x, d, v, m from raw.a) select id, d as day, count(*) as n, max(m) as m, upper(v) as u,"
            " x > 1 as p, v::date as vd, sum(x) as s from c group by all",
            path="q.sql",
        ),
        SCHEMA,
    )
    assert found == {
        "id": "INTEGER", "day": "DATE", "n": "BIGINT", "m": "DECIMAL(10,2)", "u": "VARCHAR", "p": "BOOLEAN",
        "vd": "DATE", "s": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text, found",
    [
        ("select idd from raw.k", [("raw.k has no column 'idd'; did you mean 'id'?", 1)]),
        ("select k.id,\n  k.ww\nfrom raw.k", [("raw.k has no column 'ww'", 2)]),
        ("select t.ww from raw.k t", [("raw.k has no column 'ww'", 1)]),
        ("select id from raw.k\nwhere ww > 1", [("raw.k has no column 'ww'", 2)]),
        ("select id, count(*) from raw.k group by idd", [("raw.k has no column 'idd'", 1)]),
        ("select id from raw.k order by nope", [("raw.k has no column 'nope'", 1)]),
        ("select id from raw.k group by id having max(nope) > 1", [("raw.k has no column 'nope'", 1)]),
        ("select max(id) over (partition by nope) from raw.k", [("raw.k has no column 'nope'", 1)]),
        ("select * from raw.a join raw.k on a.id = k.nope", [("raw.k has no column 'nope'", 1)]),
        ("select * from raw.a join raw.k using (w)", [("raw.a has no column 'w'", 1)]),
        ("select nope from raw.a join raw.k using (id)", [("there is no column 'nope' here", 1)]),
        ("select z.id from raw.a", [("raw.a has no column 'z'", 1)]),
        ("select * exclude (nope) from raw.k", [("there is no column 'nope' here", 1)]),
        ("select * replace (nope + 1 as id) from raw.k", [("raw.k has no column 'nope'", 1)]),
        ("with c as (select id from raw.k) select id, w from c", [("there is no column 'w' here", 1)]),
        ("with c as (select id from raw.k) select c.w from c", [("c has no column 'w'", 1)]),
        ("select b.w from (select id from raw.k) b", [("b has no column 'w'", 1)]),
        ("select (select max(nope) from raw.k) from raw.a", [("there is no column 'nope' here", 1)]),
        ("select id from raw.a where exists (from raw.k where k.id = a.nope)", [("raw.a has no column 'nope'", 1)]),
        ("select nope as nope from raw.k", [("raw.k has no column 'nope'", 1)]),
        ("select later + 1 as x, id as later from raw.k", [("raw.k has no column 'later'", 1)]),
        ("select list_transform(l, e -> e + nope) from raw.a", [("raw.a has no column 'nope'", 1)]),
        ("select id from raw.k union all select idd from raw.k", [("raw.k has no column 'idd'", 1)]),
        ("select case when nope then 1 else nada end from raw.k", [
            ("raw.k has no column 'nada'", 1), ("raw.k has no column 'nope'", 1)]),
        ("from (pivot raw.k on w using sum(id)) p join raw.k q on q.nope = p.id", [("raw.k has no column 'nope'", 1)]),
        ("with recursive n as (select id as i from raw.k union all select j + 1 from n) from n",
         [("there is no column 'j' here", 1)]),
        ("select k.id from raw.k where w > any (select y from curated.a where nope = 1)",
         [("there is no column 'nope' here", 1)]),
    ],
)  # fmt: skip
def test_unknown_columns(text: str, found: list[tuple[str, int]]) -> None:
    with pytest.raises(ProjectError) as caught:
        output_columns(parse_query(text, path="q.sql"), SCHEMA)
    problems = [(p.message, p.where.line if p.where else 0) for p in caught.value.problems]
    assert {p.code for p in caught.value.problems} == {"LW305"}
    assert len(problems) == len(found)
    for (message, line), (start, where) in zip(sorted(problems), sorted(found), strict=True):
        assert message.startswith(start)
        assert line == where


def test_columns_left_out_of_something_open_are_known_to_be_gone() -> None:
    query = parse_query("select nope from (select * exclude (nope) from raw.unknown)", path="q.sql")
    assert [one.name for one in resolve(query, {})[1]] == ["nope"]
    query = parse_query("select other from (select * exclude (nope) from raw.unknown)", path="q.sql")
    assert resolve(query, {})[1] == []


def test_hidden_columns_of_stored_datasets_can_be_read_but_are_not_in_a_star() -> None:
    schema = {"processed.o": {"id": "INTEGER", "_batch_id": "BIGINT"}}
    assert list(output_columns(parse_query("from processed.o", path="q.sql"), schema)) == ["id"]
    named = output_columns(
        parse_query("select _batch_id, _ingested_at from processed.o", path="q.sql"), schema
    )
    assert named == {"_batch_id": "BIGINT", "_ingested_at": ""}
