"""The command line in processes that start within milliseconds, to be killed or interrupted at any moment.

They are forked from a process that has everything imported; starting Python anew costs two seconds each.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

#: What a run imports; pandas because pyarrow does where it is installed.
MODULES = [
    "lakewright.cli.main",
    "lakewright.cli.progress",
    "lakewright.app.platform",
    "lakewright.app.run",
    "lakewright.app.forget",
    "lakewright.lake.raw",
    "lakewright.sources.rest.asking",
    "lakewright.quality.report",
    "pyarrow.parquet",
    "pyarrow.compute",
    "pandas",
    "rich.table",
    "pygal",
]


@dataclass
class Command:
    """A command that runs in *root*; what it writes goes to files beside the project."""

    process: BaseProcess
    output: Path

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end and return its exit code: -9 when it was killed."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it hangs: {self.text}"
        return self.process.exitcode

    @property
    def text(self) -> str:
        """What it wrote to stdout and stderr so far."""
        return self.output.read_text("utf-8") if self.output.exists() else ""

    def until(self, seen: Callable[[str], bool], seconds: float = 60) -> bool:
        """Wait until *seen* holds for what it wrote, or it ends; return whether it does."""
        end = time.monotonic() + seconds
        while not seen(self.text):
            if not self.process.is_alive() or time.monotonic() > end:
                return seen(self.text)
            time.sleep(0.003)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def kill_after(self, seconds: float) -> bool:
        """Kill it unless it ends within *seconds*; return whether it was killed."""
        self.process.join(seconds)
        self.process.kill()
        return self.wait() == -signal.SIGKILL


def start(root: Path, *arguments: str, prepare: tuple[Callable[..., None], Any] | None = None) -> Command:
    """Start ``lakewright <arguments>`` in *root*. *prepare* is called first, in the new process, with its argument."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    output = root.with_name(f"{root.name}.{time.monotonic_ns()}.out")
    process = context.Process(target=_work, args=(str(root), str(output), arguments, prepare), daemon=True)
    process.start()
    return Command(process, output)


def _work(
    root: str, output: str, arguments: tuple[str, ...], prepare: tuple[Callable[..., None], Any] | None
) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    os.chdir(root)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if prepare is not None:
        prepare[0](prepare[1])
    from lakewright.cli.main import main

    sys.argv = ["lakewright", *arguments]
    main()


# --- moments between two writes


@dataclass
class Moment:
    """Kill the process *delay* seconds after the *number*-th moment at which something is written.

    With ``number`` 0 nobody is killed, and the moments are counted into the file ``count``. ``only``
    limits the moments to those whose name holds it.
    """

    number: int
    delay: float = 0.0
    only: str = ""
    count: str = ""


def watch(moment: Moment) -> None:
    """Count the moments right before and after each write to state, raw store and lake, and die at the one asked for."""
    from lakewright.lake.attached import AttachedLake
    from lakewright.lake.ducklake import DuckLake
    from lakewright.lake.raw import LocalStore
    from lakewright.state.db import State

    lock = threading.Lock()
    seen = 0

    def pass_by(name: str) -> None:
        nonlocal seen
        if moment.only not in name:
            return
        with lock:
            seen += 1
            due = seen == moment.number
            if moment.count:
                with Path(moment.count).open("a") as file:
                    file.write(f"{name}\n")
        if due and moment.delay:
            threading.Timer(moment.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        elif due:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: type, name: str, what: str) -> None:
        method = getattr(owner, name)

        def wrapped(*args: Any, **options: Any) -> Any:
            pass_by(f"before {what}")
            result = method(*args, **options)
            pass_by(f"after {what}")
            return result

        setattr(owner, name, wrapped)

    around(State, "_make", "table of the state")
    around(LocalStore, "_write", "file")
    around(LocalStore, "publish", "raw file")
    around(AttachedLake, "commit", "commit")
    around(DuckLake, "_describe_commit", "end of the commit")
    begin = State.begin

    def wrapped_begin(*args: Any, **options: Any) -> Any:
        @contextlib.contextmanager
        def transaction() -> Any:
            with begin(*args, **options) as connection:
                yield connection
                pass_by("before state")
            pass_by("after state")

        return transaction()

    State.begin = wrapped_begin  # type: ignore[method-assign]
