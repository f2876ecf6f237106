"""Rows handed over from Python go the way of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from shop_folder import Folder

import lakewright
from lakewright.errors import NotFoundError, UsageError

ROWS = {
    "order_id": [8, 9],
    "day": ["2024-04-01", "2024-04-01"],
    "amount": ["1.00", "x"],
    "status": ["new", "paid"],
}


@pytest.mark.parametrize("make", [pa.table, pl.DataFrame], ids=["arrow", "polars"])
def test_a_frame_is_a_batch_of_raw(shop: Folder, make: type) -> None:
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
        report = lw.ingest("orders", make(ROWS), metadata={"sender": "notebook"})
        assert (report.dataset, report.batch, report.rows) == ("raw.orders", 2, 2)
        run = lw.run().raise_for_status()
        assert run["raw.orders"].notes == ()
        found = lw.sql("select order_id, amount, _source_row from processed.orders where _batch_id = 2")
        assert found.fetchall() == [(8, Decimal("1.00"), 1)]
        bad = lw.sql("select amount, _violations from quarantine.processed_orders where _batch_id = 2")
        assert bad.fetchall() == [("x", ["amount.type"])]


def test_the_same_rows_under_the_same_key_are_taken_once(shop: Folder) -> None:
    rows = [{"order_id": 8, "day": "2024-04-01", "amount": "1.00", "status": "new"}]
    with lakewright.open(shop.root) as lw:
        assert lw.ingest("raw.orders", rows, key="april").batch == 1
        assert lw.ingest("raw.orders", rows, key="april").batch == 0
        with pytest.raises(NotFoundError, match=r"did you mean 'raw\.orders'"):
            lw.ingest("raw.order", rows)


@pytest.fixture
def events(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "events")
    folder.write("lakewright.yaml", "name: events\n")
    folder.write(
        "sources/app.yaml", "kind: python\ndatasets:\n  clicks: {description: Clicks of the shop.}\n"
    )
    folder.write(
        "datasets/processed/clicks.yaml",
        """
        from: raw.clicks
        columns:
          id: {type: bigint, key: true}
          page: {type: varchar}
        """,
    )
    return folder


def test_events_need_no_files(events: Folder) -> None:
    with lakewright.open(events.root) as lw:
        lw.plan()
        report = lw.ingest("clicks", {"id": 1, "page": "/"}, metadata={"sender": "web"})
        assert (report.dataset, report.batch, report.rows, report.drift) == ("raw.clicks", 1, 1, ())
        assert report.source_file.startswith("@python/") and report.run.startswith("ingest-")
        lw.ingest("clicks", ({"id": number, "page": "/x"} for number in range(2, 5)))
        lw.run().raise_for_status()
        found = lw.sql(
            "select id, _batch_id, _source_file, _source_row from processed.clicks order by id"
        ).fetchall()
        assert [(row[0], row[3]) for row in found] == [(1, 1), (2, 1), (3, 2), (4, 3)]
        assert found[0][2] == report.source_file
        drifted = lw.ingest("clicks", {"id": 9, "page": "/", "agent": "x"})
        assert [one.partition(": ")[2] for one in drifted.drift] == ["column 'agent' is new"]
        assert {one.status for one in lw.run().raise_for_status().tasks} <= {"built", "unchanged", "skipped"}
        assert lw.run().tasks == () or {one.attempts for one in lw.run().tasks} == {0}


def test_events_from_many_threads_are_all_there(events: Folder) -> None:
    with lakewright.open(events.root) as lw, ThreadPoolExecutor(4) as threads:
        reports = list(
            threads.map(lambda number: lw.ingest("clicks", {"id": number % 3, "page": "/"}), range(16))
        )
        assert sorted(one.batch for one in reports) == list(range(1, 17))
        assert lw.sql("select count(*) from raw.clicks").fetchall() == [(16,)]


def test_the_same_key_again_says_what_is_there(events: Folder) -> None:
    with lakewright.open(events.root) as lw:
        first = lw.ingest("clicks", [{"id": 1}], key="monday")
        again = lw.ingest("clicks", iter([{"id": 1}]), key="monday")
        assert (again.batch, again.rows, again.at, again.run) == (0, 0, first.at, first.run)
        assert lw.ingest("clicks", [{"id": 2}], key="monday").batch == 2
        assert lw.sql("select id from raw.clicks").fetchall() == [(2,)]


def test_rows_for_an_api_are_refused(events: Folder) -> None:
    events.write(
        "sources/api.yaml", "kind: rest\nbase_url: https://api.example.com\ndatasets: {orders: {path: o}}\n"
    )
    with lakewright.open(events.root) as lw, pytest.raises(UsageError, match="LW205"):
        lw.ingest("orders", [{"id": 1}])
