"""Schemas of datasets over time: versions, what changed between two, and whether that is compatible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from lakewright.catalog.types import canonical, common, type_changes, widens
from lakewright.errors import RunError
from lakewright.spec.base import Drift
from lakewright.spec.dataset import Column, Compatibility
from lakewright.state import State, metadata, now
from lakewright.state.types import UtcTime

__all__ = [
    "Change",
    "Compatibility",
    "Drifted",
    "Field",
    "SchemaVersion",
    "breaking",
    "check",
    "compatible",
    "diff",
    "drifted",
    "fields_of",
    "incompatible",
    "latest",
    "record",
    "schema_versions",
    "versions",
]

Kind = Literal["added", "removed", "retyped", "required", "optional", "allowed", "moved", "recased"]
Scalar = str | int | float | bool

# How `_transitive` is kept: the column was made for 16 characters, and is so in states that exist.
_EVERY = "+"

#: One row per version of a dataset's schema; version 1 is the first that was published.
schema_versions = sa.Table(
    "schema_versions",
    metadata,
    sa.Column("dataset", sa.String(255), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("changes", sa.JSON, nullable=False),
    sa.Column("compatibility", sa.String(16), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a schema: ``type`` in DuckDB's spelling; ``nullable`` unless the contract requires a value.

    ``allowed`` are the values of the contract's ``in``, None where any is; () where a version does not say.
    """

    name: str
    type: str
    nullable: bool = True
    allowed: tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between an ``old`` and a ``new`` field; the missing one is None.

    ``kind`` is ``added``, ``removed``, ``retyped``, ``required`` (null no longer allowed),
    ``optional`` (null now allowed), ``allowed`` (other values are), ``moved`` (another place) or ``recased``
    (another spelling).
    """

    kind: Kind
    column: str
    old: Field | None = None
    new: Field | None = None

    @property
    def widening(self) -> bool:
        """Whether a retyped column still holds every old value."""
        return self.old is not None and self.new is not None and widens(self.old.type, self.new.type)

    def __str__(self) -> str:
        match self.kind:
            case "added":
                assert self.new is not None
                return f"{self.column} is new ({self.new.type}{'' if self.new.nullable else ', required'})"
            case "removed":
                return f"{self.column} is gone"
            case "retyped":
                assert self.old is not None and self.new is not None
                how = (
                    "widened"
                    if self.widening
                    else "narrowed"
                    if widens(self.new.type, self.old.type)
                    else "changed"
                )
                inner = type_changes(self.old.type, self.new.type)
                parts = f" ({'; '.join(inner)})" if inner else ""
                return f"{self.column} {how} from {self.old.type} to {self.new.type}{parts}"
            case "required":
                return f"{self.column} must now have a value"
            case "optional":
                return f"{self.column} may now be null"
            case "allowed":
                assert self.old is not None and self.new is not None
                return f"{self.column} {_allowed_words(self.old.allowed, self.new.allowed)}"
            case "moved":
                return f"{self.column} stands in another place"
            case _:
                return f"{self.old.name if self.old else ''} is now spelled {self.column}"


def _allowed_words(old: tuple[Scalar, ...] | None, new: tuple[Scalar, ...] | None) -> str:
    if new is None:
        return "now allows any value"
    if old is None:
        return f"now allows only {', '.join(map(str, new))}"
    more, less = [one for one in new if one not in old], [one for one in old if one not in new]
    words = [f"also allows {', '.join(map(str, more))}"] if more else []
    words += [f"no longer allows {', '.join(map(str, less))}"] if less else []
    return " and ".join(words)


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A version of a dataset's schema. ``changes`` are the sentences that tell what differs from the one before."""

    dataset: str
    version: int
    fields: tuple[Field, ...]
    changes: tuple[str, ...]
    compatibility: str
    run_id: str
    at: datetime
    new: bool = False


@dataclass(frozen=True, slots=True)
class Drifted:
    """What becomes of an input whose columns changed: the ``columns`` to go on with, and what was found.

    ``left_out`` are new columns that the rule keeps out; ``missing`` ones are filled with null.
    """

    columns: Mapping[str, str]
    changes: tuple[Change, ...]
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def fields_of(columns: Mapping[str, str], contract: Mapping[str, Column] | None = None) -> tuple[Field, ...]:
    """Return the schema of a table with *columns*, leaving out hidden ones; *contract* says what is required."""
    rules = {name.lower(): rule for name, rule in (contract or {}).items()}
    unruled = Column()
    return tuple(
        Field(name, type, not (rule.required or rule.key), rule.in_)
        for name, type in columns.items()
        if not name.startswith("_")
        for rule in (rules.get(name.lower(), unruled),)
    )


def diff(old: Sequence[Field], new: Sequence[Field]) -> tuple[Change, ...]:
    """Return what changed from *old* to *new*, in the order of *new*, removals last. Names match in any case."""
    before = {field.name.lower(): field for field in old}
    after = {field.name.lower(): field for field in new}
    found: list[Change] = []
    for low, field in after.items():
        was = before.get(low)
        if was is None:
            found.append(Change("added", field.name, None, field))
            continue
        if was.name != field.name:
            found.append(Change("recased", field.name, was, field))
        if canonical(was.type) != canonical(field.type):
            found.append(Change("retyped", field.name, was, field))
        if was.nullable != field.nullable:
            found.append(Change("optional" if field.nullable else "required", field.name, was, field))
        if () not in (was.allowed, field.allowed) and _set(was.allowed) != _set(field.allowed):
            found.append(Change("allowed", field.name, was, field))
    found += [
        Change("moved", after[low].name, before[low], after[low]) for low in _moved(list(before), list(after))
    ]
    found += [Change("removed", field.name, field, None) for low, field in before.items() if low not in after]
    return tuple(found)


def _set(allowed: tuple[Scalar, ...] | None) -> frozenset[Scalar] | None:
    return None if allowed is None else frozenset(allowed)


def _moved(old: list[str], new: list[str]) -> list[str]:
    """The fewest names that have to be moved to turn one order of the shared names into the other."""
    place = {name: number for number, name in enumerate(one for one in old if one in set(new))}
    shared = [name for name in new if name in place]
    # the longest run of names that are still in order stays where it is
    best: list[tuple[int, int]] = []
    for number, name in enumerate(shared):
        length, before = 1, -1
        for earlier in range(number):
            if place[shared[earlier]] < place[name] and best[earlier][0] + 1 > length:
                length, before = best[earlier][0] + 1, earlier
        best.append((length, before))
    kept: set[str] = set()
    at = max(range(len(best)), key=lambda one: best[one][0], default=-1)
    while at >= 0:
        kept.add(shared[at])
        at = best[at][1]
    return [name for name in shared if name not in kept]


def breaking(mode: Compatibility, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return those of *changes* that the compatibility *mode* does not allow, as in schema registries.

    ``backward``: who knows the new schema can read old data, so new columns must allow null, types
    and sets of allowed values may only widen and null may not become forbidden. ``forward``: who knows
    the old schema can read new data, so removed columns must have allowed null, types and sets may only
    narrow and null may not become allowed. ``full`` is both, ``none`` allows all. The ``_transitive``
    forms judge a change in the same way; they ask for it against every version, see :func:`check`.
    """
    base = mode.removesuffix("_transitive")
    return tuple(
        change
        for change in changes
        if (base in ("backward", "full") and not _backward(change))
        or (base in ("forward", "full") and not _backward(_reversed(change)))
    )


def compatible(mode: Compatibility, changes: Iterable[Change]) -> bool:
    """Whether all of *changes* are allowed by *mode*."""
    return not breaking(mode, changes)


def _backward(change: Change) -> bool:
    match change.kind:
        case "added":
            return change.new is not None and change.new.nullable
        case "retyped":
            return change.widening
        case "required":
            return False
        case "allowed":
            old = change.old.allowed if change.old else None
            new = change.new.allowed if change.new else None
            return new is None or (old is not None and set(old) <= set(new))
        case _:
            return True


_OPPOSITE: dict[Kind, Kind] = {
    "added": "removed",
    "removed": "added",
    "required": "optional",
    "optional": "required",
}


def _reversed(change: Change) -> Change:
    return Change(_OPPOSITE.get(change.kind, change.kind), change.column, change.new, change.old)


# --- versions ----------------------------------------------------------------------------------


def latest(state: State, dataset: str) -> SchemaVersion | None:
    """Return the newest version of *dataset*'s schema, None when it was never recorded."""
    found = versions(state, dataset, limit=1)
    return found[0] if found else None


def versions(state: State, dataset: str, limit: int | None = None) -> list[SchemaVersion]:
    """Return the versions of *dataset*'s schema, newest first."""
    query = (
        sa.select(schema_versions)
        .where(schema_versions.c.dataset == dataset)
        .order_by(schema_versions.c.version.desc())
        .limit(limit)
    )
    with state.read(schema_versions) as connection:
        return [_version(row) for row in connection.execute(query).mappings()]


def check(state: State, dataset: str, fields: Sequence[Field], mode: Compatibility) -> tuple[Change, ...]:
    """Return what would change for *dataset*; RunError LW701 when *mode* does not allow it. Writes nothing.

    The ``_transitive`` modes hold *fields* against every version, the others against the last one.
    """
    found = incompatible(state, dataset, fields, mode)
    if found is not None:
        raise RunError("LW701", found)
    before = latest(state, dataset)
    return diff(before.fields, fields) if before else ()


def incompatible(state: State, dataset: str, fields: Sequence[Field], mode: Compatibility) -> str | None:
    """Return why *fields* cannot follow the versions of *dataset* under *mode*, in words; None when they can."""
    if mode == "none":
        return None
    known = versions(state, dataset, None if mode.endswith("_transitive") else 1)
    return _refusal(dataset, mode, known, fields)


def record(
    state: State,
    dataset: str,
    fields: Sequence[Field],
    *,
    run_id: str,
    mode: Compatibility = "none",
    at: datetime | None = None,
) -> SchemaVersion:
    """Keep *fields* as the newest version of *dataset*'s schema, unless they are what it already is.

    ``new`` of the result tells which. RunError LW701 when *mode* does not allow the change; nothing
    is kept then. Recording the same schema again changes nothing.
    """
    with state.begin(schema_versions) as connection:
        query = (
            sa.select(schema_versions)
            .where(schema_versions.c.dataset == dataset)
            .order_by(schema_versions.c.version.desc())
            .limit(None if mode.endswith("_transitive") else 1)
        )
        known = [_version(row) for row in connection.execute(query).mappings()]
        before = known[0] if known else None
        changes = diff(before.fields, fields) if before else ()
        if before is not None and not changes:
            return before
        refused = _refusal(dataset, mode, known, fields)
        if refused is not None:
            raise RunError("LW701", refused)
        result = SchemaVersion(
            dataset,
            before.version + 1 if before else 1,
            tuple(fields),
            tuple(map(str, changes)),
            mode,
            run_id,
            at or now(),
            new=True,
        )
        connection.execute(
            schema_versions.insert().values(
                dataset=dataset,
                version=result.version,
                columns=[
                    {"name": f.name, "type": f.type, "nullable": f.nullable, "allowed": f.allowed}
                    for f in fields
                ],
                changes=list(result.changes),
                compatibility=mode.replace("_transitive", _EVERY),
                run_id=run_id,
                at=result.at,
            )
        )
    return result


def _version(row: sa.RowMapping) -> SchemaVersion:
    fields = tuple(Field(one["name"], one["type"], one["nullable"], _allowed(one)) for one in row["columns"])
    return SchemaVersion(
        row["dataset"],
        row["version"],
        fields,
        tuple(row["changes"]),
        row["compatibility"].replace(_EVERY, "_transitive"),
        row["run_id"],
        row["at"],
    )


def _allowed(column: Mapping[str, Any]) -> tuple[Scalar, ...] | None:
    # versions of before do not say
    values = column.get("allowed", ())
    return None if values is None else tuple(values)


def _refusal(
    dataset: str, mode: Compatibility, known: Sequence[SchemaVersion], fields: Sequence[Field]
) -> str | None:
    """Say which of the *known* versions, newest first, *fields* may not follow and why."""
    for version in known:
        if wrong := breaking(mode, diff(version.fields, fields)):
            words = "; ".join(map(str, wrong))
            base = mode.replace("_transitive", "")
            beside = f" with version {version.version}" if mode != base else ""
            return f"{dataset}: the new schema is not {base} compatible{beside}: {words}"
    return None


# --- drift -------------------------------------------------------------------------------------


def drifted(dataset: str, known: Mapping[str, str], found: Mapping[str, str], rule: Drift) -> Drifted:
    """Decide what becomes of an input that had the columns *known* and now has *found*.

    ``evolve`` goes on with all columns of both, a retyped one with the type that holds both;
    ``ignore`` goes on with the known ones as they were (new ones are left out, missing ones are
    null); ``fail`` raises RunError LW702. Order and spelling alone are no drift.
    """
    changes = tuple(
        change
        for change in diff(fields_of(known), fields_of(found))
        if change.kind not in ("moved", "recased")
    )
    if changes and rule == "fail":
        raise RunError("LW702", f"{dataset}: the columns changed: {'; '.join(map(str, changes))}")
    have = {name.lower(): type for name, type in found.items()}
    missing = tuple(name for name in known if name.lower() not in have and not name.startswith("_"))
    old = {name.lower() for name in known}
    extra = {name: type for name, type in found.items() if name.lower() not in old}
    if rule == "ignore":
        return Drifted(dict(known), changes, tuple(extra), missing)
    columns = {
        name: common(type, have[name.lower()])
        if name.lower() in have and have[name.lower()] and type
        else type
        for name, type in known.items()
    }
    return Drifted(columns | extra, changes, (), missing)
