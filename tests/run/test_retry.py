"""Which failures are worth another attempt, and how long to wait for it."""

from __future__ import annotations

import errno
import sqlite3

import duckdb
import pytest
import sqlalchemy as sa

from lakewright.errors import GateError, LakewrightError, NotFoundError, Problem, ProjectError, RunError
from lakewright.run.retry import RetryPolicy, is_transient
from lakewright.spec.dataset import Retry


def caused(error: LakewrightError, cause: BaseException) -> LakewrightError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.EIO, "input/output error"), True),
        (OSError(errno.ENOSPC, "no space left"), False),
        (FileNotFoundError(errno.ENOENT, "no such file"), False),
        (PermissionError(errno.EACCES, "denied"), False),
        (duckdb.IOException("could not connect"), True),
        (duckdb.HTTPException("503"), True),
        (duckdb.TransactionException("conflict"), True),
        (duckdb.BinderException("no such column"), False),
        (sa.exc.OperationalError("select 1", None, Exception("server closed the connection")), True),
        (sqlite3.OperationalError("no such table: x"), False),
        (ZeroDivisionError(), False),
        (MemoryError(), False),
        (RunError("LW411", "another writer committed first"), True),
        (RunError("LW408", "storage"), True),
        (RunError("LW405", "broken"), False),
        (caused(RunError("LW405", "broken"), ConnectionResetError()), True),
        (caused(GateError("LW405", "bad rows"), ConnectionResetError()), False),
        (caused(NotFoundError("LW901", "not there"), ConnectionResetError()), False),
        (ProjectError([Problem("LW321", "no such dataset")]), False),
    ],
)
def test_what_passes(error: BaseException, passes: bool) -> None:
    assert is_transient(error) is passes


def test_a_locked_database_passes(tmp_path: object) -> None:
    one, other = (sqlite3.connect(f"{tmp_path}/x.db", timeout=0, isolation_level=None) for _ in range(2))
    one.execute("begin exclusive")
    with pytest.raises(sqlite3.OperationalError) as error:
        other.execute("begin exclusive")
    assert is_transient(error.value)
    one.close()
    other.close()


def test_an_error_may_say_it_itself() -> None:
    error = GateError("LW405", "wait for the other team")
    error.transient = True  # type: ignore[attr-defined]
    assert is_transient(error)


def test_waits_grow_up_to_a_limit_and_are_spread() -> None:
    policy = RetryPolicy.of(Retry(attempts=9, wait="500ms", backoff=2))
    for attempt, plain in ((1, 0.5), (2, 1.0), (5, 8.0), (20, 300.0), (5000, 300.0)):
        waits = {policy.delay(attempt) for _ in range(50)}
        assert all(0.8 * plain <= one <= 1.2 * plain for one in waits)
        assert len(waits) > 1
    assert RetryPolicy(wait=2, jitter=0).delay(3) == 8


def test_attempts_are_counted() -> None:
    policy = RetryPolicy(attempts=2)
    assert policy.allows(1, TimeoutError())
    assert not policy.allows(2, TimeoutError())
    assert not policy.allows(1, ValueError())
