"""OpenLineage run events: what was read, what was written and how, as JSON objects.

The events are built by hand and checked against the published JSON Schemas in the tests: the
``openlineage-python`` client brings 15 packages and 0.9 s of import, is steered by environment
variables and files of its own, and does not keep events while its server is down.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from lakewright.catalog import facets
from lakewright.catalog.entries import Entry
from lakewright.catalog.facets import PRODUCER, SPEC, Assertion, Figures, timestamp
from lakewright.spec.project import Project
from lakewright.sql.lineage import Lineage

__all__ = [
    "Event",
    "Input",
    "Job",
    "Kind",
    "Output",
    "Parent",
    "input_of",
    "job_of",
    "namespace_of",
    "output_of",
    "run_event",
    "run_uuid",
]

Kind = Literal["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"]
Event = dict[str, Any]

# Names the runs of tasks; any fixed UUID does.
_RUNS = uuid.UUID("6f0c1a8e-7b0d-5f0e-9a53-2f6d1c0b7e11")


@dataclass(frozen=True, slots=True)
class Job:
    """What runs: ``kind`` RUN (the whole run), INGEST (files to raw) or BUILD (a dataset)."""

    namespace: str
    name: str
    kind: Literal["RUN", "INGEST", "BUILD"] = "BUILD"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that a task belongs to; ``run_id`` as :func:`run_uuid` gives it."""

    namespace: str
    job: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Input:
    """A dataset that was read. ``namespace`` defaults to the job's.

    ``uri`` says where it lies (``file:///…``, ``s3://…``, without secrets), ``version`` which
    version was read; ``rows``, ``bytes`` and ``files`` how much.
    """

    name: str
    namespace: str = ""
    columns: Mapping[str, str] | None = None
    uri: str = ""
    version: str = ""
    kind: Literal["TABLE", "FILE"] = "TABLE"
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A dataset that was written, with all that is known of it. ``namespace`` defaults to the job's.

    ``columns`` are types by name, ``descriptions`` and ``column_tags`` by column. ``storage`` is the
    table format (``ducklake``, ``iceberg``). ``lineage`` names datasets of the job's namespace.
    ``checks`` are the results of its checks, ``profile`` the figures of its columns.
    """

    name: str
    namespace: str = ""
    columns: Mapping[str, str] | None = None
    descriptions: Mapping[str, str] | None = None
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    column_tags: Mapping[str, tuple[str, ...]] | None = None
    uri: str = ""
    version: str = ""
    kind: Literal["TABLE", "FILE"] = "TABLE"
    storage: str = ""
    lineage: Lineage | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    checks: Sequence[Assertion] = ()
    profile: Sequence[Figures] = ()
    profiled_rows: int | None = None


def run_uuid(run_id: str, task: str = "") -> str:
    """Return the UUID of a task of a run, or of the run itself: always the same for the same two.

    A run whose id is a UUID already keeps it.
    """
    if not task:
        try:
            return str(uuid.UUID(run_id))
        except ValueError:
            pass
    return str(uuid.uuid5(_RUNS, f"{run_id}\n{task}"))


def namespace_of(project: Project) -> str:
    """The namespace of a project's jobs and datasets: the one it declares, else its name."""
    return project.file.lineage.namespace or project.file.name


def job_of(project: Project, dataset: str) -> Job:
    """Return the job that makes *dataset*: a build, or for a raw one the taking of its files."""
    namespace = namespace_of(project)
    if dataset in project.raw:
        return Job(namespace, dataset, "INGEST")
    one = project.datasets[dataset]
    owner = one.file.owner or project.file.defaults.owner
    return Job(namespace, dataset, "BUILD", one.file.description, owner, one.file.tags, one.shown_sql)


def input_of(entry: Entry, *, version: str = "", rows: int | None = None) -> Input:
    """Return *entry* as a dataset that was read; *rows* are those read, *version* the one they are of."""
    return Input(
        entry.dataset,
        columns={column.name: column.type for column in entry.columns},
        uri=_uri(entry.location),
        version=version,
        kind="FILE" if entry.kind == "raw" else "TABLE",
        rows=rows,
    )


def output_of(
    entry: Entry,
    *,
    version: str = "",
    rows: int | None = None,
    bytes: int | None = None,
    files: int | None = None,
    lineage: Lineage | None = None,
    checks: Sequence[Assertion] = (),
    profile: Sequence[Figures] = (),
    profiled_rows: int | None = None,
) -> Output:
    """Return *entry* as a dataset that was written: *rows*, *bytes* and *files* are what was added."""
    tags: dict[str, tuple[str, ...]] = {}
    for column in entry.columns:
        own = [*column.tags]
        own += [f"pii:{column.pii}"] if column.pii else []
        own += [f"classification:{column.classification}"] if column.classification else []
        if own:
            tags[column.name] = tuple(own)
    return Output(
        entry.dataset,
        columns={column.name: column.type for column in entry.columns},
        descriptions={column.name: column.description for column in entry.columns},
        description=entry.description,
        owner=entry.owner,
        tags=entry.tags,
        column_tags=tags,
        uri=_uri(entry.location),
        version=version,
        kind="FILE" if entry.kind == "raw" else "TABLE",
        storage=entry.format if entry.format in ("ducklake", "iceberg") else "",
        lineage=lineage,
        rows=rows,
        bytes=bytes,
        files=files,
        checks=checks,
        profile=profile,
        profiled_rows=profiled_rows,
    )


def _uri(location: str) -> str:
    if not location or "://" in location:
        return location
    path = Path(location)
    return path.as_uri() if path.is_absolute() else ""


def run_event(
    kind: Kind,
    *,
    at: datetime,
    run_id: str,
    job: Job,
    inputs: Sequence[Input] = (),
    outputs: Sequence[Output] = (),
    parent: Parent | None = None,
    nominal: datetime | None = None,
    error: str = "",
    engine: tuple[str, str] | None = None,
) -> Event:
    """Return a run event (OpenLineage 2-0-2).

    *run_id* is a UUID. *error* is why it failed, free of secrets. *engine* is name and version of
    what ran the statements. *nominal* is the time that the run was scheduled for.
    """
    return {
        "eventType": kind,
        "eventTime": timestamp(at),
        "producer": PRODUCER,
        "schemaURL": SPEC,
        "run": {
            "runId": run_id,
            "facets": facets.facets(
                parent=facets.parent(parent.namespace, parent.job, parent.run_id) if parent else None,
                nominalTime=facets.nominal_time(nominal) if nominal else None,
                errorMessage=facets.error(error) if error else None,
                processing_engine=facets.engine(*engine) if engine else None,
            ),
        },
        "job": {
            "namespace": job.namespace,
            "name": job.name,
            "facets": facets.facets(
                jobType=facets.job_type(job.kind),
                documentation=facets.job_documentation(job.description),
                ownership=facets.job_ownership(job.owner),
                tags=facets.job_tags(job.tags),
                sql=facets.sql(job.sql),
            ),
        },
        "inputs": [_input(one, job.namespace) for one in inputs],
        "outputs": [_output(one, job.namespace) for one in outputs],
    }


def _input(one: Input, namespace: str) -> Event:
    found: Event = {
        "namespace": one.namespace or namespace,
        "name": one.name,
        "facets": facets.facets(
            schema=facets.schema(one.columns or {}, {}),
            dataSource=facets.data_source(one.name, one.uri),
            version=facets.dataset_version(one.version),
            datasetType=facets.dataset_type(one.kind),
        ),
    }
    statistics = facets.input_statistics(one.rows, one.bytes, one.files)
    if statistics:
        found["inputFacets"] = {"inputStatistics": statistics}
    return found


def _output(one: Output, namespace: str) -> Event:
    found: Event = {
        "namespace": one.namespace or namespace,
        "name": one.name,
        "facets": facets.facets(
            schema=facets.schema(one.columns or {}, one.descriptions or {}),
            columnLineage=facets.column_lineage(one.lineage, namespace),
            dataSource=facets.data_source(one.name, one.uri),
            documentation=facets.documentation(one.description),
            ownership=facets.ownership(one.owner),
            version=facets.dataset_version(one.version),
            datasetType=facets.dataset_type(one.kind),
            storage=facets.storage(one.storage, "parquet" if one.storage else ""),
            tags=facets.tags(one.tags, one.column_tags or {}),
            dataQualityMetrics=facets.metrics(one.profiled_rows, one.profile),
            dataQualityAssertions=facets.assertions(one.checks),
        ),
    }
    statistics = facets.output_statistics(one.rows, one.bytes, one.files)
    if statistics:
        found["outputFacets"] = {"outputStatistics": statistics}
    return found
