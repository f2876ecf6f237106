"""Whether and when a failed attempt is worth another one."""

from __future__ import annotations

import errno
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from lakewright.errors import GateError, LakewrightError, NotFoundError, ProjectError, UsageError
from lakewright.spec.dataset import Retry
from lakewright.spec.durations import parse_duration

__all__ = ["RetryPolicy", "is_transient"]

# Input and output that may well succeed a moment later.
_PASSING = {
    errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EPIPE,
    errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH, errno.EMFILE, errno.ENFILE, errno.ENOBUFS,
}  # fmt: skip

# By name, so that the libraries need not be loaded to look.
_PASSING_CLASSES = {
    "duckdb.HTTPException",
    "duckdb.IOException",
    "duckdb.TransactionException",
    "psycopg.OperationalError",
    "sqlalchemy.exc.OperationalError",
    "botocore.exceptions.ConnectionError",
    "botocore.exceptions.HTTPClientError",
    "urllib3.exceptions.HTTPError",
}

#: Coded errors that another attempt may mend: a conflict with another writer, storage out of reach, a locked state.
_PASSING_CODES = {"LW408", "LW411", "LW652"}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``attempts`` in all; the second waits ``wait`` seconds, each further one ``backoff`` times longer.

    No wait is longer than ``longest`` seconds. Each is spread by ± ``jitter`` (a share of it), so that
    tasks that failed together do not come back together.
    """

    attempts: int = 3
    wait: float = 1.0
    backoff: float = 2.0
    longest: float = 300.0
    jitter: float = 0.2

    @classmethod
    def of(cls, spec: Retry) -> RetryPolicy:
        """The policy that a project file's ``retry`` describes."""
        return cls(spec.attempts, parse_duration(spec.wait).total_seconds(), spec.backoff)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number *attempt*, counted from 1."""
        try:
            plain = min(self.longest, self.wait * self.backoff ** (attempt - 1))
        except OverflowError:
            plain = self.longest
        return plain * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311

    def allows(self, attempt: int, error: BaseException) -> bool:
        """Whether attempt number *attempt*, which ended in *error*, may be followed by another."""
        return attempt < self.attempts and is_transient(error)


def is_transient(error: BaseException) -> bool:
    """Whether doing the same again may succeed.

    An error with an attribute ``transient`` says so itself. What a project, a command or a quality
    gate got wrong stays wrong; other coded errors are judged by their code and their cause. Else:
    connections, time-outs, locks and conflicts pass; everything unknown does not.
    """
    said = getattr(error, "transient", None)
    if isinstance(said, bool):
        return said
    if isinstance(error, GateError | ProjectError | UsageError | NotFoundError):
        return False
    if isinstance(error, LakewrightError):
        if error.code in _PASSING_CODES:
            return True
        return error.__cause__ is not None and is_transient(error.__cause__)
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError):
        return error.errno in _PASSING
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return any(name in _PASSING_CLASSES for name in _names(error))


def _names(error: BaseException) -> Iterator[str]:
    for one in type(error).__mro__:
        module = one.__module__.removeprefix("_")
        yield f"{module}.{one.__qualname__}"
        yield f"{module.partition('.')[0]}.{one.__qualname__}"
