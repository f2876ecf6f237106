"""What a task is given while it runs: its log, and the means to be stopped at the right moments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lakewright.errors import RunError
from lakewright.observe import TaskLog

__all__ = ["Registration", "TaskCancelled", "TaskContext"]


class TaskCancelled(RunError):
    """The task was told to stop, and did: LW611 after its timeout, LW613 lease lost, LW614 cancelled."""


class Registration:
    """A callback of :meth:`TaskContext.on_cancel`; leaving it as a context manager takes it back."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self.remove = remove

    def __enter__(self) -> Registration:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class TaskContext:
    """One attempt of one task. The task calls its methods; the runner calls :meth:`cancel`.

    A long task calls :meth:`check` now and then, gives :meth:`on_cancel` what interrupts the
    statement that it waits for, and publishes inside :meth:`committing`: once it has been told to
    stop, it can no longer publish, and while it publishes, it is not interrupted.
    """

    def __init__(
        self,
        run: str,
        task: str,
        attempt: int,
        *,
        progress: Callable[[Mapping[str, object]], None] | None = None,
    ) -> None:
        self.run = run
        self.task = task
        self.attempt = attempt
        self.log = TaskLog()
        self._progress = progress
        # reentrant: a callback may look at the context
        self._lock = threading.RLock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._reason: TaskCancelled | None = None
        self._committing = 0
        self._committed = False

    @property
    def cancelled(self) -> bool:
        """Whether the task is to stop. False once it has published: then it may end in peace."""
        with self._lock:
            return self._reason is not None and not self._committed

    def check(self) -> None:
        """Raise TaskCancelled when the task is to stop."""
        with self._lock:
            if self._reason is not None and not self._committed and not self._committing:
                raise self._reason

    def on_cancel(self, callback: Callable[[], None]) -> Registration:
        """Have *callback* called when the task is to stop: at once when it already is, and again until it ends.

        It is called from another thread and must return quickly; ``cursor.interrupt`` is one. Use the
        result in a ``with`` statement to take it back.
        """
        with self._lock:
            number = self._next
            self._next += 1
            self._callbacks[number] = callback
        self.interrupt()
        return Registration(lambda: self._forget(number))

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Publish inside. Raises TaskCancelled instead of entering when the task is to stop."""
        with self._lock:
            self.check()
            self._committing += 1
        try:
            yield
        except BaseException:
            with self._lock:
                self._committing -= 1
            raise
        with self._lock:
            self._committing -= 1
            self._committed = True

    def progress(self, **data: object) -> None:
        """Tell those who watch how far the task is; not kept."""
        if self._progress is not None:
            self._progress(data)

    def cancel(self, code: str, message: str) -> None:
        """Tell the task to stop; only the first reason counts."""
        with self._lock:
            if self._reason is None:
                self._reason = TaskCancelled(code, message)
        self.interrupt()

    def interrupt(self, *, force: bool = False) -> None:
        """Call the callbacks if the task is to stop; with *force*, also while or after it publishes."""
        with self._lock:
            if self._reason is None or ((self._committing or self._committed) and not force):
                return
            callbacks = list(self._callbacks.values())
            for callback in callbacks:
                # under the lock: a task that enters its commit meanwhile must not be interrupted in it
                try:
                    callback()
                except Exception as error:
                    self.log.warning("what should stop the task failed", problem=str(error))

    @property
    def reason(self) -> TaskCancelled | None:
        """Why the task was told to stop, if it was."""
        return self._reason

    @property
    def committed(self) -> bool:
        """Whether the task is publishing or has published."""
        with self._lock:
            return self._committed or self._committing > 0

    def _forget(self, number: int) -> None:
        with self._lock:
            self._callbacks.pop(number, None)
