"""One commit at a time: between the threads of a process, and between processes on one machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["CommitLock"]

_locks: dict[str, threading.Lock] = {}
_guard = threading.Lock()


class CommitLock:
    """The lock that publishing takes. All handles on one catalog in a process share it.

    With *file* it also keeps other processes out (POSIX ``flock``, which the kernel releases when
    a process dies). Where there is no ``flock`` the retry of conflicts does that work alone.
    """

    def __init__(self, key: str, file: Path | None = None) -> None:
        with _guard:
            self._lock = _locks.setdefault(key, threading.Lock())
        self._file = file

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the lock."""
        with self._lock, _locked(self._file):
            yield


@contextmanager
def _locked(file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return
    try:
        import fcntl
    except ImportError:  # pragma: no cover - not a POSIX system
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
