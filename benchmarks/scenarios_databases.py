"""The scenarios of PostgreSQL and MariaDB: reading tables into raw, loading a warehouse. They start their own servers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import data
import projects
from harness import ROOT, Contender, Run, Unavailable, compete, ours, peer, process
from measures import PEERS, WORK, Figure, Outcome, Size, ratio

sys.path.insert(0, str(ROOT / "tests"))

_READ = "rows land as checked Parquet with origin and hash; the server's own copy formats them and throws them away."
_LOAD = "two cores are busy with encoding here and decoding there; the command also starts, reads the lake and exchanges."


def postgres(size: Size, rounds: int) -> Outcome:
    """A table of ten columns out of PostgreSQL and into it."""
    rows = size.of(5_000_000, 50_000)
    source = data.sales_parquet(rows)
    small = data.sales_parquet(rows // 5)
    try:
        with _server("run_postgres") as server:
            url = server.database()
            process([peer("clients"), PEERS / "postgres_copy.py", "load", url, source, "sales"])
            process([peer("clients"), PEERS / "postgres_copy.py", "load", url, small, "small"])
            read = _read(url, "sales", "lakewright run, raw")
            part = _read(url, "small", "lakewright run, raw, a fifth")
            copy = _client("binary COPY to nowhere", "postgres_copy.py", "read", url, source, "sales")
            load = _load(server.database(), source)
            text = _client("CSV COPY through psycopg", "postgres_copy.py", "load", url, source, "again")
            compete([read, part, copy, load, text], rounds)
    except Unavailable as reason:
        return Outcome(
            "postgres", "", [Contender("lakewright", lambda: Run(0, 0, 0), unavailable=str(reason))]
        )
    growth = read.peak / part.peak if read.runs and part.runs else None
    return Outcome(
        "postgres",
        f"{rows:,} rows of 10 columns; whole processes",
        [read, part, copy, load, text],
        [
            Figure(
                "read: lakewright / the server's binary COPY to nowhere", ratio(read, copy), 2.0, why=_READ
            ),
            Figure(
                "CSV COPY through psycopg / lakewright's load", ratio(text, load), 2.0, least=True, why=_LOAD
            ),
            Figure("peak memory of five times the rows", growth, 1.3),
        ],
    )


def mariadb(size: Size, rounds: int) -> Outcome:
    """A table of ten columns into MariaDB."""
    rows = size.of(5_000_000, 50_000)
    source = data.sales_parquet(rows)
    try:
        with _server("run_mariadb") as server:
            load = _load(server.database(), source)
            own = _client(
                "LOAD DATA LOCAL INFILE", "mariadb_infile.py", "load", server.database(), source, "again"
            )
            own.prepare = lambda: _ignore(
                process([peer("duckdb"), PEERS / "mariadb_infile.py", "write", "", source, "again"])
            )
            compete([load, own], rounds)
    except Unavailable as reason:
        return Outcome(
            "mariadb", "", [Contender("lakewright", lambda: Run(0, 0, 0), unavailable=str(reason))]
        )
    return Outcome(
        "mariadb",
        f"{rows:,} rows of 10 columns into the warehouse; whole processes; the file of LOAD DATA is there already",
        [load, own],
        [Figure("lakewright / LOAD DATA LOCAL INFILE", ratio(load, own), 1.5, why=_LOAD)],
    )


def _server(name: str) -> AbstractContextManager[Any]:
    """A server from the tests' fixtures. Raises Unavailable where its programs are not installed."""
    import shutil

    import servers

    if name == "run_mariadb" and not (shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists()):
        raise Unavailable("MariaDB is not installed")
    if name == "run_postgres" and servers._binaries() is None:
        raise Unavailable("PostgreSQL is not installed")
    start: Callable[[], AbstractContextManager[Any]] = getattr(servers, name)
    return start()


def _ignore(_: Run) -> None:
    return None


def _client(name: str, script: str, *arguments: object) -> Contender:
    return Contender(name, lambda: process([peer("clients"), PEERS / script, *map(str, arguments)]))


def _read(url: str, table: str, name: str) -> Contender:
    project = WORK / f"read_{table}"
    return Contender(
        name,
        lambda: process(ours("run", "--json"), cwd=project),
        lambda: _made(projects.database(project, url, table)),
    )


def _load(url: str, source: Path) -> Contender:
    project = WORK / f"serve_{url.partition(':')[0]}"

    def prepare() -> None:
        projects.warehouse(project, source, url)
        process(ours("run", "+processed.sales", "--json"), cwd=project)

    return Contender(
        "lakewright run, the warehouse",
        lambda: process(ours("run", "warehouse.bi", "--json"), cwd=project),
        prepare,
    )


def _made(_: Path) -> None:
    return None
