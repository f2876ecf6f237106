"""The shape of each file kind, derived once from the spec's Structs and the rules of their fields.

Three things walk the same shapes and so cannot disagree: the converter that reads YAML, the
JSON Schemas and the reference manual.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import msgspec.inspect as mi

from lakewright.project import rules, rules_secrets
from lakewright.spec.expectations import EXPECTATIONS, Expectation
from lakewright.spec.mask import MASKS, Mask
from lakewright.spec.steps import STEPS, Step

__all__ = [
    "Boolean",
    "Choice",
    "Field",
    "Form",
    "Free",
    "Integer",
    "Keys",
    "ListOf",
    "MapOf",
    "Named",
    "Null",
    "Number",
    "OneOf",
    "Shape",
    "Text",
    "shape_of",
    "yaml_name",
]


@dataclass(frozen=True, eq=False)
class Text:
    """Text. ``secret`` is "only" (nothing but a reference), "inside" (may hold one) or ""."""

    rule: Callable[[str], str] | None = None
    secret: str = ""
    literal: bool = False
    expected: str = "text"


@dataclass(frozen=True, eq=False)
class Integer:
    low: float | None = None
    high: float | None = None

    @property
    def expected(self) -> str:
        return "a whole number" + _range(self.low, self.high)


@dataclass(frozen=True, eq=False)
class Number:
    low: float | None = None
    high: float | None = None

    @property
    def expected(self) -> str:
        return "a number" + _range(self.low, self.high)


@dataclass(frozen=True, eq=False)
class Boolean:
    expected: str = "true or false"


@dataclass(frozen=True, eq=False)
class Null:
    expected: str = "nothing"


@dataclass(frozen=True, eq=False)
class Choice:
    values: tuple[str, ...]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.values)


@dataclass(frozen=True, eq=False)
class Free:
    """Any value, taken as it is."""

    expected: str = "any value"


@dataclass(frozen=True, eq=False)
class ListOf:
    item: Shape
    filled: bool = False

    @property
    def expected(self) -> str:
        return "a list" if isinstance(self.item, Free | Keys | Named) else f"a list of {_plural(self.item)}"


@dataclass(frozen=True, eq=False)
class MapOf:
    value: Shape
    key_rule: Callable[[str], str] | None = None
    filled: bool = False

    @property
    def expected(self) -> str:
        return "a mapping" + ("" if isinstance(self.value, Free) else f" of names to {_plural(self.value)}")


@dataclass(frozen=True, eq=False)
class Field:
    """A key of a mapping: as YAML spells it, as Python does, and what it holds."""

    key: str
    attribute: str
    shape: Shape
    required: bool
    default: Any


@dataclass(frozen=True, eq=False)
class Keys:
    """A mapping with known keys: a Struct, or with ``plain`` a dict of what is there.

    ``tag`` is the key and value that tell it from its siblings.
    """

    struct: type[msgspec.Struct]
    fields: dict[str, Field]
    tag: tuple[str, str] | None = None
    plain: bool = False

    @property
    def expected(self) -> str:
        return (
            "a mapping with the keys "
            + ", ".join(list(self.fields)[:6])
            + (", …" if len(self.fields) > 6 else "")
        )


@dataclass(frozen=True, eq=False)
class Form:
    """One step or expectation. ``short`` is the field that a value fills which is not the long form.

    The rule that keeps the two apart: the value is the long form when ``short`` is "", or when it
    is a mapping and the short field holds no mapping itself, or when it is a mapping whose entry
    ``short`` holds a mapping. Anything else is the short form.
    """

    keys: Keys
    short: str
    short_is_map: bool

    @property
    def bare(self) -> bool:
        """Whether the name alone says enough."""
        return not any(field.required for field in self.keys.fields.values())


@dataclass(frozen=True, eq=False)
class Named:
    """A step or an expectation: its name alone, or a mapping with that one key."""

    what: str
    forms: dict[str, Form]

    @property
    def expected(self) -> str:
        return f"{self.what}: its name, or a mapping with its name as the only key"


@dataclass(frozen=True, eq=False)
class OneOf:
    shapes: tuple[Shape, ...]

    @property
    def filled(self) -> tuple[Shape, ...]:
        """The shapes without null."""
        return tuple(one for one in self.shapes if not isinstance(one, Null))

    @property
    def constants(self) -> bool:
        """Whether any text, number and truth value is allowed."""
        return {type(one) for one in self.filled} >= {Text, Integer, Number, Boolean}

    @property
    def expected(self) -> str:
        if self.constants:
            return "text, a number, true or false"
        return " or ".join(dict.fromkeys(one.expected for one in self.filled))


Shape = Text | Integer | Number | Boolean | Null | Choice | Free | ListOf | MapOf | Keys | Named | OneOf


def yaml_name(attribute: str) -> str:
    """``in_`` is spelled ``in`` in YAML, ``from_`` is ``from``."""
    return attribute.rstrip("_")


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f" from {low:g}" + ("" if high is None else f" to {high:g}")


def _plural(shape: Shape) -> str:
    words = {Text: "text", Integer: "whole numbers", Number: "numbers", Boolean: "truth values"}
    if isinstance(shape, Choice):
        return "values among " + ", ".join(shape.values)
    return words.get(type(shape)) or ("mappings" if isinstance(shape, Keys | MapOf) else "values")


@cache
def shape_of(struct: type[msgspec.Struct]) -> Keys:
    """The shape of a mapping that becomes *struct*."""
    info = mi.type_info(struct)
    assert isinstance(info, mi.StructType)
    hints = typing.get_type_hints(struct)
    fields: dict[str, Field] = {}
    for one in info.fields:
        place = (struct, one.name)
        if place in rules.HIDDEN:
            continue
        hint = rules.FIELD_TYPES.get(place, hints[one.name])
        kind = _in_order(mi.type_info(hint), hint)
        key = yaml_name(one.name)
        default = one.default
        fields[key] = Field(key, one.name, _shape(kind, place, one.required), one.required, default)
    tag = (info.tag_field, str(info.tag)) if info.tag_field else None
    return Keys(struct, fields, tag, struct is rules.CastTo)


def _in_order(kind: mi.Type, hint: Any) -> mi.Type:
    """*kind* with the values of a Literal in the order in which they are declared; msgspec sorts them."""
    if isinstance(kind, mi.LiteralType):
        return mi.LiteralType(typing.get_args(hint))
    parts = typing.get_args(hint)
    if isinstance(kind, mi.UnionType):
        literal = next((one for one in parts if typing.get_origin(one) is typing.Literal), None)
        types = (
            _in_order(one, literal) if isinstance(one, mi.LiteralType) and literal is not None else one
            for one in kind.types
        )
        return mi.UnionType(tuple(types))
    if isinstance(kind, mi.VarTupleType):
        return mi.VarTupleType(_in_order(kind.item_type, parts[0]))
    return kind


def _shape(kind: mi.Type, place: tuple[type, str], required: bool, inner: bool = False) -> Shape:
    """The shape of a field; its rules reach the texts and numbers inside lists and mappings too.

    The rule of keys is for the outermost mapping alone.
    """
    low, high = rules.RANGES.get(place, (None, None))
    filled = required and place not in rules.MAY_BE_EMPTY
    match kind:
        case mi.StrType():
            secret = (
                "only"
                if place in rules_secrets.SECRET
                else "inside"
                if place in rules_secrets.SECRET_INSIDE
                else ""
            )
            return Text(rules.TEXT_RULES.get(place), secret, place[0] in rules.LITERAL_ROWS)
        case mi.BoolType():
            return Boolean()
        case mi.IntType():
            return Integer(low, high)
        case mi.FloatType():
            return Number(low, high)
        case mi.NoneType():
            return Null()
        case mi.LiteralType():
            return Choice(tuple(str(value) for value in kind.values))
        case mi.VarTupleType():
            return ListOf(_shape(kind.item_type, place, False, True), filled)
        case mi.DictType():
            rule = None if inner else rules.KEY_RULES.get(place)
            return MapOf(_shape(kind.value_type, place, False, True), rule, filled)
        case mi.StructType():
            if kind.cls is Step:
                return _named("a step", STEPS)
            if kind.cls is Expectation:
                return _named("an expectation", EXPECTATIONS)
            if kind.cls is Mask:
                return _named("a mask", MASKS)
            return shape_of(kind.cls)
        case mi.UnionType():
            return OneOf(tuple(_shape(one, place, required, inner) for one in kind.types))
        case _:
            return Free()


_TABLES: dict[type, Any] = {Step: STEPS, Expectation: EXPECTATIONS, Mask: MASKS}


@cache
def _forms(base: type) -> dict[str, Form]:
    table: dict[str, Any] = _TABLES[base]
    forms = {}
    for name, struct in table.items():
        keys = shape_of(struct)
        short = struct.shorthand
        forms[name] = Form(keys, short, bool(short) and isinstance(keys.fields[short].shape, MapOf))
    return forms


def _named(what: str, table: Any) -> Named:
    return Named(what, _forms(next(base for base, one in _TABLES.items() if one is table)))
