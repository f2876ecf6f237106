"""Every command, file and line of Python that a page shows is run, in the order of the page.

A page starts in an empty folder. Its ``sh`` blocks run in bash and its ``python`` blocks in Python,
where the block before left off. A block whose fence says ``file=PATH`` is written there. Each line of a
``text`` block must appear in what the block before it printed; spaces do not count. ``<!-- exits N -->``
right before a block says how its last command ends. ``<!-- setup … -->`` holds commands that readers do
not see; ``<!-- not run: why -->`` right before a block leaves it out.
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
    r"|(?:(?P<skip><!--\s*not run:[^>]*-->)\s*\n|<!--\s*exits (?P<exit>\d+)\s*-->\s*\n)?"
    r"^(?P<fence>`{3,})(?P<kind>[\w-]*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=fence)\s*$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    line: int
    kind: str
    text: str
    exit: int = 0


def blocks(page: Path) -> list[Block]:
    """The blocks of *page* that are run, written or compared. Fails for one that none of it is done to."""
    text = page.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["setup"] is not None:
            found.append(Block(line, "sh", match["setup"]))
            continue
        if match["skip"] is not None:
            continue
        file = re.search(r"file=(\S+)", match["info"])
        kind = f"file:{file[1]}" if file else match["kind"].replace("bash", "sh")
        if not file and kind not in ("sh", "python", "text", "mermaid"):
            raise AssertionError(f"{page.name}:{line}: a block of {kind or 'no kind'} that is not tested")
        if kind != "mermaid":
            found.append(Block(line, kind, match["text"], int(match["exit"] or 0)))
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
    printed = ""
    for block in blocks(page):
        place = f"{page.relative_to(ROOT)}:{block.line}"
        if block.kind == "text":
            missing = [one for one in block.text.splitlines() if _plain(one) not in _plain(printed)]
            assert missing == [], f"{place}\n{printed}"
            continue
        if block.kind.startswith("file:"):
            file = folder / block.kind.removeprefix("file:")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
            continue
        if block.kind == "sh":
            command = ["bash", "-euo", "pipefail", "-c", f"trap 'pwd > \"{where}\"' EXIT\n{block.text}"]
        else:
            command = [sys.executable, "-c", block.text]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == block.exit, f"{place}\n{block.text}\n{printed}"
        if block.kind == "sh":
            folder = Path(where.read_text().strip())


def _plain(text: str) -> str:
    return " ".join(text.split())


def test_links_lead_somewhere() -> None:
    lost = []
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                lost.append(f"{page.relative_to(ROOT)}: {target}")
    assert lost == []
