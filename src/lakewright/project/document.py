"""Read one YAML file into nodes that know their lines, refusing what could hurt or mislead.

The nodes are composed by libyaml and never constructed into objects. Scalars follow the core
schema of YAML 1.2, so ``no`` and ``2024-01-01`` are text and only ``true`` and ``false`` are
truth values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakewright.errors import Problem, Where

__all__ = [
    "Document",
    "key_text",
    "pairs",
    "parse",
    "plain",
    "read",
    "resolve_plain",
    "scalar",
]

#: Deeper nesting than any project needs; libyaml's recursion would otherwise exhaust the C stack.
MAX_DEPTH = 60
#: Values in one file after its aliases are expanded; a few hundred bytes could otherwise mean millions.
MAX_VALUES = 200_000
MAX_BYTES = 16 * 1024 * 1024

PLAIN, QUOTED = "plain", "quoted"
_CORE = "tag:yaml.org,2002:"
_TAGS = {_CORE + name for name in ("str", "int", "float", "bool", "null", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: ``path`` as shown to the user, ``root`` None for a file without content."""

    path: str
    root: Node | None


class _TooDeep(Exception):
    pass


class _Parser(CParser):
    """libyaml with our own, cheaper tags: a scalar is plain, quoted, or carries an explicit tag."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        self._depth = 0

    def resolve(self, kind: type[Node], _value: object, implicit: tuple[bool, bool]) -> str:
        if kind is ScalarNode:
            return PLAIN if implicit[0] else QUOTED
        return ""

    def descend_resolver(self, _node: Node | None, _index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooDeep

    def ascend_resolver(self) -> None:
        self._depth -= 1


def read(file: Path, path: str) -> Document | Problem:
    """Read *file*; *path* is its name in problems."""
    try:
        data = file.read_bytes()
    except OSError as error:
        return Problem("LW102", f"cannot be read: {error.strerror or error}", Where(path))
    return parse(data, path)


def parse(data: bytes, path: str) -> Document | Problem:
    """Parse the bytes of one YAML file, or say what is wrong with them and in which line."""
    if len(data) > MAX_BYTES:
        return Problem("LW102", f"the file is larger than {MAX_BYTES // 2**20} MiB", Where(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        return Problem(
            "LW102",
            f"not UTF-8: byte 0x{data[error.start]:02x} cannot be read",
            Where(path, line, column),
            remedy="save the file as UTF-8",
        )
    try:
        root = _Parser(text).get_single_node()
    except _TooDeep:
        return Problem("LW102", f"nested deeper than {MAX_DEPTH} levels", Where(path))
    except yaml.MarkedYAMLError as error:
        return _syntax(error, text, path)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Problem("LW102", "a control character is not allowed here", Where(path, line))
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        return Problem("LW102", f"cannot be parsed ({type(error).__name__})", Where(path))
    if root is None:
        return Document(path, None)
    return _guard(root, path) or Document(path, root)


def _syntax(error: yaml.MarkedYAMLError, text: str, path: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    where = Where(path, line, mark.column + 1 if mark else 0)
    lines = text.splitlines()
    content = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in content[: len(content) - len(content.lstrip())]:
        return Problem(
            "LW102",
            "a tab is used for indentation",
            where,
            remedy="indent with spaces; YAML does not allow tabs",
        )
    if "another document" in (error.problem or ""):
        return Problem(
            "LW102",
            "a second document starts here",
            where,
            remedy="keep one document per file: remove the ---",
        )
    message = error.problem or "syntax error"
    if error.context and error.context_mark and error.context_mark.line != (mark.line if mark else -1):
        message += f" ({error.context}, which starts in line {error.context_mark.line + 1})"
    remedy = ""
    if "mapping values are not allowed" in message:
        remedy = "quote a text that holds ': ', or correct the indentation"
    elif "undefined alias" in message:
        remedy = "define the anchor (&name) before *name, or quote a text that starts with *"
    elif "cannot start any token" in message:
        remedy = "quote a text that starts with a special character such as @, ` or %"
    return Problem("LW102", message, where, remedy=remedy)


def _guard(root: Node, path: str) -> Problem | None:
    """Refuse tags that would make objects, aliases that contain themselves and aliases that multiply."""
    sizes: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def size(node: Node) -> tuple[int, int] | Problem:
        """Values and levels of *node* with its aliases expanded."""
        known = sizes.get(id(node))
        if known is not None:
            return known
        where = Where(path, node.start_mark.line + 1, node.start_mark.column + 1)
        if id(node) in open_nodes:
            return Problem("LW102", "an alias refers to a value that holds it", where)
        if node.tag not in (PLAIN, QUOTED, "") and node.tag not in _TAGS:
            shown = node.tag.replace(_CORE, "!!")
            return Problem("LW102", f"the tag {shown} is not supported", where, remedy="remove the tag")
        if isinstance(node, ScalarNode):
            return 1, 0
        open_nodes.add(id(node))
        total, deepest = 1, 0
        children = (
            node.value if isinstance(node, SequenceNode) else [one for pair in node.value for one in pair]
        )
        for child in children:
            if type(child) is ScalarNode and child.tag in (PLAIN, QUOTED):
                total += 1
                continue
            found = size(child)
            if isinstance(found, Problem):
                return found
            total += found[0]
            deepest = max(deepest, found[1])
        open_nodes.discard(id(node))
        if total > MAX_VALUES or deepest >= MAX_DEPTH:
            return Problem(
                "LW102",
                f"its aliases expand to more than {MAX_VALUES:,} values or {MAX_DEPTH} levels",
                where,
                remedy="write the values out, or use fewer aliases",
            )
        sizes[id(node)] = (total, deepest + 1)
        return sizes[id(node)]

    found = size(root)
    return found if isinstance(found, Problem) else None


# --- scalars ------------------------------------------------------------------------------------

_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{f"{sign}.{word}": float("inf") for sign in ("", "+") for word in ("inf", "Inf", "INF")},
    **{f"-.{word}": float("-inf") for word in ("inf", "Inf", "INF")},
}
_NUMERIC = frozenset("0123456789+-.")


@lru_cache(maxsize=4096)
def resolve_plain(text: str) -> object:
    """The value of an unquoted scalar: None, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC or len(text) > 400:
        return text
    if _INT.match(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def scalar(node: ScalarNode) -> object:
    """The value of a scalar node, with its explicit tag (``!!str 5``) respected."""
    text: str = node.value
    if node.tag == PLAIN:
        return resolve_plain(text)
    if node.tag == QUOTED or node.tag == _CORE + "str":
        return text
    return resolve_plain(text)


def key_text(node: Node) -> str | None:
    """A mapping's key as text: as written, so that ``1`` and ``true`` are names too; None when it is no name."""
    if not isinstance(node, ScalarNode) or (node.tag == PLAIN and node.value in ("", "~")):
        return None
    text: str = node.value
    return text


def pairs(node: MappingNode) -> list[tuple[ScalarNode, Node]]:
    """The entries of a mapping with ``<<`` merged in; what the mapping says itself wins."""
    entries: list[tuple[ScalarNode, Node]] = node.value
    for key, _ in entries:
        if key.value == "<<" and key.tag == PLAIN:
            break
    else:
        return entries
    own = [(key, value) for key, value in entries if not (key.value == "<<" and key.tag == PLAIN)]
    seen = {key.value for key, _ in own if isinstance(key, ScalarNode)}
    for key, value in entries:
        if key.value != "<<" or key.tag != PLAIN:
            continue
        for source in value.value if isinstance(value, SequenceNode) else [value]:
            if not isinstance(source, MappingNode):
                # Left in place: the converter reports it as an unknown key at its line.
                own.append((key, value))
                break
            for inner_key, inner in pairs(source):
                if inner_key.value not in seen:
                    seen.add(inner_key.value)
                    own.append((inner_key, inner))
    return own


def plain(node: Node | None) -> object:
    """The value of a node as plain Python data: what a JSON Schema validates."""
    if node is None:
        return None
    if isinstance(node, ScalarNode):
        return scalar(node)
    if isinstance(node, SequenceNode):
        return [plain(one) for one in node.value]
    assert isinstance(node, MappingNode)
    return {key_text(key) or "": plain(value) for key, value in pairs(node)}
