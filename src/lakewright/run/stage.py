"""Stage a dataset's rows once: steps, casts and checks in one statement, then narrow passes by row number.

The stage is a temporary table, private to one cursor, in reading order: its ``rowid`` is the
place of a row. Passes that need keys only (duplicates) read keys and ``rowid``, never whole rows:
on ten million rows a window over whole rows runs out of memory where this does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.errors import RunError, Where
from lakewright.run.functions import call, load_function
from lakewright.run.inputs import STAGE, Input, describe
from lakewright.run.mask import Masking
from lakewright.spec.dataset import Dataset
from lakewright.spec.steps import PythonStep
from lakewright.sql.checks import (
    Check,
    audit_query,
    compile_checks,
    quarantines,
    surplus_query,
    violation_columns,
)
from lakewright.sql.deletes import DELETED, deleting
from lakewright.sql.names import FAILED, hidden, literal
from lakewright.sql.steps import Compiled, Dedupe, compile_steps, losers_query, segments

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from lakewright.spec.base import Severity

__all__ = ["STAGE", "Staged", "stage"]

# Tables that list rows of the stage by ``rid``.
_LOSERS = "_stage_losers"
_SURPLUS = "_stage_surplus"


@dataclass(frozen=True)
class Staged:
    """What is in the stage. ``columns`` are the dataset's own, in order, name → DuckDB type.

    ``kept`` is the condition on a staged row that a deduplication does not leave it out;
    ``deduplicated`` counts the ones that it does. ``surplus`` gives the table of rows that a key
    is one too many for, by check id. ``audit`` is the one row of the audit query, by column name. ``gone`` counts
    the rows that say that their key is to be deleted, None where none can; :data:`DELETED` tells which they are.
    """

    columns: dict[str, str]
    hidden: frozenset[str]
    checks: tuple[Check, ...]
    one_to_one: bool
    rows: int
    deduplicated: int
    kept: exp.Expr | None
    surplus: Mapping[str, exp.Table] = field(default_factory=dict)
    audit: Mapping[str, object] = field(default_factory=dict)
    gone: int | None = None

    @property
    def bad(self) -> exp.Expr:
        """The condition on a staged row that it may not be published."""
        return quarantines(self.checks, self.surplus)


def stage(
    cursor: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    given: Input,
    *,
    on_violation: Severity,
    relations: Callable[[str], exp.Table],
    target: exp.Table | None,
    now: datetime,
    root: Path,
    apart: Sequence[exp.Expr] = (),
    where: Callable[[Mapping[str, str]], exp.Expr | None] = lambda _: None,
    masking: Masking | None = None,
) -> Staged:
    """Stage the rows of *given* and audit them; *cursor* is one that staged nothing before.

    *relations* gives the table of a dataset that a check refers to; *target* is the dataset's own
    table where a key must also be new to what is there (append). Of rows that are equal in all of
    *apart* (keys, partitions), those of the last batch push out the ones of earlier batches, as they
    would have, had each batch been published by itself. *where*, given the output's
    columns, limits the rows (a backfill). With *masking* checks of rows see clear values, and everything
    after the stage masked ones. Raises coded errors for steps, casts or checks that do
    not fit the columns.
    """
    compiled, one_to_one = _compile(cursor, dataset, given, root)
    every = describe(cursor, compiled.query)
    columns = {name: type for name, type in every.items() if not hidden(name)}
    checks = compile_checks(
        dataset,
        columns,
        on_violation=on_violation,
        casts=compiled.casts,
        relations=relations,
        now=now,
        received=[name for name in given.columns if not hidden(name)],
    )
    source = compiled.query.subquery("_rows", copy=False)
    dedupe = compiled.dedupe
    listed: list[exp.Expr] = [exp.Star()]
    if masking is not None:
        masking.fit(columns)
        checks = masking.masked_references(checks, columns)
        listed = [masking.star(columns, failed=FAILED in every), *masking.clear_columns(checks, dedupe)]
        dedupe = masking.clear_dedupe(dedupe, columns)
    deleted = deleting(dataset, columns)
    select = exp.select(*listed, *_judged(checks, deleted)).from_(source)
    limit = where(columns)
    if limit is not None:
        select = select.where(limit)
        one_to_one = False
    cursor.execute(f"CREATE TEMP TABLE {STAGE} AS {select.sql('duckdb')}")
    if masking is not None:
        masking.tokenise(cursor, STAGE)
        checks = masking.clear_checks(checks)
        stored = describe(cursor, exp.select(exp.Star()).from_(exp.to_table(STAGE)))
        columns = {name: stored[name] for name in columns}
    rows = _count(cursor, STAGE)
    lost = _find_losers(cursor, dedupe, columns)
    if given.batch is not None and apart and _has_batches(given.batch, every):
        # where a deduplication has left one row per key, this finds nothing
        lost += _find_outdated(cursor, given.batch, apart, checks, _not_in(_LOSERS) if lost else None)
    kept = _not_in(_LOSERS) if lost else None
    surplus = _find_surplus(cursor, checks, dedupe, kept, target, columns)
    gone = _count(cursor, STAGE, [exp.column(DELETED), *([kept] if kept else [])]) if deleted else None
    audit = audit_query(checks, exp.to_table(STAGE), staged=True, where=kept, surplus=surplus)
    result = cursor.execute(audit.sql("duckdb"))
    names = [str(one[0]) for one in result.description or ()]
    row = result.fetchone() or ()
    return Staged(
        columns=columns,
        hidden=frozenset(name for name in every if hidden(name)),
        checks=checks,
        one_to_one=one_to_one,
        rows=rows,
        deduplicated=lost,
        kept=kept,
        surplus=surplus,
        audit=dict(zip(names, row, strict=True)),
        gone=gone,
    )


def _judged(checks: tuple[Check, ...], deleted: exp.Expr | None) -> list[exp.Expr]:
    """The violations of a row; one that only says that its key is gone has none."""
    made: list[exp.Expr] = list(violation_columns(checks))
    if deleted is None:
        return made
    free = [
        exp.alias_(exp.Case().when(deleted.copy(), literal(0)).else_(one.this), one.alias, quoted=True)
        for one in made
    ]
    return [*free, exp.alias_(exp.Coalesce(this=deleted, expressions=[exp.false()]), DELETED, quoted=True)]


def _compile(
    cursor: duckdb.DuckDBPyConnection, dataset: Dataset, given: Input, root: Path
) -> tuple[Compiled, bool]:
    """Fuse the steps into one query; a Python step ends what can be fused, so its input runs before it."""
    contract = dataset.file.columns
    query, columns = given.query, given.columns
    one_to_one = True
    casts: tuple[str, ...] = ()
    parts = segments(dataset.file.steps)
    for number, part in enumerate(parts):
        if isinstance(part, PythonStep):
            table = cursor.execute(query.sql("duckdb")).to_arrow_table()
            result = call(load_function(root, part.function, dataset.path), {"rows": table}, dataset.path)
            _refuse_lost_values(table, result, part, dataset.path)
            name = f"_python_{number}"
            cursor.register(name, result)
            query = exp.select(exp.Star()).from_(exp.to_table(name))
            columns = describe(cursor, query)
            one_to_one = False
            continue
        last = number == len(parts) - 1
        before = casts if FAILED in columns else ()
        compiled = compile_steps(query, columns, part, contract, path=dataset.path, final=last)
        one_to_one = one_to_one and compiled.one_to_one
        casts = tuple(dict.fromkeys([*before, *compiled.casts]))
        if last:
            return replace(compiled, casts=casts), one_to_one
        # what follows is Python, which wants whole rows: the deduplication happens now
        query = compiled.deduplicated()
        columns = describe(cursor, query)
    compiled = compile_steps(query, columns, (), contract, path=dataset.path)
    before = casts if FAILED in columns else ()
    return replace(compiled, casts=tuple(dict.fromkeys([*before, *compiled.casts]))), one_to_one


def _refuse_lost_values(given: pa.Table, result: pa.Table, step: PythonStep, path: str) -> None:
    """Raise LW607 when values had not converted before *step* and its result no longer tells which."""
    if FAILED not in given.column_names or FAILED in result.column_names:
        return
    failed = given.num_rows - given.column(FAILED).null_count
    if failed:
        raise RunError(
            "LW607",
            f"{failed:,} rows have values that did not convert, and {step.function} leaves out {FAILED}, "
            "which says so",
            where=Where(path),
        )


def _find_losers(cursor: duckdb.DuckDBPyConnection, dedupe: Dedupe | None, columns: Mapping[str, str]) -> int:
    if dedupe is None:
        return 0
    query = losers_query(dedupe, exp.to_table(STAGE), columns)
    cursor.execute(f"CREATE TEMP TABLE {_LOSERS} AS {query.sql('duckdb')}")
    return _count(cursor, _LOSERS)


def _has_batches(batch: exp.Expr, columns: Mapping[str, str]) -> bool:
    """Whether the staged rows still know where they came from; an aggregation does not."""
    return all(one.name in columns for one in batch.find_all(exp.Column) if hidden(one.name))


def _find_outdated(
    cursor: duckdb.DuckDBPyConnection,
    batch: exp.Expr,
    apart: Sequence[exp.Expr],
    checks: tuple[Check, ...],
    kept: exp.Expr | None,
) -> int:
    """Add the rows that a later batch pushes out to the losers; return how many. Bad rows push nothing out."""
    bad = exp.alias_(quarantines(checks), "_bad")
    names = [f"_apart_{number}" for number in range(len(apart))]
    parts = [exp.alias_(one.copy(), name) for one, name in zip(apart, names, strict=True)]
    rows = exp.select(exp.alias_(exp.column("rowid"), "rid"), exp.alias_(batch.copy(), "_batch"), bad, *parts)
    rows = rows.from_(exp.to_table(STAGE))
    if kept is not None:
        rows = rows.where(kept)
    good = exp.select("*").from_(rows.subquery("_all", copy=False)).where(exp.not_(exp.column("_bad")))
    last = exp.Window(
        this=exp.Max(this=exp.column("_batch")), partition_by=[exp.column(one) for one in names]
    )
    newest = exp.select("rid", "_batch", exp.alias_(last, "_last")).from_(good.subquery("_good", copy=False))
    found = exp.select("rid").from_(newest.subquery("_dated", copy=False)).where("_batch < _last")
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {_LOSERS} (rid BIGINT)")
    done = cursor.execute(f"INSERT INTO {_LOSERS} {found.sql('duckdb')}").fetchone()
    return int(done[0]) if done else 0


def _find_surplus(
    cursor: duckdb.DuckDBPyConnection,
    checks: tuple[Check, ...],
    dedupe: Dedupe | None,
    kept: exp.Expr | None,
    target: exp.Table | None,
    columns: Mapping[str, str],
) -> dict[str, exp.Table]:
    found: dict[str, exp.Table] = {}
    worse = quarantines(checks)
    for number, check in enumerate(one for one in checks if one.scope == "key"):
        settled = dedupe is not None and dedupe.keys and set(dedupe.keys) <= set(check.columns)
        if settled and target is None:
            continue  # one row per key is what the deduplication left
        name = f"{_SURPLUS}_{number}"
        query = surplus_query(check, exp.to_table(STAGE), target, where=kept, worse=worse, columns=columns)
        cursor.execute(f"CREATE TEMP TABLE {name} AS {query.sql('duckdb')}")
        if _count(cursor, name):
            found[check.id] = exp.to_table(name)
    return found


def _not_in(name: str) -> exp.Expr:
    rows = exp.select("rid").from_(exp.to_table(name))
    return exp.not_(exp.In(this=exp.column("rowid"), query=rows.subquery(copy=False)))


def _count(cursor: duckdb.DuckDBPyConnection, name: str, where: Sequence[exp.Expr] = ()) -> int:
    query = exp.select(exp.Count(this=exp.Star())).from_(exp.to_table(name)).where(*where)
    row = cursor.execute(query.sql("duckdb")).fetchone()
    return int(row[0]) if row else 0
