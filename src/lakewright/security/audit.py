"""Who did what that needs an answer for: one line per act, written before the act."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from lakewright.state import State, UtcTime, metadata, now

__all__ = ["AuditEntry", "entries", "record", "security_audit"]

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


@dataclass(frozen=True)
class AuditEntry:
    """One act. ``subject`` is the domain or key that it was about; ``detail`` holds no clear value."""

    at: datetime
    user: str
    host: str
    action: str
    subject: str
    detail: Mapping[str, object]
    reason: str


def record(
    state: State, action: str, subject: str, *, reason: str = "", detail: Mapping[str, object] | None = None
) -> None:
    """Write an entry of what is about to be done; it is on disk when this returns."""
    with state.begin(security_audit) as connection:
        connection.execute(
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


def entries(state: State, limit: int = 100) -> list[AuditEntry]:
    """Return the latest entries, newest first."""
    table = security_audit
    with state.read(table) as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.number.desc()).limit(limit)).all()
    return [
        AuditEntry(row.at, row.os_user, row.host, row.action, row.subject, row.detail, row.reason)
        for row in rows
    ]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return str(os.getuid())
