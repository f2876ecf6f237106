"""A project over one database, and what tests ask of it."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

import lakewright
from lakewright.sources.drift import schema_of
from lakewright.sources.manifest import files_of
from lakewright.sources.read import reading
from lakewright.sql.names import identifier

Execute = Callable[..., Any]


class Source:
    """A database: its address, and ``run`` for statements in its own SQL."""

    def __init__(self, kind: str, address: str, connect: Callable[[], Any]) -> None:
        self.kind = kind
        self.address = address
        self._connect = connect

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run *statements*, each committed; return the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with closing(self._connect()) as connection, closing(connection.cursor()) as cursor:
            for one in statements:
                cursor.execute(one)
                rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
        return rows

    @property
    def table(self) -> str:
        """The name of the table ``t`` as a source's file spells it."""
        return "public.t" if self.kind == "postgres" else "t"


def postgres_source(address: str) -> Source:
    import psycopg

    return Source("postgres", address, lambda: psycopg.connect(address))


def mysql_source(server: Any, address: str) -> Source:
    return Source("mysql", address, lambda: server.connect(address.rpartition("/")[2]))


def sqlite_source(file: Path) -> Source:
    return Source("sqlite", f"sqlite:{file}", lambda: sqlite3.connect(file))


class Project:
    """A project in *root* whose source ``db`` is *source*."""

    def __init__(self, root: Path, source: Source) -> None:
        self.root = root
        self.source = source
        (root / "sources").mkdir(parents=True, exist_ok=True)
        (root / "lakewright.yaml").write_text("name: shop\n")

    def declare(self, datasets: str) -> None:
        """Write the datasets of the source, as YAML below ``datasets:``."""
        text = f"kind: database\nconnection: {self.source.address}\ndatasets:\n"
        body = textwrap.indent(textwrap.dedent(datasets).strip("\n"), "  ")
        (self.root / "sources" / "db.yaml").write_text(text + body + "\n", "utf-8")

    def write(self, path: str, text: str) -> None:
        """Write another file of the project."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")

    def take(self, name: str = "t") -> Any:
        """Run the ingest of ``raw.<name>`` and return its task; it must not fail."""
        with lakewright.open(self.root) as lw:
            report = lw.run(f"raw.{name}")
            report.raise_for_status()
            return report.tasks[0]

    def raw(self, name: str = "t", query: str = "FROM raw") -> list[tuple[Any, ...]]:
        """Rows of *query* over the rows ``raw`` that raw holds, without the file that they came in."""
        with lakewright.open(self.root) as lw:
            services = lw._platform.services
            dataset = services.project.sources["db"].datasets[name]
            files = files_of(services.state, f"raw.{name}")
            with services.session.cursor() as cursor:
                schema = schema_of(files, dataset, cursor)
                found = reading(files, dataset, store=services.store, cursor=cursor, schema=schema)
                names = ", ".join(identifier(one).sql("duckdb") for one in found.columns)
                cursor.execute(f"CREATE TEMP TABLE raw AS SELECT {names} FROM ({found.query.sql('duckdb')})")
                return cursor.execute(query).fetchall()

    def types(self, name: str = "t") -> dict[str, str]:
        """The columns of ``raw.<name>`` and their types."""
        with lakewright.open(self.root) as lw:
            services = lw._platform.services
            dataset = services.project.sources["db"].datasets[name]
            files = files_of(services.state, f"raw.{name}")
            with services.session.cursor() as cursor:
                return schema_of(files, dataset, cursor)


__all__ = ["Project", "Source", "duckdb", "mysql_source", "postgres_source", "sqlite_source"]
