"""Make deleted rows of a DuckLake unfindable: in data files, versions, rows kept in the catalog, and statistics.

A deleted row stays readable in older versions, and its values in the catalog's least and greatest values. A
database keeps what was deleted in pages that it may use again, so the catalog is written anew in the end.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.errors import RunError
from lakewright.lake import ducklake_meta
from lakewright.lake.protocol import CATALOG, Runs
from lakewright.sql.names import column, literal, split_id, table

__all__ = ["purge", "rewrite_catalog"]

_META = f"__ducklake_metadata_{CATALOG}"

_STATISTICS = f"""
    SELECT s.column_id, c.column_name FROM {_META}.ducklake_table_column_stats s
    JOIN {_META}.ducklake_column c ON c.table_id = s.table_id AND c.column_id = s.column_id
    WHERE s.table_id = ? AND c.end_snapshot IS NULL AND c.parent_column IS NULL
      AND (s.min_value IS NOT NULL OR s.max_value IS NOT NULL)
"""  # noqa: S608 - names of ours


def purge(lake: Runs, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> int:
    """Write the data of *ids* without deleted rows and forget all versions since they were first touched.

    Returns how many versions went. The newest stays. Calling it again does no harm.
    """
    alive = ducklake_meta.alive(lake, cursor)
    chosen = [id for id in ids if id in alive]
    for id in chosen:
        _rewrite(lake, cursor, id)
    versions = _versions(lake, cursor, chosen)
    if versions:
        listed = ", ".join(str(one) for one in versions)
        lake.run(cursor, f"CALL ducklake_expire_snapshots('{CATALOG}', versions => [{listed}])")
    lake.run(cursor, f"CALL ducklake_cleanup_old_files('{CATALOG}', cleanup_all => true)")
    # what a crash left behind may hold rows, too; nothing else writes meanwhile
    moment = literal(datetime.now(UTC).isoformat(sep=" ")).sql("duckdb")
    lake.run(cursor, f"CALL ducklake_delete_orphaned_files('{CATALOG}', older_than => TIMESTAMPTZ {moment})")
    for id in chosen:
        _statistics(lake, cursor, id, alive[id])
    return len(versions)


def rewrite_catalog(file: Path | None, address: str) -> None:
    """Write the catalog's database anew, so that its pages hold nothing that was deleted."""
    if file is not None:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as catalog:
            catalog.execute("VACUUM")
            catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    try:
        import psycopg
        from psycopg import sql
    except ImportError:
        raise RunError("LW852", "psycopg is not installed") from None
    try:
        with psycopg.connect(address.removeprefix("postgres:"), autocommit=True) as connection:
            found = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE tablename LIKE 'ducklake\\_%'"
            ).fetchall()
            for schema, name in found:
                connection.execute(sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(schema, name)))
    except psycopg.Error as error:
        raise RunError(
            "LW410", f"the lake's catalog cannot be written anew: {type(error).__name__}"
        ) from None


def _rewrite(lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str) -> None:
    zone, name = (literal(one).sql("duckdb") for one in split_id(id))
    lake.run(
        cursor, f"CALL ducklake_flush_inlined_data('{CATALOG}', schema_name => {zone}, table_name => {name})"
    )
    lake.run(
        cursor,
        f"CALL ducklake_rewrite_data_files('{CATALOG}', {name}, schema => {zone}, delete_threshold => 0)",
    )


def _versions(lake: Runs, cursor: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[int]:
    """Every version from the first that touched one of *ids*, but the newest."""
    touched = [one.id for id in ids for one in ducklake_meta.snapshots(lake, cursor, id)]
    if not touched:
        return []
    rows = lake.run(
        cursor,
        f"SELECT snapshot_id FROM ducklake_snapshots('{CATALOG}') WHERE snapshot_id >= ? ORDER BY 1",  # noqa: S608
        [min(touched)],
    ).fetchall()
    return [int(row[0]) for row in rows][:-1]


def _statistics(lake: Runs, cursor: duckdb.DuckDBPyConnection, id: str, number: int) -> None:
    """Take the least and greatest values of columns from the rows that are there: they only ever grow by themselves."""
    known = lake.run(cursor, _STATISTICS, [number]).fetchall()
    if not known:
        return
    values: list[exp.Expr] = []
    for _, name in known:
        values += [
            exp.cast(exp.Min(this=column(name)), "VARCHAR"),
            exp.cast(exp.Max(this=column(name)), "VARCHAR"),
        ]
    row = lake.run(cursor, exp.select(*values).from_(table(id, CATALOG)).sql("duckdb")).fetchone() or ()
    for at, (place, _) in enumerate(known):
        lake.run(
            cursor,
            f"UPDATE {_META}.ducklake_table_column_stats SET min_value = ?, max_value = ? "  # noqa: S608
            "WHERE table_id = ? AND column_id = ?",
            [row[2 * at], row[2 * at + 1], number, place],
        )
