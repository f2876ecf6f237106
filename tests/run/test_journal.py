"""The journal: what runs leave behind, what a dead process leaves behind, and what is left to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakewright.errors import NotFoundError, RunError
from lakewright.observe import LogLine, Redactor
from lakewright.run.context import TaskContext
from lakewright.run.events import Event
from lakewright.run.journal import Journal
from lakewright.run.lease import LEASES
from lakewright.run.outcome import RunResult, TaskOutcome
from lakewright.run.recorder import Recorder
from lakewright.run.runner import Task, run_graph
from lakewright.run.tables import EVENTS, RUNS
from lakewright.state import State, now

RUN = """
import sys, time
from pathlib import Path
from lakewright.run.journal import Journal
from lakewright.run.outcome import TaskOutcome
from lakewright.run.runner import run_graph
from lakewright.state import State
def quick(context):
    return TaskOutcome(rows=3)
def slow(context):
    context.log.info("at it")
    time.sleep(0.5)
    print("running", flush=True)
    time.sleep(60)
run = Journal(State(sys.argv[1], Path(sys.argv[2]))).start_run(project="shop", target="dev", key="nightly")
run_graph({"a": quick, "b": slow, "c": quick}, {"b": {"a"}, "c": {"b"}}, run)
"""


def start(journal: Journal, **options: object) -> Recorder:
    started = journal.start_run(project="shop", target="dev", **options)  # type: ignore[arg-type]
    assert isinstance(started, Recorder)
    return started


def done(_: TaskContext) -> TaskOutcome:
    return TaskOutcome(rows=10, quarantined=1, bytes=99, score=0.9, details={"columns": ["a"], "at": now()})


def fails(_: TaskContext) -> TaskOutcome:
    raise RunError("LW405", "no such column")


def test_a_run_is_kept_with_all_that_is_known_of_it(any_state: State) -> None:
    journal = Journal(any_state)
    run = start(journal, selection=("+sales",), parameters={"full_refresh": False})
    with run:
        tasks = {"a": Task(done, plan="first build"), "b": fails, "c": done}
        result = run_graph(tasks, {"b": {"a"}, "c": {"b"}}, run)
    found = journal.run()
    assert (found.id, found.status, found.selection) == (run.id, "failed", ("+sales",))
    assert found.parameters == {"full_refresh": False}
    assert found.counts == {"built": 1, "failed": 1, "skipped": 1}
    assert (found.pid, found.project, found.target) == (os.getpid(), "shop", "dev")
    assert found.seconds is not None
    a, b, c = journal.tasks(run.id)
    assert (a.plan, a.result.outcome.rows, a.result.outcome.score) == ("first build", 10, 0.9)
    assert a.result.outcome.details["columns"] == ["a"]
    assert (b.result.code, b.result.attempts) == ("LW405", 1)
    assert c.result.reason == "b failed"
    assert journal.left_to_do() == ("b", "c")
    assert [one.run for one in journal.of_task("a")] == [run.id]
    assert journal.of_task("c") == (), "it was never carried out"
    again = journal.result(run.id)
    assert {id: one.status for id, one in again.tasks.items()} == {
        id: one.status for id, one in result.tasks.items()
    }
    kinds = [(event.task, event.kind) for _, event in journal.events(run.id)]
    assert kinds[0] == ("", "run_started")
    assert kinds[-1] == ("", "run_ended")
    assert ("b", "failed") in kinds


def test_a_run_is_found_by_its_id_or_the_beginning_of_it(journal: Journal) -> None:
    with pytest.raises(NotFoundError) as error:
        journal.run()
    assert error.value.code == "LW616"
    with start(journal) as run:
        pass
    assert journal.run(run.id).id == journal.run(run.id[:-2]).id == journal.run("last").id == run.id
    with pytest.raises(NotFoundError, match="did you mean"):
        journal.run(run.id + "x")
    assert [one.id for one in journal.runs(status="succeeded")] == [run.id]
    assert journal.runs(target="prod") == ()


def test_the_events_of_a_run_are_written_once(run: Recorder, journal: Journal, state: State) -> None:
    for _ in range(3):
        run.event(Event("built", run.id, "a", 1, now(), {}))
        run.flush()
    run.event(Event("built", run.id, "a", 2, now(), {}))
    run.flush()
    assert [(event.task, event.attempt) for _, event in journal.events(run.id)] == [("a", 1), ("a", 2)]
    with pytest.raises(sa.exc.IntegrityError), state.begin(EVENTS) as connection:
        row = {"run_id": run.id, "task": "a", "attempt": 1, "kind": "built", "at": now(), "data": {}}
        connection.execute(EVENTS.insert().values(row))


def test_logs_are_kept_per_task_and_in_a_file(journal: Journal, tmp_path: Path) -> None:
    journal.redactor.add("hunter2")

    def talks(context: TaskContext) -> TaskOutcome:
        context.log.info("reading", password_was="hunter2", rows=3)
        context.log.debug("too much")
        raise ValueError("cannot open postgres://me:hunter2@host/db")

    with start(journal) as run:
        run_graph({"a": talks, "b": done}, {}, run)
    lines = [line for _, line in journal.logs(run.id, task="a")]
    assert [(one.level, one.attempt) for one in lines] == [("info", 1), ("error", 1)]
    assert lines[0].fields == {"password_was": "***", "rows": 3}
    assert "Traceback" in str(lines[1].fields["traceback"])
    assert [line.level for _, line in journal.logs(run.id, level="error")] == ["error"]
    number = journal.logs(run.id)[0][0]
    assert len(journal.logs(run.id, after=number)) == 1
    assert run.log_file == tmp_path / "logs" / f"{run.id}.ndjson"
    assert run.log_file is not None
    written = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    assert [one["task"] for one in written] == ["a", "a"]
    for text in (run.log_file.read_text(), str(journal.tasks(run.id)), str(journal.events(run.id))):
        assert "hunter2" not in text


def test_secrets_are_kept_out_of_the_whole_state(state: State, tmp_path: Path) -> None:
    journal = Journal(state, redactor=Redactor(["s3cr3t-value"]), logs=tmp_path / "logs", level="debug")

    def leaks(context: TaskContext) -> TaskOutcome:
        context.log.debug("s3cr3t-value")
        raise RunError("LW405", "s3cr3t-value is wrong")

    def tells(_: TaskContext) -> TaskOutcome:
        return TaskOutcome(reason="s3cr3t-value", details={"s3cr3t-value": ["s3cr3t-value"]})

    with start(journal, parameters={"key": "s3cr3t-value"}) as run:
        run_graph({"a": leaks, "b": Task(tells, plan="s3cr3t-value"), "c": done}, {"c": {"a"}}, run)
    state.close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"s3cr3t-value" not in file.read_bytes(), file


def test_a_key_that_succeeded_is_not_run_again(any_state: State) -> None:
    journal = Journal(any_state)
    first = start(journal, key="2024-01-01")
    with pytest.raises(RunError) as error:
        journal.start_run(project="shop", target="dev", key="2024-01-01")
    assert error.value.code == "LW615"
    run_graph({"a": done}, {}, first)
    again = journal.start_run(project="shop", target="dev", key="2024-01-01")
    assert isinstance(again, RunResult)
    assert (again.id, again.status, again.repeated) == (first.id, "succeeded", True)
    assert again.tasks["a"].outcome.rows == 10
    other = journal.start_run(project="shop", target="prod", key="2024-01-01")
    assert isinstance(other, Recorder)
    with other:
        pass
    assert len(journal.runs()) == 2


def test_a_key_whose_run_failed_may_be_run_again(journal: Journal) -> None:
    first = start(journal, key="k")
    run_graph({"a": fails}, {}, first)
    second = start(journal, key="k")
    run_graph({"a": done}, {}, second)
    assert [one.status for one in journal.runs()] == ["succeeded", "failed"]
    assert [one.key for one in journal.runs()] == ["k", "k"]


def test_of_many_starts_with_one_key_one_runs(any_state: State) -> None:
    journal = Journal(any_state)

    def attempt(_: int) -> str:
        try:
            started = journal.start_run(project="shop", target="dev", key="k")
        except RunError as error:
            return error.code
        return "runs" if isinstance(started, Recorder) else "repeated"

    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(attempt, range(8)))
    assert found == ["LW615"] * 7 + ["runs"]


def test_the_run_of_a_killed_process_is_interrupted_at_the_next_start(
    any_state: State, any_state_url: str, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, any_state_url, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        journal = Journal(any_state)
        assert journal.recover() == (), "it lives"
        assert journal.run().status == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
        process.wait()
    killed = journal.run().id
    second = start(journal, key="nightly", parent=killed)
    found = journal.run(killed)
    assert (found.status, found.counts) == ("interrupted", {"built": 1, "interrupted": 2})
    assert journal.left_to_do(killed) == ("b", "c")
    assert [one.status for one in journal.attempts(killed)] == ["built", "interrupted"]
    assert "interrupted" in [event.kind for _, event in journal.events(killed)]
    assert [line.message for _, line in journal.logs(killed)] == []  # logged outside `with run`
    result = run_graph({"b": done, "c": done}, {"c": {"b"}}, second)
    assert result.status == "succeeded"
    assert journal.run().parent == killed
    with any_state.read(LEASES) as connection:
        assert connection.execute(LEASES.select()).all() == []


def test_leaving_a_run_by_an_error_ends_it(journal: Journal) -> None:
    with pytest.raises(ValueError, match="broken"), start(journal) as run:
        raise ValueError("broken password='hunter2'")
    found = journal.run(run.id)
    assert found.status == "failed"
    assert found.message == "broken password=***"
    with pytest.raises(KeyboardInterrupt), start(journal):
        raise KeyboardInterrupt
    assert journal.run().status == "cancelled"


def test_upkeep_and_runs_keep_apart(journal: Journal) -> None:
    run = start(journal)
    with pytest.raises(RunError) as error:
        journal.upkeep("restore to 5")
    assert error.value.code == "LW612"
    run_graph({"a": fails}, {}, run)
    with (
        journal.upkeep("restore to 5", project="shop", target="dev") as upkeep,
        pytest.raises(RunError, match="restore to 5"),
    ):
        start(journal)
    with start(journal) as second:
        pass
    assert [(one.id, one.kind) for one in journal.runs()][1:] == [(upkeep.id, "upkeep"), (run.id, "run")]
    assert journal.run().id == second.id


def test_what_a_database_cannot_hold_is_kept_as_text(any_state: State) -> None:
    def odd(context: TaskContext) -> TaskOutcome:
        context.log.info("NUL \0 and \udcff", ratio=float("nan"), top=float("inf"))
        return TaskOutcome(reason="\0", details={"mean": float("nan"), "\udcff": {"a", 1}, "at": now()})

    journal = Journal(any_state)
    with start(journal, selection=("\udcff",)) as run:
        assert run_graph({"a": odd}, {}, run).status == "succeeded"
    found = journal.tasks(run.id)[0].result
    assert found.reason == "\\x00"
    assert found.outcome.details["mean"] == "nan"
    assert journal.logs(run.id)[0][1].message == "NUL \\x00 and \\udcff"


def test_records_that_could_not_be_written_are_written_later(
    run: Recorder, journal: Journal, state: State
) -> None:
    run_start = now()
    with state.begin(RUNS) as connection:
        connection.execute(sa.text("ALTER TABLE events RENAME TO elsewhere"))
    run.event(Event("built", run.id, "a", 1, run_start, {}))
    run.log(LogLine(run_start, "info", run.id, "a", 1, "hello"))
    run.attempt_started("a", 1, run_start)
    with pytest.raises(sa.exc.SQLAlchemyError):
        run.flush()
    run.attempt_ended("a", 1, "built", now(), "", "")
    with state.begin(RUNS) as connection:
        connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO events"))
    run.flush()
    assert [event.kind for _, event in journal.events(run.id)] == ["built"]
    assert [line.message for _, line in journal.logs(run.id)] == ["hello"]
    assert [(one.status, one.started) for one in journal.attempts(run.id)] == [("built", run_start)]


def test_a_log_that_cannot_be_written_is_said_before_anything_starts(state: State, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    journal = Journal(state, logs=tmp_path / "logs")
    with pytest.raises(RunError) as error:
        journal.start_run(project="shop", target="dev")
    assert error.value.code == "LW617"
    assert journal.runs() == ()
