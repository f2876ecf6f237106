"""Put datasets back to an earlier version, as one new commit: history is added to, never rewritten.

A restored dataset gets the rows and columns that it had, and a checkpoint of kind ``restore``. That
checkpoint holds the *positions* of the old version, so the next build reads again what was built
since, and a batch number beyond every earlier one, so ``_batch_id`` never repeats. Its ``base`` is
the old version's batch: a reader that had read beyond it holds rows which are gone now, and
:func:`lakewright.lake.checkpoints.restored_since` tells it to read the dataset whole once.
Bad rows in quarantine go back together with their dataset, or the next build would quarantine them twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb
from sqlglot import exp

from lakewright.errors import LakewrightError, NotFoundError, nearest
from lakewright.lake import checkpoints
from lakewright.lake.attached import AttachedLake
from lakewright.lake.protocol import BOOKKEEPING, CATALOG, Checkpoint
from lakewright.lake.schema import sort_expressions
from lakewright.sql.names import QUARANTINE_ZONE, column, identifier, quarantine_id, table

__all__ = ["Given", "reload", "restore"]


@dataclass(frozen=True, slots=True)
class Given:
    """What a table is to hold: rows that DuckDB reads from ``relation``, and how it is laid out where it is made anew."""

    relation: exp.Table
    partition_by: tuple[str, ...] = ()
    sort_by: tuple[str, ...] = ()


def restore(
    lake: AttachedLake,
    cursor: duckdb.DuckDBPyConnection,
    ids: Iterable[str] | None,
    *,
    version: int | None,
    timestamp: datetime | None,
) -> dict[str, int]:
    """Restore *ids* (every dataset when None) in one commit and return their rows by dataset.

    Raises LW415 (exit 4) when the version or a dataset at that version does not exist.
    """
    lake.capabilities.require("restore", lake.kind)
    target = lake.version_at(cursor, version, timestamp)
    if target is None:
        wanted = f"version {version}" if timestamp is None else f"version as old as {timestamp.isoformat()}"
        raise NotFoundError("LW415", f"the lake has no {wanted}")
    now, then = lake.ids(cursor), lake.ids(cursor, target)
    chosen = _chosen(now, then, ids, target)
    message = f"restore {'the lake' if ids is None else ', '.join(sorted(set(ids)))} to version {target}"

    def work() -> dict[str, int]:
        before, after = _checkpoints(lake, cursor, target), lake.latest_checkpoints(cursor)
        rows = {}
        for id in chosen:
            rows[id] = _restore_table(lake, cursor, id, target, exists_now=id in now, existed=id in then)
            if id in after or id in before:
                lake.add_checkpoint(
                    cursor, _checkpoint(id, before.get(id), after.get(id), rows[id], f"restore:{target}")
                )
        return rows

    done = lake.commit(cursor, work, message=message, info={"restored_to": target, "datasets": chosen})
    return {id: count for id, count in done.items() if not id.startswith(f"{QUARANTINE_ZONE}.")}


def _chosen(now: set[str], then: set[str], ids: Iterable[str] | None, target: int) -> list[str]:
    known = {id for id in now | then if not id.startswith(f"{BOOKKEEPING}.")}
    if ids is None:
        return sorted(known)
    chosen: set[str] = set()
    for id in ids:
        if id not in known:
            raise NotFoundError("LW414", f"the lake has no table {id!r}{nearest(id, known)}")
        if id not in then:
            raise NotFoundError("LW415", f"{id!r} did not exist at version {target}")
        chosen.add(id)
        if (bad := quarantine_id(id)) in known:
            chosen.add(bad)
    return sorted(chosen)


def _checkpoints(lake: AttachedLake, cursor: duckdb.DuckDBPyConnection, target: int) -> dict[str, Checkpoint]:
    if checkpoints.TABLE not in lake.ids(cursor, target):
        return {}
    return checkpoints.latest(lake, cursor, lake.at(checkpoints.TABLE, target))


def _checkpoint(
    id: str, before: Checkpoint | None, after: Checkpoint | None, rows: int, run_id: str
) -> Checkpoint:
    blank = Checkpoint(id, 0, "", "{}", "", 0, datetime.now(UTC))
    base = before or blank
    return replace(
        base,
        batch=max(base.batch, (after or base).batch) + 1,
        run_id=run_id,
        rows=rows,
        at=datetime.now(UTC),
        kind="restore",
        base=base.base if base.kind == "restore" else base.batch,
    )


def _restore_table(
    lake: AttachedLake,
    cursor: duckdb.DuckDBPyConnection,
    id: str,
    target: int,
    *,
    exists_now: bool,
    existed: bool,
) -> int:
    if not existed:
        # Made later: it held nothing then. Emptied rather than dropped, so that it can come back.
        lake.run(cursor, exp.delete(table(id, CATALOG)))
        return 0
    sorts = () if exists_now else lake.sort_keys(cursor, id, target)
    given = Given(lake.at(id, target), lake.partitions(cursor, id, target), sorts)
    return _refill(lake, cursor, id, given, exists_now=exists_now)


def _refill(
    lake: AttachedLake, cursor: duckdb.DuckDBPyConnection, id: str, given: Given, *, exists_now: bool
) -> int:
    columns = lake.describe(cursor, given.relation)
    # Set aside first: what this transaction deletes or makes anew would be seen in the old version too.
    then = exp.select(*(column(name) for name in columns)).from_(given.relation)
    if not lake.capabilities.orders_inserts:
        keys = lake.sort_keys(cursor, id) if exists_now else given.sort_by
        order = sort_expressions(keys, columns, missing_ok=True)
        then = then.order_by(*order) if order else then
    lake.run(cursor, f"CREATE OR REPLACE TEMPORARY TABLE _restored AS {then.sql('duckdb')}")
    if exists_now:
        # Rows go before columns: what is empty can change its columns freely.
        lake.run(cursor, exp.delete(table(id, CATALOG)))
        _restore_columns(lake, cursor, id, columns, given.partition_by)
    else:
        lake.create_table(cursor, id, columns, partition_by=given.partition_by, sort_by=given.sort_by)
    into = exp.Schema(this=table(id, CATALOG), expressions=[identifier(name) for name in columns])
    rows = exp.select("*").from_("temp.main._restored")
    counted = lake.run(cursor, exp.Insert(this=into, expression=rows)).fetchone()
    lake.run(cursor, "DROP TABLE temp.main._restored")
    return int(counted[0]) if counted else 0


def reload(
    lake: AttachedLake,
    cursor: duckdb.DuckDBPyConnection,
    id: str,
    given: Mapping[str, Given],
    before: Checkpoint | None,
    *,
    label: str,
) -> int:
    """Replace the rows of dataset *id*, and of its quarantine where it is in *given*, in one commit; return its rows.

    *before* is the dataset's checkpoint of the time that the rows are from: the next build reads what came
    after it. A table whose files are gone cannot be emptied; it is dropped and made anew, and its
    older versions with it. *label* is told as the run of the commit.
    """

    def work(anew: bool) -> int:
        now, after, rows = lake.ids(cursor), lake.latest_checkpoints(cursor), 0
        for name, one in given.items():
            exists = name in now
            if exists and anew:
                lake.drop_table(cursor, name)
                exists = False
            count = _refill(lake, cursor, name, one, exists_now=exists)
            rows = count if name == id else rows
        lake.add_checkpoint(cursor, _checkpoint(id, before, after.get(id), rows, label))
        return rows

    message, info = f"recover {id}", {"recovered": label, "datasets": [*given]}
    try:
        return lake.commit(cursor, lambda: work(anew=False), message=message, info=info)
    except LakewrightError as error:
        if error.code != "LW408":
            raise
    return lake.commit(cursor, lambda: work(anew=True), message=message, info=info)


def _restore_columns(
    lake: AttachedLake,
    cursor: duckdb.DuckDBPyConnection,
    id: str,
    columns: Mapping[str, str],
    parts: tuple[str, ...],
) -> None:
    current = lake.columns(cursor, id)
    if current is None:
        raise LakewrightError("LW414", f"the lake has no table {id!r}")
    partitions_differ = lake.partitions(cursor, id) != parts
    wrong = [name for name, kind in current.items() if columns.get(name) != kind]
    missing = [name for name, kind in columns.items() if current.get(name) != kind]
    if partitions_differ and lake.capabilities.change_partitions:
        lake.set_partitions(cursor, id, ())
    for name in missing:
        if name not in current:
            lake.add_column(cursor, id, name, columns[name])
    for name in wrong:
        if name in columns:
            # A retyped column goes and comes back, for types only widen; under another name first,
            # because Iceberg must not return to a schema that it had.
            lake.add_column(cursor, id, f"_restored_{name}", columns[name])
            lake.drop_column(cursor, id, name)
            lake.rename_column(cursor, id, f"_restored_{name}", name)
            continue
        try:
            lake.drop_column(cursor, id, name)
        except LakewrightError as error:
            if error.code != "LW413":
                raise
    if partitions_differ and lake.capabilities.change_partitions:
        lake.set_partitions(cursor, id, parts)
