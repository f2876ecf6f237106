"""What an Iceberg catalog knows: tables, their metadata, and the commits that Lakewright recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.errors import NotFoundError
from lakewright.lake.protocol import BOOKKEEPING, CATALOG, Runs, Snapshot, TableInfo
from lakewright.sql.names import column, literal, table

__all__ = [
    "COLUMNS",
    "COMMITS",
    "SORT_BY",
    "files",
    "ids",
    "info",
    "metadata",
    "name_of",
    "next_commit",
    "no_version",
    "partitions",
    "returns_to_earlier",
    "snapshots",
    "sort_keys",
    "table_snapshots",
    "version_at",
    "zones",
]

#: The table that opens every commit with a row.
COMMITS = f"{BOOKKEEPING}.commits"

#: Its columns: ``id`` is the commit's time in milliseconds.
COLUMNS: dict[str, str] = {
    "id": "BIGINT",
    "at": "TIMESTAMP WITH TIME ZONE",
    "author": "VARCHAR",
    "message": "VARCHAR",
    "info": "VARCHAR",
}

#: The property that keeps a table's ``sort_by``: DuckDB writes no table that declares an order of Iceberg's own.
SORT_BY = "lakewright.sort-by"

#: Iceberg's names for what a snapshot did, in ours.
_OPERATIONS = {
    "append": ("inserted",),
    "delete": ("deleted",),
    "overwrite": ("inserted", "deleted"),
    "replace": ("compacted",),
}


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """One snapshot of one table."""

    id: int
    at: datetime
    operation: str


def name_of(id: str) -> str:
    """Return the table's full name as the text that Iceberg's table functions take."""
    return literal(table(id, CATALOG).sql("duckdb")).sql("duckdb")


def zones(lake: Runs, cursor: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the namespaces that exist."""
    rows = lake.run(
        cursor, "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'lake'"
    ).fetchall()
    return {row[0] for row in rows}


def ids(lake: Runs, cursor: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the ids of the tables that exist."""
    rows = lake.run(
        cursor, "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake'"
    ).fetchall()
    return {f"{zone}.{name}" for zone, name in rows}


def metadata(lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, Any]:
    """Return the table's metadata as the Iceberg specification lays it out."""
    query = exp.select(exp.cast(column("metadata"), "JSON")).from_(
        _function("iceberg_load_table_response", id)
    )
    row = lake.run(cursor, query).fetchone()
    found = json.loads(row[0]) if row else {}
    return found if isinstance(found, dict) else {}


def _function(name: str, id: str) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[literal(table(id, CATALOG).sql("duckdb"))])


def partitions(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``partition_by`` from a table's metadata, as a project writes it."""
    specs = {spec["spec-id"]: spec for spec in meta.get("partition-specs", [])}
    spec = specs.get(meta.get("default-spec-id", 0), {"fields": []})
    names = {field["id"]: field["name"] for field in _fields(meta)}
    found = []
    for field in spec["fields"]:
        name, transform = names.get(field["source-id"], "?"), str(field["transform"])
        if transform == "identity":
            found.append(name)
        elif transform.startswith("bucket["):
            found.append(f"bucket({transform[7:-1]}, {name})")
        else:
            found.append(f"{transform}({name})")
    return tuple(found)


def sort_keys(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``sort_by`` from a table's metadata, as a project writes it."""
    return tuple(json.loads(meta.get("properties", {}).get(SORT_BY, "[]")))


def _fields(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    for one in meta.get("schemas", []):
        if one.get("schema-id") == meta.get("current-schema-id", 0):
            return list(one["fields"])
    return []


def returns_to_earlier(
    lake: Runs,
    cursor: duckdb.DuckDBPyConnection,
    id: str,
    *,
    without: str = "",
    rename: tuple[str, str] = ("", ""),
) -> bool:
    """Whether dropping or renaming a column would leave the table with one of its earlier schemas."""
    meta = metadata(lake, cursor, id)
    old, new = rename
    if (without or old) not in {field["name"] for field in _fields(meta)}:
        return False  # made by the transaction under way: its number is new
    changed = [
        (field["id"], new if field["name"] == old else field["name"], json.dumps(field["type"]))
        for field in _fields(meta)
        if field["name"] != without
    ]
    earlier = [
        [(field["id"], field["name"], json.dumps(field["type"])) for field in one["fields"]]
        for one in meta.get("schemas", [])
    ]
    return changed in earlier


def info(lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str) -> TableInfo:
    """Return what is known about one table."""
    meta = metadata(lake, cursor, id)
    count = lake.run(cursor, exp.select(exp.Count(this=exp.Star())).from_(table(id, CATALOG))).fetchone()
    summary = _current(meta).get("summary", {})
    size = summary.get("total-files-size")
    return TableInfo(
        id=id,
        rows=int(count[0]) if count else 0,
        bytes=int(size) if size is not None else None,
        files=int(summary.get("total-data-files", 0)),
        comment=str(meta.get("properties", {}).get("comment", "")),
        partition_by=partitions(meta),
    )


def _current(meta: Mapping[str, Any]) -> dict[str, Any]:
    for one in meta.get("snapshots", []):
        if one["snapshot-id"] == meta.get("current-snapshot-id"):
            return dict(one)
    return {}


def files(lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str) -> list[str]:
    """Return the data files of the current version."""
    query = (
        exp.select(column("file_path"))
        .from_(_function("iceberg_metadata", id))
        .where(column("status").neq(literal("DELETED")), column("manifest_content").eq(literal("DATA")))
    )
    return [row[0] for row in lake.run(cursor, query.order_by(column("file_path"))).fetchall()]


def table_snapshots(lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str) -> list[TableSnapshot]:
    """Return the table's own snapshots, oldest first."""
    query = exp.select(column("snapshot_id"), column("timestamp_ms"), column("operation"))
    rows = lake.run(
        cursor, query.from_(_function("iceberg_snapshots", id)).order_by(column("sequence_number"))
    ).fetchall()
    return [TableSnapshot(row[0], row[1].replace(tzinfo=UTC), row[2] or "") for row in rows]


def _commits(lake: Runs, cursor: duckdb.DuckDBPyConnection) -> list[tuple[int, datetime, str, str, str]]:
    if COMMITS not in ids(lake, cursor):
        return []
    query = exp.select(*(column(name) for name in COLUMNS)).from_(table(COMMITS, CATALOG))
    return lake.run(cursor, query.order_by(column("id"))).fetchall()


def snapshots(
    lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str | None = None, limit: int | None = None
) -> list[Snapshot]:
    """Return the recorded commits, newest first, with what each did to which table."""
    commits = _commits(lake, cursor)
    changes: list[dict[str, set[str]]] = [{} for _ in commits]
    for one in [id] if id is not None else sorted(ids(lake, cursor) - {COMMITS}):
        if id is not None and id not in ids(lake, cursor):
            return []
        for snapshot in table_snapshots(lake, cursor, one):
            if (place := _place(commits, snapshot.at)) is not None:
                for kind in _OPERATIONS.get(snapshot.operation, (snapshot.operation,)):
                    changes[place].setdefault(kind, set()).add(one)
    found = [
        Snapshot(
            number, at, author, message, json.loads(info_), {k: tuple(sorted(v)) for k, v in changed.items()}
        )
        for (number, at, author, message, info_), changed in zip(commits, changes, strict=True)
        if id is None or changed
    ]
    return found[::-1][:limit]


def _place(commits: list[tuple[int, datetime, str, str, str]], at: datetime) -> int | None:
    # The commit that was opened last before the snapshot was made.
    milliseconds = round(at.timestamp() * 1000)
    found = None
    for place, commit in enumerate(commits):
        if commit[0] > milliseconds:
            break
        found = place
    return found


def version_at(
    lake: Runs, cursor: duckdb.DuckDBPyConnection, version: int | None, timestamp: datetime | None
) -> int | None:
    """Return *version* when it was recorded, or the last one opened until *timestamp*."""
    if COMMITS not in ids(lake, cursor):
        return None
    query = exp.select(exp.Max(this=column("id"))).from_(table(COMMITS, CATALOG))
    if timestamp is None:
        query = query.where(column("id").eq(literal(version)))
    else:
        aware = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
        query = query.where(column("id") <= literal(int(aware.timestamp() * 1000)))
    row = lake.run(cursor, query).fetchone()
    return row[0] if row else None


def next_commit(lake: Runs, cursor: duckdb.DuckDBPyConnection, version: int) -> int | None:
    """Return the commit that follows *version*, None when it is the last."""
    query = exp.select(exp.Min(this=column("id"))).from_(table(COMMITS, CATALOG))
    row = lake.run(cursor, query.where(column("id") > literal(version))).fetchone()
    return row[0] if row else None


def no_version(version: int | None, timestamp: datetime | None) -> NotFoundError:
    """Return the error that says so."""
    wanted = f"version {version}" if timestamp is None else f"version as old as {timestamp.isoformat()}"
    return NotFoundError("LW415", f"the lake has no {wanted}")
