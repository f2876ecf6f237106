"""Fixtures of warehouses: a place of each kind, and a star that is published to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from warehouse_places import KINDS, Place, make_place

sys.path.insert(0, str(Path(__file__).parents[1] / "app"))

from shop_folder import Folder
from star_folder import customers, sales, star_project


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new, empty warehouse of each kind."""
    return make_place(str(request.param), request, tmp_path)


@pytest.fixture
def star(tmp_path: Path, place: Place) -> Folder:
    """A project with a star whose tables are published to the place."""
    folder = Folder(tmp_path / "star")
    folder.write("lakewright.yaml", "name: star\nengine: {threads: 2, memory_limit: 1GB}\n")
    star_project(folder)
    customers(folder, 1, [(1, "Rome", "2024-01-05"), (2, "Oslo", "2024-01-05"), (1, "Paris", "2024-03-01")])
    sales(folder, 1, [(1, 1, "2024-01-02"), (2, 1, "2024-02-02"), (3, 1, "2024-03-02"), (4, 3, "2024-03-02")])
    folder.write(
        "warehouses/bi.yaml",
        f"""
        connection: {place.connection}
        tables:
          dim_customer: curated.dim_customer
          dim_date: curated.dim_date
          fact_sales: {{dataset: curated.fact_sales, indexes: [sold_at, [customer_id, sold_at]]}}
          by_month: {{sql: "select year_month, count(*) as sales from fact_sales join dim_date using (date_key) group by year_month"}}
        views:
          by_city: select city, sum(one) as sales from each_sale group by city
          each_sale: select sale, city, 1 as one from fact_sales join dim_customer using (customer_key)
          kept: {{sql: "select city, count(*) as sales from each_sale group by city", materialized: true}}
        """,
    )
    return folder
