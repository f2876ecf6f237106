"""Keep an Iceberg lake small and quick: write files anew, forget old versions, remove what no snapshot needs.

DuckDB reads and writes the rows; snapshots are taken out of a table's metadata through the catalog. Whatever is
interrupted is finished by the next call: first a version is no longer offered, then its snapshots go, then files.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import duckdb
from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.lake import iceberg_meta, schema
from lakewright.lake.iceberg_meta import COMMITS
from lakewright.lake.iceberg_rest import Listed, RestTables, bare
from lakewright.lake.protocol import CATALOG, Compaction, Runs
from lakewright.sql.names import column, literal, table

if TYPE_CHECKING:
    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.table import Table

__all__ = ["first_kept", "forget_before", "rewrite", "sweep"]

#: Data files below this many bytes are worth putting together, or below three quarters of the table's own target.
SMALL = 64 << 20

#: How large a writer makes a data file: Iceberg's own property and default. DuckDB would begin another at 8 MiB,
#: but for each partition it makes one, however large, and refuses the property.
_TARGET, _TARGET_BYTES = "write.target-file-size-bytes", 512 << 20

#: A table is written anew when this share of its bytes is in small files, or of its rows deleted.
_WORTHWHILE = 0.1

#: More small files than this in one partition are put together whatever they weigh.
_MANY = 10

_STAGED = "_rewritten_rows"


class _Lake(Runs, Protocol):
    def columns(self, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str] | None: ...

    def sort_keys(
        self, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
    ) -> tuple[str, ...]: ...

    def ids(self, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> set[str]: ...

    def set_property(self, cursor: duckdb.DuckDBPyConnection, id: str, name: str, value: str) -> None: ...

    def within_lock(self, cursor: duckdb.DuckDBPyConnection) -> AbstractContextManager[None]: ...


# --- versions


def first_kept(lake: _Lake, cursor: duckdb.DuckDBPyConnection, since: datetime | None = None) -> int | None:
    """Return the oldest commit recorded at *since* or later, or the newest of all when there is none."""
    kept = exp.select(exp.Max(this=column("id"))).from_(table(COMMITS, CATALOG))
    if since is not None:
        aware = since if since.tzinfo else since.replace(tzinfo=UTC)
        first = exp.select(exp.Min(this=column("id"))).from_(table(COMMITS, CATALOG))
        first = first.where(column("id") >= literal(int(aware.timestamp() * 1000)))
        kept = exp.select(exp.func("coalesce", first.subquery(), kept.subquery()))
    row = lake.run(cursor, kept).fetchone()
    return row[0] if row else None


def forget_before(lake: _Lake, cursor: duckdb.DuckDBPyConnection, rest: RestTables, first: int) -> int:
    """Forget the versions before commit *first*, and the snapshots that only they show; return how many versions went."""
    older = column("id") < literal(first)
    row = lake.run(
        cursor, exp.select(exp.Count(this=exp.Star())).from_(table(COMMITS, CATALOG)).where(older)
    ).fetchone()
    gone = int(row[0]) if row else 0
    if gone:
        lake.run(cursor, exp.delete(table(COMMITS, CATALOG)).where(older.copy()))
    following = iceberg_meta.next_commit(lake, cursor, first)
    for id in sorted(lake.ids(cursor)):
        rest.forget(id, _superseded(iceberg_meta.table_snapshots(lake, cursor, id), following))
    return gone


def _superseded(snapshots: Sequence[iceberg_meta.TableSnapshot], following: int | None) -> list[int]:
    """The snapshots before the one that the first kept version shows: the last before the commit that follows it."""
    shown = 0
    for place, one in enumerate(snapshots):
        if following is None or round(one.at.timestamp() * 1000) < following:
            shown = place
    return [one.id for one in snapshots[:shown]]


# --- rows


def rewrite(
    lake: _Lake, cursor: duckdb.DuckDBPyConnection, rest: RestTables, id: str, *, always: bool = False
) -> Compaction:
    """Write the table's files anew when that is worth it, in the table's order, without rows that were deleted.

    Two commits: rows are deleted and written again, in one; then files of which no row is left are let go. After
    each the rows are the same, and each is refused when another writer was quicker (ConflictError).
    """
    found, entries = rest.entries(id)
    before = sum(not int(one.data_file.content) for one in entries)
    start = found.metadata.current_snapshot_id
    target = int(found.metadata.properties.get(_TARGET, _TARGET_BYTES))
    if start is None or not (entries if always else _worthwhile(entries, min(SMALL, target * 3 // 4))):
        return Compaction(id, before, before)
    if _TARGET not in found.metadata.properties and found.spec().is_unpartitioned():
        lake.set_property(cursor, id, _TARGET, str(target))
    name, order = table(id, CATALOG), _order(lake, cursor, id)
    staged = exp.select("*").from_(name.copy())
    staged = staged.order_by(*order) if order else staged
    try:
        with lake.within_lock(cursor):
            lake.run(cursor, f"CREATE OR REPLACE TEMP TABLE {_STAGED} AS {staged.sql('duckdb')}")
            row = lake.run(cursor, f"SELECT count(*) FROM {_STAGED}").fetchone()  # noqa: S608 - a name of ours
            rows = int(row[0]) if row else 0
            if rows:
                lake.run(cursor, exp.delete(name.copy()))
                again = exp.Insert(this=name.copy(), expression=exp.select("*").from_(f"temp.{_STAGED}"))
                lake.run(cursor, again)
    finally:
        lake.run(cursor, f"DROP TABLE IF EXISTS temp.{_STAGED}")
    rest.keep_only(id, start, commits=2 if rows else 0)
    left = [one for one in rest.entries(id)[1] if not int(one.data_file.content)]
    return Compaction(id, before, len(left))


def _order(lake: _Lake, cursor: duckdb.DuckDBPyConnection, id: str) -> list[str]:
    # a column may have been dropped since
    keys, columns = lake.sort_keys(cursor, id), lake.columns(cursor, id) or {}
    return list(schema.sort_expressions(keys, columns, missing_ok=True))


def _worthwhile(entries: Sequence[ManifestEntry], least: int) -> bool:
    """Whether a tenth of the rows is deleted, or files below *least* bytes could be one and are worth it.

    They are when a partition has many, or when a tenth of the table's bytes lies beside the largest of each: a large
    file is not written again for every few rows that come.
    """
    data = [one.data_file for one in entries if not int(one.data_file.content)]
    rows = sum(one.record_count for one in data)
    deleted = sum(one.data_file.record_count for one in entries if int(one.data_file.content))
    if rows and deleted >= rows * _WORTHWHILE:
        return True
    beside: dict[tuple[int, str], list[int]] = {}
    for one in data:
        if one.file_size_in_bytes < least:
            beside.setdefault((one.spec_id, repr(one.partition)), []).append(one.file_size_in_bytes)
    if any(len(sizes) > _MANY for sizes in beside.values()):
        return True
    mergeable = sum(sum(sizes) - max(sizes) for sizes in beside.values())
    return mergeable > 0 and mergeable >= sum(one.file_size_in_bytes for one in data) * _WORTHWHILE


# --- files


def sweep(
    rest: RestTables, id: str, *, freed_before: datetime, made_before: datetime, history: bool = True
) -> int:
    """Delete the files under the table's location that nothing needs; return how many.

    Needed is what a snapshot refers to, now or in any ``metadata.json`` that was current after *freed_before*,
    so that running readers keep their files. What was written after *made_before* stays: a commit under way may
    be about to name it. With *history* the older ``metadata.json`` that the newest one lists stay, too.
    Raises LW408 when the table's own files are not where it says they are: then nothing is deleted.
    """
    first = rest.load(id)
    listed = rest.listed(id)
    table = rest.load(id)  # what was committed during the listing is known by now
    there = {bare(one.path) for one in listed}
    _require_listed(id, first, there)
    roots = [table.metadata]
    recent = _recent(listed, freed_before)
    roots += [rest.metadata_at(table, one.path) for one in recent]
    needed = {bare(table.metadata_location), *(bare(one.path) for one in recent)}
    for one in roots:
        needed |= rest.referred(table, one, there)
    if history:
        needed |= {bare(one.metadata_file) for one in table.metadata.metadata_log}
    gone = [one for one in listed if bare(one.path) not in needed and one.written < made_before]
    # a metadata.json first: while it is there, the next call may look for what it names
    rest.remove(id, [one.path for one in sorted(gone, key=lambda one: not _is_metadata(one))])
    return len(gone)


def _require_listed(id: str, table: Table, there: set[str]) -> None:
    current = table.metadata.current_snapshot()
    if current is not None and bare(current.manifest_list) not in there:
        raise LakewrightError(
            "LW408",
            f"the files of {id} are not all found under {table.metadata.location}: none was deleted",
            tried=[current.manifest_list],
        )


def _recent(listed: Sequence[Listed], since: datetime) -> list[Listed]:
    """Every ``metadata.json`` that was the table's at *since* or later."""
    made = sorted((one for one in listed if _is_metadata(one)), key=lambda one: one.written)
    older = [one for one in made if one.written < since]
    return older[-1:] + [one for one in made if one.written >= since]


def _is_metadata(one: Listed) -> bool:
    return one.path.endswith((".metadata.json", ".metadata.json.gz"))
