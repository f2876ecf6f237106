"""Conditions on rows as suites write them, turned into SQL: structured, ``col("a") > 1``, pandas' and Spark's.

Each is read into a tree and written out by SQLGlot; no text of a suite is pasted into SQL.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["NotSupported", "row_condition"]

_COMPARISONS = {
    "==": "EQ", "=": "EQ", "!=": "NEQ", "<>": "NEQ", "<": "LT", "<=": "LTE", ">": "GT", ">=": "GTE",
}  # fmt: skip
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not_in",
}  # fmt: skip
_COLUMN = re.compile(
    r"""\s*col\(\s*(?P<quote>["'])(?P<name>.*?)(?P=quote)\s*\)\s*"""
    r"""(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.+?)|\.(?P<null>notNull|isNull|is_null|is_not_null)\(\s*\))\s*\Z""",
    re.DOTALL,
)


class NotSupported(Exception):
    """Part of a suite that has no counterpart here; the message says what."""


def row_condition(given: Any, parser: Any) -> str:
    """Return a suite's row condition as SQL in DuckDB's words; raises NotSupported."""
    if isinstance(given, Mapping):
        return _written(_structured(given, parser))
    if not isinstance(given, str) or not given.strip():
        raise NotSupported(f"the row_condition {given!r}")
    if parser in ("great_expectations", "great_expectations__experimental__"):
        return _written(_column_condition(given))
    if parser == "pandas":
        return _written(_pandas(given))
    return _sql(given)


def _written(tree: exp.Expr) -> str:
    return tree.sql("duckdb")


def _column(name: str) -> exp.Expr:
    from sqlglot import exp

    return exp.column(exp.to_identifier(name, quoted=True))


def _constant(value: Any) -> exp.Expr:
    from sqlglot import exp

    if value is not None and not isinstance(value, str | int | float | bool):
        raise NotSupported(f"a row_condition with {value!r}")
    return exp.convert(value)


def _compared(left: exp.Expr, operator: str, value: Any) -> exp.Expr:
    from sqlglot import exp

    word = operator.lower()
    if word in ("in", "not_in"):
        if not isinstance(value, list | tuple):
            raise NotSupported(f"a row_condition with {value!r}")
        found: exp.Expr = exp.In(this=left, expressions=[_constant(one) for one in value])
        return exp.not_(found) if word == "not_in" else found
    if operator not in _COMPARISONS:
        raise NotSupported(f"a row_condition with {operator!r}")
    right = value if isinstance(value, exp.Expr) else _constant(value)
    kind: type[exp.Expr] = getattr(exp, _COMPARISONS[operator])
    return kind(this=left, expression=right)


def _null(left: exp.Expr, is_null: bool) -> exp.Expr:
    from sqlglot import exp

    found = exp.Is(this=left, expression=exp.Null())
    return found if is_null else exp.not_(found)


def _structured(given: Mapping[str, Any], parser: Any) -> exp.Expr:
    from sqlglot import exp

    kind = given.get("type")
    if kind == "pass_through" and isinstance(given.get("pass_through_filter"), str):
        return _parsed(row_condition(given["pass_through_filter"], parser))
    if kind in ("and", "or") and isinstance(given.get("conditions"), list) and given["conditions"]:
        parts = [
            exp.paren(_structured(one, parser)) for one in given["conditions"] if isinstance(one, Mapping)
        ]
        return exp.and_(*parts) if kind == "and" else exp.or_(*parts)
    column = given.get("column")
    name = column.get("name") if isinstance(column, Mapping) else column
    if isinstance(name, str) and kind == "nullity":
        return _null(_column(name), bool(given.get("is_null")))
    if isinstance(name, str) and kind == "comparison":
        return _compared(_column(name), str(given.get("operator")), given.get("parameter"))
    raise NotSupported(f"the row_condition {dict(given)!r}")


def _column_condition(text: str) -> exp.Expr:
    found = _COLUMN.match(text)
    if found is None:
        raise NotSupported(f"the row_condition {text!r}")
    left = _column(found["name"])
    if found["null"]:
        return _null(left, found["null"] in ("isNull", "is_null"))
    value = found["value"]
    if dated := re.fullmatch(r"""date\(\s*(["'])(.*?)\1\s*\)""", value):
        value = repr(dated[2])
    try:
        return _compared(left, found["operator"], ast.literal_eval(value))
    except (ValueError, SyntaxError):
        raise NotSupported(f"the row_condition {text!r}") from None


def _sql(text: str) -> str:
    _parsed(text)
    return text


def _parsed(text: str) -> exp.Expr:
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    try:
        return parse_one(text, dialect="duckdb")
    except SqlglotError:
        raise NotSupported(f"the row_condition {text!r}") from None


# --- pandas: the part of its query language that compares columns with constants ------------------

_BACKTICKS = re.compile(r"`([^`]+)`")


def _pandas(text: str) -> exp.Expr:
    names: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        names[f"_column_{len(names)}"] = match[1]
        return f"_column_{len(names) - 1}"

    source = _BACKTICKS.sub(named, text.strip())
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError:
        raise NotSupported(f"the row_condition {text!r}") from None
    return _Pandas(names, text).condition(tree)


class _Pandas:
    def __init__(self, names: Mapping[str, str], text: str) -> None:
        self.names, self.text = names, text

    def condition(self, node: ast.expr) -> exp.Expr:
        """Return a truth value of pandas' query language as SQL."""
        from sqlglot import exp

        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return exp.and_(*(exp.paren(self.condition(one)) for one in values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return exp.or_(*(exp.paren(self.condition(one)) for one in values))
            case ast.BinOp(op=ast.BitAnd(), left=left, right=right):
                return exp.and_(exp.paren(self.condition(left)), exp.paren(self.condition(right)))
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return exp.or_(exp.paren(self.condition(left)), exp.paren(self.condition(right)))
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return exp.not_(exp.paren(self.condition(operand)))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [left, *others]
                parts = [self.compared(a, op, b) for a, op, b in zip(sides, ops, others, strict=False)]
                return exp.and_(*parts)
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=attribute), args=[]):
                if attribute in ("isnull", "isna", "notnull", "notna"):
                    return _null(self.value(name), attribute.startswith("is"))
        raise NotSupported(f"the row_condition {self.text!r}")

    def compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> exp.Expr:
        """Return one comparison; as in pandas, a null differs from everything."""
        from sqlglot import exp

        word = _OPERATORS.get(type(operator))
        if word is None:
            raise NotSupported(f"the row_condition {self.text!r}")
        if word in ("in", "not_in"):
            try:
                return _compared(self.value(left), word, list(ast.literal_eval(right)))
            except (ValueError, TypeError):
                raise NotSupported(f"the row_condition {self.text!r}") from None
        if word == "!=":
            return exp.NullSafeNEQ(this=self.value(left), expression=self.value(right))
        return _compared(self.value(left), word, self.value(right))

    def value(self, node: ast.expr) -> exp.Expr:
        """Return a column or a constant."""
        match node:
            case ast.Name(id=name):
                return _column(self.names.get(name, name))
            case ast.Constant(value=value):
                return _constant(value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return _constant(-value)
            case _:
                raise NotSupported(f"the row_condition {self.text!r}")
