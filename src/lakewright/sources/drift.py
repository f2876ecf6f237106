"""Columns of a raw dataset over time: unite the files' columns, notice drift, apply the rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from lakewright.errors import RunError
from lakewright.sources.manifest import Field, RawFile
from lakewright.sources.types import unite
from lakewright.spec.sources import RawDataset

__all__ = ["Drift", "drift", "refuse", "schema_of"]


@dataclass(frozen=True, slots=True)
class Drift:
    """A column of *file* that differs from what the dataset had before: new, missing or of another type."""

    file: str
    kind: Literal["new", "missing", "retyped"]
    column: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        if self.kind == "retyped":
            return f"{self.file}: column {self.column!r} was {self.before}, is {self.after}"
        return f"{self.file}: column {self.column!r} is {self.kind}"


def schema_of(
    files: Iterable[RawFile], dataset: RawDataset, cursor: duckdb.DuckDBPyConnection
) -> dict[str, str]:
    """Return the columns of a raw dataset, name → DuckDB type, united over *files* in their order.

    Declared columns, or else those of the first file, come first. With ``on_drift: ignore`` there are no others.
    Names that differ by case only are one column.
    """
    schema = dict.fromkeys(dataset.columns, "")
    names = {name.lower(): name for name in schema}
    started = bool(schema)
    seen: set[tuple[Field, ...]] = set()
    for part in (part for file in files for part in file.parts):
        if part.columns in seen or not part.columns:
            continue
        seen.add(part.columns)
        for field in part.columns:
            name = names.get(field.name.lower())
            if name is None:
                if started and dataset.on_drift == "ignore":
                    continue
                name = names[field.name.lower()] = field.name
                schema[name] = field.type
            else:
                schema[name] = unite(schema[name], field.type, cursor) if schema[name] else field.type
        started = True
    return {name: "VARCHAR" if kind in ("", "NULL") else kind for name, kind in schema.items()}


def drift(
    known: Mapping[str, str], files: Sequence[RawFile], cursor: duckdb.DuckDBPyConnection
) -> list[Drift]:
    """Return how the columns of *files* differ from the *known* ones, or from the first file's when there are none."""
    before = dict(known)
    found: list[Drift] = []
    seen: dict[tuple[Field, ...], list[Drift]] = {}
    for file in files:
        for part in file.parts:
            if not part.columns:
                continue
            if not before:
                before = {field.name: field.type for field in part.columns}
                continue
            if part.columns not in seen:
                seen[part.columns] = _differences(before, part.columns, cursor)
            name = f"{file.path}/{part.member}" if part.member else file.path
            found += [Drift(name, one.kind, one.column, one.before, one.after) for one in seen[part.columns]]
    return found


def refuse(dataset_id: str, found: Sequence[Drift]) -> RunError:
    """Return the error for drift that the dataset's rule forbids."""
    files = list(dict.fromkeys(one.file for one in found))
    return RunError(
        "LW203",
        f"{dataset_id}: columns changed in {len(files)} {'file' if len(files) == 1 else 'files'}, "
        f"and on_drift is fail; nothing was taken",
        tried=[str(one) for one in found[:20]],
    )


def _differences(
    before: Mapping[str, str], columns: Sequence[Field], cursor: duckdb.DuckDBPyConnection
) -> list[Drift]:
    names = {name.lower(): name for name in before}
    here = {field.name.lower(): field for field in columns}
    found = [
        Drift("", "new", field.name, after=field.type) for key, field in here.items() if key not in names
    ]
    found += [
        Drift("", "missing", name, before=before[name]) for key, name in names.items() if key not in here
    ]
    for key, field in here.items():
        old = before.get(names.get(key, ""), "")
        # A narrower type that fits into the known one is no change.
        if (
            old not in ("", "NULL")
            and field.type not in (old, "NULL")
            and unite(old, field.type, cursor) != old
        ):
            found.append(Drift("", "retyped", field.name, old, field.type))
    return found
