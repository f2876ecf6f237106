"""Follows columns through a whole project: every name that is used must be produced by someone.

Datasets are followed from the sources on. What cannot be known from the files (the columns of a
CSV nobody has declared, what a Python function returns) is left open, and nothing is said about
names that may come from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.project import check_dataset
from lakewright.project.locate import Key, Locations, locations
from lakewright.project.rules import partition_column
from lakewright.spec.dataset import Dataset
from lakewright.spec.expectations import Query, References
from lakewright.spec.project import Project
from lakewright.sql.checks_expect import expressions_of
from lakewright.sql.lineage import Traced, stored, trace
from lakewright.sql.lineage_steps import expression
from lakewright.sql.query import dependencies, shared_query
from lakewright.sql.query_columns import problem_of
from lakewright.sql.query_relation import Relation
from lakewright.sql.query_scope import Resolver

__all__ = ["column_problems", "known_outputs", "traced_outputs"]


def column_problems(project: Project, known: Mapping[str, Mapping[str, str]] | None = None) -> list[Problem]:
    """Return every reference to a column that cannot be there; see :func:`lakewright.plan.check.check_queries`."""
    return _Checker(project, known or {}).problems()


def known_outputs(
    project: Project, known: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Relation]:
    """Return what the files tell of the columns of each dataset, raw ones included, by id."""
    checker = _Checker(project, known or {})
    return {id: checker.relation(id) for id in (*project.raw, *project.datasets)}


def traced_outputs(project: Project) -> tuple[dict[str, Relation], dict[str, Traced]]:
    """Return the columns of each dataset as readers see them, raw ones included, and how each is made, by id."""
    checker = _Checker(project, {})
    relations = {id: checker.relation(id) for id in (*project.raw, *project.datasets)}
    return relations, checker.traced


class _Checker:
    def __init__(self, project: Project, known: Mapping[str, Mapping[str, str]]) -> None:
        self.project = project
        self.known = {id.lower(): columns for id, columns in known.items()}
        self.places: Locations = locations(project.root)
        self.ids = {id.lower(): id for id in (*project.raw, *project.datasets)}
        self.relations: dict[str, Relation] = {}
        self.traced: dict[str, Traced] = {}
        self.refused: dict[str, tuple[Problem, ...]] = {}
        self.open: set[str] = set()

    def problems(self) -> list[Problem]:
        found: list[Problem] = []
        for id, dataset in self.project.datasets.items():
            self.relation(id)
            found += self.refused.get(id, ())
            if id in self.traced:
                found += self.dataset(dataset, self.traced[id])
        return list(dict.fromkeys(found))

    # --- what each dataset gives

    def relation(self, id: str) -> Relation:
        """The columns of *id* as a reader sees them."""
        name = self.ids.get(id.lower(), id)
        if name not in self.relations:
            if name in self.open:  # a circle
                return Relation.of(name, None)
            self.open.add(name)
            self.relations[name] = self._relation(name)
            self.open.discard(name)
        return self.relations[name]

    def _relation(self, id: str) -> Relation:
        known = self.known.get(id.lower())
        dataset = self.project.datasets.get(id)
        if dataset is None:
            source = self.project.raw.get(id)
            if known is not None or source is None:
                return Relation.of(id, known)
            spec = self.project.sources[source].datasets[id.partition(".")[2]]
            # with `evolve`, columns that nobody declared come along
            return Relation.of(id, spec.columns, open=True) if spec.columns else Relation.of(id, None)
        try:
            self.traced[id] = traced = trace(dataset, self.relation)
        except ProjectError as error:
            self.refused[id] = error.problems
            return Relation.of(id, list(dataset.file.columns), open=True)
        return stored(dataset, traced.output)

    # --- what is asked of it

    def dataset(self, dataset: Dataset, traced: Traced) -> Iterator[Problem]:
        """The problems of one dataset."""
        said: set[tuple[Key, ...]] | None = None
        for keys, problem in self._findings(dataset, traced):
            if keys and dataset.sql is None and dataset.python is None:
                # what the steps alone tell is said when the files are read
                said = _said(dataset, self.project) if said is None else said
                if keys in said:
                    continue
            if keys:
                where = self.places.of(dataset, keys)
                problem = Problem(problem.code, problem.message, where, problem.tried, problem.remedy)
            yield problem

    def _findings(self, dataset: Dataset, traced: Traced) -> Iterator[tuple[tuple[Key, ...], Problem]]:
        for found in traced.findings:
            yield found.keys, found.problem
        output = traced.made
        for name in dataset.file.columns:
            if output.get(name) is None and not output.may_have(name):
                yield ("columns", name), _missing(dataset, name, output)
        full = stored(dataset, traced.output)
        for name, keys in _settings(dataset):
            if full.get(name) is None and not full.may_have(name):
                yield keys, _missing(dataset, name, full)
        yield from self._conditions(dataset, full)
        yield from self._references(dataset)
        yield from self._cursor(dataset)

    def _conditions(self, dataset: Dataset, full: Relation) -> Iterator[tuple[tuple[Key, ...], Problem]]:
        for number, one in enumerate(dataset.file.expect):
            keys = ("expect", number, one.name)
            try:
                if isinstance(one, Query):
                    shared_query(one.sql, dataset.path, own=one.name_of_this)
                trees = [expression(sql, dataset.path) for sql in expressions_of(one)]
            except ProjectError as error:
                yield from (
                    (keys, Problem(p.code, p.message, Where(dataset.path), p.tried, p.remedy))
                    for p in error.problems
                )
                continue
            for tree in trees:
                resolver = Resolver({id: self.relation(id) for id in dependencies(tree)})
                resolver.expression(tree, full)
                for unknown in dict.fromkeys(resolver.unknown):
                    yield keys, problem_of(unknown, Where(dataset.path))

    def _references(self, dataset: Dataset) -> Iterator[tuple[tuple[Key, ...], Problem]]:
        for number, one in enumerate(dataset.file.expect):
            if not isinstance(one, References):
                continue
            for name, target in one.columns.items():
                zone, _, rest = target.partition(".")
                table, _, column = rest.partition(".")
                other = self.project.datasets.get(f"{zone}.{table}")
                if other is not None and check_dataset.known_columns(other) is not None:
                    continue  # said when the files are read
                relation = self.relation(f"{zone}.{table}")
                if relation.get(column) is None and not relation.may_have(column):
                    yield (
                        ("expect", number, "references", name),
                        Problem(
                            "LW305",
                            f"{zone}.{table} has no column {column!r}{nearest(column, relation.names())}",
                            remedy=_offer("use one of its columns", relation),
                        ),
                    )

    def _cursor(self, dataset: Dataset) -> Iterator[tuple[tuple[Key, ...], Problem]]:
        column = dataset.file.incremental.column
        if not column:
            return
        if dataset.sql is not None:
            inputs = dependencies(shared_query(dataset.sql, dataset.sql_path or dataset.path))
        else:
            inputs = (dataset.file.from_,) if dataset.file.from_ else ()
        relations = [self.relation(id) for id in inputs]
        if relations and not any(one.get(column) or one.may_have(column) for one in relations):
            names = dict.fromkeys(name for one in relations for name in one.names())
            yield (
                ("incremental", "column"),
                Problem(
                    "LW305",
                    f"{' and '.join(inputs)} has no column {column!r}{nearest(column, names)}",
                    remedy=_offer("use one of its columns", relations[0]),
                ),
            )


def _said(dataset: Dataset, project: Project) -> set[tuple[Key, ...]]:
    return {found.keys for found in check_dataset.problems(dataset, project)}


def _settings(dataset: Dataset) -> Iterator[tuple[str, tuple[Key, ...]]]:
    """The columns that the settings of a dataset name outside SQL, each with its place in the YAML.

    Columns of the contract are left out: they are reported where the contract names them.
    """
    contract = {name.lower() for name in dataset.file.columns}
    for name, keys in _named(dataset):
        if name.lower() not in contract and not name.startswith("_"):
            yield name, keys


def _named(dataset: Dataset) -> Iterator[tuple[str, tuple[Key, ...]]]:
    write = dataset.file.write
    for name in write.keys:
        yield name, ("write", "keys", name)
    for text in write.partition_by:
        if column := partition_column(text):
            yield column, ("write", "partition_by", text)
    for text in write.sort_by:
        if found := re.match(
            r'\s*(?:"((?:[^"]|"")+)"|(\w+))(?:\s+(?:asc|desc)\b.*)?\s*\Z', text, re.IGNORECASE
        ):
            yield (found[1] or found[2]).replace('""', '"'), ("write", "sort_by", text)
    if write.scd2.changed_at:
        yield write.scd2.changed_at, ("write", "scd2", "changed_at")
    for name in write.scd2.track:
        yield name, ("write", "scd2", "track", name)
    if dataset.file.dimension is not None:
        for place in ("unknown", "not_applicable"):
            for name in getattr(dataset.file.dimension, place):
                yield name, ("dimension", place, name)
    if dataset.file.fact is not None:
        if dataset.file.fact.at:
            yield dataset.file.fact.at, ("fact", "at")
        for key, look in dataset.file.fact.lookups.items():
            if look.at:
                yield look.at, ("fact", "dimensions", key, "at")
            for name in look.on:
                yield name, ("fact", "dimensions", key, "on", name)
    for number, one in enumerate(dataset.file.expect):
        for name in check_dataset.named_columns(one):
            yield name, ("expect", number, one.name, name)


def _missing(dataset: Dataset, name: str, output: Relation) -> Problem:
    if dataset.sql is not None and not dataset.file.steps:
        made = f"{dataset.sql_path or dataset.path} produces"
    elif dataset.file.steps:
        made = "the steps produce"
    else:
        made = f"{dataset.file.from_} gives"
    message = f"{dataset.id}: {made} no column {name!r}{nearest(name, output.names())}"
    return Problem(
        "LW306", message, remedy=_offer("produce it, or use one of the columns that are there", output)
    )


def _offer(words: str, relation: Relation) -> str:
    names = relation.names()
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{words}: {', '.join(names[:20])}{more}" if names else ""
