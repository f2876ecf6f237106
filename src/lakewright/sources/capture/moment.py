"""A table as it is at one moment, with the moment's place in the log: what a capture begins with, or again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
from sqlglot import exp

from lakewright.sources.capture.form import AT, CHANGE_COLUMNS, LSN, OP, SEQ, XID
from lakewright.sources.capture.land import land
from lakewright.sources.capture.positions import Place, put_place
from lakewright.sources.capture.server import Server, TableState, without_intervals
from lakewright.sources.capture.setup import keys_of
from lakewright.sources.database.changes import changed_rows
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.database.load import Load, Reader, chosen
from lakewright.sources.database.model import Column, Value, relation
from lakewright.sources.database.postgres import PostgresDatabase
from lakewright.sources.drift import schema_of
from lakewright.sources.files import staging
from lakewright.sources.manifest import current_files
from lakewright.sources.read import reading
from lakewright.sql.names import column, identifier, literal

__all__ = ["begin", "read_moment"]


def begin(load: Load, server: Server, place: Place) -> tuple[Place, PostgresDatabase]:
    """Note a new moment as the place of *load*, and open the database as it is then. The lock is to be held.

    The slot is not advanced beyond the place from then on, so nothing after the moment is lost.
    """
    with server.snapshot(load.cursor) as (lsn, open_database):
        moved = replace(place, place=lsn)
        put_place(load.state, moved)
        return moved, open_database()


def read_moment(
    load: Load, table: TableState, place: Place, database: PostgresDatabase, at: datetime
) -> None:
    """Take the rows of the table into raw: all, or with the stage ``again`` those that raw has otherwise or lacks.

    Raises LW225 for columns that a capture cannot have.
    """
    with staging(load.store) as folder:
        what = relation(load.dataset, database.dialect, load.address)
        found = (
            without_intervals(one) for one in database.columns(what) if one.source not in table.generated
        )
        columns = chosen(load, tuple(found))
        _refuse_own(load, columns)
        files = list(current_files(load.state, load.id).values())
        known = place.stage == "again" and any(one.rows for one in files)
        marks = () if known else _marks(place, at)
        reader = Reader(load, database, what, (*columns, *marks), None)
        parts = reader.slices(folder, load.dataset.slices)
        notes = [*reader.notes]
        if table.generated:
            notes.append(f"generated columns are not in the log and left out: {', '.join(table.generated)}")
        if known:
            parts = _differences(load, table, place, at, folder, columns)
            notes.append("the table was read again; what differs from raw is taken")
        land(load, parts, replace(place, stage="ready"), notes, whole=not known)


def _marks(place: Place, at: datetime) -> tuple[Column, ...]:
    """The columns that tell of a change, for rows that were there before all changes."""
    made = []
    for name, tree in _constants(place, at).items():
        made.append(
            Column(
                name, name, "int2", CHANGE_COLUMNS[name], exp.cast(literal(1), "smallint"), _constant(tree)
            )
        )
    return tuple(made)


def _constant(tree: exp.Expr) -> Value:
    return lambda _: tree.copy()


def _constants(place: Place, at: datetime) -> dict[str, exp.Expr]:
    values = {
        OP: literal("snapshot"),
        LSN: literal(place.place),
        SEQ: literal(0),
        AT: literal(at.isoformat()),
        XID: exp.Null(),
    }
    return {name: exp.cast(values[name], type, dialect="duckdb") for name, type in CHANGE_COLUMNS.items()}


def _refuse_own(load: Load, columns: tuple[Column, ...]) -> None:
    taken = sorted({one.name.lower() for one in columns} & set(CHANGE_COLUMNS))
    if taken:
        raise DatabaseFault(
            "LW225",
            f"{load.id}: capturing adds a column {taken[0]!r}, and the table has one already",
            remedy="list the others in `columns`",
        )


def _differences(
    load: Load, table: TableState, place: Place, at: datetime, folder: Path, columns: tuple[Column, ...]
) -> list[Path]:
    """Rows of the moment that raw does not have as their keys' last, and the keys of raw that are gone."""
    files = list(current_files(load.state, load.id).values())
    schema = schema_of(files, load.dataset, load.cursor)
    before = reading(files, load.dataset, store=load.store, cursor=load.cursor, schema=schema)
    fetched = folder / "slice-*.parquet"
    compared = msgspec.structs.replace(load.dataset, keys=keys_of(load, table))
    found = changed_rows(
        load.cursor,
        compared,
        fetched,
        fetched,
        before,
        None,
        None,
        None,
        folder / "differences.parquet",
        by_row=True,
    )
    constants = _constants(place, at)
    deleted = column(OP).eq(literal("delete"))
    op = exp.Case().when(deleted, literal("delete")).else_(literal("snapshot"))
    chosen_ = [column(one.name) for one in columns]
    marks = [exp.alias_(op if name == OP else tree, identifier(name)) for name, tree in constants.items()]
    scan = exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[literal(str(found.file))]))
    query = exp.select(*chosen_, *marks).from_(scan)
    file = folder / "again.parquet"
    done = load.cursor.execute(
        f"COPY ({query.sql('duckdb')}) TO {literal(str(file)).sql('duckdb')} (FORMAT parquet, COMPRESSION zstd)"
    ).fetchone()
    return [file] if done and done[0] else []
