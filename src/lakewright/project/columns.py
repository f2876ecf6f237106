"""Follow the names of columns through a dataset's steps, as far as names alone can tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lakewright.errors import nearest
from lakewright.project.locate import Key
from lakewright.spec.dataset import DatasetFile
from lakewright.spec.steps import (
    Aggregate,
    Cast,
    DateParts,
    Deduplicate,
    Derive,
    Drop,
    DropNulls,
    FillNulls,
    Flatten,
    MapValues,
    NormalizeText,
    PythonStep,
    Rename,
    Select,
    StandardizeNames,
    Step,
    Unnest,
)

__all__ = ["Columns", "Wrong", "after_steps"]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A step names a column that it cannot have; ``keys`` lead to it inside the step."""

    step: int
    message: str
    keys: tuple[Key, ...]


@dataclass(slots=True)
class Columns:
    """The columns at some point: ``names`` (lower case → as written), None while any may be there.

    ``gone`` says of columns that were there why they no longer are.
    """

    names: dict[str, str] | None = None
    gone: dict[str, str] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)

    def _add(self, name: str) -> None:
        self.gone.pop(name.lower(), None)
        if self.names is not None:
            self.names[name.lower()] = name

    def _remove(self, name: str, why: str) -> None:
        self.gone[name.lower()] = why
        if self.names is not None:
            self.names.pop(name.lower(), None)

    def _only(self, names: Iterable[str]) -> None:
        self.names = {name.lower(): name for name in names}
        self.gone.clear()

    def _need(self, step: int, name: str, keys: tuple[Key, ...]) -> None:
        lower = name.lower()
        if lower in self.gone:
            message = f"the column {name!r} is no longer there: {self.gone[lower]}"
        elif self.names is not None and lower not in self.names and not name.startswith("_"):
            message = f"there is no column {name!r} at this step{nearest(name, self.names.values())}"
        else:
            return
        self.wrong.append(Wrong(step, message, keys))


def after_steps(file: DatasetFile) -> Columns:
    """The columns that *file*'s steps leave; nothing is known about what they start from."""
    columns = Columns()
    for index, step in enumerate(file.steps):
        for name, keys in _needs(step):
            columns._need(index, name, keys)
        _apply(columns, index, step)
    return columns


def _needs(step: Step) -> list[tuple[str, tuple[Key, ...]]]:
    """The columns that a step reads by name, with their places; SQL expressions are the plan's."""
    place = step.name
    match step:
        case Rename() | Cast() | FillNulls():
            return [(name, (place, name)) for name in step.columns]
        case Select() | Drop() | DropNulls() | Flatten() | NormalizeText():
            return [(name, (place, name)) for name in step.columns]
        case DateParts() | MapValues() | Unnest():
            return [(step.column, (place, "column"))]
        case Deduplicate():
            latest = [(step.latest_by, (place, "latest_by"))] if step.latest_by else []
            return [*((name, (place, "keys", name)) for name in step.keys), *latest]
        case _:
            return []


def _apply(columns: Columns, index: int, step: Step) -> None:
    number = f"step {index + 1}"
    match step:
        case Rename():
            for old, new in step.columns.items():
                columns._remove(old, f"{number} renames it to {new!r}")
            for new in step.columns.values():
                columns._add(new)
        case Select():
            columns._only(step.columns)
        case Drop():
            for name in step.columns:
                columns._remove(name, f"{number} drops it")
        case Derive():
            for name in step.columns:
                columns._add(name)
        case DateParts():
            for part in step.parts:
                columns._add(f"{step.column if step.prefix is None else step.prefix}_{part}")
        case Aggregate():
            columns._only((*step.by, *step.columns))
        case Flatten():
            columns.names = None
            for name in step.columns:
                columns.gone[name.lower()] = f"{number} flattens it"
        case StandardizeNames() | PythonStep() | Unnest():
            # Names change in ways that are not seen here.
            columns.names = None
            columns.gone.clear()
        case _:
            pass
