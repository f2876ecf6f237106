"""What went wrong with a database, as coded errors that name it without its password."""

from __future__ import annotations

import re

from lakewright.engine.errors import redact
from lakewright.errors import RunError
from lakewright.sources.database.address import Address

__all__ = ["DatabaseFault", "fault"]

#: By what the servers and their drivers say; PostgreSQL's errors carry an SQLSTATE, MySQL's a number.
_SORTS = (
    (
        "LW221",
        r"password authentication failed|no password supplied|no pg_hba\.conf entry|Access denied for user"
        r"|permission denied|command denied|role \"[^\"]*\" does not exist|28P01|28000|42501"
        r"|readonly database|authorization denied",
    ),
    (
        "LW222",
        r"does not exist|doesn't exist|no such table|no such column|Unknown column|Unknown table|Unknown database"
        r"|unable to open database file|not a database|42P01|42703|3D000|3F000",
    ),
    (
        "LW220",
        r"could not connect|connection to server|Can't connect|could not translate host|Connection refused|timed out"
        r"|timeout expired|server closed the connection|Lost connection|terminating connection|gone away"
        r"|the database system is|too many (?:clients )?connections|Too many connections|database is locked"
        r"|connection (?:is closed|not open|already closed|has been closed)|SSL SYSCALL|Broken pipe|57P0\d|53300|08\d\d\d"
        r"|could not serialize|conflict with recovery|40001|snapshot \"[^\"]*\" does not exist",
    ),
)
_TRANSIENT = frozenset({"LW220", "LW244"})


class DatabaseFault(RunError):
    """A database could not be read; ``transient`` tells whether another attempt may succeed."""

    @property
    def transient(self) -> bool:
        """Whether another attempt may succeed."""
        return self.code in _TRANSIENT


def fault(error: BaseException, address: Address, doing: str) -> DatabaseFault:
    """Return the coded form of what a driver raised while *doing* something with the database at *address*."""
    if isinstance(error, DatabaseFault):
        return error
    said = " ".join(redact(_text(error), [address.password]).split())
    code = next((code for code, pattern in _ordered(said) if re.search(pattern, said)), "LW223")
    return DatabaseFault(code, f"{address}: {doing}: {said[:500]}")


def _ordered(said: str) -> tuple[tuple[str, str], ...]:
    # a snapshot that is gone is no missing table, and a refused login is said inside a failed connection
    return (_SORTS[2], _SORTS[1]) if "snapshot" in said else _SORTS


def _text(error: BaseException) -> str:
    # PyMySQL gives (number, text)
    if len(error.args) == 2 and isinstance(error.args[0], int):
        return f"{error.args[1]} ({error.args[0]})"
    return str(error)
