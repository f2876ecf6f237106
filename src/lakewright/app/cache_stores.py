"""Where results of queries are kept: a SQLite file of this machine, or Redis for several."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lakewright.errors import UsageError
from lakewright.observe import TaskLog

if TYPE_CHECKING:
    import redis

__all__ = ["RedisStore", "SqliteStore", "Store"]

_PREFIX = "lakewright:query:"
_log = TaskLog("lakewright.cache")


class Store(Protocol):
    """Keeps texts of bytes under keys for a time, and counts how often they were found."""

    def get(self, key: str) -> bytes | None:
        """Return what is kept under *key*, and count it as found or not."""

    def put(self, key: str, body: bytes, seconds: float) -> None:
        """Keep *body* under *key* for *seconds*."""

    def figures(self) -> dict[str, int]:
        """Return ``hits`` and ``misses`` so far, and the ``entries`` and ``bytes`` that are kept."""

    def clear(self) -> int:
        """Drop everything, counts too; return how many entries there were."""

    def close(self) -> None:
        """Let go of it."""


class SqliteStore:
    """A SQLite file. What cannot be read or written costs time, never the answer: the query runs."""

    def __init__(self, file: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None, timeout=2)
        try:
            self._make(connection)
        except sqlite3.DatabaseError:
            # damaged: what it held can be asked for again
            connection.close()
            for name in (self._file, Path(f"{self._file}-wal"), Path(f"{self._file}-shm")):
                name.unlink(missing_ok=True)
            connection = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None, timeout=2)
            self._make(connection)
        return connection

    @staticmethod
    def _make(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, body BLOB, expires REAL, used REAL) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS figures (name TEXT PRIMARY KEY, value INTEGER)")

    def get(self, key: str) -> bytes | None:
        """See :meth:`Store.get`."""
        try:
            with self._lock:
                now = time.time()
                row = self._connection.execute(
                    "SELECT body FROM results WHERE key = ? AND expires > ?", [key, now]
                ).fetchone()
                self._count("hits" if row else "misses")
                if row:
                    self._connection.execute("UPDATE results SET used = ? WHERE key = ?", [now, key])
        except sqlite3.Error as error:
            _log.warning("the query cache cannot be read", problem=str(error))
            return None
        return bytes(row[0]) if row else None

    def put(self, key: str, body: bytes, seconds: float) -> None:
        """See :meth:`Store.put`."""
        try:
            with self._lock:
                now = time.time()
                self._connection.execute("DELETE FROM results WHERE expires <= ?", [now])
                self._connection.execute(
                    "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", [key, body, now + seconds, now]
                )
                self._make_room()
        except sqlite3.Error as error:
            _log.warning("the query cache cannot be written", problem=str(error))

    def _make_room(self) -> None:
        total = self._connection.execute("SELECT coalesce(sum(length(body)), 0) FROM results").fetchone()[0]
        while total > self._max_bytes:
            oldest = self._connection.execute(
                "SELECT key, length(body) FROM results ORDER BY used LIMIT 1"
            ).fetchone()
            if oldest is None:
                return
            self._connection.execute("DELETE FROM results WHERE key = ?", [oldest[0]])
            total -= oldest[1]

    def _count(self, name: str) -> None:
        self._connection.execute(
            "INSERT INTO figures VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1", [name]
        )

    def figures(self) -> dict[str, int]:
        """See :meth:`Store.figures`."""
        with self._lock:
            found = dict(self._connection.execute("SELECT name, value FROM figures").fetchall())
            entries, size = self._connection.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM results WHERE expires > ?",
                [time.time()],
            ).fetchone()
        return {
            "hits": found.get("hits", 0),
            "misses": found.get("misses", 0),
            "entries": entries,
            "bytes": size,
        }

    def clear(self) -> int:
        """See :meth:`Store.clear`."""
        with self._lock:
            count = self._connection.execute("SELECT count(*) FROM results").fetchone()[0]
            self._connection.execute("DELETE FROM results")
            self._connection.execute("DELETE FROM figures")
            # what was in a result must not be found in the file any more
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(count)

    def close(self) -> None:
        """See :meth:`Store.close`."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


class RedisStore:
    """A Redis server; *space* keeps the results of one lake apart from those of others."""

    def __init__(self, url: str, space: str) -> None:
        try:
            import redis
        except ImportError:
            raise UsageError(
                "LW904", "redis is not installed", remedy="pip install 'lakewright[redis]'"
            ) from None
        self._errors = redis.RedisError
        self._client: redis.Redis = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
        self._prefix = f"{_PREFIX}{space}:"

    def get(self, key: str) -> bytes | None:
        """See :meth:`Store.get`."""
        try:
            body = self._client.get(self._prefix + key)
            self._client.incr(f"{self._prefix}{'hits' if body is not None else 'misses'}")
        except self._errors as error:
            _log.warning("the query cache cannot be read", problem=str(error))
            return None
        return bytes(body) if isinstance(body, bytes) else None

    def put(self, key: str, body: bytes, seconds: float) -> None:
        """See :meth:`Store.put`."""
        try:
            self._client.set(self._prefix + key, body, px=max(1, int(seconds * 1000)))
        except self._errors as error:
            _log.warning("the query cache cannot be written", problem=str(error))

    def figures(self) -> dict[str, int]:
        """See :meth:`Store.figures`."""
        found = {"hits": 0, "misses": 0, "entries": 0, "bytes": 0}
        for name in self._names():
            last = name.rpartition(b":")[2].decode()
            if last in ("hits", "misses"):
                found[last] = int(self._client.get(name) or 0)
            else:
                found["entries"] += 1
                found["bytes"] += int(self._client.strlen(name))
        return found

    def clear(self) -> int:
        """See :meth:`Store.clear`."""
        names = self._names()
        if names:
            self._client.delete(*names)
        return sum(name.rpartition(b":")[2] not in (b"hits", b"misses") for name in names)

    def _names(self) -> list[bytes]:
        return list(self._client.scan_iter(match=f"{self._prefix}*", count=1000))

    def close(self) -> None:
        """See :meth:`Store.close`."""
        self._client.close()
