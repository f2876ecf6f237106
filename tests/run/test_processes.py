"""Several processes run the same tasks, and die at any moment: nothing runs twice at once, all of it gets done."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lakewright.run.journal import Journal
from lakewright.run.lease import LEASES
from lakewright.state import State

# Each task writes "<task> <pid> in" and "out" around its work, as one small append each.
RUN = """
import os, sys, time
from pathlib import Path
from lakewright.run.journal import Journal
from lakewright.run.outcome import TaskOutcome
from lakewright.run.runner import run_graph
from lakewright.state import State
url, root = sys.argv[1], Path(sys.argv[2])
def note(text):
    handle = os.open(root / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (text + "\\n").encode())
    os.close(handle)
def work(context):
    if (root / context.task).exists():
        return TaskOutcome("unchanged")
    note(f"{context.task} {os.getpid()} in")
    time.sleep(0.05)
    with context.committing():
        (root / f".{context.task}.{os.getpid()}").write_text("done")
        os.replace(root / f".{context.task}.{os.getpid()}", root / context.task)
        note(f"{context.task} {os.getpid()} out")
    return TaskOutcome("built")
tasks = [f"t{n}" for n in range(8)]
upstream = {f"t{n}": {f"t{n // 2}"} for n in range(1, 8)}
run = Journal(State(url, root)).start_run(project="shop", target="dev")
print("started", flush=True)
with run:
    result = run_graph(dict.fromkeys(tasks, work), upstream, run, workers=3, lease_wait=60)
sys.exit(result.exit_code)
"""


def spawn(url: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, url, str(root)], stdout=subprocess.PIPE, text=True, cwd=root
    )


def check_alone(trace: Path, dead: set[int]) -> None:
    """Nobody enters a task while another one that lives is in it."""
    inside: dict[str, int] = {}
    for line in trace.read_text().splitlines():
        task, pid, what = line.split()
        if what == "in":
            assert inside.get(task) is None or inside[task] in dead, line
            inside[task] = int(pid)
        elif inside.get(task) == int(pid):
            del inside[task]


@pytest.mark.slow
def test_processes_share_the_work(any_state: State, any_state_url: str, tmp_path: Path) -> None:
    processes = [spawn(any_state_url, tmp_path) for _ in range(3)]
    assert [one.wait(120) for one in processes] == [0, 0, 0]
    check_alone(tmp_path / "trace", set())
    journal = Journal(any_state)
    assert [one.status for one in journal.runs()] == ["succeeded"] * 3
    built = [one.counts.get("built", 0) for one in journal.runs()]
    assert sum(built) == 8, "each task is done once, by one of them"


@pytest.mark.slow
def test_killed_at_any_moment_the_rest_goes_on(any_state: State, any_state_url: str, tmp_path: Path) -> None:
    journal = Journal(any_state)
    dice = random.Random(7)
    dead: set[int] = set()
    for _ in range(6):
        process = spawn(any_state_url, tmp_path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.uniform(0, 0.3))
        process.kill()
        process.wait()
        dead.add(process.pid)
    assert spawn(any_state_url, tmp_path).wait(120) == 0
    check_alone(tmp_path / "trace", dead)
    assert all((tmp_path / f"t{n}").exists() for n in range(8))
    statuses = [one.status for one in journal.runs(limit=10)]
    assert statuses[0] == "succeeded"
    assert set(statuses[1:]) <= {"interrupted", "succeeded"}
    assert journal.recover() == ()
    with any_state.read(LEASES) as connection:
        assert connection.execute(LEASES.select()).all() == []
