"""Whether what the files say of columns may follow what was published, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from lakewright.app.platform import Platform
from lakewright.catalog.schemas import Field, SchemaVersion, fields_of, incompatible, latest
from lakewright.errors import LakewrightError, Problem
from lakewright.plan.check_columns import known_outputs
from lakewright.project.locate import locations
from lakewright.spec.dataset import Dataset
from lakewright.sql.query_relation import Relation

__all__ = ["incompatibilities"]


def incompatibilities(platform: Platform, ids: Iterable[str] | None = None) -> dict[str, Problem]:
    """Return, by id, why the columns of datasets (all by default) may not follow their published versions (LW701).

    Datasets without ``compatibility`` or without a version are fine. What the files leave open (the
    columns of a CSV, the types of a query) counts as unchanged; the run looks at what really comes.
    """
    datasets = platform.project.datasets
    asked = [
        datasets[id]
        for id in (datasets if ids is None else ids)
        if id in datasets and datasets[id].file.compatibility != "none"
    ]
    if not asked or not _has_state(platform):
        return {}
    found: dict[str, Problem] = {}
    outputs: dict[str, Relation] | None = None
    places = locations(platform.project.root)
    for one in asked:
        version = latest(platform.state, one.id)
        if version is None:
            continue
        outputs = known_outputs(platform.project) if outputs is None else outputs
        fields = _expected(one, outputs[one.id], version)
        words = incompatible(platform.state, one.id, fields, one.file.compatibility)
        if words is not None:
            where = places.where(one.path, ("compatibility",))
            found[one.id] = Problem("LW701", words, where)
    return found


def _has_state(platform: Platform) -> bool:
    """Whether anything can have been published: looking must not make a state database."""
    path = platform.project.file.state.removeprefix("sqlite:")
    if path == platform.project.file.state:
        try:
            return bool(platform.state.name)
        except LakewrightError:
            return False
    return (platform.root / path).is_file()


def _expected(dataset: Dataset, relation: Relation, version: SchemaVersion) -> tuple[Field, ...]:
    """The fields that the next build gives, as far as the files tell; the rest as it was."""
    before = {field.name.lower(): field for field in version.fields}
    declared = {name.lower(): column.type for name, column in dataset.file.columns.items() if column.type}
    columns: dict[str, str] = {}
    for one in relation.visible():
        old = before.get(one.name.lower())
        columns[one.name] = declared.get(one.name.lower()) or one.type or (old.type if old else "")
    listed = {name.lower() for name in columns}
    for field in version.fields:
        if field.name.lower() not in listed and relation.may_have(field.name):
            columns[field.name] = field.type
    # a column that is new and whose type nobody knows yet is judged when it is built
    known = {name: kind.upper() for name, kind in columns.items() if kind}
    return fields_of(known, dataset.file.columns)
