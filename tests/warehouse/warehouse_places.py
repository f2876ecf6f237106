"""Warehouses of every kind, and readers of them that know nothing of Lakewright."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest

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
