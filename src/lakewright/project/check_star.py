"""Judge dimensions and facts: keys, write modes, and that a fact's look-ups fit their dimensions."""

from __future__ import annotations

from collections.abc import Iterator

from lakewright.errors import nearest
from lakewright.project.check_dataset import Found, known_columns
from lakewright.spec.dataset import Dataset
from lakewright.spec.project import Project
from lakewright.spec.star import Lookup

__all__ = ["star_problems"]

_MODES = ("merge", "scd2", "replace")


def star_problems(dataset: Dataset, project: Project) -> Iterator[Found]:
    """Yield everything that is wrong with the part of *dataset* in a star schema."""
    if dataset.file.dimension is not None:
        yield from _dimension(dataset)
        yield from _places(dataset, project)
    if dataset.file.fact is not None:
        for name, one in dataset.file.fact.lookups.items():
            yield from _lookup(dataset, name, one, project)


def _dimension(dataset: Dataset) -> Iterator[Found]:
    file, key = dataset.file, dataset.surrogate_key
    assert file.dimension is not None
    days = file.dimension.date is not None
    made = file.dimension.generated
    mode = file.write.mode
    if made and mode not in (None, "replace"):
        what = "days" if days else "places"
        yield Found("LW127", f"a dimension of {what} is always made as a whole", ("write", "mode"))
    elif mode is not None and mode not in _MODES:
        yield Found(
            "LW127",
            f"a dimension cannot be written by {mode}: its members would lose their keys, or have two rows",
            ("write", "mode"),
            "use merge (type 1), scd2 (type 2) or replace",
        )
    if not dataset.natural_keys:
        yield Found(
            "LW127",
            "a dimension needs to know which rows are the same member",
            ("dimension",),
            "mark the columns of its natural key with `key: true`",
        )
    taken = {name.lower() for name in file.columns}
    if key is not None and not days and key.lower() in taken:
        yield Found(
            "LW123",
            f"the dimension adds the column {key!r} itself",
            ("columns", key),
            "rename it, or give the surrogate key another name as `dimension.key`",
        )
    if "is_inferred" in taken:
        yield Found("LW123", "a dimension adds the column 'is_inferred' itself", ("columns", "is_inferred"))
    known = known_columns(dataset)
    for place in ("unknown", "not_applicable"):
        for name in getattr(file.dimension, place):
            if known is not None and name.lower() not in known:
                message = f"{dataset.id} has no column {name!r}{nearest(name, known.values())}"
                yield Found("LW128", message, ("dimension", place, name))


def _places(dataset: Dataset, project: Project) -> Iterator[Found]:
    """The columns of a dimension of places are those of the dataset that mentions them."""
    location = dataset.file.dimension.location if dataset.file.dimension else None
    other = project.datasets.get(location.from_ or "") if location else None
    known = known_columns(other) if other is not None else None
    if location is None or known is None:
        return
    for name in location.keys:
        column = getattr(location, name)
        if column.lower() not in known:
            message = f"{location.from_} has no column {column!r}{nearest(column, known.values())}"
            yield Found("LW128", message, ("dimension", "location", name))


def _lookup(dataset: Dataset, name: str, one: Lookup, project: Project) -> Iterator[Found]:
    file = dataset.file
    keys = ("fact", "dimensions", name)
    assert file.fact is not None
    if name.lower() in {column.lower() for column in file.columns}:
        yield Found("LW123", f"the fact adds the column {name!r} itself", keys, "rename one of the two")
    other = project.datasets.get(one.dimension)
    if other is None:
        return  # said where references are judged
    if other.file.dimension is None:
        yield Found(
            "LW127",
            f"{one.dimension} is no dimension",
            keys,
            f"add `dimension: {{}}` to {other.path}",
        )
        return
    natural = other.natural_keys
    for column, target in one.on.items():
        if target.lower() not in {key.lower() for key in natural}:
            message = f"{target!r} is no natural key of {one.dimension}{nearest(target, natural)}"
            yield Found("LW127", message, (*keys, "on", column), f"its natural key is {', '.join(natural)}")
    missing = [key for key in natural if one.on and key not in one.on.values()]
    if missing:
        yield Found("LW127", f"`on` says nothing of {missing[0]!r}, a natural key of {one.dimension}", keys)
    known = known_columns(dataset)
    for column in one.columns(natural).values():
        if known is not None and column.lower() not in known:
            message = f"{dataset.id} has no column {column!r} to look up {one.dimension} by"
            remedy = "name the column under `on`: {own column: natural key}"
            yield Found("LW128", f"{message}{nearest(column, known.values())}", keys, remedy)
    if other.file.write.mode == "scd2" and not (one.at or file.fact.at):
        yield Found(
            "LW127",
            f"{one.dimension} has versions, and nothing says the time for which one is looked up",
            keys,
            "add `at: <column with the time of the event>` to `fact`",
        )
