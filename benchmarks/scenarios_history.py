"""The scenarios of history and merge: many changes into a large table that is there already."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import data
import projects
from harness import Contender, Run, Unavailable, compete, fresh, note, ours, peer, process
from measures import PEERS, WORK, Figure, Outcome, Size, compression, ratio

_HISTORY = (
    "the command also copies and hashes the changes for raw, looks at what each key had before, audits and "
    "profiles the rows, and starts."
)


def scd2(size: Size, rounds: int) -> Outcome:
    """Changes of a fifth of the rows into a table that keeps every version."""
    rows, changes = size.of(5_000_000, 50_000), size.of(1_000_000, 10_000)
    base, changed = data.customers(rows, changes)
    project = WORK / "scd2"
    mine = _second_run(project, base, changed, lambda: projects.customers(project, mode="scd2"))
    copying = _copying("DuckDB COPY of the Parquet", project)
    dbt = _dbt(base, changed)
    compete([mine, copying, dbt], rounds)
    _same(dbt, rows + changes)
    return Outcome(
        "scd2",
        f"{changes:,} changes into {rows:,} rows with their history; whole processes",
        [mine, copying, dbt],
        [
            Figure("lakewright / copying the Parquet", ratio(mine, copying), 1.6, why=_HISTORY),
            Figure("dbt snapshot / lakewright", ratio(dbt, mine), 2.0, least=True, why=_HISTORY),
        ],
    )


def merge(size: Size, rounds: int) -> Outcome:
    """Random rows merged by key into a table ten times as large."""
    rows, changes = size.of(10_000_000, 100_000), size.of(1_000_000, 10_000)
    base, changed = data.customers(rows, changes)
    project = WORK / "merge"
    mine = _second_run(project, base, changed, lambda: projects.customers(project, mode="merge"))
    delta = _delta(base, changed)
    compete([mine, delta], rounds)
    _same(delta, rows)
    return Outcome(
        "merge",
        f"{changes:,} random rows merged into {rows:,}; whole processes",
        [mine, delta],
        [Figure("lakewright / delta-rs MERGE", ratio(mine, delta), 0.5, why=_HISTORY)],
    )


def _same(other: Contender, rows: int) -> None:
    """A contender that ends with another number of rows did other work."""
    if other.runs and other.runs[-1].said.get("rows") != rows:
        other.unavailable = f"has {other.runs[-1].said.get('rows')} rows where {rows} are right"
        other.runs.clear()
        note(f"    {other.name} {other.unavailable}")


def _second_run(project: Path, base: Path, changed: Path, make: Callable[[], Path]) -> Contender:
    """`lakewright run` on the changes; the table is loaded once before, and put back for each round."""
    saved = project.with_name(project.name + ".saved")

    def prepare() -> None:
        if not saved.is_dir():
            make()
            shutil.copy(base, project / "landing" / "base.parquet")
            process(ours("run", "--json"), cwd=project)
            project.rename(saved)
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(saved, project)
        shutil.copy(changed, project / "landing" / "changed.parquet")

    return Contender("lakewright run", lambda: process(ours("run", "--json"), cwd=project), prepare)


def _copying(name: str, project: Path) -> Contender:
    table = project.with_name(project.name + ".saved") / "lake" / "tables" / "processed" / "customers"

    def start() -> Run:
        out = fresh(WORK / "copying") / "out.parquet"
        kind = compression(table.parents[2])
        return process([peer("duckdb"), PEERS / "duckdb_recopy.py", table, out, kind])

    return Contender(name, start)


def _dbt(base: Path, changed: Path) -> Contender:
    folder, saved = WORK / "dbt", WORK / "dbt.saved"

    def prepare() -> None:
        if not saved.is_dir():
            process([peer("dbt"), PEERS / "dbt_snapshot.py", "first", fresh(saved), base, changed])
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(saved, folder)

    def start() -> Run:
        run = process([peer("dbt").with_name("dbt"), "--quiet", "snapshot"], cwd=folder)
        counted = process([peer("dbt"), PEERS / "dbt_snapshot.py", "count", folder, base, changed])
        return Run(run.seconds, run.cpu, run.peak, counted.said)

    return Contender("dbt snapshot (DuckDB)", start, _or_unavailable(prepare))


def _delta(base: Path, changed: Path) -> Contender:
    folder, saved = WORK / "delta", WORK / "delta.saved"

    def prepare() -> None:
        if not saved.is_dir():
            process([peer("delta"), PEERS / "delta_merge.py", "first", fresh(saved) / "table", base])
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(saved, folder)

    return Contender(
        "delta-rs MERGE",
        lambda: process([peer("delta"), PEERS / "delta_merge.py", "merge", folder / "table", changed]),
        _or_unavailable(prepare),
    )


def _or_unavailable(prepare: Callable[[], None]) -> Callable[[], None]:
    """Leave nothing half prepared behind when a contender cannot be made ready."""

    def safe() -> None:
        try:
            prepare()
        except Unavailable:
            for folder in WORK.glob("*.saved"):
                shutil.rmtree(folder, ignore_errors=True)
            raise

    return safe
