"""`query`: SQL over every zone, and tables by name. Read only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from lakewright.app.named import Named, named, one_query
from lakewright.app.platform import Platform
from lakewright.app.rows import Result
from lakewright.engine.errors import explain, redact
from lakewright.engine.extensions import load as load_extension
from lakewright.engine.session import interruptible
from lakewright.errors import LakewrightError, NotFoundError, UsageError, nearest
from lakewright.lake.protocol import BOOKKEEPING, CATALOG
from lakewright.run.inputs import raw_relation
from lakewright.spec.base import ZONES
from lakewright.sql.names import identifier, literal, quarantine_id, split_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Params", "query", "snapshot_of"]

#: Values of ``?`` placeholders in order, or of ``$name`` placeholders by name.
Params = Sequence[Any] | Mapping[str, Any] | None

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
    lake. Raises LW901 for what does not exist, LW903 for anything that is not a query and LW907 for
    SQL that DuckDB does not understand.
    """
    version, moment = snapshot_of(as_of)
    cache = platform.query_cache
    if cache is not None and (kept := cache.answer(sql, params, as_of=as_of, flat=flat)) is not None:
        yield kept
        return
    with platform.scratch.cursor() as (cursor, catalog):
        statement = one_query(cursor, sql)
        names = named(cursor, statement, _zones(platform))
        _refuse(names, as_of)
        bodies = {pair: _body(platform, cursor, pair, version, moment) for pair in _asked(platform, names)}
        if any(zone.lower() == "ops" for zone, _ in names.tables):
            _expose_state(platform, cursor)
        try:
            # one transaction for all: one state of the lake, whose catalog is read once
            cursor.execute("BEGIN TRANSACTION")
            for pair, body in bodies.items():
                _expose(platform, cursor, catalog, pair, body, version, moment)
            text = _flat(cursor, statement, params) if flat else statement

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


def snapshot_of(as_of: str | int | datetime | None) -> tuple[int | None, datetime | None]:
    """Return (snapshot number, None) or (None, time) from what a user wrote; (None, None) for None."""
    if as_of is None:
        return None, None
    if isinstance(as_of, datetime):
        return None, as_of if as_of.tzinfo else as_of.astimezone()
    text = str(as_of).strip()
    if text.isdigit():
        return int(text), None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "LW902", f"{text!r} is neither a snapshot number nor a time such as 2026-01-31T12:00"
        ) from None
    return None, moment if moment.tzinfo else moment.astimezone()


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


def _body(
    platform: Platform,
    cursor: DuckDBPyConnection,
    pair: tuple[str, str],
    version: int | None,
    moment: datetime | None,
) -> str:
    """Return the query that a dataset stands for."""
    services, id = platform.services, ".".join(pair)
    if id.startswith("raw."):
        if id not in platform.project.raw:
            raise NotFoundError("LW901", f"no dataset {id!r}{nearest(id, platform.project.raw)}")
        return raw_relation(services, cursor, id).query.sql("duckdb")
    return f"SELECT * FROM {services.lake.at(id, version, moment).sql('duckdb')}"


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
        missing = _missing(platform, ".".join(pair))
        if missing is not None:
            raise missing from None
        when = f"snapshot {version}" if version is not None else str(moment)
        raise NotFoundError("LW415", f"{'.'.join(pair)} did not exist at {when}") from None


def _missing(platform: Platform, id: str) -> NotFoundError | None:
    """Return why *id* is not there; None when it is."""
    project = platform.project
    with platform.services.session.cursor() as cursor:
        known = [one.id for one in platform.services.lake.tables(cursor)]
    if id in known:
        return None
    if id in project.datasets:
        return NotFoundError(
            "LW901", f"{id} has not been built yet", remedy=f"build it: lakewright run +{id}"
        )
    origins = {quarantine_id(one): one for one in [*project.raw, *project.datasets]}
    if id in origins:
        return NotFoundError(
            "LW901",
            f"no row of {origins[id]} was ever put into quarantine",
            remedy=f"nothing to do; `lakewright quality {origins[id]}` shows its checks",
        )
    close = nearest(id, [*project.datasets, *known, *project.raw])
    return NotFoundError(
        "LW901", f"no dataset {id!r}{close}", remedy="`lakewright catalog` lists what there is"
    )


def _expose_state(platform: Platform, cursor: DuckDBPyConnection) -> None:
    path = platform.state.path
    if path is None:
        raise UsageError("LW904", "ops is not attached: the state is in PostgreSQL; query it there")
    load_extension(cursor, "sqlite_scanner")
    location = literal(str(path)).sql("duckdb")
    cursor.execute(f"ATTACH IF NOT EXISTS {location} AS ops (TYPE sqlite, READ_ONLY)")


def _flat(cursor: DuckDBPyConnection, statement: str, params: Params) -> str:
    """Return *statement* with columns cast to text unless plain text has one form for them."""
    if re.match(r"^\s*(explain|pivot)\b", statement, re.IGNORECASE):
        return statement
    described = f"DESCRIBE ({statement})"
    try:
        rows = (cursor.execute(described, params) if params else cursor.execute(described)).fetchall()
    except duckdb.Error:
        return statement  # it will say what is wrong with it when it runs
    names = [str(row[0]) for row in rows]
    if len({name.lower() for name in names}) < len(names):
        return statement
    texts = []
    for name, kind in ((name, str(row[1])) for name, row in zip(names, rows, strict=True)):
        column: exp.Expr = exp.column(identifier(name))
        if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
            column = exp.func("to_json", column)
        elif re.match(r"^(\w*INT(EGER)?|DOUBLE|FLOAT|DECIMAL\(.*|BOOLEAN|VARCHAR|DATE)$", kind):
            continue
        texts.append(exp.alias_(exp.cast(column, "VARCHAR"), name, quoted=True).sql("duckdb"))
    return f"SELECT * REPLACE ({', '.join(texts)}) FROM ({statement})" if texts else statement


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
