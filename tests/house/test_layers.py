"""The house's own rules hold: imports one way, small files, no trace of a registry in the locks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "lakewright").rglob("*.py"))


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_files_stay_small() -> None:
    long = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 500}
    assert long == {}, "split these by verb"


def test_every_module_says_what_lives_there() -> None:
    silent = [
        str(p.relative_to(ROOT))
        for p in SOURCES
        if p.stat().st_size and not p.read_text().startswith(('"""', "#!"))
    ]
    assert silent == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host", text)
    pinned = re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, re.MULTILINE)
    blocks = re.split(r"^(?=[A-Za-z0-9_.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(pinned) == len(blocks) > 20
    assert [b.splitlines()[0] for b in blocks if "--hash=sha256:" not in b] == []


def test_locks_cover_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = list(project["project"]["dependencies"])
    everything = asked + [
        one
        for group in (
            *project["project"]["optional-dependencies"].values(),
            *project["dependency-groups"].values(),
        )
        for one in group
    ]
    for lock, wanted in (("requirements.lock", asked), ("requirements-dev.lock", everything)):
        held = {name.lower() for name in re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / lock).read_text(), re.M)}
        names = {re.split(r"[\[<>=!~; ]", one)[0].lower().replace("_", "-") for one in wanted}
        assert names - held == set(), f"run `make lock`: {lock} is behind pyproject.toml"


def test_both_locks_agree() -> None:
    def pins(lock: str) -> dict[str, str]:
        return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", (ROOT / lock).read_text(), re.M))

    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {n: (v, dev.get(n)) for n, v in runtime.items() if dev.get(n) != v} == {}


#: Modules whose distribution has another name.
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "python_calamine": "python-calamine",
    "botocore": "boto3",
    "adbc_driver_postgresql": "adbc-driver-postgresql",
    "adbc_driver_manager": "adbc-driver-postgresql",
    "stdnum": "python-stdnum",
}


def test_what_is_imported_is_asked_for() -> None:
    """A package that only the development environment happens to have is missed by users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        re.split(r"[\[<>=!~; ]", one)[0].lower()
        for group in (project["dependencies"], *project["optional-dependencies"].values())
        for one in group
    }
    foreign: dict[str, str] = {}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in ("lakewright", "_typeshed"):
                    foreign.setdefault(DISTRIBUTIONS.get(top, top), str(source.relative_to(ROOT)))
    assert {name: place for name, place in foreign.items() if name not in asked} == {}
