"""Walk a contract's nodes: values with their lines, keys that nobody knows, and notes on what has no counterpart."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakewright.errors import Problem, Where, nearest
from lakewright.project.document import key_text, pairs, plain, scalar

__all__ = ["Entry", "Notes"]


@dataclass(slots=True)
class Notes:
    """What was found in the file *path*: ``problems``, and by words the lines of what is not supported."""

    path: str
    problems: list[Problem] = field(default_factory=list)
    unsupported: dict[str, list[int]] = field(default_factory=dict)
    kept: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, line: int, message: str, remedy: str = "", code: str = "LW114") -> None:
        """Add a problem."""
        self.problems.append(Problem(code, message, Where(self.path, line), remedy=remedy))

    def lacks(self, what: str, line: int) -> None:
        """Note that *what* has no counterpart."""
        self.unsupported.setdefault(what, []).append(line)

    def lines(self) -> tuple[str, ...]:
        """Return the notes as sentences with their places, and one on what is for people only."""
        said = [
            f"not supported: {what}, at {self._places(lines)}" for what, lines in self.unsupported.items()
        ]
        if self.kept:
            said.append(
                f"for people only, and kept in the contract: {', '.join(sorted(self.kept))} ({self.path})"
            )
        return tuple(said)

    def _places(self, lines: list[int]) -> str:
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        return f"{self.path}:{lines[0]}{more}"


class Entry:
    """A mapping of a contract. What is asked for by name is known; :meth:`finish` reports the rest."""

    def __init__(self, node: MappingNode, notes: Notes) -> None:
        self.line = node.start_mark.line + 1
        self.notes = notes
        self.values: dict[str, Node] = {}
        self.places: dict[str, int] = {}
        self.known: set[str] = set()
        for key_node, value in pairs(node):
            key = key_text(key_node) or ""
            place = key_node.start_mark.line + 1
            if key in self.values:
                notes.refuse(
                    place,
                    f"the key {key!r} stands here again, first in line {self.places[key]}",
                    code="LW110",
                )
            self.values[key] = value
            self.places[key] = place

    def at(self, key: str) -> int:
        """The line of *key*, or of the whole."""
        return self.places.get(key, self.line)

    def has(self, key: str) -> bool:
        """Whether *key* is there with a value."""
        return self.value(key) is not None

    def node(self, key: str) -> Node | None:
        """The node of *key*."""
        self.known.add(key)
        return self.values.get(key)

    def value(self, key: str) -> object:
        """The value of *key* as plain data, None when it is not there."""
        return plain(self.node(key))

    def text(self, key: str) -> str:
        """A text, "" when it is not there; numbers and dates are texts as written."""
        node = self.node(key)
        if node is None or (isinstance(node, ScalarNode) and scalar(node) is None):
            return ""
        if not isinstance(node, ScalarNode):
            self.notes.refuse(self.at(key), f"{key}: expected text, got a list or a mapping", code="LW104")
            return ""
        return str(node.value)

    def truth(self, key: str) -> bool:
        """A truth value, False when it is not there."""
        value = self.value(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.notes.refuse(self.at(key), f"{key}: expected true or false, got {value!r}", code="LW104")
        return False

    def number(self, key: str) -> int | float | None:
        """A number, None when it is not there."""
        value = self.value(key)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        self.notes.refuse(self.at(key), f"{key}: expected a number, got {value!r}", code="LW104")
        return None

    def whole(self, key: str) -> int | None:
        """A whole number from 0, None when it is not there."""
        value = self.number(key)
        if value is None or (isinstance(value, int) and value >= 0):
            return value if isinstance(value, int) else None
        self.notes.refuse(self.at(key), f"{key}: expected a whole number from 0, got {value!r}", code="LW104")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        node = self.node(key)
        if node is None:
            return ()
        if isinstance(node, SequenceNode) and all(isinstance(one, ScalarNode) for one in node.value):
            return tuple(str(one.value) for one in node.value)
        self.notes.refuse(self.at(key), f"{key}: expected a list of texts", code="LW104")
        return ()

    def entries(self, key: str) -> Iterator[Entry]:
        """The mappings of a list."""
        node = self.node(key)
        if node is None or (isinstance(node, ScalarNode) and scalar(node) is None):
            return
        if not isinstance(node, SequenceNode):
            self.notes.refuse(self.at(key), f"{key}: expected a list", code="LW104")
            return
        for one in node.value:
            if isinstance(one, MappingNode):
                yield Entry(one, self.notes)
            else:
                line = one.start_mark.line + 1
                self.notes.refuse(line, f"{key}: expected a list of mappings", code="LW104")

    def entry(self, key: str) -> Entry | None:
        """A mapping, None when it is not there."""
        node = self.node(key)
        if node is None or (isinstance(node, ScalarNode) and scalar(node) is None):
            return None
        if isinstance(node, MappingNode):
            return Entry(node, self.notes)
        self.notes.refuse(self.at(key), f"{key}: expected a mapping", code="LW104")
        return None

    def finish(self, *, kept: Collection[str] = (), lacking: Collection[str] = ()) -> None:
        """Note keys for people (*kept*) and those without counterpart (*lacking*); refuse unknown ones."""
        every = [*self.known, *kept, *lacking]
        for key, line in self.places.items():
            if key in self.known or (key in every and _is_empty(self.values[key])):
                continue
            if key in kept:
                self.notes.kept.setdefault(key, []).append(line)
            elif key in lacking:
                self.notes.lacks(key, line)
            else:
                message = f"unknown key {key!r}{nearest(key, every)}"
                self.notes.refuse(line, message, f"use one of: {', '.join(sorted(every))}", code="LW103")


def _is_empty(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return scalar(node) in (None, "")
    return not node.value
