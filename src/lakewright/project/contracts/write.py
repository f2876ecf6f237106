"""Write a dataset as a contract of the Open Data Contract Standard 3.1.0.

What the standard has no field for is kept in custom properties and in rules of the custom engine ``lakewright``,
so that reading the contract gives the same columns and expectations.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from lakewright.project.contracts.quality import ENGINE, MARK
from lakewright.project.contracts.read import OWN
from lakewright.project.contracts.types import logical_of, reads_back
from lakewright.project.document import resolve_plain
from lakewright.project.rules import partition_column
from lakewright.project.spelled import spelled_expectation
from lakewright.spec.dataset import Column, Dataset
from lakewright.spec.expectations import Expectation, Fresh, References, RowCount, Suite, Unique

__all__ = ["contract_of", "contract_text"]

_API = "v3.1.0"
#: Names of contracts' identifiers, so that a dataset has the same one every time.
_NAMESPACE = uuid.UUID("5b0c8f0e-5d0f-5c9e-8a53-6f1f0a5c2d11")
_ONE_LENGTH = re.compile(r"(\d+)(min|s|h|d|w|y)\Z")
_SHORTHAND = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*\Z")


def contract_of(
    dataset: Dataset,
    *,
    project: str,
    owner: str = "",
    version: str = "",
    table: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the contract of *dataset* as plain data that the standard's JSON Schema 3.1.0 accepts.

    *owner* is the project's default, *version* that of a contract without one of its own. *table*, name →
    type, are the columns of the table as it is; those that the dataset does not declare come last.
    """
    file = dataset.file
    identity = dict(dataset.identity)
    about = {key: identity.pop(key) for key in ("limitations", "usage") if key in identity}
    contract: dict[str, Any] = {
        "apiVersion": _API,
        "kind": "DataContract",
        "id": identity.pop("id", str(uuid.uuid5(_NAMESPACE, f"{project}/{dataset.id}"))),
        "version": identity.pop("version", version or "1.0.0"),
        "status": identity.pop("status", "active"),
        "name": identity.pop("name", dataset.id),
        **identity,
    }
    if about:
        contract["description"] = about
    if team := file.owner or owner:
        contract["team"] = {"name": team}
    agreements, rules, links = _expectations(dataset)
    contract["schema"] = [_object(dataset, rules, links, table or {})]
    if file.retention and (found := _ONE_LENGTH.match(file.retention)):
        agreements.insert(0, {"property": "retention", "value": int(found[1]), "unit": found[2]})
    if agreements:
        contract["slaProperties"] = agreements
    return contract


def contract_text(contract: Mapping[str, Any]) -> str:
    """Return a contract as YAML that every reader takes for the same values."""
    return yaml.dump(
        dict(contract),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=False,
    )


class _Dumper(yaml.SafeDumper):
    """Quotes what any version of YAML would read as something else than text; indents lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if text and resolve_plain(text) != text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


# --- the object and its properties ---------------------------------------------------------------


def _object(
    dataset: Dataset,
    rules: list[dict[str, Any]],
    links: Mapping[str, list[dict[str, Any]]],
    table: Mapping[str, str],
) -> dict[str, Any]:
    file = dataset.file
    parts = [name for text in file.write.partition_by if (name := partition_column(text)) is not None]
    order = {name.lower(): place for place, name in reversed(list(enumerate(dict.fromkeys(parts), 1)))}
    keys = [name for name, column in file.columns.items() if column.key]
    have = {name.lower(): kind for name, kind in table.items()}
    properties = []
    for name, column in file.columns.items():
        made = _property(name, column, have.get(name.lower()))
        if column.key:
            made |= {"primaryKey": True, "primaryKeyPosition": keys.index(name) + 1}
        if name.lower() in order:
            made |= {"partitioned": True, "partitionKeyPosition": order[name.lower()]}
        if name in links:
            made["relationships"] = links[name]
        properties.append(made)
    declared = {name.lower() for name in file.columns}
    for name, kind in table.items():
        if name.lower() not in declared and not name.startswith("_"):
            properties.append(_property(name, Column(type=kind.lower()), None))
    found: dict[str, Any] = {"name": dataset.name, "logicalType": "object", "physicalType": "table"}
    if file.description:
        found["description"] = file.description
    if file.tags:
        found["tags"] = list(file.tags)
    found["properties"] = properties
    if rules:
        found["quality"] = rules
    own: dict[str, Any] = {"dataset": dataset.id}
    if file.write.partition_by:
        own["partitionBy"] = list(file.write.partition_by)
    if file.retention and not _ONE_LENGTH.match(file.retention):
        own["retention"] = file.retention
    found["customProperties"] = _custom(own)
    return found


def _property(name: str, column: Column, actual: str | None) -> dict[str, Any]:
    kind = column.type or (actual or "").lower() or None
    logical = logical_of(kind) if kind else None
    found: dict[str, Any] = {"name": name}
    own: dict[str, Any] = {}
    if kind and logical:
        found |= {"logicalType": logical, "physicalType": kind}
        if not reads_back(kind):
            own["type"] = kind
    if column.description:
        found["description"] = column.description
    for key in ("required", "unique"):
        if getattr(column, key):
            found[key] = True
    options = dict(_options(column, logical, own))
    if options:
        found["logicalTypeOptions"] = options
    if column.classification:
        found["classification"] = column.classification
    if column.critical:
        found["criticalDataElement"] = True
    if column.tags:
        found["tags"] = list(column.tags)
    if column.examples:
        found["examples"] = list(column.examples)
    if column.in_ is not None:
        found["quality"] = [
            {
                "type": "library", "metric": "invalidValues", "arguments": {"validValues": list(column.in_)},
                "mustBe": 0,  "severity": _severity(column.severity),
                "customProperties": _custom_mark("in"),
            }
        ]  # fmt: skip
    for key in ("format", "severity", "pii"):
        if value := getattr(column, key):
            own[key] = value
    if own:
        found["customProperties"] = _custom(own)
    return found


def _options(column: Column, logical: str | None, own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options that the logical type has; what it has not goes to *own*."""
    for key, standard in (("min", "minimum"), ("max", "maximum")):
        value = getattr(column, key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        dated = logical in ("date", "timestamp", "time") and isinstance(value, str)
        if value is None:
            continue
        if (logical in ("integer", "number") and number) or dated:
            yield standard, value
        else:
            own[key] = value
    for key, text, items in (
        ("min_length", "minLength", "minItems"),
        ("max_length", "maxLength", "maxItems"),
    ):
        value = getattr(column, key)
        if value is None:
            continue
        if logical == "string":
            yield text, value
        elif logical == "array" and value:
            yield items, value
        else:
            own[key] = value
    if column.pattern is not None:
        if logical == "string":
            yield "pattern", column.pattern
        else:
            own["pattern"] = column.pattern


def _custom(own: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"property": f"{OWN}{key}", "value": value} for key, value in own.items()]


def _custom_mark(key: str) -> list[dict[str, Any]]:
    return [{"property": MARK, "value": key}]


def _severity(severity: str | None) -> str:
    return "warning" if severity == "warn" else "error"


# --- expectations --------------------------------------------------------------------------------


def _expectations(
    dataset: Dataset,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Service levels, quality rules and relationships by column."""
    agreements: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    links: dict[str, list[dict[str, Any]]] = {}
    columns = {name.lower(): name for name in dataset.file.columns}
    for one in dataset.file.expect:
        if isinstance(one, Suite):
            continue  # what it holds follows
        plain = one.severity is None and not one.label
        length = _ONE_LENGTH.match(one.within) if isinstance(one, Fresh) else None
        if isinstance(one, Fresh) and plain and length and one.column in dataset.file.columns:
            element = f"{dataset.name}.{one.column}"
            agreements.append(
                {"property": "latency", "value": int(length[1]), "unit": length[2], "element": element}
            )
            continue
        link = _link(one) if plain else None
        if link is not None and link[0] in columns.values():
            links.setdefault(link[0], []).append(link[1])
            continue
        rules.append(_rule(one))
    return agreements, rules, links


def _link(one: Expectation) -> tuple[str, dict[str, Any]] | None:
    if not isinstance(one, References) or len(one.columns) != 1:
        return None
    column, target = next(iter(one.columns.items()))
    short = target.partition(".")[2]
    if not _SHORTHAND.match(short):
        return None
    return column, {"type": "foreignKey", "to": short, "customProperties": _custom({"references": target})}


def _rule(one: Expectation) -> dict[str, Any]:
    """A metric of the library where it says exactly the same, else our own engine."""
    standard = one.severity in (None, "warn") and not one.label
    severity = {"severity": _severity(one.severity)}
    if isinstance(one, RowCount) and standard and one.where is None and (one.min, one.max) != (None, None):
        return {"type": "library", "metric": "rowCount", **_compared(one.min, one.max), **severity}
    if isinstance(one, Unique) and standard and one == Unique(columns=one.columns, severity=one.severity):
        columns = {"properties": list(one.columns)}
        return {"type": "library", "metric": "duplicateValues", "arguments": columns, "mustBe": 0, **severity}
    return {"type": "custom", "engine": ENGINE, "implementation": _lists(spelled_expectation(one))}


def _compared(low: int | None, high: int | None) -> dict[str, Any]:
    if low is not None and high is not None:
        return {"mustBe": low} if low == high else {"mustBeBetween": [low, high]}
    return {"mustBeGreaterOrEqualTo": low} if low is not None else {"mustBeLessOrEqualTo": high}


def _lists(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, Mapping):
        return {key: _lists(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_lists(one) for one in value]
    return value
