"""Resolves the names of a query against what is known of the datasets that it reads.

One walk over the tree gives the output columns, their origins and every reference that cannot be
right. sqlglot's own optimizer answers the same questions in ten times the time and stops at the
first error; a project of 500 queries is checked on every run, so the walk is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlglot import exp

from lakewright.sql.query_names import NONE, Expressions, Scope, Typer, is_aggregate
from lakewright.sql.query_relation import Col, Origin, Origins, Relation, Unknown, applied

__all__ = ["Resolver"]


class Resolver(Expressions):
    """Resolves queries over *datasets*; a dataset that is not named there is taken as unknown.

    ``unknown`` gathers the references that cannot be right. *typer* gives types of output columns;
    without it they stay ``""``.
    """

    def __init__(self, datasets: Mapping[str, Relation], typer: Typer | None = None) -> None:
        self.datasets = {id.lower(): one for id, one in datasets.items()}
        super().__init__(typer)

    def query(
        self, node: exp.Expr, ctes: Mapping[str, Relation] | None = None, outer: Scope | None = None
    ) -> Relation:
        """Return what *node*, a query, gives."""
        known = dict(ctes or {})
        extra: set[Origin] = set()
        if (with_ := node.args.get("with_")) is not None:
            for cte in with_.expressions:
                relation = self._cte(cte, known, outer, recursive=bool(with_.recursive))
                known[cte.alias.lower()] = relation
        if isinstance(node, exp.Select):
            result = self._select(node, known, outer)
        elif isinstance(node, exp.SetOperation):
            result = self._set_operation(node, known, outer)
        elif isinstance(node, exp.Subquery):
            scope = Scope(outer)
            result = self._source(node, known, scope)[1]
            extra |= scope.rows
        else:  # a table or VALUES in parentheses
            result = self._source(node, known, Scope(outer))[1]
        return replace(result, rows=result.rows | extra) if extra else result

    def expression(
        self, node: exp.Expr, relation: Relation, *, alias: str = "", transformation: str = "IDENTITY"
    ) -> Col:
        """Return the column that the expression *node* makes of one *relation*."""
        scope = Scope(sources={"": relation}, written={"": ""}, starred={"": relation})
        origins = self.walk(node, scope, {}, transformation)
        return Col(alias or node.output_name, self.type_of(node, scope), origins | frozenset(scope.rows))

    # --- queries

    def _cte(
        self, cte: exp.Expr, known: dict[str, Relation], outer: Scope | None, *, recursive: bool
    ) -> Relation:
        query = cte.this
        names = cte.args["alias"].columns
        if recursive and isinstance(query, exp.SetOperation):
            # the second branch reads what the first gives
            mark = len(self.unknown)
            anchor = self.query(query.left, known, outer)
            del self.unknown[mark:]
            anchor = anchor.renamed(one.name for one in names) if names else anchor
            known = {**known, cte.alias.lower(): anchor}
        relation = self.query(query, known, outer)
        return relation.renamed(one.name for one in names) if names else relation

    def _set_operation(
        self, node: exp.SetOperation, known: dict[str, Relation], outer: Scope | None
    ) -> Relation:
        left, right = self.query(node.left, known, outer), self.query(node.right, known, outer)
        rows = left.rows | right.rows
        if isinstance(node, exp.Except | exp.Intersect):
            rows |= applied(right.everything(), "FILTER")
            result = replace(left, rows=rows, dataset="")
        elif node.args.get("by_name"):
            columns = dict(left.columns)
            for low, col in right.columns.items():
                mine = columns.get(low)
                columns[low] = (
                    replace(mine, type=_same(mine, col), origins=mine.origins | col.origins) if mine else col
                )
            result = Relation(columns, left.open or right.open, left.rest + right.rest,
                              unnamed=left.unnamed or right.unnamed, rows=rows)  # fmt: skip
        else:
            columns = {}
            others = right.visible()
            fits = not left.open and not right.open and len(left.visible()) == len(others)
            for position, col in enumerate(left.visible()):
                other = others[position] if fits else None
                columns[col.name.lower()] = (
                    replace(col, type=_same(col, other), origins=col.origins | other.origins)
                    if other
                    else replace(col, type="")
                )
            result = replace(left, columns=columns, rest=left.rest + right.rest, rows=rows, dataset="")
        for key in ("order", "limit"):
            if (part := node.args.get(key)) is not None:
                scope = Scope(outer, {"": result}, {"": ""})
                mark = len(self.unknown)
                result.rows |= self.walk(part, scope, known, "SORT")
                del self.unknown[mark:]  # what ORDER BY may name here depends on the engine
        return result

    def _select(self, node: exp.Select, known: dict[str, Relation], outer: Scope | None) -> Relation:
        scope = Scope(outer)
        self._from(node, known, scope)
        for window in node.args.get("windows") or ():
            scope.windows[window.name.lower()] = window
        # names made in the SELECT list can be used further on in it, and in WHERE and the rest
        result = Relation()
        nodes: list[exp.Expr] = []
        for one in node.expressions:
            self._output(one, scope, known, result, nodes)
        rows = scope.rows
        rows |= self.walk(node.args.get("where"), scope, known, "FILTER")
        self._group(node, scope, known, result, nodes)
        rows |= self.walk(node.args.get("having"), scope, known, "FILTER")
        rows |= self.walk(node.args.get("qualify"), scope, known, "FILTER")
        for window in scope.windows.values():
            self.window_parts(window, scope, known)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            rows |= self.walk(distinct.args["on"], scope, known, "GROUP_BY")
        self._order(node, scope, known, result)
        for key in ("limit", "offset", "sample"):
            rows |= self.walk(node.args.get(key), scope, known, "FILTER")
        result.rows = frozenset(rows)
        if not node.expressions:
            result.open = True
        return result

    def _group(
        self,
        node: exp.Select,
        scope: Scope,
        known: dict[str, Relation],
        result: Relation,
        nodes: list[exp.Expr],
    ) -> None:
        group = node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            outputs = list(result.columns.values())
            for one, col in zip(nodes, outputs, strict=False):
                if not _aggregates(one):
                    scope.rows |= applied((o for o in col.origins if o.direct), "GROUP_BY")
        for key in group.args:
            parts = group.args[key]
            for part in parts if isinstance(parts, list) else ():
                scope.rows |= self._position(part, result, "GROUP_BY") or self.walk(
                    part, scope, known, "GROUP_BY"
                )

    def _order(self, node: exp.Select, scope: Scope, known: dict[str, Relation], result: Relation) -> None:
        order = node.args.get("order")
        for one in order.expressions if order is not None else ():
            key = one.this if isinstance(one, exp.Ordered) else one
            if isinstance(key, exp.Column) and not key.table and (col := result.get(key.name)):
                scope.rows |= applied(col.origins, "SORT")
            else:
                scope.rows |= self._position(key, result, "SORT") or self.walk(key, scope, known, "SORT")

    @staticmethod
    def _position(key: exp.Expr, result: Relation, transformation: str) -> Origins:
        if isinstance(key, exp.Literal) and not key.is_string and key.name.isdigit():
            columns = list(result.columns.values())
            number = int(key.name)
            if 1 <= number <= len(columns) and not result.open:
                return applied(columns[number - 1].origins, transformation)
        return NONE

    # --- FROM

    def _from(self, node: exp.Expr, known: dict[str, Relation], scope: Scope) -> None:
        start = node.args.get("from_")
        if start is not None:
            self._item(start.this, known, scope)
        for lateral in node.args.get("laterals") or ():
            self._item(lateral, known, scope)
        self._joins(node, known, scope)

    def _joins(self, node: exp.Expr, known: dict[str, Relation], scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            before = dict(scope.sources)
            added = self._item(join.this, known, scope)
            right = {alias: scope.sources[alias] for alias in added}
            using = [one.name for one in join.args.get("using") or ()]
            if str(join.args.get("method") or "").upper() == "NATURAL":
                mine = {low for one in before.values() for low in one.columns}
                using = [
                    col.name for one in right.values() for low, col in one.columns.items() if low in mine
                ]
            for name in using:
                scope.rows |= self._using(name, join, before, scope)
                scope.rows |= self._using(name, join, right, scope)
            scope.rows |= self.walk(join.args.get("on"), scope, known, "JOIN")
            hide = str(join.kind or join.side or "").upper() in ("SEMI", "ANTI")
            for alias in added:
                if hide:
                    scope.starred.pop(alias, None)
                elif using:
                    drop = {name.lower() for name in using}
                    shown = scope.starred[alias].copy()
                    shown.columns = {low: col for low, col in shown.columns.items() if low not in drop}
                    scope.starred[alias] = shown

    def _using(self, name: str, join: exp.Expr, sources: dict[str, Relation], scope: Scope) -> Origins:
        found = [col for one in sources.values() if (col := one.get(name))]
        if not found and not any(one.may_have(name) for one in sources.values()):
            node = next((one for one in join.args.get("using") or () if one.name == name), join)
            listed = tuple(dict.fromkeys(n for one in sources.values() for n in one.names()))
            alias, relation = next(iter(sources.items())) if len(sources) == 1 else ("", Relation())
            self.unknown.append(Unknown(node, name, scope.written.get(alias, ""), listed, relation.dataset))
        return applied((origin for col in found for origin in col.origins), "JOIN")

    def _item(self, item: exp.Expr, known: dict[str, Relation], scope: Scope) -> list[str]:
        """Add what stands in FROM to the scope; return the aliases added."""
        inner = item
        while (
            isinstance(inner, exp.Subquery)
            and not inner.alias
            and isinstance(inner.this, exp.Table | exp.Subquery)
        ):
            inner = inner.this
        if inner is not item and inner.args.get("joins"):
            added = self._item(_without_joins(inner), known, scope)
            before = set(scope.sources)
            self._joins(inner, known, scope)
            return [*added, *(alias for alias in scope.sources if alias not in before)]
        alias, relation = self._source(item, known, scope)
        low = alias.lower() or f"\0{len(scope.sources)}"
        if low in scope.sources and relation.dataset:
            low = f"{relation.dataset.lower()}"
        scope.sources[low] = scope.starred[low] = relation
        scope.written[low] = alias
        scope.rows |= relation.rows
        self_joins = [low]
        if item.args.get("joins") and not isinstance(item, exp.Subquery):
            before = set(scope.sources)
            self._joins(item, known, scope)
            self_joins += [one for one in scope.sources if one not in before]
        return self_joins

    def _source(self, item: exp.Expr, known: dict[str, Relation], scope: Scope) -> tuple[str, Relation]:
        """Return the alias and the relation of one item of FROM."""
        alias = item.args.get("alias")
        names = [one.name for one in alias.columns] if isinstance(alias, exp.TableAlias) else []
        name = item.alias
        if isinstance(item, exp.Table):
            if isinstance(item.this, exp.Identifier):
                name = name or item.name
                relation = self._table(item, known)
            else:
                scope.rows |= self.walk(item.this, scope, known, "JOIN")
                name = name or (item.this.name if isinstance(item.this, exp.Anonymous) else "")
                relation = Relation({one.lower(): Col(one) for one in names}, open=True)
                names = []
        elif isinstance(item, exp.Subquery):
            relation = self.query(item.this, known, scope)
            if item.args.get("joins"):  # (a) join b, in parentheses of its own
                inner = Scope(scope, {"": relation}, {"": ""}, {"": relation})
                self._joins(item, known, inner)
                relation = self._all(inner)
        elif isinstance(item, exp.Lateral):
            _, relation = self._source(item.this, known, scope)
        elif isinstance(item, exp.Unnest):
            origins = frozenset(
                o for one in item.expressions for o in self.walk(one, scope, known, "TRANSFORMATION")
            )
            made = names or ["unnest"]
            relation = Relation({one.lower(): Col(one, "", origins) for one in made}, open=not names)
            names = []
        elif isinstance(item, exp.Values):
            width = len(item.expressions[0].expressions) if item.expressions else 0
            relation = Relation({f"col{n}": Col(f"col{n}") for n in range(width)})
        elif isinstance(item, exp.Pivot):
            inner = Scope(scope)
            self._item(item.this, known, inner)
            return name, Relation(open=True, rows=frozenset(inner.rows))
        elif isinstance(item, exp.Query):
            relation = self.query(item, known, scope)
        else:
            relation = Relation(open=True)
        for pivot in item.args.get("pivots") or ():
            relation = Relation(open=True, rows=relation.rows)
            name = pivot.alias or name
        if names:
            relation = relation.renamed(names)
        return name, relation

    def _table(self, item: exp.Table, known: dict[str, Relation]) -> Relation:
        if not item.db:
            return known.get(item.name.lower()) or Relation(open=True)
        id = f"{item.db}.{item.name}"
        return self.datasets.get(id.lower()) or Relation.of(id, None)

    # --- SELECT list

    def _output(
        self,
        one: exp.Expr,
        scope: Scope,
        known: dict[str, Relation],
        result: Relation,
        nodes: list[exp.Expr],
    ) -> None:
        inner = one.unalias()
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Star):
            self._star(inner, scope.starred, scope, known, result, nodes)
        elif isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
            alias = self.alias_of(inner, scope)
            if alias is None:  # the fields of a struct
                self.walk(exp.column(inner.parts[-2].copy()), scope, known, "TRANSFORMATION")
                result.open = True
            else:
                self._star(inner.this, {alias[0]: alias[1]}, scope, known, result, nodes)
        elif inner.find(exp.Columns, exp.Explode, exp.Unnest) or _holds_star(inner):
            # one expression, several columns: their names follow from the data's types
            origins = self.walk(inner, scope, known, "IDENTITY")
            result.open = True
            if isinstance(one, exp.Alias):
                result.add(Col(one.alias, "", origins))
                nodes.append(inner)
        else:
            origins = self.walk(inner, scope, known, "IDENTITY")
            name = one.alias if isinstance(one, exp.Alias) else self.spelling(inner, scope) or _name(inner)
            if not name:
                result.unnamed = True
                name = inner.sql("duckdb", comments=False)
            col = Col(name, self.type_of(inner, scope), origins)
            result.add(col)
            nodes.append(inner)
            if isinstance(one, exp.Alias):
                scope.aliases[name.lower()] = col

    def _star(
        self,
        star: exp.Star,
        sources: Mapping[str, Relation],
        scope: Scope,
        known: dict[str, Relation],
        result: Relation,
        nodes: list[exp.Expr],
    ) -> None:
        leave = {one.name.lower(): one for one in star.args.get("except_") or ()}
        renamed = {one.this.name.lower(): one.alias for one in star.args.get("rename") or ()}
        new = {one.alias.lower(): one.this for one in star.args.get("replace") or ()}
        for name, node in leave.items():
            self._expect(name, node, sources.values(), scope)
        for one in star.args.get("rename") or ():
            self._expect(one.this.name, one.this, sources.values(), scope)
        for relation in sources.values():
            for col in relation.visible():
                low = col.name.lower()
                if low in leave:
                    continue
                if low in new:
                    made = self.walk(new[low], scope, known, "IDENTITY")
                    col = Col(col.name, self.type_of(new[low], scope), made)
                result.add(replace(col, name=renamed[low]) if low in renamed else col)
                nodes.append(exp.Column(this=exp.to_identifier(col.name)))
            result.unnamed = result.unnamed or relation.unnamed
            if relation.open:
                was_open = result.open
                result.open = True
                result.rest = tuple(dict.fromkeys((*result.rest, *relation.rest)))
                gone = relation.gone | leave.keys() | (renamed.keys() - {n.lower() for n in renamed.values()})
                # of several open relations only the names that all lack are surely not there
                result.gone = frozenset(gone & result.gone if was_open else gone)

    def _expect(self, name: str, node: exp.Expr, relations: Iterable[Relation], scope: Scope) -> None:
        relations = list(relations)
        if not any(one.get(name) or one.may_have(name) for one in relations):
            listed = tuple(dict.fromkeys(n for one in relations for n in one.names()))
            self.unknown.append(Unknown(node, node.name or name, "", listed))

    def _all(self, scope: Scope) -> Relation:
        result = Relation(rows=frozenset(scope.rows))
        self._star(exp.Star(), scope.starred, scope, {}, result, [])
        return result


def _same(left: Col, right: Col) -> str:
    return left.type if left.type == right.type else ""


def _name(node: exp.Expr) -> str:
    """The name that DuckDB gives to an expression without alias; empty when it is made of its text."""
    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Dot):
        return str(node.expression.name)
    if isinstance(node, exp.Func) and not any(node.args.values()):
        return str(node.sql_name())
    return ""


def _aggregates(node: exp.Expr) -> bool:
    return any(is_aggregate(one) and not isinstance(one.parent, exp.Window) for one in node.walk())


def _holds_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Binary) and any(
        isinstance(one, exp.Star) for one in (node.this, node.expression)
    )


def _without_joins(item: exp.Expr) -> exp.Expr:
    alone = item.copy()
    alone.set("joins", None)
    return alone
