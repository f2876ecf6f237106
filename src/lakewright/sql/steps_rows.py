"""The rows that steps build up: a query, its columns by name, and what can still be put into its last SELECT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from sqlglot import exp

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.sql.cast import Conversion, conversion, lost, original
from lakewright.sql.cast_model import case
from lakewright.sql.cast_types import parse_type, type_name
from lakewright.sql.dialect import call
from lakewright.sql.names import FAILED, column, hidden, identifier, literal

__all__ = ["Rows"]

T = TypeVar("T")
_ALIAS = "_rows"


class Rows:
    """A query under construction.

    ``items`` maps the names of the columns to expressions over ``source``, in order, hidden columns
    included; ``types`` has their DuckDB types. Renaming and computing only change ``items``; a new
    SELECT is opened when an expression would otherwise be computed twice.
    """

    def __init__(self, source: exp.Query, columns: Mapping[str, str], path: str) -> None:
        self.source = source
        self.path = path
        self.types: dict[str, str] = dict(columns)
        self.items: dict[str, exp.Expr] = {name: column(name) for name in columns}
        self.where: list[exp.Expr] = []
        self.casts: list[str] = []
        self.numbers: set[str] = set()  # columns that are numbers of a type not known
        self.one_to_one = True
        self.step = ""
        self._changed = False

    # --- names

    @property
    def names(self) -> list[str]:
        """The columns that are the user's, in order."""
        return [name for name in self.items if not hidden(name)]

    def find(self, name: str) -> str | None:
        """Return *name* as it is spelled in the rows; upper and lower case are the same."""
        if name in self.items:
            return name
        return next((one for one in self.items if one.lower() == name.lower()), None)

    def need(self, names: Iterable[str]) -> list[str]:
        """Return *names* as spelled in the rows; raises ProjectError (LW305) for those that are not there."""
        found, problems = [], []
        for name in names:
            known = self.find(name)
            if known is None:
                problems.append(self.unknown(name))
            else:
                found.append(known)
        if problems:
            raise ProjectError(problems)
        return found

    def unknown(self, name: str) -> Problem:
        """Return the problem that there is no column *name* at this step."""
        listed = ", ".join(self.names[:20]) + (", …" if len(self.names) > 20 else "")
        return Problem(
            "LW305",
            f"{self.step}: there is no column {name!r}{nearest(name, self.names)}",
            Where(self.path),
            remedy=f"the columns at this step are {listed}",
        )

    def refuse(self, code: str, message: str, remedy: str = "") -> ProjectError:
        """Return the error that the present step cannot be done."""
        return ProjectError([Problem(code, f"{self.step}: {message}", Where(self.path), remedy=remedy)])

    # --- changes

    def rename(self, new: Mapping[str, str]) -> None:
        """Give columns new names; LW313 when two would have the same one."""
        taken: dict[str, str] = {}
        for name in self.items:
            target = new.get(name, name)
            if target.lower() in taken:
                raise self.refuse("LW313", f"{taken[target.lower()]!r} and {name!r} would both be {target!r}")
            taken[target.lower()] = name
        if any(hidden(one) and old != one for old, one in new.items()):
            bad = next(one for old, one in new.items() if hidden(one) and old != one)
            raise self.refuse(
                "LW313", f"{bad!r} starts with an underscore, which marks Lakewright's own columns"
            )
        self._changed = self._changed or any(old != one for old, one in new.items())
        self.items = {new.get(name, name): item for name, item in self.items.items()}
        self.types = {new.get(name, name): kind for name, kind in self.types.items()}
        self.casts = [new.get(name, name) for name in self.casts]
        self.numbers = {new.get(name, name) for name in self.numbers}

    def keep(self, names: Sequence[str]) -> None:
        """Keep these columns in this order, and the hidden ones."""
        order = [*names, *(one for one in self.items if hidden(one) and one not in names)]
        self._changed = self._changed or order != list(self.items)
        self.items = {name: self.items[name] for name in order}
        self.types = {name: self.types[name] for name in order}

    def put(self, name: str, value: exp.Expr, kind: str, *, after: str | None = None) -> None:
        """Set column *name* to *value*, an expression over ``source`` (see :meth:`over_source`)."""
        known = self.find(name)
        self._changed = True
        self.numbers.discard(known or name)
        if known is not None or after is None:
            self.items[known or name] = value
            self.types[known or name] = kind
            return
        self.items = dict(_inserted(self.items, after, name, value))
        self.types = dict(_inserted(self.types, after, name, kind))

    def over_source(self, tree: exp.Expr) -> exp.Expr:
        """Return *tree*, written over the present columns, as an expression over ``source``.

        Opens a new SELECT when one of the columns is computed, so that it is computed once.
        """
        used = [node for node in tree.find_all(exp.Column) if not node.table and node.name in self.items]
        if any(not isinstance(self.items[node.name], exp.Column) for node in used):
            self.close()
            return tree
        for node in used:
            new = self.items[node.name].copy()
            if node.type is not None:
                new.type = node.type
            if node is tree:
                return new
            node.replace(new)
        return tree

    def filter(self, condition: exp.Expr) -> None:
        """Keep the rows for which *condition*, over the present columns, is true."""
        over_source = self.over_source(condition)  # may open a new SELECT
        self.where.append(over_source)
        self._changed = True
        self.one_to_one = False

    def replace(self, query: exp.Query, types: Mapping[str, str]) -> None:
        """Go on with *query*, which gives the columns of *types*."""
        self.source = query
        self.types = dict(types)
        self.items = {name: column(name) for name in types}
        self.where = []
        self._changed = False

    def close(self) -> None:
        """Make what is pending a SELECT of its own, which the next one reads from."""
        if self._changed:
            self.replace(self.query(), self.types)

    def query(self) -> exp.Select:
        """Return the rows as one SELECT."""
        query = exp.select(*(_named(value, name) for name, value in self.items.items()), copy=False)
        query = query.from_(relation(self.source), copy=False)
        return query.where(*self.where, copy=False) if self.where else query

    # --- conversions

    def cast(self, wanted: Mapping[str, tuple[str, str | None]], shown: Mapping[str, str]) -> None:
        """Convert columns: name → (type, format). What does not convert becomes null and goes to ``_failed``.

        *shown* gives the name under which a column's failures are reported, where it differs.
        """
        found: dict[str, Conversion] = {}
        problems: list[Problem] = []
        for number, (name, (kind, format)) in enumerate(wanted.items()):
            try:
                made = conversion(
                    name,
                    self.types[name],
                    kind,
                    format=format,
                    number=name in self.numbers,
                    prefix=f"_c{number}",
                )
            except ValueError as error:
                text = f"{self.step}: column {name!r}: {error}"
                problems.append(Problem("LW312", text, Where(self.path)))
                continue
            if made is not None:
                found[name] = made
            self.types[name] = kind if made is None and self.types[name] == "" else self.types[name]
        if problems:
            raise ProjectError(problems)
        if found:
            self._convert(found, {name: wanted[name][0] for name in found}, shown)

    def _convert(
        self, found: Mapping[str, Conversion], kinds: Mapping[str, str], shown: Mapping[str, str]
    ) -> None:
        self.close()
        names, query = list(self.items), self.source
        for depth in range(max(len(one.layers) for one in found.values())):
            layer = {
                name: value
                for one in found.values()
                if depth < len(one.layers)
                for name, value in one.layers[depth].items()
            }
            kept = [column(name) for name in names]
            query = exp.select(*kept, *(_named(v, n) for n, v in layer.items()), copy=False).from_(
                relation(query)
            )
            names += layer
        # the original beside the converted value, to tell what was lost
        values = {f"_t{number}": one.value for number, one in enumerate(found.values())}
        kept = [column(name) for name in self.items]
        query = exp.select(*kept, *(_named(v, n) for n, v in values.items()), copy=False).from_(
            relation(query)
        )
        new = dict(zip(found, values, strict=True))
        items: dict[str, exp.Expr] = {
            name: column(new[name]) if name in new else column(name) for name in self.items
        }
        types = {
            name: conversion_type(kinds[name]) if name in kinds else kind for name, kind in self.types.items()
        }
        partial = {name: one for name, one in found.items() if not one.total}
        if partial:
            items[FAILED] = self._failures(partial, new, shown)
            types[FAILED] = "VARCHAR"
        self.replace(query, types)
        self.items, self._changed = items, True
        self.casts += [name for name in partial if name not in self.casts]

    def _failures(
        self, found: Mapping[str, Conversion], new: Mapping[str, str], shown: Mapping[str, str]
    ) -> exp.Expr:
        entries: list[exp.Expr] = []
        for name, one in found.items():
            text = original(name, self.types[name], column(new[name]), text=one.text)
            entries += [literal(shown.get(name, name)), text]
        before = column(FAILED) if FAILED in self.items else None
        value = call("json_add", before or exp.Null(), *entries)
        if before is None:  # blank text only: nothing was lost
            value = exp.Nullif(this=value, expression=literal("{}"))
        # the test that all rows pass through is cheap: no regular expression, no text
        gone = exp.or_(*(exp.paren(lost(name, column(new[name]))) for name in found), copy=False)
        return case((gone, value), otherwise=before)


def conversion_type(kind: str) -> str:
    """Return *kind* in DuckDB's one spelling."""
    return type_name(parse_type(kind))


def relation(query: exp.Query) -> exp.Expr:
    """Return *query* as it stands in FROM: a table's plain name where it is no more than that."""
    if (
        isinstance(query, exp.Select)
        and len(query.expressions) == 1
        and isinstance(query.expressions[0], exp.Star)
        and not query.expressions[0].args.get("except_")
        and not any(
            value for key, value in query.args.items() if key not in ("expressions", "from_", "kind", "hint")
        )
        and isinstance(query.args["from_"].this, exp.Table)
    ):
        return query.args["from_"].this.copy()
    return query.subquery(_ALIAS, copy=False)


def _named(value: exp.Expr, name: str) -> exp.Expr:
    if isinstance(value, exp.Column) and value.name == name and not value.table:
        return value.copy()
    return exp.alias_(value.copy(), identifier(name), copy=False)


def _inserted(items: Mapping[str, T], after: str, name: str, value: T) -> Iterator[tuple[str, T]]:
    for key, one in items.items():
        yield key, one
        if key == after:
            yield name, value
