"""Statements written as text over quoted names: parsed, with the relations put in as trees."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp, parse_one

__all__ = ["fill"]


def fill(text: str, relations: Mapping[str, exp.Table | exp.Query]) -> exp.Expr:
    """Return the tree of *text* with each of *relations* where a table of that name stands; aliases stay.

    The text may hold names that SQLGlot has quoted, numbers, and nothing else from outside.
    """
    tree: exp.Expr = parse_one(text, dialect="duckdb")
    for node in list(tree.find_all(exp.Table)):
        relation = relations.get(node.name)
        if relation is None:
            continue
        new: exp.Expr = relation.copy() if isinstance(relation, exp.Table) else relation.subquery(copy=True)
        if node.args.get("alias"):
            new.set("alias", node.args["alias"].copy())
        node.replace(new)
    return tree
