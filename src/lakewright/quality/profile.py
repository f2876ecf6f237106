"""Profile a table in two statements: what is in each column, whatever its type."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakewright.quality.profile_model import Bin, ColumnProfile, Group, Profile, Value
from lakewright.sql.checks_columns import sql_type
from lakewright.sql.names import identifier

if TYPE_CHECKING:
    import duckdb

__all__ = ["SAMPLE", "profile"]

#: Tables with more rows than this have their quantiles, top values and histograms taken from about this many.
SAMPLE = 250_000

_BINS = 20
_TOP = 10
#: Longer texts are cut for the list of top values: a profile is for reading.
_SHOWN = 200
_QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")

_D = exp.DType
_TIMES = {_D.DATE, _D.TIMESTAMP, _D.TIMESTAMPTZ, _D.TIMESTAMPNTZ, _D.TIMESTAMP_S, _D.TIMESTAMP_MS, _D.TIMESTAMP_NS,
          _D.DATETIME}  # fmt: skip
_NUMBERS = set(exp.DataType.NUMERIC_TYPES) - {_D.BIT} | {_D.BIGNUM}
_TEXTS = set(exp.DataType.TEXT_TYPES) | {_D.ENUM, _D.JSON, _D.UUID}
_NESTED = {_D.STRUCT, _D.MAP, _D.UNION, _D.OBJECT}
_BINARY = {_D.VARBINARY, _D.BINARY, _D.BLOB}
_FLOATS = {_D.FLOAT, _D.DOUBLE}
_WHOLE = set(exp.DataType.INTEGER_TYPES)
_GROUPS: dict[Group, set[exp.DType]] = {
    "number": _NUMBERS,
    "time": _TIMES,
    "text": _TEXTS,
    "boolean": {_D.BOOLEAN},
    "list": {_D.ARRAY, _D.LIST},
    "nested": _NESTED,
    "binary": _BINARY,
}
# Statements grow faster in cost than in columns.
_AT_ONCE = 40


@dataclass
class _Column:
    """A column while it is profiled: how it is spelled in the statements, and the figures found so far.

    The statements select from a projection that holds, for column *i*, its value as ``v<i>``, without
    not-a-number and infinities as ``f<i>``, that as a DOUBLE (times as epoch seconds) as ``n<i>``, what is
    counted among the most frequent as ``t<i>`` and the length as ``l<i>``. FILTER on every
    aggregate instead costs three times as much.
    """

    index: int
    name: str
    type: str
    group: Group
    floats: bool = False
    whole: bool = False
    private: bool = False
    found: dict[str, Any] = field(default_factory=dict)

    def projected(self) -> str:
        """Return the column's part of the projection."""
        value = identifier(self.name).sql(dialect="duckdb")
        text = value if self.type.upper() == "VARCHAR" else f"CAST({value} AS VARCHAR)"
        parts = {"v": f"CAST({value} AS VARCHAR)" if self.group == "other" else value}
        if self.group in ("number", "time"):
            odd = self.floats or self.group == "time"
            parts["f"] = f"CASE WHEN isfinite({value}) THEN {value} END" if odd else value
            # nanoseconds have no epoch() of their own
            plain = f"CAST({parts['f']} AS TIMESTAMP)" if self.type.upper() == "TIMESTAMP_NS" else parts["f"]
            parts["n"] = f"epoch({plain})" if self.group == "time" else f"CAST({parts['f']} AS DOUBLE)"
        if self.tops:
            parts["t"] = value if self.native else f"left({text}, {_SHOWN})"
        if self.group == "text":
            parts["l"] = f"length({text})"
        elif self.group == "binary":
            parts["l"] = f"octet_length({value})"
        elif self.group == "list":
            parts["l"] = f"len({value})"
        return ", ".join(f"{spelled} AS {letter}{self.index}" for letter, spelled in parts.items())

    @property
    def tops(self) -> bool:
        """Whether its most frequent values say something."""
        return not self.private and self.group in ("number", "time", "boolean", "text", "other")

    @property
    def native(self) -> bool:
        """Whether frequent values are counted in the column's own type, not as text."""
        return self.group in ("number", "time", "boolean") and not self.floats


def profile(
    cursor: duckdb.DuckDBPyConnection,
    relation: exp.Expr,
    columns: Mapping[str, str],
    *,
    sample: int | None = SAMPLE,
    private: Collection[str] = (),
) -> Profile:
    """Return the profile of *relation* (a table or subquery) for *columns*, name → DuckDB type.

    Two statements: the first finds extremes and candidates, the second counts within them; wide
    tables take two for every 40 columns. With *sample*, larger tables have their quantiles, top
    values and histograms taken from about that many rows. Of the columns in *private* only counts and
    lengths are taken, no values.
    """
    source = relation.sql(dialect="duckdb", comments=False)
    rows = int(_one(cursor, f"SELECT count(*) FROM {source}")[0])
    hidden = {name.lower() for name in private}
    made = [
        _column(index, name, kind, name.lower() in hidden)
        for index, (name, kind) in enumerate(columns.items())
    ]
    if not rows or not made:
        return Profile(rows, rows, tuple(_empty(one, rows) for one in made))
    part = source
    if sample is not None and rows > sample:
        share = min(100.0, 100 * sample / rows)
        part = f"(SELECT * FROM {source}) TABLESAMPLE bernoulli({share:.6f} PERCENT) REPEATABLE (1)"
    sampled = rows
    for start in range(0, len(made), _AT_ONCE):
        some = made[start : start + _AT_ONCE]
        sampled = _fill(cursor, some, source, part)
    return Profile(rows, sampled, tuple(_profiled(one, rows) for one in made))


def _fill(cursor: duckdb.DuckDBPyConnection, columns: list[_Column], source: str, part: str) -> int:
    """Ask for the figures of *columns*; return how many rows the sample *part* had."""
    projection = ", ".join(one.projected() for one in columns)
    all_rows, some_rows = (f"(SELECT {projection} FROM {relation})" for relation in (source, part))
    whole, sampled, counts = _Aggregates(), _Aggregates(), _Aggregates()
    for one in columns:
        _ask_extremes(one, whole, sampled)
    if source == part:
        whole.asked += sampled.asked
        sampled.asked = []
    _run(cursor, [(whole, all_rows), (sampled, some_rows)])
    own: dict[str, Any] = {}
    counts.add(own, "rows", "count(*)")
    for one in columns:
        _ask_counts(one, counts)
    _run(cursor, [(counts, some_rows)])
    return int(own["rows"])


class _Aggregates:
    """Aggregates to ask for, each with the place and the name under which its answer is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, Any], str, str]] = []

    def add(self, found: dict[str, Any], name: str, aggregate: str) -> None:
        self.asked.append((found, name, aggregate))


def _run(cursor: duckdb.DuckDBPyConnection, parts: list[tuple[_Aggregates, str]]) -> None:
    """Run *parts*, each over its relation, as one statement of one row, and hand the answers out."""
    asked = [one for aggregates, _ in parts for one in aggregates.asked]
    selects = [
        f"(SELECT {', '.join(aggregate for *_, aggregate in aggregates.asked)} FROM {relation})"
        for aggregates, relation in parts
        if aggregates.asked
    ]
    values = _one(cursor, f"SELECT * FROM {' CROSS JOIN '.join(selects)}")
    for (found, name, _), value in zip(asked, values, strict=True):
        found[name] = value


def _one(cursor: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    row = cursor.execute(statement).fetchone()
    return tuple(row) if row is not None else ()


def _column(index: int, name: str, text: str, private: bool) -> _Column:
    kind = sql_type(text)
    made = _Column(index, name, text, "other", private=private)
    if kind is not None:
        made.floats, made.whole = kind.this in _FLOATS, kind.this in _WHOLE
        made.group = next((group for group, types in _GROUPS.items() if kind.this in types), "other")
    return made


def _ask_extremes(one: _Column, whole: _Aggregates, sampled: _Aggregates) -> None:
    i, found = one.index, one.found
    whole.add(found, "values", f"count(v{i})")
    whole.add(found, "distinct", f"approx_count_distinct(v{i})")
    if one.private:
        pass
    elif one.group in ("number", "time"):
        whole.add(found, "minimum", f"CAST(min(f{i}) AS VARCHAR)")
        whole.add(found, "maximum", f"CAST(max(f{i}) AS VARCHAR)")
        whole.add(found, "low", f"min(n{i})")
        whole.add(found, "high", f"max(n{i})")
        sampled.add(found, "quantiles", f"approx_quantile(n{i}, [{', '.join(_QUANTILES)}])")
        if one.group == "number":
            whole.add(found, "mean", f"avg(n{i})")
        if one.floats:
            whole.add(found, "not_a_number", f"count_if(isnan(v{i}))")
        if one.floats or one.group == "time":
            whole.add(found, "finite", f"count(f{i})")
    elif one.group in ("text", "other"):
        whole.add(found, "minimum", f"min(t{i})")
        whole.add(found, "maximum", f"max(t{i})")
    if one.tops:
        sampled.add(found, "candidates", f"CAST(approx_top_k(t{i}, {_TOP}) AS VARCHAR[])")
    if one.group in ("text", "binary", "list"):
        whole.add(found, "shortest", f"min(l{i})")
        whole.add(found, "longest", f"max(l{i})")
        whole.add(found, "mean_length", f"avg(l{i})")
        whole.add(found, "empty", f"count_if(l{i} = 0)")


def _ask_counts(one: _Column, counts: _Aggregates) -> None:
    i, found = one.index, one.found
    candidates = [value for value in found.get("candidates") or () if value is not None]
    # where nearly every value occurs once, the most frequent ones are ten at random
    if candidates and (found["values"] <= 100 or found["distinct"] <= 0.5 * found["values"]):
        kind = one.type if one.native else "VARCHAR"
        spelled = ", ".join(
            f"CAST({exp.Literal.string(value).sql(dialect='duckdb')} AS {kind})" for value in candidates
        )
        # others would be counted under a value of the type, such as the empty text or infinity
        counted = f"histogram_exact(t{i}, [{spelled}]) FILTER (WHERE t{i} IN ({spelled}))"
        counts.add(found, "top_values", f"CAST(map_keys({counted}) AS VARCHAR[])")
        counts.add(found, "top_counts", f"map_values({counted})")
    low, high = found.get("low"), found.get("high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return
    found["edges"] = _edges(one, low, high)
    # as text: a plain literal would go through DECIMAL and come out another number
    bounds = ", ".join(f"'{edge!r}'::DOUBLE" for edge in found["edges"][1:])
    counts.add(found, "histogram", f"histogram(n{i}, [{bounds}])")
    if one.group == "number":
        # squares of large values overflow, shares of the largest never do
        scale = max(abs(low), abs(high)) or 1.0
        found["scale"] = scale
        counts.add(found, "deviation", f"stddev_samp(n{i} / '{scale!r}'::DOUBLE)")


def _edges(one: _Column, low: float, high: float) -> list[float]:
    """Return the edges of the histogram's bins: whole steps for whole numbers and days."""
    step_of = 86400.0 if one.type.upper() == "DATE" else 1.0 if one.whole else 0.0
    if low == high:
        return [low - (step_of or abs(low) * 0.5 or 0.5), high]
    # halves first: the difference of the extremes may not fit
    width = high / _BINS - low / _BINS
    if step_of:
        width = max(step_of, math.ceil(width / step_of) * step_of)
        # a bin holds what is above its lower edge, so the first one starts a step below
        start = low - step_of
        edges = [start + width * place for place in range(_BINS + 1)]
        last = next(place for place, edge in enumerate(edges) if edge >= high or place == _BINS)
        edges = edges[: last + 1]
        edges[-1] = max(edges[-1], high)
    else:
        shares = [place / _BINS for place in range(_BINS)]
        edges = [low * (1 - share) + high * share for share in shares] + [high]
    return [edge for place, edge in enumerate(edges) if place == 0 or edge > edges[place - 1]]


def _profiled(one: _Column, rows: int) -> ColumnProfile:
    found = one.found
    values = int(found["values"])
    nan = int(found.get("not_a_number") or 0)
    mean = found.get("mean")
    deviation = found.get("deviation")
    quantiles = found.get("quantiles") or ()
    return ColumnProfile(
        name=one.name,
        type=one.type,
        group=one.group,
        rows=rows,
        nulls=rows - values,
        distinct=min(int(found["distinct"]), values),
        minimum=found.get("minimum"),
        maximum=found.get("maximum"),
        mean=_finite(mean),
        deviation=_finite(deviation * found["scale"]) if deviation is not None else None,
        quantiles={
            f"{float(share) * 100:g}": float(value)
            for share, value in zip(_QUANTILES, quantiles, strict=False)
            if math.isfinite(value)
        },
        top=_top(found),
        histogram=_bins(found),
        shortest=found.get("shortest"),
        longest=found.get("longest"),
        mean_length=found.get("mean_length"),
        not_a_number=nan,
        infinite=values - int(found["finite"]) - nan if "finite" in found else 0,
        empty=int(found.get("empty") or 0),
    )


def _top(found: Mapping[str, Any]) -> tuple[Value, ...]:
    counted = zip(found.get("top_values") or (), found.get("top_counts") or (), strict=True)
    ordered = sorted(counted, key=lambda one: (-one[1], one[0]))
    return tuple(Value(value, count) for value, count in ordered if count)


def _bins(found: Mapping[str, Any]) -> tuple[Bin, ...]:
    edges, counted = found.get("edges"), found.get("histogram")
    if not edges or not counted:
        return ()
    return tuple(Bin(low, high, int(counted.get(high, 0))) for low, high in pairwise(edges))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _empty(one: _Column, rows: int) -> ColumnProfile:
    return ColumnProfile(name=one.name, type=one.type, group=one.group, rows=rows, nulls=0, distinct=0)
