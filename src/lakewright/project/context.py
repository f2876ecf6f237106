"""What the conversion of one file carries along: where it is, and what was found wrong so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakewright.errors import Problem, Where
from lakewright.project.document import key_text, pairs, scalar
from lakewright.project.environment import Environment

__all__ = ["BAD", "Bad", "Context", "Converter", "describe", "read_entries", "refuse", "shorten"]


class Bad:
    def __repr__(self) -> str:
        return "BAD"


BAD: Final = Bad()

Converter = Callable[[Node, "Context"], Any]


@dataclass(slots=True)
class Context:
    """Where we are in a file, and what was found wrong so far.

    Without an ``environment``, references are checked but not replaced: what holds one is BAD and
    no problem is noted. That is how the targets that were not chosen are read.
    """

    path: str
    environment: Environment | None
    problems: list[Problem] = field(default_factory=list)
    trail: list[str | int] = field(default_factory=list)

    def note(
        self, code: str, node: Node | None, message: str, *, remedy: str = "", key: str | None = None
    ) -> Bad:
        """Add a problem at *node*; the message starts with the key that it is about."""
        mark = node.start_mark if node is not None else None
        where = Where(self.path, mark.line + 1, mark.column + 1) if mark else Where(self.path, 1)
        trail = [*self.trail, key] if key is not None else self.trail
        place = _dotted(trail)
        self.problems.append(Problem(code, f"{place}: {message}" if place else message, where, (), remedy))
        return BAD


def _dotted(trail: list[str | int]) -> str:
    text = ""
    for one in trail:
        text += f"[{one + 1}]" if isinstance(one, int) else f".{one}" if text else one
    return text


# --- what was found instead ---------------------------------------------------------------------


def describe(node: Node) -> str:
    """What *node* holds, in words, for "expected …, got …"."""
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    assert isinstance(node, ScalarNode)
    if "${" in node.value:
        return "what the reference gives"
    value = scalar(node)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {shorten(node.value)}"
    return f"the text {shorten(str(value))!r}"


def shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def refuse(node: Node, context: Context, expected: str, remedy: str = "") -> Bad:
    return context.note("LW104", node, f"expected {expected}, got {describe(node)}", remedy=remedy)


def read_entries(node: Node, context: Context) -> list[tuple[str, Node, Node]] | None:
    """(key, key's node, value's node) of a mapping; None when a key is no name or stands twice."""
    assert isinstance(node, MappingNode)
    result: list[tuple[str, Node, Node]] = []
    seen: dict[str, Node] = {}
    good = True
    for key_node, value in pairs(node):
        key = key_text(key_node)
        if key is None:
            context.note("LW104", key_node, "expected a name as the key")
            good = False
        elif key in seen:
            line = seen[key].start_mark.line + 1
            context.note("LW110", key_node, f"the key {key!r} stands here again, first in line {line}")
            good = False
        else:
            seen[key] = key_node
            result.append((key, key_node, value))
    return result if good else None
