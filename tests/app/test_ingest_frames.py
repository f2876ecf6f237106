"""Rows handed over from Python go the way of files."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from shop_folder import Folder

import lakewright
from lakewright.errors import NotFoundError

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
