"""Resolves names and expressions inside one SELECT: which columns a value comes from, and how."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from lakewright.sql.query_relation import Col, Origin, Origins, Relation, Unknown, applied

__all__ = ["Expressions", "Scope", "Typer", "is_aggregate"]

#: Gives the type of an expression, told how its columns resolve.
Typer = Callable[[exp.Expr, Callable[[exp.Column], str]], str]

NONE: Origins = frozenset()

# Pseudo columns of the engine's tables.
_PSEUDO = frozenset({"rowid", "filename", "file_row_number", "file_index"})

# Aggregates that sqlglot does not know as such.
_AGGREGATES = frozenset(
    {
        "list", "product", "favg", "fsum", "geomean", "kurtosis", "skewness", "entropy", "mad", "sem", "histogram",
        "bitstring_agg", "arbitrary", "arg_max_null", "arg_min_null", "sumkahan", "kahan_sum", "histogram_exact",
        "kurtosis_pop", "weighted_avg", "wavg", "json_group_array", "json_group_object", "mode", "quantile",
        "reservoir_quantile", "approx_top_k", "count_if", "countif", "string_agg", "group_concat", "listagg",
    }
)  # fmt: skip

_DIGESTS = (exp.MD5, exp.SHA, exp.SHA2, exp.MD5Digest, exp.MD5NumberLower64, exp.MD5NumberUpper64)
_DIGEST_NAMES = frozenset({"hash", "md5_number", "sha1", "sha256", "md5", "hmac"})


@dataclass(slots=True)
class Scope:
    """The relations that one SELECT reads, by alias, and the names that it has made so far."""

    outer: Scope | None = None
    sources: dict[str, Relation] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)  # alias as written
    starred: dict[str, Relation] = field(default_factory=dict)  # what * gives, USING columns once
    aliases: dict[str, Col] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)
    locals: list[set[str]] = field(default_factory=list)  # parameters of lambdas
    rows: set[Origin] = field(default_factory=set)


class Expressions:
    """Walks expressions; what a query inside one gives is left to the subclass."""

    def __init__(self, typer: Typer | None) -> None:
        self.typer = typer
        self.unknown: list[Unknown] = []

    @abstractmethod
    def query(
        self, node: exp.Expr, ctes: Mapping[str, Relation] | None = None, outer: Scope | None = None
    ) -> Relation:
        """Return what *node*, a query, gives."""

    def type_of(self, node: exp.Expr, scope: Scope) -> str:
        """The type of an expression, ``""`` when unknown or nobody asks."""
        if self.typer is None:
            return ""
        return self.typer(node, lambda column: self._column_type(column, scope))

    def _column_type(self, column: exp.Column, scope: Scope) -> str:
        mark = len(self.unknown)
        found, field = self._find(column, scope)
        del self.unknown[mark:]
        return found[0].type if len(found) == 1 and not field else ""

    def spelling(self, node: exp.Expr, scope: Scope) -> str:
        """The name of the column that *node* is, as its table spells it; empty for anything else."""
        if not isinstance(node, exp.Column):
            return ""
        mark = len(self.unknown)
        found, field = self._find(node, scope)
        del self.unknown[mark:]
        return found[0].name if len(found) == 1 and not field else ""

    def walk(self, node: exp.Expr | None, scope: Scope, known: dict[str, Relation], mode: str) -> Origins:
        """Return the origins of the columns in *node*, as used by *mode*; add what decides about rows."""
        if node is None:
            return NONE
        deeper = "TRANSFORMATION" if mode == "IDENTITY" else mode
        if isinstance(node, exp.Column):
            found, field = self._find(node, scope)
            return frozenset().union(*(applied(one.origins, deeper if field else mode) for one in found))
        if isinstance(node, exp.Literal | exp.Identifier | exp.DataType | exp.Var):
            return NONE
        if isinstance(node, exp.Paren | exp.Alias | exp.Where | exp.Having | exp.Qualify | exp.Ordered):
            return self.walk(node.this, scope, known, mode)
        if isinstance(node, exp.Query):
            relation = self.query(node, known, scope)
            scope.rows |= relation.rows
            return applied(relation.everything(), deeper)
        if isinstance(node, exp.Exists):
            scope.rows |= self.query(node.this, known, scope).rows
            return NONE
        if isinstance(node, exp.Window):
            named = str(node.args.get("alias") or "").lower()
            parts = self.window_parts(node, scope, known)
            if named in scope.windows:
                parts |= self.window_parts(scope.windows[named], scope, known)
            return self.walk(node.this, scope, known, deeper) | parts
        if isinstance(node, exp.Filter):
            return self.walk(node.this, scope, known, mode) | self.walk(
                node.expression, scope, known, "FILTER"
            )
        if isinstance(node, exp.Case | exp.If):
            return self._conditional(node, scope, known, deeper)
        if isinstance(node, exp.Lambda):
            scope.locals.append({one.name.lower() for one in node.expressions})
            origins = self.walk(node.this, scope, known, deeper)
            scope.locals.pop()
            return origins
        if isinstance(node, exp.Comprehension):
            origins = self.walk(node.args.get("iterator"), scope, known, deeper)
            scope.locals.append({one.name.lower() for one in node.expression.find_all(exp.Identifier)})
            for key in ("this", "condition"):
                origins |= self.walk(node.args.get(key), scope, known, deeper)
            scope.locals.pop()
            return origins
        if isinstance(node, exp.Columns):
            return applied((o for one in scope.sources.values() for o in one.everything()), deeper)
        if is_aggregate(node) and deeper == "TRANSFORMATION":
            deeper = "AGGREGATION"
        origins = frozenset().union(
            *(self.walk(child, scope, known, deeper) for child in node.iter_expressions())
        )
        if isinstance(node, exp.Coalesce):
            origins |= applied(origins, "CONDITIONAL")
        if isinstance(node, _DIGESTS) or (
            isinstance(node, exp.Anonymous) and node.name.lower() in _DIGEST_NAMES
        ):
            origins = applied(origins, deeper, masking=True)
        return origins

    def _conditional(self, node: exp.Expr, scope: Scope, known: dict[str, Relation], mode: str) -> Origins:
        conditions: list[exp.Expr | None] = [node.this]
        values: list[exp.Expr | None] = [node.args.get("default")]
        for one in node.args.get("ifs") or ():
            conditions.append(one.this)
            values.append(one.args.get("true"))
        values += [node.args.get("true"), node.args.get("false")]
        origins = frozenset().union(*(self.walk(one, scope, known, mode) for one in values))
        use = mode if mode not in ("TRANSFORMATION", "AGGREGATION") else "CONDITIONAL"
        return origins.union(*(self.walk(one, scope, known, use) for one in conditions))

    def window_parts(self, window: exp.Expr, scope: Scope, known: dict[str, Relation]) -> Origins:
        parts = [*(window.args.get("partition_by") or ()), window.args.get("order"), window.args.get("spec")]
        return frozenset().union(*(self.walk(one, scope, known, "WINDOW") for one in parts))

    def alias_of(self, column: exp.Column, scope: Scope) -> tuple[str, Relation] | None:
        parts = [one.name.lower() for one in column.parts[:-1]]
        inner: Scope | None = scope
        while inner is not None:
            for length in (2, 1):
                name = ".".join(parts[:length])
                if len(parts) < length:
                    continue
                for alias, relation in inner.sources.items():
                    if alias == name or (length == 2 and relation.dataset.lower() == name):
                        return alias, relation
            inner = inner.outer
        return None

    def _find(self, column: exp.Column, scope: Scope) -> tuple[list[Col], bool]:
        """Return the columns that a reference means, and whether it takes a field or all of them."""
        parts = [one.name for one in column.parts]
        inner: Scope | None = scope
        while inner is not None:
            if any(parts[0].lower() in names for names in inner.locals):
                return [], False
            inner = inner.outer
        star = isinstance(column.this, exp.Star)
        if len(parts) > 1 and (found := self.alias_of(column, scope)) is not None:
            alias, relation = found
            if star:
                return list(relation.visible()), True
            taken = (
                2 if len(parts) > 2 and f"{parts[0]}.{parts[1]}".lower() == relation.dataset.lower() else 1
            )
            if taken == 2 and alias == parts[0].lower():
                taken = 1
            name = parts[taken]
            if col := relation.get(name):
                return [col], len(parts) > taken + 1
            if relation.may_have(name):
                return [relation.guess(name)], len(parts) > taken + 1
            if name.lower() in _PSEUDO or self._plain(parts[0], scope, certain=True):
                return [], True
            self.unknown.append(
                Unknown(column, name, self._written(alias, scope), relation.names(), relation.dataset)
            )
            return [], False
        found_plain = self._plain(parts[0], scope)
        if found_plain is None:
            sources: list[Relation] = []
            around: Scope | None = scope
            while around is not None:
                sources += around.sources.values()
                around = around.outer
            listed = tuple(dict.fromkeys(n for one in sources for n in one.names()))
            only = sources[0].dataset if len(sources) == 1 else ""
            shown = parts[0] if len(parts) == 1 else ".".join(parts[:-1])
            self.unknown.append(Unknown(column, shown, "", (*listed, *scope.aliases), only))
            return [], False
        return found_plain, len(parts) > 1 or star

    @staticmethod
    def _written(alias: str, scope: Scope | None) -> str:
        while scope is not None:
            if alias in scope.written:
                return scope.written[alias]
            scope = scope.outer
        return alias

    def _plain(self, name: str, scope: Scope, *, certain: bool = False) -> list[Col] | None:
        """Return the columns that a name without a qualifier means; None when there is no such."""
        low = name.lower()
        inner: Scope | None = scope
        guesses: list[Col] = []
        possible = False
        while inner is not None:
            found = [one.columns[low] for one in inner.sources.values() if low in one.columns]
            if found:
                return found
            if low in inner.aliases:
                return [inner.aliases[low]]
            if low in inner.sources and not certain:  # the whole row as a value
                return list(inner.sources[low].visible())
            for one in inner.sources.values():
                if one.may_have(name):
                    possible = True
                    guesses.append(one.guess(name))
            inner = inner.outer
        if certain:
            return None
        if possible:
            return guesses if len(guesses) == 1 else []
        return [] if low in _PSEUDO else None


def is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.AggFunc):
        return True
    return isinstance(node, exp.Anonymous) and str(node.this).lower() in _AGGREGATES
