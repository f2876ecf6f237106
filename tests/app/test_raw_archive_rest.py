"""Archived answers of an API are read as before: by tables, by what is asked for row by row, and by the next load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aged_files import grow_old
from test_rest_runs import ORDERS, make, orders_of

from http_api import Api, serve
from lakewright.api.handle import Lakewright
from lakewright.app.platform import Platform
from lakewright.app.verify import verify


@pytest.fixture
def shop_api() -> Iterator[Api]:
    with serve() as found:
        found.on("/orders", orders_of(ORDERS))
        for number in range(1, 12):
            found.on(f"/orders/{number}/lines", [{"product": "a", "n": number}, {"product": "b", "n": 1}])
        yield found


def test_loads_go_on_from_archived_answers(tmp_path: Path, shop_api: Api) -> None:
    folder = make(tmp_path / "shop", shop_api)
    lines = "select * from raw.lines order by all"
    with Platform.open(folder.root) as platform:
        lw = Lakewright(platform)
        lw.run().raise_for_status()
        before = lw.sql(lines).fetchall()
        grow_old(platform)
        done = {one.dataset: one.files for one in lw.lifecycle()}
        assert [done["raw.orders"], done["raw.lines"]] == [1, 1]
        assert lw.sql(lines).fetchall() == before
        shop_api.on("/orders", orders_of([*ORDERS, {"id": 9, "changed": "2024-02-01", "total": 1.0}]))
        # the order with which the last load ended comes again, and is known
        assert lw.run().raise_for_status()["raw.orders"].rows == 1
        lw.run("processed.lines", full_refresh=True).raise_for_status()
        assert lw.sql("select count(*) from processed.lines").fetchall() == [(16,)]
        assert verify(platform, level="deep").problems == []
        grow_old(platform)
    text = (folder / "sources/api.yaml").read_text()
    (folder / "sources/api.yaml").write_text(f"{text}retention: 30d\narchive: false\n")
    with Platform.open(folder.root) as platform:
        done_ = {one.dataset: one.why for one in Lakewright(platform).lifecycle()}
        assert "what the API sends is compared with it" in done_["raw.orders"]
