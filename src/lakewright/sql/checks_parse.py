"""What compiled expectations share: a user's SQL as trees over known columns, names, words, ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from lakewright.errors import nearest
from lakewright.spec.base import Severity
from lakewright.spec.expectations import Expectation
from lakewright.sql.names import identifier, literal
from lakewright.sql.query import bind, dependencies, parse_query

__all__ = [
    "Refused",
    "Relations",
    "Scene",
    "columns_of",
    "count_if",
    "known",
    "labelled",
    "missing",
    "outer",
    "parsed",
    "percent",
    "present",
    "ranged",
    "slug",
    "spelled_range",
]  # fmt: skip

Relations = Callable[[str], exp.Table]
Bound = int | float | str | None


class Refused(Exception):
    """An expectation that cannot be compiled; carries what is shown."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


@dataclass(frozen=True)
class Scene:
    """What an expectation is compiled against: columns (name → DuckDB type), the dataset's file, other tables."""

    columns: Mapping[str, str]
    path: str
    relations: Relations
    severity: Severity

    def condition(self, sql: str) -> exp.Expr:
        """Return *sql* as a condition on one row; Refused LW502 or LW503 when it is none."""
        tree = parsed(sql, self.columns, self.path, self.relations)
        for node in outer(tree, exp.AggFunc | exp.Window):
            what = "a window function" if isinstance(node, exp.Window) else "an aggregate"
            raise Refused(
                "LW503",
                f"{sql!r} holds {what}, and a condition is about one row",
                "use statistic for aggregates",
            )
        return tree

    def where(self, sql: str | None) -> exp.Expr | None:
        """Return the condition on the rows that are meant, None for all."""
        return None if sql is None else exp.paren(self.condition(sql), copy=False)


def parsed(sql: str, columns: Mapping[str, str], path: str, relations: Relations) -> exp.Expr:
    """Return *sql* as one expression over *columns*: names checked and quoted, other datasets bound."""
    query = parse_query(f"SELECT {sql}", path=path)
    extras = [
        key for key, value in query.args.items() if value and key not in ("expressions", "kind", "hint")
    ]
    if not isinstance(query, exp.Select) or extras or len(query.expressions) != 1:
        raise Refused("LW503", f"{sql!r} is not one expression")
    query = bind(query, {name: relations(name) for name in dependencies(query)})
    tree: exp.Expr = query.expressions[0]
    if isinstance(tree, exp.Alias | exp.Star) or (isinstance(tree, exp.Column) and tree.is_star):
        raise Refused("LW503", f"{sql!r} is not a plain expression")
    names = {name.lower(): name for name in columns}
    for node in outer(tree, exp.Column):
        _resolve(node, names)
    return tree.copy()


def _resolve(node: exp.Expr, names: Mapping[str, str]) -> None:
    parameters = {
        name.name.lower()
        for lam in _ancestors(node)
        if isinstance(lam, exp.Lambda)
        for name in lam.expressions
    }
    # `address.city` is a field of a struct: the first part is the column
    parts = node.parts if isinstance(node, exp.Column) else []
    first = parts[0]
    if first.name.lower() in parameters or isinstance(first, exp.Star):
        return
    if first.name.lower() not in names:
        raise Refused(
            "LW502", f"no column {first.name!r}{nearest(first.name.lower(), names)}",
            f"the columns are {', '.join(names.values())}",
        )  # fmt: skip
    first.replace(identifier(names[first.name.lower()]))


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def outer(tree: exp.Expr, kind: object) -> list[exp.Expr]:
    """Return the nodes of *kind* that belong to the row itself, not to a subquery."""
    found = tree.walk(bfs=False, prune=lambda node: isinstance(node, exp.Query))
    return [node for node in found if isinstance(node, kind)]  # type: ignore[arg-type]


def columns_of(tree: exp.Expr) -> tuple[str, ...]:
    """Return the names of the columns that *tree* reads, in order of first use."""
    return tuple(dict.fromkeys(node.parts[0].name for node in outer(tree, exp.Column)))  # type: ignore[attr-defined]


def known(written: str, columns: Mapping[str, str]) -> str:
    """Return the column that *written* names, in any case; Refused LW502 when there is none."""
    names = {name.lower(): name for name in columns}
    if written.lower() not in names:
        raise Refused("LW502", f"no column {written!r}{nearest(written.lower(), names)}",
                      f"the columns are {', '.join(columns)}")  # fmt: skip
    return names[written.lower()]


def labelled(one: Expectation, otherwise: str, name: str, count: int) -> str:
    """Return the check's id: the label, with the column where the expectation has several."""
    if not one.label:
        return otherwise
    return one.label if count == 1 else f"{one.label}.{name}"


def slug(sql: str, limit: int = 48) -> str:
    """Return *sql* as a short name."""
    text = re.sub(r"[^0-9a-z]+", "_", sql.lower()).strip("_")
    return text[:limit].rstrip("_") or "sql"


def percent(share: float) -> str:
    """Return a share as text: ``95 %``."""
    return f"{share * 100:g} %"


def spelled_range(low: Bound, high: Bound) -> str:
    """Return a range in words; ``any number of`` for none."""
    if low is not None and high is not None:
        return f"between {low} and {high}" if low != high else f"exactly {low}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "any number of"


def ranged(low: Bound, high: Bound, above: Bound, below: Bound) -> tuple[Bound, bool, Bound, bool, str]:
    """Return least value, whether it is left out, greatest value, whether it is left out, and the words.

    Of an inclusive and an exclusive bound on one side the exclusive one is used: the loader refuses both.
    """
    words = []
    if above is not None or low is not None:
        words.append(f"above {above}" if above is not None else f"at least {low}")
    if below is not None or high is not None:
        words.append(f"below {below}" if below is not None else f"at most {high}")
    if above is None and below is None and low is not None and low == high:
        words = [f"exactly {low}"]
    return (
        low if above is None else above, above is not None, high if below is None else below,
        below is not None, " and ".join(words) or "anything",
    )  # fmt: skip


def missing(value: exp.Expr) -> exp.Expr:
    """Return the condition that *value* is null."""
    return exp.Is(this=value.copy(), expression=exp.Null())


def present(value: exp.Expr) -> exp.Expr:
    """Return the condition that *value* is not null."""
    return exp.not_(exp.paren(missing(value), copy=False), copy=False)


def count_if(condition: exp.Expr) -> exp.Expr:
    """Return the number of rows for which *condition* is true, 0 for none."""
    return exp.Count(this=exp.Case().when(condition, literal(1), copy=False))
