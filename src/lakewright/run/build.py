"""Build one dataset: select what is new, stage, audit, gate, publish, and tell everyone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from lakewright.engine.errors import explain
from lakewright.errors import LakewrightError, UsageError
from lakewright.lake import Checkpoint
from lakewright.plan.tasks import (
    DatasetState,
    Position,
    TaskPlan,
    UpstreamState,
    backfill_column,
    write_mode,
)
from lakewright.quality.gate import Verdict, judge, refuse
from lakewright.run.inputs import Input, dataset_input
from lakewright.run.mask import masking, without_values
from lakewright.run.publish import Publication, publish
from lakewright.run.record import keep_columns, record_audit
from lakewright.run.services import Services
from lakewright.run.stage import stage
from lakewright.run.star import star_of
from lakewright.spec.dataset import Dataset, Write
from lakewright.sql.names import column, literal, table
from lakewright.sql.partition import parse_partition, partition_value
from lakewright.state import now

if TYPE_CHECKING:
    from lakewright.run.context import TaskContext

# Errors whose text may quote a row's values.
_QUOTING = ("LW405", "LW406", "LW603")

__all__ = ["Built", "build", "dataset_state", "upstream_state"]


@dataclass
class Built:
    """What a build did. ``read`` counts the rows read where that is known; ``removed`` those that steps left out.

    ``touched`` are the checkpoints of other datasets of its star that changed with it.
    """

    dataset: str
    batch: int
    mode: str
    rows: int
    quarantined: int
    read: int | None
    removed: int | None
    verdict: Verdict
    columns: dict[str, str]
    positions: dict[str, Position]
    at: datetime
    notes: tuple[str, ...] = ()
    touched: tuple[Checkpoint, ...] = ()


def dataset_state(checkpoint: Checkpoint | None) -> DatasetState | None:
    """Return what a checkpoint says of the last build, None when there was none."""
    if checkpoint is None:
        return None
    found = json.loads(checkpoint.positions or "{}")
    inputs = {id: Position(one["batch"], one.get("cursor")) for id, one in found.get("inputs", {}).items()}
    return DatasetState(checkpoint.batch, inputs, checkpoint.fingerprint)


def upstream_state(checkpoint: Checkpoint | None) -> UpstreamState:
    """Return what a checkpoint says of a dataset that others read."""
    if checkpoint is None:
        return UpstreamState()
    found = json.loads(checkpoint.positions or "{}")
    # a restore changed rows without adding a batch of them: whoever reads by batches has to start anew
    rebuilt = checkpoint.batch if checkpoint.kind == "restore" else int(found.get("rebuilt", 0))
    return UpstreamState(position=checkpoint.batch, rows=checkpoint.rows, rebuilt=rebuilt)


def build(
    services: Services, dataset: Dataset, reads: tuple[str, ...], plan: TaskPlan, context: TaskContext
) -> Built:
    """Build *dataset* as *plan* says and publish it. Raises GateError when the gate refuses it.

    Nothing is visible before the one commit at the end; a crash before it leaves the last good state.
    """
    cursor = services.session.cursor()
    try:
        with context.on_cancel(cursor.interrupt):
            given = dataset_input(services, cursor, dataset, reads, plan.work)
            return _build(services, cursor, dataset, plan, given, context)
    except duckdb.Error as error:
        context.check()
        coded = explain(error, hide=set(services.session.hidden))
        if dataset.masks:
            raise without_values(coded) from None
        raise coded from error
    except LakewrightError as error:
        if dataset.masks and error.code in _QUOTING:
            raise without_values(error) from None
        raise
    finally:
        cursor.close()


def _build(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    plan: TaskPlan,
    given: Input,
    context: TaskContext,
) -> Built:
    run_id = context.run
    file, defaults = dataset.file, services.project.file.defaults
    at = now()
    mode = write_mode(dataset)
    anew = (plan.work.mode == "full" and not given.beside) or given.whole
    seen = services.seen(dataset.id)
    batch = (seen.batch if seen else 0) + 1
    window = _window(dataset, plan.work.backfill)
    if window is not None and window[0].lower() in {name.lower() for name in dataset.masks}:
        raise UsageError(
            "LW804",
            f"{dataset.id} cannot be built again for a range of dates: its {window[0]} is masked",
            remedy="use --full-refresh",
        )
    keys = dataset.natural_keys
    target = table(dataset.id)
    exists = services.lake.columns(cursor, dataset.id) is not None
    staged = stage(
        cursor,
        dataset,
        given,
        on_violation=file.on_violation or defaults.on_violation,
        relations=table,
        target=_published_rows(cursor, target, window, given.replaced)
        if exists and mode == "append" and not anew
        else None,
        apart=_apart(file.write, mode, keys),
        now=at,
        root=services.root,
        where=lambda columns: _inside(window, columns),
        masking=masking(services, cursor, dataset, context),
    )
    threshold = defaults.quality_threshold if file.quality_threshold is None else file.quality_threshold
    verdict = judge(staged.checks, staged.audit, threshold)
    read = given.rows if given.rows is not None else (staged.rows if staged.one_to_one else None)
    notes = record_audit(
        services, cursor, dataset, staged, verdict, read=read, run_id=run_id, batch=batch, at=at
    )
    if given.forgotten:
        came = f"{given.forgotten:,} rows of people who were forgotten came again and were left out"
        notes = (*notes, came)
    notes = (*notes, *given.notes)
    if not verdict.passed:
        raise refuse(dataset.id, verdict)
    inputs = {
        id: {"batch": one.batch, **({"cursor": one.cursor} if one.cursor is not None else {})}
        for id, one in given.positions.items()
    }
    same = seen is not None and seen.fingerprint == plan.fingerprint
    staged = replace(staged, columns=keep_columns(services, dataset, staged.columns, same=same))
    with context.committing():
        published = publish(
            services.lake,
            cursor,
            staged,
            Publication(
                dataset=dataset,
                mode=mode,
                keys=keys,
                batch=batch,
                run_id=run_id,
                at=at,
                anew=anew,
                replaced=given.replaced,
                in_order=given.in_order,
                inputs=inputs,
                rebuilt=upstream_state(seen).rebuilt,
                # a backfill leaves the rest of the table as an earlier definition made it
                fingerprint=seen.fingerprint if seen and window is not None else plan.fingerprint,
                window=window,
                star=star_of(services.project, dataset),
            ),
        )
    for checkpoint in (published.checkpoint, *published.touched):
        services.advance(checkpoint)
    removed = None if read is None else read - published.rows - published.quarantined
    built = Built(
        dataset=dataset.id,
        batch=batch,
        mode=mode if not anew or mode == "replace" else f"{mode}, anew",
        rows=published.rows,
        quarantined=published.quarantined,
        read=read,
        removed=removed,
        verdict=verdict,
        columns=published.columns,
        positions=given.positions,
        at=at,
        notes=(*notes, *published.notes),
        touched=published.touched,
    )
    return built


def _apart(write: Write, mode: str, keys: tuple[str, ...]) -> tuple[exp.Expr, ...]:
    """What rows of a later batch have in common with those that they push out: the keys, or the partition."""
    if mode == "merge":
        return tuple(column(one) for one in keys)
    if mode != "overwrite":
        return ()
    values = [partition_value(parse_partition(text)) for text in write.partition_by]
    return tuple(one for one in values if one is not None) or (literal(1),)


def _published_rows(
    cursor: duckdb.DuckDBPyConnection,
    target: exp.Table,
    window: tuple[str, str, str] | None,
    replaced: tuple[str, ...],
) -> exp.Table:
    """Return the rows that are there and stay: not those of a range or of files that are built again."""
    gone = _inside(window, {window[0]: ""}) if window else None
    if gone is None and replaced:
        gone = exp.In(this=column("_source_file"), expressions=[literal(one) for one in replaced])
    if gone is None:
        return target
    stays = exp.Coalesce(this=exp.not_(exp.paren(gone)), expressions=[exp.true()])
    rows = exp.select("*").from_(target.copy()).where(stays)
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW _published_rows AS {rows.sql('duckdb')}")
    return exp.to_table("_published_rows")


def _window(dataset: Dataset, backfill: tuple[str, str] | None) -> tuple[str, str, str] | None:
    """Return the column that holds a row's date and the range to build again, None for no backfill."""
    name = backfill_column(dataset)
    return None if backfill is None or name is None else (name, *backfill)


def _inside(window: tuple[str, str, str] | None, columns: Mapping[str, str]) -> exp.Expr | None:
    if window is None or window[0] not in columns:
        return None
    name, low, high = window
    return exp.Between(
        this=exp.cast(column(name), "DATE"),
        low=exp.cast(literal(low), "DATE"),
        high=exp.cast(literal(high), "DATE"),
    )
