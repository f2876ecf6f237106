"""Find which columns of drafted tables point to which tables, without ever going round in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lakewright.project.draft_guess import (
    INTEGER,
    KEY_NAME,
    KEY_TYPES,
    DraftColumn,
    DraftTable,
    base_name,
)

__all__ = ["Reference", "links_of"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A column whose values are keys of another table; ``seen`` when the data was looked at.

    A reference makes its table wait for the other one; with a ``circular`` one, tables would wait for each other.
    """

    column: str
    table: str
    key: str
    seen: bool
    circular: bool = False


def links_of(tables: Sequence[DraftTable], keys: Mapping[str, tuple[str, ...]]) -> dict[str, list[Reference]]:
    """Return the references of each table: those seen in the data, then those whose names say so."""
    targets = _targets(tables, keys)
    found = {table.name: _references(table, targets, keys) for table in tables}
    waits: dict[str, set[str]] = {name: set() for name in found}
    circular: set[tuple[str, str]] = set()
    # what the data shows comes first, so that a mere name is what gives way
    every = ((name, one) for name, links in found.items() for one in links)
    for name, one in sorted(every, key=lambda pair: not pair[1].seen):
        if _reaches(one.table, name, waits):
            circular.add((name, one.column))
        else:
            waits[name].add(one.table)
    return {
        name: [replace(one, circular=(name, one.column) in circular) for one in links]
        for name, links in found.items()
    }


def _targets(
    tables: Sequence[DraftTable], keys: Mapping[str, tuple[str, ...]]
) -> dict[str, list[tuple[str, DraftColumn]]]:
    """By the name that a column pointing there would have: tables with the column that is their key."""
    result: dict[str, list[tuple[str, DraftColumn]]] = {}
    for table in tables:
        key = keys.get(table.name, ())
        if len(key) != 1:
            continue
        column = next(one for one in table.columns if one.name == key[0])
        own = f"{base_name(table.name)}_id"
        names = {own} if key[0] in ("id", own) else set()
        if key[0] != "id" and KEY_NAME.match(key[0]):
            names.add(key[0])
        for name in names:
            result.setdefault(name, []).append((table.name, column))
    return result


def _references(
    table: DraftTable,
    targets: Mapping[str, Sequence[tuple[str, DraftColumn]]],
    keys: Mapping[str, tuple[str, ...]],
) -> list[Reference]:
    result: list[Reference] = []
    for column in table.columns:
        seen = table.references.get(column.name)
        if seen is not None:
            other, _, key = seen.partition(".")
            result.append(Reference(column.name, other, key, True))
            continue
        if keys.get(table.name) == (column.name,) or not KEY_TYPES.match(column.type):
            continue
        whole = bool(INTEGER.match(column.type))
        found = [
            (name, target)
            for name, target in targets.get(column.name, ())
            if name != table.name and bool(INTEGER.match(target.type)) == whole
        ]
        if len(found) == 1:
            result.append(Reference(column.name, found[0][0], found[0][1].name, False))
    return result


def _reaches(start: str, goal: str, waits: Mapping[str, set[str]]) -> bool:
    todo, done = [start], set()
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in done:
            done.add(name)
            todo += waits.get(name, ())
    return False
