"""How one column is converted, as expressions in layers, and the small trees that all conversions use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from lakewright.sql.names import column

__all__ = ["Conversion", "case", "is_null", "try_cast"]


@dataclass(frozen=True)
class Conversion:
    """Helper columns in layers, each over the ones before, and the converted value over all of them.

    A helper is computed once per row and used several times; without the layers an engine computes
    it each time. ``text`` says that the source is text, so that blank values are null; ``total``,
    that every value converts.
    """

    layers: tuple[Mapping[str, exp.Expr], ...]
    value: exp.Expr
    text: bool = False
    total: bool = False

    def inlined(self, names: Mapping[str, exp.Expr]) -> exp.Expr:
        """Return the value as one expression, the helpers and *names* put in place."""
        known: dict[str, exp.Expr] = dict(names)
        for layer in self.layers:
            known |= {name: _replaced(one, known) for name, one in layer.items()}
        return _replaced(self.value, known)


def _replaced(tree: exp.Expr, known: Mapping[str, exp.Expr]) -> exp.Expr:
    def one(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name in known:
            return known[node.name].copy()
        return node

    return tree.copy().transform(one, copy=False)


def try_cast(value: exp.Expr | str, kind: exp.DataType | str) -> exp.TryCast:
    """Return TRY_CAST of a value or of the column named; always a TRY_CAST, also when rendered for DuckDB."""
    this = column(value) if isinstance(value, str) else value.copy()
    to = exp.DataType.build(kind, dialect="duckdb") if isinstance(kind, str) else kind.copy()
    return exp.TryCast(this=this, to=to, safe=True)


def is_null(value: exp.Expr) -> exp.Is:
    """Return ``value IS NULL``."""
    return exp.Is(this=value, expression=exp.Null())


def case(*pairs: tuple[exp.Expr, exp.Expr], otherwise: exp.Expr | None = None) -> exp.Case:
    """Return CASE WHEN … THEN … for each pair, and ELSE *otherwise*."""
    built = exp.Case()
    for condition, value in pairs:
        built = built.when(condition, value, copy=False)
    return built.else_(otherwise, copy=False) if otherwise is not None else built
