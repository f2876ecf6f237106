"""Lineage by column through queries, steps and contracts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.spec.dataset import Column, Dataset, DatasetFile
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
)  # fmt: skip
from lakewright.sql.lineage import DIRECT, INDIRECT, Origin, column_lineage, lineage
from lakewright.sql.query_relation import applied

SCHEMA = {
    "raw.o": {
        "id": "BIGINT",
        "cid": "BIGINT",
        "qty": "INTEGER",
        "price": "DOUBLE",
        "status": "VARCHAR",
        "at": "DATE",
    },
    "raw.c": {"cid": "BIGINT", "name": "VARCHAR", "email": "VARCHAR"},
}


def dataset(sql: str | None = None, *, steps: tuple[Step, ...] = (), **columns: str) -> Dataset:
    file = DatasetFile(
        from_=None if sql else "raw.o",
        steps=steps,
        columns={name: Column(type=kind or None) for name, kind in columns.items()},
    )
    return Dataset(
        zone="processed", name="d", file=file, path="d.yaml", sql=sql, sql_path="d.sql" if sql else None
    )


def short(sql: str | None = None, *, steps: tuple[Step, ...] = (), **columns: str) -> dict[str, set[str]]:
    found = lineage(dataset(sql, steps=steps, **columns), SCHEMA)
    result = {
        name: {f"{o.dataset.split('.')[1]}.{o.column}:{o.transformation}" for o in origins}
        for name, origins in found.columns.items()
    }
    result["*"] = {f"{o.dataset.split('.')[1]}.{o.column}:{o.transformation}" for o in found.rows}
    return result


@pytest.mark.parametrize(
    "sql, expected",
    [
        ("select id, qty as n from raw.o", {"id": {"o.id:IDENTITY"}, "n": {"o.qty:IDENTITY"}, "*": set()}),
        ("select qty * price as t from raw.o", {"t": {"o.qty:TRANSFORMATION", "o.price:TRANSFORMATION"}, "*": set()}),
        ("select sum(qty * price) as t from raw.o", {"t": {"o.qty:AGGREGATION", "o.price:AGGREGATION"}, "*": set()}),
        ("select round(max(qty)) as t, count(*) as n from raw.o group by status",
         {"t": {"o.qty:AGGREGATION"}, "n": set(), "*": {"o.status:GROUP_BY"}}),
        ("select status, sum(qty) as t from raw.o group by all",
         {"status": {"o.status:IDENTITY"}, "t": {"o.qty:AGGREGATION"}, "*": {"o.status:GROUP_BY"}}),
        ("select at as d, count(*) as n from raw.o where qty > 0 group by 1 having max(price) > 1 order by d",
         {"d": {"o.at:IDENTITY"}, "n": set(),
          "*": {"o.at:GROUP_BY", "o.at:SORT", "o.qty:FILTER", "o.price:FILTER"}}),
        ("select name, id from raw.o join raw.c using (cid)",
         {"name": {"c.name:IDENTITY"}, "id": {"o.id:IDENTITY"}, "*": {"o.cid:JOIN", "c.cid:JOIN"}}),
        ("select case when status = 'x' then qty else 0 end as q from raw.o",
         {"q": {"o.status:CONDITIONAL", "o.qty:TRANSFORMATION"}, "*": set()}),
        ("select coalesce(name, email) as n from raw.c",
         {"n": {"c.name:CONDITIONAL", "c.name:TRANSFORMATION", "c.email:CONDITIONAL", "c.email:TRANSFORMATION"},
          "*": set()}),
        ("select id, row_number() over (partition by cid order by at) as rn, sum(qty) over w as s "
         "from raw.o window w as (partition by status)",
         {"id": {"o.id:IDENTITY"}, "rn": {"o.cid:WINDOW", "o.at:WINDOW"},
          "s": {"o.qty:AGGREGATION", "o.status:WINDOW"}, "*": set()}),
        ("with a as (select cid, sum(qty) as n from raw.o where status = 'x' group by cid), "
         "b as (select a.*, upper(c.name) as who from a join raw.c c on a.cid = c.cid) "
         "select who, n + 1 as n from b",
         {"who": {"c.name:TRANSFORMATION"}, "n": {"o.qty:AGGREGATION"},
          "*": {"o.status:FILTER", "o.cid:GROUP_BY", "o.cid:JOIN", "c.cid:JOIN"}}),
        ("select id from raw.o where cid in (select cid from raw.c where name is not null)",
         {"id": {"o.id:IDENTITY"}, "*": {"o.cid:FILTER", "c.cid:FILTER", "c.name:FILTER"}}),
        ("select id, (select max(name) from raw.c where c.cid = o.cid) as who from raw.o",
         {"id": {"o.id:IDENTITY"}, "who": {"c.name:AGGREGATION"}, "*": {"c.cid:FILTER", "o.cid:FILTER"}}),
        ("select cid as k from raw.o union all select cid from raw.c",
         {"k": {"o.cid:IDENTITY", "c.cid:IDENTITY"}, "*": set()}),
        ("select name, status from raw.c, (select status from raw.o o where o.cid = c.cid)",
         {"name": {"c.name:IDENTITY"}, "status": {"o.status:IDENTITY"}, "*": {"o.cid:FILTER", "c.cid:FILTER"}}),
        ("select qty as a, a + 1 as b from raw.o", {"a": {"o.qty:IDENTITY"}, "b": {"o.qty:TRANSFORMATION"}, "*": set()}),
        ("select distinct on (cid) cid, at from raw.o order by cid, at desc",
         {"cid": {"o.cid:IDENTITY"}, "at": {"o.at:IDENTITY"}, "*": {"o.cid:GROUP_BY", "o.cid:SORT", "o.at:SORT"}}),
        ("select * exclude (at, status, id, qty) replace (price / 2 as price) from raw.o",
         {"cid": {"o.cid:IDENTITY"}, "price": {"o.price:TRANSFORMATION"}, "*": set()}),
        ("select id, x as each from raw.o, unnest(string_split(status, ',')) t(x)",
         {"id": {"o.id:IDENTITY"}, "each": {"o.status:TRANSFORMATION"}, "*": set()}),
        ("select count(*) filter (where status = 'x') as n, list(qty order by at) as l from raw.o",
         {"n": {"o.status:FILTER"}, "l": {"o.qty:AGGREGATION", "o.at:AGGREGATION"}, "*": set()}),
        ("with recursive r as (select id, cid from raw.o union all select r.id, c.cid from r join raw.c c using (cid)) from r",
         {"id": {"o.id:IDENTITY"}, "cid": {"o.cid:IDENTITY", "c.cid:IDENTITY"}, "*": {"o.cid:JOIN", "c.cid:JOIN"}}),
    ],
)  # fmt: skip
def test_through_sql(sql: str, expected: dict[str, set[str]]) -> None:
    assert short(sql) == expected


def test_digests_mask() -> None:
    found = column_lineage(dataset("select sha256(email) as e, md5(name) as n, cid from raw.c"), SCHEMA)
    assert found["e"] == (Origin("raw.c", "email", "TRANSFORMATION", masking=True),)
    assert found["n"][0].masking
    assert not found["cid"][0].masking


@pytest.mark.parametrize(
    "steps, expected",
    [
        ((Rename(columns={"qty": "n"}), Select(columns=("n",))), {"n": {"o.qty:IDENTITY"}, "*": set()}),
        ((Derive(columns={"t": "qty * price"}), Select(columns=("t",))),
         {"t": {"o.qty:TRANSFORMATION", "o.price:TRANSFORMATION"}, "*": set()}),
        ((Derive(columns={"qty": "qty + 1"}), Select(columns=("qty",))), {"qty": {"o.qty:TRANSFORMATION"}, "*": set()}),
        ((Cast(columns={"at": "timestamp"}), Select(columns=("at",))), {"at": {"o.at:TRANSFORMATION"}, "*": set()}),
        ((DateParts(column="at", parts=("year",)), Select(columns=("at_year",))),
         {"at_year": {"o.at:TRANSFORMATION"}, "*": set()}),
        ((NormalizeText(), Select(columns=("status", "qty"))),
         {"status": {"o.status:TRANSFORMATION"}, "qty": {"o.qty:IDENTITY"}, "*": set()}),
        ((FillNulls(columns={"qty": 0}), MapValues(column="status", values={"a": "b"}), Select(columns=("qty", "status"))),
         {"qty": {"o.qty:TRANSFORMATION"}, "status": {"o.status:TRANSFORMATION"}, "*": set()}),
        ((Filter(where="qty > 0 and cid in (select cid from raw.c)"), DropNulls(columns=("at",)), Select(columns=("id",))),
         {"id": {"o.id:IDENTITY"}, "*": {"o.qty:FILTER", "o.cid:FILTER", "c.cid:FILTER", "o.at:FILTER"}}),
        ((Deduplicate(keys=("id",), latest_by="at"), Select(columns=("id",))),
         {"id": {"o.id:IDENTITY"}, "*": {"o.id:GROUP_BY", "o.at:SORT"}}),
        ((Aggregate(by=("status",), columns={"t": "sum(qty)"}),),
         {"status": {"o.status:IDENTITY"}, "t": {"o.qty:AGGREGATION"}, "*": {"o.status:GROUP_BY"}}),
        ((Drop(columns=("id", "cid", "qty", "price", "at")),), {"status": {"o.status:IDENTITY"}, "*": set()}),
        ((PythonStep(function="m:f"), Select(columns=("status",))), {"status": {"o.status:TRANSFORMATION"}, "*": set()}),
    ],
)  # fmt: skip
def test_through_steps(steps: tuple[Step, ...], expected: dict[str, set[str]]) -> None:
    assert short(steps=steps) == expected


def test_names_are_standardised_and_structs_flattened() -> None:
    schema = {
        "raw.o": {"Order ID": "BIGINT", "Addr": "STRUCT(city VARCHAR, zip VARCHAR)", "Lines": "INTEGER[]"}
    }
    steps = (StandardizeNames(), Flatten(columns=("addr",)), Unnest(column="lines"))
    found = column_lineage(dataset(steps=steps), schema)
    assert {name: [(o.column, o.transformation) for o in origins] for name, origins in found.items()} == {
        "order_id": [("Order ID", "IDENTITY")],
        "addr_city": [("Addr", "TRANSFORMATION")],
        "addr_zip": [("Addr", "TRANSFORMATION")],
        "lines": [("Lines", "TRANSFORMATION")],
    }


def test_the_contract_casts_and_comes_first() -> None:
    found = short(steps=(Drop(columns=("id", "cid", "price")),), at="timestamp", qty="integer")
    assert list(found) == ["at", "qty", "status", "*"]
    assert found["at"] == {"o.at:TRANSFORMATION"}
    assert found["qty"] == {"o.qty:IDENTITY"}


def test_columns_of_an_unknown_input_are_taken_to_come_through_by_name() -> None:
    one = dataset("select * from raw.unknown", total="double")
    assert column_lineage(one, {}) == {"total": (Origin("raw.unknown", "total", "TRANSFORMATION"),)}
    one = msgspec.structs.replace(
        dataset(total=""), file=DatasetFile(from_="raw.unknown", columns={"total": Column()})
    )
    assert column_lineage(one, {}) == {"total": (Origin("raw.unknown", "total"),)}


def test_a_function_has_no_known_origins() -> None:
    one = Dataset(
        zone="curated",
        name="p",
        file=DatasetFile(columns={"a": Column(type="int")}),
        path="p.yaml",
        python="p.py",
    )
    assert column_lineage(one, {}) == {"a": ()}


KINDS = st.sampled_from([*DIRECT, *INDIRECT])


@given(st.sampled_from(["a", "b"]), KINDS, KINDS, KINDS)
def test_following_a_value_does_not_depend_on_where_one_starts(
    name: str, one: str, two: str, three: str
) -> None:
    """Applied one after the other: direct parts keep the strongest, an indirect part stays."""
    start = frozenset({Origin("raw.x", name, one)})
    chained = applied(applied(start, two), three)
    kinds = [one, two, three]
    first_indirect = next((kind for kind in kinds if kind in INDIRECT), None)
    expected = first_indirect or max(kinds, key=DIRECT.index)
    assert chained == frozenset({Origin("raw.x", name, expected)})
