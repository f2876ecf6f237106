"""Judges the queries and columns of a whole project before anything runs.

The answer for a project without problems is remembered: what every command asks first costs a few
milliseconds then, and SQLGlot is not loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from lakewright.errors import Problem
from lakewright.spec.project import Project

__all__ = ["MEMORY_FILE", "check_queries"]

#: Where, under the project's folder, the last project without problems is remembered, by hash.
MEMORY_FILE = ".lakewright/checked"

# Raised when what is checked changes.
_FORMAT = 1


def check_queries(
    project: Project, known: Mapping[str, Mapping[str, str]] | None = None, *, remember: bool = True
) -> list[Problem]:
    """Return every reference to a column that cannot be there, with its line and the nearest right name.

    LW305: a query, step, condition or cursor uses a column that its input does not have. LW306: the
    contract, keys, partitions, order, history or expectations name a column that is not produced.
    LW301 to LW304: a query or expression is refused (the graph tells of the same queries).

    *known* gives columns and types of datasets as they are, for inputs that the files leave open
    (raw data already taken); pass only what is complete. Cycles and unknown datasets are the
    graph's to report: what they would give is taken as unknown here. With *remember*, a project
    found good is not looked at again until one of its datasets changes.
    """
    memory = Path(project.root) / MEMORY_FILE if remember and known is None else None
    mark = _mark(project) if memory is not None else ""
    if memory is not None and _read(memory) == mark:
        return []
    # SQLGlot is loaded only when something changed
    from lakewright.plan.check_columns import column_problems

    found = column_problems(project, known)
    if memory is not None and not found:
        _write(memory, mark)
    return found


def _mark(project: Project) -> str:
    """A hash of everything that the check looks at, and of what looks at it."""
    parts: list[object] = [_FORMAT, version("lakewright"), version("sqlglot")]
    for source in project.sources.values():
        parts.append({name: one.columns for name, one in source.datasets.items()})
    for id, one in project.datasets.items():
        # two kinds of step, or expectation, can have the same fields
        kinds = [step.name for step in one.file.steps], [rule.name for rule in one.file.expect]
        parts.append((id, one, kinds))
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
