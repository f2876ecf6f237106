"""Run compiled checks the way a build does: stage, surplus rows, one audit; and once directly on the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.sql.checks import (
    Check,
    audit_query,
    compile_checks,
    quarantines,
    reasons,
    surplus_query,
    violation_columns,
)
from lakewright.sql.dialect import render

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def dataset(**keys: Any) -> Dataset:
    return Dataset(
        zone="processed", name="orders", file=DatasetFile(**keys), path="datasets/processed/orders.yaml"
    )


def compiled(spec: Dataset, columns: Mapping[str, str], **more: Any) -> tuple[Check, ...]:
    more = {"on_violation": "quarantine", "now": NOW, **more}
    return compile_checks(spec, columns, **more)


def as_table(name: str) -> exp.Table:
    return exp.to_table(name, dialect="duckdb")


class Stage:
    """The rows of *query* staged with their bitmasks in ``stage``, surplus rows in tables of their own."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        query: str,
        checks: Sequence[Check],
        target: exp.Table | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self.con, self.checks = con, tuple(checks)
        bits = ", ".join(render(one) for one in violation_columns(checks))
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE stage AS SELECT *{', ' + bits if bits else ''} FROM ({query})"
        )
        self.surplus: dict[str, exp.Table] = {}
        for number, check in enumerate(one for one in checks if one.scope == "key"):
            found = surplus_query(
                check, as_table("stage"), target, worse=quarantines(checks), columns=columns
            )
            con.execute(f"CREATE OR REPLACE TEMP TABLE surplus_{number} AS {render(found)}")
            if con.execute(f"SELECT count(*) FROM surplus_{number}").fetchone() != (0,):
                self.surplus[check.id] = as_table(f"surplus_{number}")

    def audit(self, **more: Any) -> dict[str, Any]:
        query = audit_query(self.checks, as_table("stage"), staged=True, surplus=self.surplus, **more)
        return row(self.con, query, self.checks)

    def quarantined(self) -> list[int]:
        where = render(quarantines(self.checks, self.surplus))
        return [
            r for (r,) in self.con.execute(f"SELECT rowid FROM stage WHERE {where} ORDER BY 1").fetchall()
        ]

    def reasons(self) -> dict[int, list[str]]:
        said = render(reasons(self.checks, self.surplus))
        return dict(self.con.execute(f"SELECT rowid, {said} FROM stage ORDER BY 1").fetchall())


def row(con: duckdb.DuckDBPyConnection, query: exp.Select, checks: Sequence[Check]) -> dict[str, Any]:
    """Return the audit's one row, with the checks' ids in place of their numbers."""
    cursor = con.execute(render(query))
    names = [one[0] for one in cursor.description]
    rows = cursor.fetchall()
    assert len(rows) == 1
    found = dict(zip(names, rows[0], strict=True))
    return {
        "rows": found["rows"],
        "bad_rows": found["bad_rows"],
        **{check.id: found[f"check_{i}"] for i, check in enumerate(checks)},
    }


def direct(
    con: duckdb.DuckDBPyConnection, table: str, checks: Sequence[Check], **more: Any
) -> dict[str, Any]:
    return row(con, audit_query(checks, as_table(table), staged=False, **more), checks)
