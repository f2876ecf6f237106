"""What the names in a query stand for: a dataset's rows now or at another time, and why one is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from lakewright.app.platform import Platform
from lakewright.errors import NotFoundError, UsageError, nearest
from lakewright.run.inputs import raw_relation
from lakewright.sql.names import identifier, quarantine_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Params", "flat_form", "missing", "relation_of", "snapshot_of"]

#: Values of ``?`` placeholders in order, or of ``$name`` placeholders by name.
Params = Sequence[Any] | Mapping[str, Any] | None


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


def relation_of(
    platform: Platform,
    cursor: DuckDBPyConnection,
    id: str,
    version: int | None,
    moment: datetime | None,
) -> exp.Query | exp.Table:
    """Return the relation that a dataset stands for. Raises LW901 for a raw dataset that there is not."""
    services = platform.services
    if id.startswith("raw."):
        if id not in platform.project.raw:
            raise NotFoundError("LW901", f"no dataset {id!r}{nearest(id, platform.project.raw)}")
        return raw_relation(services, cursor, id).query
    return services.lake.at(id, version, moment)


def missing(platform: Platform, id: str) -> NotFoundError | None:
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


def flat_form(cursor: DuckDBPyConnection, statement: str, params: Params) -> str:
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
