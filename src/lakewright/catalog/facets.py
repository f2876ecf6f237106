"""OpenLineage facets: what is told about runs, jobs and datasets, in the shapes of the published schemas.

Each function returns one facet, a JSON object, or None when there is nothing to tell. The versions
named in :data:`VERSIONS` are those of the published schema files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

from lakewright.sql.lineage import Lineage, Origin

__all__ = ["PRODUCER", "SPEC", "VERSIONS", "Assertion", "Facet", "Figures", "timestamp"]

Facet = dict[str, Any]

#: Who says it. A URN: the project has no address of its own that would stay.
PRODUCER = f"urn:lakewright:{version('lakewright')}"

_BASE = "https://openlineage.io/spec"
#: The schema of run events.
SPEC = f"{_BASE}/2-0-2/OpenLineage.json#/$defs/RunEvent"

#: The version of each facet's schema.
VERSIONS = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DataQualityMetricsDatasetFacet": "1-0-0",
    "DatasetTypeDatasetFacet": "1-0-1",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DatasourceDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "DocumentationJobFacet": "1-1-0",
    "ErrorMessageRunFacet": "1-0-1",
    "InputStatisticsInputDatasetFacet": "1-0-0",
    "JobTypeJobFacet": "2-0-4",
    "NominalTimeRunFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "OwnershipDatasetFacet": "1-0-1",
    "OwnershipJobFacet": "1-0-1",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "SQLJobFacet": "1-1-0",
    "StorageDatasetFacet": "1-0-1",
    "TagsDatasetFacet": "1-0-0",
    "TagsJobFacet": "1-0-0",
}


class Assertion(Protocol):
    """What a check found, as far as it is told here."""

    @property
    def check_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def severity(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def violations(self) -> int: ...
    @property
    def observed(self) -> str: ...
    @property
    def passed(self) -> bool: ...


class Figures(Protocol):
    """Figures about one column, as far as they are told here; no values, which could be personal."""

    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def nulls(self) -> int: ...
    @property
    def distinct(self) -> int: ...
    @property
    def quantiles(self) -> Mapping[str, float]: ...


def timestamp(at: datetime) -> str:
    """Return a moment as the schemas want it: ISO 8601 in UTC, milliseconds, ``Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facet(name: str, /, **values: Any) -> Facet:
    told = {key: value for key, value in values.items() if value is not None}
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_BASE}/facets/{VERSIONS[name]}/{name}.json#/$defs/{name}",
        **told,
    }


def facets(**found: Facet | None) -> dict[str, Facet]:
    """Return the facets that there are, by key."""
    return {key.rstrip("_"): facet for key, facet in found.items() if facet is not None}


# --- run


def parent(namespace: str, job: str, run_id: str) -> Facet:
    """The run that this one is a part of."""
    run, owner = {"runId": run_id}, {"namespace": namespace, "name": job}
    return _facet("ParentRunFacet", run=run, job=owner, root={"run": run, "job": owner})


def nominal_time(start: datetime, end: datetime | None = None) -> Facet:
    """The time that the run was scheduled for."""
    return _facet(
        "NominalTimeRunFacet",
        nominalStartTime=timestamp(start),
        nominalEndTime=timestamp(end) if end else None,
    )


def error(message: str) -> Facet:
    """Why the run failed; *message* is free of secrets."""
    return _facet("ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")


def engine(name: str, its_version: str) -> Facet:
    """What ran the statements."""
    ours = version("lakewright")
    return _facet("ProcessingEngineRunFacet", name=name, version=its_version, openlineageAdapterVersion=ours)


# --- job


def job_type(kind: str) -> Facet:
    """A finite job of ours; *kind* is RUN, INGEST or BUILD."""
    return _facet(
        "JobTypeJobFacet",
        processingType="BATCH",
        integration="LAKEWRIGHT",
        jobType=kind,
        emissionPattern={"eventTrigger": "EVENT_BASED", "eventContentMode": "ACCUMULATIVE"},
    )


def sql(query: str | None) -> Facet | None:
    """The user's query."""
    return _facet("SQLJobFacet", query=query, dialect="duckdb") if query else None


def job_documentation(text: str) -> Facet | None:
    """What the job is for."""
    return _facet("DocumentationJobFacet", description=text) if text else None


def job_ownership(owner: str) -> Facet | None:
    """Who answers for the job."""
    return _facet("OwnershipJobFacet", owners=[{"name": owner}]) if owner else None


def job_tags(tags: Sequence[str]) -> Facet | None:
    """Tags of the job."""
    return _facet("TagsJobFacet", tags=_tags(tags)) if tags else None


# --- dataset


def schema(columns: Mapping[str, str], descriptions: Mapping[str, str]) -> Facet | None:
    """The columns in order, with types and descriptions."""
    fields = []
    for position, (name, type_) in enumerate(columns.items(), start=1):
        field: Facet = {"name": name, "ordinal_position": position}
        if type_:
            field["type"] = type_
        if descriptions.get(name):
            field["description"] = descriptions[name]
        fields.append(field)
    return _facet("SchemaDatasetFacet", fields=fields) if fields else None


def column_lineage(lineage: Lineage | None, namespace: str) -> Facet | None:
    """Where the columns and the choice of rows come from; all inputs are in *namespace*."""
    if lineage is None:
        return None
    fields = {
        name: {"inputFields": _input_fields(origins, namespace)} for name, origins in lineage.columns.items()
    }
    rows = _input_fields(lineage.rows, namespace)
    return _facet("ColumnLineageDatasetFacet", fields=fields, dataset=rows or None)


def _input_fields(origins: Iterable[Origin], namespace: str) -> list[Facet]:
    by_column: dict[tuple[str, str], list[Facet]] = {}
    for one in origins:
        kind: Facet = {"type": "DIRECT" if one.direct else "INDIRECT", "subtype": one.transformation}
        kind["masking"] = one.masking
        by_column.setdefault((one.dataset, one.column), []).append(kind)
    return [
        {"namespace": namespace, "name": dataset, "field": column, "transformations": kinds}
        for (dataset, column), kinds in by_column.items()
    ]


def data_source(name: str, uri: str) -> Facet | None:
    """Where the data lies; *uri* carries no secret."""
    return _facet("DatasourceDatasetFacet", name=name, uri=uri) if uri else None


def documentation(text: str) -> Facet | None:
    """What the dataset holds."""
    return (
        _facet("DocumentationDatasetFacet", description=text, contentType="text/markdown") if text else None
    )


def ownership(owner: str) -> Facet | None:
    """Who answers for the dataset."""
    return _facet("OwnershipDatasetFacet", owners=[{"name": owner, "type": "OWNER"}]) if owner else None


def dataset_version(text: str) -> Facet | None:
    """The version that was read or written."""
    return _facet("DatasetVersionDatasetFacet", datasetVersion=text) if text else None


def dataset_type(kind: str) -> Facet:
    """TABLE or FILE."""
    return _facet("DatasetTypeDatasetFacet", datasetType=kind)


def storage(layer: str, file_format: str) -> Facet | None:
    """The table format and the file format."""
    return _facet("StorageDatasetFacet", storageLayer=layer, fileFormat=file_format) if layer else None


def tags(names: Sequence[str], by_column: Mapping[str, Sequence[str]]) -> Facet | None:
    """Tags of the dataset and of its columns."""
    found = _tags(names)
    for column, its in by_column.items():
        found += [{**one, "field": column} for one in _tags(its)]
    return _facet("TagsDatasetFacet", tags=found) if found else None


def _tags(names: Iterable[str]) -> list[Facet]:
    found = []
    for one in names:
        key, _, value = one.partition(":")
        found.append({"key": key, "value": value or "true", "source": "USER"})
    return found


def input_statistics(rows: int | None, size: int | None, files: int | None) -> Facet | None:
    """What was read."""
    if rows is None and size is None and files is None:
        return None
    return _facet("InputStatisticsInputDatasetFacet", rowCount=rows, size=size, fileCount=files)


def output_statistics(rows: int | None, size: int | None, files: int | None) -> Facet | None:
    """What was written."""
    if rows is None and size is None and files is None:
        return None
    return _facet("OutputStatisticsOutputDatasetFacet", rowCount=rows, size=size, fileCount=files)


def assertions(results: Iterable[Assertion]) -> Facet | None:
    """The result of each check."""
    found = []
    for one in results:
        told: Facet = {
            "assertion": one.kind,
            "success": one.passed,
            "name": one.check_id,
            "description": one.sentence,
            "severity": "warn" if one.severity == "warn" else "error",
            "params": {
                "columns": list(one.columns),
                "violations": one.violations,
                "on_violation": one.severity,
            },
        }
        if len(one.columns) == 1:
            told["column"] = one.columns[0]
        if one.observed:
            told["actual"] = one.observed
        found.append(told)
    return _facet("DataQualityAssertionsDatasetFacet", assertions=found) if found else None


def metrics(rows: int | None, figures: Iterable[Figures]) -> Facet | None:
    """Counts and quantiles of the columns."""
    columns: dict[str, Facet] = {}
    for one in figures:
        told: Facet = {"nullCount": one.nulls, "distinctCount": one.distinct, "count": one.rows - one.nulls}
        quantiles = {name: value for name, value in one.quantiles.items() if math.isfinite(value)}
        if quantiles:
            told["quantiles"] = quantiles
        columns[one.name] = told
    if not columns and rows is None:
        return None
    return _facet("DataQualityMetricsDatasetFacet", rowCount=rows, columnMetrics=columns)
