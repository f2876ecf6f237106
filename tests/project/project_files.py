"""The smallest project, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lakewright.errors import Problem, ProjectError
from lakewright.project import load, problems

__all__ = ["BASE", "Write", "all_problems", "found"]

#: Writes a project's files into a folder of the test, and returns the folder.
Write = Callable[..., Path]

BASE = {
    "lakewright.yaml": "name: shop\n",
    "sources/shop.yaml": "kind: files\npath: in\ndatasets:\n  orders: {files: orders.csv}\n",
    "datasets/processed/orders.yaml": "from: raw.orders\n",
}


def found(root: Path, target: str | None = None, env: Mapping[str, str] | None = None) -> list[Problem]:
    """The problems of the files alone, as loading raises them."""
    try:
        load(root, target, env or {})
    except ProjectError as error:
        return list(error.problems)
    return []


def all_problems(root: Path, target: str | None = None, env: Mapping[str, str] | None = None) -> list[str]:
    """Every problem as ``file:line code message``."""
    return [f"{one.where}: {one.code} {one.message}" for one in problems(root, target, env or {})]
