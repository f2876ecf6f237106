"""What ``sources/*.yaml`` with ``kind: database`` says: which tables are read, and how much of them each time."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Aged, Drift, Spec

__all__ = ["Capture", "DatabaseDataset", "DatabaseSource"]


class DatabaseDataset(Aged, frozen=True, kw_only=True):
    """One raw dataset made of a table (``schema.table``) or of a query; its name is its key under ``datasets``.

    ``load: full`` reads everything each time, and what is read replaces what raw held before.
    ``load: incremental`` reads the rows whose ``cursor`` is not less than the greatest one read before,
    less ``lookback``, and adds those that raw does not hold yet. ``load: changes`` reads a table of PostgreSQL once
    and from then on what was done to its rows, from the server's log.
    """

    table: str | None = None
    query: str | None = None
    load: Literal["full", "incremental", "changes"] = "full"
    cursor: str | None = None
    lookback: str | None = None
    keys: tuple[str, ...] = ()
    deletes: Literal["ignore", "by_key"] = "ignore"
    where: str | None = None
    slices: int = 1
    columns: tuple[str, ...] = ()
    on_drift: Drift = "evolve"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


class Capture(Spec, frozen=True, kw_only=True):
    """How a source with ``load: changes`` reads the server's log.

    With ``publication`` one that an administrator made is used, else one is made for exactly the source's tables.
    ``on_lost`` says what happens when the server no longer has all of the log: fail, or read the tables again and
    take what differs.
    """

    publication: str | None = None
    on_lost: Literal["fail", "snapshot"] = "fail"


class DatabaseSource(Aged, frozen=True, tag_field="kind", tag="database", kw_only=True):
    """Tables and queries of PostgreSQL, MySQL, MariaDB or SQLite: ``kind: database``.

    ``connection`` is ``postgresql://user@host:5432/name``, ``mysql://user@host:3306/name`` or
    ``sqlite:<file>``; a password stands in it as ``${secret:NAME}``.
    """

    connection: str
    datasets: dict[str, DatabaseDataset]
    capture: Capture = Capture()
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
