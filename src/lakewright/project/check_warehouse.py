"""Judge the warehouses of a project: that what they serve exists, and that their kind can do what is asked."""

from __future__ import annotations

from collections.abc import Iterator

from lakewright.errors import nearest
from lakewright.project.check_dataset import Found, known_columns
from lakewright.spec.project import Project
from lakewright.spec.warehouse import Warehouse, WarehouseTable

__all__ = ["warehouse_problems"]


def warehouse_problems(warehouse: Warehouse, project: Project) -> Iterator[Found]:
    """Yield everything that is wrong with *warehouse* beside the datasets that it names."""
    tables, views = warehouse.all_tables, warehouse.all_views
    for name, one in tables.items():
        yield from _table(name, one, project)
    for name in views:
        if name in tables:
            yield Found("LW123", f"{name!r} is a table already", ("views", name))
    if warehouse.kind == "mysql" and warehouse.schema is not None:
        message = "in MySQL the schema is the database of `connection`"
        yield Found("LW127", message, ("schema",), "leave `schema` out")
    if warehouse.kind == "duckdb" and warehouse.roles:
        yield Found("LW127", "a DuckDB file has no roles", ("roles",), "use PostgreSQL or MySQL")
    known = {"*", *tables, *views}
    for role, access in warehouse.roles.items():
        for name in access.tables:
            if name not in known:
                hint = nearest(name, known)
                message = f"the warehouse has no table or view {name!r}{hint}"
                yield Found("LW127", message, ("roles", role, "tables", name))
        for name in access.rows:
            keys = ("roles", role, "rows", name)
            if warehouse.kind == "mysql":
                yield Found("LW127", "rules for rows are PostgreSQL's", keys, "grant a view of those rows")
            elif name not in tables:
                message = f"the warehouse has no table {name!r}{nearest(name, tables)}"
                yield Found("LW127", message, keys)
            elif name not in access.tables and "*" not in access.tables:
                yield Found("LW127", f"the role may not read {name!r} at all", keys, "add it to `tables`")


def _table(name: str, one: WarehouseTable, project: Project) -> Iterator[Found]:
    keys = ("tables", name)
    if (one.dataset is None) == (one.sql is None):
        yield Found("LW120", "exactly one of `dataset` and `sql` says what a table holds", keys)
        return
    if one.sql is not None:
        if one.mode == "upsert":
            message = "a table made by `sql` is made anew each time"
            yield Found("LW127", message, (*keys, "mode"))
        return
    dataset = project.datasets.get(one.dataset or "")
    if dataset is None:
        return
    if one.mode == "upsert" and not (one.keys or dataset.surrogate_key or dataset.natural_keys):
        yield Found("LW127", f"{one.dataset} has no key to upsert by", (*keys, "mode"), "add `keys`")
    known = known_columns(dataset)
    listed = [column for index in one.indexes for column in ([index] if isinstance(index, str) else index)]
    for place, names in (("keys", one.keys), ("columns", one.columns), ("indexes", tuple(listed))):
        for column in names:
            if known is not None and column.lower() not in known:
                message = f"{one.dataset} has no column {column!r}{nearest(column, known.values())}"
                yield Found("LW128", message, (*keys, place))
