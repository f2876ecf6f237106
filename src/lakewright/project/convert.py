"""Turn YAML nodes into the spec's frozen Structs, noting every problem with its place.

A converter returns :data:`BAD` for what it could not read, after noting why; its parents then
return BAD as well, without a further problem, and go on with their other parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakewright.errors import Problem, nearest
from lakewright.project import scalars
from lakewright.project import shapes as sh
from lakewright.project.context import BAD, Context, Converter, describe, read_entries, refuse, shorten
from lakewright.project.document import PLAIN, Document, key_text, pairs, resolve_plain, scalar

__all__ = ["convert", "struct_of"]


def convert(struct: type[msgspec.Struct], document: Document, context: Context) -> Any:
    """The Struct that the whole *document* describes, or BAD with the reasons in *context*."""
    root = document.root
    if root is None:
        root = MappingNode("", [], None, None)
    return _keys(sh.shape_of(struct))(root, context)


def struct_of(
    kinds: Mapping[str, type[msgspec.Struct]], document: Document, context: Context
) -> type[msgspec.Struct] | None:
    """The Struct of *kinds* that the *document* names by its tag; None when it names no such kind.

    Without a tag it is the one that knows most of the document's keys, which then misses its tag.
    """
    root = document.root
    entries = dict(_texts(root)) if type(root) is MappingNode else {}
    shapes = {kind: sh.shape_of(struct) for kind, struct in kinds.items()}
    key = next(shape.tag[0] for shape in shapes.values() if shape.tag)
    if key not in entries:
        return max(shapes.values(), key=lambda one: len(one.fields.keys() & entries)).struct
    node = entries[key]
    if type(node) is ScalarNode and node.value in kinds:
        return kinds[node.value]
    guess = nearest(node.value, kinds) if type(node) is ScalarNode else ""
    context.note("LW104", node, f"expected one of {', '.join(kinds)}, got {describe(node)}{guess}", key=key)
    return None


def _texts(node: MappingNode) -> Iterator[tuple[str, Node]]:
    for key, value in pairs(node):
        text = key_text(key)
        if text is not None:
            yield text, value


def _free(_shape: sh.Free) -> Converter:
    def read(node: Node, context: Context) -> Any:
        if type(node) is ScalarNode:
            return scalar(node)
        if type(node) is SequenceNode:
            items = [read(one, context) for one in node.value]
            return BAD if any(one is BAD for one in items) else items
        entries = read_entries(node, context)
        if entries is None:
            return BAD
        result = {key: read(value, context) for key, _, value in entries}
        return BAD if any(one is BAD for one in result.values()) else result

    return read


# --- lists and mappings -------------------------------------------------------------------------


def _list(shape: sh.ListOf) -> Converter:
    item = _converter(shape.item)

    def read(node: Node, context: Context) -> Any:
        if type(node) is not SequenceNode:
            return refuse(node, context, shape.expected)
        if shape.filled and not node.value:
            return context.note("LW104", node, f"expected {shape.expected}, got an empty one")
        trail, result, good = context.trail, [], True
        for index, child in enumerate(node.value):
            trail.append(index)
            value = item(child, context)
            trail.pop()
            good = good and value is not BAD
            result.append(value)
        return tuple(result) if good else BAD

    return read


def _map(shape: sh.MapOf) -> Converter:
    item = _converter(shape.value)
    rule = shape.key_rule

    def read(node: Node, context: Context) -> Any:
        if type(node) is not MappingNode:
            return refuse(node, context, shape.expected)
        entries = read_entries(node, context)
        if entries is None:
            return BAD
        if shape.filled and not entries:
            return context.note("LW104", node, f"expected {shape.expected}, got an empty one")
        trail, result, good = context.trail, {}, True
        for key, key_node, child in entries:
            if rule is not None and (expected := rule(key)):
                context.note("LW122", key_node, f"expected {expected}, got {shorten(key)!r}")
                good = False
            trail.append(key)
            value = item(child, context)
            trail.pop()
            good = good and value is not BAD
            result[key] = value
        return result if good else BAD

    return read


def _keys(shape: sh.Keys) -> Converter:
    """A Struct's mapping. The fields are compiled at first use, for a shape may hold itself."""
    readers: dict[str, tuple[str, Converter]] = {}
    required = tuple(field.key for field in shape.fields.values() if field.required)

    def read(node: Node, context: Context) -> Any:
        if not readers:
            readers.update(
                (field.key, (field.attribute, _converter(field.shape))) for field in shape.fields.values()
            )
        if type(node) is not MappingNode:
            return refuse(node, context, shape.expected)
        values: dict[str, Any] = {}
        seen: dict[str, Node] = {}
        strange: list[str] = []
        good, trail = True, context.trail
        for key_node, child in pairs(node):
            key = key_text(key_node)
            if key in seen:
                line = seen[key].start_mark.line + 1
                context.note("LW110", key_node, f"the key {key!r} stands here again, first in line {line}")
                good = False
                continue
            reader = readers.get(key) if key is not None else None
            if key is not None:
                seen[key] = key_node
            if reader is None or key is None:
                if key is not None:
                    strange.append(key)
                good = _tag(shape, key, key_node, child, context) and good
                continue
            trail.append(key)
            value = reader[1](child, context)
            trail.pop()
            values[reader[0]] = value
            if value is BAD:
                good = False
        if shape.tag and shape.tag[0] not in seen:
            key, tag = shape.tag
            context.note("LW105", node, f"the key {key!r} is missing", remedy=f"add `{key}: {tag}`")
            good = False
        for key in required:
            if key not in seen:
                good = False
                if nearest(key, strange):
                    continue  # misspelt, and reported as such
                context.note(
                    "LW105", node, f"the key {key!r} is missing ({shape.fields[key].shape.expected})"
                )
        if not good:
            return BAD
        return values if shape.plain else shape.struct(**values)

    return read


def _tag(shape: sh.Keys, key: str | None, key_node: Node, child: Node, context: Context) -> bool:
    """Whether a key that is no field is the tag with its right value; otherwise it is a problem."""
    if key is None:
        context.note("LW104", key_node, "expected a name as the key")
        return False
    if shape.tag and key == shape.tag[0]:
        if isinstance(child, ScalarNode) and child.value == shape.tag[1]:
            return True
        context.note("LW104", child, f"expected {shape.tag[1]}, got {describe(child)}", key=key)
        return False
    known = [*shape.fields, *([shape.tag[0]] if shape.tag else [])]
    guess = nearest(key, known)
    context.note(
        "LW103",
        key_node,
        f"unknown key {shorten(key)!r}{guess}",
        remedy="" if guess else f"use one of: {', '.join(known)}",
    )
    return False


# --- steps and expectations ---------------------------------------------------------------------


def _named(shape: sh.Named) -> Converter:
    long = {name: _keys(form.keys) for name, form in shape.forms.items()}
    short = {
        name: _converter(form.keys.fields[form.short].shape)
        for name, form in shape.forms.items()
        if form.short
    }

    def read(node: Node, context: Context) -> Any:
        if isinstance(node, SequenceNode):
            return refuse(node, context, shape.expected)
        if isinstance(node, ScalarNode):
            name, form = _form(shape, node, node.value, context)
            return BAD if form is None else _bare(name, form, node, context)
        entries = read_entries(node, context)
        if entries is None:
            return BAD
        if len(entries) != 1:
            return _not_one(shape, node, entries, context)
        key, key_node, value = entries[0]
        name, form = _form(shape, key_node, key, context)
        if form is None:
            return BAD
        if isinstance(value, ScalarNode) and value.tag == PLAIN and resolve_plain(value.value) is None:
            return _bare(name, form, key_node, context)
        context.trail.append(name)
        try:
            if _is_long(form, value):
                return long[name](value, context)
            return _read_short(form, short[name], value, context)
        finally:
            context.trail.pop()

    return read


def _is_long(form: sh.Form, value: Node) -> bool:
    """See :class:`lakewright.project.shapes.Form` for the rule."""
    if not form.short:
        return True
    if not isinstance(value, MappingNode):
        return False
    if not form.short_is_map:
        return True
    return any(key_text(key) == form.short and isinstance(child, MappingNode) for key, child in pairs(value))


def _read_short(form: sh.Form, reader: Converter, value: Node, context: Context) -> Any:
    before = len(context.problems)
    result = reader(value, context)
    if result is not BAD:
        return form.keys.struct(**{form.keys.fields[form.short].attribute: result})
    if len(context.problems) > before and isinstance(value, MappingNode):
        own = [key for key, _ in pairs(value) if key_text(key) in form.keys.fields]
        if own:
            # A setting was put among the names of the short form.
            last = context.problems[-1]
            hint = f"put the names under `{form.short}:` to set {key_text(own[0])!r} as well"
            context.problems[-1] = Problem(last.code, last.message, last.where, last.tried, hint)
    return BAD


def _bare(name: str, form: sh.Form, node: Node, context: Context) -> Any:
    if form.bare:
        return form.keys.struct()
    missing = [field for field in form.keys.fields.values() if field.required]
    if form.short:
        return context.note(
            "LW105", node, f"{name} needs a value: {form.keys.fields[form.short].shape.expected}"
        )
    keys = ", ".join(field.key for field in missing)
    return context.note("LW105", node, f"{name} needs settings: {keys}")


def _form(shape: sh.Named, node: Node, name: str, context: Context) -> tuple[str, sh.Form | None]:
    form = shape.forms.get(name)
    if form is None:
        what = shape.what.split()[-1]
        guess = nearest(name, shape.forms)
        context.note(
            "LW103",
            node,
            f"unknown {what} {shorten(name)!r}{guess}",
            remedy="" if guess else f"use one of: {', '.join(shape.forms)}",
        )
    return name, form


def _not_one(shape: sh.Named, node: Node, entries: list[tuple[str, Node, Node]], context: Context) -> Any:
    if not entries:
        return context.note("LW104", node, f"expected {shape.expected}, got an empty mapping")
    first, rest = entries[0][0], ", ".join(key for key, _, _ in entries[1:])
    what = shape.what.split()[-1]
    remedy = f"indent {rest} under {first}, or start each {what} with its own dash"
    return context.note(
        "LW104", node, f"expected one key, the {what}'s name, got {len(entries)}", remedy=remedy
    )


# --- unions -------------------------------------------------------------------------------------


def _one_of(shape: sh.OneOf) -> Converter:
    """A union, decided by what kind of node there is; among scalars, by the type of the value."""
    by_kind: dict[str, Converter] = {}
    for one in shape.shapes:
        for kind in _KINDS[type(one)]:
            by_kind.setdefault(kind, _converter(one))
    secret = next((_converter(one) for one in shape.shapes if isinstance(one, sh.Text) and one.secret), None)
    if secret is not None:
        # A secret that looks like a number must not be shown as "got the number …".
        for kind in _KINDS[sh.Free]:
            by_kind.setdefault(kind, secret)

    def read(node: Node, context: Context) -> Any:
        if type(node) is SequenceNode:
            reader = by_kind.get("list")
        elif type(node) is MappingNode:
            reader = by_kind.get("map")
        else:
            assert type(node) is ScalarNode
            reader = by_kind.get(_kind(node, context))
        if reader is None:
            return refuse(node, context, shape.expected)
        return reader(node, context)

    def _kind(node: ScalarNode, context: Context) -> str:
        if "${" not in node.value:
            return _word(scalar(node))
        if "str" in by_kind and (node.tag != PLAIN or len(by_kind.keys() & _SCALARS) <= 2):
            return "str"
        if context.environment is not None:
            text = scalars.expand_quietly(node.value, context.environment)
            kind = _word(resolve_plain(text))
            if kind in by_kind:
                return kind
        return next((one for one in ("str", "int", "float", "bool") if one in by_kind), "")

    return read


_SCALARS = frozenset({"str", "int", "float", "bool", "null"})


def _word(value: object) -> str:
    if value is None:
        return "null"
    return type(value).__name__


_KINDS: dict[type, tuple[str, ...]] = {
    sh.Text: ("str",),
    sh.Choice: ("str",),
    sh.Integer: ("int",),
    sh.Number: ("float", "int"),
    sh.Boolean: ("bool",),
    sh.Null: ("null",),
    sh.ListOf: ("list",),
    sh.MapOf: ("map",),
    sh.Keys: ("map",),
    sh.Free: ("str", "int", "float", "bool", "null", "list", "map"),
}

_COMPILERS: dict[type, Callable[[Any], Converter]] = {
    sh.Text: scalars.text,
    sh.Integer: scalars.number,
    sh.Number: scalars.number,
    sh.Boolean: scalars.boolean,
    sh.Null: scalars.null,
    sh.Choice: scalars.choice,
    sh.Free: _free,
    sh.ListOf: _list,
    sh.MapOf: _map,
    sh.Keys: _keys,
    sh.Named: _named,
    sh.OneOf: _one_of,
}


@cache
def _converter(shape: sh.Shape) -> Converter:
    return _COMPILERS[type(shape)](shape)
