"""A DuckDB instance that holds a few tables, and from which nothing else can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.engine.session import Session
from lakewright.spec.project import Engine
from lakewright.sql.names import identifier, split_id, table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LockedSession"]

#: The name under which rows are handed over; gone before anybody else's statement runs.
_GIVEN = "_given"


class LockedSession:
    """Tables for statements of someone who may see these tables and nothing else.

    Fill it with :meth:`put`, then :meth:`lock` it. After that no file, address, catalog or extension can be
    reached, and no setting changed: the instance has never known of any but its own tables.
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        self._session = Session.open(engine, root=root)
        self.cursor = self._session.cursor()
        self.locked = False
        # the engine that reads the lake has as much again
        row = self.cursor.execute("SELECT current_setting('memory_limit')").fetchone()
        amount, _, unit = str(row[0] if row else "1 GiB").partition(" ")
        self.cursor.execute(f"SET GLOBAL memory_limit = '{float(amount) / 2:.1f}{unit}'")

    def put(self, id: str, columns: Mapping[str, str], rows: pa.RecordBatchReader) -> None:
        """Make the table *id* with *columns* (DuckDB types by name) and write *rows* into it as they are read."""
        assert not self.locked
        zone, _ = split_id(id)
        name = table(id, "").sql("duckdb")
        kinds = ", ".join(f"{identifier(one).sql('duckdb')} {kind}" for one, kind in columns.items())
        self.cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(zone).sql('duckdb')}")
        self.cursor.execute(f"CREATE TABLE {name} ({kinds})")
        self.cursor.register(_GIVEN, rows)
        try:
            query = exp.select(*(exp.column(identifier(one)) for one in columns)).from_(exp.to_table(_GIVEN))
            self.cursor.execute(f"INSERT INTO {name} {query.sql('duckdb')}")
        finally:
            self.cursor.unregister(_GIVEN)

    def lock(self) -> None:
        """Shut every way out, for good."""
        self.cursor.execute("SET GLOBAL enable_external_access = false")
        self.cursor.execute("SET GLOBAL lock_configuration = true")
        self.locked = True

    def interrupt(self) -> None:
        """Stop the statement that runs."""
        self._session.interrupt()

    def close(self) -> None:
        """Forget the tables, and remove what was spilled."""
        self._session.close()

    def __enter__(self) -> LockedSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
