"""Judge how people are found in the data: that datasets and columns exist, and can tell one from another."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lakewright.errors import nearest
from lakewright.project.check_dataset import Found, known_columns
from lakewright.project.locate import Key
from lakewright.spec.mask import Hash, Token
from lakewright.spec.project import Project
from lakewright.spec.subject import Subject

__all__ = ["subject_problems"]


def subject_problems(project: Project, known: Collection[str]) -> Iterator[Found]:
    """Yield everything that is wrong with the project's ``subjects``: LW810 and LW321."""
    for name, subject in project.file.subjects.items():
        keys: tuple[Key, ...] = ("subjects", name)
        if subject.identifier not in {
            one for columns in subject.datasets.values() for one in columns.values()
        }:
            message = f"no column of subject {name!r} holds its identifier {subject.identifier!r}"
            yield Found(
                "LW810", message, (*keys, "identifier"), "name it under `datasets`, as column: identifier"
            )
        for id, columns in subject.datasets.items():
            place: tuple[Key, ...] = (*keys, "datasets", id)
            yield from _dataset(id, place, project, known)
            if not columns:
                yield Found(
                    "LW810", f"{id}: no column tells a {name}", place, "name one, as column: identifier"
                )
            for one in columns:
                yield from _column(id, one, (*place, one), project)
                yield from _masked(id, one, (*place, one), project)
        for id, fields in subject.redact.items():
            yield from _redact(subject, id, fields, (*keys, "redact", id), project)
        for one in subject.ignore_case:
            if one not in subject.identifiers:
                message = f"subject {name!r} has no identifier {one!r}{nearest(one, subject.identifiers)}"
                yield Found("LW810", message, (*keys, "ignore_case"))


def _dataset(id: str, keys: tuple[Key, ...], project: Project, known: Collection[str]) -> Iterator[Found]:
    if id.startswith("quarantine."):
        message = f"{id} is searched along with its dataset"
        yield Found("LW810", message, keys, "name the dataset alone")
    elif id not in known:
        yield Found("LW321", f"there is no dataset {id!r}{nearest(id, known)}", keys)


def _column(id: str, column: str, keys: tuple[Key, ...], project: Project) -> Iterator[Found]:
    dataset = project.datasets.get(id)
    names = known_columns(dataset) if dataset is not None else None
    if names is None or column.lower() in names or column.startswith("_"):
        return
    yield Found("LW810", f"{id} has no column {column!r}{nearest(column, names.values())}", keys)


def _masked(id: str, column: str, keys: tuple[Key, ...], project: Project) -> Iterator[Found]:
    dataset = project.datasets.get(id)
    masks = {name.lower(): mask for name, mask in dataset.masks.items()} if dataset is not None else {}
    mask = masks.get(column.lower())
    if mask is not None and not isinstance(mask, Hash | Token):
        message = f"{id}.{column} is masked by {mask.name}, after which people are not told apart"
        yield Found("LW810", message, keys, "name a column that is clear, or masked by hash or token")


def _redact(
    subject: Subject, id: str, fields: tuple[str, ...], keys: tuple[Key, ...], project: Project
) -> Iterator[Found]:
    if id not in subject.datasets:
        message = f"{id} is not one of the subject's datasets{nearest(id, subject.datasets)}"
        yield Found(
            "LW810", message, keys, "name it under `datasets` too, with the columns that tell the person"
        )
        return
    if id.startswith("raw."):
        message = f"{id} holds files as they came: records are cut out of them, not changed"
        yield Found("LW810", message, keys, "leave it out of `redact`")
        return
    dataset = project.datasets.get(id)
    required = (
        {name.lower() for name, one in dataset.file.columns.items() if one.required or one.key}
        if dataset is not None
        else set()
    )
    members = (
        set(dataset.file.fact.dimensions) if dataset is not None and dataset.file.fact is not None else set()
    )
    for name in fields:
        yield from _column(id, name, keys, project)
        if name.lower() in required and name not in members:
            message = f"{id}.{name} must have a value: it cannot be taken away"
            yield Found(
                "LW810", message, keys, "leave the column out, or delete the rows: leave the dataset out"
            )
