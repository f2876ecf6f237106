"""Leave out rows of people who were forgotten, when a source delivers them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.run.mask import hand_over
from lakewright.security.forgotten import digest_key, known
from lakewright.sql.identity import normal_form
from lakewright.sql.mask import keyed_hash
from lakewright.sql.names import column, literal

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["forgotten_rows", "without_forgotten"]


def without_forgotten(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    id: str,
    query: exp.Query,
    columns: Mapping[str, str],
) -> tuple[exp.Query, int]:
    """Return *query*, of the raw dataset *id*, without rows of people who were forgotten, and how many those are."""
    conditions = [one for _, _, one in forgotten_rows(services, cursor, id, columns)]
    if not conditions:
        return query, 0
    mine = exp.or_(*conditions, copy=False)
    counted = exp.select(exp.Count(this=exp.Star())).from_(query.subquery("_all")).where(mine.copy())
    row = cursor.execute(counted.sql("duckdb")).fetchone()
    if not row or not row[0]:
        return query, 0
    return exp.select("*").from_(query.subquery("_all")).where(exp.not_(exp.paren(mine))), int(row[0])


def forgotten_rows(
    services: Services, cursor: duckdb.DuckDBPyConnection, id: str, columns: Mapping[str, str]
) -> list[tuple[str, str, exp.Expr]]:
    """Return for each column of *id* that may hold somebody who was forgotten: subject, column, condition."""
    found: list[tuple[str, str, exp.Expr]] = []
    spelled = {one.lower(): one for one in columns}
    for name, subject in services.project.file.subjects.items():
        keys = {
            spelled[one.lower()]: what
            for one, what in subject.datasets.get(id, {}).items()
            if one.lower() in spelled
        }
        gone = known(services.state, name) if keys else {}
        for key, what in keys.items():
            if what in gone:
                whole, listed = gone[what]
                text = normal_form(
                    exp.cast(column(key), "VARCHAR"), whole=whole, ignore_case=what in subject.ignore_case
                )
                digest = keyed_hash(text, hand_over(cursor, digest_key(services.keys)))
                among = exp.In(this=digest, expressions=[literal(one) for one in sorted(listed)])
                found.append((name, key, exp.Coalesce(this=among, expressions=[exp.false()])))
    return found
