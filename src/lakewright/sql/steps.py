"""The steps of a dataset and the types of its contract, fused into one SELECT.

The order is the written one. A column of the contract is converted to its type once, before the first
step that could use its values; a column that a step makes or cleans as text, right after it. The
conversions are those of :mod:`lakewright.sql.cast`. What does not convert is null in its column and
listed in ``_failed``, the text of a JSON object {column: original text}; such rows pass filters that
cannot judge them, so that they reach quarantine instead of vanishing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from lakewright.errors import Problem, ProjectError, Where, nearest
from lakewright.spec.dataset import Column
from lakewright.spec.steps import PythonStep, Step
from lakewright.sql.cast_types import parse_type, same_type, type_name
from lakewright.sql.names import hidden
from lakewright.sql.steps_apply import apply_step
from lakewright.sql.steps_dedupe import Dedupe, deduplicated, losers_query
from lakewright.sql.steps_order import NAMING, assigns, final_names, later_allow
from lakewright.sql.steps_rows import Rows

__all__ = ["Compiled", "Dedupe", "compile_steps", "losers_query", "segments"]


@dataclass(frozen=True)
class Compiled:
    """One SELECT for many steps.

    ``columns`` are the query's columns in order with DuckDB's types, ``""`` where only DESCRIBE can
    tell; columns that start with ``_`` come last. ``dedupe`` is what is still to be left out
    of the query's rows, by :func:`losers_query` on a staged copy. ``one_to_one`` says that each row
    read gives one row, in order. ``casts`` are the columns whose values may not have converted; the
    query has ``_failed`` when there are any.
    """

    query: exp.Select
    columns: dict[str, str]
    dedupe: Dedupe | None
    one_to_one: bool
    casts: tuple[str, ...]

    def deduplicated(self) -> exp.Select:
        """Return the query with its deduplication inside, in reading order; it ranks whole rows."""
        if self.dedupe is None:
            return self.query.copy()
        return deduplicated(self.query.copy(), list(self.columns), self.dedupe)


def segments(steps: Sequence[Step]) -> list[tuple[Step, ...] | PythonStep]:
    """Split steps into runs that compile to SQL and the Python functions between them, in order."""
    parts: list[tuple[Step, ...] | PythonStep] = []
    run: list[Step] = []
    for step in steps:
        if isinstance(step, PythonStep):
            if run:
                parts.append(tuple(run))
                run = []
            parts.append(step)
        else:
            run.append(step)
    if run:
        parts.append(tuple(run))
    return parts


def compile_steps(
    source: exp.Query,
    columns: Mapping[str, str],
    steps: Sequence[Step],
    contract: Mapping[str, Column],
    *,
    path: str,
    final: bool = True,
    missing: str = "fail",
) -> Compiled:
    """Compile *steps* over *source*, which gives *columns* (name → DuckDB type, ``""`` unknown).

    With *final* the result has the contract's columns first, in its order, then all others; a column
    of the contract that nothing makes is refused (LW306) or, with *missing* ``"null"``, null in every
    row. *path* is the user's file, for errors. Raises ProjectError: LW301 and LW303 for expressions,
    LW305 for unknown columns, LW311 for a step that does not fit its column, LW312 for types and
    formats, LW313 for names taken twice.
    """
    rows = Rows(source.copy(), columns, path)
    types = _declared(contract, path)
    done: set[str] = set()
    dedupe: Dedupe | None = None
    for index, step in enumerate(steps):
        if isinstance(step, PythonStep):
            raise ValueError("a Python step is run between two queries: see segments()")
        rows.step = f"step {index + 1} ({step.name})"
        if not isinstance(step, NAMING):
            _convert(rows, types, contract, done, steps[index:])
        if dedupe is not None:
            moved = later_allow(dedupe, step, rows, {name for name in types if name not in done})
            if moved is None:
                rows.replace(deduplicated(rows.query(), list(rows.items), dedupe), rows.types)
                rows.one_to_one = False
            dedupe = moved
        made = apply_step(rows, step)
        dedupe = made if made is not None else dedupe
        new_values = final_names(assigns(step, rows), steps[index + 1 :])
        done -= {one.lower() for one in new_values.values()}
    rows.step = "columns"
    _convert(rows, types, contract, done, ())
    if final:
        _arrange(rows, types, contract, missing)
    else:
        rows.keep(rows.names)
    query = rows.query()
    return Compiled(query, dict(rows.types), dedupe, rows.one_to_one, tuple(rows.casts))


def _declared(contract: Mapping[str, Column], path: str) -> dict[str, str]:
    """Return the contract's types by lower-case column name."""
    problems, types = [], {}
    for name, rules in contract.items():
        if hidden(name):
            text = f"column {name!r} starts with an underscore, which marks Lakewright's own columns"
            problems.append(Problem("LW313", text, Where(path)))
        if rules.type is None:
            continue
        try:
            types[name.lower()] = type_name(parse_type(rules.type))
        except ValueError as error:
            problems.append(Problem("LW312", f"column {name!r}: {error}", Where(path)))
    if problems:
        raise ProjectError(problems)
    return types


def _convert(
    rows: Rows,
    types: Mapping[str, str],
    contract: Mapping[str, Column],
    done: set[str],
    coming: Sequence[Step],
) -> None:
    """Convert the columns whose values no step in *coming* still cleans, each once."""
    formats = {name.lower(): rules.format for name, rules in contract.items()}
    shown = final_names(rows.names, coming)
    later = {one.lower() for step in coming for one in assigns(step, rows, cleaning=True)}
    wanted: dict[str, tuple[str, str | None]] = {}
    for name in rows.names:
        low = shown[name].lower()
        if low not in types or low in done or name.lower() in later or low in later:
            continue
        done.add(low)
        format = formats[low] if not same_type(rows.types[name], types[low]) else None
        wanted[name] = (types[low], format)
    if wanted:
        rows.cast(wanted, shown)


def _arrange(rows: Rows, types: Mapping[str, str], contract: Mapping[str, Column], missing: str) -> None:
    order, problems = [], []
    for name in contract:
        found = rows.find(name)
        if found is None and missing == "null":
            kind = types.get(name.lower(), "VARCHAR")
            rows.put(name, exp.cast(exp.Null(), kind, dialect="duckdb"), kind)
            found = name
        elif found is not None and found != name:
            rows.rename({found: name})
            found = name
        if found is None:
            text = f"the steps do not produce the column {name!r} of the contract{nearest(name, rows.names)}"
            problems.append(
                Problem("LW306", text, Where(rows.path), remedy=f"they produce {', '.join(rows.names[:20])}")
            )
        else:
            order.append(found)
    if problems:
        raise ProjectError(problems)
    rows.keep([*order, *(one for one in rows.names if one not in order)])
