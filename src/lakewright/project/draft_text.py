"""Write YAML by hand: values in flow style, aligned columns, comments. What is written reads back as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lakewright.project.document import resolve_plain

__all__ = ["aligned", "comment", "flow", "line"]

#: Text that needs no quotes, inside braces too. The words are truth values to older readers of YAML.
_PLAIN = re.compile(r"(?:[A-Za-z_./]|\d+[a-z]\Z)[\w ./*+-]*(?:\([\w]+\))?\Z", re.ASCII)
_SENTENCE = re.compile(r"[A-Za-z][\w ,.-]*\Z", re.ASCII)
_WORDS = frozenset(("yes", "no", "on", "off", "y", "n", "true", "false", "null"))

Value = object


def flow(value: Value) -> str:
    """*value* (text, number, truth value, None, list, mapping) in one line of YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return _text(str(value))


def line(text: str) -> str:
    """*text* as a value that has a line to itself, where commas need no quotes."""
    return (
        text if _SENTENCE.match(text) and flow(text.replace(",", "")) == text.replace(",", "") else flow(text)
    )


def _number(value: int | float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    return repr(value)


def _text(text: str) -> str:
    plain = (
        _PLAIN.match(text)
        and text.lower() not in _WORDS
        and not text.endswith(" ")
        and " #" not in text
        and resolve_plain(text) == text
    )
    return text if plain else '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def comment(text: str) -> str:
    """*text* as the words of a comment: one line, nothing that a terminal or an editor would act on."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def aligned(entries: Iterable[tuple[str, str, str]], indent: str = "  ") -> str:
    """Lines ``key: value  # comment`` with their values below each other, and their comments where short."""
    listed = [(f"{flow(key)}:", value, note) for key, value, note in entries]
    width = min(max((len(key) for key, _, _ in listed), default=0), 32)
    wide = min(max((len(value) for _, value, note in listed if note), default=0), 60)
    lines = []
    for key, value, note in listed:
        line = f"{indent}{key:<{width}} {value}"
        lines.append(f"{indent}{key:<{width}} {value:<{wide}}  # {comment(note)}" if note else line)
    return "\n".join(lines) + "\n"
