"""Results of queries that are kept: given again, never stale, in SQLite and in Redis."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from lake_shops import csv, make_project
from shop_folder import Folder

import lakewright
from lakewright.errors import UsageError
from servers import Redis

DATASET = """
    from: raw.{0}
    columns:
      id: {{type: bigint, key: true}}
      amount: {{type: "decimal(10,2)"}}
    """
QUERY = "select sum(amount) as total from processed.orders"


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def store(request: pytest.FixtureRequest) -> str:
    """Where results are kept."""
    if request.param == "sqlite":
        return "sqlite:.lakewright/queries.db"
    server: Redis = request.getfixturevalue("redis_server")
    return server.url()


def shop(folder: Folder, store: str, settings: str = "lifetime: 1h") -> Folder:
    """A project of two datasets that keeps results."""
    text = (
        (folder / "lakewright.yaml").read_text() if (folder / "lakewright.yaml").exists() else "name: shop\n"
    )
    line = f'{{store: "{store}", {settings}}}'
    if text.startswith("{"):
        folder.write("lakewright.yaml", f'{text.rstrip()[:-1]}, "query_cache": {line}}}\n')
    else:
        folder.write("lakewright.yaml", f"{text}query_cache: {line}\n")
    folder.write(
        "sources/files.yaml",
        """
        kind: files
        path: in
        datasets:
          orders: {files: "orders-*.csv", format: csv, options: {delimiter: ",", header: true}}
          others: {files: "others-*.csv", format: csv, options: {delimiter: ",", header: true}}
        """,
    )
    for name in ("orders", "others"):
        folder.write(f"datasets/processed/{name}.yaml", DATASET.format(name))
        folder.write(f"in/{name}-1.csv", csv("id,amount", "1,10.50", "2,20.00"))
    return folder


def figures(lw: lakewright.Lakewright) -> tuple[int, int]:
    found = lw.cache()
    return found.hits, found.misses


def test_a_result_is_given_again_until_what_it_was_read_from_changes(tmp_path: Path, store: str) -> None:
    folder = shop(Folder(tmp_path / "shop"), store)
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        lw.cache(clear=True)
        assert lw.sql(QUERY).fetchall() == [(Decimal("30.50"),)]
        assert figures(lw) == (0, 1)
        spelled = "SELECT  sum(amount) AS total -- the same\n FROM processed.orders ;"
        assert [lw.sql(one).fetchall() for one in (QUERY, spelled)] == [[(Decimal("30.50"),)]] * 2
        assert figures(lw) == (2, 1)
        # another table changes: this one does not
        folder.write("in/others-2.csv", csv("id,amount", "3,1.00"))
        lw.run().raise_for_status()
        assert lw.sql(QUERY).fetchall() == [(Decimal("30.50"),)]
        assert figures(lw) == (3, 1)
        folder.write("in/orders-2.csv", csv("id,amount", "3,1.00"))
        lw.run().raise_for_status()
        assert lw.sql(QUERY).fetchall() == [(Decimal("31.50"),)]
        assert figures(lw) == (3, 2)
    # in another process as well
    with lakewright.open(folder.root) as lw:
        assert lw.sql(QUERY).fetchall() == [(Decimal("31.50"),)]
        assert figures(lw) == (4, 2)
        assert lw.cache().rate == 4 / 6
        lw.cache(clear=True)
        assert (lw.cache().entries, figures(lw)) == (0, (0, 0))


def test_never_stale_on_any_lake(lake_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = shop(make_project(tmp_path / "shop", lake_kind, request), "sqlite:.lakewright/queries.db")
    raw = "select count(*) from raw.orders"
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        first = lw.snapshots()[0].id
        for round_ in range(2, 5):
            expected = [(Decimal("30.50") + round_ - 2,)]
            assert lw.sql(QUERY).fetchall() == lw.sql(QUERY).fetchall() == expected
            assert lw.sql(raw).fetchall() == lw.sql(raw).fetchall() == [(round_,)]
            folder.write(f"in/orders-{round_}.csv", csv("id,amount", f"{round_ + 1},1.00"))
            lw.run().raise_for_status()
        if lake_kind != "iceberg-rest":
            assert lw.sql(QUERY, as_of=first).fetchall() == [(Decimal("30.50"),)]
            assert lw.sql(QUERY, as_of=first).fetchall() == [(Decimal("30.50"),)]
            lw.restore("processed.orders", to=first)
            assert lw.sql(QUERY).fetchall() == [(Decimal("30.50"),)]
        assert lw.cache().hits >= 6


UNSTEADY = [
    "select now(), sum(amount) from processed.orders",
    "select current_date, count(*) from processed.orders",
    "select random() from processed.orders",
    "select id from processed.orders using sample 1 rows",
    "select uuid() from processed.orders",
    "select age(timestamp '2020-01-01'), id from processed.orders",
    "select count(*) from ops.runs",
    "select count(*) from information_schema.tables",
    "select count(*) from duckdb_settings()",
    "select interval 1 day, id from processed.orders",  # comes back from Arrow as another type
    "explain select 1",
]


@pytest.mark.parametrize("query", UNSTEADY)
def test_what_may_be_another_thing_the_next_time_is_not_kept(tmp_path: Path, query: str) -> None:
    folder = shop(Folder(tmp_path / "shop"), "sqlite:.lakewright/queries.db")
    with lakewright.open(folder.root) as lw:
        lw.run("orders").raise_for_status()
        lw.sql(query).fetchall()
        lw.sql(query).fetchall()
        assert (lw.cache().entries, lw.cache().hits) == (0, 0)


def test_values_are_the_same_from_the_cache(tmp_path: Path) -> None:
    folder = shop(Folder(tmp_path / "shop"), "sqlite:.lakewright/queries.db")
    query = """
        with two as (select * from processed.orders)
        select id, amount, id / 3 as d, id = 1 as b, 'é''"' || id as t, date '2024-02-29' as day, time '12:30:00.5' as tm,
          timestamp '2024-02-29 12:00:00.123456' as ts, timestamptz '2024-02-29 12:00:00+02' as tz, 'a\\x00'::blob as bin,
          cast(null as varchar) as nothing, cast(id as utinyint) as small, cast('nan' as double) as nan
        from two where id >= $least order by id
        """
    with lakewright.open(folder.root) as lw:
        lw.run("orders").raise_for_status()
        rows = [lw.sql(query, {"least": 1}) for _ in range(2)]
        ran, kept = (one.fetchall() for one in rows)
        assert repr(kept) == repr(ran) or [one[:-1] for one in kept] == [one[:-1] for one in ran]
        assert lw.cache().hits >= 1
        assert (
            rows[0].to_arrow().equals(rows[1].to_arrow())
            or rows[0].to_arrow().schema == rows[1].to_arrow().schema
        )
        assert rows[0].to_pandas().dtypes.equals(rows[1].to_pandas().dtypes)
        assert rows[0].to_polars().schema == rows[1].to_polars().schema
        assert lw.sql(query, {"least": 2}).fetchall()[0][0] == 2
        empty = "select id from processed.orders where false"
        assert lw.sql(empty).fetchall() == lw.sql(empty).fetchall() == []


def test_limits_of_time_and_size(tmp_path: Path) -> None:
    folder = shop(
        Folder(tmp_path / "shop"),
        "sqlite:.lakewright/queries.db",
        "lifetime: 300ms, max_result: 1kB, max_size: 3kB",
    )
    with lakewright.open(folder.root) as lw:
        lw.run("orders").raise_for_status()
        large = "select repeat('x', 2000) || id as t from processed.orders order by id"
        assert len(lw.sql(large).fetchall()) == len(lw.sql(large).fetchall()) == 2
        assert lw.cache().entries == 0
        for number in range(20):
            lw.sql(f"select {number} as n, id from processed.orders").fetchall()
        assert 0 < lw.cache().bytes <= 3000
        hits = lw.cache().hits
        lw.sql(QUERY).fetchall()
        lw.sql(QUERY).fetchall()
        assert lw.cache().hits == hits + 1
        import time

        time.sleep(0.4)
        lw.sql(QUERY).fetchall()
        assert lw.cache().hits == hits + 1


def test_a_damaged_store_or_one_that_is_away_costs_no_answer(tmp_path: Path) -> None:
    folder = shop(Folder(tmp_path / "shop"), "sqlite:.lakewright/queries.db")
    expected = [(Decimal("30.50"),)]
    with lakewright.open(folder.root) as lw:
        lw.run("orders").raise_for_status()
        lw.sql(QUERY).fetchall()
    with sqlite3.connect(folder / ".lakewright/queries.db") as store:
        store.execute("UPDATE results SET body = substr(body, 1, 40)")
    with lakewright.open(folder.root) as lw:
        assert lw.sql(QUERY).fetchall() == lw.sql(QUERY).fetchall() == expected
    (folder / ".lakewright/queries.db").write_bytes(b"no database at all" * 100)
    with lakewright.open(folder.root) as lw:
        assert lw.sql(QUERY).fetchall() == lw.sql(QUERY).fetchall() == expected
        assert lw.cache().hits == 1
    folder.write("lakewright.yaml", "name: shop\nquery_cache: {store: 'redis://127.0.0.1:1/0'}\n")
    with lakewright.open(folder.root) as lw:
        assert lw.sql(QUERY).fetchall() == expected


def test_a_project_without_a_cache_says_so(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    folder.write("lakewright.yaml", "name: shop\n")
    with lakewright.open(folder.root) as lw, pytest.raises(UsageError, match="query_cache"):
        lw.cache()
