"""Results of queries, kept until what they were read from changes.

A result is kept under a hash of everything that it follows from: the query without comments and
spare blanks, its parameters, who asks, and the version of each table and raw dataset that it reads.
A change makes another version, so another key; nothing has to be found and dropped. The version is
asked before the query runs: at worst a newer result is kept under an older key, and never asked for.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lakewright.app.cache_stores import RedisStore, SqliteStore, Store
from lakewright.app.named import Named, named, one_query
from lakewright.app.rows import Kept, keepable
from lakewright.errors import LakewrightError, UsageError
from lakewright.sources.manifest import last_batch
from lakewright.spec.durations import parse_duration, parse_size

if TYPE_CHECKING:
    import duckdb

    from lakewright.app.platform import Platform
    from lakewright.app.query import Params

__all__ = ["CacheReport", "QueryCache", "cache_report", "clear_cache"]

# Raised when what is kept, or what it is kept under, changes.
_FORMAT = 1

# Words without brackets that mean another thing at another time, or to another session.
_UNSTEADY_WORDS = frozenset(
    [
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_user",
        "user",
        "session_user",
        "current_role",
        "current_catalog",
        "current_schema",
        "current_database",
    ]
)
# DuckDB calls these steady, though they follow from the time or the session.
_UNSTEADY = frozenset(
    ["age", "current_setting", "getvariable", "getenv", "txid_current", "version", "pg_typeof"]
)
# Tables made of their arguments alone.
# Not what only explains or describes.
_QUERY = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/|\()*(select|with|from|values)\b", re.IGNORECASE | re.DOTALL)
_MOST_KNOWN = 10_000
_BATCH = 20_000
_PURE = frozenset(["range", "generate_series", "unnest", "repeat", "repeat_row", "generate_subscripts"])


@dataclass(frozen=True)
class CacheReport:
    """What the query cache holds and how often it answered; ``rate`` is the share of answers (0 to 1)."""

    store: str
    entries: int
    bytes: int
    hits: int
    misses: int

    @property
    def rate(self) -> float | None:
        """The share of queries that were answered from the cache, None before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def cache_report(platform: Platform) -> CacheReport:
    """Return the figures of the project's query cache. Raises LW904 when it has none."""
    cache = _cache(platform)
    return CacheReport(cache.place, **cache.store.figures())


def clear_cache(platform: Platform) -> int:
    """Drop every result that is kept, and return how many there were. Raises LW904 when there is no cache."""
    return _cache(platform).store.clear()


def _cache(platform: Platform) -> QueryCache:
    if platform.query_cache is None:
        raise UsageError(
            "LW904",
            "the project keeps no results of queries",
            remedy="add `query_cache: {lifetime: 1h}` to lakewright.yaml",
        )
    return platform.query_cache


class QueryCache:
    """The cache of one opened project."""

    def __init__(self, platform: Platform) -> None:
        spec = platform.project.file.query_cache
        assert spec is not None
        self._platform = platform
        self.lifetime = parse_duration(spec.lifetime).total_seconds()
        self.max_result = parse_size(spec.max_result)
        address = platform.resolve(spec.store)
        self.place = spec.store
        self.store: Store
        if address.startswith("sqlite:"):
            self.store = SqliteStore(
                platform.root / address.removeprefix("sqlite:"), parse_size(spec.max_size)
            )
        else:
            lake = platform.project.file.lake
            # results of different lakes must not meet
            place = f"{platform.root}|{lake.path}|{lake.catalog}|{lake.warehouse}"
            self.store = RedisStore(address, hashlib.sha256(place.encode()).hexdigest()[:16])
        self._lock = threading.Lock()
        self._unsteady: frozenset[str] | None = None
        # version of the lake → versions of its tables, as far as they were asked for
        self._versions: tuple[int | None, dict[str, int]] = (None, {})
        self._known: dict[str, Named] = {}
        self._large: set[str] = set()
        self._cursor: duckdb.DuckDBPyConnection | None = None

    def answer(self, sql: str, params: Params, *, as_of: object, flat: bool) -> Kept | None:
        """Return the result of a query that ran before, if it is kept and nothing that it reads has changed."""
        with self._lock:
            names = self._known.get(sql)
        if names is None:
            # another process may have run it: what it names is found out as for a query that runs
            try:
                with self._platform.scratch.cursor() as (cursor, _):
                    names = named(cursor, one_query(cursor, sql), ())
            except LakewrightError:
                return None  # it is refused in a moment, in the right words
            if not names.sure:
                return None
        key = self.key(sql, names, params, as_of=as_of, flat=flat)
        return self.kept(key) if key is not None else None

    def kept(self, key: str) -> Kept | None:
        """Return the result that is kept under *key*, None when there is none."""
        body = self.store.get(key)
        if body is None:
            return None
        try:
            return Kept.load(body)
        except Exception:
            # cut off, or of another version of Arrow: as if it were not there
            return None

    def key(
        self, sql: str, names: Named, params: Params, *, as_of: object, flat: bool, rights: str = ""
    ) -> str | None:
        """Return what the result of a query is kept under, None when it may not be kept.

        *rights* tells results apart that differ by who asks; the owner's is empty.
        """
        with self._lock:
            if self._cursor is None:
                self._cursor = self._platform.services.session.cursor()
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known[sql] = names
            return self._key(self._cursor, sql, names, params, as_of=as_of, flat=flat, rights=rights)

    def _key(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        names: Named,
        params: Params,
        *,
        as_of: object,
        flat: bool,
        rights: str,
    ) -> str | None:
        if not _QUERY.match(sql) or not self._steady(cursor, names):
            return None
        try:
            given = msgspec.json.encode(params, order="sorted").decode()
        except (TypeError, ValueError):
            return None
        newest = self._platform.services.lake.newest(cursor)
        versions: dict[str, object] = {}
        if as_of is not None:
            if newest is None:
                return None
            versions[""] = newest
        else:
            for zone, name in sorted(names.tables):
                id = f"{zone}.{name}".lower()
                versions[id] = self._version(cursor, id, newest)
                if versions[id] is None:
                    return None
        target = self._platform.project.target
        parts = (_FORMAT, _normal(sql), given, str(as_of), flat, target, versions, rights)
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()

    def takes(self, key: str, types: Sequence[str]) -> bool:
        """Whether a result of these types may be kept, and is not known to be too large."""
        with self._lock:
            return key not in self._large and all(map(keepable, types))

    def take(self, key: str, cursor: duckdb.DuckDBPyConnection, types: Sequence[str]) -> Kept | None:
        """Read the result that *cursor* holds, keep it under *key* and return it; None when it is too large."""
        reader = cursor.to_arrow_reader(_BATCH)
        batches, size = [], 0
        for batch in reader:
            size += batch.nbytes
            if size > self.max_result:
                with self._lock:
                    self._large.add(key)
                return None
            batches.append(batch)
        kept = Kept.of(reader.schema, batches, types)
        self.store.put(key, kept.dump(), self.lifetime)
        return kept

    # --- what a result follows from

    def _steady(self, cursor: duckdb.DuckDBPyConnection, names: Named) -> bool:
        """Whether the query means the same at any time, and everything that it reads has a version."""
        if not names.sure or names.bare - names.ctes or names.catalogs or names.sampled:
            return False
        if any(
            zone.lower() in ("ops", "information_schema", "pg_catalog", "main", "temp")
            for zone, _ in names.tables
        ):
            return False
        if names.functions - _PURE or names.words & _UNSTEADY_WORDS:
            return False
        if self._unsteady is None:
            rows = cursor.execute(
                "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
            ).fetchall()
            self._unsteady = frozenset(row[0] for row in rows) | _UNSTEADY
        return not names.called & self._unsteady

    def _version(self, cursor: duckdb.DuckDBPyConnection, id: str, newest: int | None) -> object:
        services = self._platform.services
        if id.startswith("raw."):
            if id not in services.project.raw:
                return None
            # how files are read may be declared otherwise
            source = services.project.sources[services.project.raw[id]]
            declared = hashlib.sha256(msgspec.json.encode(source)).hexdigest()
            return last_batch(services.state, id), declared
        if self._versions[0] != newest or newest is None:
            self._versions = (newest, {})
        known = self._versions[1]
        if id not in known:
            found = services.lake.snapshots(cursor, id, 1)
            if not found:
                return None
            known[id] = found[0].id
        return known[id]


def _normal(sql: str) -> str:
    """The query without comments, blanks that say nothing, and differences of upper and lower case in words."""
    from sqlglot import TokenType

    from lakewright.sql.query import tokens

    parts = []
    for one in tokens(sql):
        exact = one.token_type in (TokenType.STRING, TokenType.IDENTIFIER) or one.token_type.name.endswith(
            "STRING"
        )
        if one.token_type == TokenType.SEMICOLON:
            continue
        parts.append(f"{one.token_type.name}:{one.text if exact else one.text.lower()}")
    return "\n".join(parts)
