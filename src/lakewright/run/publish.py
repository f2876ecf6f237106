"""Publish a stage: table, rows, bad rows and checkpoint in one lake transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
from sqlglot import exp

from lakewright.catalog.types import common
from lakewright.errors import LakewrightError, RunError
from lakewright.lake import Checkpoint
from lakewright.lake.schema import sort_expressions
from lakewright.plan.tasks import WriteMode
from lakewright.run.inputs import STAGE
from lakewright.run.stage import Staged
from lakewright.run.star import Star, StarWork
from lakewright.spec.dataset import Dataset, Write
from lakewright.spec.steps import Deduplicate
from lakewright.sql.checks import reasons
from lakewright.sql.deletes import DELETED, delete_keys
from lakewright.sql.names import AUDIT_COLUMNS, FAILED, column, identifier, literal, quarantine_id, table
from lakewright.sql.partition import parse_partition
from lakewright.sql.scd2 import REMOVES
from lakewright.sql.write import output_columns, publish_statements

if TYPE_CHECKING:
    from lakewright.lake import Lake

__all__ = [
    "QUARANTINE_COLUMNS",
    "OvertakenError",
    "Publication",
    "Published",
    "positions_text",
    "publish",
    "shown_value",
]

#: Columns of a quarantine table beside the dataset's own, which it keeps as text.
QUARANTINE_COLUMNS: dict[str, str] = {
    "_violations": "VARCHAR[]",
    "_source_file": "VARCHAR",
    "_source_row": "BIGINT",
    "_batch_id": "BIGINT",
    "_run_id": "VARCHAR",
    "_quarantined_at": "TIMESTAMP WITH TIME ZONE",
}


#: From so many rows on, a merge that writes known rows anew makes up for its second statement.
_MANY = 20_000


class OvertakenError(RunError):
    """Another process published the dataset first: what is new has to be looked up again."""


@dataclass(frozen=True)
class Publication:
    """What is to be published beside the rows.

    ``mode`` is the write mode in force; ``anew`` empties the table first. ``replaced`` are source
    files whose earlier rows make room; ``window`` limits a backfill: the column and both ends.
    ``inputs`` says how far each upstream was read, ``rebuilt`` which batch last took rows away. ``star``
    is its part in a star schema.
    """

    dataset: Dataset
    mode: WriteMode
    keys: tuple[str, ...]
    batch: int
    run_id: str
    at: datetime
    anew: bool
    replaced: tuple[str, ...]
    in_order: bool
    inputs: Mapping[str, Mapping[str, object]]
    rebuilt: int
    fingerprint: str
    window: tuple[str, str, str] | None = None
    star: Star | None = None


@dataclass(frozen=True)
class Published:
    """What was committed: rows that were published, rows put into quarantine, the checkpoint.

    ``touched`` are the checkpoints of other datasets of its star that changed with it.
    """

    rows: int
    quarantined: int
    checkpoint: Checkpoint
    columns: dict[str, str]
    touched: tuple[Checkpoint, ...] = ()
    notes: tuple[str, ...] = ()


def publish(lake: Lake, cursor: duckdb.DuckDBPyConnection, staged: Staged, what: Publication) -> Published:
    """Commit the stage. Nothing of it is visible before, and all of it is after.

    Raises OvertakenError when the dataset was published by another process since its lease was ours.
    """
    source = _with_source_rows(cursor, staged, what)
    counts = _counts(cursor, staged)
    columns = {**staged.columns, **_audit_columns(staged, what)}
    write = msgspec.structs.replace(what.dataset.file.write, mode=what.mode, keys=what.keys)
    output = _output(write, columns, what)

    def work() -> Published:
        # a process that slept through the end of its lease must not publish on top of its successor
        if lake.last_batch(cursor, what.dataset.id) >= what.batch:
            raise OvertakenError(
                "LW613", f"{what.dataset.id} batch {what.batch} was published by another process meanwhile"
            )
        star = StarWork(lake, cursor, what.star, what.batch, what.at) if what.star else None
        if star is not None:
            star.before(anew=what.anew, removes=bool(what.replaced))
        stored, others = _prepare(lake, cursor, what, lake.storable(output))
        target = table(what.dataset.id)
        removed: int = sum(_delete(cursor, one) for one in _make_room(staged, what, target))
        if staged.gone and not what.anew:
            gone = delete_keys(target, exp.to_table(STAGE), what.keys, staged.kept)
            removed += _delete(cursor, gone)
        # rows that go where none are need no look-up of their key, and must not push others out
        plain = what.mode != "scd2" and (what.anew or (what.window is not None and what.mode != "merge"))
        effective: Write = msgspec.structs.replace(write, mode="append") if plain else write
        rows, given = _good_rows(staged, what, columns, source), columns
        if star is not None:
            rows, given = star.rows(rows, columns, history=what.mode == "scd2")
        for statement in publish_statements(
            effective,
            what.keys,
            target,
            rows,
            given,
            first=what.anew,
            at=what.at,
            newer_by=_newer_by(staged, what),
            surrogate=what.star.key if what.star else None,
            anew=counts[0] >= _MANY and not others,
        ):
            if statement.meta.get(REMOVES, isinstance(statement, exp.Delete)):
                removed += _delete(cursor, statement)
            else:
                if not lake.capabilities.orders_inserts:
                    statement = _in_order(statement, what.dataset.file.write.sort_by)
                cursor.execute(statement.sql("duckdb"))
        if star is not None:
            star.after()
        _make_room_in_quarantine(lake, cursor, what)
        if counts[1]:
            _quarantine(lake, cursor, staged, what, source)
        positions = positions_text(
            what.inputs, rebuilt=what.batch if what.anew or removed else what.rebuilt, columns=stored
        )
        checkpoint = Checkpoint(
            what.dataset.id, what.batch, what.run_id, positions, what.fingerprint, counts[0], what.at
        )
        lake.add_checkpoint(cursor, checkpoint)
        touched = star.checkpoints() if star else ()
        return Published(counts[0], counts[1], checkpoint, stored, touched, tuple(star.notes) if star else ())

    def commit() -> Published:
        _make_tables(lake, cursor, staged, what, lake.storable(output))
        return lake.commit(
            cursor,
            work,
            message=f"{what.dataset.id} batch {what.batch}",
            info={"run": what.run_id, "dataset": what.dataset.id, "batch": what.batch, "mode": what.mode},
        )

    try:
        return commit()
    except (LakewrightError, duckdb.Error):
        if not what.anew or not _drop_unreadable(lake, cursor, what):
            raise
    return commit()


def _drop_unreadable(lake: Lake, cursor: duckdb.DuckDBPyConnection, what: Publication) -> bool:
    """Drop what is made anew and cannot be read, for its files are gone or damaged; tell whether anything was.

    Emptying a table reads its files. Nobody can read such a table, so nobody misses it until it is made again.
    """
    dropped = False
    for id in (what.dataset.id, quarantine_id(what.dataset.id)):
        if lake.columns(cursor, id) is None:
            continue
        try:
            cursor.execute(f"SELECT max(hash(_t)) FROM {table(id).sql('duckdb')} AS _t").fetchone()
        except (duckdb.IOException, duckdb.InvalidInputException):
            lake.drop_table(cursor, id)
            dropped = True
    return dropped


def _output(write: Write, columns: Mapping[str, str], what: Publication) -> dict[str, str]:
    """The columns of the table: those of the rows, of a history, and the surrogate keys of a star."""
    key = what.star.key if what.star else None
    made = output_columns(write, columns, surrogate=key)
    fact = what.dataset.file.fact
    return {**dict.fromkeys(fact.lookups, "BIGINT"), **made} if fact else made


def _in_order(statement: exp.Expr, sort_by: Sequence[str]) -> exp.Expr:
    """Put the rows that an insert selects in the order of *sort_by*; anything else is left as it is."""
    if not isinstance(statement, exp.Insert) or not isinstance(statement.expression, exp.Select):
        return statement
    order = sort_expressions(sort_by, dict.fromkeys(statement.expression.named_selects, ""), missing_ok=True)
    if not order:
        return statement
    rows = exp.select("*").from_(statement.expression.subquery("_rows")).order_by(*order)
    ordered = statement.copy()
    ordered.set("expression", rows)
    return ordered


def _delete(cursor: duckdb.DuckDBPyConnection, statement: exp.Expr) -> int:
    found = cursor.execute(statement.sql("duckdb")).fetchone()
    return int(found[0]) if found else 0


def _newer_by(staged: Staged, what: Publication) -> str | None:
    """The column that tells which of two versions of a row is the latest, in this batch and across batches."""
    steps = [one for one in what.dataset.file.steps if isinstance(one, Deduplicate)]
    if what.mode != "merge" or not steps or steps[-1].latest_by is None:
        return None
    if {one.lower() for one in steps[-1].keys} != {one.lower() for one in what.keys}:
        return None
    return steps[-1].latest_by if steps[-1].latest_by in staged.columns else None


def _audit_columns(staged: Staged, what: Publication) -> dict[str, str]:
    if not what.dataset.file.audit_columns:
        return {"_batch_id": AUDIT_COLUMNS["_batch_id"]}
    has_rows = "_source_row" in staged.hidden or (staged.one_to_one and what.in_order)
    left_out = {"_source_file"} if "_source_file" not in staged.hidden else set()
    left_out |= set() if has_rows else {"_source_row"}
    return {name: type for name, type in AUDIT_COLUMNS.items() if name not in left_out}


def _with_source_rows(
    cursor: duckdb.DuckDBPyConnection, staged: Staged, what: Publication
) -> exp.Expr | None:
    """Return the expression of a staged row's number in its file, None where it is not known.

    Rows that come 1:1 from files, one after the other, have it from their place: ``rowid`` less that of
    the first row of their file.
    """
    if "_source_row" in staged.hidden:
        return column("_source_row")
    if not (staged.one_to_one and what.in_order):
        return None
    place = exp.Add(this=exp.column("rowid"), expression=literal(1))
    found = cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE {STAGE}_files AS "
        f'SELECT "_source_file" AS file, min(rowid) AS before FROM {STAGE} GROUP BY 1'
    ).fetchone()
    if found is not None and found[0] <= 1:
        return place
    start = (
        exp.select("before")
        .from_(exp.to_table(f"{STAGE}_files"))
        .where(exp.column("file", table=f"{STAGE}_files").eq(column("_source_file", STAGE)))
    )
    return exp.Sub(this=place, expression=start.subquery(copy=False))


def _counts(cursor: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[int, int]:
    rows, bad = staged.audit["rows"], staged.audit["bad_rows"]
    return int(rows) - int(bad) - (staged.gone or 0), int(bad)  # type: ignore[call-overload]


def _make_tables(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    staged: Staged,
    what: Publication,
    columns: Mapping[str, str],
) -> None:
    """Make the tables that are missing, empty, where the lake wants that before they are filled."""
    file = what.dataset.file
    lake.prepare_table(
        cursor,
        what.dataset.id,
        columns,
        partition_by=file.write.partition_by,
        sort_by=file.write.sort_by,
        comment=file.description,
    )
    if _counts(cursor, staged)[1]:
        lake.prepare_table(
            cursor,
            quarantine_id(what.dataset.id),
            _quarantine_columns(staged),
            comment=_quarantine_comment(what),
        )


def _prepare(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, what: Publication, columns: dict[str, str]
) -> tuple[dict[str, str], bool]:
    """Make the table, or bring it to *columns*; return them as they are then, and whether it has others.

    A table that keeps its rows has a column's values in the type that holds the old and the new ones.
    """
    file = what.dataset.file
    id = what.dataset.id
    there = lake.columns(cursor, id)
    if there is None:
        lake.create_table(
            cursor,
            id,
            columns,
            partition_by=file.write.partition_by,
            sort_by=file.write.sort_by,
            comment=file.description,
        )
        return columns, False
    if what.anew:
        cursor.execute(exp.delete(table(id)).sql("duckdb"))
        for name in [one for one in there if one not in columns]:
            _drop(lake, cursor, id, name)
        if [_spelled(one) for one in file.write.partition_by] != list(lake.partitions(cursor, id)):
            lake.set_partitions(cursor, id, file.write.partition_by)
    else:
        columns = lake.storable(
            {name: common(there[name], type) if name in there else type for name, type in columns.items()}
        )
    for name, type in columns.items():
        if name not in there:
            lake.add_column(cursor, id, name, type)
        elif there[name] != type:
            lake.alter_type(cursor, id, name, type)
    return columns, not there.keys() <= columns.keys()


def _drop(lake: Lake, cursor: duckdb.DuckDBPyConnection, id: str, name: str) -> None:
    try:
        lake.drop_column(cursor, id, name)
    except LakewrightError as error:
        if error.code != "LW413":
            raise
        # a table must not return to a form that it had: the column stays, with null in it


def _spelled(text: str) -> str:
    """Return a partition as lakes report it."""
    part = parse_partition(text)
    if part.transform == "identity":
        return part.column
    return f"{part.transform}({f'{part.buckets}, ' if part.buckets else ''}{part.column})"


def _make_room(staged: Staged, what: Publication, target: exp.Table) -> list[exp.Delete]:
    statements: list[exp.Delete] = []
    if what.window is not None:
        name, low, high = what.window
        # dates count whole days: the upper end is included whatever its time of day
        day = exp.cast(column(name), "DATE")
        inside = exp.Between(
            this=day, low=exp.cast(literal(low), "DATE"), high=exp.cast(literal(high), "DATE")
        )
        statements.append(exp.delete(target.copy()).where(inside))
    elif (
        what.replaced
        and not what.anew
        and "_source_file" in staged.hidden
        and what.mode in ("append", "merge", "overwrite")
    ):
        files = [literal(one) for one in what.replaced]
        statements.append(
            exp.delete(target.copy()).where(exp.In(this=column("_source_file"), expressions=files))
        )
    return statements


def _good_rows(
    staged: Staged, what: Publication, columns: Mapping[str, str], source_row: exp.Expr | None
) -> exp.Select:
    values: dict[str, exp.Expr] = {
        "_batch_id": exp.cast(literal(what.batch), "BIGINT"),
        "_ingested_at": exp.cast(literal(what.at.isoformat()), "TIMESTAMPTZ"),
    }
    if source_row is not None:
        values["_source_row"] = source_row
    listed = [
        exp.alias_(values[name].copy(), name, quoted=True) if name in values else column(name)
        for name in columns
    ]
    good: exp.Expr = exp.not_(exp.paren(staged.bad))
    if staged.gone is not None:
        good = exp.and_(good, exp.not_(exp.column(DELETED)))
    return _from_stage(listed, staged, good)


def _from_stage(listed: Sequence[exp.Expr], staged: Staged, where: exp.Expr) -> exp.Select:
    query = exp.select(*listed, copy=False).from_(exp.to_table(STAGE)).where(where)
    return query.where(staged.kept.copy()) if staged.kept is not None else query


def _make_room_in_quarantine(lake: Lake, cursor: duckdb.DuckDBPyConnection, what: Publication) -> None:
    """Leave out the refused rows whose place the new ones take."""
    id = quarantine_id(what.dataset.id)
    if not (what.anew or what.replaced) or lake.columns(cursor, id) is None:
        return
    statement = exp.delete(table(id))
    if not what.anew:
        files = [literal(one) for one in what.replaced]
        statement = statement.where(exp.In(this=column("_source_file"), expressions=files))
    cursor.execute(statement.sql("duckdb"))


def _quarantine(
    lake: Lake,
    cursor: duckdb.DuckDBPyConnection,
    staged: Staged,
    what: Publication,
    source_row: exp.Expr | None,
) -> None:
    id = quarantine_id(what.dataset.id)
    columns = _quarantine_columns(staged)
    there = lake.columns(cursor, id)
    if there is None:
        lake.create_table(cursor, id, columns, comment=_quarantine_comment(what))
    else:
        for name, type in columns.items():
            if name not in there:
                lake.add_column(cursor, id, name, type)
    values: dict[str, exp.Expr] = {
        "_violations": reasons(staged.checks, staged.surplus),
        "_source_file": column("_source_file") if "_source_file" in staged.hidden else exp.Null(),
        "_source_row": source_row.copy() if source_row is not None else exp.Null(),
        "_batch_id": literal(what.batch),
        "_run_id": literal(what.run_id),
        "_quarantined_at": exp.cast(literal(what.at.isoformat()), "TIMESTAMPTZ"),
    }
    listed = [exp.alias_(shown_value(name, staged), name, quoted=True) for name in staged.columns]
    listed += [exp.alias_(exp.cast(values[n], t), n, quoted=True) for n, t in QUARANTINE_COLUMNS.items()]
    rows = _from_stage(listed, staged, staged.bad)
    into = exp.Schema(this=table(id), expressions=[identifier(name) for name in columns])
    cursor.execute(exp.Insert(this=into, expression=rows).sql("duckdb"))


def _quarantine_columns(staged: Staged) -> dict[str, str]:
    return {**dict.fromkeys(staged.columns, "VARCHAR"), **QUARANTINE_COLUMNS}


def _quarantine_comment(what: Publication) -> str:
    return f"rows that {what.dataset.id} refused, with the reason"


def shown_value(name: str, staged: Staged) -> exp.Expr:
    """Return the value as it came, as text: the original where it did not convert, else the value as text."""
    value: exp.Expr = exp.cast(column(name), "VARCHAR")
    if FAILED not in staged.hidden:
        return value
    path = exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathKey(this=name)])
    original = exp.paren(exp.JSONExtractScalar(this=column(FAILED), expression=path))
    return exp.Coalesce(this=original, expressions=[value])


def positions_text(
    inputs: Mapping[str, Any], *, rebuilt: int = 0, columns: Mapping[str, str] | None = None
) -> str:
    """Return the text that a checkpoint keeps: what was read, the last batch that took rows away, the columns."""
    text: dict[str, object] = {"rebuilt": rebuilt, "inputs": inputs}
    if columns is not None:
        text["columns"] = columns
    return msgspec.json.encode(text).decode()
