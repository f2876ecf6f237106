"""The statements of star schemas: surrogate keys of histories, and both spellings of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one
from syrupy.assertion import SnapshotAssertion
from tables import connect, make, rows, run

from lakewright.spec.dataset import Scd2, Write
from lakewright.sql import star
from lakewright.sql.dialect import Dialect, foreign_functions, render
from lakewright.sql.names import table
from lakewright.sql.star import Found, Members
from lakewright.sql.surrogate import surrogate
from lakewright.sql.write import output_columns, publish_statements

COLUMNS = {"id": "BIGINT", "city": "VARCHAR", "changed_at": "TIMESTAMP", "_batch_id": "BIGINT"}
START = datetime(2024, 1, 1, tzinfo=UTC)
KEY = "customer_key"


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    made = connect("duckdb", tmp_path_factory.mktemp("star"))
    yield made
    made.close()


def history(
    con: duckdb.DuckDBPyConnection, write: Write, batches: list[list[tuple[int, str, int]]]
) -> list[Any]:
    """Publish *batches* (id, city, day of the change), a day apart, and return what there is: key, id, start."""
    target = make(con, "customers", output_columns(write, COLUMNS, surrogate=KEY))
    for number, batch in enumerate(batches):
        values = [(id, city, START + timedelta(days=day), number + 1) for id, city, day in batch]
        statements = publish_statements(
            write, ("id",), target, rows(COLUMNS, values), COLUMNS,
            first=number == 0, at=START + timedelta(days=100 + number), surrogate=KEY,
        )  # fmt: skip
        run(con, statements)
    return con.execute(
        f"SELECT {KEY}, id, valid_from, city FROM lake.zone.customers ORDER BY id, valid_from"
    ).fetchall()


def expected_keys(con: duckdb.DuckDBPyConnection, found: list[Any]) -> list[int]:
    """The keys that the rule gives: of the natural key for the first version, of its start too for others."""
    keys = []
    for place, (_, id, since, _) in enumerate(found):
        first = place == 0 or found[place - 1][1] != id
        row = f"(SELECT CAST({id} AS BIGINT) AS id, CAST('{since}' AS TIMESTAMP) AS since) AS r"
        text = surrogate(KEY, ["id"], "r", since="" if first else "r.since")
        keys += [row_[0] for row_ in con.execute(f"SELECT {text} FROM {row}").fetchall()]
    return keys


change = st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.integers(0, 5))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(change, max_size=4), min_size=1, max_size=4),
    timed=st.booleans(),
    deletes=st.booleans(),
)
def test_each_version_has_the_key_that_its_start_gives(
    con: duckdb.DuckDBPyConnection, batches: list[list[tuple[int, str, int]]], timed: bool, deletes: bool
) -> None:
    if not timed:  # then a batch has a row per key
        batches = [list({one[0]: one for one in batch}.values()) for batch in batches]
    write = Write(mode="scd2", scd2=Scd2(changed_at="changed_at" if timed else None, detect_deletes=deletes))
    found = history(con, write, batches)
    assert [one[0] for one in found] == expected_keys(con, found)
    assert len({one[0] for one in found}) == len(found)


def test_keys_of_several_columns_do_not_run_into_each_other(con: duckdb.DuckDBPyConnection) -> None:
    text = surrogate("k", ["a", "b"], "r")
    pairs = [
        ("1", "11"),
        ("11", "1"),
        ("", "111"),
        ("1:1", ""),
        (None, "1"),
        ("1", None),
        ("-", "-"),
        (None, None),
    ]
    found = [
        con.execute(f"SELECT {text} FROM (SELECT ? AS a, ? AS b) AS r", list(one)).fetchone() for one in pairs
    ]
    assert len(set(found)) == len(pairs)
    assert all(0 <= one[0] < 2**60 for one in found if one)


MEMBERS = Members(
    "curated.dim_customer",
    table("curated.dim_customer"),
    KEY,
    ("id",),
    {KEY: "BIGINT", "id": "BIGINT", "city": "VARCHAR", "valid_from": "TIMESTAMP", "valid_to": "TIMESTAMP",
     "is_current": "BOOLEAN", "is_inferred": "BOOLEAN", "_batch_id": "BIGINT", "_seen_at": "TIMESTAMP[]"},
    versions=True,
)  # fmt: skip
CODES = Members(
    "curated.dim_status", table("curated.dim_status"), "status_key", ("status", "is_gift"),
    {"status_key": "BIGINT", "status": "VARCHAR", "is_gift": "BOOLEAN", "is_inferred": "BOOLEAN"},
)  # fmt: skip
LOOKUP = Found(KEY, MEMBERS, {"id": "customer_id"}, "sold_at")
PLAIN = Found("status_key", CODES, {"status": "status", "is_gift": "is_gift"})
ROWS = parse_one("SELECT sale, customer_id, sold_at, status, is_gift, _batch_id FROM stage", dialect="duckdb")
SALES = {"sale": "BIGINT", "customer_id": "BIGINT", "sold_at": "TIMESTAMP", "status": "VARCHAR",
         "is_gift": "BOOLEAN", "_batch_id": "BIGINT"}  # fmt: skip
FACT = table("curated.fact_sales")
AT = "2024-05-01T00:00:00+00:00"

STATEMENTS = {
    "keyed_rows": star.keyed_rows(parse_one("SELECT status, is_gift, _batch_id FROM stage"),
                                  {"status": "VARCHAR", "is_gift": "BOOLEAN", "_batch_id": "BIGINT"},
                                  "status_key", ("status", "is_gift"))[0],
    "members": star.members(MEMBERS, 3, AT, {-1: {"city": "it's nowhere"}}),
    "known_keys": star.known_keys(MEMBERS, "_before"),
    "lost_members": star.lost_members(MEMBERS, "_before", 3, AT),
    "replace_inferred": star.replace_inferred(MEMBERS, ROWS),
    "doubled": star.doubled(MEMBERS, 3),
    "infer": star.infer(LOOKUP, ROWS, 4, AT),
    "fact_rows": star.fact_rows(ROWS, SALES, [LOOKUP, PLAIN])[0],
    "outdated": star.outdated(LOOKUP, FACT, 3),
    "repair": star.repair(LOOKUP, FACT, 3),
    "repair_plain": star.repair(PLAIN, FACT, None),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_both_spellings(name: str, dialect: Dialect, snapshot: SnapshotAssertion) -> None:
    sql = render(STATEMENTS[name], dialect, pretty=True)
    assert parse_one(sql, dialect=dialect)
    assert foreign_functions(STATEMENTS[name]) == ()
    assert sql == snapshot
