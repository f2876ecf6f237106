"""Access rules as parts of the syntax tree: the columns, masks and conditions under which a dataset is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from lakewright.errors import LakewrightError, Problem, ProjectError, Where
from lakewright.spec.access import Attribute
from lakewright.spec.mask import Mask
from lakewright.sql.lineage_steps import expression
from lakewright.sql.mask import KeyNames, mask_value
from lakewright.sql.names import column, identifier, literal
from lakewright.sql.query import tables

__all__ = ["asked_attributes", "condition", "filled", "permitted", "read_by"]

_ATTRIBUTE = "attribute"


def condition(text: str, path: str) -> exp.Expr:
    """Return the tree of a condition on rows; it may look into other datasets with a query of its own.

    The tree is shared: look at it, never change it. Raises ProjectError: LW301 for what is not one expression,
    or asks for an attribute in another way than ``attribute('name')``, LW303 and LW304 as for queries.
    """
    tree = expression(text, path)
    for node in _attributes(tree):
        if len(node.expressions) != 1 or not node.expressions[0].is_string:
            message = f"{node.sql('duckdb')}: an attribute is asked for by attribute('name')"
            raise ProjectError([Problem("LW301", message, Where(path))])
    return tree


def asked_attributes(tree: exp.Expr) -> set[str]:
    """Return the names of the attributes that a condition asks for."""
    return {str(node.expressions[0].name) for node in _attributes(tree)}


def read_by(tree: exp.Expr) -> tuple[str, ...]:
    """Return the ids of the datasets that a condition looks into."""
    return tuple(dict.fromkeys(f"{one.db}.{one.name}" for one in tables(tree)))


def filled(
    tree: exp.Expr, attributes: Mapping[str, Attribute], relation: Callable[[str], exp.Table]
) -> exp.Expr:
    """Return a condition with the attributes' values in it, and its datasets as *relation* gives them.

    Raises KeyError for an attribute that is not among *attributes*.
    """

    def one(node: exp.Expr) -> exp.Expr:
        if _is_attribute(node):
            return _constant(attributes[str(node.expressions[0].name)])
        return node

    result = tree.copy().transform(one, copy=False)
    for table in list(tables(result)):
        other = relation(f"{table.db}.{table.name}".lower())
        other.set("alias", exp.TableAlias(this=identifier(table.alias or table.name)))
        other.set("joins", table.args.get("joins"))
        table.replace(other)
    return result


def permitted(
    relation: exp.Expr,
    name: str,
    columns: Mapping[str, str],
    seen: Mapping[str, Mask | None],
    conditions: Sequence[exp.Expr],
    keys: Mapping[str, KeyNames],
) -> exp.Select:
    """Return the rows of *relation* that meet all *conditions*, with the columns *seen* of it, masked where one is given.

    *columns* are its DuckDB types; conditions may call it *name* and use columns that are not seen. A mask
    that does not fit a column's type leaves null.
    """
    selected = [
        column(one, name)
        if mask is None
        else exp.alias_(_masked(one, columns[one], mask, keys), one, quoted=True)
        for one, mask in seen.items()
    ]
    aliased = relation.copy()
    aliased.set("alias", exp.TableAlias(this=identifier(name)))
    query = exp.select(*selected).from_(aliased)
    for one in conditions:
        query = query.where(exp.paren(one.copy()))
    return query


def _masked(name: str, type: str, mask: Mask, keys: Mapping[str, KeyNames]) -> exp.Expr:
    try:
        return mask_value(name, type, mask, keys)
    except LakewrightError:
        return exp.cast(exp.null(), exp.DataType.build(type, dialect="duckdb"))


def _attributes(tree: exp.Expr) -> list[exp.Anonymous]:
    return [one for one in tree.find_all(exp.Anonymous) if _is_attribute(one)]


def _is_attribute(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).lower() == _ATTRIBUTE


def _constant(value: Attribute) -> exp.Expr:
    if isinstance(value, tuple):
        return exp.Array(expressions=[literal(one) for one in value])
    return literal(value)
