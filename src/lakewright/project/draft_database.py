"""The source's file of a project that is drafted for a database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lakewright.project.draft_text import flow
from lakewright.project.guards import literal_password

__all__ = ["TableSource", "database_source", "without_password"]

#: Names of columns that usually tell when a row last changed.
_CHANGED = re.compile(r"(last_?)?(updated?|modified|changed)(_?(at|on|date|time|ts))?$", re.IGNORECASE)


@dataclass(frozen=True)
class TableSource:
    """A table and the raw dataset that it becomes. ``times`` are columns that may tell when a row changed.

    ``rows`` is their number, or about that; ``whole`` tells that all of them were looked at.
    """

    name: str
    table: str
    key: tuple[str, ...]
    times: Sequence[str]
    rows: int | None
    whole: bool = True


def database_source(connection: str, tables: Sequence[TableSource]) -> str:
    """Return the text of the source's file; a way to load less is proposed where a column seems to allow it."""
    lines = ["kind: database", f"connection: {flow(connection)}", "datasets:"]
    for one in tables:
        count = f"  # {'' if one.whole else 'about '}{one.rows:,} rows" if one.rows is not None else ""
        lines.append(f"  {flow(one.name)}:")
        lines.append(f"    table: {flow(one.table)}{count}")
        if one.key:
            lines.append(f"    keys: {flow(list(one.key))}")
        cursor = next((name for name in one.times if _CHANGED.fullmatch(name)), None)
        if cursor is not None:
            lines.append(
                f"    # load: incremental    # reads only what changed, if every change sets {cursor}"
            )
            lines.append(f"    # cursor: {flow(cursor)}")
    return "\n".join(lines) + "\n"


def without_password(connection: str, name: str) -> tuple[str, str]:
    """Return *connection* with a reference in place of a password, and the reference's name ("" for none)."""
    if not literal_password(connection):
        return connection, ""
    head, at, rest = connection.rpartition("@")
    scheme, _, login = head.partition("://")
    user = login.partition(":")[0]
    secret = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "DATABASE"
    secret = f"{secret}_PASSWORD"
    return f"{scheme}://{user}:${{secret:{secret}}}{at}{rest}", secret
