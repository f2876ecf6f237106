"""What a role may read, once its `extends` are followed: datasets, columns by classification, conditions on rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from lakewright.spec.access import EVERYTHING, UNCLASSIFIED, Access
from lakewright.spec.mask import Mask, Null
from lakewright.spec.project import ProjectFile
from lakewright.sql.names import QUARANTINE_ZONE

__all__ = ["CLOSED", "UNGOVERNED", "Rights", "Treatment", "circle", "rights"]

#: Zones that no role reads: bookkeeping of the lake and of runs.
CLOSED = frozenset({"lakewright", "ops"})

#: Zones whose columns have no classification: files as they came, and rows that were refused.
UNGOVERNED = frozenset({"raw", QUARANTINE_ZONE})

#: What a role sees of a column: all of it, nothing, or what a mask makes of it.
Treatment = Literal["clear", "hidden"] | Mask


@dataclass(frozen=True, slots=True)
class Rights:
    """What *role* may read. ``clear`` and ``masks`` hold classifications in lower case, ``rows`` conditions by pattern.

    Zones that are ``closed`` to it are not read, whatever ``zones`` and ``datasets`` say.
    """

    role: str
    zones: frozenset[str] = frozenset()
    datasets: tuple[str, ...] = ()
    clear: frozenset[str] = frozenset()
    masks: Mapping[str, Mask] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)
    closed: frozenset[str] = CLOSED

    @property
    def every_column(self) -> bool:
        """Whether it sees every column as it is."""
        return EVERYTHING in self.clear and not self.masks

    def reads(self, id: str) -> bool:
        """Whether it may read the dataset *id* at all."""
        zone = id.partition(".")[0]
        if zone in self.closed or (zone in UNGOVERNED and not self.every_column):
            return False
        return zone in self.zones or any(fnmatchcase(id, one) for one in self.datasets)

    def conditions(self, id: str) -> dict[str, str]:
        """Return the conditions that rows of *id* must meet, by the pattern that brings each."""
        return {pattern: text for pattern, text in self.rows.items() if fnmatchcase(id, pattern)}

    def treatment(self, classes: Iterable[str]) -> Treatment:
        """Return what it sees of a column that belongs to *classes*, none for one without classification.

        The strictest counts: one class that it may not see hides the column, and under two
        different masks nothing is left of a value.
        """
        found: list[Treatment] = [self._one(one.lower()) for one in classes] or [self._one(UNCLASSIFIED)]
        if "hidden" in found:
            return "hidden"
        masks = [one for one in found if isinstance(one, Mask)]
        if not masks:
            return "clear"
        return masks[0] if all(one == masks[0] for one in masks) else Null()

    def _one(self, name: str) -> Treatment:
        if name in self.masks:
            return self.masks[name]
        return "clear" if name in self.clear or EVERYTHING in self.clear else "hidden"


def rights(project: ProjectFile, role: str) -> Rights:
    """Return what *role* may read in a project with ``access``, whose zones may have ``readers``.

    *role* is one of its roles, whose ``extends`` name roles that exist and run in no circle.
    """
    assert project.access is not None
    others = {name for name, zone in project.zones.items() if zone.readers and role not in zone.readers}
    return replace(_given(project.access, role), closed=CLOSED | others)


def _given(access: Access, role: str) -> Rights:
    """What *role* and the roles that it extends say; its own words win."""
    own = access.roles[role]
    above = [_given(access, one) for one in own.extends]
    clear = {name for one in above for name in one.clear}
    masks = {name: mask for one in above for name, mask in one.masks.items() if name not in clear}
    listed = own.columns
    if listed is None:
        listed = () if above else (UNCLASSIFIED,)
    for name, mask in own.masks.items():
        masks[name.lower()] = mask
        clear.discard(name.lower())
    for name in listed:
        clear.add(name.lower())
        masks.pop(name.lower(), None)
    return Rights(
        role,
        frozenset(own.zones).union(*(one.zones for one in above)),
        tuple(dict.fromkeys([*own.datasets, *(pattern for one in above for pattern in one.datasets)])),
        frozenset(clear),
        masks,
        {**{pattern: text for one in above for pattern, text in one.rows.items()}, **own.rows},
    )


def circle(access: Access, role: str) -> tuple[str, ...]:
    """Return the roles through which *role* extends itself, () when it does not; unknown ones end the way."""
    ways: list[tuple[str, ...]] = [(role,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for one in access.roles[way[-1]].extends if way[-1] in access.roles else ():
            if one == role:
                return (*way, role)
            if one not in seen:
                seen.add(one)
                ways.append((*way, one))
    return ()
