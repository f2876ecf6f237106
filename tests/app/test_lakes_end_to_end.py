"""Datasets from files to tables on every kind of lake: every write mode, again and again."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lake_shops import KINDS, csv, make_project
from processes import start
from shop_folder import Folder

import lakewright
from lakewright.errors import LakewrightError

HEAD = "id,sold_at,region,amount"

SOURCE = """
kind: files
path: in
datasets:
  sales: {files: "sales-*.csv", format: csv, options: {delimiter: ",", header: true}}
"""

COLUMNS = """
columns:
  id: {type: bigint, key: true}
  sold_at: {type: timestamp, required: true}
  region: {type: varchar, in: [north, south]}
  amount: {type: "decimal(10,2)", min: 0}
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of lake."""
    return str(request.param)


@pytest.fixture
def shop(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Folder:
    """A project with a source of sales on a lake of the kind."""
    folder = make_project(tmp_path / "shop", kind, request)
    folder.write("sources/files.yaml", SOURCE)
    return folder


def dataset(folder: Folder, name: str, write: str, more: str = "", columns: str = COLUMNS) -> None:
    """Write a dataset of the raw sales."""
    folder.write(f"datasets/processed/{name}.yaml", f"from: raw.sales\n{columns}\nwrite: {write}\n{more}")


def rows(lw: lakewright.Lakewright, sql: str) -> list[tuple[Any, ...]]:
    return lw.sql(sql).fetchall()


def many(first: int, count: int) -> list[str]:
    """Rows on days of two years, enough to be written as files."""
    return [
        f"{n},202{3 + n % 2}-0{1 + n % 3}-0{1 + n % 9} {n % 4:02}:30:00,{'north' if n % 2 else 'south'},{n}.50"
        for n in range(first, first + count)
    ]


def test_every_write_mode(shop: Folder, kind: str) -> None:
    dataset(shop, "merged", "{mode: merge, partition_by: [year(sold_at), month(sold_at)]}")
    dataset(
        shop,
        "appended",
        "{mode: append, partition_by: [day(sold_at), hour(sold_at)]}",
        columns=COLUMNS.replace("key: true", "required: true"),
    )
    dataset(
        shop,
        "overwritten",
        "{mode: overwrite, partition_by: [region]}",
        columns=COLUMNS.replace("key: true", "required: true"),
    )
    dataset(shop, "history", '{mode: scd2, partition_by: ["bucket(4, id)"], scd2: {changed_at: sold_at}}')
    shop.write(
        "datasets/curated/by_region.sql",
        "select region, count(*) as sales, sum(amount) as amount from processed.merged group by region\n",
    )
    shop.write("in/sales-1.csv", csv(HEAD, *many(1, 40), "41,nope,north,1", "42,2024-01-01,moon,1"))
    with lakewright.open(shop.root) as lw:
        first = lw.run().raise_for_status()
        for name in ("merged", "appended", "overwritten", "history"):
            report = first[f"processed.{name}"]
            assert (report.read, report.rows, report.quarantined, report.removed) == (42, 40, 2, 0)
            bad = rows(
                lw,
                f"select id, sold_at, _violations, _source_file, _source_row from quarantine.processed_{name} order by id",
            )
            assert bad == [
                ("41", "nope", ["sold_at.type"], "sales-1.csv", 41),
                ("42", "2024-01-01 00:00:00", ["region.in"], "sales-1.csv", 42),
            ]
        assert rows(lw, "select sum(sales), sum(amount) from curated.by_region")[0] == (40, 840)
        layout(lw, kind, shop)

        # nothing new: no work, no commit
        before = lw.sql("select count(*) from lakewright.checkpoints").fetchall()
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
        assert lw.sql("select count(*) from lakewright.checkpoints").fetchall() == before

        # new rows: 3 known keys, 2 new ones, all in the north
        shop.write(
            "in/sales-2.csv",
            csv(HEAD, *(f"{n},2024-05-0{n % 5 + 1} 10:00:00,north,9" for n in (1, 2, 3, 101, 102))),
        )
        second = lw.run().raise_for_status()
        assert {one.read for one in second.tasks if one.task.startswith("processed.")} == {5}
        assert rows(lw, "select count(*), count(distinct id), sum(amount) from processed.merged") == [
            (42, 42, 840 - 7.5 + 45)
        ]
        assert rows(lw, "select count(*), sum(amount) from processed.appended") == [(45, 885)]
        assert rows(
            lw,
            "select count(*) filter (where region = 'north'), sum(amount) filter (where region = 'north') from processed.overwritten",
        ) == [(5, 45)]
        assert rows(lw, "select count(*) from processed.overwritten where region = 'south'") == [(20,)]
        assert rows(
            lw,
            "select count(*), count(*) filter (where is_current), count(distinct id) from processed.history",
        ) == [(45, 42, 42)]
        assert rows(
            lw,
            "select valid_from, valid_to, is_current, amount from processed.history where id = 1 order by 1",
        ) == [
            (datetime(2024, 2, 2, 1, 30), datetime(2024, 5, 2, 10), False, pytest.approx(1.5)),
            (datetime(2024, 5, 2, 10), None, True, 9),
        ]
        assert rows(lw, "select sum(sales), sum(amount) from curated.by_region")[0] == (42, 840 - 7.5 + 45)
        assert rows(lw, "select distinct _batch_id from processed.appended order by 1") == [(1,), (2,)]

        # a file that changed takes back what it brought
        shop.write("in/sales-2.csv", csv(HEAD, "1,2024-06-01 10:00:00,south,7"))
        assert lw.run().raise_for_status()["raw.sales"].notes
        assert rows(lw, "select count(*), count(distinct id) from processed.merged") == [(40, 40)]
        assert rows(lw, "select region, amount from processed.merged where id in (1, 2) order by id") == [
            ("south", 7),
            ("south", 2.5),
        ]
        assert rows(lw, "select count(*) from processed.appended") == [(41,)]
        # the north is what the first file brought, the south what the last one did
        assert rows(lw, "select region, count(*) from processed.overwritten group by 1 order by 1") == [
            ("north", 20),
            ("south", 1),
        ]
        assert rows(lw, "select count(*), count(*) filter (where is_current) from processed.history") == [
            (41, 40)
        ]
        held = {
            name: rows(lw, f"select * exclude (_batch_id, _ingested_at) from processed.{name} order by all")
            for name in ("merged", "appended", "overwritten", "history")
        }

        # all of it anew gives the same
        report = lw.run("processed.*", full_refresh=True).raise_for_status()
        assert {one.status for one in report.tasks} == {"built"}
        for name, wanted in held.items():
            assert (
                rows(lw, f"select * exclude (_batch_id, _ingested_at) from processed.{name} order by all")
                == wanted
            ), name


def layout(lw: lakewright.Lakewright, kind: str, shop: Folder) -> None:
    """Data files lie in folders of their partitions, and others can read them."""
    services = lw._platform.services
    with services.session.cursor() as cursor:
        files = {
            name: services.lake.files(cursor, f"processed.{name}")
            for name in ("merged", "appended", "overwritten", "history")
        }
    if kind == "iceberg-rest":
        assert all("year" in one and "month" in one for one in files["merged"])
        return
    if kind == "ducklake-s3":
        assert all(one.startswith("s3://") for listed in files.values() for one in listed)
    patterns = {
        "merged": r"processed/merged/year=202[34]/month=[123]/",
        "appended": r"processed/appended/day=[1-9]/hour=[0-3]/",
        "overwritten": r"processed/overwritten/region=(north|south)/",
        "history": r"processed/history/bucket.*=[0-3]/",
    }
    for name, pattern in patterns.items():
        assert files[name], name
        assert all(re.search(pattern, one) for one in files[name]), (name, files[name][:3])
    if kind != "ducklake-s3":
        plain = duckdb.connect()
        found = plain.execute(
            "select count(*), sum(amount) from read_parquet($1, hive_partitioning => false)",
            [files["merged"]],
        ).fetchone()
        assert found == (40, 840)
        import pyarrow.parquet as pq

        assert sum(pq.read_metadata(one).num_rows for one in files["merged"]) == 40


def test_a_range_is_built_again(shop: Folder) -> None:
    dataset(
        shop,
        "appended",
        "{mode: append, partition_by: [day(sold_at)]}",
        columns=COLUMNS.replace("key: true", "required: true"),
    )
    dataset(shop, "merged", "{mode: merge, partition_by: [month(sold_at)]}")
    shop.write("datasets/curated/total.sql", "select count(*) as n from processed.appended\n")
    shop.write("datasets/curated/days.yaml", "write: {partition_by: [day(sold_at)]}\n")
    shop.write(
        "datasets/curated/days.sql",
        "select cast(sold_at as date) as sold_at, sum(amount) as amount from processed.appended group by 1\n",
    )
    shop.write("in/sales-1.csv", csv(HEAD, *(f"{n},2024-0{n}-15 08:00:00,north,{n}" for n in range(1, 7))))
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        # arrives together with the backfill, and is not swallowed by it
        shop.write(
            "in/sales-2.csv", csv(HEAD, "2,2024-02-20 08:00:00,north,20", "7,2024-07-15 08:00:00,north,7")
        )
        report = lw.run(backfill="2024-02-01..2024-03-31").raise_for_status()
        assert (
            report["processed.appended"].rows,
            report["processed.merged"].rows,
            report["curated.days"].rows,
        ) == (2, 2, 2)
        found = "select id, cast(sold_at as date), _batch_id from processed.{} order by 1, 2"
        months = [(n, date(2024, n, 15), 2 if n in (2, 3) else 1) for n in range(1, 7)]
        assert rows(lw, found.format("appended")) == months
        assert rows(lw, found.format("merged")) == months
        assert rows(lw, "select count(*), sum(amount) from curated.days") == [(6, 21)]
        lw.run().raise_for_status()
        added = [(2, date(2024, 2, 20), 3), (7, date(2024, 7, 15), 3)]
        assert rows(lw, found.format("appended")) == sorted([*months, *added])
        assert rows(lw, found.format("merged")) == [
            added[0] if n == 2 else (n, d, b) for n, d, b in months
        ] + [added[1]]
        assert rows(lw, "select n from curated.total") == [(8,)]
        assert rows(lw, "select count(*), sum(amount) from curated.days") == [(8, 48)]
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
        with pytest.raises(LakewrightError, match="LW606"):
            lw.run("curated.total", backfill="2024-02-01..2024-03-31")


def test_definitions_change(shop: Folder, kind: str) -> None:
    dataset(shop, "sales", "{mode: merge}")
    shop.write("in/sales-1.csv", csv(HEAD, *(f"{n},2024-01-0{n} 08:00:00,north,{n}" for n in range(1, 6))))
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        shop.write("in/sales-2.csv", csv(HEAD, "5,2024-01-09 08:00:00,south,50"))
        lw.run().raise_for_status()
    changes = [
        # another type, a column more
        (
            COLUMNS.replace("decimal(10,2)", "double"),
            "steps: [{derive: {twice: amount * 2}}]",
            ["DOUBLE"],
            ["twice"],
        ),
        # a type that does not widen, a column less
        (COLUMNS.replace("decimal(10,2)", "integer"), "", ["INTEGER"], []),
        (
            COLUMNS.replace('type: "decimal(10,2)", min: 0', "type: varchar"),
            "steps: [{drop: [region]}]",
            ["VARCHAR"],
            [],
        ),
    ]
    for number, (columns, steps, kinds, more) in enumerate(changes):
        if "drop" in steps:
            columns = columns.replace("  region: {type: varchar, in: [north, south]}\n", "")
        dataset(shop, "sales", "{mode: merge}", steps, columns)
        with lakewright.open(shop.root) as lw:
            assert lw.plan("processed.sales").tasks[0].reason == "definition changed"
            lw.run().raise_for_status()
            described = {row[0]: row[1] for row in rows(lw, "describe select * from processed.sales")}
            assert [described["amount"]] == kinds, number
            assert set(more) <= described.keys()
            assert ("region" in described) == ("drop" not in steps)
            if "twice" in described and not more:
                # Iceberg tables must not return to a form that they had: the column stays, empty
                assert kind == "iceberg-rest"
                assert rows(lw, "select count(twice) from processed.sales") == [(0,)]
            assert rows(
                lw, "select count(*), max(id), sum(cast(amount as integer)) from processed.sales"
            ) == [(5, 5, 60)]
            entry = lw.table("processed.sales").entry
            assert (entry.schema_version, entry.rows) == (number + 2, 5)


def in_order(lw: Any, id: str, name: str) -> None:
    """Every file of the table holds its rows with the largest *name* first."""
    services = lw._platform.services
    with services.session.cursor() as cursor:
        for file in services.lake.files(cursor, id):
            query = f"SELECT {name} FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number"
            found = [row[0] for row in cursor.execute(query, [file]).fetchall()]
            assert found == sorted(found, reverse=True)


def test_earlier_versions_come_back(shop: Folder, kind: str) -> None:
    dataset(
        shop,
        "sales",
        "{mode: append, partition_by: [year(sold_at)], sort_by: [id desc]}",
        columns=COLUMNS.replace("key: true", "required: true"),
    )
    shop.write("datasets/processed/copy.yaml", "from: processed.sales\nwrite: {mode: append}\n")
    shop.write("datasets/curated/total.sql", "select count(*) as n from processed.sales\n")
    with lakewright.open(shop.root) as lw:
        for number in (1, 2, 3):
            shop.write(f"in/sales-{number}.csv", csv(HEAD, *many(100 * number, 30), "x,y,z,0"))
            lw.run().raise_for_status()
        versions = lw._platform.services.lake.snapshots(
            lw._platform.services.session.cursor(), "processed.sales"
        )
        built = [one for one in versions if one.message.startswith("processed.sales batch")]
        assert [one.message for one in built] == [f"processed.sales batch {n}" for n in (3, 2, 1)]
        assert [lw.table("processed.sales", as_of=one.id).count() for one in built] == [90, 60, 30]
        assert lw.table("processed.sales", as_of=built[1].at).count() in (30, 60)
        restored = lw.restore("processed.sales", to=built[1].id)
        assert [(one.dataset, one.rows) for one in restored] == [("processed.sales", 60)]
        assert lw.table("quarantine.processed_sales").count() == 2
        # the next run reads again what came since, and whoever read on starts anew
        lw.run().raise_for_status()
        assert [
            lw.table(one).count()
            for one in ("processed.sales", "processed.copy", "quarantine.processed_sales")
        ] == [90, 90, 3]
        assert rows(lw, "select n from curated.total") == [(90,)]
        assert rows(
            lw, "select count(*) from (select id from processed.copy group by id having count(*) > 1)"
        ) == [(0,)]
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
        in_order(lw, "processed.sales", "id")
        lw.compact("processed.sales", expire="1ms")
        in_order(lw, "processed.sales", "id")
        assert lw.table("processed.sales").count() == 90


def test_columns_of_a_source_drift(shop: Folder) -> None:
    for rule in ("evolve", "ignore", "fail"):
        shop.write(
            f"sources/{rule}.yaml",
            f"""
            kind: files
            path: in
            datasets:
              {rule}: {{files: "drift-*.csv", format: csv, on_drift: {rule}, options: {{delimiter: ",", header: true}}}}
            """,
        )
        shop.write(
            f"datasets/processed/{rule}.yaml",
            f"from: raw.{rule}\ncolumns: {{id: {{type: bigint}}}}\nwrite: {{mode: append}}\n",
        )
    shop.write("in/sales-1.csv", csv(HEAD, *many(1, 2)))
    shop.write("in/drift-1.csv", csv("id,a,b", "1,x,y"))
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        shop.write("in/drift-2.csv", csv("id,b,c", "2,y,z"))
        report = lw.run()
        assert report.status == "failed"
        assert {one.task: one.code for one in report.tasks if one.status == "failed"} == {"raw.fail": "LW203"}
        assert rows(lw, "select id, a, b, c from processed.evolve order by id") == [
            (1, "x", "y", None),
            (2, None, "y", "z"),
        ]
        assert rows(
            lw,
            "select * exclude (_batch_id, _ingested_at, _source_file, _source_row) from processed.ignore order by id",
        ) == [(1, "x", "y"), (2, None, "y")]
        assert lw.table("processed.fail").count() == 1
        assert any("'c' is new" in one for one in report["raw.evolve"].notes)


def test_schemas_that_readers_could_not_bear_are_refused(shop: Folder) -> None:
    dataset(shop, "sales", "{mode: merge}", "compatibility: backward")
    shop.write("in/sales-1.csv", csv(HEAD, *many(1, 3)))
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
    dataset(
        shop,
        "sales",
        "{mode: merge}",
        "compatibility: backward",
        COLUMNS.replace('amount: {type: "decimal(10,2)"', "amount: {type: integer"),
    )
    with lakewright.open(shop.root) as lw:
        report = lw.run()
        assert (report.status, report["processed.sales"].code) == ("failed", "LW701")
        assert rows(lw, "select sum(amount) from processed.sales") == [(7.5,)]
        assert lw.table("processed.sales").entry.schema_version == 1
    dataset(
        shop,
        "sales",
        "{mode: merge}",
        "compatibility: backward",
        COLUMNS.replace("decimal(10,2)", "decimal(12,2)"),
    )
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        assert lw.table("processed.sales").entry.schema_version == 2


def test_python_makes_rows(shop: Folder) -> None:
    shop.write("in/sales-1.csv", csv(HEAD, *many(1, 12)))
    dataset(shop, "sales", "{mode: merge}", "steps: [{python: jobs.clean:double}]", COLUMNS)
    shop.write(
        "jobs/clean.py",
        "def double(rows):\n    import pyarrow.compute as pc\n    at = rows.schema.get_field_index('amount')\n    return rows.set_column(at, 'amount', pc.multiply(pc.cast(rows['amount'], 'double'), 2))\n",
    )
    for frame, text in {
        "arrow": "import pyarrow as pa\n\ndef build(sales: pa.Table) -> pa.Table:\n    return sales.group_by('region').aggregate([('amount', 'sum')])\n",
        "polars": "import polars as pl\n\ndef build(sales: pl.DataFrame) -> pl.DataFrame:\n    return sales.group_by('region').agg(pl.col('amount').sum().alias('amount_sum'))\n",
        "pandas": "import pandas as pd\n\ndef build(sales: pd.DataFrame) -> pd.DataFrame:\n    return sales.groupby('region', as_index=False).agg(amount_sum=('amount', 'sum'))\n",
    }.items():
        shop.write(f"datasets/curated/{frame}.py", text)
        shop.write(
            f"datasets/curated/{frame}.yaml",
            'depends_on: [processed.sales]\ncolumns: {region: {type: varchar, required: true}, amount_sum: {type: "decimal(12,2)", min: 0}}\n',
        )
    with lakewright.open(shop.root) as lw:
        report = lw.run().raise_for_status()
        assert report["processed.sales"].rows == 12
        wanted = [("north", 78), ("south", 90)]
        for frame in ("arrow", "polars", "pandas"):
            assert rows(lw, f"select region, amount_sum from curated.{frame} order by 1") == wanted
        assert {one.status for one in lw.run().tasks} == {"unchanged"}


def test_two_runs_at_once_share_the_work(shop: Folder) -> None:
    dataset(
        shop,
        "appended",
        "{mode: append, partition_by: [day(sold_at)]}",
        columns=COLUMNS.replace("key: true", "required: true"),
    )
    dataset(shop, "merged", "{mode: merge, partition_by: [month(sold_at)]}")
    shop.write("datasets/curated/total.sql", "select count(*) as n from processed.appended\n")
    for number in (1, 2):
        shop.write(
            f"in/sales-{number}.csv",
            csv(HEAD, *many(100 * number, 20), "bad,line,of,too,many", "1,nope,north,2"),
        )
        commands = [start(shop.root, "run") for _ in range(2)]
        assert [one.wait() for one in commands] == [0, 0], "\n".join(one.text for one in commands)
        with lakewright.open(shop.root) as lw:
            for name in ("appended", "merged"):
                assert rows(
                    lw, f"select count(*), count(distinct id), max(_batch_id) from processed.{name}"
                ) == [(20 * number, 20 * number, number)]
            assert rows(lw, "select n from curated.total") == [(20 * number,)]
            assert rows(lw, "select count(*) from quarantine.raw_sales") == [(number,)]
            assert rows(lw, "select count(*) from quarantine.processed_appended") == [(number,)]
            assert {one.status for one in lw.run().tasks} == {"unchanged"}
