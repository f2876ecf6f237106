"""What a dataset is made of this time: the new rows of its upstream, as one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.plan.python import ENTRY, python_inputs
from lakewright.plan.tasks import Position, Work, write_mode
from lakewright.run.forgotten import without_forgotten
from lakewright.run.functions import call, load_function
from lakewright.run.gaps import mind_gaps
from lakewright.sources.drift import schema_of
from lakewright.sources.manifest import RawFile, files_of, last_batch, replaced_since
from lakewright.sources.read import reading
from lakewright.spec.databases import DatabaseDataset
from lakewright.spec.dataset import Dataset
from lakewright.spec.durations import parse_duration
from lakewright.spec.sources import RawDataset
from lakewright.sql.names import column, hidden, literal, table
from lakewright.sql.query import bind, dependencies, parse_query

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["STAGE", "Input", "dataset_input", "describe", "positions_now", "python_reference", "raw_relation"]

#: The temporary table of staged rows.
STAGE = "_stage"

# The batch of a row of an upstream table, while it is staged.
_UPSTREAM_BATCH = "_upstream_batch"


@dataclass
class Input:
    """Rows to build from: a query and its columns, name → DuckDB type, in order.

    ``in_order`` tells that the rows come from raw files one after the other, each in its own order, so
    that the number of a row in its file follows from its place. ``replaced`` are files whose
    earlier version was published before and must make room; where that takes more than leaving out
    their rows, the rows are ``whole``: all there are, to make the table anew from. ``batch`` tells
    of a staged row the batch of the upstream that brought it, where there are several. ``forgotten`` are rows left out
    because they are about people who were forgotten. ``positions`` say how far each upstream is read with this.
    ``beside``: rows of files that are expired stay in the table, and only those of ``replaced`` files make room.
    ``notes`` are worth telling.
    """

    query: exp.Query
    columns: dict[str, str]
    in_order: bool = False
    replaced: tuple[str, ...] = ()
    rows: int | None = None
    whole: bool = False
    batch: exp.Expr | None = None
    forgotten: int = 0
    positions: dict[str, Position] = field(default_factory=dict)
    beside: bool = False
    notes: tuple[str, ...] = ()


def describe(cursor: duckdb.DuckDBPyConnection, query: exp.Query) -> dict[str, str]:
    """Return the columns of *query* and their DuckDB types, in order."""
    found = cursor.execute(f"DESCRIBE {query.sql('duckdb')}").fetchall()
    return {str(row[0]): str(row[1]) for row in found}


def positions_now(services: Services, ids: tuple[str, ...]) -> dict[str, Position]:
    """Return the last batch of each upstream, as it is now."""
    found = {}
    for id in ids:
        if id.startswith("raw."):
            batch = last_batch(services.state, id)
        else:
            seen = services.seen(id)
            batch = seen.batch if seen else 0
        found[id] = Position(batch)
    return found


def raw_relation(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    id: str,
    *,
    after: int | None = None,
    upto: int | None = None,
) -> Input:
    """Return the rows of the raw dataset *id*: its current files, or those of the batches after *after*.

    *upto* leaves out batches that came later than a build began. Raises LW601 when there is no file.
    """
    source = services.project.sources[services.project.raw[id]]
    spec = source.datasets[id.partition(".")[2]]
    files = files_of(services.state, id, after=after, upto=upto)
    if not any(file.parts for file in files) and after is None:
        raise LakewrightError("LW601", f"{id} has no file that can be read yet")
    everything = files_of(services.state, id, upto=upto)
    schema = schema_of(everything, spec, cursor)
    found = reading(files, spec, store=services.store, cursor=cursor, schema=schema)
    columns = {**found.columns, "_source_file": "VARCHAR"}
    if found.has_row:
        columns["_source_row"] = "BIGINT"
    query, forgotten = without_forgotten(services, cursor, id, found.query, columns)
    return Input(
        query,
        columns,
        forgotten=forgotten,
        in_order=found.ordered and not found.has_row,
        replaced=replaced_since(services.state, id, after, upto=upto) if after else (),
        rows=found.rows,
        batch=_place_of_change(cursor, files) if _has_changes(spec) else _batch_of_file(cursor, files),
    )


def _has_changes(spec: RawDataset) -> bool:
    """Whether a batch may hold several rows of one key, each of which replaces those before it."""
    return isinstance(spec, DatabaseDataset) and spec.load == "changes"


def _place_of_change(cursor: duckdb.DuckDBPyConnection, files: Sequence[RawFile]) -> exp.Expr:
    """Return the place of a row among all rows of captured *files*: what stands in for its batch."""
    import pyarrow as pa

    before, names, starts = 0, [], []
    for file in files:
        for part in file.parts:
            names.append(f"{file.path}/{part.member}" if part.member else file.path)
            starts.append(before)
            before += part.rows
    found = pa.table({"file": pa.array(names, pa.string()), "start": pa.array(starts, pa.int64())})
    cursor.register("_input_places", found)
    same = exp.column("file", table="_input_places").eq(column("_source_file", STAGE))
    start = exp.select("start").from_("_input_places").where(same).subquery(copy=False)
    return exp.paren(exp.Add(this=start, expression=column("_source_row", STAGE)), copy=False)


def _batch_of_file(cursor: duckdb.DuckDBPyConnection, files: Sequence[RawFile]) -> exp.Expr | None:
    """Return the batch that brought a row, by its file; None where all came together."""
    if len({one.batch for one in files}) < 2:
        return None
    import pyarrow as pa

    batches = {file.path: file.batch for file in files}
    batches |= {
        f"{file.path}/{part.member}": file.batch for file in files for part in file.parts if part.member
    }
    table = pa.table({"file": list(batches), "batch": pa.array(list(batches.values()), pa.int64())})
    cursor.register("_input_batches", table)
    same = exp.column("file", table="_input_batches").eq(column("_source_file", STAGE))
    return exp.select("batch").from_("_input_batches").where(same).subquery(copy=False)


def dataset_input(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    reads: tuple[str, ...],
    work: Work,
) -> Input:
    """Return what *dataset* is built from as *work* says: all rows, or those not seen before."""
    now = positions_now(services, reads)
    since = work.since if work.mode == "incremental" else {}
    if work.mode == "backfill":
        # what is new is left to the next run, which then finds it where this one has not been
        now = {id: work.since.get(id, one) for id, one in now.items()}
    if dataset.file.from_ is not None:
        given = _single(services, cursor, dataset, reads[0], since.get(reads[0]), now)
    elif dataset.sql is not None:
        given = _sql(services, cursor, dataset, since, now)
    else:
        given = _python(services, cursor, dataset, now)
    if work.mode != "incremental" or given.whole:
        mind_gaps(services, dataset, reads, now, work, given)
    given.positions = dict(work.since) if work.mode == "backfill" else {**now, **given.positions}
    return given


def _single(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    id: str,
    since: Position | None,
    now: Mapping[str, Position],
) -> Input:
    incremental = dataset.file.incremental
    by_batch = since is not None and incremental.enabled and incremental.column is None
    if id.startswith("raw."):
        after = since.batch if since is not None and by_batch else None
        given = raw_relation(services, cursor, id, after=after, upto=now[id].batch)
        if given.replaced and _hides_rows(dataset):
            # what the earlier version of a file had pushed out would have to come back
            given = raw_relation(services, cursor, id, upto=now[id].batch)
            given.whole = True
    else:
        relation = table(id)
        columns = services.lake.columns(cursor, id) or {}
        own = {
            name: type for name, type in columns.items() if not hidden(name) or name.startswith("_source_")
        }
        query = exp.select(*(column(name) for name in own)).from_(relation)
        if "_batch_id" in columns and write_mode(dataset) in ("merge", "overwrite"):
            query = query.select(exp.alias_(column("_batch_id"), _UPSTREAM_BATCH, quoted=True))
            own[_UPSTREAM_BATCH] = columns["_batch_id"]
        if since is not None and by_batch:
            query = query.where(column("_batch_id") > literal(since.batch))
        if write_mode(dataset) == "append" and "_batch_id" in columns:
            # a batch that another process adds meanwhile is read next time, and must not be read twice
            query = query.where(column("_batch_id") <= literal(now[id].batch))
        given = Input(query, own, batch=column(_UPSTREAM_BATCH) if _UPSTREAM_BATCH in own else None)
    if incremental.column is not None:
        _by_cursor(cursor, dataset, id, given, since, now)
    return given


def _hides_rows(dataset: Dataset) -> bool:
    """Whether rows of *dataset* push out others that stay in its upstream."""
    mode = write_mode(dataset)
    return mode in ("merge", "overwrite") or (
        mode == "scd2" and dataset.file.write.scd2.changed_at is not None
    )


def _by_cursor(
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    id: str,
    given: Input,
    since: Position | None,
    now: Mapping[str, Position],
) -> None:
    """Limit *given* to what lies beyond the last value of its cursor column, and note the new one."""
    name = dataset.file.incremental.column
    if name is None or name not in given.columns:
        raise LakewrightError(
            "LW605", f"{id} has no column {name!r} to read on from", remedy="correct incremental.column"
        )
    source = given.query.subquery("_upstream")
    value = column(name)
    newest = cursor.execute(
        exp.select(exp.cast(exp.Max(this=value), "VARCHAR")).from_(source.copy()).sql("duckdb")
    )
    row = newest.fetchone()
    reached = row[0] if row and row[0] is not None else (since.cursor if since else None)
    if since is None and now[id].cursor is not None:
        reached = now[id].cursor  # a backfill stays within what was read before
    given.positions[id] = Position(now[id].batch, reached)
    if reached is not None:
        end = exp.cast(literal(str(reached)), given.columns[name])
        upto = exp.or_(value.is_(exp.null()), value <= end) if since is None else value <= end
        given.query, given.rows = exp.select(exp.Star()).from_(source.copy()).where(upto), None
    if since is None or since.cursor is None:
        return
    last: exp.Expr = exp.cast(literal(str(since.cursor)), given.columns[name])
    lookback = dataset.file.incremental.lookback
    if lookback:
        seconds = parse_duration(lookback).total_seconds()
        last = exp.Sub(
            this=last, expression=exp.Interval(this=literal(str(int(seconds))), unit=exp.var("SECOND"))
        )
    # rows that tie with the last one may have come later: where writing twice does no harm they are read again
    again = dataset.file.write.mode in ("merge", "scd2") or bool(lookback)
    beyond = exp.GTE(this=value, expression=last) if again else exp.GT(this=value, expression=last)
    given.query = exp.select(exp.Star()).from_(given.query.subquery("_upstream")).where(beyond)
    given.in_order = False


def _sql(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    since: Mapping[str, Position],
    now: Mapping[str, Position],
) -> Input:
    query = parse_query(dataset.sql or "", path=dataset.sql_path or dataset.path)
    given = Input(query, {})
    relations: dict[str, exp.Expr] = {}
    for id in dependencies(query):
        if id.startswith("raw."):
            raw = raw_relation(services, cursor, id, upto=now[id].batch)
            # the query's own `select *` must not drag our columns along
            own = [column(name) for name in raw.columns if not hidden(name)]
            part = Input(
                exp.select(*own).from_(raw.query.subquery("_raw")), dict(raw.columns), forgotten=raw.forgotten
            )
        else:
            columns = services.lake.columns(cursor, id) or {}
            names = [column(name) for name in columns if not hidden(name) or id.startswith("quarantine.")]
            part = Input(exp.select(*names).from_(table(id)), columns)
        given.forgotten += part.forgotten
        if dataset.file.incremental.column in part.columns:
            _by_cursor(cursor, dataset, id, part, since.get(id), now)
            given.positions.update(part.positions)
        relations[id] = part.query.subquery()
    given.query = bind(query, relations)
    given.columns = describe(cursor, given.query)
    return given


def _python(
    services: Services, cursor: duckdb.DuckDBPyConnection, dataset: Dataset, now: Mapping[str, Position]
) -> Input:
    import pyarrow as pa

    tables: dict[str, Any] = {}
    forgotten = 0
    for parameter, one in python_inputs(dataset).items():
        if one.dataset.startswith("raw."):
            raw = raw_relation(services, cursor, one.dataset, upto=now[one.dataset].batch)
            names, query = raw.columns, raw.query
            forgotten += raw.forgotten
        else:
            names, query = (
                services.lake.columns(cursor, one.dataset) or {},
                exp.select(exp.Star()).from_(table(one.dataset)),
            )
            raw = None
        own = [column(name) for name in names if not hidden(name)]
        found = exp.select(*own).from_(query.subquery("_upstream"))
        tables[parameter] = cursor.execute(found.sql("duckdb")).to_arrow_table()
    function = load_function(services.root, python_reference(dataset), dataset.path)
    result: pa.Table = call(function, tables, dataset.path)
    cursor.register("_python_result", result)
    query_ = exp.select(exp.Star()).from_(exp.to_table("_python_result"))
    return Input(query_, describe(cursor, query_), rows=result.num_rows, forgotten=forgotten)


def python_reference(dataset: Dataset) -> str:
    """Return what loads the function of a Python dataset."""
    return f"datasets/{dataset.zone}/{dataset.name}.py:{ENTRY}"
