"""Judge a loaded project as a whole: what its files say about each other, before anything runs.

What needs SQL to be parsed is judged elsewhere: the datasets that a query reads and the columns
that it produces are the plan's.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from lakewright.errors import Problem, Where, nearest
from lakewright.project import check_dataset, check_source
from lakewright.project.check_encryption import encryption_problems
from lakewright.project.check_mask import mask_problems
from lakewright.project.check_rest import rest_problems
from lakewright.project.check_star import star_problems
from lakewright.project.check_subject import subject_problems
from lakewright.project.check_warehouse import warehouse_problems
from lakewright.project.locate import Key, Locations, locations
from lakewright.project.targets import PROJECT_FILE
from lakewright.spec.dataset import Dataset
from lakewright.spec.expectations import References
from lakewright.spec.project import Lake, Project
from lakewright.spec.rest import RestSource

if TYPE_CHECKING:
    from lakewright.project.loader import Loaded

__all__ = ["check"]


def check(project: Project, loaded: Loaded | None = None) -> list[Problem]:
    """Every problem in how the project's files refer to each other and in what they ask for.

    *loaded* tells what was left out of *project* because of problems already known, so that
    references to it are not reported as well.
    """
    checker = _Checker(project, loaded)
    checker.lake(project.file.lake)
    checker.sources()
    checker.datasets()
    checker.warehouses()
    checker.subjects()
    checker.tests()
    checker.cycles()
    return checker.problems


class _Checker:
    def __init__(self, project: Project, loaded: Loaded | None) -> None:
        self.project = project
        self.places: Locations = locations(project.root)
        self.problems: list[Problem] = []
        self.broken = loaded.broken if loaded else set()
        self.raw_unknown = loaded.sources_broken if loaded else False
        known = [*project.raw, *project.datasets, *self.broken]
        # Rows refused on the way into a dataset can be read like a dataset.
        self.known = dict.fromkeys([*known, *(f"quarantine.{one.replace('.', '_', 1)}" for one in known)])

    def note(
        self, code: str, message: str, path: str, keys: tuple[Key, ...] = (), *, remedy: str = ""
    ) -> None:
        self.problems.append(Problem(code, message, self.places.where(path, keys), (), remedy))

    # --- lake, sources

    def lake(self, lake: Lake) -> None:
        """The catalog that is named must be one that the kind of lake can use."""
        for one in encryption_problems(
            lake, self.project.file.keys, cached=self.project.file.query_cache is not None
        ):
            self.note(one.code, one.message, PROJECT_FILE, one.keys, remedy=one.remedy)
        catalog = lake.catalog
        if catalog.startswith("${"):
            return
        kinds = ("sqlite:", "duckdb:", "postgres:", "postgresql:")
        if lake.kind == "ducklake" and not catalog.startswith(kinds):
            self.note(
                "LW127",
                "a ducklake's catalog is sqlite:<file> or postgres:<connection string>",
                PROJECT_FILE,
                ("lake", "catalog"),
            )
        if lake.kind == "iceberg":
            if not catalog.startswith(("http://", "https://")):
                message = "an iceberg lake needs `catalog`, the address of its REST catalog"
                self.note("LW127", message, PROJECT_FILE, ("lake", "catalog"))
            if not lake.warehouse:
                message = "an iceberg lake needs `warehouse`, its name in the REST catalog"
                self.note("LW127", message, PROJECT_FILE, ("lake",))

    def sources(self) -> None:
        """Raw names are unique over all sources; reading options fit the format."""
        owner: dict[str, str] = {}
        for source, spec in self.project.sources.items():
            path = self.project.source_paths.get(source, f"sources/{source}.yaml")
            for name, dataset in spec.datasets.items():
                first = owner.setdefault(name, path)
                if first != path:
                    self.note("LW123", f"raw.{name} is defined in {first} already", path, ("datasets", name))
                for message, keys in check_source.problems(dataset):
                    self.note("LW127", message, path, ("datasets", name, *keys))
            for message, keys in check_source.source_problems(spec):
                self.note("LW127", message, path, keys)
            if isinstance(spec, RestSource):
                for message, keys in rest_problems(spec):
                    self.note("LW127", message, path, keys)

    # --- datasets

    def datasets(self) -> None:
        """References between datasets, then each dataset on its own."""
        tables: dict[str, str] = {}
        for dataset in self.project.datasets.values():
            self.references(dataset)
            pool, pools = dataset.file.pool, self.project.file.engine.pools
            if pool is not None and pool not in pools:
                message = f"engine.pools has no pool {pool!r}{nearest(pool, pools)}"
                self.note("LW127", message, dataset.path, ("pool",))
            quarantine = f"{dataset.zone}_{dataset.name}"
            other = tables.setdefault(quarantine, dataset.id)
            if other != dataset.id:
                message = f"the refused rows of {dataset.id} and {other} would share quarantine.{quarantine}"
                self.note("LW123", message, dataset.path)
            for found in (
                *check_dataset.problems(dataset, self.project),
                *star_problems(dataset, self.project),
                *mask_problems(dataset, self.project),
            ):
                where = self.places.of(dataset, found.keys)
                self.problems.append(Problem(found.code, found.message, where, (), found.remedy))

    def warehouses(self) -> None:
        """What warehouses serve exists in the lake, and fits their kind."""
        for id_, warehouse in self.project.warehouses.items():
            path = f"warehouses/{id_.partition('.')[2]}.yaml"
            for name, table in warehouse.all_tables.items():
                keys: tuple[Key, ...] = ("tables", name)
                if table.dataset is None:
                    continue
                if table.dataset.startswith(("raw.", "quarantine.")):
                    message = f"{table.dataset} is no table of a zone that warehouses serve"
                    self.note("LW127", message, path, keys)
                elif table.dataset not in self.known:
                    self.unknown(table.dataset, path, keys)
            for found in warehouse_problems(warehouse, self.project):
                self.note(found.code, found.message, path, found.keys, remedy=found.remedy)

    def subjects(self) -> None:
        """The datasets and columns in which people are found exist, and can tell them."""
        for found in subject_problems(self.project, self.known):
            self.note(found.code, found.message, PROJECT_FILE, found.keys, remedy=found.remedy)

    def references(self, dataset: Dataset) -> None:
        """``from``, ``depends_on`` and the ``references`` of expectations name datasets that exist."""
        file = dataset.file
        if file.from_:
            self.exists(file.from_, dataset, ("from",))
        for name in file.depends_on:
            self.exists(name, dataset, ("depends_on", name))
        for column, look in (file.fact.lookups if file.fact else {}).items():
            self.exists(look.dimension, dataset, ("fact", "dimensions", column))
        for index, one in enumerate(file.expect):
            if isinstance(one, References):
                for column, target in one.columns.items():
                    zone, name, target_column = target.split(".", 2)
                    keys = ("expect", index, "references", column)
                    if self.exists(f"{zone}.{name}", dataset, keys):
                        self.column_exists(f"{zone}.{name}", target_column, dataset, keys)

    def column_exists(self, target: str, column: str, dataset: Dataset, keys: tuple[Key, ...]) -> None:
        """Whether *target* has *column*, where that can be told without its query."""
        other = self.project.datasets.get(target)
        known = check_dataset.known_columns(other) if other is not None else None
        if known is not None and column.lower() not in known and not column.startswith("_"):
            message = f"{target} has no column {column!r}{nearest(column, known)}"
            self.note("LW128", message, dataset.path, keys)

    def exists(self, name: str, dataset: Dataset, keys: tuple[Key, ...]) -> bool:
        """Whether *name* is a dataset; else a problem with the nearest one that is."""
        if name == dataset.id and keys[0] != "expect":
            self.note("LW322", f"{name} is made of itself", dataset.path, keys)
            return False
        if name in self.known:
            return True
        self.unknown(name, dataset.path, keys)
        return False

    def unknown(self, name: str, path: str, keys: tuple[Key, ...]) -> None:
        if self.raw_unknown and name.startswith("raw."):
            return
        zone, _, bare = name.partition(".")
        same = [one for one in self.known if one.partition(".")[2] == bare and one != path]
        in_zone = [one for one in self.known if one.startswith(f"{zone}.")]
        hint = nearest(name, in_zone) or nearest(name, self.known)
        if same:
            hint = f"; did you mean {same[0]!r}?"
        self.note("LW321", f"there is no dataset {name!r}{hint}", path, keys)

    def cycles(self) -> None:
        """Circles among ``from`` and ``depends_on``, each shown whole."""
        links = {
            id_: [
                one
                for one in (
                    *([dataset.file.from_] if dataset.file.from_ else []),
                    *dataset.file.depends_on,
                    *_dimensions(dataset),
                )
                if one in self.project.datasets and one != id_
            ]
            for id_, dataset in sorted(self.project.datasets.items())
        }
        while True:
            try:
                TopologicalSorter(links).prepare()
                return
            except CycleError as error:
                # graphlib names each dataset before the one that needs it.
                circle: list[str] = list(reversed(error.args[1]))[1:]
            first = circle.index(min(circle))
            circle = circle[first:] + circle[:first]
            start = self.project.datasets[circle[0]]
            following = circle[1 % len(circle)]
            keys: tuple[Key, ...] = ("from",) if start.file.from_ == following else ("depends_on", following)
            shown = " → ".join([*circle, circle[0]])
            self.note("LW322", f"datasets depend on each other in a circle: {shown}", start.path, keys)
            links[circle[-1]].remove(circle[0])

    # --- tests

    def tests(self) -> None:
        """Unit tests name datasets that exist, and give rows to what their dataset reads."""
        names: dict[str, Where] = {}
        index: dict[str, int] = {}
        for test in self.project.tests:
            position = index[test.path] = index.get(test.path, -1) + 1
            # A file with a single test may hold it without a list; the place is then found by its key.
            item: tuple[Key, ...] = (position,) if self.in_list(test.path) else ()
            where = self.places.where(test.path, (*item, "name"))
            if test.name in names:
                message = f"the test {test.name!r} exists already, at {names[test.name]}"
                self.problems.append(Problem("LW123", message, where))
            names.setdefault(test.name, where)
            dataset = self.project.datasets.get(test.dataset)
            if dataset is None:
                if test.dataset.startswith("raw."):
                    message = f"{test.dataset} holds files; a test is for a dataset under datasets/"
                    self.note("LW127", message, test.path, (*item, "dataset"))
                elif test.dataset not in self.broken:
                    self.unknown(test.dataset, test.path, (*item, "dataset"))
            upstream = None
            if dataset is not None and dataset.sql is None:
                checked = _referenced(dataset)
                upstream = {dataset.file.from_, *dataset.file.depends_on, *checked} - {None}
            for given in test.given:
                keys = (*item, "given", given)
                if given not in self.known:
                    self.unknown(given, test.path, keys)
                elif upstream is not None and given not in upstream:
                    reads = ", ".join(sorted(str(one) for one in upstream))
                    message = f"{test.dataset} does not read {given}; it reads {reads}"
                    self.note("LW127", message, test.path, keys)

    def in_list(self, path: str) -> bool:
        """Whether the tests of a file stand in a list."""
        return self.places.is_list(path)


def _dimensions(dataset: Dataset) -> set[str]:
    """The dimensions that a fact refers to."""
    return {one.dimension for one in dataset.file.fact.lookups.values()} if dataset.file.fact else set()


def _referenced(dataset: Dataset) -> set[str]:
    """The datasets whose values a dataset's expectations look up."""
    return {
        target.rpartition(".")[0]
        for one in dataset.file.expect
        if isinstance(one, References)
        for target in one.columns.values()
    }
