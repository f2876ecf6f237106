"""Judge one dataset on its own: keys, write mode, limits, and the columns that its settings name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakewright.errors import nearest
from lakewright.project import columns as cols
from lakewright.project.dated import compact_problems
from lakewright.project.functions import step_problem
from lakewright.project.limits import limit_problems
from lakewright.project.locate import Key
from lakewright.project.rules import partition_column
from lakewright.spec.dataset import Dataset, DatasetFile
from lakewright.spec.expectations import (
    Across,
    ColumnCount,
    ColumnSet,
    ColumnType,
    Combinations,
    Compare,
    Completeness,
    DistinctCount,
    DistinctValues,
    Expectation,
    Fresh,
    Measure,
    MostCommon,
    Outliers,
    Query,
    References,
    RowCount,
    Statistic,
    Unique,
    Values,
)
from lakewright.spec.project import Project
from lakewright.spec.steps import PythonStep

__all__ = ["Found", "known_columns", "named_columns", "problems"]

#: Columns that `mode: scd2` adds.
SCD2_COLUMNS = ("valid_from", "valid_to", "is_current")


@dataclass(frozen=True, slots=True)
class Found:
    """A problem at a place of the dataset's YAML."""

    code: str
    message: str
    keys: tuple[Key, ...] = ()
    remedy: str = ""


def known_columns(dataset: Dataset) -> dict[str, str] | None:
    """The columns of *dataset* (lower case → as written) when its files alone tell them, else None."""
    if dataset.sql is not None or dataset.python is not None:
        return None
    result = cols.after_steps(dataset.file)
    if result.names is None:
        return None
    names = dict(result.names)
    if dataset.file.write.mode == "scd2":
        names.update({one: one for one in SCD2_COLUMNS})
    if dataset.surrogate_key is not None:
        names.update({dataset.surrogate_key.lower(): dataset.surrogate_key, "is_inferred": "is_inferred"})
    if dataset.file.fact is not None:
        names.update({one.lower(): one for one in dataset.file.fact.dimensions})
    return names


def problems(dataset: Dataset, project: Project) -> Iterator[Found]:
    """Everything that is wrong with *dataset* in itself."""
    file = dataset.file
    yield from _columns(file)
    yield from _write(file, _write_keys(file))
    yield from _expectations(file)
    if dataset.sql is None and dataset.python is None:
        yield from _steps(file)
    for index, step in enumerate(file.steps):
        if isinstance(step, PythonStep):
            message, remedy = step_problem(Path(project.root), step.function)
            if message:
                yield Found("LW124", message, ("steps", index, "python"), remedy)


def _write_keys(file: DatasetFile) -> tuple[str, ...]:
    return file.write.keys or tuple(name for name, column in file.columns.items() if column.key)


# --- the contract -------------------------------------------------------------------------------


def _columns(file: DatasetFile) -> Iterator[Found]:
    seen: dict[str, str] = {}
    for name, column in file.columns.items():
        keys = ("columns", name)
        other = seen.setdefault(name.lower(), name)
        if other != name:
            yield Found("LW123", f"the columns {other!r} and {name!r} differ in case only", keys)
        if file.write.mode == "scd2" and name.lower() in SCD2_COLUMNS:
            yield Found("LW123", f"mode scd2 adds the column {name!r} itself", keys)
        for code, message, key in limit_problems(column):
            yield Found(code, f"columns.{name}: {message}", (*keys, key))


def _deletes(file: DatasetFile, keys: tuple[str, ...]) -> Iterator[Found]:
    """Rows can be deleted by key where rows are merged by key, and where nothing refers to them by number."""
    place = ("write", "delete_when")
    if file.write.mode not in ("merge", None) or not keys:
        yield Found("LW127", "`delete_when` is for mode merge", place, "set `write.mode: merge`")
    if file.dimension is not None or file.fact is not None:
        yield Found(
            "LW127",
            "`delete_when` is not for dimensions and facts: what refers to a row would be lost",
            place,
        )


# --- writing ------------------------------------------------------------------------------------


def _write(file: DatasetFile, keys: tuple[str, ...]) -> Iterator[Found]:
    write, mode = file.write, file.write.mode
    if mode in ("merge", "scd2") and not keys:
        yield Found(
            "LW127",
            f"mode {mode} needs to know which rows are the same",
            ("write", "mode"),
            "mark the key columns with `key: true`, or list them under `write.keys`",
        )
    marked = {name.lower() for name, column in file.columns.items() if column.key}
    if mode in ("merge", "scd2") and write.keys and marked and {one.lower() for one in write.keys} != marked:
        listed = ", ".join(write.keys)
        message = f"`write.keys` are {listed}, but `key: true` marks {', '.join(sorted(marked))}"
        yield Found("LW127", message, ("write", "keys"), "say it once: remove one of the two")
    changed = write.scd2.changed_at
    if mode != "scd2" and (changed or write.scd2.track or write.scd2.detect_deletes):
        yield Found("LW127", "`write.scd2` is for mode scd2", ("write", "scd2"), "set `write.mode: scd2`")
    if mode == "scd2":
        lower = {one.lower() for one in keys}
        for name in write.scd2.track:
            if name.lower() in lower:
                yield Found(
                    "LW127", f"{name!r} is a key; keys do not change", ("write", "scd2", "track", name)
                )
            if changed and name.lower() == changed.lower():
                message = f"{name!r} is the time of the change; every row would be one"
                yield Found("LW127", message, ("write", "scd2", "track", name))
        if changed and changed.lower() in lower:
            message = f"{changed!r} is a key; the time of a change tells versions of one key apart"
            yield Found("LW127", message, ("write", "scd2", "changed_at"))
    if write.delete_when is not None:
        yield from _deletes(file, keys)
    for message, place in compact_problems(file):
        yield Found("LW127", message, place)
    for field in ("keys", "partition_by", "sort_by"):
        yield from _twice(getattr(write, field), ("write", field))
    yield from _twice(write.scd2.track, ("write", "scd2", "track"))
    yield from _twice(file.depends_on, ("depends_on",))
    incremental = file.incremental
    if incremental.lookback and not incremental.column:
        message = "`lookback` goes back from a cursor column's last value"
        yield Found("LW127", message, ("incremental", "lookback"), "add `incremental.column`")
    if incremental.column and not incremental.enabled:
        message = "`enabled: false` reads everything, so no cursor column is used"
        yield Found("LW127", message, ("incremental", "column"))
    elif incremental.column and mode == "replace":
        message = "mode replace rebuilds the whole table, so no cursor column is used"
        yield Found("LW127", message, ("incremental", "column"))


def _twice(names: Sequence[str], keys: tuple[Key, ...]) -> Iterator[Found]:
    seen = set()
    for index, name in enumerate(names):
        if name.lower() in seen:
            yield Found("LW127", f"{name!r} is listed twice under {keys[-1]}", (*keys, index))
        seen.add(name.lower())


# --- expectations -------------------------------------------------------------------------------


def _expectations(file: DatasetFile) -> Iterator[Found]:
    for index, one in enumerate(file.expect):
        keys = ("expect", index, one.name)
        if isinstance(one, RowCount | DistinctCount | Statistic | ColumnCount):
            if one.min is None and one.max is None:
                message = f"{one.name} without `min` and `max` checks nothing"
                yield Found("LW129", message, keys, "add one of the two")
            elif one.min is not None and one.max is not None and one.min > one.max:
                yield Found("LW129", f"{one.name}: min {one.min} lies above max {one.max}", (*keys, "min"))
        if isinstance(one, Measure | Query | Values):
            yield from _bounds(one, keys)
        if isinstance(one, Unique | Values) and one.mostly is not None and one.at_most is not None:
            message = f"{one.name}: `mostly` and `at_most` both say how much may be broken"
            yield Found("LW127", message, (*keys, "at_most"), "remove one of the two")
        if isinstance(one, Unique | ColumnSet):
            names = one.columns if isinstance(one, Unique) else one.names
            if len({name.lower() for name in names}) < len(names):
                yield Found("LW127", f"{one.name} lists a column twice", keys)


def _bounds(one: Measure | Query | Values, keys: tuple[Key, ...]) -> Iterator[Found]:
    if not isinstance(one, Values) and all(
        bound is None for bound in (one.min, one.max, one.above, one.below)
    ):
        message = f"{one.name} without `min`, `max`, `above` and `below` checks nothing"
        yield Found("LW129", message, keys, "add one of them")
    for inclusive, exclusive in (("min", "above"), ("max", "below")):
        if getattr(one, inclusive) is not None and getattr(one, exclusive) is not None:
            message = f"{one.name}: `{inclusive}` and `{exclusive}` bound the same side"
            yield Found("LW127", message, (*keys, exclusive), "remove one of the two")


def named_columns(one: Expectation) -> tuple[str, ...]:
    """The columns of the dataset that an expectation names outside SQL."""
    match one:
        case (
            Fresh()
            | DistinctCount()
            | Values()
            | Measure()
            | DistinctValues()
            | MostCommon()
            | Outliers()
            | ColumnType()
        ):
            return (one.column,)
        case Compare():
            return (one.column, one.other)
        case References() | Completeness():
            return tuple(one.columns)
        case Unique() | Across() | Combinations():
            return one.columns
        case _:
            # The columns expectation is about the input; conditions and statistics are SQL.
            return ()


# --- columns that settings name -----------------------------------------------------------------


def _steps(file: DatasetFile) -> Iterator[Found]:
    """Columns that steps, contract and settings name but that cannot be there any more, or never were."""
    after = cols.after_steps(file)
    for wrong in after.wrong:
        yield Found("LW128", wrong.message, ("steps", wrong.step, *wrong.keys))
    for name in file.columns:
        yield from _there(name, after, ("columns", name))
    for key, place in _settings(file):
        yield from _there(key, after, place)


def _settings(file: DatasetFile) -> Iterator[tuple[str, tuple[Key, ...]]]:
    write = file.write
    for name in write.keys:
        yield name, ("write", "keys", name)
    for text in write.partition_by:
        column = partition_column(text)
        if column is not None:
            yield column, ("write", "partition_by", text)
    for text in write.sort_by:
        yield text.split()[0].strip('"') if text.strip() else text, ("write", "sort_by", text)
    if write.scd2.changed_at:
        yield write.scd2.changed_at, ("write", "scd2", "changed_at")
    for name in write.scd2.track:
        yield name, ("write", "scd2", "track", name)
    if file.age_by and file.write.mode != "scd2":
        yield file.age_by, ("age_by",)
    for index, one in enumerate(file.expect):
        for name in named_columns(one):
            yield name, ("expect", index, one.name, name)


def _there(name: str, after: cols.Columns, keys: tuple[Key, ...]) -> Iterator[Found]:
    if name.startswith("_"):
        return  # audit columns
    gone = after.gone.get(name.lower())
    if gone is not None:
        yield Found("LW128", f"the column {name!r} is no longer there: {gone}", keys)
    elif after.names is not None and name.lower() not in after.names:
        message = f"the steps produce no column {name!r}{nearest(name, after.names.values())}"
        known = ", ".join(list(after.names.values())[:12])
        yield Found("LW128", message, keys, f"use one of: {known}")
