"""Conditions of a role's query that may be looked at before its rows are handed over, so that fewer are.

A comparison of a column with a constant cannot fail on a row, nor tell of it, as long as no value of the column is
converted. Such conditions leave out rows that the query leaves out itself, wherever it stands: they are taken
only from the ``WHERE`` of a ``SELECT`` over one table that the query names once. The query applies them again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlglot import exp

from lakewright.sql.names import column, literal

__all__ = ["conditions_before"]

_COMPARE: dict[str, type[exp.Binary]] = {
    "COMPARE_EQUAL": exp.EQ,
    "COMPARE_LESSTHAN": exp.LT,
    "COMPARE_LESSTHANOREQUALTO": exp.LTE,
    "COMPARE_GREATERTHAN": exp.GT,
    "COMPARE_GREATERTHANOREQUALTO": exp.GTE,
}
_TURNED: dict[type[exp.Binary], type[exp.Binary]] = {
    exp.EQ: exp.EQ, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.GTE: exp.LTE,
}  # fmt: skip
_WHOLE = re.compile(r"(TINY|SMALL|BIG)?INT|INTEGER|DOUBLE|FLOAT")
_TIME = re.compile(r"DATE|TIMESTAMP")
#: Whole numbers that a DOUBLE holds exactly.
_EXACT = 2**53


def conditions_before(
    tree: Mapping[str, Any], id: str, types: Mapping[str, str], converts: Callable[[str, str], bool]
) -> list[exp.Expr]:
    """Return the conditions of the query of *tree* that rows of the dataset *id* can be held to beforehand.

    *types* are the DuckDB types of the columns that the role sees clear; *converts* tells whether a
    text is a constant of a type.
    """
    nodes = list(_nodes(tree.get("statements")))
    places = [one for one in nodes if one.get("type") == "BASE_TABLE" and _id(one) == id]
    if len(places) != 1 or any(one.get("type") == "COLUMN_REF" and "rowid" in _lower(one) for one in nodes):
        return []
    lower = {name.lower(): name for name in types}
    for node in nodes:
        if node.get("type") == "SELECT_NODE" and node.get("from_table") is places[0]:
            if node.get("sample") or places[0].get("sample") or places[0].get("column_name_alias"):
                return []
            found = (_condition(one, lower, types, converts) for one in _all_of(node.get("where_clause")))
            return [one for one in found if one is not None]
    return []


def _nodes(start: Any) -> Iterator[dict[str, Any]]:
    open_ = [start]
    while open_:
        node = open_.pop()
        if isinstance(node, list):
            open_ += node
        elif isinstance(node, dict):
            yield node
            open_ += node.values()


def _id(table: Mapping[str, Any]) -> str:
    return f"{table.get('schema_name')}.{table.get('table_name')}".lower()


def _lower(reference: Mapping[str, Any]) -> list[str]:
    return [str(one).lower() for one in reference.get("column_names") or ()]


def _all_of(where: Any) -> Iterator[dict[str, Any]]:
    if isinstance(where, dict) and where.get("type") == "CONJUNCTION_AND":
        for one in where.get("children") or ():
            yield from _all_of(one)
    elif isinstance(where, dict):
        yield where


def _condition(
    node: Mapping[str, Any],
    lower: Mapping[str, str],
    types: Mapping[str, str],
    converts: Callable[[str, str], bool],
) -> exp.Expr | None:
    def named(one: Any) -> str | None:
        names = _lower(one) if isinstance(one, dict) and one.get("type") == "COLUMN_REF" else []
        return lower.get(names[0]) if len(names) == 1 else None

    kind = str(node.get("type"))
    if kind in _COMPARE:
        operator, left, right = _COMPARE[kind], node.get("left"), node.get("right")
        if named(left) is None:
            operator, left, right = _TURNED[operator], right, left
        name = named(left)
        value = _constant(right, types[name], converts) if name is not None else None
        return (
            operator(this=column(name), expression=value) if name is not None and value is not None else None
        )
    if kind == "COMPARE_BETWEEN" and (name := named(node.get("input"))) is not None:
        low, high = (_constant(node.get(one), types[name], converts) for one in ("lower", "upper"))
        if low is not None and high is not None:
            return exp.Between(this=column(name), low=low, high=high)
    if kind == "COMPARE_IN" and (listed := node.get("children")) and (name := named(listed[0])) is not None:
        values = [_constant(one, types[name], converts) for one in listed[1:]]
        if all(one is not None for one in values):
            return exp.In(this=column(name), expressions=values)
    return None


def _constant(node: Any, type: str, converts: Callable[[str, str], bool]) -> exp.Expr | None:
    """The constant of *node* where comparing it with a column of *type* converts no value of the column."""
    if not isinstance(node, dict):
        return None
    if (
        node.get("type") == "OPERATOR_CAST"
        and (node.get("cast_type") or {}).get("id") == type
        and _TIME.fullmatch(type)
    ):
        node = node.get("child")
    value = node.get("value") if isinstance(node, dict) and node.get("type") == "VALUE_CONSTANT" else None
    if not isinstance(value, dict) or value.get("is_null"):
        return None
    kind, given = (value.get("type") or {}).get("id"), value.get("value")
    if kind in ("INTEGER", "BIGINT") and isinstance(given, int) and abs(given) < _EXACT:
        return literal(given) if _WHOLE.fullmatch(type) else None
    if kind != "VARCHAR" or not isinstance(given, str):
        return None
    if type == "VARCHAR":
        return literal(given)
    if _TIME.fullmatch(type) and converts(given, type):
        return exp.cast(literal(given), type)
    return None
