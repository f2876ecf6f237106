"""Bring one dataset back from a backup into the lake that goes on: its rows of then, as a new commit."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import duckdb
from sqlglot import exp

from lakewright.errors import LakewrightError, NotFoundError
from lakewright.lake import checkpoints
from lakewright.lake.attached import AttachedLake
from lakewright.lake.restore import Given, reload
from lakewright.recovery import copies
from lakewright.recovery.choose import Chosen
from lakewright.recovery.create import Source
from lakewright.recovery.files import fetch_database
from lakewright.recovery.place import Place
from lakewright.sql.names import literal, quarantine_id, split_id

if TYPE_CHECKING:
    from lakewright.run.services import Services

__all__ = ["Reloaded", "recover_dataset"]

#: The name under which the lake of a backup is attached.
_THEN = "recovered"


@dataclass(frozen=True)
class Reloaded:
    """A dataset that came back: its rows, the backup that they are from, and the instant that they are of."""

    dataset: str
    rows: int
    backup: str
    why: str
    reached: datetime


def recover_dataset(services: Services, source: Source, place: Place, chosen: Chosen, id: str) -> Reloaded:
    """Load the rows that *id* had, at the backup's time or one inside it, into the lake as one commit.

    The checkpoint goes back with them, so the next run builds what came after. Raises LW415 when the
    backup does not have the dataset.
    """
    lake = cast("AttachedLake", services.lake)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakewright-")))
        catalog = fetch_database(place, chosen.manifest.of("catalog"), folder)
        wanted = {id, quarantine_id(id), checkpoints.TABLE}
        tables = folder / "tables"
        tables.mkdir()
        for one in chosen.manifest.of("tables"):
            if one.dataset in wanted:
                place.fetch(one, tables / one.path)
        address, options = stack.enter_context(copies.attachable(source.catalog, catalog))
        cursor = stack.enter_context(contextlib.closing(services.session.cursor()))
        services.session.hide(address, *options.values())
        options = {"DATA_PATH": f"{tables}/", **options}
        listed = ", ".join(f"{key} {literal(value).sql('duckdb')}" for key, value in options.items())
        lake.run(
            cursor,
            f"ATTACH {literal(f'ducklake:{address}').sql('duckdb')} AS {_THEN} "
            f"({listed}, OVERRIDE_DATA_PATH true, READ_ONLY)",
        )
        stack.callback(_detach, services)
        version, reached = _version(lake, cursor, chosen)
        names = {str(row[0]) for row in lake.run(cursor, _tables(version)).fetchall()}
        if id not in names:
            raise NotFoundError("LW415", f"backup {chosen.id} does not have {id} as of {reached.isoformat()}")
        given = {
            name: _given(services, lake, cursor, name, version)
            for name in (id, quarantine_id(id))
            if name in names
        }
        before = checkpoints.latest(lake, cursor, _relation(checkpoints.TABLE, version)).get(id)
        rows = reload(lake, cursor, id, given, before, label=f"recover:{chosen.id}")
    services.refresh()
    return Reloaded(id, rows, chosen.id, chosen.why, reached)


def _version(lake: AttachedLake, cursor: duckdb.DuckDBPyConnection, chosen: Chosen) -> tuple[int, datetime]:
    """The snapshot of the backup's lake that was current at the time asked for, and its own time."""
    if chosen.at is None:
        return chosen.manifest.span.last, chosen.manifest.created
    row = lake.run(
        cursor,
        f"SELECT snapshot_id, snapshot_time FROM ducklake_snapshots('{_THEN}') "
        "WHERE snapshot_time <= $1::TIMESTAMPTZ ORDER BY snapshot_id DESC LIMIT 1",
        [chosen.at.isoformat()],
    ).fetchone()
    if row is None:
        raise NotFoundError("LW415", f"backup {chosen.id} has no snapshot as old as {chosen.at.isoformat()}")
    return int(row[0]), row[1]


def _tables(version: int) -> str:
    known = f"__ducklake_metadata_{_THEN}"
    return f"""
        SELECT s.schema_name || '.' || t.table_name FROM {known}.ducklake_table t
        JOIN {known}.ducklake_schema s USING (schema_id)
        WHERE t.begin_snapshot <= {version} AND (t.end_snapshot IS NULL OR t.end_snapshot > {version})
    """


def _relation(id: str, version: int) -> exp.Table:
    zone, name = split_id(id)
    relation = exp.table_(name, db=zone, catalog=_THEN, quoted=True)
    relation.set("when", exp.HistoricalData(this="AT", kind="VERSION", expression=literal(version)))
    return relation


def _given(
    services: Services, lake: AttachedLake, cursor: duckdb.DuckDBPyConnection, id: str, version: int
) -> Given:
    """The rows of then, laid out as the table is now, or as the project says where it is gone."""
    if id in lake.ids(cursor):
        return Given(_relation(id, version), lake.partitions(cursor, id), lake.sort_keys(cursor, id))
    spec = services.project.datasets.get(id)
    write = spec.file.write if spec else None
    return Given(_relation(id, version), write.partition_by if write else (), write.sort_by if write else ())


def _detach(services: Services) -> None:
    with contextlib.suppress(duckdb.Error, LakewrightError), services.session.cursor() as cursor:
        cursor.execute(f"DETACH {_THEN}")
