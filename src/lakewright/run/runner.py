"""Run tasks along their dependencies, side by side, and have every one end in a known way.

One thread (the caller's) decides; each attempt runs in a thread of its own, which can be left
behind when it does not react. Nothing a task does makes :func:`run_graph` hang or raise.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from lakewright.errors import LakewrightError
from lakewright.observe import TaskLog, task_scope
from lakewright.run.cancel import cancel_on_signals
from lakewright.run.context import TaskCancelled, TaskContext
from lakewright.run.events import Event, Listener
from lakewright.run.outcome import RunResult, RunStatus, TaskOutcome, TaskResult, TaskStatus
from lakewright.run.recorder import Recorder
from lakewright.run.retry import RetryPolicy
from lakewright.state import now

__all__ = ["GRACE", "RunResult", "Task", "TaskContext", "TaskOutcome", "TaskResult", "Work", "run_graph"]

#: Seconds that a task has to react once it was told to stop.
GRACE = 10.0

# How often the deciding thread looks at the clock, at Ctrl-C and at leases that others hold, in seconds.
_BEAT = 0.1

#: What a task does.
Work = Callable[[TaskContext], TaskOutcome]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be run, and how. What is None falls back to what :func:`run_graph` was given.

    Of the tasks that are ready the one with the highest ``priority`` goes first. ``pool`` names a
    group whose tasks running at once are limited. ``plan`` says why it is to be run.
    """

    work: Work
    retry: RetryPolicy | None = None
    timeout: float | None = None
    priority: int = 0
    pool: str | None = None
    plan: str = ""


def run_graph(
    tasks: Mapping[str, Task | Work],
    upstream: Mapping[str, Collection[str]],
    run: Recorder,
    *,
    after: Mapping[str, Collection[str]] | None = None,
    settled: Mapping[str, TaskOutcome] | None = None,
    workers: int | None = None,
    pools: Mapping[str, int] | None = None,
    retry: RetryPolicy | None = None,
    timeout: float | None = None,
    cancel: threading.Event | None = None,
    on_event: Listener | None = None,
    lease_wait: float = 0.0,
    grace: float = GRACE,
) -> RunResult:
    """Run *tasks* and return how each ended; *run* has it all written down and is finished.

    A task starts when all of its *upstream* ended well and all that it comes *after* ended; one
    whose upstream did not end well is skipped. Names that are no tasks are ignored. *settled* are
    tasks that need not or cannot run, with how they stand. *workers* tasks run at once (the number
    of processors by default), of each pool at most as many as *pools* says. *timeout* (seconds) is
    per attempt. A task whose dataset another process builds waits up to *lease_wait* seconds for it,
    or as long as its timeout where that is longer; with 0 it fails at once.

    When *cancel* is set, or on Ctrl-C, nothing new starts, what runs is told to stop and has *grace*
    seconds for it; a second Ctrl-C is raised. *on_event* is called for each event.
    """
    runner = _Runner(
        run=run,
        tasks={id: one if isinstance(one, Task) else Task(one) for id, one in tasks.items()},
        settled=dict(settled or {}),
        workers=workers or os.cpu_count() or 2,
        pools=dict(pools or {}),
        retry=retry or RetryPolicy(),
        timeout=timeout,
        cancel=cancel or threading.Event(),
        on_event=on_event,
        lease_wait=lease_wait,
        grace=grace,
    )
    return runner.go(upstream, after or {})


@dataclass(slots=True)
class _Execution:
    """One attempt that runs. ``stop_by`` is when it is given up once it was told to stop."""

    task: str
    attempt: int
    context: TaskContext
    deadline: float | None
    stop_by: float | None = None
    forced: bool = False


@dataclass(slots=True)
class _Waiting:
    """A task that is ready, from ``due`` on; ``lease_until`` is when waiting for another process ends."""

    attempt: int = 1
    due: float = 0.0
    lease_until: float | None = None


@dataclass(frozen=True, slots=True)
class _Ended:
    execution: _Execution
    outcome: TaskOutcome | None
    error: BaseException | None


@dataclass
class _Runner:
    run: Recorder
    tasks: dict[str, Task]
    settled: dict[str, TaskOutcome]
    workers: int
    pools: dict[str, int]
    retry: RetryPolicy
    timeout: float | None
    cancel: threading.Event
    on_event: Listener | None
    lease_wait: float
    grace: float
    log: TaskLog = field(default_factory=TaskLog)
    inbox: queue.SimpleQueue[_Ended | Event | str] = field(default_factory=queue.SimpleQueue)
    results: dict[str, TaskResult] = field(default_factory=dict)
    started: dict[str, datetime] = field(default_factory=dict)
    ready: dict[str, _Waiting] = field(default_factory=dict)
    running: dict[str, _Execution] = field(default_factory=dict)
    left_behind: dict[str, _Execution] = field(default_factory=dict)
    cancelling: bool = False

    def go(self, upstream: Mapping[str, Collection[str]], after: Mapping[str, Collection[str]]) -> RunResult:
        self._link(upstream, after)
        self.run.leases.on_lost = self.inbox.put
        ids = [*self.settled, *(id for id in self.tasks if id not in self.settled)]
        planned = [self._settled(id) if id in self.settled else TaskResult(id, "pending") for id in ids]
        self.run.planned(planned, {id: task.plan for id, task in self.tasks.items()})
        self._emit("run_started", "", 0, {"tasks": len(ids)})
        for one in planned:
            if one.status != "pending":
                self._end(one)
        try:
            with self._heeding_ctrl_c():
                self._loop()
        except KeyboardInterrupt:
            self._give_up()
            self._finish()
            raise
        return self._finish()

    def _heeding_ctrl_c(self) -> AbstractContextManager[object]:
        # raised anywhere in the loop, KeyboardInterrupt could come between a task's end and the note of it
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            return cancel_on_signals(self.cancel, (signal.SIGINT,))
        return nullcontext()

    # --- deciding

    def _link(self, upstream: Mapping[str, Collection[str]], after: Mapping[str, Collection[str]]) -> None:
        known = {*self.tasks, *self.settled}
        self.needs = {id: [one for one in upstream.get(id, ()) if one in known] for id in known}
        self.open = {
            id: {*self.needs[id], *(one for one in after.get(id, ()) if one in known)} for id in known
        }
        self.opens: dict[str, list[str]] = {id: [] for id in known}
        for id, others in self.open.items():
            for one in others:
                self.opens[one].append(id)
        for id in self.tasks:
            if not self.open[id] and id not in self.settled:
                self.ready[id] = _Waiting()

    def _loop(self) -> None:
        while len(self.results) < len(self.opens):
            if self.cancel.is_set() and not self.cancelling:
                self._cancel_all("LW614", "the run was cancelled")
            self._start_ready()
            self._watch_clock()
            self._take_message()
            self.run.tick()
            if not self.running and not self.ready and len(self.results) < len(self.opens):
                raise ValueError("the tasks depend on each other in a circle")

    def _start_ready(self) -> None:
        if self.cancelling:
            return
        at = time.monotonic()
        due = [id for id, one in self.ready.items() if one.due <= at]
        for id in sorted(due, key=lambda id: -self.tasks[id].priority):
            if len(self.running) >= self.workers:
                return
            if self._has_room(self.tasks[id].pool):
                self._start(id, self.ready.pop(id), at)

    def _has_room(self, pool: str | None) -> bool:
        if pool is None or pool not in self.pools:
            return True
        return sum(self.tasks[id].pool == pool for id in self.running) < max(1, self.pools[pool])

    def _start(self, id: str, waiting: _Waiting, at: float) -> None:
        if not self._take_lease(id, waiting, at):
            return
        task, attempt = self.tasks[id], waiting.attempt
        started = now()
        self.started.setdefault(id, started)
        context = TaskContext(
            self.run.id,
            id,
            attempt,
            progress=lambda data: self.inbox.put(Event("progress", self.run.id, id, attempt, now(), data)),
        )
        timeout = task.timeout if task.timeout is not None else self.timeout
        execution = _Execution(id, attempt, context, at + timeout if timeout else None)
        self.running[id] = execution
        self.run.attempt_started(id, attempt, started)
        self._emit("started", id, attempt, {"reason": task.plan} if task.plan else {})
        name = f"{id} #{attempt}"
        threading.Thread(target=self._execute, args=(task.work, execution), name=name, daemon=True).start()

    def _take_lease(self, id: str, waiting: _Waiting, at: float) -> bool:
        try:
            holder = self.run.leases.take(self._lease(id))
        except LakewrightError as error:
            self._failed(id, waiting.attempt, error)
            return False
        if holder is None:
            return True
        if waiting.lease_until is None:
            # a build may take as long as its timeout allows
            patience = (
                max(self.lease_wait, self.tasks[id].timeout or self.timeout or 0) if self.lease_wait else 0
            )
            waiting.lease_until = at + patience
            if patience > 0:
                self._emit("waiting", id, waiting.attempt, {"holder": str(holder)})
        if at >= waiting.lease_until:
            self._failed(id, waiting.attempt, LakewrightError("LW612", f"{id} is being built by {holder}"))
        else:
            waiting.due = at + _BEAT
            self.ready[id] = waiting
        return False

    def _watch_clock(self) -> None:
        at = time.monotonic()
        for execution in list(self.running.values()):
            if execution.stop_by is None and execution.deadline is not None and at >= execution.deadline:
                limit = self.tasks[execution.task].timeout or self.timeout
                execution.context.cancel("LW611", f"{execution.task} did not end within {limit:g} seconds")
                execution.stop_by = at + self.grace
            elif execution.stop_by is not None:
                # again: a statement may have begun just after the last call
                execution.context.interrupt(force=execution.forced)
                if at >= execution.stop_by:
                    self._out_of_patience(execution, at)

    def _out_of_patience(self, execution: _Execution, at: float) -> None:
        if execution.context.committed and not execution.forced:
            # it is publishing, or has: leaving it behind now would misreport what is in the lake
            execution.forced = True
            execution.stop_by = at + self.grace
            return
        self._leave_behind(execution)

    def _leave_behind(self, execution: _Execution) -> None:
        reason = execution.context.reason
        known = "it may have published" if execution.context.committed else "it can no longer publish"
        what = (
            f"{reason.problem.message if reason else 'the run ended'}; it did not stop when told to, {known}"
        )
        code = reason.code if reason else "LW614"
        self.left_behind[execution.task] = self.running.pop(execution.task)
        self._ended_badly(execution, TaskCancelled(code, what))

    def _take_message(self) -> None:
        try:
            message = self.inbox.get(timeout=self._pause())
        except queue.Empty:
            return
        if isinstance(message, _Ended):
            self._attempt_ended(message)
        elif isinstance(message, Event):
            self._tell(message)
        else:
            self._lease_lost(message)

    def _pause(self) -> float:
        moments = [one.due for one in self.ready.values() if one.due]
        for one in self.running.values():
            moments += [moment for moment in (one.deadline, one.stop_by) if moment is not None]
        until = min(moments) - time.monotonic() if moments else _BEAT
        return min(_BEAT, max(0.001, until))

    def _cancel_all(self, code: str, message: str) -> None:
        self.cancelling = True
        stop_by = time.monotonic() + self.grace
        for execution in self.running.values():
            execution.context.cancel(code, message)
            execution.stop_by = execution.stop_by or stop_by
        self.ready.clear()
        for id in self.opens:
            if id not in self.results and id not in self.running:
                self._end(self._result(id, "cancelled", reason=message, code=code))

    def _lease_lost(self, name: str) -> None:
        if name == f"run:{self.run.id}":
            self._cancel_all("LW613", "another process took this run for dead")
            return
        for id, execution in self.running.items():
            if self._lease(id) == name:
                execution.context.cancel("LW613", f"the lease on {id} was lost to another process")
                execution.stop_by = execution.stop_by or time.monotonic() + self.grace

    def _give_up(self) -> None:
        self._cancel_all("LW614", "the run was cancelled")
        for execution in list(self.running.values()):
            self._leave_behind(execution)

    # --- in the attempt's own thread

    def _execute(self, work: Work, execution: _Execution) -> None:
        outcome: TaskOutcome | None = None
        error: BaseException | None = None
        with task_scope(self.run.id, execution.task, execution.attempt):
            try:
                execution.context.check()
                outcome = work(execution.context)
            except BaseException as caught:
                error = caught
        self.inbox.put(_Ended(execution, outcome, error))
        if self.left_behind.get(execution.task) is execution:
            self.run.leases.release([self._lease(execution.task)])

    # --- endings

    def _attempt_ended(self, ended: _Ended) -> None:
        execution = ended.execution
        if self.running.get(execution.task) is not execution:
            return  # left behind earlier: its end was told then
        del self.running[execution.task]
        self._release(execution.task)
        if ended.error is not None:
            # whatever the interruption made it raise, this is why it stopped
            reason = execution.context.reason
            self._ended_badly(
                execution, reason if reason and not execution.context.committed else ended.error
            )
            return
        id, attempt = execution.task, execution.attempt
        if not isinstance(ended.outcome, TaskOutcome):
            self._ended_badly(execution, TypeError(f"the task returned {ended.outcome!r}, not a TaskOutcome"))
            return
        self.run.attempt_ended(id, attempt, ended.outcome.status, now(), "", "")
        result = self._result(id, ended.outcome.status, attempts=attempt, reason=ended.outcome.reason)
        self._end(replace(result, outcome=ended.outcome))

    def _ended_badly(self, execution: _Execution, error: BaseException) -> None:
        with task_scope(self.run.id, execution.task, execution.attempt):
            if isinstance(error, TaskCancelled):
                self.log.warning(error.problem.message, code=error.code)
            elif isinstance(error, LakewrightError):
                self.log.error(error.problem.message, code=error.code)
            else:
                self.log.error(f"{type(error).__name__}: {error}", error=error)
        self._failed(execution.task, execution.attempt, error)

    def _failed(self, id: str, attempt: int, error: BaseException) -> None:
        code, message, exit_code = _explain(error)
        began = id in self.started
        status: TaskStatus = "cancelled" if code == "LW614" else "failed"
        if began:
            self.run.attempt_ended(id, attempt, status, now(), code, message)
        policy = self.tasks[id].retry or self.retry
        if began and not self.cancelling and policy.allows(attempt, error):
            delay = policy.delay(attempt)
            self._emit(
                "retrying", id, attempt, {"code": code, "message": message, "seconds": round(delay, 3)}
            )
            self.ready[id] = _Waiting(attempt + 1, time.monotonic() + delay)
            return
        result = self._result(id, status, attempts=attempt if began else 0, code=code, message=message)
        self._end(replace(result, exit_code=exit_code))

    def _settled(self, id: str) -> TaskResult:
        outcome = self.settled[id]
        return TaskResult(id, outcome.status, outcome=outcome, reason=outcome.reason)

    def _result(
        self,
        id: str,
        status: TaskStatus,
        *,
        attempts: int = 0,
        reason: str = "",
        code: str = "",
        message: str = "",
    ) -> TaskResult:
        return TaskResult(
            id, status, attempts, self.started.get(id), now(), reason=reason, code=code, message=message
        )

    def _end(self, result: TaskResult) -> None:
        """Note the end of a task, and of those that cannot start because of it."""
        endings = [result]
        while endings:
            one = endings.pop()
            if one.task in self.results:
                continue
            self.results[one.task] = one
            if one.task not in self.settled:
                self.run.task_ended(one)
            self._emit(one.status, one.task, one.attempts, one.facts())
            endings += self._open(one)

    def _open(self, ended: TaskResult) -> Iterable[TaskResult]:
        for id in self.opens[ended.task]:
            self.open[id].discard(ended.task)
            if self.open[id] or id in self.results or id in self.settled:
                continue
            bad = [self.results[one] for one in self.needs[id] if not self.results[one].good]
            if not bad:
                if not self.cancelling:
                    self.ready[id] = _Waiting()
            elif self.cancelling:
                continue  # all that is left is being cancelled
            else:
                yield self._result(id, "skipped", reason=bad[0].cause)

    def _release(self, id: str) -> None:
        try:
            self.run.leases.release([self._lease(id)])
        except LakewrightError as error:
            # it expires by itself
            self.log.warning("a lease could not be given back", task=id, problem=error.problem.message)

    def _lease(self, id: str) -> str:
        return f"{self.run.project}/{self.run.target}:{id}"

    def _finish(self) -> RunResult:
        statuses = {one.status for one in self.results.values()}
        status: RunStatus = "succeeded"
        if self.cancelling and "cancelled" in statuses:
            status = "cancelled"
        elif "failed" in statuses or "cancelled" in statuses:
            status = "failed"
        order = [id for id in (*self.settled, *self.tasks) if id in self.results]
        results = {id: self.results[id] for id in dict.fromkeys(order)}
        result = RunResult(self.run.id, status, results, self.run.started, now())
        self._emit("run_ended", "", 0, {"status": status, "seconds": result.seconds})
        return self.run.finish(result, keep=[self._lease(id) for id in self.left_behind])

    # --- telling

    def _emit(self, kind: str, task: str, attempt: int, data: Mapping[str, object]) -> None:
        event = Event(kind, self.run.id, task, attempt, now(), data)
        self.run.event(event)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if self.on_event is None:
            return
        try:
            self.on_event(event)
        except Exception as error:
            self.log.warning("a listener of the run failed", error=f"{type(error).__name__}: {error}")


def _explain(error: BaseException) -> tuple[str, str, int]:
    """Return code, message and exit code of an error."""
    if isinstance(error, LakewrightError):
        return error.code, str(error), error.exit_code
    return "LW610", f"{type(error).__name__}: {error}", LakewrightError.exit_code
