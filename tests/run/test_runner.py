"""Tasks run along their dependencies, each at most once at success, and every one ends in a known way."""

from __future__ import annotations

import _thread
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakewright.errors import GateError, RunError
from lakewright.run.cancel import cancel_on_signals
from lakewright.run.context import TaskCancelled, TaskContext
from lakewright.run.events import Event
from lakewright.run.journal import Journal
from lakewright.run.lease import Leases
from lakewright.run.outcome import RunResult, TaskOutcome
from lakewright.run.recorder import Recorder
from lakewright.run.retry import RetryPolicy
from lakewright.run.runner import Task, run_graph
from lakewright.state import State

QUICK = RetryPolicy(attempts=3, wait=0.001, jitter=0)
BUILT = TaskOutcome()


class Busy(Exception):
    """An error that passes."""

    transient = True


def done(_: TaskContext) -> TaskOutcome:
    return BUILT


def fails(_: TaskContext) -> TaskOutcome:
    raise RunError("LW405", "no such column")


def waits(context: TaskContext) -> TaskOutcome:
    stop = threading.Event()
    with context.on_cancel(stop.set):
        stop.wait(30)
    context.check()
    return BUILT


def statuses(result: RunResult) -> dict[str, str]:
    return {id: one.status for id, one in result.tasks.items()}


def test_tasks_run_after_what_they_need(run: Recorder) -> None:
    seen: list[str] = []

    def note(context: TaskContext) -> TaskOutcome:
        seen.append(context.task)
        return BUILT

    result = run_graph({"c": note, "b": note, "a": note}, {"c": {"b"}, "b": {"a"}, "a": {"not here"}}, run)
    assert seen == ["a", "b", "c"]
    assert result.status == "succeeded"
    assert result.exit_code == 0


def test_what_needs_a_failed_task_is_skipped_and_says_why(run: Recorder) -> None:
    tasks = {"a": fails, "b": done, "c": done, "d": done, "e": done}
    result = run_graph(tasks, {"b": {"a"}, "c": {"b", "d"}}, run, after={"e": {"a"}}, retry=QUICK)
    assert statuses(result) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "built", "e": "built"}
    assert result.tasks["c"].reason == "a failed"
    assert result.tasks["a"].code == "LW405"
    assert result.tasks["a"].attempts == 1
    assert (result.status, result.exit_code) == ("failed", 1)


def test_a_refusal_by_gates_alone_has_its_own_exit_code(run: Recorder) -> None:
    def refused(_: TaskContext) -> TaskOutcome:
        raise GateError("LW405", "too many bad rows")

    assert run_graph({"a": refused, "b": done}, {}, run).exit_code == 3


def test_errors_that_pass_are_tried_again_and_others_are_not(run: Recorder, journal: Journal) -> None:
    calls: dict[str, int] = {"passing": 0, "forever": 0, "wrong": 0}

    def passing(context: TaskContext) -> TaskOutcome:
        calls["passing"] += 1
        if context.attempt < 3:
            raise ConnectionResetError("connection reset")
        return BUILT

    def forever(_: TaskContext) -> TaskOutcome:
        calls["forever"] += 1
        raise Busy("busy")

    def wrong(_: TaskContext) -> TaskOutcome:
        calls["wrong"] += 1
        raise ZeroDivisionError("division by zero")

    events: list[Event] = []
    result = run_graph(
        {"passing": passing, "forever": forever, "wrong": wrong}, {}, run, retry=QUICK, on_event=events.append
    )
    assert statuses(result) == {"passing": "built", "forever": "failed", "wrong": "failed"}
    assert calls == {"passing": 3, "forever": 3, "wrong": 1}
    assert result.tasks["wrong"].code == "LW610"
    assert [one.kind for one in events if one.task == "passing"] == [
        "started", "retrying", "started", "retrying", "started", "built",
    ]  # fmt: skip
    attempts = [(one.attempt, one.status) for one in journal.attempts(run.id, "passing")]
    assert attempts == [(1, "failed"), (2, "failed"), (3, "built")]


def test_a_task_over_its_time_is_interrupted(run: Recorder) -> None:
    result = run_graph({"slow": Task(waits, timeout=0.05), "next": done}, {"next": {"slow"}}, run)
    assert statuses(result) == {"slow": "failed", "next": "skipped"}
    assert result.tasks["slow"].code == "LW611"
    assert "0.05 seconds" in result.tasks["slow"].message


def test_a_task_that_does_not_react_is_left_behind_and_cannot_publish(run: Recorder, state: State) -> None:
    release, published, over = threading.Event(), [], threading.Event()

    def stubborn(context: TaskContext) -> TaskOutcome:
        release.wait(30)
        try:
            with context.committing():
                published.append(context.task)
        finally:
            over.set()
        return BUILT

    result = run_graph({"a": stubborn, "b": done}, {}, run, timeout=0.05, grace=0.1)
    assert statuses(result) == {"a": "failed", "b": "built"}
    assert "did not stop" in result.tasks["a"].message
    other = Leases(state, "another")
    assert other.take("shop/dev:a") is not None, "the thread still works on it"
    release.set()
    assert over.wait(10)
    assert published == []
    for _ in range(100):
        if other.take("shop/dev:a") is None:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the lease of the thread that ended was not given back")
    other.close()


def test_a_task_that_is_publishing_is_not_interrupted(run: Recorder) -> None:
    interrupted: list[str] = []

    def publishes(context: TaskContext) -> TaskOutcome:
        context.on_cancel(lambda: interrupted.append("now"))
        with context.committing():
            time.sleep(0.4)
        context.check()
        return TaskOutcome(rows=7)

    result = run_graph({"a": publishes}, {}, run, timeout=0.05, grace=5)
    assert statuses(result) == {"a": "built"}
    assert result.tasks["a"].outcome.rows == 7
    assert interrupted == []


def test_cancelling_stops_what_runs_and_starts_nothing(run: Recorder) -> None:
    cancel = threading.Event()

    def first(context: TaskContext) -> TaskOutcome:
        cancel.set()
        return waits(context)

    result = run_graph({"a": first, "b": done}, {"b": {"a"}}, run, cancel=cancel)
    assert statuses(result) == {"a": "cancelled", "b": "cancelled"}
    assert (result.status, result.exit_code) == ("cancelled", 130)
    assert result.tasks["a"].code == "LW614"


def test_ctrl_c_cancels(run: Recorder) -> None:
    def first(context: TaskContext) -> TaskOutcome:
        _thread.interrupt_main()
        return waits(context)

    result = run_graph({"a": first, "b": done}, {"b": {"a"}}, run)
    assert result.status == "cancelled"


def test_a_second_ctrl_c_does_not_wait(run: Recorder, journal: Journal) -> None:
    release = threading.Event()

    def stubborn(context: TaskContext) -> TaskOutcome:
        _thread.interrupt_main()
        while not context.cancelled:
            time.sleep(0.01)
        _thread.interrupt_main()
        release.wait(30)
        return BUILT

    with pytest.raises(KeyboardInterrupt):
        run_graph({"a": stubborn}, {}, run)
    release.set()
    assert journal.run(run.id).status == "cancelled"
    assert journal.left_to_do(run.id) == ("a",)


def test_a_request_to_terminate_cancels_too(run: Recorder) -> None:
    def first(context: TaskContext) -> TaskOutcome:
        _thread.interrupt_main(signal.SIGTERM)
        return waits(context)

    before = signal.getsignal(signal.SIGTERM)
    with cancel_on_signals() as cancel:
        result = run_graph({"a": first}, {}, run, cancel=cancel)
    assert result.status == "cancelled"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_task_that_ends_well_although_cancelled_counts_as_built(run: Recorder) -> None:
    cancel = threading.Event()

    def quick(context: TaskContext) -> TaskOutcome:
        with context.committing():
            cancel.set()
            time.sleep(0.3)
        return BUILT

    result = run_graph({"a": quick}, {}, run, cancel=cancel)
    assert (statuses(result), result.status) == ({"a": "built"}, "succeeded")


def test_the_number_of_tasks_at_once_is_limited_in_all_and_by_pool(run: Recorder) -> None:
    lock = threading.Lock()
    now: dict[str, int] = {"all": 0, "db": 0}
    most: dict[str, int] = {"all": 0, "db": 0}

    def counted(groups: list[str]) -> Callable[[TaskContext], TaskOutcome]:
        def work(_: TaskContext) -> TaskOutcome:
            with lock:
                for group in groups:
                    now[group] += 1
                    most[group] = max(most[group], now[group])
            time.sleep(0.03)
            with lock:
                for group in groups:
                    now[group] -= 1
            return BUILT

        return work

    tasks = {f"db{n}": Task(counted(["all", "db"]), pool="db") for n in range(4)}
    tasks |= {f"free{n}": Task(counted(["all"])) for n in range(6)}
    result = run_graph(tasks, {}, run, workers=3, pools={"db": 1})
    assert result.status == "succeeded"
    assert most["all"] <= 3
    assert most["db"] == 1


def test_tasks_run_side_by_side(run: Recorder) -> None:
    together = threading.Barrier(3, timeout=60)

    def meets(_: TaskContext) -> TaskOutcome:
        together.wait()
        return BUILT

    assert run_graph({"a": meets, "b": meets, "c": meets}, {}, run, workers=3).status == "succeeded"


def test_the_most_urgent_task_goes_first(run: Recorder) -> None:
    seen: list[str] = []

    def note(context: TaskContext) -> TaskOutcome:
        seen.append(context.task)
        return BUILT

    tasks = {"late": Task(note, priority=-1), "plain": Task(note), "urgent": Task(note, priority=5)}
    run_graph(tasks, {}, run, workers=1)
    assert seen == ["urgent", "plain", "late"]


def test_settled_tasks_do_not_run(run: Recorder, journal: Journal) -> None:
    settled = {
        "a": TaskOutcome("unchanged", reason="nothing new"),
        "x": TaskOutcome("skipped", reason="raw.x has no files yet"),
    }
    result = run_graph({"b": done, "y": done}, {"b": {"a"}, "y": {"x"}}, run, settled=settled)
    assert statuses(result) == {"a": "unchanged", "x": "skipped", "b": "built", "y": "skipped"}
    assert result.tasks["y"].reason == "raw.x has no files yet"
    assert result.status == "succeeded"
    assert {one.result.task: one.result.status for one in journal.tasks(run.id)} == statuses(result)


def test_a_dataset_that_another_process_builds_is_refused_or_waited_for(
    journal: Journal, state: State
) -> None:
    other = Leases(state, "20240101-000000-abcdef")
    assert other.take("shop/dev:a") is None
    run = journal.start_run(project="shop", target="dev")
    assert isinstance(run, Recorder)
    result = run_graph({"a": done}, {}, run)
    assert result.tasks["a"].code == "LW612"
    assert "20240101-000000-abcdef" in result.tasks["a"].message
    again = journal.start_run(project="shop", target="dev")
    assert isinstance(again, Recorder)
    events: list[str] = []

    def listen(event: Event) -> None:
        events.append(event.kind)
        if event.kind == "waiting":
            other.release(["shop/dev:a"])

    result = run_graph({"a": done}, {}, again, lease_wait=60, on_event=listen)
    assert statuses(result) == {"a": "built"}
    assert events == ["run_started", "waiting", "started", "built", "run_ended"]
    other.close()


def test_a_lost_lease_stops_its_task(run: Recorder, state: State) -> None:
    from lakewright.run.lease import LEASES

    def robbed(context: TaskContext) -> TaskOutcome:
        with state.begin(LEASES) as connection:
            connection.execute(LEASES.update().where(LEASES.c.name == "shop/dev:a").values(token="other"))
        run.leases.renew()
        return waits(context)

    result = run_graph({"a": robbed}, {}, run)
    assert result.tasks["a"].code == "LW613"
    assert result.status == "failed"


def test_a_listener_that_fails_does_not_disturb(run: Recorder, journal: Journal) -> None:
    def broken(_: Event) -> None:
        raise ValueError("listener")

    assert run_graph({"a": done}, {}, run, on_event=broken).status == "succeeded"


def test_a_task_that_returns_nothing_has_failed(run: Recorder) -> None:
    result = run_graph({"a": lambda _: None}, {}, run)  # type: ignore[dict-item,return-value]
    assert result.tasks["a"].code == "LW610"


def test_a_circle_is_an_error_of_the_caller(run: Recorder) -> None:
    with pytest.raises(ValueError, match="circle"):
        run_graph({"a": done, "b": done}, {"a": {"b"}, "b": {"a"}}, run)


def test_progress_reaches_the_listener_only(run: Recorder, journal: Journal) -> None:
    def works(context: TaskContext) -> TaskOutcome:
        context.progress(rows=5)
        return BUILT

    events: list[Event] = []
    run_graph({"a": works}, {}, run, on_event=events.append)
    assert [dict(one.data) for one in events if one.kind == "progress"] == [{"rows": 5}]
    assert "progress" not in [event.kind for _, event in journal.events(run.id)]


def test_an_empty_run_succeeds(run: Recorder, journal: Journal) -> None:
    assert run_graph({}, {}, run).status == "succeeded"
    assert journal.run(run.id).status == "succeeded"


def test_a_context_that_is_cancelled_interrupts_at_once_what_is_registered_later() -> None:
    context = TaskContext("run", "a", 1)
    context.cancel("LW614", "stop")
    calls: list[int] = []
    context.on_cancel(lambda: calls.append(1))
    assert calls == [1]
    with pytest.raises(TaskCancelled):
        context.check()
    with pytest.raises(TaskCancelled), context.committing():
        pytest.fail("entered")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, str]]:
    """Random links without a circle, and what each task does: build, fail, or fail twice and then build."""
    ids = [f"t{n}" for n in range(draw(st.integers(1, 9)))]
    needs, after = {}, {}
    for n, id in enumerate(ids):
        needs[id] = draw(st.sets(st.sampled_from(ids[:n]))) if n else set()
        after[id] = (draw(st.sets(st.sampled_from(ids[:n]))) if n else set()) - needs[id]
    doings = {id: draw(st.sampled_from(["build", "build", "fail", "flaky", "unchanged"])) for id in ids}
    return needs, after, doings


@given(graph=graphs(), workers=st.integers(1, 4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_graph_with_any_failures(
    graph: tuple[dict[str, set[str]], dict[str, set[str]], dict[str, str]], workers: int
) -> None:
    needs, after, doings = graph
    lock, clock = threading.Lock(), iter(range(10**9))
    began: dict[str, list[int]] = {}
    ended: dict[str, int] = {}
    successes: dict[str, int] = {}

    def work(context: TaskContext) -> TaskOutcome:
        id = context.task
        with lock:
            began.setdefault(id, []).append(next(clock))
        try:
            if doings[id] == "fail":
                raise RunError("LW405", "broken")
            if doings[id] == "flaky" and context.attempt < 3:
                raise Busy("busy")
            with lock:
                successes[id] = successes.get(id, 0) + 1
            return TaskOutcome("unchanged" if doings[id] == "unchanged" else "built")
        finally:
            with lock:
                ended[id] = next(clock)

    with tempfile.TemporaryDirectory() as folder:
        state = State("sqlite:state.db", Path(folder))
        journal = Journal(state)
        run = journal.start_run(project="p", target="t")
        assert isinstance(run, Recorder)
        result = run_graph(dict.fromkeys(doings, work), needs, run, after=after, workers=workers, retry=QUICK)
        kept = {one.result.task: one.result.status for one in journal.tasks(run.id)}
        state.close()

    broken: dict[str, bool] = {}
    for id in doings:  # in the order of the links
        broken[id] = any(broken[one] or doings[one] == "fail" for one in needs[id])
    for id, doing in doings.items():
        expected = (
            "skipped" if broken[id] else {"fail": "failed", "unchanged": "unchanged"}.get(doing, "built")
        )
        assert result.tasks[id].status == expected
        assert successes.get(id, 0) == (expected in ("built", "unchanged"))
        assert len(began.get(id, [])) == (0 if broken[id] else 3 if doing == "flaky" else 1)
        for one in needs[id] | after[id]:
            if id in began and one in ended:
                assert ended[one] < began[id][0]
    assert kept == statuses(result)
    assert result.status == ("failed" if "failed" in statuses(result).values() else "succeeded")
