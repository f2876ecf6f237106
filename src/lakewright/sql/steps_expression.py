"""Expressions that a user writes in steps: one expression over one row, columns checked and quoted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.errors import Problem, ProjectError, Where
from lakewright.sql.dialect import annotate
from lakewright.sql.lineage_steps import expression
from lakewright.sql.names import column

if TYPE_CHECKING:
    from lakewright.sql.steps_rows import Rows

__all__ = ["Meaning", "user_expression"]


@dataclass(frozen=True)
class Meaning:
    """An expression with its columns spelled as they are in the rows; ``windows`` says it looks at other rows."""

    tree: exp.Expr
    windows: bool


def user_expression(
    text: str, rows: Rows, *, aggregates: bool = False, by: Sequence[str] | None = None
) -> Meaning:
    """Return what the SQL *text* says over the present columns of *rows*.

    With *aggregates*, columns outside an aggregate function must be among *by*. Raises ProjectError:
    LW301 for what is not one expression, LW303 for functions that reach outside and for queries
    inside, LW305 for unknown columns, LW311 for aggregates where there are no groups.
    """
    try:
        tree = expression(text, rows.path).copy()
    except ProjectError as error:
        raise ProjectError(
            Problem(
                one.code, f"{rows.step}: {one.message}, in {text!r}", Where(rows.path), one.tried, one.remedy
            )
            for one in error.problems
        ) from None
    tree.pop()
    if tree.find(exp.Query, exp.Subquery, exp.Exists):
        raise rows.refuse(
            "LW303", f"{text!r} holds a query; a step looks at its own rows only", "write it in SQL"
        )
    if any(not isinstance(one.parent, exp.Count) for one in tree.find_all(exp.Star)) or tree.find(
        exp.Columns
    ):
        raise rows.refuse("LW301", f"{text!r} must name its columns, not use *")
    tree = _resolved(tree, rows)
    windows = tree.find(exp.Window) is not None
    _check_aggregates(tree, text, rows, aggregates, by)
    return Meaning(annotate(tree, rows.types), windows)


def _resolved(tree: exp.Expr, rows: Rows) -> exp.Expr:
    problems: dict[str, Problem] = {}
    for node in list(tree.find_all(exp.Column)):
        first, *fields = node.parts
        if _parameter(node, first.name):
            continue
        name = rows.find(first.name)
        if name is None:
            problems[first.name] = rows.unknown(first.name)
            continue
        new: exp.Expr = column(name)
        for field in fields:  # s.f is a field of a struct
            new = exp.Dot(this=new, expression=exp.to_identifier(field.name, quoted=True))
        if node is tree:
            tree = new
        else:
            node.replace(new)
    if problems:
        raise ProjectError(problems.values())
    return tree


def _parameter(node: exp.Expr, name: str) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, exp.Lambda) and any(
            one.name.lower() == name.lower() for one in parent.expressions
        ):
            return True
        parent = parent.parent
    return False


def _check_aggregates(
    tree: exp.Expr, text: str, rows: Rows, aggregates: bool, by: Sequence[str] | None
) -> None:
    for function in tree.find_all(exp.AggFunc):
        if not aggregates and not function.find_ancestor(exp.Window):
            raise rows.refuse(
                "LW311",
                f"{text!r} uses {function.sql_name().lower()}() on a single row",
                "use the step `aggregate`, or a window: … over (partition by …)",
            )
    if not aggregates:
        return
    if tree.find(exp.Window):
        raise rows.refuse("LW311", f"{text!r} has a window; derive it before or after the aggregate")
    groups = set(by or ())
    for node in tree.find_all(exp.Column):
        if node.name in groups or _parameter(node, node.name) or _inside_aggregate(node):
            continue
        raise rows.refuse("LW311", f"{text!r} uses {node.name!r}, which is neither aggregated nor in `by`")


def _inside_aggregate(node: exp.Expr) -> bool:
    parent = node.parent
    while parent is not None:
        # an aggregate that is not known by name is left to the engine
        if isinstance(parent, exp.AggFunc | exp.Anonymous | exp.Filter | exp.WithinGroup):
            return True
        parent = parent.parent
    return False
