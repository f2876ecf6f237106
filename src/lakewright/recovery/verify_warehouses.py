"""Do warehouses serve what was published: their tables compared with the version of the lake that was loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.recovery.findings import ANEW, Findings
from lakewright.run.loads import loaded_at, open_warehouse, sent_table, warehouse_fingerprint
from lakewright.warehouse.figures import figures
from lakewright.warehouse.model import Served, Target

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["warehouses"]

Chosen = Callable[[str], bool]


@dataclass(frozen=True)
class _Look:
    """One warehouse that is looked at: when it was loaded last, and what it serves."""

    services: Services
    cursor: duckdb.DuckDBPyConnection
    found: Findings
    id: str
    target: Target
    served: Served
    at: datetime


def warehouses(
    services: Services, cursor: duckdb.DuckDBPyConnection, chosen: Chosen, readable: set[str], found: Findings
) -> None:
    """Compare the tables of every warehouse that was loaded: their rows, and what is in them when the level is deep.

    One that cannot be reached is told and no damage. Datasets that are not *readable* are told elsewhere.
    """
    loads = loaded_at(services.state)
    for id in services.project.warehouses:
        if not chosen(id) or id not in loads:
            continue
        try:
            target = open_warehouse(services, id)
        except LakewrightError as error:
            found.warn("warehouses", id, id, f"was not looked at: {error.problem.message}")
            continue
        try:
            _tables(_Look(services, cursor, found, id, target, target.served(), loads[id]), readable)
        except LakewrightError as error:
            found.warn("warehouses", id, id, f"was not looked at: {error.problem.message}")
        finally:
            target.close()


def _tables(look: _Look, readable: set[str]) -> None:
    warehouse = look.services.project.warehouses[look.id]
    if not look.served.objects:
        look.found.bad("warehouses", look.id, look.id, "serves nothing any more", ANEW.format(look.id))
        return
    # what was declared since is not served before the next run
    same = look.served.fingerprint == warehouse_fingerprint(look.services.project, look.id)
    for name, one in warehouse.all_tables.items():
        if name not in look.served.objects and not same:
            continue
        look.found.saw("served tables")
        if one.dataset is None:
            if look.target.figures(name, list(figures({}, deep=False).values())) is None:
                _gone(look, name)
        elif one.dataset in readable:
            _table(look, name, one.dataset, upsert=one.mode == "upsert", same=same)


def _table(look: _Look, name: str, dataset: str, *, upsert: bool, same: bool) -> None:
    services = look.services
    batch, seen = look.served.batches.get(dataset), services.seen(dataset)
    current = same and seen is not None and seen.batch == batch
    columns = sent_table(services, look.cursor, look.id, name).columns
    wanted = figures(columns, deep=current and look.found.level == "deep")
    there = look.target.figures(name, list(wanted.values()))
    if there is None:
        _gone(look, name)
        return
    if current and not _differ(wanted, there, _lake(look, name, wanted, None)):
        return
    # since the load rows may have gone to the archive, or more may have been published
    version = _version(look, dataset, batch)
    had = _lake(look, name, wanted, version) if version is not None else None
    if had is None:
        look.found.notes.append(
            f"{look.id}.{name} was not compared: the lake forgot the version that was loaded"
        )
        return
    _judge(look, name, dataset, _differ(wanted, there, had), upsert=upsert)


def _judge(
    look: _Look, name: str, dataset: str, differ: Mapping[str, tuple[object, object]], *, upsert: bool
) -> None:
    if not differ:
        return
    rows, had = (int(str(one)) for one in differ.get("rows", (0, 0)))
    if upsert and rows > had:
        # rows are added by key, and what the lake lets go stays
        problem = f"keeps {rows - had:,} rows that {dataset} let go"
        look.found.warn("warehouses", look.id, name, problem, ANEW.format(look.id))
    elif rows != had:
        problem = f"has {rows:,} rows, {dataset} had {had:,} when it was loaded"
        look.found.bad("warehouses", look.id, name, problem, ANEW.format(look.id))
    else:
        problem = f"is not what was loaded of {dataset}: the {', '.join(differ)}"
        look.found.bad("warehouses", look.id, name, problem, ANEW.format(look.id))


def _gone(look: _Look, name: str) -> None:
    look.found.bad("warehouses", look.id, name, "is gone", ANEW.format(look.id))


def _lake(
    look: _Look, name: str, wanted: Mapping[str, exp.Expr], version: int | None
) -> tuple[object, ...] | None:
    """The same figures of the rows that would be sent of the lake as it is, or was; None where it cannot tell."""
    import duckdb

    one = sent_table(look.services, look.cursor, look.id, name, version=version)
    assert one.rows is not None
    query = exp.select(*(value.copy() for value in wanted.values())).from_(one.rows.subquery("_sent"))
    try:
        return look.cursor.execute(query.sql("duckdb")).fetchone()
    except duckdb.Error:
        if version is None:
            raise
        return None


def _version(look: _Look, dataset: str, batch: int | None) -> int | None:
    """The version of the lake that the last load read of a dataset."""
    lake = look.services.lake
    if not lake.capabilities.time_travel:
        return None
    for one in lake.snapshots(look.cursor, dataset):
        number = one.info.get("batch") if one.info.get("dataset") == dataset else None
        later = isinstance(number, int) and batch is not None and number > batch
        if one.at <= look.at and not later:
            return one.id
    return None


def _differ(
    wanted: Mapping[str, exp.Expr], there: Sequence[object], here: Sequence[object] | None
) -> dict[str, tuple[object, object]]:
    """The figures that are not the same, with what the warehouse and the lake say."""
    return {
        name: (one, other)
        for name, one, other in zip(wanted, there, here or (), strict=True)
        if _number(one) != _number(other)
    }


def _number(value: object) -> Decimal:
    # a sum of nothing is null, in one place as in the other
    return Decimal(str(value)) if value is not None else Decimal(0)
