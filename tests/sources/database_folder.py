"""A project over one database, and what tests ask of it."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import yaml

from lakewright.engine.session import Session
from lakewright.lake.raw import LocalStore
from lakewright.sources.database.load import Load, take
from lakewright.sources.database.model import Interrupts
from lakewright.sources.drift import schema_of
from lakewright.sources.files import Taken
from lakewright.sources.manifest import files_of
from lakewright.sources.read import reading
from lakewright.spec.databases import DatabaseDataset, DatabaseSource
from lakewright.spec.project import Engine
from lakewright.sql.names import identifier
from lakewright.state import State

__all__ = ["Project", "Source", "mysql_source", "postgres_source", "sqlite_source"]


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
    """A project in *root* whose source ``db`` is *source*; ``take`` loads from it without a run around it."""

    def __init__(self, root: Path, source: Source) -> None:
        self.root = root
        self.source = source
        self.datasets: dict[str, DatabaseDataset] = {}
        self.session = Session.open(Engine(threads=2), root=root)
        self.cursor = self.session.cursor()
        self.state = State("sqlite:.lakewright/state.db", root)
        self.store = LocalStore(root / "lake" / "raw")

    def declare(self, datasets: str) -> None:
        """Say what the source's datasets are, as YAML below ``datasets:``."""
        found = yaml.safe_load(textwrap.dedent(datasets))
        self.datasets = msgspec.convert(found, dict[str, DatabaseDataset])

    def take(self, name: str = "t") -> Taken:
        """Load ``raw.<name>``."""
        source = DatabaseSource(connection=self.source.address, datasets=self.datasets)
        return take(Load("db", name, source, self.root, self.store, self.state, self.cursor, Interrupts()))

    def raw(self, name: str = "t", query: str = "FROM raw") -> list[tuple[Any, ...]]:
        """Rows of *query* over the rows ``raw`` that raw holds, without the file that they came in."""
        files = files_of(self.state, f"raw.{name}")
        found = reading(
            files, self.datasets[name], store=self.store, cursor=self.cursor, schema=self.types(name)
        )
        names = ", ".join(identifier(one).sql("duckdb") for one in found.columns)
        self.cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE raw AS SELECT {names} FROM ({found.query.sql('duckdb')})"
        )
        return self.cursor.execute(query).fetchall()

    def types(self, name: str = "t") -> dict[str, str]:
        """The columns of ``raw.<name>`` and their types."""
        return schema_of(files_of(self.state, f"raw.{name}"), self.datasets[name], self.cursor)

    def close(self) -> None:
        """End what is open."""
        self.session.close()
        self.state.close()
