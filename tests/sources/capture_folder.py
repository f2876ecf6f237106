"""A project that captures changes of one PostgreSQL database, and what its tables are by what raw holds."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from database_folder import Project, postgres_source

from lakewright.sources.capture.server import Server
from lakewright.sources.capture.take import take_changes
from lakewright.sources.database.address import address_of
from lakewright.sources.database.load import Load
from lakewright.sources.database.model import Interrupts
from lakewright.sources.files import Taken
from lakewright.sources.manifest import files_of
from lakewright.spec.databases import Capture, DatabaseSource

__all__ = ["Captured", "capturing", "drop_slots"]


class Captured(Project):
    """Like ``Project``; ``take`` captures, ``final`` is a table made of all changes in raw."""

    capture = Capture()

    def load(self, name: str = "t") -> Load:
        source = DatabaseSource(connection=self.source.address, datasets=self.datasets, capture=self.capture)
        return Load("db", name, source, self.root, self.store, self.state, self.cursor, Interrupts())

    def take(self, name: str = "t") -> Taken:
        return take_changes(self.load(name))

    def server(self) -> Server:
        return Server(address_of(self.source.address, root=self.root), Interrupts())

    def final(self, name: str = "t", columns: str = "*", keys: str = "id") -> list[tuple[Any, ...]]:
        """The rows that are there after all changes, in the order of all *columns*."""
        self.changes(name)
        self.cursor.execute(
            "CREATE OR REPLACE TEMP TABLE last_changes AS FROM raw_changes QUALIFY "
            f"row_number() OVER (PARTITION BY {keys} ORDER BY nth DESC) = 1"
        )
        own = "* EXCLUDE (change_op, change_lsn, change_seq, change_at, change_xid, nth)"
        return self.cursor.execute(
            f"SELECT {columns} FROM (SELECT {own} FROM last_changes WHERE change_op <> 'delete') ORDER BY ALL"
        ).fetchall()

    def changes(self, name: str = "t", query: str = "FROM raw_changes") -> list[tuple[Any, ...]]:
        """Rows of *query* over ``raw_changes``, all changes with ``nth``, their order in raw."""
        from lakewright.sources.read import reading

        files = files_of(self.state, f"raw.{name}")
        found = reading(
            files, self.datasets[name], store=self.store, cursor=self.cursor, schema=self.types(name)
        )
        if not found.has_row:
            found = replace(found, query=found.query.select("0 AS _source_row"))
        self.cursor.execute(
            "CREATE OR REPLACE TEMP TABLE raw_changes AS SELECT * EXCLUDE (_source_file, _source_row), "
            f"row_number() OVER (ORDER BY _source_file, _source_row) AS nth FROM ({found.query.sql('duckdb')})"
        )
        return self.cursor.execute(query).fetchall()


def drop_slots(project: Captured) -> None:
    """Drop the slots of the project's database: a server has only so many."""
    with closing(project.server()) as server:
        for name in server.slots_like("%"):
            server.drop_slot(name)


def capturing(root: Path, address: str) -> Captured:
    """A project in *root* over the database at *address*."""
    return Captured(root, postgres_source(address))
