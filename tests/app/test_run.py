"""The main job: files to governed tables, again and again."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_folder import ORDERS, Folder

import lakewright
from lakewright.app.platform import Platform
from lakewright.app.run import run
from lakewright.errors import NotFoundError


def test_files_become_checked_tables(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        report = lw.run().raise_for_status()
        assert [one.status for one in report.tasks] == ["built", "built", "built"]
        raw, orders = report["raw.orders"], report["processed.orders"]
        assert (raw.read, raw.rows, raw.quarantined) == (6, 6, 0)
        assert (orders.read, orders.rows, orders.quarantined, orders.removed) == (6, 3, 3, 0)
        assert orders.score == 0.5
        found = lw.sql(
            "select order_id, amount, _source_file, _source_row, _batch_id from processed.orders order by 1"
        )
        assert found.fetchall() == [
            (1, Decimal("10.50"), "orders-1.csv", 1, 1),
            (2, Decimal("20.00"), "orders-1.csv", 2, 1),
            (6, Decimal("1.00"), "orders-1.csv", 6, 1),
        ]
        bad = lw.sql(
            "select order_id, day, status, _violations, _source_row from quarantine.processed_orders order by 1"
        )
        assert bad.fetchall() == [
            ("3", "2024-02-30", "new", ["day.type"], 3),
            ("4", "2024-02-01", "new", ["amount.min"], 4),
            ("5", "2024-02-01", "lost", ["status.in"], 5),
        ]
        assert lw.sql("select sum(orders), sum(amount) from curated.daily").fetchall() == [
            (3, Decimal("31.50"))
        ]


def test_a_second_run_does_nothing_and_says_so(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        before = lw.sql("select count(*) from lakewright.checkpoints").fetchall()
        report = lw.run()
        assert {one.status for one in report.tasks} == {"unchanged"}
        assert lw.sql("select count(*) from lakewright.checkpoints").fetchall() == before
    with lakewright.open(shop.root) as again:
        assert {one.status for one in again.run().tasks} == {"unchanged"}


def test_only_new_files_are_read(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        shop.write(
            "in/orders-2.csv", "order_id,day,amount,status\n2,2024-01-01,25.00,paid\n7,2024-03-01,2.00,new\n"
        )
        report = lw.run().raise_for_status()
        assert (report["processed.orders"].read, report["processed.orders"].rows) == (2, 2)
        rows = lw.sql("select order_id, amount, _batch_id from processed.orders order by 1").fetchall()
        assert rows == [
            (1, Decimal("10.50"), 1),
            (2, Decimal("25.00"), 2),
            (6, Decimal("1.00"), 1),
            (7, Decimal("2.00"), 2),
        ]
        assert lw.sql("select sum(orders) from curated.daily").fetchall() == [(4,)]


def test_a_changed_file_replaces_what_it_brought_before(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        shop.write("in/orders-1.csv", "order_id,day,amount,status\n1,2024-01-01,11.00,new\n")
        report = lw.run().raise_for_status()
        assert any("version 2" in line for line in report["raw.orders"].notes)
        assert lw.sql("select order_id, amount from processed.orders").fetchall() == [(1, Decimal("11.00"))]
        assert lw.sql("select count(*) from quarantine.processed_orders").fetchall() == [(0,)]


def test_the_gate_publishes_nothing(shop: Folder) -> None:
    shop.write("datasets/processed/orders.yaml", ORDERS.replace("0.5", "0.9"))
    with lakewright.open(shop.root) as lw:
        report = lw.run()
        assert (report.status, report.exit_code) == ("failed", 3)
        assert report["processed.orders"].code == "LW505"
        assert report["curated.daily"].status == "skipped"
        assert lw.quality("processed.orders")[0].score == 0.5
        with pytest.raises(NotFoundError, match="has not been built yet"):
            lw.table("processed.orders").to_arrow()
        shop.write("datasets/processed/orders.yaml", ORDERS)
    with lakewright.open(shop.root) as lw:
        again = lw.run(from_failed=True).raise_for_status()
        assert [one.task for one in again.tasks] == ["processed.orders", "curated.daily"]


def test_a_new_definition_builds_anew_from_raw(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
    shop.write("datasets/processed/orders.yaml", ORDERS.replace("in: [new, paid]", "in: [new, paid, lost]"))
    with lakewright.open(shop.root) as lw:
        assert lw.plan("processed.orders").tasks[0].reason == "definition changed"
        report = lw.run().raise_for_status()
        assert (report["processed.orders"].rows, report["processed.orders"].quarantined) == (4, 2)
        assert lw.sql("select count(*), min(_batch_id) from processed.orders").fetchall() == [(4, 2)]


def test_time_travel_and_restore(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        then = lw.sql("select max(snapshot_id) from ducklake_snapshots('lake')").fetchall()[0][0]
        shop.write("in/orders-2.csv", "order_id,day,amount,status\n7,2024-03-01,2.00,new\n")
        lw.run().raise_for_status()
        assert lw.table("processed.orders").count() == 4
        assert lw.table("processed.orders", as_of=then).count() == 3
        lw.restore("processed.orders", to=then)
        assert lw.table("processed.orders").count() == 3
        # the restored dataset reads on from where it was then, and who reads it starts anew
        lw.run().raise_for_status()
        assert lw.table("processed.orders").count() == 4
        assert lw.sql("select sum(orders) from curated.daily").fetchall() == [(4,)]


def test_after_a_run_the_plan_has_nothing_to_do(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        assert lw.plan().to_run == 3
        lw.run().raise_for_status()
        assert lw.plan().to_run == 0


def test_an_older_version_that_comes_later_does_not_win(shop: Folder) -> None:
    shop.write(
        "datasets/processed/orders.yaml",
        ORDERS.replace(
            "    columns:",
            "    steps:\n      - deduplicate: {keys: [order_id], latest_by: day}\n    columns:",
        ),
    )
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        shop.write(
            "in/orders-2.csv", "order_id,day,amount,status\n1,2023-12-31,99.00,new\n2,2024-01-03,25.00,paid\n"
        )
        lw.run().raise_for_status()
        rows = lw.sql(
            "select order_id, amount from processed.orders where order_id < 3 order by 1"
        ).fetchall()
        assert rows == [(1, Decimal("10.50")), (2, Decimal("25.00"))]


def test_a_python_step_that_hides_failed_conversions_is_refused(shop: Folder) -> None:
    steps = "    steps:\n      - filter: amount >= 0\n      - python: jobs:pick\n    columns:"
    shop.write("datasets/processed/orders.yaml", ORDERS.replace("    columns:", steps))
    shop.write(
        "jobs.py", "def pick(rows):\n    return rows.select(['order_id', 'day', 'amount', 'status'])\n"
    )
    with lakewright.open(shop.root) as lw:
        report = lw.run("+processed.orders")
        assert report["processed.orders"].code == "LW607"
    shop.write("jobs.py", "def pick(rows):\n    return rows\n")
    with lakewright.open(shop.root) as lw:
        report = lw.run("processed.orders").raise_for_status()
        assert (report["processed.orders"].rows, report["processed.orders"].quarantined) == (3, 2)


def test_a_first_build_beside_a_look_at_the_lake_is_not_forgotten(
    shop: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Platform.open(shop.root) as platform:
        run(platform)
        built = platform.services.seen("curated.daily")
        assert built is not None
        # the lake was asked before the commit, and answers after it
        monkeypatch.setattr(platform.services.lake, "latest_checkpoints", lambda cursor: {})
        platform.services.refresh()
        assert platform.services.seen("curated.daily") == built
