"""Follows columns through the steps of a dataset: which there are after each, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from sqlglot import exp
from sqlglot.errors import SqlglotError

from lakewright.errors import Problem, ProjectError
from lakewright.spec.dataset import Column
from lakewright.spec.steps import (
    Aggregate,
    Cast,
    DateParts,
    Deduplicate,
    Derive,
    Drop,
    DropNulls,
    FillNulls,
    Filter,
    Flatten,
    MapValues,
    NormalizeText,
    Rename,
    Select,
    StandardizeNames,
    Step,
    Unnest,
)
from lakewright.sql.names import standard_names
from lakewright.sql.query import dependencies, shared_query
from lakewright.sql.query_columns import problem_of, type_of
from lakewright.sql.query_relation import Col, Relation, Unknown, applied
from lakewright.sql.query_scope import Resolver

__all__ = ["Finding", "Key", "expression", "trace_contract", "trace_steps"]

Key = str | int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, at a path of keys in the dataset's YAML; empty when the problem knows its place."""

    problem: Problem
    keys: tuple[Key, ...] = ()


def trace_steps(
    relation: Relation, steps: Sequence[Step], *, path: str, relation_of: Callable[[str], Relation]
) -> tuple[Relation, list[Finding]]:
    """Return what *relation* becomes through *steps*, and what in them cannot be right.

    *relation_of* gives the datasets that a condition looks into with a query of its own.
    """
    tracer = _Steps(path, relation_of)
    for number, step in enumerate(steps):
        tracer.keys = ("steps", number, step.name)
        tracer.shorthand = step.shorthand
        relation = tracer.step(relation.copy(), step)
    return relation, tracer.findings


def trace_contract(relation: Relation, contract: Mapping[str, Column]) -> Relation:
    """Return *relation* with the contract's columns first and cast to their types, the others after them.

    A column of the contract that is not listed is taken to come through when the relation is open.
    """
    result = replace(relation, columns={}, dataset="")
    for name, column in contract.items():
        col = relation.get(name)
        if col is None:
            if not relation.open or name.lower() in relation.gone:
                continue
            col = relation.guess(name)
        kind = column.type or ""
        converts = bool(kind) and (
            kind.upper() != col.type.upper() if col.type else kind.upper() not in _TEXT
        )
        col = col.through("TRANSFORMATION") if converts else col
        if column.mask is not None:
            col = col.through("TRANSFORMATION", masking=True)
            kind = "VARCHAR" if column.mask.retypes else kind
        result.columns[name.lower()] = replace(col, name=name, type=kind or col.type)
    for col in relation.visible():
        result.columns.setdefault(col.name.lower(), col)
    return result


_TEXT = frozenset({"VARCHAR", "TEXT", "STRING"})


def expression(text: str, path: str) -> exp.Expr:
    """Return the one expression that *text* is; ProjectError when it is something else."""
    query = shared_query(f"SELECT {text}", path)
    extra = [key for key, value in query.args.items() if value and key != "expressions"]
    if not isinstance(query, exp.Select) or extra or len(query.expressions) != 1:
        raise ProjectError([Problem("LW301", f"{text!r} is not one expression")])
    return cast(exp.Expr, query.expressions[0].unalias())


class _Steps:
    def __init__(self, path: str, relation_of: Callable[[str], Relation]) -> None:
        self.path = path
        self.relation_of = relation_of
        self.keys: tuple[Key, ...] = ("steps", 0)
        self.shorthand = ""
        self.findings: list[Finding] = []

    def step(self, relation: Relation, step: Step) -> Relation:
        match step:
            case StandardizeNames():
                result = _renamed(relation, standard_names(col.name for col in relation.columns.values()))
                # a column that is not known may get a name that was dropped before
                result.gone = frozenset()
                return result
            case Rename():
                for old in step.columns:
                    self.need(relation, old, "columns", old)
                return _renamed(relation, step.columns)
            case Select():
                return self.select(relation, step)
            case Drop():
                for name in step.columns:
                    self.need(relation, name, "columns", name)
                    relation.columns.pop(name.lower(), None)
                relation.gone |= {name.lower() for name in step.columns}
                return relation
            case Cast():
                for name, kind in step.columns.items():
                    self.change(relation, name, type=kind if isinstance(kind, str) else kind.get("type", ""))
                return relation
            case Derive():
                for name, text in step.columns.items():
                    self.put(relation, self.make(relation, text, name, "columns", name))
                return relation
            case DateParts():
                if col := self.need(relation, step.column, "column"):
                    for part in step.parts:
                        self.put(
                            relation,
                            replace(col.through("TRANSFORMATION"), name=f"{step.prefix or col.name}_{part}"),
                        )
                return relation
            case NormalizeText():
                texts = [c.name for c in relation.columns.values() if not c.type or c.type.upper() in _TEXT]
                for name in step.columns or texts:
                    self.change(relation, name, keep=True)
                return relation
            case FillNulls():
                for name in step.columns:
                    self.change(relation, name, keep=True)
                return relation
            case MapValues():
                self.change(relation, step.column, "column")
                return relation
            case DropNulls():
                for name in step.columns:
                    if col := self.need(relation, name, "columns", name):
                        relation.rows |= applied(col.origins, "FILTER")
                return relation
            case Filter():
                relation.rows |= self.make(relation, step.where, "", "where", transformation="FILTER").origins
                return relation
            case Deduplicate():
                return self.deduplicate(relation, step)
            case Flatten():
                return self.flatten(relation, step)
            case Unnest():
                if col := self.need(relation, step.column, "column"):
                    self.put(relation, col.through("TRANSFORMATION"))
                return relation
            case Aggregate():
                return self.aggregate(relation, step)
            case _:
                return _anything(relation)

    def select(self, relation: Relation, step: Select) -> Relation:
        found = [self.need(relation, name, "columns", name) for name in step.columns]
        return Relation({col.name.lower(): col for col in found if col}, rows=relation.rows)

    def deduplicate(self, relation: Relation, step: Deduplicate) -> Relation:
        for name in step.keys:
            if col := self.need(relation, name, "keys", name):
                relation.rows |= applied(col.origins, "GROUP_BY")
        if step.latest_by and (col := self.need(relation, step.latest_by, "latest_by")):
            relation.rows |= applied(col.origins, "SORT")
        return relation

    def flatten(self, relation: Relation, step: Flatten) -> Relation:
        result = replace(relation, columns={})
        wanted = {name.lower(): name for name in step.columns}
        for name in step.columns:
            self.need(relation, name, "columns", name)
        for low, col in relation.columns.items():
            if low not in wanted:
                result.columns[low] = col
                continue
            fields = _fields(col.type)
            if fields is None:  # which columns there will be follows from the data
                result.open = True
            for field, kind in (fields or {}).items():
                self.put(
                    result,
                    replace(
                        col.through("TRANSFORMATION", type=kind), name=f"{col.name}{step.separator}{field}"
                    ),
                )
        result.gone |= set(wanted)
        return result

    def aggregate(self, relation: Relation, step: Aggregate) -> Relation:
        result = Relation(rows=relation.rows)
        for name in step.by:
            if col := self.need(relation, name, "by", name):
                result.columns[col.name.lower()] = col
                result.rows |= applied(col.origins, "GROUP_BY")
        for name, text in step.columns.items():
            self.put(result, self.make(relation, text, name, "columns", name))
        return result

    def need(self, relation: Relation, name: str, *keys: Key) -> Col | None:
        """The column *name*; None, and a finding, when it is certainly not there."""
        if col := relation.get(name):
            return col
        if relation.may_have(name):
            return relation.guess(name)
        self.miss(Unknown(exp.column(name), name, "", relation.names(), relation.dataset), keys)
        return None

    def miss(self, unknown: Unknown, keys: Iterable[Key]) -> None:
        # after the first step the rows are no longer quite those of the dataset
        known = unknown if self.keys[1] == 0 else replace(unknown, dataset="")
        self.find(problem_of(known), keys)

    def find(self, problem: Problem, keys: Iterable[Key]) -> None:
        # the value of a step with one field stands where the field would
        path = [key for place, key in enumerate(keys) if place or key != self.shorthand]
        self.findings.append(Finding(replace(problem, where=None), (*self.keys, *path)))

    def change(self, relation: Relation, name: str, *keys: Key, type: str = "", keep: bool = False) -> None:
        if col := self.need(relation, name, *(keys or ("columns", name))):
            self.put(relation, col.through("TRANSFORMATION", type=col.type if keep else type))

    def put(self, relation: Relation, col: Col) -> None:
        relation.columns[col.name.lower()] = col
        relation.gone -= {col.name.lower()}

    def make(
        self, relation: Relation, text: str, name: str, *keys: Key, transformation: str = "IDENTITY"
    ) -> Col:
        """The column *name* that the SQL expression *text* makes of *relation*."""
        try:
            tree = expression(text, self.path)
        except ProjectError as error:
            for one in error.problems:
                self.find(one, keys)
            return Col(name)
        resolver = Resolver({id: self.relation_of(id) for id in dependencies(tree)}, type_of)
        col = resolver.expression(tree, relation, alias=name, transformation=transformation)
        for unknown in dict.fromkeys(resolver.unknown):
            self.miss(unknown, keys)
        return col


def _renamed(relation: Relation, names: Mapping[str, str]) -> Relation:
    new = {old.lower(): name for old, name in names.items()}
    result = replace(relation, columns={})
    for low, col in relation.columns.items():
        result.add(replace(col, name=new[low]) if low in new else col)
    missing = [(old, name) for old, name in names.items() if old.lower() not in relation.columns]
    for old, name in missing:  # of an open relation: it may be there
        if relation.may_have(old):
            result.columns.setdefault(name.lower(), replace(relation.guess(old), name=name))
    left = {old.lower() for old in names} - {name.lower() for name in names.values()}
    result.gone = (relation.gone | left) - result.columns.keys()
    return result


def _anything(relation: Relation) -> Relation:
    """What a function makes of *relation*: any columns; those that keep their name may be changed."""
    columns = {low: col.through("TRANSFORMATION") for low, col in relation.columns.items()}
    return Relation(columns, open=True, rest=relation.rest, rows=relation.rows)


def _fields(kind: str) -> dict[str, str] | None:
    if not kind.upper().startswith("STRUCT"):
        return None
    try:
        parsed = exp.DataType.build(kind, dialect="duckdb")
    except SqlglotError:
        return None
    found = {}
    for one in parsed.expressions:
        if not isinstance(one, exp.ColumnDef):
            return None
        found[one.name] = one.args["kind"].sql("duckdb")
    return found
