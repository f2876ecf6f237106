"""Keep a DuckLake small and quick: merge files, apply deletes, forget old versions, remove what nobody needs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import duckdb

from lakewright.errors import NotFoundError, nearest
from lakewright.lake.protocol import CATALOG, Compaction, Runs
from lakewright.sql.names import literal, split_id

__all__ = ["GRACE", "ORPHAN_AGE", "chosen_tables", "compact", "expire"]

#: Files that no version needs are kept this long: a reader in another process may still be at them.
GRACE = timedelta(hours=1)

#: A file that no version names is a crash's leftover only when it is older than any commit under way.
ORPHAN_AGE = timedelta(days=1)


class _Lake(Runs, Protocol):
    def ids(self, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> set[str]: ...

    def files(self, cursor: duckdb.DuckDBPyConnection, id: str) -> list[str]: ...


def compact(lake: _Lake, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str] | None) -> list[Compaction]:
    """Write inlined rows to files, files without their deleted rows, and small files into larger ones."""
    return [_compact(lake, cursor, id) for id in chosen_tables(lake.ids(cursor), ids)]


def chosen_tables(known: set[str], ids: Iterable[str] | None) -> list[str]:
    """Return *ids*, or all *known* tables when None; raises LW414 for one that is not there."""
    chosen = sorted(known) if ids is None else list(ids)
    for id in chosen:
        if id not in known:
            raise NotFoundError("LW414", f"the lake has no table {id!r}{nearest(id, known)}")
    return chosen


def _compact(lake: _Lake, cursor: duckdb.DuckDBPyConnection, id: str) -> Compaction:
    zone, name = (literal(one).sql("duckdb") for one in split_id(id))
    before = len(lake.files(cursor, id))
    lake.run(
        cursor, f"CALL ducklake_flush_inlined_data('{CATALOG}', schema_name => {zone}, table_name => {name})"
    )
    lake.run(
        cursor,
        f"CALL ducklake_rewrite_data_files('{CATALOG}', {name}, schema => {zone}, delete_threshold => 0.1)",
    )
    lake.run(cursor, f"CALL ducklake_merge_adjacent_files('{CATALOG}', {name}, schema => {zone})")
    return Compaction(id, before, len(lake.files(cursor, id)))


def expire(
    lake: _Lake,
    cursor: duckdb.DuckDBPyConnection,
    older_than: datetime,
    *,
    grace: timedelta = GRACE,
    orphan_age: timedelta = ORPHAN_AGE,
) -> int:
    """Forget versions older than *older_than* (the newest always stays) and delete files that none needs."""
    moment = _instant(older_than)
    forgotten = lake.run(
        cursor, f"CALL ducklake_expire_snapshots('{CATALOG}', older_than => {moment})"
    ).fetchall()
    now = datetime.now(UTC)
    lake.run(cursor, f"CALL ducklake_cleanup_old_files('{CATALOG}', older_than => {_instant(now - grace)})")
    lake.run(
        cursor,
        f"CALL ducklake_delete_orphaned_files('{CATALOG}', older_than => {_instant(now - orphan_age)})",
    )
    return len(forgotten)


def _instant(moment: datetime) -> str:
    # An offset-free time would be read in the session's zone; say the zone.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"TIMESTAMPTZ {literal(aware.isoformat(sep=' ')).sql('duckdb')}"
