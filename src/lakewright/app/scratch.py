"""Databases in memory that hold the views of queries, each used by one query at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakewright.engine.session import Session

if TYPE_CHECKING:
    import duckdb

__all__ = ["Scratch"]


class Scratch:
    """Hands out cursors with a catalog of their own.

    Two queries that run at once may see the same dataset as of different times: what ``zone.name``
    means to one must not be what it means to the other.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._free: list[str] = []
        self._made = 0

    @contextmanager
    def cursor(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """Give a cursor and the name of the catalog that it works in, ours until the block ends."""
        cursor = self._session.cursor()
        name = self._take()
        try:
            cursor.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {name}")
            cursor.execute(f"USE {name}")
            yield cursor, name
        finally:
            cursor.close()
            with self._lock:
                self._free.append(name)

    def _take(self) -> str:
        with self._lock:
            if self._free:
                return self._free.pop()
            self._made += 1
            return f"_query_{self._made}"
