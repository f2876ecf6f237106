"""The scenarios of the main job: who competes at what, and which ratio was promised."""

from __future__ import annotations

import json
from collections.abc import Callable

import data
import projects
from harness import DATA, Contender, Run, Unavailable, compete, fresh, note, ours, peer, process
from measures import (
    SCRIPTS,
    WORK,
    Figure,
    Outcome,
    Size,
    compression,
    divide,
    number,
    peer_run,
    ratio,
    run_project,
)

#: Why figures are missed, where they are.
_BUILD = (
    "the command also copies, hashes and validates the file for raw, converts text exactly (1.5 is no whole "
    "number), and holds all rows back until they are judged; of its CPU these take a third."
)
_COMMIT = (
    "a bare DuckLake takes 16 ms of it; the rest is two sets of bookkeeping, in the lake and in the state."
)


def build(size: Size, rounds: int) -> Outcome:
    """The whole build: parse, cast, deduplicate, 20 checks, quarantine, months, audit, commit."""
    csv = data.sales(size.rows)
    project = WORK / "build"
    mine = run_project("lakewright run", lambda: projects.sales(project, csv.parent))
    floor = peer_run(
        "duckdb COPY alone",
        "duckdb",
        "duckdb_copy.py",
        lambda: [csv, fresh(WORK / "copy") / "out", compression(project)],
    )
    spark = peer_run(
        "pyspark local[2]",
        "pyspark",
        "pyspark_build.py",
        lambda: [csv, fresh(WORK / "spark") / "out", compression(project)],
    )
    polars = peer_run(
        "polars streaming",
        "polars",
        "polars_build.py",
        lambda: [csv, fresh(WORK / "polars") / "out", compression(project)],
    )
    contenders = [mine, floor, polars, spark]
    compete(contenders, rounds)
    _same_answer(mine, [polars, spark])
    return Outcome(
        "build",
        f"{size.rows:,} rows of dirty CSV to checked, partitioned tables; whole processes",
        contenders,
        [
            Figure("lakewright / DuckDB COPY of the same rows", ratio(mine, floor), 1.5, why=_BUILD),
            Figure("PySpark local[2] / lakewright", ratio(spark, mine), 3.5, least=True, why=_BUILD),
            Figure("Polars streaming / lakewright", ratio(polars, mine), 1.2, least=True, why=_BUILD),
            Figure("peak memory", mine.peak / 2**30 if mine.runs else None, 3.0, unit="GiB", why=_BUILD),
        ],
    )


def _same_answer(mine: Contender, others: list[Contender]) -> None:
    """Peers do the same work only if they keep as many rows; good and bad ones are counted together."""
    if not mine.runs:
        return
    tasks = mine.runs[-1].said.get("tasks")
    if not isinstance(tasks, list):
        return
    table = next(one for one in tasks if one["task"] == "processed.sales")
    kept = table["rows"] + table["quarantined"]
    for one in others:
        if one.runs and one.runs[-1].said.get("rows") != kept:
            one.unavailable = f"kept {one.runs[-1].said.get('rows')} rows where Lakewright kept {kept}"
            note(f"    {one.name} {one.unavailable}")


def memory(size: Size, rounds: int) -> Outcome:
    """The same build under ``memory_limit: 2GB``."""
    csv = data.sales(size.rows)
    mine = run_project(
        "lakewright run, 2GB", lambda: projects.sales(WORK / "memory", csv.parent, engine="memory_limit: 2GB")
    )
    compete([mine], 1)
    return Outcome(
        "memory",
        f"{size.rows:,} rows with memory_limit: 2GB; that it completes is the point",
        [mine],
        [
            Figure(
                "peak memory", mine.peak / 2**30 if mine.runs else None, 3.0, unit="GiB", why=mine.unavailable
            )
        ],
    )


def audit(size: Size, rounds: int) -> Outcome:
    """20 checks over a table in the lake."""
    project = WORK / "build"
    if not (project / "lake").is_dir():
        projects.sales(project, data.sales(size.rows).parent)
        process(ours("run", "--json"), cwd=project)
    script = Contender(
        "lakewright audit",
        lambda: process([peer("lakewright"), SCRIPTS / "audit.py", project, str(max(3, rounds))]),
    )
    table = project / "lake" / "tables" / "processed" / "sales"
    expectations = peer_run("great expectations", "great_expectations", "ge_audit.py", lambda: [table])
    compete([script], 1)
    compete([expectations], 1)
    said = script.runs[-1].said if script.runs else {}
    theirs = expectations.runs[-1].said if expectations.runs else {}
    seconds, scan, other = (number(x) for x in (said.get("seconds"), said.get("scan"), theirs.get("seconds")))
    return Outcome(
        "audit",
        "20 checks and a unique key over the table just built; loading included, start of the processes not",
        [script, expectations],
        [
            Figure("lakewright / scan of the columns with uniqueness only", divide(seconds, scan), 1.4),
            Figure("Great Expectations / lakewright", divide(other, seconds), 10, least=True),
        ],
    )


def suite(size: Size, rounds: int) -> Outcome:
    """An imported suite over the same table."""
    project = WORK / "build"
    if not (project / "lake").is_dir():
        projects.sales(project, data.sales(size.rows).parent)
        process(ours("run", "--json"), cwd=project)
    given = SCRIPTS.parent / "suite.json"
    script = Contender(
        "lakewright, the suite imported",
        lambda: process([peer("lakewright"), SCRIPTS / "suite.py", project, given, str(max(3, rounds))]),
    )
    table = project / "lake" / "tables" / "processed" / "sales"
    theirs = peer_run("great expectations", "great_expectations", "ge_suite.py", lambda: [table, given])
    compete([script], 1)
    compete([theirs], 1)
    mine = script.runs[-1].said if script.runs else {}
    other = theirs.runs[-1].said if theirs.runs else {}
    same = (
        [one.get("expectations") for one in (mine, other)],
        [one.get("successful") for one in (mine, other)],
    )
    if theirs.runs and any(left != right for left, right in same):
        raise RuntimeError(f"the suite's verdicts differ: {mine}, {other}")
    seconds, slower = number(mine.get("seconds")), number(other.get("seconds"))
    return Outcome(
        "suite",
        "a Great Expectations suite of 30, imported; loading included, start of the processes not",
        [script, theirs],
        [Figure("Great Expectations / lakewright", divide(slower, seconds), 10, least=True)],
    )


def load(size: Size, rounds: int) -> Outcome:
    """One million rows of CSV into the lake."""
    rows = size.of(1_000_000, 10_000)
    csv = data.sales(rows)
    mine = run_project("lakewright run", lambda: projects.sales(WORK / "load", csv.parent, partitions=False))
    dlt = peer_run("dlt, Arrow to DuckDB", "dlt", "dlt_load.py", lambda: [csv, fresh(WORK / "dlt")])
    compete([mine, dlt], rounds)
    return Outcome(
        "load",
        f"{rows:,} rows from CSV, checked, into the lake; whole processes",
        [mine, dlt],
        [
            Figure(
                "dlt / lakewright",
                ratio(dlt, mine),
                1.5,
                least=True,
                why="a third is the start: imports, state and lake; dlt then neither checks nor keeps the file.",
            )
        ],
    )


def commit(size: Size, rounds: int) -> Outcome:
    """Small commits of two tables."""
    commits = size.of(1_000, 50)
    project = WORK / "commit"

    def prepare() -> None:
        projects.wide(project, 2, sources=1)

    mine = Contender(
        "two-table commit",
        lambda: process([peer("lakewright"), SCRIPTS / "commits.py", project, str(commits)]),
        prepare,
    )
    compete([mine], 1)
    said = mine.runs[-1].said if mine.runs else {}
    return Outcome(
        "commit",
        f"{commits:,} commits of ten rows into each of two tables",
        [mine],
        [
            Figure("median commit", number(said.get("milliseconds")), 25, unit="ms", why=_COMMIT),
            Figure("median of the last tenth", number(said.get("last")), 25, unit="ms", why=_COMMIT),
            Figure("last tenth / first tenth", divide(said.get("last"), said.get("first")), 1.25),
        ],
    )


def small_files(size: Size, rounds: int) -> Outcome:
    """Thousands of small files."""
    files = size.of(2_000, 20)
    folder = data.small_files(files)
    mine = run_project("lakewright run", lambda: projects.sales(WORK / "small", folder, partitions=False))
    glob = peer_run(
        "duckdb, one glob",
        "duckdb",
        "duckdb_glob.py",
        lambda: [folder, fresh(WORK / "glob") / "sales.duckdb"],
    )
    compete([mine, glob], rounds)
    return Outcome(
        "small_files",
        f"{files:,} CSV files of 100 rows; whole processes",
        [mine, glob],
        [
            Figure(
                "lakewright / DuckDB reading them with one glob",
                ratio(mine, glob),
                2.0,
                why="each file is copied, hashed and recorded, and each row checked; the glob only parses.",
            )
        ],
    )


def plan(size: Size, rounds: int) -> Outcome:
    """`plan` on a large project."""
    datasets = size.of(500, 20)
    project = projects.wide(WORK / "plan", datasets, sources=max(1, datasets // 10))
    mine = Contender("lakewright plan", lambda: process(ours("plan", "--json"), cwd=project))
    compete([mine], rounds + 1)  # the first writes byte code
    return Outcome(
        "plan",
        f"{datasets} datasets; the whole command",
        [mine],
        [
            Figure(
                "seconds",
                mine.seconds if mine.runs else None,
                2.0,
                unit="s",
                why=mine.unavailable
                or "imports take half a second, and the queries of 500 files are parsed.",
            )
        ],
    )


def nothing_new(size: Size, rounds: int) -> Outcome:
    """`run` when there is nothing to do."""
    datasets = size.of(100, 10)
    project = projects.wide(WORK / "nothing", datasets, sources=max(1, datasets // 5))
    first = Contender("first run", lambda: process(ours("run", "--json"), cwd=project))
    mine = Contender("run with nothing new", lambda: process(ours("run", "--json"), cwd=project))
    compete([first], 1)
    if first.runs:
        compete([mine], rounds)
    else:
        mine.unavailable = first.unavailable
    return Outcome(
        "nothing_new",
        f"{datasets} datasets; the whole command",
        [first, mine],
        [
            Figure(
                "seconds",
                mine.seconds if mine.runs else None,
                1.5,
                unit="s",
                why=mine.unavailable
                or "imports take half a second, and state and lake are opened and asked.",
            )
        ],
    )


def tpch(size: Size, rounds: int) -> Outcome:
    """TPC-H through the Python API."""
    scale = 1.0 if size.share == 1 else 0.01
    try:
        source = data.tpch(scale)
        queries = DATA / "tpch_queries.json"
        if not queries.is_file():
            queries.write_text(json.dumps(_tpch_queries()))
    except Unavailable as reason:
        return Outcome("tpch", "", [Contender("lakewright", lambda: Run(0, 0, 0), unavailable=str(reason))])
    project = projects.tpch(WORK / "tpch", source)
    loading = Contender("loading", lambda: process(ours("run", "--json"), cwd=project))
    mine = Contender(
        "22 queries, both sides in one process",
        lambda: process(
            [peer("lakewright"), SCRIPTS / "tpch.py", project, source, queries, str(max(3, rounds))]
        ),
    )
    compete([loading], 1)
    if loading.runs:
        compete([mine], 1)
    else:
        mine.unavailable = loading.unavailable
    said = mine.runs[-1].said if mine.runs else {}
    return Outcome(
        "tpch",
        f"scale factor {scale:g}; sum of the medians of 22 queries, results fetched as Arrow",
        [loading, mine],
        [
            Figure(
                "Python API / plain DuckDB over the same files",
                divide(said.get("seconds"), said.get("plain")),
                1.05,
                why="DuckLake reads its catalog anew for every query, and plans some joins differently from a scan of files.",
            )
        ],
    )


def _tpch_queries() -> list[str]:
    """The queries' text, from DuckDB's extension in the peer's environment."""
    import subprocess

    code = (
        "import duckdb, json, pathlib, duckdb_extension_tpch as t\n"
        "f = next(pathlib.Path(t.__path__[0]).rglob('*.duckdb_extension'))\n"
        "c = duckdb.connect(); c.execute(f\"load '{f}'\")\n"
        "print(json.dumps([q for (q,) in c.execute('select query from tpch_queries() order by query_nr').fetchall()]))"
    )
    done = subprocess.run([str(peer("duckdb")), "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"the queries' text: {done.stderr.strip().splitlines()[-1:]}")
    found: list[str] = json.loads(done.stdout)
    return found


SCENARIOS: dict[str, Callable[[Size, int], Outcome]] = {
    "build": build,
    "audit": audit,
    "suite": suite,
    "memory": memory,
    "load": load,
    "commit": commit,
    "small_files": small_files,
    "plan": plan,
    "nothing_new": nothing_new,
    "tpch": tpch,
}
