"""Stars served by warehouses: whole loads, new rows, failures and crashes, seen by their readers."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from processes import start
from shop_folder import Folder
from star_folder import customers, sales
from warehouse_places import Place

import lakewright
from lakewright.app.run import RunReport

CITIES = "select city, sales from by_city order by city"
ORPHANS = """select count(*) from fact_sales where customer_key not in (select customer_key from dim_customer)
             or date_key not in (select date_key from dim_date)"""


def run(folder: Folder, **more: Any) -> RunReport:
    with lakewright.open(folder.root) as lw:
        return lw.run(**more)


def cities(place: Place) -> dict[str | None, int]:
    return {city: int(count) for city, count in place.query(CITIES)}


def test_a_star_is_served_and_follows_the_lake(star: Folder, place: Place) -> None:
    first = run(star).raise_for_status()["warehouse.bi"]
    assert (first.status, first.rows) == ("built", 6 + 368 + 4 + 3)
    assert cities(place) == {"Rome": 2, "Paris": 1, None: 1}
    assert place.query("select sales from by_month b where b.year_month = '2024-03'") == [(2,)]
    assert run(star)["warehouse.bi"].status == "unchanged"

    customers(star, 2, [(3, "Bern", "2024-02-20"), (1, "Milan", "2024-02-01")])
    sales(star, 2, [(5, 2, "2024-04-01")])
    run(star).raise_for_status()
    after = {"Bern": 1, "Milan": 1, "Oslo": 1, "Paris": 1, "Rome": 1}
    assert cities(place) == after
    assert {city: int(count) for city, count in place.query("select city, sales from kept")} == after
    assert place.query("select sales from by_month b where b.year_month = '2024-04'") == [(1,)]
    assert place.query(ORPHANS) == [(0,)]
    loads = place.query("select name, dataset, batch from lakewright_loads where dataset <> '' order by name")
    assert [one[:2] for one in loads] == [
        ("dim_customer", "curated.dim_customer"),
        ("dim_date", "curated.dim_date"),
        ("fact_sales", "curated.fact_sales"),
    ]


def test_new_rows_are_added_by_key(star: Folder, place: Place) -> None:
    text = (star / "warehouses/bi.yaml").read_text()
    star.write(
        "warehouses/bi.yaml",
        text.replace("curated.fact_sales, indexes", "curated.fact_sales, mode: upsert, indexes"),
    )
    run(star).raise_for_status()
    sales(star, 2, [(5, 2, "2024-04-01"), (1, 2, "2024-01-02")])  # one new, one that is another now
    report = run(star).raise_for_status()
    assert report["warehouse.bi"].rows == 6 + 368 + 2 + 4
    assert cities(place) == {"Rome": 1, "Paris": 1, "Oslo": 2, None: 1}
    assert place.query("select sale, customer_id from fact_sales order by sale") == [
        (1, 2), (2, 1), (3, 1), (4, 3), (5, 2),
    ]  # fmt: skip
    assert place.query("select sales from by_month b where b.year_month = '2024-04'") == [(1,)]
    # a change that sets keys of old facts right has the whole sent again
    customers(star, 2, [(1, "Milan", "2024-02-01")])
    assert run(star).raise_for_status()["warehouse.bi"].rows == 7 + 368 + 5 + 4
    assert cities(place) == {"Milan": 1, "Paris": 1, "Oslo": 2, None: 1}
    assert place.query(ORPHANS) == [(0,)]


def test_a_load_that_fails_leaves_what_was_served(star: Folder, place: Place) -> None:
    run(star).raise_for_status()
    before = cities(place), place.query("select * from lakewright_loads order by name")
    text = (star / "warehouses/bi.yaml").read_text()
    star.write(
        "warehouses/bi.yaml",
        text.replace("group by year_month", "group by year_month having max(nope) > 1"),
    )
    customers(star, 2, [(3, "Bern", "2024-02-20")])
    failed = run(star)["warehouse.bi"]
    assert (failed.status, failed.code) == ("failed", "LW853")
    assert (cities(place), place.query("select * from lakewright_loads order by name")) == before
    star.write("warehouses/bi.yaml", text)
    run(star, from_failed=True).raise_for_status()
    assert cities(place) == {"Rome": 2, "Paris": 1, "Bern": 1}


def test_what_is_not_ours_is_not_replaced(star: Folder, place: Place) -> None:
    if place.kind == "postgres":
        place.run("create schema bi")
    place.run(
        "create table fact_sales (precious integer)"
        if place.kind != "postgres"
        else "create table bi.fact_sales (precious integer)"
    )
    failed = run(star)["warehouse.bi"]
    assert (failed.status, failed.code) == ("failed", "LW854")
    assert place.query("select count(precious) from fact_sales") == [(0,)]


def test_tables_and_views_that_are_no_longer_wanted_go(star: Folder, place: Place) -> None:
    run(star).raise_for_status()
    text = (star / "warehouses/bi.yaml").read_text().splitlines()
    star.write(
        "warehouses/bi.yaml", "\n".join(one for one in text if "kept" not in one and "by_month" not in one)
    )
    run(star).raise_for_status()
    schema = {"duckdb": "main", "postgres": "bi"}.get(place.kind)
    where = f"table_schema = '{schema}'" if schema else "table_schema = database()"
    found = place.query(f"select table_name from information_schema.tables where {where}")
    assert {one[0] for one in found} >= {"dim_customer", "dim_date", "fact_sales", "lakewright_loads"}
    assert {one[0] for one in found} & {"by_month", "kept"} == set()


NASTY = [
    "NULL", "", " ", 'quo"te', "com,ma", "tab\\tand\\\\backslash", "new\\nline", "\\r\\n", "emoji 😀", "日本語", "'; DROP TABLE t; --", "\\\\N",
]  # fmt: skip


def test_values_arrive_as_they_are(tmp_path: Path, place: Place) -> None:
    folder = Folder(tmp_path / "types")
    folder.write("lakewright.yaml", "name: types\n")
    texts = " union all ".join(
        f"select {n} as id, e'{text.replace(chr(39), chr(39) * 2)}' as t" for n, text in enumerate(NASTY)
    )
    folder.write(
        "datasets/curated/every_type.sql",
        f"""
        select id, t, cast(id as tinyint) as tiny, cast(id as ubigint) + 18446744073709551000 as big, cast(id as hugeint) as huge,
          id % 2 = 0 as b, id / 7 as f, cast(id as decimal(30, 10)) / 3 as d, date '2024-02-29' as day,
          timestamp '2024-02-29 23:59:59.123456' as ts, timestamptz '2024-02-29 23:59:59.123456+00' as tz, time '12:34:56.5' as tm,
          cast('ab' as blob) as bin, [id, id + 1] as list, {{'a': t}} as struct, cast(null as varchar) as nothing
        from ({texts})
        """,
    )
    folder.write(
        "warehouses/bi.yaml", f"connection: {place.connection}\ntables: {{every_type: curated.every_type}}\n"
    )
    run(folder).raise_for_status()
    with lakewright.open(folder.root) as lw:
        expected = lw.sql("select id, t from curated.every_type order by id").fetchall()
    assert [(int(id), t) for id, t in place.query("select id, t from every_type order by id")] == expected
    row = place.query(
        "select big, huge, b, day, tm, bin, list, struct, nothing, tiny, ts from every_type where id = 3"
    )[0]
    assert [int(row[0]), int(row[1]), bool(row[2]), row[3].isoformat()] == [
        18446744073709551003,
        3,
        False,
        "2024-02-29",
    ]
    assert (
        row[4].total_seconds() == 45296.5
        if hasattr(row[4], "total_seconds")
        else row[4].isoformat() == "12:34:56.500000"
    )
    assert bytes(row[5]) == b"ab"
    assert str(row[6]).replace(" ", "") == "[3,4]"
    assert str(row[7]).replace(" ", "") == '{"a":"quo\\"te"}'
    assert (row[8], int(row[9]), row[10].isoformat()) == (None, 3, "2024-02-29T23:59:59.123456")


@pytest.mark.slow
def test_readers_see_all_of_a_load_or_nothing(star: Folder, place: Place) -> None:
    run(star).raise_for_status()
    stop, seen, wrong = threading.Event(), set[int](), list[object]()

    def read() -> None:
        query = f"select (select count(*) from fact_sales), ({ORPHANS})"
        while not stop.is_set():
            try:
                count, orphans = place.query(query)[0]
            except Exception as error:
                wrong.append(error)
                return
            seen.add(int(count))
            if orphans:
                wrong.append(orphans)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(2, 7):
            sales(star, number, [(100 * number + n, n, "2024-04-01") for n in range(40)])
            run(star).raise_for_status()
    finally:
        time.sleep(0.1)
        stop.set()
        reader.join()
    assert wrong == []
    assert seen <= {4, 44, 84, 124, 164, 204} and {4, 204} <= seen


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again(star: Folder, place: Place) -> None:
    run(star).raise_for_status()
    for number, delay in enumerate((0.9, 1.2, 1.5, 1.8, 2.1, 2.5), 2):
        sales(star, number, [(1000 * number + n, n % 5, "2024-04-01") for n in range(200)])
        process = start(star.root, "run")
        process.kill_after(delay)
        # whatever was reached, what is served is whole
        assert place.query(ORPHANS) == [(0,)]
        assert place.query("select count(*) % 200 from fact_sales") == [(4,)]
    run(star).raise_for_status()
    assert place.query("select count(*), count(distinct sale) from fact_sales") == [(1204, 1204)]
    with lakewright.open(star.root) as lw:
        inside = lw.sql("select sale, customer_key from curated.fact_sales order by sale").fetchall()
    assert place.query("select sale, customer_key from fact_sales order by sale") == inside
    left = place.query(
        "select count(*) from information_schema.tables where table_name like '%new\\_\\_%' or table_schema like '%\\_\\_load'"
    )
    assert left == [(0,)]
