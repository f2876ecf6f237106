"""The quickstart project is right: its files, its tests, and its figures against plain SQL over the files."""

from __future__ import annotations

import shutil
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path

import duckdb
import pytest

import lakewright
from lakewright.sources.sample import write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The template's files, without data."""
    folder = tmp_path / "shop"
    with as_file(files("lakewright.project") / "templates" / "quickstart") as source:
        shutil.copytree(source, folder)
    return folder


def value(lw: lakewright.Lakewright, sql: str) -> object:
    return lw.sql(sql).fetchall()[0][0]


def test_figures_equal_plain_sql_over_clean_files(shop: Path) -> None:
    sample = write_shop(shop / "landing", days=12, orders_per_day=60, dirt=0)
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
        assert lw.table("processed.customers").count() > 0
        for dataset, rows in (
            ("order_lines", sample.rows["order_lines"]),
            ("payments", sample.rows["payments"]),
        ):
            assert lw.table(f"processed.{dataset}").count() == rows
        landing = shop / "landing"
        con = duckdb.connect()
        con.execute(
            f"create view orders as select * from read_csv('{landing}/orders/*.csv') "
            "qualify row_number() over (partition by order_id order by updated_at desc) = 1"
        )
        con.execute(f"create view lines as from '{landing}/order_lines/*.parquet'")
        wanted = con.execute(
            "select sum(quantity * unit_price * (100 - discount_percent) / 100.0) from orders join lines "
            "using (order_id) where status not in ('cancelled', 'refunded')"
        ).fetchone()
        assert wanted is not None
        revenue = value(lw, "select sum(revenue) from curated.daily_sales")
        # Each day and channel is rounded to cents.
        assert abs(Decimal(str(wanted[0])) - Decimal(str(revenue))) < Decimal("0.5")
        assert value(lw, "select sum(orders) from curated.customer_value") == value(
            lw, "select sum(orders) from curated.daily_sales"
        )
        # What is paid arrives the day after at the latest; the last day's payments may be missing.
        assert (
            value(
                lw,
                "select count(*) from curated.payment_gaps g join processed.orders o using (order_id) "
                "where cast(o.ordered_at as date) < date '2024-01-12'",
            )
            == 0
        )
        assert value(lw, "select count(*) from processed.stores") == 12
        lw.run().raise_for_status()
        assert revenue == value(lw, "select sum(revenue) from curated.daily_sales")


@pytest.mark.slow
def test_another_day_is_taken_up(shop: Path) -> None:
    """Days that arrive one after the other give what they give at once."""
    whole = shop.parent / "whole"
    shutil.copytree(shop, whole)
    write_shop(whole / "landing", days=3, orders_per_day=40, dirt=0, customers=90)
    (shop / "landing").mkdir()
    figures: list[list[tuple[object, ...]]] = []
    query = "select * exclude (_batch_id, _ingested_at) from curated.daily_sales order by all"
    with lakewright.open(whole) as lw:
        lw.run().raise_for_status()
        figures.append(lw.sql(query).fetchall())
    everything = sorted(one for one in (whole / "landing").rglob("*") if one.is_file())
    undated = [one for one in everything if "2024-01" not in one.name]
    with lakewright.open(shop) as lw:
        for day in range(1, 4):
            for file in [
                *(undated if day == 1 else []),
                *(f for f in everything if f"2024-01-0{day}" in f.name),
            ]:
                target = shop / "landing" / file.relative_to(whole / "landing")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)
            lw.run().raise_for_status()
        figures.append(lw.sql(query).fetchall())
    assert figures[0] == figures[1]


def test_planted_mistakes_are_set_aside(shop: Path) -> None:
    sample = write_shop(shop / "landing", days=8, orders_per_day=120, dirt=0.05)
    with lakewright.open(shop) as lw:
        lw.run().raise_for_status()
        bad_lines = value(lw, "select count(*) from quarantine.processed_order_lines")
        planted = sample.planted["order_lines"]
        least = sum(planted[kind] for kind in ("no_product", "bad_quantity", "orphan"))
        assert isinstance(bad_lines, int)
        assert bad_lines >= least
        for table, rule in (
            ("customers", "email not like '%@%' or birth_date > date '2025-12-31' or country = 'XX'"),
            (
                "orders",
                "customer_id is null or status not in "
                "('new', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded')",
            ),
            ("order_lines", "product_id is null or quantity < 1"),
            ("payments", "amount < 0"),
            ("products", "list_price < 0 or name is null"),
        ):
            assert value(lw, f"select count(*) from processed.{table} where {rule}") == 0, table
