"""Several processes on one lake: nothing is lost, and a killed one leaves whole commits only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import pytest

from lakes import Opened, OpenLake, project

#: Each takes a second: starting Python, DuckDB and its extensions.
KILLS = 5

TESTS = Path(__file__).resolve().parents[1]


WRITER = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    import msgspec
    from lakes import project
    from lakewright.engine import Session
    from lakewright.lake import Checkpoint, open_lake
    from lakewright.spec.project import Lake

    root, table, commits = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    made = project(root, msgspec.json.decode(sys.argv[4], type=Lake))
    session = Session.open(made.file.engine, root=root)
    lake = open_lake(made, session)
    if "unlocked" in sys.argv:
        from contextlib import nullcontext
        lake._commit_lock = nullcontext
    cursor = session.cursor()
    first = lake.latest_checkpoints(cursor).get(table)
    start = first.batch if first else 0
    print("ready", flush=True)
    for batch in range(start + 1, start + commits + 1):
        def work():
            cursor.execute(f"INSERT INTO lake.{table} SELECT {batch} * 1000 + range, NULL, 'x' FROM range(50)")
            cursor.execute("INSERT INTO lake.processed.other SELECT * FROM range(3)")
            lake.add_checkpoint(cursor, Checkpoint(table, batch, "r", "{}", "", 50, datetime.now(UTC)))
        lake.commit(cursor, work, message=f"{table} {batch}")
    print("done", flush=True)
    """
)


def start_writer(opened: Opened, table: str, commits: int, *options: str) -> subprocess.Popen[str]:
    settings = msgspec.json.encode(opened.project.file.lake).decode()
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, opened.project.root, table, str(commits), settings, *options],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def lake(open_test_lake: OpenLake, lake_kind: str) -> Opened:
    return open_test_lake(lake_kind)


def prepare(opened: Opened, tables: int) -> None:
    for number in range(tables):
        columns = {"id": "BIGINT", "day": "DATE", "v": "VARCHAR"}
        opened.lake.create_table(opened.cursor, f"processed.w{number}", columns)
    opened.lake.create_table(opened.cursor, "processed.other", {"n": "BIGINT"})


@pytest.mark.parametrize("options", [(), ("unlocked",)], ids=["locked", "retried"])
def test_processes_lose_nothing(lake: Opened, options: tuple[str, ...]) -> None:
    if options and lake.lake.kind == "iceberg":
        pytest.skip("the double applies the tables of a refused commit one by one, unlike a real catalog")
    prepare(lake, 2)
    writers = [start_writer(lake, f"processed.w{number}", 8, *options) for number in range(2)]
    assert [writer.communicate(timeout=120)[0].split() for writer in writers] == [["ready", "done"]] * 2
    for number in range(2):
        assert lake.rows(f"SELECT count(*), count(DISTINCT id) FROM lake.processed.w{number}") == [(400, 400)]
    assert lake.rows("SELECT count(*) FROM lake.processed.other") == [(48,)]
    latest = lake.lake.latest_checkpoints(lake.cursor)
    assert {one.batch for one in latest.values()} == {8}


def test_a_killed_writer_leaves_whole_commits_only(lake: Opened) -> None:
    prepare(lake, 1)
    for kill in range(KILLS):
        writer = start_writer(lake, "processed.w0", 1000)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.07 * kill)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = lake.lake.latest_checkpoints(lake.cursor).get("processed.w0")
        batches = found.batch if found else 0
        assert lake.rows("SELECT count(*), count(DISTINCT id) FROM lake.processed.w0") == [
            (50 * batches, 50 * batches)
        ]
        assert lake.rows("SELECT count(*) FROM lake.processed.other") == [(3 * batches,)]
    last = start_writer(lake, "processed.w0", 2)
    assert last.communicate(timeout=60)[0].split() == ["ready", "done"]
    assert lake.rows("SELECT count(*) FROM lake.processed.w0") == [(50 * (batches + 2),)]


@pytest.mark.parametrize(
    "kind", ["ducklake-sqlite", pytest.param("ducklake-postgres", marks=pytest.mark.postgres)]
)
def test_processes_make_the_same_lake_at_once(open_test_lake: OpenLake, tmp_path: Path, kind: str) -> None:
    made = project(tmp_path, open_test_lake.settings(kind))
    settings = msgspec.json.encode(made.file.lake).decode()
    command = [sys.executable, "-c", OPENER, str(tmp_path), settings]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    openers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [one.communicate(timeout=60)[0] for one in openers] == ["open\n"] * 3
    opened = open_test_lake.open(made)
    assert [one.id for one in opened.lake.tables(opened.cursor)] == ["lakewright.checkpoints"]


OPENER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import msgspec
    from lakes import project
    from lakewright.engine import Session
    from lakewright.lake import open_lake
    from lakewright.spec.project import Lake

    root = Path(sys.argv[1])
    made = project(root, msgspec.json.decode(sys.argv[2], type=Lake))
    open_lake(made, Session.open(made.file.engine, root=root))
    print("open")
    """
)
