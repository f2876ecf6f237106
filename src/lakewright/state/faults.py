"""What went wrong with the state database, as a coded error that shows no password."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

from lakewright.errors import LakewrightError, RunError

__all__ = ["explain"]

# SQLite's primary result codes: https://sqlite.org/rescode.html (the low byte of the extended ones)
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_REFUSED = {
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_PERM: "access to it is refused",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk gave an error",
}


def explain(error: sa.exc.DBAPIError, name: str) -> LakewrightError | None:
    """Return the coded form of a failure of the database itself, or None for any other error.

    *name* is how the database is called in the message: a file, or an address without password.
    A broken constraint or a wrong statement is the caller's matter: None.
    """
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        return _explain_sqlite(origin, name)
    if error.connection_invalidated or _lost(origin):
        return RunError("LW654", f"the state database {name} cannot be used: {_first_line(origin)}")
    return None


def _explain_sqlite(origin: sqlite3.Error, name: str) -> LakewrightError | None:
    code = getattr(origin, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _DAMAGED:
        return RunError("LW651", f"the state database {name} is damaged: {origin}")
    if primary in _LOCKED:
        return RunError("LW652", f"the state database {name} stayed locked by another process")
    if primary in _REFUSED:
        return RunError("LW654", f"the state database {name} cannot be used: {_REFUSED[primary]} ({origin})")
    return None


def _lost(origin: BaseException | None) -> bool:
    # psycopg raises OperationalError without an SQLSTATE when there is no server to give one; classes 08, 28,
    # 3D, 53, 57 are connections, passwords, databases, resources and shutdowns
    # https://www.postgresql.org/docs/current/errcodes-appendix.html
    if origin is None or type(origin).__name__ not in {"OperationalError", "InterfaceError"}:
        return False
    state = getattr(origin, "sqlstate", None)
    return state is None or str(state)[:2] in {"08", "28", "3D", "53", "57"}


def _first_line(origin: BaseException | None) -> str:
    text = str(origin).strip()
    return text.splitlines()[0] if text else type(origin).__name__
