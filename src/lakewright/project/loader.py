"""Load a project's files into one immutable value, or say everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from yaml.nodes import MappingNode, SequenceNode

from lakewright.errors import Problem, ProjectError, Where
from lakewright.project import files as _files
from lakewright.project.context import BAD, Context
from lakewright.project.convert import convert, struct_of
from lakewright.project.document import Document, read
from lakewright.project.environment import Environment, read_environment
from lakewright.project.functions import guess_inputs
from lakewright.project.locate import locations
from lakewright.project.standins import StandIns, Stood
from lakewright.project.targets import PROJECT_FILE, read_project_file
from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.spec.project import Project, ProjectFile, UnitTest
from lakewright.spec.sources import SOURCES
from lakewright.spec.star import Dimension
from lakewright.spec.warehouse import Warehouse

__all__ = ["Loaded", "load", "problems", "read_project"]


@dataclass(slots=True)
class Loaded:
    """What could be read. ``project`` leaves out what was wrong; ``broken`` names the ids left out.

    ``sources_broken`` tells that some raw datasets are not known, for a source could not be read.
    """

    project: Project
    problems: list[Problem]
    broken: set[str] = field(default_factory=set)
    sources_broken: bool = False


def load(root: Path, target: str | None = None, env: Mapping[str, str] | None = None) -> Project:
    """Read the project in the folder *root*; raises ProjectError with every problem of its files.

    *target* wins over ``LAKEWRIGHT_TARGET`` and ``default_target``; *env* stands in for the
    process's environment. Nothing is connected, read or written beyond the project's own files.
    References between datasets are judged by :func:`lakewright.project.check.check`.
    """
    loaded = read_project(root, target, env)
    if loaded.problems:
        raise ProjectError(loaded.problems)
    return loaded.project


def problems(root: Path, target: str | None = None, env: Mapping[str, str] | None = None) -> list[Problem]:
    """Everything wrong with the project's files and with how they refer to each other, in one go."""
    from lakewright.project.check import check

    loaded = read_project(root, target, env)
    return [*loaded.problems, *check(loaded.project, loaded)]


def read_project(root: Path, target: str | None = None, env: Mapping[str, str] | None = None) -> Loaded:
    """Read all files, going on after problems; raises ProjectError only when there is no project in *root*."""
    root = root.absolute()
    if not (root / PROJECT_FILE).is_file():
        raise ProjectError([Problem("LW101", f"no {PROJECT_FILE} in {root}")])
    environment, found_problems = read_environment(root, env)
    file, chosen = _project_file(root, target, environment, found_problems)
    found = _files.list_files(root)
    found_problems += found.problems
    declared = frozenset(file.zones) if file else None
    if declared is not None:
        for zone in dict.fromkeys(one.zone for one in found.datasets.values()):
            wrong = _files.zone_problem(zone, declared)
            if wrong is not None:
                found_problems.append(wrong)
    reader = _Reader(root, environment, found_problems)
    reader.stand_ins.known = [one.id for one in found.datasets.values()]
    sources = {name: reader.source(path) for name, path in found.sources.items()}
    datasets = {one.id: reader.dataset(one) for one in found.datasets.values()}
    warehouses = {name: reader.convert(Warehouse, path) for name, path in found.warehouses.items()}
    tests = [test for path in found.tests for test in reader.tests(path)]
    good_sources = {name: one for name, one in sources.items() if one is not BAD}
    good_datasets = {id_: one for id_, one in datasets.items() if one is not None}
    project = Project(
        root=str(root),
        target=chosen,
        file=file or ProjectFile(name=root.name),
        sources=good_sources,
        source_paths={name: found.sources[name] for name in good_sources},
        datasets=good_datasets,
        tests=tuple(tests),
        warehouses={f"warehouse.{name}": one for name, one in warehouses.items() if one is not BAD},
    )
    known = [*project.raw, *datasets]
    for one in list(good_datasets.values()):
        if one.python is not None and not one.file.depends_on:
            inputs = tuple(id_ for id_ in guess_inputs(one.python, known) if id_ != one.id)
            changed = msgspec.structs.replace(one.file, depends_on=inputs)
            good_datasets[one.id] = msgspec.structs.replace(one, file=changed)
    broken = {id_ for id_ in datasets if id_ not in good_datasets}
    return Loaded(project, found_problems, broken, len(good_sources) < len(sources))


def _project_file(
    root: Path, target: str | None, environment: Environment, found: list[Problem]
) -> tuple[ProjectFile | None, str]:
    document = read(root / PROJECT_FILE, PROJECT_FILE)
    if isinstance(document, Problem):
        found.append(document)
        return None, target or ""
    file, chosen, wrong = read_project_file(document, target, environment)
    found += wrong
    return file, chosen


class _Reader:
    """Reads the files of one project; what is wrong goes to ``problems``."""

    def __init__(self, root: Path, environment: Environment, problems: list[Problem]) -> None:
        self.root = root
        self.environment = environment
        self.problems = problems
        self.stand_ins = StandIns(root, (), problems)

    def convert(self, struct: type[msgspec.Struct], path: str) -> Any:
        """The Struct that the YAML file at *path* holds, or BAD."""
        document = read(self.root / path, path)
        if isinstance(document, Problem):
            self.problems.append(document)
            return BAD
        context = Context(path, self.environment, self.problems)
        return convert(struct, document, context)

    def source(self, path: str) -> Any:
        """The source that the YAML file at *path* describes, of the kind that it names, or BAD."""
        document = read(self.root / path, path)
        if isinstance(document, Problem):
            self.problems.append(document)
            return BAD
        context = Context(path, self.environment, self.problems)
        struct = struct_of(SOURCES, document, context)
        return BAD if struct is None else convert(struct, document, context)

    def dataset(self, found: _files.DatasetFiles) -> Dataset | None:
        """One dataset from its YAML, SQL and Python files; None when something is wrong with it."""
        before = len(self.problems)
        yaml, sql_path, python_path = (found.files.get(kind) for kind in (".yaml", ".sql", ".py"))
        file = self.convert(DatasetFile, yaml) if yaml else DatasetFile()
        sql = self._text(sql_path) if sql_path else None
        python = self._text(python_path) if python_path else None
        stood = Stood(DatasetFile())
        if file is not BAD:
            self._made_of(file, found)
            stood = self.stand_ins.put(file, found.path, found.name)
        if len(self.problems) > before:
            return None
        if file.dimension is not None and file.dimension.generated:
            sql = self._generated(file.dimension, found)
            if sql is None:
                return None
        return Dataset(
            zone=found.zone,
            name=found.name,
            file=stood.file,
            path=found.path,
            sql=sql,
            sql_path=sql_path or python_path,
            python=python,
            places=stood.places,
            notes=stood.notes,
            identity=stood.identity,
        )

    def _made_of(self, file: DatasetFile, found: _files.DatasetFiles) -> None:
        """Exactly one of ``from``, SQL and Python says what a dataset is made of."""
        where = Where(found.path, 1)
        queries = [found.files[kind] for kind in (".sql", ".py") if kind in found.files]
        if file.dimension is not None and file.dimension.generated:
            one = "date" if file.dimension.date is not None else "location"
            made = [*(["`from`"] if file.from_ else []), *queries, *(["`steps`"] if file.steps else [])]
            if made:
                self._contradiction(where, f"`dimension.{one}` makes the rows, and so does {made[0]}")
            return
        if len(queries) == 2:
            self._contradiction(where, f"both {queries[0]} and {queries[1]} make this dataset")
        if file.from_ and queries:
            self._contradiction(where, f"`from` and {queries[0]} both say what this dataset is made of")
        elif file.steps and queries:
            self._contradiction(
                where,
                f"`steps` cannot follow {queries[0]}",
                "put the steps into the query, or into a dataset of their own",
            )
        if file.depends_on and file.from_:
            self._contradiction(where, "`depends_on` is for Python and SQL datasets, not beside `from`")
        if not file.from_ and not queries:
            name = found.path.removesuffix(".yaml")
            remedy = f"add `from: <dataset>`, or write {name}.sql or {name}.py"
            self.problems.append(
                Problem("LW121", "nothing says what this dataset is made of", where, remedy=remedy)
            )

    def _generated(self, dimension: Dimension, found: _files.DatasetFiles) -> str | None:
        """The query of a dimension of days or of places; None when its settings are wrong."""
        from lakewright.project.dates import date_problems, date_query
        from lakewright.project.locations import location_problems, location_query

        days, location = dimension.date, dimension.location
        wrong = [(("date", key), message) for key, message in date_problems(days)] if days else []
        if location is not None:
            wrong += [(("location", key), message) for key, message in location_problems(location)]
        if days and location:
            wrong.append((("location", ""), "a dimension is of days or of places, not of both"))
        places = locations(str(self.root))
        for keys, message in wrong:
            where = places.where(found.path, ("dimension", *(key for key in keys if key)))
            self.problems.append(Problem("LW127", message, where))
        if wrong:
            return None
        if days is not None:
            return date_query(days, dimension.key or "date_key")
        assert location is not None
        return location_query(location)

    def _contradiction(self, where: Where, message: str, remedy: str = "") -> None:
        self.problems.append(Problem("LW120", message, where, remedy=remedy))

    def _text(self, path: str) -> str | None:
        """The text of a query file."""
        try:
            data = (self.root / path).read_bytes()
            text = data.decode("utf-8-sig")
        except OSError as error:
            self.problems.append(Problem("LW102", f"cannot be read: {error.strerror or error}", Where(path)))
            return None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.problems.append(
                Problem("LW102", "not UTF-8", Where(path, line), remedy="save the file as UTF-8")
            )
            return None
        if not text.strip():
            self.problems.append(Problem("LW121", "the query is empty", Where(path)))
            return None
        return text

    def tests(self, path: str) -> list[UnitTest]:
        """The unit tests of one file: a list of them, or one."""
        document = read(self.root / path, path)
        if isinstance(document, Problem):
            self.problems.append(document)
            return []
        context = Context(path, self.environment, self.problems)
        root = document.root
        result = []
        if isinstance(root, SequenceNode):
            nodes = list(enumerate(root.value))
        else:
            nodes = [(-1, root if root is not None else MappingNode("", [], None, None))]
        for index, node in nodes:
            if index >= 0:
                context.trail = [index]
            test = convert(UnitTest, Document(path, node), context)
            if test is not BAD:
                result.append(msgspec.structs.replace(test, path=path))
        return result
