"""Find the files of a project and say what each is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.project.rules import RESERVED, name_problem
from lakewright.project.targets import PROJECT_FILE
from lakewright.spec.base import ZONES

__all__ = ["DatasetFiles", "Found", "find", "list_files"]

_KINDS = (".yaml", ".sql", ".py")
#: How the name of a contract ends that lies among the datasets, before ``.yaml``.
CONTRACT = ".odcs"
#: Files that editors, systems and Python leave behind or that explain a folder; they define nothing.
_IGNORED = (".md", ".txt", ".pyc", ".pyi", ".bak", ".swp", ".orig")


@dataclass(slots=True)
class DatasetFiles:
    """The files of one dataset by kind (``.yaml``, ``.sql``, ``.py``), relative to the project."""

    zone: str
    name: str
    files: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``zone.name``."""
        return f"{self.zone}.{self.name}"

    @property
    def path(self) -> str:
        """The file that speaks for the dataset: its YAML, else its query."""
        return next(self.files[kind] for kind in _KINDS if kind in self.files)


@dataclass(slots=True)
class Found:
    """Every file of the project by what it defines, in the order of names."""

    sources: dict[str, str] = field(default_factory=dict)
    datasets: dict[str, DatasetFiles] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)
    warehouses: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def find(start: Path) -> Path:
    """The nearest folder, from *start* upwards, that holds ``lakewright.yaml``; else ProjectError LW101."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise ProjectError([Problem("LW101", f"no {PROJECT_FILE} in {start} or above it")])


def list_files(root: Path) -> Found:
    """Look through ``sources/``, ``datasets/``, ``warehouses/`` and ``tests/``; declared zones are judged by the caller."""
    found = Found()
    for folder, what, files in (
        ("sources", "source", found.sources),
        ("warehouses", "warehouse", found.warehouses),
    ):
        for path, stem, suffix in _files(root, folder, found):
            if suffix == ".yaml":
                _name(stem, path, what, found)
                files[stem] = path
            else:
                _unread(path, suffix, found)
    for path, _, suffix in _files(root, "tests", found):
        if suffix == ".yaml":
            found.tests.append(path)
        elif suffix != ".py":
            # Python tests of the user's own functions may live here too.
            _unread(path, suffix, found)
    for zone, is_folder in _entries(root / "datasets"):
        path = f"datasets/{zone}"
        if is_folder:
            _zone(zone, path, root, found)
        elif Path(zone).suffix in (*_KINDS, ".yml"):
            found.problems.append(
                Problem(
                    "LW113",
                    f"{zone} lies in no zone",
                    Where(path),
                    remedy=f"move it to datasets/processed/{zone} or another zone",
                )
            )
    return found


def _zone(zone: str, folder: str, root: Path, found: Found) -> None:
    if zone in RESERVED:
        remedy = "raw datasets are declared in sources/*.yaml" if zone == "raw" else ""
        found.problems.append(
            Problem("LW122", f"{zone!r} cannot be a zone with dataset files", Where(folder), remedy=remedy)
        )
        return
    for path, stem, suffix in _files(root, folder, found):
        if stem.endswith(CONTRACT) and suffix == ".yaml":
            continue  # a contract, which a dataset beside it names
        if suffix not in _KINDS:
            _unread(path, suffix, found)
            continue
        if stem == "__init__" and suffix == ".py":
            continue
        _name(stem, path, "dataset", found)
        found.datasets.setdefault(f"{zone}.{stem}", DatasetFiles(zone, stem)).files[suffix] = path


def _files(root: Path, folder: str, found: Found) -> Iterator[tuple[str, str, str]]:
    """(path, stem, suffix) of each visible file; sub-folders are a problem when they hold project files."""
    for name, is_folder in _entries(root / folder):
        path = f"{folder}/{name}"
        if is_folder:
            inner = next(
                (one for one in sorted((root / path).rglob("*")) if one.suffix in _KINDS and one.is_file()),
                None,
            )
            if inner is not None and name != "__pycache__":
                shown = inner.relative_to(root).as_posix()
                found.problems.append(
                    Problem("LW113", "lies too deep to be read", Where(shown), remedy=f"move it to {folder}/")
                )
            continue
        stem, dot, suffix = name.rpartition(".")
        yield path, stem if dot else name, dot + suffix if dot else ""


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """(name, whether a folder) of what is visible in *folder*, sorted; nothing when it does not exist."""
    try:
        with os.scandir(folder) as entries:
            return sorted((one.name, one.is_dir()) for one in entries if one.name[0] not in ".~#")
    except (FileNotFoundError, NotADirectoryError):
        return []


def _name(stem: str, path: str, what: str, found: Found) -> None:
    expected = name_problem(stem)
    if expected:
        found.problems.append(
            Problem(
                "LW122", f"the {what}'s name is the file's: expected {expected}, got {stem!r}", Where(path)
            )
        )


def _unread(path: str, suffix: str, found: Found) -> None:
    if suffix.lower() in _IGNORED or suffix.endswith("~"):
        return
    if suffix.lower() in (".yml", ".yaml"):
        remedy = f"rename it to end in .yaml: {path.rpartition('.')[0]}.yaml"
    else:
        guess = nearest(suffix, _KINDS)
        remedy = f"use .yaml, .sql or .py{guess}" if path.startswith("datasets/") else "use .yaml"
    found.problems.append(
        Problem(
            "LW113", f"files that end in {suffix or 'nothing'} are not read here", Where(path), remedy=remedy
        )
    )


def zone_problem(zone: str, declared: frozenset[str]) -> Problem | None:
    """Whether a folder under ``datasets/`` is a zone: one of the known ones, or declared in the project."""
    if zone in ZONES or zone in declared:
        return None
    known = [*ZONES[1:], *declared]
    return Problem(
        "LW122",
        f"unknown zone {zone!r}{nearest(zone, known)}",
        Where(f"datasets/{zone}"),
        remedy=f"use one of {', '.join(known)}, or declare it under `zones` in lakewright.yaml",
    )
