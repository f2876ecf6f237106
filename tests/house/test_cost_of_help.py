"""`lakewright --help` loads nothing heavy: modules are counted, no clock is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: Each costs tens of milliseconds or more; none of them is needed to say what a command does.
HEAVY = (
    "adbc_driver_manager",
    "boto3",
    "botocore",
    "duckdb",
    "jinja2",
    "markdown_it",
    "numpy",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow",
    "pygal",
    "pygments",
    "requests",
    "rich",
    "sqlalchemy",
    "sqlglot",
    "yaml",
    "asyncio",
    "http.client",
    "ssl",
)

#: Ceiling on everything that is loaded; Typer itself brings about 140 modules.
MOST_MODULES = 300

PROBE = """
import atexit, json, sys
out = sys.argv.pop(1)
atexit.register(lambda: open(out, "w").write(json.dumps(sorted(sys.modules))))
sys.argv[0] = "lakewright"
{statement}
"""

HELP = "from lakewright.cli.main import main\nmain()"


def modules_after(statement: str, tmp_path: Path, *arguments: str) -> tuple[set[str], str]:
    """The modules that a new interpreter holds when it ends, and what it printed."""
    out = tmp_path / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement), str(out), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(out.read_text())), done.stdout


def heavy(modules: set[str]) -> list[str]:
    return [one for one in HEAVY if any(m == one or m.startswith(one + ".") for m in modules)]


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help")], ids=" ".join)
def test_help_loads_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    modules, printed = modules_after(HELP, tmp_path, *arguments)
    assert printed.strip()
    assert heavy(modules) == []
    assert len(modules) <= MOST_MODULES, len(modules)


def test_explaining_a_code_loads_nothing_heavy(tmp_path: Path) -> None:
    modules, printed = modules_after(HELP, tmp_path, "explain", "LW101")
    assert "lakewright.yaml" in printed
    assert heavy(modules) == []


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    modules, _ = modules_after("import lakewright", tmp_path)
    assert heavy(modules) == []
    assert not any(m.startswith("lakewright.") for m in modules - {"lakewright.errors", "lakewright.codes"})
