"""Who a process is, so that another one can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Process", "this_process"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its host, its number there, and a mark that no other process has had or will have.

    ``mark`` holds the boot, the PID namespace and the start time; empty where the system does not
    tell them.
    """

    host: str
    pid: int
    mark: str

    def dead(self) -> bool:
        """True only when it is certain that the process is gone: it ran on this machine and is not there now."""
        here = this_process()
        if not self.mark or self.host != here.host or _space(self.mark) != _space(here.mark):
            return False
        return _mark(self.pid) != self.mark

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    """The process that asks."""
    # not cached: a forked child is another one
    pid = os.getpid()
    return Process(socket.gethostname(), pid, _mark(pid))


def _space(mark: str) -> str:
    return mark.rpartition("/")[0]


def _mark(pid: int) -> str:
    started = _started(pid)
    return f"{_machine()}/{started}" if started and _machine() else ""


@cache
def _machine() -> str:
    # the same host name with another boot or PID namespace (a container) tells nothing about a PID here
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: field 3 is the state, 22 the start time in
    # clock ticks; the name before them may hold spaces and brackets
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
