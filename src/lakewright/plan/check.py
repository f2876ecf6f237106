"""Judges the queries and columns of a whole project before anything runs.

The answer for a project without problems is remembered: what every command asks first costs a few
milliseconds then, and SQLGlot is not loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from lakewright.errors import Problem, Where
from lakewright.spec.project import Project

__all__ = ["MEMORY_FILE", "check_queries"]

#: Where, under the project's folder, the last project without problems is remembered, by hash.
MEMORY_FILE = ".lakewright/checked"

# Raised when what is checked changes.
_FORMAT = 4


def check_queries(
    project: Project,
    known: Mapping[str, Mapping[str, str]] | None = None,
    *,
    remember: bool = True,
    syntax: Callable[[str], tuple[str, int] | None] | None = None,
) -> list[Problem]:
    """Return every reference to a column that cannot be there, with its line and the nearest right name.

    LW305: a query, step, condition or cursor uses a column that its input does not have. LW306: the
    contract, keys, partitions, order, history or expectations name a column that is not produced.
    LW301 to LW304: a query or expression is refused (the graph tells of the same queries).

    *known* gives columns and types of datasets as they are, for inputs that the files leave open
    (raw data already taken); pass only what is complete. Cycles and unknown datasets are the
    graph's to report: what they would give is taken as unknown here. With *remember*, a project
    found good is not looked at again until one of its datasets changes. *syntax* is the engine's own
    parser, which returns what is wrong with a text and in which of its lines: SQLGlot takes
    ``join c on`` for a join of everything with everything.
    """
    memory = Path(project.root) / MEMORY_FILE if remember and known is None else None
    mark = _mark(project) if memory is not None else ""
    if memory is not None and _read(memory) == mark:
        return []
    # SQLGlot is loaded only when something changed
    from lakewright.plan.check_access import access_problems
    from lakewright.plan.check_columns import column_problems

    found = [*column_problems(project, known), *access_problems(project)]
    if syntax is not None:
        found += _misspelt(project, syntax, found)
    if memory is not None and not found:
        _write(memory, mark)
    return found


def _misspelt(
    project: Project, syntax: Callable[[str], tuple[str, int] | None], found: Iterable[Problem]
) -> list[Problem]:
    told = {one.where.path for one in found if one.code == "LW301" and one.where is not None}
    problems = []
    for id, dataset in project.datasets.items():
        path = dataset.sql_path or dataset.path
        if dataset.sql is None or path in told:
            continue
        wrong = syntax(dataset.sql)
        if wrong is not None:
            where = Where(path, wrong[1] if dataset.sql_path else 1)
            problems.append(Problem("LW301", f"{id}: the SQL cannot be parsed: {wrong[0]}", where))
    return problems


def _mark(project: Project) -> str:
    """A hash of everything that the check looks at, and of what looks at it."""
    parts: list[object] = [_FORMAT, version("lakewright"), version("sqlglot")]
    if access := project.file.access:
        masks = {
            role: {name: mask.name for name, mask in one.masks.items()} for role, one in access.roles.items()
        }
        parts.append((access, masks, sorted(project.raw), project.file.zones, sorted(project.file.keys)))
    for source in project.sources.values():
        parts.append({name: one.columns for name, one in source.datasets.items()})
    for id, one in project.datasets.items():
        # two kinds of step, or expectation, can have the same fields
        kinds = [step.name for step in one.file.steps], [rule.name for rule in one.file.expect]
        parts.append((id, one, kinds, {name: mask.name for name, mask in one.masks.items()}))
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _read(memory: Path) -> str:
    try:
        return memory.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _write(memory: Path, mark: str) -> None:
    # an optimisation only: a folder that cannot be written costs time, not the answer
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=memory.parent, prefix=memory.name)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(mark)
            Path(name).replace(memory)
        except OSError:
            Path(name).unlink(missing_ok=True)
