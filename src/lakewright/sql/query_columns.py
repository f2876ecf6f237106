"""The columns that a query gives, with types where they follow from the datasets' own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.sql.query import place
from lakewright.sql.query_relation import Relation, Unknown
from lakewright.sql.query_scope import Resolver

__all__ = ["output_columns", "problem_of", "resolve", "type_of"]

# Where sqlglot's types are not DuckDB's: sums widen, decimals grow, division is floating point.
_NOT_TRUSTED: tuple[type[exp.Expr], ...] = (
    exp.Sum, exp.Avg, exp.Binary, exp.Round, exp.Unary, exp.Anonymous, exp.Quantile, exp.PercentileCont, exp.Abs,
    exp.Extract, exp.GenerateSeries, exp.Struct, exp.Map, exp.Array, exp.Bracket, exp.Dot, exp.Subquery, exp.Ceil,
    exp.Floor, exp.Mod, exp.Interval, exp.Median, exp.Stddev, exp.Variance, exp.ArgMax, exp.ArgMin, exp.UnixToTime,
)  # fmt: skip
_TRUTH = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like, exp.Exists)
_COUNTS = (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.CountIf, exp.Ntile)
_SAME = (
    exp.Min,
    exp.Max,
    exp.AnyValue,
    exp.First,
    exp.Last,
    exp.FirstValue,
    exp.LastValue,
    exp.Lag,
    exp.Lead,
)
_TEXTS = (exp.Upper, exp.Lower, exp.Trim, exp.Concat, exp.ConcatWs, exp.DPipe, exp.Substring, exp.Replace,
          exp.RegexpReplace, exp.SplitPart, exp.TimeToStr, exp.MD5, exp.Initcap, exp.Pad)  # fmt: skip


def output_columns(query: exp.Query, schema: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the names of the columns that *query* gives, in order, each with its DuckDB type.

    *schema* maps dataset ids to their columns and types; a dataset that it does not name may have
    any columns, and what comes from there through ``*`` is not listed. A type is ``""`` where it
    does not follow for certain. Raises ProjectError (LW305) for references to columns that are not
    there, all of them, with the nearest right name.
    """
    relations = {id: Relation.of(id, columns) for id, columns in schema.items()}
    relation, unknown = resolve(query, relations, types=True)
    if unknown:
        raise ProjectError([problem_of(one) for one in unknown])
    return {col.name: col.type for col in relation.visible()}


def resolve(
    query: exp.Query, datasets: Mapping[str, Relation], *, types: bool = False
) -> tuple[Relation, list[Unknown]]:
    """Return what *query* gives over *datasets*, and its references to columns that cannot be there."""
    resolver = Resolver(datasets, type_of if types else None)
    relation = resolver.query(query)
    return relation, list(dict.fromkeys(resolver.unknown))


def problem_of(unknown: Unknown, where: Where | None = None) -> Problem:
    """Return the LW305 problem that tells of *unknown*; *where* defaults to its place in the query."""
    near = nearest(unknown.name, unknown.known) or _same_start(unknown.name, unknown.known)
    owner = unknown.dataset or unknown.relation
    shown = (
        f"{owner} has no column {unknown.name!r}" if owner else f"there is no column {unknown.name!r} here"
    )
    columns = tuple(dict.fromkeys(unknown.known))
    listed = ", ".join(columns[:20]) + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")
    return Problem(
        "LW305",
        shown + near,
        where or place(unknown.node) or Where(str(unknown.node.root().meta.get("path", ""))),
        remedy=f"use one of its columns: {listed}" if listed else "",
    )


def _same_start(name: str, known: tuple[str, ...]) -> str:
    found = [
        one
        for one in known
        if name and (one.lower().startswith(name.lower()) or one.lower().endswith(name.lower()))
    ]
    return f"; did you mean {found[0]!r}?" if len(found) == 1 else ""


def type_of(node: exp.Expr, column: Callable[[exp.Column], str]) -> str:
    """Return the DuckDB type of an expression over columns whose type *column* tells, or ``""``."""
    if isinstance(node, exp.Column):
        return column(node)
    if isinstance(node, exp.Paren | exp.Alias | exp.Window | exp.Filter | exp.Neg):
        return type_of(node.this, column)
    if isinstance(node, exp.Cast | exp.TryCast):
        return _spelled(node.to)
    if isinstance(node, exp.Literal):
        return (
            "VARCHAR" if node.is_string else "INTEGER" if node.is_int and abs(int(node.name)) < 2**31 else ""
        )
    if isinstance(node, _COUNTS):
        return "BIGINT"
    if isinstance(node, _SAME):
        return type_of(node.this, column)
    if isinstance(node, _TEXTS):
        return "VARCHAR"
    if isinstance(node, exp.Coalesce):
        return _one({type_of(one, column) for one in (node.this, *node.expressions)})
    if isinstance(node, exp.Case | exp.If):
        values = [one.args.get("true") for one in node.args.get("ifs") or ()]
        values += [node.args.get("default"), node.args.get("true"), node.args.get("false")]
        kinds = {type_of(one, column) for one in values if one is not None and not isinstance(one, exp.Null)}
        return _one(kinds)
    if isinstance(node, _TRUTH):
        return "BOOLEAN"
    if isinstance(node, exp.Func) and not isinstance(node, _NOT_TRUSTED):
        return _annotated(node, column)
    return ""


def _one(kinds: set[str]) -> str:
    return kinds.pop() if len(kinds) == 1 else ""


def _annotated(node: exp.Expr, column: Callable[[exp.Column], str]) -> str:
    copy = node.copy()
    for mine, theirs in zip(node.find_all(exp.Column), copy.find_all(exp.Column), strict=True):
        text = column(mine)
        if not text:
            return ""
        try:
            theirs.type = exp.DataType.build(text, dialect="duckdb")
        except SqlglotError:
            return ""
    found = annotate_types(copy, dialect="duckdb", overwrite_types=False).type
    if found is None or found.is_type(exp.DType.UNKNOWN, exp.DType.NULL, exp.DType.DECIMAL):
        return ""
    return _spelled(found)


def _spelled(type_: exp.DataType) -> str:
    """DuckDB's own spelling of a type."""
    text = re.sub(r"(DECIMAL\(\d+), (\d+\))", r"\1,\2", type_.sql("duckdb").upper())
    return _WORD.sub(lambda found: _SPELLINGS[found[0]], text)


_SPELLINGS = {"TEXT": "VARCHAR", "INT": "INTEGER", "REAL": "FLOAT", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
_WORD = re.compile(rf"\b({'|'.join(_SPELLINGS)})\b(?! WITH)")
