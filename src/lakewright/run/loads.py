"""Load a warehouse: what it serves, put together from the lake as it is at one moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, TypeVar

import duckdb
import msgspec
import sqlalchemy as sa
from sqlglot import exp

from lakewright.engine.errors import explain
from lakewright.errors import RunError, nearest
from lakewright.plan.tasks import DatasetState, Position, TaskPlan, Work
from lakewright.run.build import upstream_state
from lakewright.spec.project import Project
from lakewright.spec.warehouse import Warehouse, WarehouseTable
from lakewright.sql.lineage_steps import expression
from lakewright.sql.names import column, hidden, literal, table
from lakewright.sql.query import shared_query, tables
from lakewright.state import State, metadata, now
from lakewright.state.types import UtcTime
from lakewright.warehouse import Load, Role, Served, Table, View, open_target
from lakewright.warehouse.model import Reference, Target
from lakewright.warehouse.types import loadable

if TYPE_CHECKING:
    from lakewright.run.context import TaskContext
    from lakewright.run.services import Services

T = TypeVar("T")

__all__ = [
    "Loaded",
    "load_warehouse",
    "loaded_at",
    "loaded_states",
    "open_warehouse",
    "rewrite_warehouse",
    "sent_table",
    "warehouse_fingerprint",
    "warehouse_loads",
]

#: What each warehouse was loaded with last, so that a plan needs no connection to it.
warehouse_loads = sa.Table(
    "warehouse_loads",
    metadata,
    sa.Column("warehouse", sa.String(255), primary_key=True),
    sa.Column("positions", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.String(80), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)


@dataclass(frozen=True)
class Loaded:
    """What a load sent: rows by table."""

    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()


def warehouse_fingerprint(project: Project, id: str) -> str:
    """Return the SHA-256 of what decides what the warehouse *id* serves, and where."""
    warehouse = msgspec.structs.replace(project.warehouses[id], description="", owner="", tags=())
    keys = [
        (project.datasets[one].surrogate_key, project.datasets[one].natural_keys)
        for one in warehouse.datasets
        if one in project.datasets
    ]
    return f"1:{hashlib.sha256(msgspec.json.encode((id, warehouse, keys))).hexdigest()}"


def loaded_states(state: State) -> dict[str, DatasetState]:
    """Return the last load of each warehouse."""
    with state.read(warehouse_loads) as connection:
        rows = connection.execute(sa.select(warehouse_loads)).all()
    return {
        row.warehouse: DatasetState(
            1,
            {id: Position(batch) for id, batch in msgspec.json.decode(row.positions).items()},
            row.fingerprint,
        )
        for row in rows
    }


def loaded_at(state: State) -> dict[str, datetime]:
    """Return when each warehouse was loaded last."""
    with state.read(warehouse_loads) as connection:
        return {row.warehouse: row.at for row in connection.execute(sa.select(warehouse_loads))}


def load_warehouse(services: Services, plan: TaskPlan, context: TaskContext) -> Loaded:
    """Load the warehouse of *plan*. Readers of it see all of the load or nothing. Raises RunError LW851 to LW855."""
    warehouse = services.project.warehouses[plan.id]
    name = plan.id.partition(".")[2]
    target = open_warehouse(services, plan.id)
    cursor = services.session.cursor()
    try:
        with context.on_cancel(target.cancel), context.on_cancel(cursor.interrupt):
            load = _Maker(services, warehouse, plan, f"warehouses/{name}.yaml").load(
                cursor, target.served(), context.run
            )
            counts = target.load(load, cursor)
    except duckdb.Error as error:
        context.check()
        raise explain(error, hide=set(services.session.hidden)) from error
    except RunError:
        context.check()
        raise
    finally:
        cursor.close()
        target.close()
    _note(services.state, plan, {one.dataset: one.batch for one in load.tables if one.dataset}, context.run)
    for one, rows in counts.items():
        context.log.info("loaded", table=one, rows=rows)
    return Loaded(counts)


def rewrite_warehouse(services: Services, id: str) -> None:
    """Write the files of a warehouse anew, where rows that are not served any more could be found in them."""
    target = open_warehouse(services, id)
    try:
        target.rewrite()
    finally:
        target.close()


def open_warehouse(services: Services, id: str) -> Target:
    """Connect to the warehouse *id*. Raises RunError LW851 when it cannot be reached."""
    warehouse, name = services.project.warehouses[id], id.partition(".")[2]
    connection = services.resolve(warehouse.connection)
    schema = warehouse.schema or ("main" if connection.startswith("duckdb:") else name)
    return open_target(connection, schema, root=services.root)


def sent_table(
    services: Services, cursor: duckdb.DuckDBPyConnection, id: str, name: str, *, version: int | None = None
) -> Table:
    """Return a table of the warehouse *id* as a load would send all of it, from the lake as it is or was at *version*."""
    warehouse = services.project.warehouses[id]
    plan = TaskPlan(id, "publish", "build", "", Work("full"))
    maker = _Maker(services, warehouse, plan, f"warehouses/{id.partition('.')[2]}.yaml")
    one = maker.tables[name]
    assert one.dataset is not None
    relation = services.lake.at(one.dataset, version) if version is not None else table(one.dataset)
    return maker.sent(cursor, name, one, Served(), relation)


def _note(state: State, plan: TaskPlan, batches: Mapping[str, int], run_id: str) -> None:
    values = {
        "positions": msgspec.json.encode(dict(batches)).decode(),
        "fingerprint": plan.fingerprint,
        "run_id": run_id,
        "at": now(),
    }
    with state.begin(warehouse_loads) as connection:
        connection.execute(warehouse_loads.delete().where(warehouse_loads.c.warehouse == plan.id))
        connection.execute(warehouse_loads.insert().values(warehouse=plan.id, **values))


class _Maker:
    """Turns what a warehouse's file says into one load."""

    def __init__(self, services: Services, warehouse: Warehouse, plan: TaskPlan, path: str) -> None:
        self.services = services
        self.warehouse = warehouse
        self.plan = plan
        self.path = path
        self.tables = warehouse.all_tables

    def load(self, cursor: duckdb.DuckDBPyConnection, served: Served, run_id: str) -> Load:
        """Return the load; what is served tells how far tables that are added to have come."""
        sent = {
            name: self.sent(cursor, name, one, served, table(one.dataset))
            for name, one in self.tables.items()
            if one.dataset is not None
        }
        names = {each for one in sent.values() for each in (one.name, *one.columns)}
        names |= {*self.tables, *self.warehouse.views}
        made = {
            name: Table(
                name,
                {},
                sql=self._query(one.sql, names),
                key=one.keys,
                indexes=_indexes(one),
                comment=one.description,
            )
            for name, one in self.tables.items()
            if one.sql is not None
        }
        views = {
            name: View(name, self._query(one.sql, names), one.materialized, one.description)
            for name, one in self.warehouse.all_views.items()
        }
        # members before the facts that refer to them, and queries after what they read
        referred = sorted(sent.values(), key=lambda one: bool(one.references))
        return Load(
            tables=[*referred, *_in_order(made, lambda one: one.sql)],
            views=_in_order(views, lambda one: one.query),
            roles=[
                Role(
                    name,
                    one.tables,
                    {table: expression(rule, self.path).copy() for table, rule in one.rows.items()},
                )
                for name, one in self.warehouse.roles.items()
            ],
            run_id=run_id,
            at=now(),
            fingerprint=self.plan.fingerprint,
        )

    def sent(
        self,
        cursor: duckdb.DuckDBPyConnection,
        name: str,
        one: WarehouseTable,
        served: Served,
        relation: exp.Table,
    ) -> Table:
        """Return the rows of *relation*, a dataset as it is or was, that are sent to the table *name*."""
        assert one.dataset is not None
        dataset = self.services.project.datasets[one.dataset]
        columns = self.services.lake.columns(cursor, dataset.id)
        checkpoint = self.services.seen(dataset.id)
        if columns is None or checkpoint is None:
            raise RunError(
                "LW601",
                f"{dataset.id} was never built",
                remedy=f"build it first: lakewright run +{self.plan.id}",
            )
        chosen = self._chosen(name, one, columns)
        key = one.keys or ((dataset.surrogate_key,) if dataset.surrogate_key else ())
        if one.mode == "upsert" and not key:
            key = dataset.natural_keys
        since = self._since(name, one, served)
        values, types = loadable(chosen, "_rows")
        query = exp.select(*values).from_(exp.alias_(relation, "_rows", table=True))
        batch = column("_batch_id", "_rows")
        if since is not None:
            query = query.where(batch > literal(since))
        return Table(
            name,
            types,
            rows=query,
            key=tuple(key),
            indexes=_indexes(one),
            references=self._references(dataset.id, chosen),
            upsert=since is not None,
            dataset=dataset.id,
            batch=checkpoint.batch,
            comment=one.description or dataset.file.description,
        )

    def _chosen(self, name: str, one: WarehouseTable, columns: Mapping[str, str]) -> dict[str, str]:
        own = {each: type for each, type in columns.items() if not hidden(each)}
        spelled = {each.lower(): each for each in own}
        for wanted in (*one.columns, *one.keys):
            if wanted.lower() not in spelled:
                raise RunError(
                    "LW857",
                    f"{one.dataset} has no column {wanted!r} for the table {name}{nearest(wanted, own)}",
                    remedy=f"its columns are {', '.join(own)}",
                )
        if not one.columns:
            return own
        return {spelled[each.lower()]: own[spelled[each.lower()]] for each in one.columns}

    def _since(self, name: str, one: WarehouseTable, served: Served) -> int | None:
        """The batch after which rows are new to a table that is added to; None where it is loaded as a whole."""
        if one.mode != "upsert" or name not in served.objects or self.plan.work.mode == "full":
            return None
        assert one.dataset is not None
        since = served.batches.get(one.dataset)
        state = upstream_state(self.services.seen(one.dataset))
        if since is None or served.fingerprint != self.plan.fingerprint:
            return None
        return None if state.rebuilt > since or state.position < since else since

    def _references(self, id: str, columns: Mapping[str, str]) -> tuple[Reference, ...]:
        """The foreign keys of a fact whose dimensions the warehouse serves, too."""
        fact = self.services.project.datasets[id].file.fact
        names = {one.dataset: name for name, one in self.tables.items() if one.dataset}
        found = []
        for key, one in (fact.lookups if fact else {}).items():
            other = self.services.project.datasets[one.dimension]
            there = self.tables[names[one.dimension]] if one.dimension in names else None
            if there is None or key not in columns or other.surrogate_key is None:
                continue
            if there.keys and there.keys != (other.surrogate_key,):
                continue
            if there.columns and other.surrogate_key not in there.columns:
                continue
            found.append(Reference(key, names[one.dimension], other.surrogate_key))
        return tuple(found)

    def _query(self, text: str | None, names: set[str]) -> exp.Query:
        """Return a query with the *names* that it uses spelled as they are, and quoted.

        In a project's SQL upper and lower case are the same, and no name is reserved; elsewhere that is not so.
        """
        query = shared_query(text or "", self.path, zones=False).copy()
        spelled = {name.lower(): name for name in names}
        for node in query.find_all(exp.Identifier):
            if node.name.lower() in spelled:
                node.set("this", spelled[node.name.lower()])
                node.set("quoted", True)
        return query


def _indexes(one: WarehouseTable) -> tuple[tuple[str, ...], ...]:
    return tuple((index,) if isinstance(index, str) else index for index in one.indexes)


def _in_order(items: Mapping[str, T], query: Callable[[T], exp.Query | None]) -> list[T]:
    """Return *items* so that each comes after those that its query reads."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, one in items.items():
        reads = {node.name for node in tables(query(one) or exp.select())} & items.keys() - {name}
        sorter.add(name, *sorted(reads))
    return [items[name] for name in sorter.static_order()]
