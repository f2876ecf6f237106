"""The retail project is right: its star gives the figures of plain SQL over the files, and hides who people are."""

from __future__ import annotations

import csv
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import duckdb
import pytest

import lakewright
from lakewright.app.test import test as unit_tests
from lakewright.sources.sample import write_catalogue, write_shop
from servers import free_port, wait_for


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The template's files, a few days of clean data, and the stand-in for the payment provider."""
    folder = tmp_path / "shop"
    with as_file(files("lakewright.project") / "templates" / "retail") as source:
        shutil.copytree(source, folder)
    write_shop(folder / "landing", days=8, orders_per_day=40, dirt=0)
    write_catalogue(folder / "landing")
    port = free_port()
    monkeypatch.setenv("PAYMENTS_API", f"http://127.0.0.1:{port}")
    api = subprocess.Popen([sys.executable, folder / "api.py"], stdout=subprocess.DEVNULL)
    try:
        wait_for(port, api)
        yield folder
    finally:
        api.terminate()
        api.wait(10)


def rows(lw: lakewright.Lakewright, sql: str) -> list[tuple[Any, ...]]:
    return lw.sql(sql).fetchall()


def warehouse(shop: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(shop / "bi.duckdb", read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_the_star_gives_the_figures_of_the_files(shop: Path) -> None:
    assert all(one.passed for one in unit_tests(shop).results)
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
        landing = shop / "landing"
        plain = duckdb.connect()
        plain.execute(
            f"create view orders as select * from read_csv('{landing}/orders/*.csv')"
            " qualify row_number() over (partition by order_id order by updated_at desc) = 1"
        )
        plain.execute(f"create view lines as from '{landing}/order_lines/*.parquet'")
        count, revenue = plain.execute(
            "select count(*), sum(round(quantity * unit_price * (100 - discount_percent) / 100.0, 2)) from orders"
            " join lines using (order_id) where status not in ('cancelled', 'refunded')"
        ).fetchall()[0]
        figures = "select count(*), sum(revenue) from {}"
        for found in (
            rows(lw, figures.format("curated.fact_sales")),
            warehouse(shop, figures.format("sales")),
        ):
            assert found[0][0] == count > 100
            assert abs(found[0][1] - Decimal(str(revenue))) < Decimal("0.01") * count
        assert warehouse(shop, "select sum(revenue) from best_products") == rows(
            lw, "select sum(revenue) from curated.monthly_sales"
        )
        # each customer bought where the changes of the CRM say they lived then
        wrong = """
            select count(*) from curated.fact_sales f join curated.dim_customer d using (customer_key)
            where f.customer_id <> d.customer_id or f.ordered_at >= coalesce(d.valid_to, timestamp '9999-01-01')
            """
        assert rows(lw, wrong) == [(0,)]
        # the provider was asked for each payment once, page by page
        paid = plain.execute(f"select count(*), sum(amount) from '{landing}/payments/*.ndjson.gz'").fetchall()
        assert rows(lw, "select count(*), sum(amount) from processed.payments") == [
            (paid[0][0], Decimal(str(paid[0][1])).quantize(Decimal("0.01")))
        ]
        settled = rows(lw, "select sum(revenue), sum(orders), sum(paid) from curated.settled_sales")[0]
        assert (settled[0],) == rows(lw, "select sum(revenue) from curated.fact_sales")[0]
        assert settled[2] > 0
        assert lw.plan("warehouse.bi").tasks[-1].action == "skip"


def test_a_price_that_changes_makes_a_version(shop: Path) -> None:
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
        before = rows(lw, "select count(*), sum(revenue) from curated.fact_sales")
        with closing(sqlite3.connect(shop / "landing/erp.sqlite")) as erp:
            erp.execute("update products set list_price = list_price + 1 where product_id = 1")
            erp.commit()
        lw.run().raise_for_status()
        versions = "select list_price, is_current from {} where product_id = 1 order by valid_from"
        found = rows(lw, versions.format("curated.dim_product"))
        assert [one[1] for one in found] == [False, True] and found[1][0] - found[0][0] == 1
        assert warehouse(shop, versions.format("dim_product")) == found
        # what was sold before keeps the version of then
        assert rows(lw, "select count(*), sum(revenue) from curated.fact_sales") == before
        assert rows(
            lw,
            "select bool_and(not is_current) from curated.fact_sales join curated.dim_product using (product_key)"
            " where product_key in (select product_key from curated.dim_product where product_id = 1)",
        ) in ([(True,)], [(None,)])


def test_nobody_is_known_beyond_raw(shop: Path) -> None:
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
        lw.profile("processed.customer_changes")
    clear: set[bytes] = set()
    for file in (shop / "landing/customers").glob("*.csv"):
        with file.open(encoding="windows-1252", newline="") as lines:
            for person in csv.DictReader(lines, delimiter=";"):
                clear |= {person[name].encode() for name in ("E-Mail", "Phone", "Street") if person[name]}
    assert len(clear) > 100
    looked = 0
    for file in [*shop.rglob("*.parquet"), *(shop / ".lakewright").rglob("*"), shop / "bi.duckdb"]:
        if not file.is_file() or "raw" in file.relative_to(shop).parts or "landing" in file.parts:
            continue
        if file.suffix == ".parquet":
            body = str(duckdb.sql(f"from '{file}'").fetchall()).encode()
        elif file.suffix == ".duckdb":
            with duckdb.connect(file, read_only=True) as served:
                tables = served.sql("select table_name from duckdb_tables()").fetchall()
                body = str([served.sql(f'from "{name}"').fetchall() for (name,) in tables]).encode()
        else:
            body = file.read_bytes()
        looked += 1
        assert not [value for value in clear if value in body], file
    assert looked >= 20
