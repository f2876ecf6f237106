"""`test`: the project's unit tests. Given these rows, expect those; the lake is not touched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakewright.app.platform import Platform
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError, NotFoundError, nearest
from lakewright.plan.python import python_inputs
from lakewright.run.functions import call, load_function
from lakewright.run.inputs import Input, describe, python_reference
from lakewright.run.stage import STAGE, stage
from lakewright.spec.dataset import Dataset
from lakewright.spec.project import Engine, Project, UnitTest
from lakewright.sql.checks import reasons
from lakewright.sql.names import column, hidden, identifier
from lakewright.sql.query import bind, dependencies, parse_query
from lakewright.state import now

if TYPE_CHECKING:
    import duckdb

__all__ = ["TestReport", "TestResult", "test"]


@dataclass(frozen=True)
class TestResult:
    """How one unit test went; ``differences`` say what was not as expected."""

    __test__ = False

    name: str
    dataset: str
    passed: bool
    differences: tuple[str, ...]


@dataclass(frozen=True)
class TestReport:
    """How all went."""

    __test__ = False

    results: tuple[TestResult, ...]

    @property
    def passed(self) -> int:
        """How many passed."""
        return sum(one.passed for one in self.results)

    @property
    def failed(self) -> int:
        """How many did not."""
        return len(self.results) - self.passed


def test(start: Path | str = ".", names: Sequence[str] = (), target: str | None = None) -> TestReport:
    """Run the unit tests of the project at *start*, all or those named. Raises LW901 for an unknown name."""
    platform = Platform.open(start, target)
    project = platform.project
    known = [one.name for one in project.tests]
    for name in names:
        if name not in known:
            raise NotFoundError("LW901", f"no unit test {name!r}{nearest(name, known)}")
    chosen = [one for one in project.tests if not names or one.name in names]
    with Session.open(Engine(), root=platform.root) as session:
        return TestReport(tuple(_run(session, project, one) for one in chosen))


def _run(session: Session, project: Project, unit: UnitTest) -> TestResult:
    cursor = session.cursor()
    try:
        differences = _differences(cursor, project, unit)
    except LakewrightError as error:
        differences = [str(error.problem)]
    finally:
        cursor.close()
    return TestResult(unit.name, unit.dataset, not differences, tuple(differences))


def _differences(cursor: duckdb.DuckDBPyConnection, project: Project, unit: UnitTest) -> list[str]:
    dataset = project.datasets[unit.dataset]
    relations = _given(cursor, project, unit)
    given = _input(cursor, project, dataset, relations)
    staged = stage(
        cursor,
        dataset,
        given,
        on_violation=dataset.file.on_violation or project.file.defaults.on_violation,
        relations=lambda id: relations.get(id) or _empty(cursor, id),
        target=None,
        now=now(),
        root=Path(project.root),
    )
    good = (
        exp.select(*(column(name) for name in staged.columns))
        .from_(STAGE)
        .where(exp.not_(exp.paren(staged.bad)))
    )
    bad = (
        exp.select(
            *(column(name) for name in staged.columns),
            exp.alias_(reasons(staged.checks, staged.surplus), "_violations"),
        )
        .from_(STAGE)
        .where(staged.bad)
    )
    if staged.kept is not None:
        good, bad = good.where(staged.kept.copy()), bad.where(staged.kept.copy())
    found = _compare("row", _rows(cursor, good), unit.expect, staged.columns, unit.ordered)
    if unit.quarantined is not None:
        known = {**staged.columns, "_violations": "VARCHAR[]"}
        found += _compare("quarantined row", _rows(cursor, bad), unit.quarantined, known, unit.ordered)
    return found


def _given(cursor: duckdb.DuckDBPyConnection, project: Project, unit: UnitTest) -> dict[str, exp.Table]:
    """Make a table of the rows given for each upstream: text for raw files, contract types for datasets."""
    tables = {}
    for number, (id, rows) in enumerate(unit.given.items()):
        names = list(dict.fromkeys(name for row in rows for name in row))
        upstream = project.datasets.get(id)
        types = (
            {name: one.type for name, one in upstream.file.columns.items() if one.type} if upstream else {}
        )
        names = list(dict.fromkeys([*types, *names]))
        name = f"_given_{number}"
        lines = json.dumps([{key: row.get(key) for key in names} for row in rows], default=str)
        shape = {key: _json_type(rows, key, types.get(key)) for key in names}
        fields = ", ".join(f"{identifier(k).sql('duckdb')} {t}" for k, t in shape.items())
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({fields or '_none VARCHAR'})")
        if rows and names:
            structure = json.dumps([shape])
            listed = ", ".join(f"one.{identifier(k).sql('duckdb')}" for k in names)
            cursor.execute(
                f"INSERT INTO {name} SELECT {listed} FROM (SELECT unnest(from_json(?, ?)) AS one)",
                [lines, structure],
            )
        tables[id] = exp.to_table(name)
    return tables


def _json_type(rows: Sequence[Mapping[str, Any]], name: str, declared: str | None) -> str:
    if declared:
        return declared
    values = [row[name] for row in rows if row.get(name) is not None]
    if any(isinstance(one, dict | list) for one in values):
        return "JSON"
    if values and all(isinstance(one, bool) for one in values):
        return "BOOLEAN"
    if values and all(isinstance(one, int) and not isinstance(one, bool) for one in values):
        return "BIGINT"
    if values and all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        return "DOUBLE"
    return "VARCHAR"


def _input(
    cursor: duckdb.DuckDBPyConnection, project: Project, dataset: Dataset, relations: Mapping[str, exp.Table]
) -> Input:
    if dataset.file.from_ is not None:
        query: exp.Query = exp.select(exp.Star()).from_(_relation(cursor, relations, dataset.file.from_))
    elif dataset.sql is not None:
        parsed = parse_query(dataset.sql, path=dataset.sql_path or dataset.path)
        query = bind(parsed, {id: _relation(cursor, relations, id) for id in dependencies(parsed)})
    else:
        tables = {
            name: cursor.execute(
                f"SELECT * FROM {_relation(cursor, relations, one.dataset).sql('duckdb')}"
            ).to_arrow_table()
            for name, one in python_inputs(dataset).items()
        }
        function = load_function(Path(project.root), python_reference(dataset), dataset.path)
        cursor.register("_python_result", call(function, tables, dataset.path))
        query = exp.select(exp.Star()).from_("_python_result")
    return Input(query, describe(cursor, query))


def _relation(cursor: duckdb.DuckDBPyConnection, relations: Mapping[str, exp.Table], id: str) -> exp.Table:
    if id not in relations:
        raise NotFoundError("LW908", f"the test gives no rows for {id}", remedy=f"add `{id}: []` under given")
    return relations[id].copy()


def _empty(cursor: duckdb.DuckDBPyConnection, id: str) -> exp.Table:
    raise NotFoundError("LW908", f"the test gives no rows for {id}, which a check refers to")


def _rows(cursor: duckdb.DuckDBPyConnection, query: exp.Select) -> list[dict[str, Any]]:
    result = cursor.execute(query.sql("duckdb"))
    names = [str(one[0]) for one in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _compare(
    what: str,
    found: list[dict[str, Any]],
    expected: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    ordered: bool,
) -> list[str]:
    named = list(dict.fromkeys(name for row in expected for name in row))
    unknown = [name for name in named if name not in columns]
    if unknown:
        known = [name for name in columns if not hidden(name)]
        return [f"no column {name!r}{nearest(name, known)}" for name in unknown]
    wanted = [{name: _plain(row.get(name)) for name in named} for row in expected]
    got = [{name: _plain(row[name]) for name in named} for row in found]
    if ordered:
        pairs = [(w, g) for w, g in zip(wanted, got, strict=False) if w != g]
        lines = [f"expected {what} {w}, got {g}" for w, g in pairs]
        return lines + _rest(what, wanted[len(got) :], got[len(wanted) :])
    left = list(got)
    missing = []
    for row in wanted:
        if row in left:
            left.remove(row)
        else:
            missing.append(row)
    return _rest(what, missing, left)


def _rest(what: str, missing: Sequence[object], surplus: Sequence[object]) -> list[str]:
    return [f"missing {what} {one}" for one in missing] + [f"surplus {what} {one}" for one in surplus]


def _plain(value: Any) -> Any:
    """Bring a value from YAML and one from the engine to the same form."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return str(value)
