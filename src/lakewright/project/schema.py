"""JSON Schemas of the project's files, made from the same shapes as the converter.

They accept every file that loads. What a schema cannot say (SQL types, regular expressions, names
that other files define) is left to ``lakewright check``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from lakewright.project import rules
from lakewright.project import shapes as sh
from lakewright.project.meanings import meaning
from lakewright.spec.dataset import DatasetFile
from lakewright.spec.project import ProjectFile, UnitTest
from lakewright.spec.sources import SOURCES
from lakewright.spec.warehouse import Warehouse

__all__ = ["KINDS", "json_schemas"]

Schema = dict[str, Any]

#: Each kind of file: where such files lie, and the Structs that one may become.
KINDS: dict[str, tuple[str, tuple[type[msgspec.Struct], ...]]] = {
    "lakewright.yaml": ("lakewright.yaml", (ProjectFile,)),
    "source": ("sources/<source>.yaml", tuple(SOURCES.values())),
    "dataset": ("datasets/<zone>/<name>.yaml", (DatasetFile,)),
    "warehouse": ("warehouses/<name>.yaml", (Warehouse,)),
    "test": ("tests/<any name>.yaml", (UnitTest,)),
}

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Schema = {
    "type": "string",
    "pattern": r"\$\{[^{}]+\}",
    "description": "A reference to the environment: ${NAME}, ${env:NAME} or ${NAME:-default}.",
}


def json_schemas() -> dict[str, Schema]:
    """The schema (draft 2020-12) of each kind of file: ``lakewright.yaml``, ``source``, ``dataset``, ``warehouse``, ``test``."""
    return {kind: _document(kind, place, structs) for kind, (place, structs) in KINDS.items()}


def _document(kind: str, place: str, structs: tuple[type[msgspec.Struct], ...]) -> Schema:
    maker = _Maker()
    forms = [maker.make(sh.shape_of(struct)) for struct in structs]
    root = forms[0] if len(forms) == 1 else {"anyOf": forms}
    if kind == "test":
        root = {"anyOf": [root, {"type": "array", "items": root}]}
    elif kind == "dataset":
        # A file of comments only: everything is said by the query beside it.
        root = {"anyOf": [root, {"type": "null"}]}
    return {"$schema": _DIALECT, "title": f"Lakewright: {place}", **root, "$defs": maker.defs}


def describe(struct: type) -> str:
    """The docstring of a spec Struct as one text, with Markdown's backticks."""
    return inspect.cleandoc(struct.__doc__ or "").replace("``", "`")


class _Maker:
    """Makes schemas; Structs go to ``defs`` and are referred to."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}

    def make(self, shape: sh.Shape) -> Schema:
        """The schema of one shape."""
        return _MAKERS[type(shape)](self, shape)

    def text(self, shape: sh.Text) -> Schema:
        if shape.secret == "only":  # noqa: S105
            return {**_REFERENCE, "description": "A reference: ${secret:NAME} or ${NAME}; never the secret."}
        pattern = rules.PATTERNS.get(shape.rule) if shape.rule else None
        if pattern is None:
            return {"type": "string"}
        schema: Schema = {"type": "string", "pattern": pattern}
        return schema if shape.literal else {"anyOf": [schema, _REFERENCE]}

    def number(self, shape: sh.Integer | sh.Number) -> Schema:
        schema: Schema = {"type": "integer" if isinstance(shape, sh.Integer) else "number"}
        if shape.low is not None:
            schema["minimum"] = shape.low
        if shape.high is not None:
            schema["maximum"] = shape.high
        return {"anyOf": [schema, _REFERENCE]}

    def boolean(self, _shape: sh.Boolean) -> Schema:
        return {"anyOf": [{"type": "boolean"}, _REFERENCE]}

    def choice(self, shape: sh.Choice) -> Schema:
        return {"anyOf": [{"enum": list(shape.values)}, _REFERENCE]}

    def null(self, _shape: sh.Null) -> Schema:
        return {"type": "null"}

    def free(self, _shape: sh.Free) -> Schema:
        return {}

    def list(self, shape: sh.ListOf) -> Schema:
        schema: Schema = {"type": "array", "items": self.make(shape.item)}
        if shape.filled:
            schema["minItems"] = 1
        return schema

    def map(self, shape: sh.MapOf) -> Schema:
        schema: Schema = {"type": "object", "additionalProperties": self.make(shape.value)}
        pattern = rules.PATTERNS.get(shape.key_rule) if shape.key_rule else None
        if pattern is not None:
            schema["propertyNames"] = {"pattern": pattern}
        if shape.filled:
            schema["minProperties"] = 1
        return schema

    def keys(self, shape: sh.Keys) -> Schema:
        name = shape.struct.__name__
        if name not in self.defs:
            self.defs[name] = {}  # stands for it while its fields are made, for a shape may hold itself
            self.defs[name] = self.struct(shape)
        return {"$ref": f"#/$defs/{name}"}

    def struct(self, shape: sh.Keys) -> Schema:
        properties: dict[str, Schema] = {}
        required = [field.key for field in shape.fields.values() if field.required]
        if shape.tag:
            properties[shape.tag[0]] = {"const": shape.tag[1]}
            required.insert(0, shape.tag[0])
        for field in shape.fields.values():
            schema = self.make(field.shape)
            if sentence := meaning(shape.struct, field.key):
                schema = {**schema, "description": sentence.replace("`", "")}
            if isinstance(field.default, str | int | float) and field.default != "":
                schema = {**schema, "default": field.default}
            properties[field.key] = schema
        result: Schema = {
            "type": "object",
            "description": describe(shape.struct),
            "properties": properties,
            "additionalProperties": False,
        }
        if required:
            result["required"] = required
        return result

    def named(self, shape: sh.Named) -> Schema:
        """``- name`` or ``- name: settings``; exactly one name."""
        bare = [name for name, form in shape.forms.items() if form.bare]
        single: Schema = {
            "type": "object",
            "properties": {name: self.form(form) for name, form in shape.forms.items()},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        # YAML has a word of its own for the name `null`
        names = [*bare, *([None] if "null" in bare else [])]
        return {"anyOf": [{"enum": names}, single]} if bare else single

    def form(self, form: sh.Form) -> Schema:
        """The long form, the short one, and nothing where nothing is needed; see :class:`shapes.Form`."""
        options = [self.make(form.keys)]
        if form.short:
            field = form.keys.fields[form.short]
            short = self.make(field.shape)
            if form.short_is_map:
                # The long form is known by its entry of that name holding a mapping.
                value = short["additionalProperties"]
                reserved = {"allOf": [value, {"not": {"type": "object"}}]}
                short = {**short, "properties": {form.short: reserved}}
            options.append(short)
        if form.bare:
            options.append({"type": "null"})
        return options[0] if len(options) == 1 else {"anyOf": options}

    def one_of(self, shape: sh.OneOf) -> Schema:
        options: list[Schema] = []
        for one in shape.shapes:
            made = self.make(one)
            for option in made["anyOf"] if set(made) == {"anyOf"} else [made]:
                if option not in options:
                    options.append(option)
        return options[0] if len(options) == 1 else {"anyOf": options}


_MAKERS: dict[type, Callable[[_Maker, Any], Schema]] = {
    sh.Text: _Maker.text,
    sh.Integer: _Maker.number,
    sh.Number: _Maker.number,
    sh.Boolean: _Maker.boolean,
    sh.Choice: _Maker.choice,
    sh.Null: _Maker.null,
    sh.Free: _Maker.free,
    sh.ListOf: _Maker.list,
    sh.MapOf: _Maker.map,
    sh.Keys: _Maker.keys,
    sh.Named: _Maker.named,
    sh.OneOf: _Maker.one_of,
}
