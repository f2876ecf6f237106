"""Which dataset needs which: the dependency graph of a project."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.plan.dependencies import Dependencies
from lakewright.plan.python import python_inputs
from lakewright.project.locate import Key, Locations, locations
from lakewright.spec.dataset import Dataset
from lakewright.spec.expectations import Condition, References, Statistic
from lakewright.spec.project import Project
from lakewright.spec.rest import RestSource
from lakewright.sql.checks import check_dependencies

__all__ = ["CACHE_FILE", "Graph", "Node", "check_graph", "inferred_into"]

#: Where, under the project's folder, the dependencies of parsed queries are remembered.
CACHE_FILE = ".lakewright/dependencies.json"

# After this many circles the rest adds nothing.
_MOST_CYCLES = 20


@dataclass(frozen=True, slots=True)
class Node:
    """A dataset, or a warehouse that serves several, and what it needs.

    ``reads`` are the datasets whose rows it is made of; ``depends`` are further ones that its
    ``depends_on`` lists, and the dimensions of a fact: they are built before it, but nothing new in
    them makes it out of date.
    ``references`` are datasets that its expectations look into, and facts that may add members to a
    dimension that it reads: when both are built, they come first, and that is all.
    """

    id: str
    kind: Literal["raw", "table", "warehouse"]
    reads: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def upstream(self) -> tuple[str, ...]:
        """What must be built before it, and be built well."""
        return self.reads + self.depends


@dataclass(frozen=True)
class Graph:
    """The datasets of a project and their links. Immutable; made by :meth:`of`."""

    nodes: Mapping[str, Node]
    _down: Mapping[str, tuple[str, ...]] = field(repr=False)

    @classmethod
    def of(cls, project: Project, *, remember: bool = True) -> Graph:
        """Read the links of *project*'s datasets: ``from``, SQL, Python, ``depends_on``, ``references``.

        With *remember*, the dependencies of queries are kept in :data:`CACHE_FILE`. Raises
        ProjectError with every problem: what the parsers refuse, LW321 unknown datasets, LW322
        circles, each named in full.
        """
        reader = _Reader(project, remember)
        nodes = reader.nodes()
        if reader.problems:
            raise ProjectError(reader.problems)
        reader.dependencies.save()
        return cls.build(nodes.values())

    @classmethod
    def build(cls, nodes: Iterable[Node]) -> Graph:
        """Make a graph of *nodes*, which have no circle; references that would close one are left out."""
        kept = _without_circular_references({node.id: node for node in nodes})
        down: dict[str, list[str]] = {id: [] for id in kept}
        for node in kept.values():
            for id in node.upstream:
                down[id].append(node.id)
        return cls(kept, {id: tuple(found) for id, found in down.items()})

    def upstream(self, id: str) -> tuple[str, ...]:
        """The datasets that *id* needs directly."""
        return self.nodes[id].upstream

    def downstream(self, id: str) -> tuple[str, ...]:
        """The datasets that need *id* directly."""
        return self._down[id]

    def ancestors(self, id: str, levels: int | None = None) -> frozenset[str]:
        """Everything that *id* needs, up to *levels* links away (all when None), without itself."""
        return _reach(id, self.upstream, levels)

    def descendants(self, id: str, levels: int | None = None) -> frozenset[str]:
        """Everything that needs *id*, up to *levels* links away (all when None), without itself."""
        return _reach(id, self.downstream, levels)

    def order(self, ids: Collection[str] | None = None) -> tuple[str, ...]:
        """*ids* (all when None) so that each comes after what it needs or refers to; always the same."""
        if ids is None:
            return self._order
        wanted = set(ids)
        return tuple(id for id in self._order if id in wanted)

    def links(self, ids: Collection[str]) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
        """Return the links among *ids* alone, as two mappings of a dataset to others of *ids*.

        The first holds what it needs directly. The second holds what it must only wait for:
        references, and what it needs by way of datasets that are not among *ids*.
        """
        wanted = set(ids)
        needs = {id: frozenset(self.upstream(id)) & wanted for id in wanted}
        after: dict[str, frozenset[str]] = {}
        through: dict[str, frozenset[str]] = {}
        for id in self._order:
            # what a dataset that is left out would have waited for
            inherited = frozenset().union(*(through[one] for one in self.upstream(id) if one not in wanted))
            direct = frozenset(self.upstream(id)) & wanted
            through[id] = inherited | direct
            if id in wanted:
                references = frozenset(self.nodes[id].references) & wanted
                after[id] = (inherited | references) - direct - {id}
        return needs, after

    @cached_property
    def _order(self) -> tuple[str, ...]:
        sorter = TopologicalSorter(
            {id: (*node.upstream, *node.references) for id, node in self.nodes.items()}
        )
        sorter.prepare()
        order: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=lambda id: (self.nodes[id].kind != "raw", id))
            order += ready
            sorter.done(*ready)
        return tuple(order)


def inferred_into(project: Project, dataset: Dataset) -> frozenset[str]:
    """Return the dimensions that *dataset*, a fact, adds the members to that its rows lack."""
    fact = dataset.file.fact
    found = set()
    for one in fact.lookups.values() if fact else ():
        of = project.datasets.get(one.dimension)
        if one.missing == "infer" and of is not None and of.file.dimension and not of.file.dimension.complete:
            found.add(of.id)
    return frozenset(found)


def check_graph(project: Project) -> list[Problem]:
    """Return what is wrong with the links of *project*'s datasets, as :meth:`Graph.of` would refuse them.

    What the project's files tell without their queries is said in the same words as when they are
    checked by themselves, so that the two can be put together without saying anything twice.
    """
    reader = _Reader(project, remember=True)
    reader.nodes()
    return reader.problems


class _Reader:
    """Finds the links of each dataset and collects what is wrong with them."""

    def __init__(self, project: Project, remember: bool) -> None:
        self.project = project
        self.dependencies = Dependencies(Path(project.root) / CACHE_FILE if remember else None)
        self.places: Locations = locations(project.root)
        self.problems: list[Problem] = []
        ids = [*project.raw, *project.datasets]
        self.ids = {id.lower(): id for id in ids}
        # the rows refused on the way into a dataset can be read like a dataset
        self.ids |= {f"quarantine.{id.replace('.', '_', 1)}".lower(): id for id in ids}
        self.known = list(dict.fromkeys([*ids, *(f"quarantine.{id.replace('.', '_', 1)}" for id in ids)]))

    def nodes(self) -> dict[str, Node]:
        nodes = {id: Node(id, "raw", depends=self._parent(id)) for id in self.project.raw}
        for id, dataset in self.project.datasets.items():
            reads = self._reads(dataset)
            depends = self._resolve(dataset, [(one, ("depends_on", one)) for one in dataset.file.depends_on])
            fact = dataset.file.fact
            depends += self._resolve(
                dataset,
                [
                    (one.dimension, ("fact", "dimensions", name))
                    for name, one in (fact.lookups if fact else {}).items()
                ],
            )
            nodes[id] = Node(
                id,
                "table",
                reads=reads,
                depends=tuple(dict.fromkeys(one for one in depends if one not in reads)),
                references=tuple(one for one in self._references(dataset) if one != id),
            )
        for id, warehouse in self.project.warehouses.items():
            # what is wrong with their names is said where the files are checked
            known = tuple(one for one in warehouse.datasets if one in nodes)
            nodes[id] = Node(id, "warehouse", reads=known)
        nodes = self._after_facts(nodes)
        self.problems += [self._circle(cycle) for cycle in _cycles(nodes)]
        return nodes

    def _after_facts(self, nodes: dict[str, Node]) -> dict[str, Node]:
        """Who reads a dimension waits for the facts that may add members to it."""
        grow = {id: inferred_into(self.project, dataset) for id, dataset in self.project.datasets.items()}
        grow = {id: dimensions for id, dimensions in grow.items() if dimensions}
        made = dict(nodes)
        for id, node in nodes.items() if grow else ():
            facts = [fact for fact, into in grow.items() if fact != id and not into.isdisjoint(node.reads)]
            if facts:
                made[id] = replace(node, references=tuple(dict.fromkeys([*node.references, *facts])))
        return made

    def _parent(self, id: str) -> tuple[str, ...]:
        """The raw dataset whose rows the requests for another one are made from."""
        source = self.project.sources[self.project.raw[id]]
        if not isinstance(source, RestSource):
            return ()
        parent = source.datasets[id.partition(".")[2]].parent
        return (f"raw.{parent.dataset}",) if parent is not None and parent.dataset in source.datasets else ()

    def _reads(self, dataset: Dataset) -> tuple[str, ...]:
        path = dataset.sql_path or dataset.path
        try:
            if dataset.sql is not None:
                return self._resolve_query(dataset.sql, path, self.dependencies.of(dataset.sql, path=path))
            if dataset.python is not None:
                found = [one.dataset for one in python_inputs(dataset).values()]
                # what is wrong with a name of depends_on is said once, there
                return tuple(dict.fromkeys(self.ids[one.lower()] for one in found if one.lower() in self.ids))
        except ProjectError as error:
            self.problems += error.problems
            return ()
        return self._resolve(dataset, [(dataset.file.from_, ("from",))] if dataset.file.from_ else [])

    def _references(self, dataset: Dataset) -> tuple[str, ...]:
        declared = self._resolve(
            dataset,
            [
                (".".join(target.split(".")[:2]), ("expect", index, "references", column))
                for index, one in enumerate(dataset.file.expect)
                if isinstance(one, References)
                for column, target in one.columns.items()
            ],
        )
        written = [one.sql for one in dataset.file.expect if isinstance(one, Condition | Statistic)]
        if not any("select" in text.lower() for text in written):
            return declared
        # a condition may look into another dataset by a subquery
        found = [self.ids[one.lower()] for one in check_dependencies(dataset) if one.lower() in self.ids]
        return tuple(dict.fromkeys([*declared, *found]))

    def _resolve(self, dataset: Dataset, names: Iterable[tuple[str, tuple[Key, ...]]]) -> tuple[str, ...]:
        found: list[str] = []
        for name, keys in names:
            id = self.ids.get(name.lower())
            if id is None:
                self.problems.append(self._unknown(name, self.places.where(dataset.path, keys)))
            else:
                found.append(id)
        return tuple(dict.fromkeys(found))

    def _resolve_query(self, text: str, path: str, names: Iterable[str]) -> tuple[str, ...]:
        found: list[str] = []
        for name in names:
            id = self.ids.get(name.lower())
            if id is None:
                self.problems.append(self._unknown(name, _place_in_query(text, path, name)))
            else:
                found.append(id)
        return tuple(dict.fromkeys(found))

    def _unknown(self, name: str, where: Where) -> Problem:
        zone, _, bare = name.partition(".")
        hint = nearest(name, [one for one in self.known if one.startswith(f"{zone}.")]) or nearest(
            name, self.known
        )
        same = [one for one in self.known if one.partition(".")[2] == bare]
        if same:
            hint = f"; did you mean {same[0]!r}?"
        return Problem("LW321", f"there is no dataset {name!r}{hint}", where)

    def _circle(self, cycle: tuple[str, ...]) -> Problem:
        dataset, following = self.project.datasets[cycle[0]], cycle[1]
        where = self.places.where(
            dataset.path, ("from",) if dataset.file.from_ == following else ("depends_on", following)
        )
        if dataset.sql is not None and following not in dataset.file.depends_on:
            path = dataset.sql_path or dataset.path
            where = _place_in_query(dataset.sql, path, following)
        if following == dataset.id:
            return Problem("LW322", f"{dataset.id} is made of itself", where)
        shown = " → ".join(cycle)
        return Problem("LW322", f"datasets depend on each other in a circle: {shown}", where)


def _place_in_query(text: str, path: str, name: str) -> Where:
    from lakewright.sql.query import place, shared_query, tables

    for table in tables(shared_query(text, path=path)):
        if f"{table.db}.{table.name}".lower() == name.lower():
            return place(table, path) or Where(path)
    return Where(path)


def _cycles(nodes: Mapping[str, Node]) -> list[tuple[str, ...]]:
    """Return circles of *nodes*, each from a dataset over what it needs back to itself."""
    links = {id: [one for one in node.upstream if one in nodes] for id, node in sorted(nodes.items())}
    found: list[tuple[str, ...]] = []
    while len(found) < _MOST_CYCLES:
        try:
            TopologicalSorter(links).prepare()
        except CycleError as error:
            # graphlib gives each dataset before the one that needs it
            circle = list(reversed(error.args[1]))[1:]
            first = circle.index(min(circle))
            circle = circle[first:] + circle[:first]
            found.append((*circle, circle[0]))
            links[circle[-1]].remove(circle[0])
        else:
            break
    return found


def _without_circular_references(nodes: dict[str, Node]) -> dict[str, Node]:
    links: dict[str, list[str]] = {id: [*node.upstream, *node.references] for id, node in nodes.items()}
    if _sorts(links):
        return nodes
    links = {id: list(node.upstream) for id, node in nodes.items()}
    kept: dict[str, Node] = {}
    for id, node in sorted(nodes.items()):
        good: list[str] = []
        for one in node.references:
            if id not in _reach(one, links.__getitem__, None) and one != id:
                links[id].append(one)
                good.append(one)
        kept[id] = Node(id, node.kind, node.reads, node.depends, tuple(good))
    return {id: kept[id] for id in nodes}


def _sorts(links: Mapping[str, Iterable[str]]) -> bool:
    try:
        TopologicalSorter(links).prepare()
    except CycleError:
        return False
    return True


def _reach(id: str, step: Callable[[str], Iterable[str]], levels: int | None) -> frozenset[str]:
    found: set[str] = set()
    edge = {id}
    while edge and (levels is None or levels > 0):
        edge = {other for one in edge for other in step(one)} - found
        found |= edge
        levels = None if levels is None else levels - 1
    return frozenset(found - {id})
