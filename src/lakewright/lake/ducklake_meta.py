"""What DuckLake's catalog knows: tables, partitions, versions and what each of them changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import duckdb
from sqlglot import exp

from lakewright.lake.protocol import CATALOG, Runs, Snapshot, TableInfo
from lakewright.sql.names import table

__all__ = ["alive", "partitions", "snapshots", "sorts", "tables", "version_at"]

# DuckLake attaches its catalog database as `__ducklake_metadata_<name of the lake>`.
assert CATALOG == "lake"

#: DuckLake's names for what a snapshot did, in ours.
_CHANGES = {
    "tables_created": "created",
    "tables_dropped": "dropped",
    "tables_altered": "altered",
    "tables_inserted_into": "inserted",
    "inlined_insert": "inserted",
    "tables_deleted_from": "deleted",
    "inlined_delete": "deleted",
    "merge_adjacent": "compacted",
    "compacted_table": "compacted",
    "rewrite_delete": "compacted",
    "flushed_inlined": "compacted",
    "inline_flush": "compacted",
}

_TABLES = """
    SELECT t.table_id, s.schema_name || '.' || t.table_name AS id
    FROM __ducklake_metadata_lake.ducklake_table t
    JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id)
    WHERE $1 >= t.begin_snapshot AND (t.end_snapshot IS NULL OR $1 < t.end_snapshot)
      AND $1 >= s.begin_snapshot AND (s.end_snapshot IS NULL OR $1 < s.end_snapshot)
"""

_PARTITIONS = """
    SELECT s.schema_name || '.' || t.table_name AS id, p.transform, c.column_name
    FROM __ducklake_metadata_lake.ducklake_table t
    JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id)
    JOIN __ducklake_metadata_lake.ducklake_partition_info i USING (table_id)
    JOIN __ducklake_metadata_lake.ducklake_partition_column p
      ON p.partition_id = i.partition_id AND p.table_id = i.table_id
    JOIN __ducklake_metadata_lake.ducklake_column c
      ON c.table_id = i.table_id AND c.column_id = p.column_id
    WHERE $1 >= t.begin_snapshot AND (t.end_snapshot IS NULL OR $1 < t.end_snapshot)
      AND $1 >= i.begin_snapshot AND (i.end_snapshot IS NULL OR $1 < i.end_snapshot)
      AND $1 >= c.begin_snapshot AND (c.end_snapshot IS NULL OR $1 < c.end_snapshot)
    ORDER BY id, p.partition_key_index
"""

_SORTS = """
    SELECT e.expression, e.sort_direction
    FROM __ducklake_metadata_lake.ducklake_table t
    JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id)
    JOIN __ducklake_metadata_lake.ducklake_sort_info i USING (table_id)
    JOIN __ducklake_metadata_lake.ducklake_sort_expression e ON e.sort_id = i.sort_id AND e.table_id = i.table_id
    WHERE $1 >= t.begin_snapshot AND (t.end_snapshot IS NULL OR $1 < t.end_snapshot)
      AND $1 >= i.begin_snapshot AND (i.end_snapshot IS NULL OR $1 < i.end_snapshot)
      AND s.schema_name || '.' || t.table_name = $2
    ORDER BY e.sort_key_index
"""

_NAMES = """
    SELECT t.table_id::VARCHAR, arg_max(s.schema_name || '.' || t.table_name, t.begin_snapshot)
    FROM __ducklake_metadata_lake.ducklake_table t
    JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id)
    GROUP BY 1
"""

_SIZES = """
    SELECT table_id, file_count, file_size_bytes + delete_file_size_bytes FROM ducklake_table_info('lake')
"""

_COMMENTS = """
    SELECT object_id, value FROM __ducklake_metadata_lake.ducklake_tag
    WHERE key = 'comment' AND end_snapshot IS NULL
"""

_SNAPSHOTS = """
    SELECT snapshot_id, snapshot_time, coalesce(author, ''), coalesce(commit_message, ''), commit_extra_info, changes
    FROM ducklake_snapshots('lake') ORDER BY snapshot_id DESC
"""

_NUMBERED = "SELECT max(snapshot_id) FROM ducklake_snapshots('lake') WHERE snapshot_id = $1"
_DATED = "SELECT max(snapshot_id) FROM ducklake_snapshots('lake') WHERE snapshot_time <= $1::TIMESTAMPTZ"

# Far beyond any snapshot: what is alive then is alive now.
_NOW = 2**62


def alive(lake: Runs, cursor: duckdb.DuckDBPyConnection, version: int | None = None) -> dict[str, int]:
    """Return the catalog's number of each table that existed at *version* (default: now), by dataset id."""
    rows = lake.run(cursor, _TABLES, [_NOW if version is None else version]).fetchall()
    return {row[1]: row[0] for row in rows}


def partitions(
    lake: Runs, cursor: duckdb.DuckDBPyConnection, version: int | None = None
) -> dict[str, tuple[str, ...]]:
    """Return ``partition_by`` of each partitioned table at *version*, by dataset id, as a project writes it."""
    rows = lake.run(cursor, _PARTITIONS, [_NOW if version is None else version]).fetchall()
    found: dict[str, tuple[str, ...]] = {}
    for id, transform, name in rows:
        found[id] = (*found.get(id, ()), _partition(transform, name))
    return found


def _partition(transform: str, name: str) -> str:
    if transform == "identity":
        return name
    if transform.startswith("bucket("):
        return f"{transform.removesuffix(')')}, {name})"
    return f"{transform}({name})"


def sorts(
    lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str, version: int | None = None
) -> tuple[str, ...]:
    """Return the sort keys of the table at *version*, as a project writes them."""
    rows = lake.run(cursor, _SORTS, [_NOW if version is None else version, id]).fetchall()
    return tuple(f"{expression} {direction.lower()}" for expression, direction in rows)


def tables(lake: Runs, cursor: duckdb.DuckDBPyConnection, only: str | None = None) -> list[TableInfo]:
    """Return every table that exists now, ordered by id, or *only* that one.

    Rows are counted, from statistics where possible.
    """
    numbers = {id: one for id, one in alive(lake, cursor).items() if only in (None, id)}
    if not numbers:
        return []
    sizes = {row[0]: row[1:] for row in lake.run(cursor, _SIZES).fetchall()}
    comments = dict(lake.run(cursor, _COMMENTS).fetchall())
    counts = [
        exp.select(exp.Literal.string(id), exp.func("count", exp.Star())).from_(table(id, CATALOG))
        for id in numbers
    ]
    rows = dict(
        lake.run(cursor, counts[0] if len(counts) == 1 else exp.union(*counts, distinct=False)).fetchall()
    )
    parts = partitions(lake, cursor)
    return [
        TableInfo(
            id=id,
            rows=rows.get(id, 0),
            files=sizes.get(number, (0, 0))[0],
            bytes=sizes.get(number, (0, 0))[1],
            comment=comments.get(number) or "",
            partition_by=parts.get(id, ()),
        )
        for id, number in sorted(numbers.items())
    ]


def snapshots(
    lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str | None = None, limit: int | None = None
) -> list[Snapshot]:
    """Return versions, newest first; with *id* only those that touched it."""
    names = dict(lake.run(cursor, _NAMES).fetchall())
    result: list[Snapshot] = []
    reader = lake.run(cursor, _SNAPSHOTS)
    while rows := reader.fetchmany(500):
        for version, at, author, message, info, changes in rows:
            changed = _changes(changes or {}, names)
            if id is None or any(id in touched for touched in changed.values()):
                result.append(Snapshot(version, at, author, message, _info(info), changed))
            if limit is not None and len(result) == limit:
                return result
    return result


def _changes(changes: Mapping[str, list[str]], names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for kind, touched in changes.items():
        if kind.startswith("schemas_"):
            continue
        # A table is named by number; one made by the same snapshot, by name.
        found.setdefault(_CHANGES.get(kind, kind), set()).update(names.get(one, one) for one in touched)
    return {kind: tuple(sorted(touched)) for kind, touched in found.items()}


def _info(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {"text": text}
    return found if isinstance(found, dict) else {"value": found}


def version_at(
    lake: Runs, cursor: duckdb.DuckDBPyConnection, version: int | None, timestamp: datetime | None
) -> int | None:
    """Return *version* when it exists, or the last version committed until *timestamp*; None when there is none."""
    if timestamp is None:
        row = lake.run(cursor, _NUMBERED, [version]).fetchone()
    else:
        row = lake.run(cursor, _DATED, [timestamp.isoformat()]).fetchone()
    return row[0] if row else None
