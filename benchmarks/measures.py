"""What every scenario needs: sizes, promised figures, outcomes, and the ways to run a contender."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import DATA, HERE, Contender, Run, ours, peer, process

WORK = DATA / "work"
PEERS = HERE / "peers"
SCRIPTS = HERE / "ours"


@dataclass(frozen=True)
class Size:
    """How large everything is: *rows* of the big file, the rest in proportion to it."""

    rows: int = 10_000_000

    @property
    def share(self) -> float:
        return min(1.0, self.rows / 10_000_000)

    def of(self, full: int, least: int = 1) -> int:
        return max(least, round(full * self.share))


@dataclass
class Figure:
    """One promise: *value* must be at most (or, with ``least``, at least) *target*.

    *why* says in one sentence what a missed figure comes from; it is shown only when it is missed.
    """

    what: str
    value: float | None
    target: float
    unit: str = "×"
    least: bool = False
    why: str = ""

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target

    def summary(self) -> dict[str, object]:
        return {
            "what": self.what,
            "value": None if self.value is None else round(self.value, 3),
            "bound": "at least" if self.least else "at most",
            "target": self.target,
            "unit": self.unit,
            "met": self.met,
            "why": "" if self.met else self.why,
        }


@dataclass
class Outcome:
    """What a scenario found."""

    name: str
    about: str
    contenders: list[Contender] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)


def ratio(of: Contender, to: Contender) -> float | None:
    return of.seconds / to.seconds if of.runs and to.runs else None


def peer_run(name: str, environment: str, script: str, arguments: Callable[[], list[object]]) -> Contender:
    def start() -> Run:
        python = peer(environment)
        return process([python, PEERS / script, *map(str, arguments())])

    return Contender(name, start, prepare=lambda: _discard(peer, environment))


def _discard(call: Callable[[str], Path], name: str) -> None:
    call(name)


def run_project(name: str, make: Callable[[], Path]) -> Contender:
    """`lakewright run` on a project that is new each time: the whole command is timed."""
    made: list[Path] = []

    def prepare() -> None:
        made[:] = [make()]

    def start() -> Run:
        return process(ours("run", "--json"), cwd=made[0])

    return Contender(name, start, prepare)


def compression(project: Path) -> str:
    """How the lake compresses, so that DuckDB is asked to do the same."""
    import duckdb

    files = sorted((project / "lake").rglob("*.parquet"))
    for one in files:
        if "raw" not in one.parts:
            row = duckdb.execute(
                "select any_value(compression) from parquet_metadata(?)", [str(one)]
            ).fetchone()
            if row:
                return str(row[0]).lower()
    return "zstd"


def number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def divide(top: object, bottom: object) -> float | None:
    a, b = number(top), number(bottom)
    return a / b if a is not None and b else None


def tidy() -> None:
    """Remove what the scenarios built; their data stays."""
    shutil.rmtree(WORK, ignore_errors=True)
