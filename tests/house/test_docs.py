"""Every command and every line of Python that a page shows is run, in the order of the page.

A page starts in an empty folder. Its ``sh`` blocks run in bash and its ``python`` blocks in Python,
where the block before left off. ``<!-- setup … -->`` holds commands that readers do not see;
``<!-- not run: why -->`` right before a block leaves it out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"<!--\s*setup\n(?P<setup>.*?)-->"
    r"|(?P<skip><!--\s*not run:[^>]*-->\s*\n)?^(?P<fence>`{3,})(?P<kind>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)\s*$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    line: int
    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The blocks of *page* that are run."""
    text = page.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["setup"] is not None:
            found.append(Block(line, "sh", match["setup"]))
        elif match["skip"] is None and match["kind"] in ("sh", "bash", "python"):
            found.append(Block(line, match["kind"].replace("bash", "sh"), match["text"]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT)).replace("/", "-")
)
def test_what_a_page_shows_runs(page: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    where = tmp_path / "where"
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    for block in blocks(page):
        if block.kind == "sh":
            command = ["bash", "-euo", "pipefail", "-c", f'{block.text}\npwd > "{where}"']
        else:
            command = [sys.executable, "-c", block.text]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, (
            f"{page.relative_to(ROOT)}:{block.line}\n{block.text}\n{done.stdout}\n{done.stderr}"
        )
        if block.kind == "sh":
            folder = Path(where.read_text().strip())


def test_links_lead_somewhere() -> None:
    lost = []
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                lost.append(f"{page.relative_to(ROOT)}: {target}")
    assert lost == []
