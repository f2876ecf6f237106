"""`query`: SQL over every zone, and tables by name. Read only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from lakewright.app.audited import OWNER, QueryLog
from lakewright.app.counted import Counted
from lakewright.app.named import Named, named, one_query
from lakewright.app.platform import Platform, Restricted
from lakewright.app.relation import Params, flat_form, missing, relation_of, snapshot_of
from lakewright.app.restricted import restricted_query
from lakewright.app.rows import Result
from lakewright.engine.errors import explain, redact
from lakewright.engine.extensions import load as load_extension
from lakewright.engine.session import interruptible
from lakewright.errors import LakewrightError, NotFoundError, UsageError, nearest
from lakewright.lake.protocol import BOOKKEEPING, CATALOG
from lakewright.spec.base import ZONES
from lakewright.sql.names import identifier, literal, split_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Params", "query", "snapshot_of"]

#: Schemas that DuckDB itself answers.
_OWN = ("information_schema", "pg_catalog", "main", "temp")


@contextmanager
def query(
    platform: Platform,
    sql: str,
    *,
    params: Params = None,
    as_of: str | int | datetime | None = None,
    flat: bool = False,
) -> Iterator[Result]:
    """Run one SELECT (or DESCRIBE, SUMMARIZE, EXPLAIN, PIVOT) over the zones.

    ``zone.name`` names a dataset, ``raw.x`` its files as read, ``quarantine.zone_name`` its bad rows and
    ``ops.x`` the state database. *params* fill ``?`` or ``$name`` placeholders. *as_of* shows the lake's tables as
    they were at a snapshot number or a time. With *flat*, values that plain text has no form of its
    own for (lists, structs, times) come as text.

    Where the project keeps results of queries, one that is kept is given again.

    Every query has a catalog of its own, so any number may run at once, and sees one state of the
    lake. For a role, its rules apply, see :func:`lakewright.app.restricted.restricted_query`. Raises LW901 for
    what does not exist, LW903 for anything that is not a query and LW907 for SQL that DuckDB does not
    understand.
    """
    if isinstance(platform, Restricted):
        with restricted_query(platform, sql, params=params, as_of=as_of, flat=flat) as result:
            yield result
        return
    asking = _owners_query(platform, sql, params, as_of, flat)
    access = platform.project.file.access
    if access is None or access.audit != "all":
        with asking as result:
            yield result
        return
    log = QueryLog(platform.audit, OWNER, "", sql, as_of)
    log.asked(_reads(platform, sql))
    with log.answered() as results, asking as result:
        counted = Counted(result)
        results.append(counted)
        yield counted


@contextmanager
def _owners_query(
    platform: Platform, sql: str, params: Params, as_of: str | int | datetime | None, flat: bool
) -> Iterator[Result]:
    version, moment = snapshot_of(as_of)
    cache = platform.query_cache
    if cache is not None and (kept := cache.answer(sql, params, as_of=as_of, flat=flat)) is not None:
        yield kept
        return
    with platform.scratch.cursor() as (cursor, catalog):
        statement = one_query(cursor, sql)
        names = named(cursor, statement, _zones(platform))
        _refuse(names, as_of)
        bodies = {
            pair: _body(relation_of(platform, cursor, ".".join(pair), version, moment))
            for pair in _asked(platform, names)
        }
        if any(zone.lower() == "ops" for zone, _ in names.tables):
            _expose_state(platform, cursor)
        try:
            # one transaction for all: one state of the lake, whose catalog is read once
            cursor.execute("BEGIN TRANSACTION")
            for pair, body in bodies.items():
                _expose(platform, cursor, catalog, pair, body, version, moment)
            text = flat_form(cursor, statement, params) if flat else statement

            def run() -> Result:
                return Result(cursor.execute(text, params) if params else cursor.execute(text))

            key = cache.key(sql, names, params, as_of=as_of, flat=flat) if cache is not None else None
            result = interruptible(cursor, run)
            if cache is not None and key is not None and cache.takes(key, result.types):
                taken = interruptible(cursor, lambda: cache.take(key, cursor, result.types))
                # one that was too large has been read in part, and is made again
                result = taken or interruptible(cursor, run)
            yield result
        except duckdb.Error as error:
            raise _explain(platform, error, names) from None


def _reads(platform: Platform, sql: str) -> dict[str, list[str]]:
    """Return the datasets that *sql* names and their columns, ``*`` for all; nothing for what is not understood."""
    with platform.scratch.cursor() as (cursor, _):
        try:
            names = named(cursor, one_query(cursor, sql), _zones(platform))
        except LakewrightError:
            return {}
        found: dict[str, list[str]] = {}
        for id in sorted(f"{zone}.{name}".lower() for zone, name in names.tables):
            known = platform.services.lake.columns(cursor, id) or {}
            whole = names.star or not names.sure or not known
            found[id] = ["*"] if whole else [one for one in known if one.lower() in names.columns]
        return found


def _zones(platform: Platform) -> list[str]:
    own = {split_id(one)[0] for one in platform.project.datasets}
    return list(
        dict.fromkeys([*ZONES, *platform.project.file.zones, *sorted(own), "quarantine", BOOKKEEPING, "ops"])
    )


def _refuse(names: Named, as_of: object) -> None:
    if names.versioned:
        one = sorted(names.versioned)[0]
        raise UsageError(
            "LW904", f"{one} AT (…) is not for datasets", remedy="use --as-of, or as_of= in Python"
        )
    if as_of is not None:
        for one in sorted(names.catalogs):
            if one.lower().startswith(f"{CATALOG}."):
                short = one[len(CATALOG) + 1 :]
                raise UsageError("LW904", f"{one} is always the present", remedy=f"write {short}")


def _asked(platform: Platform, names: Named) -> list[tuple[str, str]]:
    """Return (zone, name) of the datasets that are asked for. Raises LW901 for a zone that is none."""
    zones = _zones(platform)
    found = []
    for zone, name in sorted({(zone.lower(), name.lower()) for zone, name in names.tables}):
        if zone in _OWN or zone == "ops":
            continue
        if zone not in zones:
            raise NotFoundError("LW901", f"no zone {zone!r}{nearest(zone, zones)}", tried=zones)
        found.append((zone, name))
    return found


def _body(relation: exp.Query | exp.Table) -> str:
    text = relation.sql("duckdb")
    return f"SELECT * FROM {text}" if isinstance(relation, exp.Table) else text


def _expose(
    platform: Platform,
    cursor: DuckDBPyConnection,
    catalog: str,
    pair: tuple[str, str],
    body: str,
    version: int | None,
    moment: datetime | None,
) -> None:
    """Make ``zone.name`` answer in the query's own catalog."""
    schema, table = (identifier(one).sql("duckdb") for one in pair)
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")
    try:
        cursor.execute(f"CREATE OR REPLACE VIEW {catalog}.{schema}.{table} AS {body}")
    except duckdb.CatalogException:
        absent = missing(platform, ".".join(pair))
        if absent is not None:
            raise absent from None
        when = f"snapshot {version}" if version is not None else str(moment)
        raise NotFoundError("LW415", f"{'.'.join(pair)} did not exist at {when}") from None


def _expose_state(platform: Platform, cursor: DuckDBPyConnection) -> None:
    path = platform.state.path
    if path is None:
        raise UsageError("LW904", "ops is not attached: the state is in PostgreSQL; query it there")
    load_extension(cursor, "sqlite_scanner")
    location = literal(str(path)).sql("duckdb")
    cursor.execute(f"ATTACH IF NOT EXISTS {location} AS ops (TYPE sqlite, READ_ONLY)")


def _explain(platform: Platform, error: duckdb.Error, names: Named) -> LakewrightError:
    hidden = platform.services.session.hidden
    text = redact(str(error), hidden).strip()
    if isinstance(error, duckdb.CatalogException):
        found = re.search(r'Table with name "?([\w$]+)"? does not exist', text)
        if found and found[1] in names.bare:
            ids = [*platform.project.datasets, *platform.project.raw]
            same = [one for one in ids if split_id(one)[1] == found[1].lower()]
            close = f"; did you mean {', '.join(map(repr, same))}?" if same else nearest(found[1], ids)
            return NotFoundError("LW901", f"no table {found[1]!r}{close}", remedy="write tables as zone.name")
    if isinstance(
        error,
        duckdb.ParserException | duckdb.SyntaxException | duckdb.BinderException | duckdb.CatalogException,
    ):
        return UsageError("LW907", text)
    if isinstance(error, duckdb.TransactionException) and "read-only" in text:
        return UsageError("LW903", "the statement writes; `query` only reads")
    return explain(error, hide=hidden)
