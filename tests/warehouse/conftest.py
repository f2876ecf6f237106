"""Warehouses of every kind, and readers of them that know nothing of Lakewright."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "app"))

from shop_folder import Folder
from star_folder import customers, sales, star_project

KINDS = [
    "duckdb",
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


@dataclass
class Place:
    """A warehouse: its address, and a function that runs a query there as its owner."""

    kind: str
    connection: str
    query: Callable[[str], list[tuple[Any, ...]]]
    run: Callable[[str], None]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new, empty warehouse of each kind."""
    return make_place(str(request.param), request, tmp_path)


def make_place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a new, empty warehouse of *kind*."""
    if kind == "duckdb":
        file = tmp_path / "served" / "shop.duckdb"

        def query(sql: str) -> list[tuple[Any, ...]]:
            with duckdb.connect(file, read_only=True) as connection:
                return connection.execute(sql).fetchall()

        def run(sql: str) -> None:
            file.parent.mkdir(exist_ok=True)
            with duckdb.connect(file) as connection:
                connection.execute(sql)

        return Place(kind, f"duckdb:{file}", query, run)
    if kind == "postgres":
        import psycopg

        url = request.getfixturevalue("postgres").database()

        def ask(sql: str) -> list[tuple[Any, ...]]:
            with psycopg.connect(url, autocommit=True, options="-c search_path=bi") as connection:
                result = connection.execute(sql.encode())
                return result.fetchall() if result.description else []

        return Place(kind, url, ask, lambda sql: void(ask(sql)))
    server = request.getfixturevalue("mariadb")
    url = server.database()
    name = urlsplit(url).path[1:]

    def question(sql: str) -> list[tuple[Any, ...]]:
        with server.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    return Place(kind, url, question, lambda sql: void(question(sql)))


def void(_: object) -> None:
    """Drop a result."""


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
