"""Take a source's files into raw, and put what cannot be read into quarantine, with line and reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from lakewright.engine.errors import explain
from lakewright.lake import Checkpoint
from lakewright.plan.tasks import Found
from lakewright.run.publish import positions_text
from lakewright.run.settle import owes_rejects
from lakewright.sources import ask
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.drift import Drift, schema_of
from lakewright.sources.files import Taken, rejects_of
from lakewright.sources.manifest import RawFile, files_of, last_batch
from lakewright.sql.names import column, literal, quarantine_id, table
from lakewright.state import now

if TYPE_CHECKING:
    from lakewright.run.context import TaskContext
    from lakewright.run.services import Services

__all__ = ["REJECT_COLUMNS", "Ingested", "ingest", "look", "quarantine_rejects"]

#: Columns of the quarantine table of a raw dataset.
REJECT_COLUMNS: dict[str, str] = {
    "line": "BIGINT",
    "column_name": "VARCHAR",
    "reason": "VARCHAR",
    "content": "VARCHAR",
    "_source_file": "VARCHAR",
    "_batch_id": "BIGINT",
    "_run_id": "VARCHAR",
    "_quarantined_at": "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True)
class Ingested:
    """What a task took, and what the raw dataset now holds in all: ``columns``, name → DuckDB type, and totals.

    ``batch`` is its last batch; ``settled`` counts rejects that an earlier run had not put into quarantine.
    """

    batch: int
    files: int
    rows: int
    rejected: int
    bytes: int
    summary: str
    notes: tuple[str, ...]
    columns: dict[str, str]
    total_files: int
    total_rows: int
    total_bytes: int
    settled: int


def look(services: Services, id: str) -> Found:
    """Return what is new of the raw dataset *id*, as far as that can be told without reading it."""
    with services.session.cursor() as cursor:
        return ask.look(_asked(services, id), cursor)


def _asked(services: Services, id: str, check: Callable[[], None] = lambda: None) -> ask.Asked:
    project = services.project
    return ask.Asked(
        project.raw[id],
        id.partition(".")[2],
        project.sources[project.raw[id]],
        root=services.root,
        store=services.store,
        state=services.state,
        s3=project.file.lake.s3,
        resolve=services.resolve,
        check=check,
    )


def ingest(services: Services, id: str, context: TaskContext) -> Ingested:
    """Take what is new of the raw dataset *id* and quarantine what cannot be read of it.

    The manifest is written first. The rejects lie beside the raw files, so a crash before they reach
    the quarantine loses none: the next run puts there what is missing.
    """
    project = services.project
    name = id.partition(".")[2]
    cursor = services.session.cursor()
    try:
        asked = _asked(services, id, context.check)
        with context.on_cancel(cursor.interrupt), context.on_cancel(asked.interrupts):
            taken = ask.take(asked, cursor, context.run)
            with services.turn(context), context.committing():
                added = quarantine_rejects(services, cursor, id, context.run)
            everything = files_of(services.state, id)
            spec = project.sources[project.raw[id]].datasets[name]
            columns = schema_of(everything, spec, cursor)
    except DatabaseFault:
        context.check()  # a database tells of being interrupted in its own words
        raise
    except duckdb.Error as error:
        context.check()
        raise explain(error, hide=set(services.session.hidden)) from error
    finally:
        cursor.close()
    for file in taken.files:
        context.log.info("taken", file=file.path, rows=file.rows, rejected=file.rejected, change=file.change)
    return Ingested(
        batch=last_batch(services.state, id),
        files=len(taken.files),
        rows=taken.rows,
        rejected=taken.rejected,
        bytes=taken.bytes,
        summary=_summary(taken),
        notes=tuple(_notes(taken)),
        columns=columns,
        total_files=len(everything),
        total_rows=sum(one.rows for one in everything),
        total_bytes=sum(one.size for one in everything),
        settled=max(0, added - taken.rejected),
    )


def quarantine_rejects(services: Services, cursor: duckdb.DuckDBPyConnection, id: str, run_id: str) -> int:
    """Bring the quarantine of *id* up to the manifest; return how many rejects were added.

    Batches already there are not added again, and rejects of a file that has a newer version go. A
    checkpoint of the quarantine says which batch of the manifest it stands at.
    """
    if not owes_rejects(services, id):
        return 0
    lake = services.lake
    target = quarantine_id(id)
    last = last_batch(services.state, id)
    known = files_of(services.state, id, upto=last)
    # what an expired file had is kept nowhere else any more
    files = [one for one in known if one.rejected and one.gone != "expired"]
    there = lake.columns(cursor, target)
    present: set[tuple[int, str]] = set()
    if there is not None:
        query = exp.select("_batch_id", "_source_file").distinct().from_(table(target))
        present = {(int(row[0]), str(row[1])) for row in cursor.execute(query.sql("duckdb")).fetchall()}
    batches = {batch for batch, _ in present}
    missing = [one for one in files if one.batch not in batches]
    stale = _stale(services, id, present)
    rejects = rejects_of(services.store, missing)
    at = now()
    comment = f"lines of {id} that could not be read"
    lake.prepare_table(cursor, target, REJECT_COLUMNS, comment=comment)

    def work() -> Checkpoint:
        lake.create_table(cursor, target, REJECT_COLUMNS, comment=comment)
        for batch, path in stale:
            gone = exp.delete(table(target)).where(
                column("_batch_id").eq(literal(batch)), column("_source_file").eq(literal(path))
            )
            cursor.execute(gone.sql("duckdb"))
        if rejects.num_rows:
            cursor.register("_rejects", rejects)
            batches = {one.path: one.batch for one in missing}
            _insert(cursor, target, batches, run_id, at.isoformat())
        number = lake.last_batch(cursor, target) + 1
        settled = positions_text({id: {"batch": last}})
        checkpoint = Checkpoint(target, number, run_id, settled, "", rejects.num_rows, at)
        lake.add_checkpoint(cursor, checkpoint)
        return checkpoint

    done = lake.commit(
        cursor, work, message=f"{id} batch {last}: lines that could not be read", info={"run": run_id}
    )
    services.advance(done)
    return done.rows


def _insert(
    cursor: duckdb.DuckDBPyConnection, target: str, batches: dict[str, int], run_id: str, at: str
) -> None:
    import pyarrow as pa

    numbers = pa.table({"path": list(batches), "batch": pa.array(list(batches.values()), pa.int64())})
    cursor.register("_reject_batches", numbers)
    names = ", ".join(f'"{name}"' for name in REJECT_COLUMNS)
    cursor.execute(
        f"INSERT INTO {table(target).sql('duckdb')} ({names}) "
        'SELECT r.line, r."column", r.reason, r.content, r.file, b.batch, ?, ?::TIMESTAMPTZ '
        "FROM _rejects r JOIN _reject_batches b USING (path)",
        [run_id, at],
    )
    cursor.unregister("_rejects")
    cursor.unregister("_reject_batches")


def _stale(services: Services, id: str, present: set[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the (batch, file) pairs in quarantine whose file has a newer version by now."""
    if not present:
        return []
    old = {
        (one.batch, one.path)
        for one in files_of(services.state, id, current=False)
        if one.superseded_in is not None and one.rejected
    }
    # a member of an archive is named archive/member
    return sorted(
        (batch, file)
        for batch, file in present
        if any(batch == b and (file == path or file.startswith(f"{path}/")) for b, path in old)
    )


def _summary(taken: Taken) -> str:
    if taken.summary or not taken.files:
        return taken.summary or "nothing new"
    changed = sum(one.change != "new" for one in taken.files)
    new = len(taken.files) - changed
    parts = [f"{new} new"] if new else []
    parts += [f"{changed} changed"] if changed else []
    return f"{' and '.join(parts)} {'file' if new + changed == 1 else 'files'}"


def _notes(taken: Taken) -> list[str]:
    # many files often differ in the same way; they are told of once
    alike: dict[tuple[str, ...], list[Drift]] = {}
    for one in taken.drift:
        alike.setdefault((one.kind, one.column, one.before, one.after), []).append(one)
    notes = [f"{same[0]}" + (f"; so in {len(same) - 1} more" if same[1:] else "") for same in alike.values()]
    if taken.summary:
        return [*notes, *taken.notes]
    notes += [_told(file) for file in taken.files if file.change != "new" or file.unreadable]
    if taken.missing:
        shown = ", ".join(taken.missing[:5]) + (" …" if len(taken.missing) > 5 else "")
        notes.append(f"{len(taken.missing)} files are gone from the source, raw keeps them: {shown}")
    if taken.busy:
        notes.append(f"still being written, taken next time: {', '.join(taken.busy)}")
    return notes


def _told(file: RawFile) -> str:
    if file.unreadable:
        return f"{file.path} cannot be read: {file.unreadable}"
    return f"{file.path} has {'grown' if file.change == 'grown' else 'changed'}; taken again as version {file.version}"
