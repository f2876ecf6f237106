"""Who did what that needs an answer for: entries that are only ever added, each bound to the one before.

An entry carries ``mac(n) = HMAC-SHA-256(key, mac(n - 1) || entry n)``, so that one that is edited, added or removed
between others no longer fits what follows. The key is the project's key ``audit``; without keys at hand an entry
is bound by plain SHA-256. That the newest entries were cut off is told by a file that names the last one.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakewright.errors import RunError
from lakewright.security.keys import Keys
from lakewright.state import State, UtcTime, metadata, now

__all__ = ["KEY", "AuditEntry", "AuditLog", "Verdict", "security_audit", "security_audit_chain", "who"]

#: The key that binds entries.
KEY = "audit"

security_audit = sa.Table(
    "security_audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("os_user", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

# A table of its own: entries written before entries were bound have no row here.
security_audit_chain = sa.Table(
    "security_audit_chain",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key_version", sa.Integer, nullable=False),
    sa.Column("mac", sa.String(64), nullable=False),
)

_PLAIN = 0
_CONTEXT = b"lakewright: audit log"
# Two writers on PostgreSQL take turns on this number; SQLite has one writer at a time.
_POSTGRES_LOCK = 5_259_331_003
_BATCH = 5_000


@dataclass(frozen=True)
class AuditEntry:
    """One act. ``subject`` is the domain, key or role that it was about; ``detail`` holds no clear value."""

    at: datetime
    user: str
    host: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    reason: str
    number: int = 0


@dataclass(frozen=True)
class Verdict:
    """What :meth:`AuditLog.verify` found. ``unbound`` entries are older than the binding; ``head`` names the last entry."""

    entries: int
    unbound: int
    problems: tuple[str, ...] = ()
    head: str = ""


@dataclass(frozen=True)
class AuditLog:
    """The log of a project. *folder* holds the file that names the last entry."""

    state: State
    keys: Keys | None = None
    folder: Path | None = None
    _secrets: dict[int, bytes] = field(default_factory=dict, repr=False)

    def record(
        self, action: str, subject: str, *, reason: str = "", detail: Mapping[str, object] | None = None
    ) -> int:
        """Write an entry of what is about to be done, and return its number; it is on disk when this returns."""
        version = self._version()
        with self.state.begin(security_audit, security_audit_chain) as connection:
            if self.state.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
            made = connection.execute(
                security_audit.insert().values(
                    at=now(),
                    os_user=_user(),
                    host=socket.gethostname(),
                    action=action,
                    subject=subject,
                    detail=dict(detail or {}),
                    reason=reason,
                )
            )
            number = int((made.inserted_primary_key or (0,))[0])
            before = (
                connection.scalar(
                    sa.select(security_audit_chain.c.mac)
                    .order_by(security_audit_chain.c.number.desc())
                    .limit(1)
                )
                or ""
            )
            # read again: what is bound is what was kept
            row = connection.execute(sa.select(security_audit).where(security_audit.c.number == number)).one()
            mac = self._mac(version, before, row)
            connection.execute(
                security_audit_chain.insert().values(number=number, key_version=version, mac=mac)
            )
        self._remember(f"{number}:{mac}")
        return number

    def entries(
        self,
        limit: int | None = 100,
        *,
        since: datetime | None = None,
    ) -> Iterator[AuditEntry]:
        """Yield the latest entries, newest first: those from *since* on, where it is given."""
        table = security_audit
        query = sa.select(table).order_by(table.c.number.desc())
        if since is not None:
            query = query.where(table.c.at >= since)
        with self.state.read(table) as connection:
            for row in connection.execute(query.limit(limit) if limit else query):
                yield AuditEntry(
                    row.at, row.os_user, row.host, row.action, row.subject, row.detail, row.reason, row.number
                )

    def verify(self, head: str | None = None) -> Verdict:
        """Look whether every entry follows from the one before, and whether *head*, noted earlier, is still there."""
        heads = {one: "" for one in (head, self._head()) if one}
        problems: list[str] = []
        count = unbound = 0
        before, last = "", ""
        with self.state.read(security_audit, security_audit_chain) as connection:
            for row in self._joined(connection):
                if row.mac is None:
                    # entries of before the binding stand at the beginning, and nowhere else
                    unbound += 1
                    if last:
                        problems.append(f"entry {row.number} was added by another way than this program")
                    continue
                count += 1
                if row.action is None:
                    problems.append(f"entry {row.number} is missing")
                elif not hmac.compare_digest(self._mac(row.key_version, before, row), row.mac):
                    problems.append(f"entry {row.number} was edited, or one before it is missing")
                before, last = row.mac, f"{row.number}:{row.mac}"
                heads.pop(last, None)
        problems += [
            f"entry {one.partition(':')[0]} was there and is not the same, or is gone" for one in heads
        ]
        return Verdict(count + unbound, unbound, tuple(problems), last)

    def _joined(self, connection: sa.Connection) -> Iterator[Any]:
        """Every number of either table, in order, with both rows."""
        numbers = sa.union(
            sa.select(security_audit.c.number), sa.select(security_audit_chain.c.number)
        ).subquery()
        own = [one for one in security_audit.c if one.name != "number"]
        query = (
            sa.select(numbers.c.number, *own, security_audit_chain.c.key_version, security_audit_chain.c.mac)
            .select_from(numbers)
            .join(security_audit, security_audit.c.number == numbers.c.number, isouter=True)
            .join(security_audit_chain, security_audit_chain.c.number == numbers.c.number, isouter=True)
            .order_by(numbers.c.number)
        )
        return iter(connection.execution_options(yield_per=_BATCH).execute(query))

    # --- the binding

    def _version(self) -> int:
        if self.keys is None:
            return _PLAIN
        key = self.keys.current(KEY)
        self._secrets[key.version] = hmac.digest(key.material, _CONTEXT, "sha256")
        return key.version

    def _mac(self, version: int, before: str, row: Any) -> str:
        content = [
            row.number,
            row.at.astimezone(UTC).isoformat(timespec="microseconds"),
            row.os_user, row.host, row.action, row.subject, row.detail, row.reason,
        ]  # fmt: skip
        text = f"{before}\n{json.dumps(content, sort_keys=True, ensure_ascii=True)}".encode()
        if version == _PLAIN:
            return hashlib.sha256(text).hexdigest()
        return hmac.digest(self._secret(version), text, "sha256").hex()

    def _secret(self, version: int) -> bytes:
        if version not in self._secrets:
            if self.keys is None:
                raise RunError("LW802", f"the key {KEY!r} is needed to verify the log")
            self._secrets[version] = hmac.digest(self.keys.get(KEY, version).material, _CONTEXT, "sha256")
        return self._secrets[version]

    def _remember(self, head: str) -> None:
        if self.folder is None:
            return
        file = self.folder / "audit.head"
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(head)
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)  # a folder that is only read: the log itself is whole

    def _head(self) -> str:
        try:
            return (self.folder / "audit.head").read_text().strip() if self.folder is not None else ""
        except OSError:
            return ""


def who() -> str:
    """Return who acts: the user of the operating system, and the machine."""
    return f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return str(os.getuid())
