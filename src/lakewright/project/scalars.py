"""Convert scalar nodes: text, numbers, truth values and choices, with their references replaced."""

from __future__ import annotations

from typing import Any

from yaml.nodes import Node, ScalarNode

from lakewright.errors import nearest
from lakewright.project import shapes as sh
from lakewright.project.context import BAD, Bad, Context, Converter, describe, refuse
from lakewright.project.document import resolve_plain, scalar
from lakewright.project.environment import Environment, Reference, expand, references
from lakewright.project.guards import literal_password

__all__ = ["boolean", "choice", "expand_quietly", "null", "number", "text"]


def _expanded(node: ScalarNode, context: Context, keep_secrets: bool = False) -> str | Bad:
    """The text of *node* with its references replaced."""
    text: str = node.value
    try:
        found = references(text)
    except ValueError as error:
        return context.note("LW104", node, str(error), remedy="write $${ for a literal ${")
    if not keep_secrets and any(one.kind == "secret" for one in found):
        return context.note("LW104", node, "a secret cannot stand here", remedy=_PLACES)
    if context.environment is None and found:
        return BAD
    environment = context.environment or Environment({})
    text, missing = expand(text, lambda one: environment.get(one.name), keep_secrets=keep_secrets)
    for one in missing:
        _missing(one, node, context)
    return BAD if missing else text


_PLACES = "secrets are read in keys, tokens and connection strings only; use ${NAME} elsewhere"


def _missing(one: Reference, node: Node, context: Context) -> None:
    context.note(
        "LW106",
        node,
        f"the environment variable {one.name} is not set",
        remedy=f"set {one.name}, put it into .env, or write ${{{one.name}:-default}}",
    )


def text(shape: sh.Text) -> Converter:
    rule, literal = shape.rule, shape.literal
    if shape.secret == "only":  # noqa: S105
        return _secret
    inside = shape.secret == "inside"  # noqa: S105

    def read(node: Node, context: Context) -> Any:
        if type(node) is not ScalarNode:
            return refuse(node, context, "text")
        value = node.value
        if "${" in value and not literal:
            value = _expanded(node, context, inside)
            if value is BAD:
                return BAD
        elif not isinstance(scalar(node), str):
            if inside:
                return context.note("LW104", node, "expected text", remedy="put it in quotes")
            return refuse(node, context, "text", "put it in quotes" if value else "")
        if inside and literal_password(node.value):
            return context.note("LW108", node, "holds a password in plain text")
        if rule is not None and not (inside and "${secret:" in value):
            expected = rule(value)
            if expected:
                got = "another text" if inside else describe(node)
                got = "" if ", got" in expected else f", got {got}"
                return context.note("LW104", node, f"expected {expected}{got}")
        return value

    return read


def _secret(node: Node, context: Context) -> Any:
    """A field that is nothing but a secret. Its value is never part of a message, nor of the project."""
    if type(node) is not ScalarNode:
        return context.note("LW104", node, "expected a reference such as ${secret:NAME}")
    text: str = node.value
    try:
        found = references(text)
    except ValueError as error:
        return context.note("LW104", node, str(error))
    if not found or any(one.default for one in found):
        return context.note("LW108", node, "holds a secret in plain text")
    if context.environment is None:
        return BAD
    missing = [one for one in found if one.kind == "env" and one.name not in context.environment]
    for one in missing:
        _missing(one, node, context)
    return BAD if missing else text


def number(shape: sh.Integer | sh.Number) -> Converter:
    whole = isinstance(shape, sh.Integer)
    low, high = shape.low, shape.high

    def read(node: Node, context: Context) -> Any:
        value = _scalar_value(node, context)
        if value is BAD:
            return BAD
        good = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not good:
            return refuse(node, context, shape.expected)
        if not whole:
            try:
                value = float(value)
            except OverflowError:
                return refuse(node, context, shape.expected)
        if (
            (low is not None and not value >= low)
            or (high is not None and not value <= high)
            or value != value
        ):
            return refuse(node, context, shape.expected)
        return value

    return read


def _scalar_value(node: Node, context: Context) -> Any:
    """The value of a scalar; what a reference gives is typed by what it looks like."""
    if type(node) is not ScalarNode:
        return node
    if "${" in node.value:
        text = _expanded(node, context)
        return text if text is BAD else resolve_plain(text)
    return scalar(node)


def boolean(shape: sh.Boolean) -> Converter:
    def read(node: Node, context: Context) -> Any:
        value = _scalar_value(node, context)
        if value is BAD or isinstance(value, bool):
            return value
        return refuse(node, context, shape.expected)

    return read


def null(shape: sh.Null) -> Converter:
    def read(node: Node, context: Context) -> Any:
        if type(node) is ScalarNode and scalar(node) is None:
            return None
        return refuse(node, context, shape.expected)

    return read


def choice(shape: sh.Choice) -> Converter:
    values = frozenset(shape.values)

    def read(node: Node, context: Context) -> Any:
        if type(node) is not ScalarNode:
            return refuse(node, context, shape.expected)
        value = node.value
        if "${" in value:
            value = _expanded(node, context)
            if value is BAD:
                return BAD
        if value in values:
            return value
        return context.note(
            "LW104", node, f"expected {shape.expected}, got {describe(node)}{nearest(value, values)}"
        )

    return read


def expand_quietly(text: str, environment: Environment) -> str:
    """*text* with what can be replaced replaced; what cannot is reported elsewhere."""
    try:
        return expand(text, lambda one: environment.get(one.name))[0]
    except ValueError:
        return text
