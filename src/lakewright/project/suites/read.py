"""Read the JSON file of a suite, of Great Expectations 0.13 to 1.x, with the line of each expectation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakewright.errors import Problem, Where
from lakewright.project.document import pairs, parse, plain
from lakewright.project.suites.arguments import Arguments, NotSupported
from lakewright.project.suites.kinds import expectations_of
from lakewright.spec.base import Severity
from lakewright.spec.expectations import Expectation

__all__ = ["Imported", "read_suite"]

# JSON writes what lies beyond 16 bits as two escapes, which YAML does not read.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")

#: What a failure of the suite's own severities means; `critical` is the dataset's `on_violation`.
_SEVERITIES: dict[str, Severity] = {"warning": "warn", "info": "warn"}


@dataclass(slots=True)
class Imported:
    """What could be read: ``expectations`` with their ``lines``, ``notes`` on the rest, ``problems`` of the file."""

    expectations: list[Expectation] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_suite(data: bytes, path: str) -> Imported:
    """Read the bytes of a suite; *path* names the file in notes and problems (LW102, LW114)."""
    found = Imported()
    text = _PAIR.sub(_joined, data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    document = parse(text, path)
    if isinstance(document, Problem):
        found.problems.append(document)
        return found
    root = document.root
    listed = _entry(root, "expectations")
    if not isinstance(listed, SequenceNode):
        message = "this is no expectation suite: it has no list of `expectations`"
        found.problems.append(Problem("LW114", message, Where(path, 1)))
        return found
    for node in listed.value:
        _one(node, path, found)
    for key in ("evaluation_parameters", "suite_parameters"):
        node = _entry(root, key)
        if isinstance(node, MappingNode) and node.value:
            found.notes.append(f"not supported: {key}, at {path}:{node.start_mark.line + 1}")
    return found


def _joined(match: re.Match[str]) -> str:
    high, low = int(match[2], 16), int(match[3], 16)
    return match[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _entry(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next(
        (value for name, value in pairs(node) if isinstance(name, ScalarNode) and name.value == key), None
    )


def _one(node: Node, path: str, found: Imported) -> None:
    line = node.start_mark.line + 1
    given = plain(node)
    kind = given.get("type", given.get("expectation_type")) if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(kind, str):
        message = "an expectation needs its `type` (or `expectation_type`)"
        found.problems.append(Problem("LW114", message, Where(path, line)))
        return
    kwargs = given.get("kwargs", {})
    if not isinstance(kwargs, dict):
        found.problems.append(Problem("LW114", f"{kind}: `kwargs` is no object", Where(path, line)))
        return
    place = _entry(node, "type") or _entry(node, "expectation_type")
    line = place.start_mark.line + 1 if place is not None else line
    try:
        made = expectations_of(kind, Arguments(kwargs))
    except NotSupported as reason:
        found.notes.append(f"not supported: {kind}: {reason}, at {path}:{line}")
        return
    severity = _SEVERITIES.get(str(given.get("severity", "")).lower())
    for one in made:
        found.expectations.append(msgspec.structs.replace(one, severity=severity) if severity else one)
        found.lines.append(line)
