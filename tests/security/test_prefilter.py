"""Which conditions of a role's query are looked at before rows are handed over: those that convert no value of a row."""

from __future__ import annotations

import duckdb
import pytest

from lakewright.engine.syntax import syntax_tree
from lakewright.security.prefilter import conditions_before

TYPES = {
    "n": "BIGINT",
    "d": "DATE",
    "t": "TIMESTAMP",
    "x": "DOUBLE",
    "Name": "VARCHAR",
    "m": "DECIMAL(10,2)",
    "s": "STRUCT(n BIGINT)",
}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("from a.t where n > 5", ['"n" > 5']),
        ("from A.T where 5 >= N and name = 'o''x'", ['"n" <= 5', "\"Name\" = 'o''x'"]),
        ("from a.t where d between '2024-01-01' and date '2024-02-01' and n in (1, 2) and x < 3", ["\"d\" BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-02-01' AS DATE)", '"n" IN (1, 2)', '"x" < 3']),
        ("select count(*) from a.t where t >= '2024-01-01 10:00' group by n having n > 1", ["\"t\" >= CAST('2024-01-01 10:00' AS TIMESTAMP)"]),
        ("with c as (from a.t where n = 1) from c, c d", ['"n" = 1']),
        ("from b.u where exists (from a.t where n = 1)", ['"n" = 1']),
        ("summarize from a.t where n = 1", ['"n" = 1']),
        # a value of a row would be converted, or what is compared is not known to be the column
        ("from a.t where name > 5", []),
        ("from a.t where n = '5'", []),
        ("from a.t where n = 1.5", []),
        ("from a.t where m = 1", []),
        ("from a.t where d = 'someday'", []),
        ("from a.t where d = timestamp '2024-01-01'", []),
        ("from a.t where name::int = 5", []),
        ("from a.t where s.n = 5", []),
        ("from a.t where t.n = 5", []),
        ("from a.t where n = d", []),
        ("from a.t where n = null", []),
        ("from a.t where n = 9007199254740993", []),
        ("from a.t where hidden = 1", []),
        ("from a.t where n = 1 or x = 1", []),
        ("from a.t where not n = 1", []),
        ("from a.t where n in (1, null)", []),
        ("from a.t where n in (select 1)", []),
        # not the only rows that are asked for
        ("from a.t where n = 1 union all from a.t", []),
        ("select (select count(*) from a.t) from a.t where n = 1", []),
        ("from a.t, b.u where n = 1", []),
        ("from a.t left join b.u on a.t.n = u.n where n = 1", []),
        ("from (from a.t) where n = 1", []),
        ("from a.t as t(d, n) where n = 1", []),
        ("from a.t tablesample 10% where n = 1", []),
        ("from a.t where n = 1 using sample 3", []),
        ("select rowid from a.t where n = 1", []),
        ("select n from a.t qualify n = 1", []),
    ],
)  # fmt: skip
def test_conditions(sql: str, found: list[str]) -> None:
    with duckdb.connect() as connection:
        tree = syntax_tree(connection, sql)
        assert tree is not None

        def converts(text: str, kind: str) -> bool:
            row = connection.execute(f"select try_cast(? as {kind}) is not null", [text]).fetchone()
            return bool(row and row[0])

        assert [one.sql("duckdb") for one in conditions_before(tree, "a.t", TYPES, converts)] == found
