"""Read a contract of the Open Data Contract Standard 3.0 or 3.1: its objects as columns and expectations.

Source: the standard's JSON Schemas and field documentation, versions 3.0.0 to 3.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec
from yaml.nodes import MappingNode

from lakewright.errors import Problem
from lakewright.project.contracts.nodes import Entry, Notes
from lakewright.project.contracts.options import options_of
from lakewright.project.contracts.quality import Subject, quality_of
from lakewright.project.contracts.types import PEOPLE, type_of
from lakewright.project.document import parse
from lakewright.project.rules import partition_column
from lakewright.spec.dataset import Column
from lakewright.spec.durations import parse_duration
from lakewright.spec.expectations import Expectation, Fresh, References

__all__ = ["OWN", "Contract", "ContractObject", "read_contract"]

#: Prefix of the custom properties that hold what the standard has no field for.
OWN = "lakewright."

_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0")
_IDENTITY = ("id", "version", "status", "name", "domain", "tenant", "dataProduct")
_OBJECT_PEOPLE = (
    "id", "businessName", "authoritativeDefinitions", "dataGranularityDescription", "physicalType", "logicalType",
)  # fmt: skip
_UNITS = {
    "": "d", "d": "d", "day": "d", "days": "d", "y": "y", "yr": "y", "year": "y", "years": "y", "w": "w", "week": "w",
    "weeks": "w", "h": "h", "hr": "h", "hour": "h", "hours": "h", "min": "min", "minute": "min", "minutes": "min",
    "s": "s", "second": "s", "seconds": "s",
}  # fmt: skip


@dataclass(slots=True)
class ContractObject:
    """One object of a contract: what a dataset takes from it, with the lines where it stands."""

    name: str
    physical_name: str
    line: int
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    retention: str | None = None
    columns: dict[str, Column] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    expectations: list[tuple[Expectation, int]] = field(default_factory=list)
    partition_by: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    notes: Notes = field(default_factory=lambda: Notes(""))


@dataclass(slots=True)
class Contract:
    """A contract: its objects by name, what it says about itself, ``notes`` and ``problems``."""

    path: str
    objects: dict[str, ContractObject] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=dict)
    notes: Notes = field(default_factory=lambda: Notes(""))

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the file."""
        return self.notes.problems


def read_contract(data: bytes, path: str, known: Collection[str] = ()) -> Contract:
    """Read the bytes of a contract; *path* names the file, *known* are the ids of the project's datasets.

    What has no counterpart is noted, what cannot be read is a problem: LW102, LW103, LW104, LW110, LW114.
    """
    contract = Contract(path, notes=Notes(path))
    document = parse(data, path)
    if isinstance(document, Problem):
        contract.notes.problems.append(document)
        return contract
    if not isinstance(document.root, MappingNode):
        contract.notes.refuse(1, "this is no data contract: it has no apiVersion, kind and schema")
        return contract
    root = Entry(document.root, contract.notes)
    if not _is_contract(root):
        return contract
    contract.identity = {key: text for key in _IDENTITY if (text := root.text(key))}
    description = _described(root, contract)
    owner, tags = _owner(root), root.texts("tags")
    for entry in root.entries("schema"):
        # a dataset takes one object, and is told what that one has no counterpart for
        entry.notes = Notes(path, problems=contract.problems)
        found = _object(entry, known)
        if found.name in contract.objects:
            contract.notes.refuse(entry.at("name"), f"the object {found.name!r} stands in the schema twice")
        found.description = found.description or description
        found.owner = owner
        found.tags = tuple(dict.fromkeys((*tags, *found.tags)))
        contract.objects[found.name] = found
    _agreements(root, contract)
    root.finish(
        kept=(
            "contractCreatedTs",
            "support",
            "price",
            "authoritativeDefinitions",
            "customProperties",
            "type",
        ),
        lacking=("servers", "roles"),
    )
    return contract


def _is_contract(root: Entry) -> bool:
    kind, version = root.text("kind"), root.text("apiVersion")
    if kind != "DataContract" or not version:
        message = "this is no data contract: `kind` must be DataContract and `apiVersion` say a version"
        root.notes.refuse(root.at("kind"), message)
        return False
    if version not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        root.notes.refuse(
            root.at("apiVersion"), f"apiVersion {version!r} is not supported", f"use one of: {known}"
        )
        return False
    return True


def _described(root: Entry, contract: Contract) -> str:
    if not isinstance(root.node("description"), MappingNode):
        return root.text("description")
    entry = root.entry("description")
    assert entry is not None
    for key in ("limitations", "usage"):
        if text := entry.text(key):
            contract.identity[key] = text
    purpose = entry.text("purpose")
    entry.finish(kept=("authoritativeDefinitions", "customProperties"))
    return purpose


def _owner(root: Entry) -> str:
    """The team's name, or the member whose role is owner."""
    node = root.node("team")
    if isinstance(node, MappingNode):
        team = Entry(node, root.notes)
        name, members = team.text("name"), list(team.entries("members"))
        team.finish(kept=("id", "description", "tags", "customProperties", "authoritativeDefinitions"))
    else:
        name, members = "", list(root.entries("team"))
    if members:
        root.notes.kept.setdefault("team.members", []).append(root.at("team"))
    owners = [
        one.text("username")
        for one in members
        if one.text("role").lower() == "owner" and not one.has("dateOut")
    ]
    return name or (owners[0] if owners else "")


# --- objects and properties ----------------------------------------------------------------------


def _object(entry: Entry, known: Collection[str]) -> ContractObject:
    name = entry.text("name")
    if not name:
        entry.notes.refuse(entry.line, "an object of the schema needs its `name`", code="LW105")
    found = ContractObject(name, entry.text("physicalName"), entry.line, entry.text("description"))
    found.notes = entry.notes
    found.tags = entry.texts("tags")
    for key, usual in (("logicalType", "object"), ("physicalType", "table")):
        if entry.values.get(key) is not None and entry.text(key) != usual:
            entry.known.discard(key)
    own = _own(entry)
    names = tuple(one for one in (found.physical_name, name) if one)
    keys: list[tuple[int, str]] = []
    parts: list[tuple[int, str]] = []
    for one in entry.entries("properties"):
        _property(one, found, Subject(names, None, known), keys, parts)
    _key_order(entry, keys, found)
    for one in entry.entries("quality"):
        made, _ = quality_of(one, Subject(names, None, known))
        found.expectations += [(expectation, one.line) for expectation in made]
    for one in entry.entries("relationships"):
        _relationship(one, None, found, known)
    partition = own.pop("partitionBy", None)
    if isinstance(partition, list) and all(
        isinstance(part, str) and partition_column(part) for part in partition
    ):
        found.partition_by = tuple(partition)
    else:
        found.partition_by = tuple(name for _, name in sorted(parts))
    if isinstance(retention := own.pop("retention", None), str):
        found.retention = retention
    entry.finish(kept=_OBJECT_PEOPLE)
    return found


def _own(entry: Entry) -> dict[str, Any]:
    """Return our custom properties, by name without their prefix; others are for people."""
    value = entry.value("customProperties")
    found: dict[str, Any] = {}
    for one in value if isinstance(value, list) else ():
        name = one.get("property") if isinstance(one, dict) else None
        if isinstance(name, str) and name.startswith(OWN):
            found[name.removeprefix(OWN)] = one.get("value")
        else:
            entry.notes.kept.setdefault("customProperties", []).append(entry.at("customProperties"))
    return found


def _property(
    entry: Entry,
    found: ContractObject,
    subject: Subject,
    keys: list[tuple[int, str]],
    parts: list[tuple[int, str]],
) -> None:
    name = entry.text("name")
    if not name:
        entry.notes.refuse(entry.line, "a property needs its `name`", code="LW105")
        return
    column = entry.text("physicalName") or name
    if column.startswith("_"):
        message = f"the property {column!r} starts with _, as audit columns do"
        entry.notes.refuse(entry.at("name"), message, code="LW122")
    if column in found.columns:
        entry.notes.refuse(entry.line, f"the property {column!r} stands here twice", code="LW123")
    found.names[name] = column
    subject = Subject(subject.names, column, subject.known)
    own = _own(entry)
    type_, length = (own["type"], None) if isinstance(own.get("type"), str) else type_of(entry, column)
    for key in ("logicalType", "physicalType"):
        entry.node(key)
    options = options_of(entry, column, type_)
    fields: dict[str, Any] = {
        "type": type_,
        "description": entry.text("description"),
        "key": entry.truth("primaryKey"),
        "required": entry.truth("required"),
        "unique": entry.truth("unique"),
        "classification": entry.text("classification") or None,
        "tags": entry.texts("tags"),
        "critical": entry.truth("criticalDataElement"),
        "examples": _examples(entry),
    }
    if length is not None:
        fields["max_length"] = length
    fields |= options.column
    _own_fields(entry, own, fields)
    found.expectations += options.expectations
    for one in entry.entries("quality"):
        made, mark = quality_of(one, subject)
        if mark == "in" and len(made) == 1 and getattr(made[0], "in_", None) is not None:
            fields["in_"] = made[0].in_  # type: ignore[attr-defined]
        else:
            found.expectations += [(expectation, one.line) for expectation in made]
    for one in entry.entries("relationships"):
        _relationship(one, column, found, subject.known)
    position = entry.number("primaryKeyPosition")
    if fields["key"]:
        keys.append((int(position) if position is not None and position >= 0 else len(keys) + 1, column))
    if entry.truth("partitioned"):
        place = entry.number("partitionKeyPosition")
        parts.append((int(place) if place is not None and place >= 0 else len(parts) + 1, column))
    else:
        entry.node("partitionKeyPosition")
    found.columns[column] = Column(**fields)
    found.lines[column] = entry.at("name")
    for key in ("properties", "items"):
        entry.node(key)
    entry.finish(kept=PEOPLE)


def _examples(entry: Entry) -> tuple[str | int | float | bool, ...]:
    value = entry.value("examples")
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(one, str | int | float | bool) for one in value):
        return tuple(value)
    entry.notes.kept.setdefault("examples", []).append(entry.at("examples"))
    return ()


_OWN_FIELDS = (
    "pii", "format", "severity", "min", "max", "min_length", "max_length", "pattern", "type",
)  # fmt: skip


def _own_fields(entry: Entry, own: dict[str, Any], fields: dict[str, Any]) -> None:
    """Take what an export of ours kept in custom properties, as far as a column could say it."""
    for key, value in own.items():
        if key not in _OWN_FIELDS:
            continue
        attribute = "in_" if key == "in" else key
        value = tuple(value) if isinstance(value, list) else value
        try:
            fields[attribute] = getattr(msgspec.convert({attribute: value}, Column), attribute)
        except msgspec.ValidationError:
            message = f"customProperties: {OWN}{key} is {value!r}"
            entry.notes.refuse(entry.at("customProperties"), message, code="LW104")


def _key_order(entry: Entry, keys: list[tuple[int, str]], found: ContractObject) -> None:
    if [name for _, name in sorted(keys)] != [name for _, name in keys]:
        entry.notes.lacks(
            f"primaryKeyPosition of {found.name}: keys stand in the order of the columns", entry.line
        )


def _relationship(entry: Entry, column: str | None, found: ContractObject, known: Collection[str]) -> None:
    """A foreign key to an object that is a dataset here becomes a reference."""
    own = _own(entry)
    sources, targets = entry.value("from"), entry.value("to")
    kind = entry.text("type") or "foreignKey"
    pairs: list[tuple[str, str]] = []
    if column is not None and isinstance(targets, str):
        pairs = [(column, targets)]
    elif isinstance(sources, str) and isinstance(targets, str):
        pairs = [(sources.rpartition(".")[2], targets)]
    exact = own.get("references")
    made: dict[str, str] = {}
    for source, target in pairs:
        resolved = exact if isinstance(exact, str) else _dataset_column(target, known)
        if kind == "foreignKey" and resolved is not None:
            made[found.names.get(source, source)] = resolved
    if made:
        found.expectations.append((References(columns=made), entry.line))
    else:
        entry.notes.lacks(
            f"relationship to {targets!r}, which is no single column of a dataset here", entry.line
        )
    entry.finish(kept=("id",))


def _dataset_column(target: str, known: Collection[str]) -> str | None:
    """``customers.id`` as ``zone.customers.id``, where one dataset has that name."""
    table, dot, column = target.partition(".")
    ids = [one for one in known if one.partition(".")[2] == table and not one.startswith("raw.")]
    return f"{ids[0]}.{column}" if dot and column and "." not in column and len(ids) == 1 else None


# --- service levels ------------------------------------------------------------------------------


def _agreements(root: Entry, contract: Contract) -> None:
    """Retention becomes the dataset's, latency and freshness of a column an expectation; others are noted."""
    default = root.text("slaDefaultElement")
    for entry in root.entries("slaProperties"):
        name = entry.text("property")
        length = _length(entry)
        elements = [one.strip() for one in (entry.text("element") or default).split(",")]
        done = length is not None and name.lower() in ("retention", "latency", "freshness", "ly", "re", "fr")
        for element in elements:
            done = done and _agreed(name.lower(), str(length), element, contract, entry.line)
        if not done:
            where = f" of {', '.join(elements)}" if elements != [""] else ""
            root.notes.lacks(f"slaProperties {name}{where}", entry.line)
        entry.known.update(entry.values)


def _length(entry: Entry) -> str | None:
    value, unit = entry.value("value"), _UNITS.get(entry.text("unit").strip().lower())
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or unit is None:
        return None
    text = f"{value:g}{unit}" if isinstance(value, float) else f"{value}{unit}"
    try:
        parse_duration(text)
    except ValueError:
        return None
    return text


def _agreed(name: str, length: str, element: str, contract: Contract, line: int) -> bool:
    """Apply a service level to the objects that *element* names; False when it names none."""
    table, _, column = element.partition(".")
    named = [one for one in contract.objects.values() if table in (one.name, one.physical_name)]
    if name in ("retention", "re"):
        targets = named if element else list(contract.objects.values())
        for one in targets:
            one.retention = length
        return bool(targets)
    for one in named:
        real = one.names.get(column, column)
        if real not in one.columns:
            return False
        one.expectations.append((Fresh(column=real, within=length), line))
    return bool(named and column)
