"""The audit log: entries that are edited, added, taken out or cut off are found; many may write at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from lakewright.errors import RunError
from lakewright.security.audit import AuditLog
from lakewright.security.keys import Keys
from lakewright.state import State
from servers import Postgres

STATE = "sqlite:state.db"


def log_of(root: Path, url: str = STATE, *, keys: bool = True) -> AuditLog:
    """The log of a project in *root*."""
    state = State(url, root)
    return AuditLog(state, Keys(state, {}, root=root, project="shop") if keys else None, root / ".lakewright")


def test_entries_are_bound_in_order(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert log.verify().entries == 0
    for number in range(5):
        assert (
            log.record(
                "query", "analyst", detail={"rows": number, "statement": "sélect ?", "reads": {"a.b": ["c"]}}
            )
            == number + 1
        )
    found = log.verify()
    assert (found.entries, found.unbound, found.problems) == (5, 0, ())
    assert found.head.startswith("5:")
    log.record("reveal", "default", reason="asked")
    assert log.verify(found.head).problems == ()
    assert [one.number for one in log.entries(2)] == [6, 5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("update security_audit set reason = 'x' where number = 2", ["entry 2 was edited, or one before it is missing"]),
        ("update security_audit set detail = '{}' where number = 4", ["entry 4 was edited, or one before it is missing"]),
        ("update security_audit set at = '2020-01-01 00:00:00.000000' where number = 3", ["entry 3 was edited, or one before it is missing"]),
        ("update security_audit_chain set mac = '00' where number = 3", ["entry 3 was edited, or one before it is missing", "entry 4 was edited, or one before it is missing"]),
        ("delete from security_audit where number = 3", ["entry 3 is missing"]),
        ("delete from security_audit where number = 3; delete from security_audit_chain where number = 3", ["entry 4 was edited, or one before it is missing"]),
        ("delete from security_audit where number < 3; delete from security_audit_chain where number < 3", ["entry 3 was edited, or one before it is missing"]),
        ("delete from security_audit where number = 5; delete from security_audit_chain where number = 5", ["entry 5 was there and is not the same, or is gone"]),
        ("delete from security_audit; delete from security_audit_chain", ["entry 5 was there and is not the same, or is gone"]),
        ("insert into security_audit select 9, at, os_user, host, action, subject, detail, reason from security_audit where number = 1", ["entry 9 was added by another way than this program"]),
        ("update security_audit_chain set key_version = 0 where number = 2", ["entry 2 was edited, or one before it is missing"]),
        ("update security_audit set number = 30 where number = 3; update security_audit_chain set number = 30 where number = 3", ["entry 4 was edited, or one before it is missing", "entry 30 was edited, or one before it is missing"]),
    ],
)  # fmt: skip
def test_what_was_changed_is_found(tmp_path: Path, change: str, said: list[str]) -> None:
    log = log_of(tmp_path)
    for number in range(5):
        log.record("query", "analyst", detail={"rows": number})
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript(change)
    assert list(log_of(tmp_path).verify().problems) == said


def test_a_forger_without_the_key(tmp_path: Path) -> None:
    """Who can write the database alone can bind anew by a key of their own, and is found out."""
    log = log_of(tmp_path)
    for number in range(3):
        log.record("query", "analyst", detail={"rows": number})
    other = tmp_path / "other"
    other.mkdir()
    forged = log_of(other)
    for number in range(3):
        forged.record("query", "analyst", detail={"rows": number + 100})
    (tmp_path / ".lakewright/audit.head").unlink()
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute(f"attach '{other}/state.db' as other")
        for table in ("security_audit", "security_audit_chain"):
            connection.execute(f"delete from {table}")
            connection.execute(f"insert into {table} select * from other.{table}")
        connection.commit()
    assert len(log_of(tmp_path).verify().problems) == 3
    assert log_of(other).verify().problems == ()


def test_entries_of_before_and_without_keys(tmp_path: Path) -> None:
    plain = log_of(tmp_path, keys=False)
    plain.record("rotate", "default")
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("delete from security_audit_chain")  # as an older version wrote it
        connection.commit()
    (tmp_path / ".lakewright/audit.head").unlink()
    log = log_of(tmp_path)
    log.record("query", "analyst")
    found = log.verify()
    assert (found.entries, found.unbound, found.problems) == (2, 1, ())
    with pytest.raises(RunError, match="is needed to verify"):
        plain.verify()


def test_keys_may_be_rotated(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.record("query", "analyst")
    assert log.keys is not None
    _, new = log.keys.rotated("audit")
    with log.state.begin() as connection:
        log.keys.register(connection, new)
    log.record("query", "analyst")
    assert log_of(tmp_path).verify().problems == ()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """Where the state is."""
    if request.param == "sqlite":
        return STATE
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


def test_many_write_at_once(tmp_path: Path, url: str) -> None:
    logs: list[AuditLog] = [log_of(tmp_path, url) for _ in range(4)]

    def write(log: AuditLog) -> Callable[[], None] | None:
        for number in range(10):
            log.record("query", "analyst", detail={"rows": number})
        return None

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, logs))
    found = logs[0].verify()
    assert (found.entries, found.problems) == (40, ())
    for log in logs:
        log.state.close()
