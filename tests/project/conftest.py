"""Write small projects for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lakewright.errors import Problem, ProjectError
from lakewright.project import load, problems

Write = Callable[..., Path]

BASE = {
    "lakewright.yaml": "name: shop\n",
    "sources/shop.yaml": "kind: files\npath: in\ndatasets:\n  orders: {files: orders.csv}\n",
    "datasets/processed/orders.yaml": "from: raw.orders\n",
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a project: the smallest one, with the files given by path put in or, as None, left out."""

    def put(files: Mapping[str, str | bytes | None] | None = None) -> Path:
        for path, text in {**BASE, **(files or {})}.items():
            if text is None:
                continue
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return put


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
