"""Tell whether a text is a SQL type in DuckDB's spelling, without loading DuckDB or SQLGlot."""

from __future__ import annotations

import re

from lakewright.errors import nearest

__all__ = ["type_problem"]

_SPELLINGS = """
    bigint int8 long blob bytea binary varbinary bit bitstring boolean bool logical date double float8
    float float4 real hugeint integer int4 int signed interval json smallint int2 short time timestamp datetime
    timestamptz timetz timestamp_s timestamp_ms timestamp_ns tinyint int1 ubigint uhugeint uinteger usmallint
    utinyint uuid guid varchar char bpchar text string decimal numeric dec bignum varint nvarchar
"""
_NAMES = frozenset(_SPELLINGS.split())
_LENGTH = frozenset(("varchar", "char", "bpchar", "text", "string", "nvarchar", "bit"))
_DECIMAL = frozenset(("decimal", "numeric", "dec"))
_NESTED = ("struct", "map", "list", "array", "enum", "union", "row")
_WORD = re.compile(r"""\s*(?:([A-Za-z_]\w*)|("(?:[^"]|"")+")|('(?:[^']|'')*')|(\d+)|(.))""", re.DOTALL)
_MAX_DEPTH = 20


class _Bad(Exception):
    pass


def type_problem(text: str) -> str:
    """What is wrong with the type *text*, as a phrase; "" when it is a type."""
    words = [match.group().strip() for match in _WORD.finditer(text.strip())]
    if not words:
        return "a SQL type, got an empty text"
    reader = _Reader(words)
    try:
        reader.type(0)
        if reader.index < len(words):
            raise _Bad(f"a SQL type, got {text!r}: {reader.peek()!r} is not expected there")
    except _Bad as error:
        return str(error)
    return ""


class _Reader:
    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.index = 0

    def peek(self) -> str:
        return self.words[self.index] if self.index < len(self.words) else ""

    def take(self) -> str:
        word = self.peek()
        self.index += 1
        return word

    def expect(self, word: str) -> None:
        if self.take() != word:
            raise _Bad(f"a SQL type, got one where {word!r} is missing")

    def number(self) -> int:
        word = self.take()
        if not word.isdecimal():
            raise _Bad("a SQL type, got one where a number is missing in the brackets")
        return int(word[:9])

    def type(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise _Bad("a SQL type that is nested less deeply")
        name = self.take().lower()
        if name in _NESTED and (self.peek() == "(" or name in ("struct", "map")):
            self.nested(name, depth)
        elif name in _DECIMAL:
            self.decimal()
        elif name == "double" and self.peek().lower() == "precision":
            self.take()
        elif name in ("timestamp", "time") and self.peek().lower() in ("with", "without"):
            self.take()
            for word in ("time", "zone"):
                if self.take().lower() != word:
                    raise _Bad(f"a SQL type such as '{name} with time zone'")
        elif name in _NAMES:
            if name in _LENGTH and self.peek() == "(":
                self.take()
                self.number()
                self.expect(")")
        else:
            raise _Bad(f"a SQL type, got {name!r}{nearest(name, _NAMES | set(_NESTED))}")
        while self.peek() == "[":
            self.take()
            if self.peek() != "]":
                self.number()
            self.expect("]")

    def decimal(self) -> None:
        if self.peek() != "(":
            return
        self.take()
        width, scale = self.number(), 0
        if self.peek() == ",":
            self.take()
            scale = self.number()
        self.expect(")")
        if not 1 <= width <= 38 or scale > width:
            raise _Bad("a decimal with 1 to 38 digits, no more of them after the point than in all")

    def nested(self, name: str, depth: int) -> None:
        self.expect("(")
        while True:
            if name == "enum":
                if not self.take().startswith("'"):
                    raise _Bad("an enum of texts in single quotes")
            else:
                if name in ("struct", "union", "row") and not re.match(r'["A-Za-z_]', self.take()):
                    raise _Bad(f"a {name} of names with their types")
                self.type(depth + 1)
            word = self.take()
            if word == ")":
                return
            if word != ",":
                raise _Bad(f"a SQL type, got a {name} that is not closed")
