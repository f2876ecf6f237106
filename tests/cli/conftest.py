"""Projects for the tests of the command line: one built once, and copies of it to change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import SHOP, run_cli, write


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was run once; only to be read."""
    root = tmp_path_factory.mktemp("built") / "shop"
    write(root, SHOP)
    ran = run_cli("run", cwd=root)
    assert ran.code == 0, ran.err
    return root


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Path:
    """A copy of the project that was run once."""
    return Path(shutil.copytree(built, tmp_path / "shop"))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The project before its first run."""
    root = tmp_path / "new"
    write(root, SHOP)
    return root
