"""An encrypted lake: nothing of the data is readable in its files, only its key opens it, and one process has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lake_shops import csv
from shop_folder import Folder

import lakewright
from lakewright.app import lifecycle as verbs
from lakewright.app.platform import Platform

PLANTED = "Zanzibar-7718"
OLD = datetime.now(UTC).date() - timedelta(days=900)
YOUNG = datetime.now(UTC).date() - timedelta(days=9)

PROJECT = """
name: shop
lake: {encryption: {}}
engine: {threads: 2, workers: 2, memory_limit: 1GB}
backup: {to: ../shop-backups}
"""
SOURCE = """
kind: files
path: in
datasets:
  sales: {files: "sales-*.csv", format: csv, options: {delimiter: ",", header: true}}
"""
DATASET = """
from: raw.sales
columns:
  id: {type: bigint, key: true}
  day: {type: date}
  name: {type: varchar}
write: {mode: merge, partition_by: [year(day)]}
retention: 1y
quality_threshold: 0
"""
HISTORY = """
from: processed.sales
columns:
  id: {type: bigint, key: true}
  name: {type: varchar}
write: {mode: scd2, keys: [id]}
"""


def rows(first: int, count: int, day: object, name: str) -> str:
    return csv("id,day,name", *(f"{n},{day},{name}-{n}" for n in range(first, first + count)))


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    """An encrypted project that was built twice: rows in files, and few rows that wait in the catalog."""
    folder = Folder(tmp_path / "shop")
    folder.write("lakewright.yaml", PROJECT)
    folder.write("sources/files.yaml", SOURCE)
    folder.write("datasets/processed/sales.yaml", DATASET)
    folder.write("datasets/curated/people.yaml", HISTORY)
    folder.write("in/sales-1.csv", rows(1, 600, OLD, PLANTED) + rows(601, 600, YOUNG, PLANTED)[12:])
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
        folder.write("in/sales-2.csv", rows(1201, 3, YOUNG, PLANTED))
        lw.run().raise_for_status()
    return folder


def holding(root: Path, value: str) -> set[str]:
    """The files under *root* in which *value* is found, as it is or in hexadecimal digits."""
    found = set()
    for file in root.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            if value.encode() in content or value.encode().hex().encode() in content:
                found.add(file.relative_to(root).as_posix())
    return found


def contents(lw: lakewright.Lakewright) -> list[list[tuple[object, ...]]]:
    return [
        lw.sql(f"select * exclude (_ingested_at) from {one} order by all").fetchall()
        for one in ("processed.sales", "curated.people")
    ]


#: What the page on encryption says is in the clear.
CLEAR = ("in/", "lake/raw/", ".lakewright/state.db", ".lakewright/reports/")


def test_nothing_is_readable_but_what_is_said_to_be(shop: Folder) -> None:
    with lakewright.open(shop.root) as lw:
        assert lw.sql("select count(*) from processed.sales").fetchone() == (1203,)
        assert lw.sql("select count(*) from curated.people").fetchone() == (1203,)
        lw.sql("select * from processed.sales order by name").fetchall()
    with Platform.open(shop.root) as platform:
        verbs.lifecycle(platform)
    assert not [one for one in holding(shop.root, PLANTED) if not one.startswith(CLEAR)]
    key = (shop / ".lakewright/keys/lake.1.key").read_text().strip()
    assert holding(shop.root, key) == {".lakewright/keys/lake.1.key"}
