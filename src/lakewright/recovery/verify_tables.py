"""Do tables hold what they owe: readable rows, checkpoints that fit, unique keys, references, members of facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from sqlglot import exp

from lakewright.plan.tasks import write_mode
from lakewright.recovery.findings import ANEW, FILES, WHOLE, Findings
from lakewright.run.states import built_states, raw_states
from lakewright.spec.dataset import Dataset
from lakewright.spec.expectations import References
from lakewright.sql.names import column, literal, table

if TYPE_CHECKING:
    import duckdb

    from lakewright.lake.attached import AttachedLake
    from lakewright.run.services import Services

__all__ = ["checkpoints", "rules", "tables"]

Chosen = Callable[[str], bool]


def tables(
    services: Services, cursor: duckdb.DuckDBPyConnection, chosen: Chosen, found: Findings
) -> set[str]:
    """Read every table, whole when the level is deep; return those that can be read."""
    import duckdb

    readable = set()
    # by name only: to count the rows of all, every file of every table would have to be there
    for id in sorted(filter(chosen, cast("AttachedLake", services.lake).ids(cursor))):
        found.saw("tables")
        query = exp.select(exp.Count(this=exp.Star())).from_(table(id, "lake"))
        if found.level == "deep":
            query = query.select("bit_xor(hash(_t))", dialect="duckdb").from_(
                exp.alias_(table(id, "lake"), "_t", table=True)
            )
        try:
            cursor.execute(query.sql("duckdb")).fetchone()
        except duckdb.Error as error:
            if any((one.what, one.dataset) == ("data files", id) for one in found.problems):
                continue  # which of its files, is told already
            found.bad("tables", id, id, f"cannot be read: {str(error).splitlines()[0]}", FILES)
        else:
            readable.add(id)
    # a count alone is answered from the catalog, whether the files are there or not
    return readable - {one.dataset for one in found.problems if one.what == "data files"}


def checkpoints(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    chosen: Chosen,
    readable: set[str],
    found: Findings,
) -> None:
    """Compare how far datasets say they are with the tables and with what they are made of."""
    raw = {id: one.position for id, one in raw_states(services.state).items()}
    positions = {id: one.batch for id, one in services.checkpoints.items()}
    built = built_states(services)
    for id, checkpoint in services.checkpoints.items():
        if not chosen(id) or id.startswith("raw."):
            continue
        found.saw("checkpoints")
        columns = services.lake.columns(cursor, id)
        if columns is None:
            found.bad("checkpoints", id, id, "was built, but the lake has no such table", _recover(id))
            continue
        if "_batch_id" in columns and id in readable:
            newest = exp.select(exp.Max(this=column("_batch_id"))).from_(table(id, "lake"))
            row = cursor.execute(newest.sql("duckdb")).fetchone()
            if row and row[0] is not None and int(row[0]) > checkpoint.batch:
                problem = f"has rows of batch {row[0]}, its checkpoint is {checkpoint.batch}"
                found.bad("checkpoints", id, id, problem, _recover(id))
        for upstream, position in (built[id].positions if id in built else {}).items():
            last = raw.get(upstream, 0) if upstream.startswith("raw.") else positions.get(upstream, 0)
            if position.batch > last:
                problem = f"has read {upstream} up to batch {position.batch}, of which there are {last}"
                found.bad("checkpoints", id, upstream, problem, f"{WHOLE}, or {ANEW.format(id)}")


def rules(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    chosen: Chosen,
    readable: set[str],
    found: Findings,
) -> None:
    """Look for keys that occur twice, references to what is not there, and facts without a member."""
    for id, dataset in services.project.datasets.items():
        if not chosen(id) or id not in readable:
            continue
        columns = {one.lower(): one for one in services.lake.columns(cursor, id) or {}}
        for names, current in _keys(dataset):
            if all(one.lower() in columns for one in names):
                found.saw("keys")
                if count := _number(cursor, _twice(id, names, current=current)):
                    problem = f"{count:,} keys occur more than once"
                    found.bad("keys", id, ", ".join(names), problem, ANEW.format(id))
        for what, name, other, there in _links(services, dataset):
            if name.lower() not in columns or other not in readable:
                continue
            if there.lower() not in {one.lower() for one in services.lake.columns(cursor, other) or {}}:
                continue
            found.saw(what)
            if count := _number(cursor, _dangling(id, name, other, there)):
                problem = f"{count:,} rows refer to what {other} does not have"
                found.bad(what, id, f"{name} → {other}.{there}", problem, ANEW.format(id))


def _keys(dataset: Dataset) -> Iterable[tuple[tuple[str, ...], bool]]:
    """The columns whose values the platform keeps unique, and whether only among the current rows of a history."""
    mode = write_mode(dataset)
    if mode in ("merge", "scd2") and dataset.natural_keys:
        yield dataset.natural_keys, mode == "scd2"
    if dataset.surrogate_key is not None:
        yield (dataset.surrogate_key,), False


def _links(services: Services, dataset: Dataset) -> Iterable[tuple[str, str, str, str]]:
    """(what, column, dataset referred to, its column) of declared references and of a fact's dimensions."""
    default = dataset.file.on_violation or services.project.file.defaults.on_violation
    for one in dataset.file.expect:
        # what only warns may be broken
        if isinstance(one, References) and (one.severity or default) != "warn":
            for name, target in one.columns.items():
                other, _, there = target.rpartition(".")
                yield "references", name, other, there
    for name, lookup in (dataset.file.fact.lookups if dataset.file.fact else {}).items():
        key = services.project.datasets[lookup.dimension].surrogate_key
        if key is not None:
            yield "facts", name, lookup.dimension, key


def _twice(id: str, names: tuple[str, ...], *, current: bool) -> exp.Query:
    keys = [column(one) for one in names]
    groups = (
        exp.select(*keys)
        .from_(table(id, "lake"))
        .where(*(exp.not_(exp.Is(this=one.copy(), expression=exp.null())) for one in keys))
    )
    if current:
        groups = groups.where(column("is_current"))
    more = exp.GT(this=exp.Count(this=exp.Star()), expression=literal(1))
    groups = groups.group_by(*(one.copy() for one in keys)).having(more)
    return exp.select(exp.Count(this=exp.Star())).from_(groups.subquery("_twice"))


def _dangling(id: str, name: str, other: str, there: str) -> exp.Query:
    given = exp.alias_(table(id, "lake"), "_rows", table=True)
    known = exp.alias_(table(other, "lake"), "_known", table=True)
    value = column(name, "_rows")
    # as the check of the build does: what is compared may be declared with different types
    same = exp.EQ(
        this=exp.cast(column(there, "_known"), "VARCHAR"), expression=exp.cast(value.copy(), "VARCHAR")
    )
    inside = exp.Exists(this=exp.select("1").from_(known).where(same))
    filled = exp.not_(exp.Is(this=value, expression=exp.null()))
    return exp.select(exp.Count(this=exp.Star())).from_(given).where(filled, exp.not_(inside))


def _number(cursor: duckdb.DuckDBPyConnection, query: exp.Query) -> int:
    row = cursor.execute(query.sql("duckdb")).fetchone()
    return int(row[0]) if row else 0


def _recover(id: str) -> str:
    return f"lakewright recover --dataset {id}, or {ANEW.format(id)}"
