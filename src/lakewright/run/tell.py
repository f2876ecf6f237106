"""Tell catalog, schema versions and lineage what a task did. Never in the way of the task itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from lakewright.catalog import entries, openlineage, schemas
from lakewright.catalog.openlineage import Input, Job, Output, Parent, run_event, run_uuid
from lakewright.errors import LakewrightError
from lakewright.lake.protocol import TableInfo
from lakewright.observe import TaskLog
from lakewright.quality.gate import Verdict
from lakewright.quality.results import load
from lakewright.run.record import load_findings
from lakewright.spec.dataset import Dataset
from lakewright.sql.lineage import Lineage, lineage
from lakewright.sql.names import hidden
from lakewright.state import now

if TYPE_CHECKING:
    from lakewright.lake import Checkpoint
    from lakewright.run.build import Built
    from lakewright.run.ingest import Ingested
    from lakewright.run.services import Services

__all__ = ["tell_again", "tell_built", "tell_event", "tell_failed", "tell_ingested", "tell_run"]

_log = TaskLog("lakewright.lineage")


def tell_run(services: Services, kind: openlineage.Kind, run_id: str, error: str = "") -> None:
    """Send the event of the whole run: START, COMPLETE, FAIL or ABORT."""
    job = Job(services.namespace, services.project.file.name, "RUN", services.project.file.description)
    _emit(services, run_event(kind, at=now(), run_id=run_uuid(run_id), job=job, error=error))


def tell_event(services: Services, kind: openlineage.Kind, id: str, run_id: str, error: str = "") -> None:
    """Send the event of a task: START, FAIL or ABORT."""
    _emit(services, _event(services, kind, id, run_id, now(), error=error))


def tell_failed(services: Services, id: str, run_id: str, error: BaseException) -> None:
    """Send the event of a task that failed, with its message and without secrets."""
    text = error.problem.message if isinstance(error, LakewrightError) else type(error).__name__
    tell_event(services, "FAIL", id, run_id, services.redact(text))


def tell_built(
    services: Services, dataset: Dataset, reads: tuple[str, ...], built: Built, run_id: str
) -> None:
    """Note what a build published: schema version, catalog entry, lineage of its columns; send its event."""
    batches = {id: position.batch for id, position in built.positions.items()}
    told = _Told(
        built.batch, run_id, built.at, built.columns, batches, built.rows, built.verdict, built.verdict.score
    )
    _tell(services, dataset, reads, told, dataset.file.compatibility)


def tell_again(services: Services, dataset: Dataset, reads: tuple[str, ...], last: Checkpoint) -> None:
    """Note what *last* published, as :func:`tell_built` would have, had its process lived to do so."""
    found = msgspec.json.decode(last.positions or "{}")
    audit = next((one for one in load(services.state, last.run_id) if one.dataset == dataset.id), None)
    columns = found.get("columns")
    if columns is None:
        with services.session.cursor() as cursor:
            columns = services.lake.columns(cursor, dataset.id) or {}
    batches = {id: int(one["batch"]) for id, one in found.get("inputs", {}).items()}
    same = audit is not None and (audit.batch == last.batch or last.kind == "repair")
    verdict = audit.verdict if audit and same else None
    score = verdict.score if verdict else None
    told = _Told(last.batch, last.run_id, last.at, columns, batches, last.rows, verdict, score)
    # the rows are there: whether their columns suit the ones before is no longer the question
    _tell(services, dataset, reads, told, "none", event=last.kind == "build")


@dataclass(frozen=True)
class _Told:
    """What there is to tell of one publish. ``batches`` says how far each upstream was read."""

    batch: int
    run_id: str
    at: datetime
    columns: Mapping[str, str]
    batches: Mapping[str, int]
    rows: int
    verdict: Verdict | None
    score: float | None


def _tell(
    services: Services,
    dataset: Dataset,
    reads: tuple[str, ...],
    told: _Told,
    compatibility: schemas.Compatibility,
    *,
    event: bool = True,
) -> None:
    try:
        columns = {name: type for name, type in told.columns.items() if not hidden(name)}
        version = schemas.record(
            services.state,
            dataset.id,
            schemas.fields_of(columns, dataset.file.columns),
            run_id=told.run_id,
            mode=compatibility,
            at=told.at,
        )
        traced = _lineage(services, dataset, reads)
        table = _table(services, dataset.id)
        facts = entries.Facts(
            columns=columns,
            location=services.location(dataset.id),
            format=services.lake.kind,
            score=told.score,
            rows=table.rows if table else None,
            bytes=table.bytes if table else None,
            files=table.files if table else None,
            schema_version=version.version,
            batch=told.batch,
            run_id=told.run_id,
            updated=told.at,
        )
        if event and services.outbox.wanted:
            output = _output(services, dataset, told, traced, facts)
            inputs = [
                Input(id, uri=services.location(id), version=str(told.batches[id]))
                for id in reads
                if id in told.batches
            ]
            _emit(
                services,
                _event(services, "COMPLETE", dataset.id, told.run_id, now(), inputs=inputs, outputs=[output]),
            )
        # last, because its batch shows that all of this was told
        entries.publish(services.state, services.project, dataset.id, facts, inputs=reads, lineage=traced)
    except Exception as error:  # the data is published; what is told about it must not undo that
        _log.error(f"the catalog could not be told about {dataset.id}", error=error)


def tell_ingested(services: Services, id: str, taken: Ingested, run_id: str) -> None:
    """Note what was taken into raw: the catalog's entry of the raw dataset, and the event."""
    try:
        at = now()
        if services.outbox.wanted:
            output = Output(
                id,
                columns=taken.columns,
                uri=services.location(id),
                version=str(taken.batch),
                kind="FILE",
                rows=taken.rows,
                bytes=taken.bytes,
                files=taken.files,
            )
            _emit(services, _event(services, "COMPLETE", id, run_id, at, outputs=[output]))
        facts = entries.Facts(
            columns=taken.columns,
            location=services.location(id),
            format="files",
            rows=taken.total_rows,
            bytes=taken.total_bytes,
            files=taken.total_files,
            batch=taken.batch,
            run_id=run_id,
            updated=at,
        )
        entries.publish(services.state, services.project, id, facts)
    except Exception as error:  # the files are in raw
        _log.error(f"the catalog could not be told about {id}", error=error)


def _lineage(services: Services, dataset: Dataset, reads: tuple[str, ...]) -> Lineage:
    known = {
        one.dataset: {column.name: column.type for column in one.columns if column.type}
        for one in entries.entries(services.state)
        if one.dataset in reads and one.updated is not None
    }
    fact = dataset.file.fact
    keys = {
        one.dimension: services.project.datasets[one.dimension].surrogate_key or ""
        for one in (fact.lookups if fact else {}).values()
    }
    return lineage(dataset, known, keys)


def _table(services: Services, id: str) -> TableInfo | None:
    with services.session.cursor() as cursor:
        return next(iter(services.lake.tables(cursor, only=id)), None)


def _output(
    services: Services,
    dataset: Dataset,
    told: _Told,
    traced: Lineage,
    facts: entries.Facts,
) -> Output:
    file = dataset.file
    findings = load_findings(services.state, told.run_id).get(dataset.id)
    return Output(
        dataset.id,
        columns=facts.columns,
        descriptions={name: rules.description for name, rules in file.columns.items() if rules.description},
        description=file.description,
        owner=file.owner or services.project.file.defaults.owner,
        tags=file.tags,
        column_tags={name: rules.tags for name, rules in file.columns.items() if rules.tags},
        uri=services.location(dataset.id),
        version=str(told.batch),
        storage=services.lake.kind,
        lineage=traced,
        rows=told.rows,
        bytes=facts.bytes,
        files=facts.files,
        checks=told.verdict.results if told.verdict else (),
        profile=findings.profile.columns if findings else (),
        profiled_rows=findings.profile.rows if findings else None,
    )


def _event(
    services: Services,
    kind: openlineage.Kind,
    id: str,
    run_id: str,
    at: datetime,
    *,
    inputs: list[Input] | None = None,
    outputs: list[Output] | None = None,
    error: str = "",
) -> openlineage.Event:
    project = services.project
    dataset = project.datasets.get(id)
    name = f"{project.file.name}.{id}"
    job = (
        Job(
            services.namespace,
            name,
            "BUILD",
            dataset.file.description,
            dataset.file.owner or project.file.defaults.owner,
            dataset.file.tags,
            dataset.sql,
        )
        if dataset
        else Job(services.namespace, name, "INGEST")
    )
    return run_event(
        kind,
        at=at,
        run_id=run_uuid(run_id, id),
        job=job,
        inputs=inputs or (),
        outputs=outputs or (),
        parent=Parent(services.namespace, project.file.name, run_uuid(run_id)),
        error=error,
    )


def _emit(services: Services, event: openlineage.Event) -> None:
    try:
        services.outbox.emit(event)
    except Exception as error:
        _log.error("a lineage event could not be sent", error=error)
