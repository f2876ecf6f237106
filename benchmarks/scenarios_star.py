"""The scenarios of star schemas and of cached queries."""

from __future__ import annotations

import data
import projects
from harness import Contender, compete, fresh, ours, peer, process
from measures import SCRIPTS, WORK, Figure, Outcome, Size, compression, number, peer_run, ratio, run_project

_STAR = (
    "the command also copies and hashes the files for raw, audits and profiles five tables, looks for facts "
    "whose members changed, and holds rows back until they are judged."
)


def star(size: Size, rounds: int) -> Outcome:
    """Dimensions with history, facts looked up as of the event, an aggregate."""
    source = data.lines(size.rows)
    project = WORK / "star"
    mine = run_project("lakewright run", lambda: projects.star(project, source))
    plain = peer_run(
        "plain DuckDB statements",
        "duckdb",
        "duckdb_star.py",
        lambda: [source, fresh(WORK / "plain_star"), compression(project)],
    )
    compete([mine, plain], rounds)
    return Outcome(
        "star",
        f"{size.rows:,} lines of orders to a star schema; whole processes",
        [mine, plain],
        [Figure("lakewright / plain DuckDB statements", ratio(mine, plain), 1.3, why=_STAR)],
    )


def cached_query(size: Size, rounds: int) -> Outcome:
    """A query whose result is cached."""
    source = data.lines(size.of(1_000_000, 10_000))
    project = projects.star(WORK / "cache", source, cache=True)
    process(ours("run", "--json"), cwd=project)
    mine = Contender(
        "one query through the Python API",
        lambda: process([peer("lakewright"), SCRIPTS / "cached.py", project]),
    )
    compete([mine], 1)
    said = mine.runs[-1].said if mine.runs else {}
    return Outcome(
        "cached_query",
        "a sum over facts and dimensions, asked again; the first answer is computed, the others come from SQLite",
        [mine],
        [Figure("median of a cached answer", number(said.get("milliseconds")), 2.0, unit="ms")],
    )
