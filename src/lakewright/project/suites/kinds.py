"""Which expectation of ours each expectation type of Great Expectations is, with the same verdicts.

Sources: the expectation gallery and the expectations' own implementations in versions 0.18 and 1.x.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from lakewright.project.sqltypes import type_problem
from lakewright.project.suites.arguments import Arguments, NotSupported
from lakewright.spec.expectations import (
    Across,
    ColumnCount,
    ColumnSet,
    ColumnType,
    Combinations,
    Compare,
    DistinctValues,
    Expectation,
    Measure,
    MostCommon,
    Outliers,
    Query,
    RowCount,
    Unique,
    Values,
)

__all__ = ["NEVER", "SUPPORTED", "expectations_of"]

Made = Expectation | tuple[Expectation, ...]


def expectations_of(kind: str, arguments: Arguments) -> tuple[Expectation, ...]:
    """Return what the expectation type *kind* with *arguments* is here; raises NotSupported."""
    if kind in NEVER:
        raise NotSupported(NEVER[kind])
    maker = SUPPORTED.get(kind)
    if maker is None:
        raise NotSupported("this type is not known")
    made = maker(arguments)
    if arguments.unread:
        raise NotSupported(f"the arguments {', '.join(sorted(arguments.unread))}")
    return made if isinstance(made, tuple) else (made,)


# --- one column, row by row ----------------------------------------------------------------------


def _values(make: Callable[[Arguments], dict[str, Any]]) -> Callable[[Arguments], Made]:
    def maker(a: Arguments) -> Made:
        return Values(column=a.text("column"), mostly=a.mostly(), where=a.where(), **make(a))

    return maker


def _lengths(a: Arguments) -> dict[str, Any]:
    return {f"{key}_length": max(value, 0) for key, value in a.whole_bounds().items()}


def _length(a: Arguments) -> dict[str, Any]:
    value = a.number("value")
    if value is None or value != int(value) or value < 0:
        raise NotSupported(f"the length {value!r}")
    return {"min_length": int(value), "max_length": int(value)}


def _match_on(a: Arguments) -> str:
    return a.choice("match_on", "any", ("any", "all"))


def _like(key: str, of: str) -> Callable[[Arguments], dict[str, Any]]:
    def make(a: Arguments) -> dict[str, Any]:
        found = a.texts(key) if key.endswith("list") else (a.text(key),)
        if any("\\" in one for one in found) or a.get("escape", str) is not None:
            raise NotSupported("a like pattern with an escape")
        match = {"match": _match_on(a)} if key.endswith("list") and of == "like" else {}
        return {of: found, **match}

    return make


def _format(a: Arguments) -> dict[str, Any]:
    text = a.text("strftime_format")
    if "%" not in text:
        raise NotSupported(f"the format {text!r}")
    return {"date_format": text}


# --- several columns of a row --------------------------------------------------------------------


def _greater(a: Arguments) -> Made:
    return Compare(
        column=a.text("column_A"), is_=">=" if a.get("or_equal", bool, False) else ">", other=a.text("column_B"),
        ignore=a.ignore("both_values_are_missing"), mostly=a.mostly(), where=a.where(),
    )  # fmt: skip


def _equal(a: Arguments) -> Made:
    return Compare(
        column=a.text("column_A"), is_="=", other=a.text("column_B"), ignore=a.ignore("both_values_are_missing"),
        mostly=a.mostly(), where=a.where(),
    )  # fmt: skip


def _pairs(a: Arguments) -> Made:
    pairs = a.get("value_pairs_set", list)
    if not pairs or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
        raise NotSupported("value_pairs_set is not a list of pairs")
    return Combinations(
        columns=(a.text("column_A"), a.text("column_B")), in_=tuple(tuple(one) for one in pairs),
        ignore=a.ignore("both_values_are_missing"), mostly=a.mostly(), where=a.where(),
    )  # fmt: skip


def _across(are: Any) -> Callable[[Arguments], Made]:
    def maker(a: Arguments) -> Made:
        total = a.number("sum_total") if are == "sum" else None
        if are == "sum" and total is None:
            raise NotSupported("sum_total is missing")
        return Across(
            columns=_columns(a, 2), are=are, total=total, ignore=a.ignore("all_values_are_missing"),
            mostly=a.mostly(), where=a.where(),
        )  # fmt: skip

    return maker


def _columns(a: Arguments, least: int = 1) -> tuple[str, ...]:
    found = a.texts("column_list")
    if len(found) < least:
        raise NotSupported(f"column_list has {len(found)} columns")
    return found


# --- all rows ------------------------------------------------------------------------------------


def _measure(of: Any) -> Callable[[Arguments], Made]:
    return lambda a: Measure(column=a.text("column"), of=of, where=a.where(), **a.bounds())


def _quantiles(a: Arguments) -> Made:
    given = a.get("quantile_ranges", dict, {})
    if a.get("allow_relative_error", (bool, str), False) not in (False, "nearest", "lower"):
        raise NotSupported("quantiles that are approximate or between two values")
    quantiles, ranges = given.get("quantiles"), given.get("value_ranges")
    if not quantiles or not isinstance(ranges, list) or len(quantiles) != len(ranges):
        raise NotSupported("quantile_ranges needs as many quantiles as value_ranges")
    column, where = a.text("column"), a.where()
    found = []
    for at, (low, high) in zip(quantiles, ranges, strict=True):
        if low is not None or high is not None:
            found.append(Measure(column=column, of="quantile", at=float(at), min=low, max=high, where=where))
    return tuple(found)


def _unique(a: Arguments) -> Made:
    return Unique(columns=(a.text("column"),), mostly=a.mostly(), where=a.where())


def _compound(a: Arguments) -> Made:
    return Unique(
        columns=_columns(a), ignore=a.ignore("all_values_are_missing"), mostly=a.mostly(), where=a.where()
    )


def _distinct(*, within: bool, contain: bool) -> Callable[[Arguments], Made]:
    def maker(a: Arguments) -> Made:
        values = a.values("value_set")
        return DistinctValues(
            column=a.text("column"), in_=values if within else None, contain=values if contain else None,
            where=a.where(),
        )  # fmt: skip

    return maker


def _most_common(a: Arguments) -> Made:
    return MostCommon(
        column=a.text("column"), in_=a.values("value_set"), ties=bool(a.get("ties_okay", bool, False)),
        where=a.where(),
    )  # fmt: skip


def _z_scores(a: Arguments) -> Made:
    threshold = a.number("threshold")
    if threshold is None or threshold < 0:
        raise NotSupported(f"the threshold {threshold!r}")
    sides = bool(a.get("double_sided", bool, True))
    return Outliers(
        column=a.text("column"),
        deviations=float(threshold),
        both_sides=sides,
        mostly=a.mostly(),
        where=a.where(),
    )


def _outliers(a: Arguments) -> Made:
    multiplier = a.number("multiplier")
    if a.choice("method", "iqr", ("iqr", "std")) == "iqr":
        raise NotSupported("outliers by quartiles (method iqr); method std is")
    if multiplier is None or multiplier <= 0:
        raise NotSupported(f"the multiplier {multiplier!r}")
    return Outliers(column=a.text("column"), deviations=float(multiplier), mostly=a.mostly(), where=a.where())


# --- types, columns, rows ------------------------------------------------------------------------

_TYPES: dict[str, tuple[str, ...]] = {
    "int": ("tinyint", "smallint", "integer", "bigint", "hugeint"),
    "int8": ("tinyint",), "int16": ("smallint",), "int32": ("integer",), "int64": ("bigint",),
    "Int8": ("tinyint",), "Int16": ("smallint",), "Int32": ("integer",), "Int64": ("bigint",),
    "uint8": ("utinyint",), "uint16": ("usmallint",), "uint32": ("uinteger",), "uint64": ("ubigint",),
    "float": ("float", "double"), "float32": ("float",), "float64": ("double",),
    "str": ("varchar",), "object": ("varchar",), "string": ("varchar",), "bool": ("boolean",), "bool_": ("boolean",),
    "datetime64": ("timestamp",), "datetime64[ns]": ("timestamp",), "datetime64[us]": ("timestamp",),
    "datetime64[ns, UTC]": ("timestamptz",), "datetime": ("timestamp",), "Timestamp": ("timestamp",),
    "Decimal": ("decimal",), "bytes": ("blob",),
    "StringType": ("varchar",), "ByteType": ("tinyint",), "ShortType": ("smallint",), "IntegerType": ("integer",),
    "LongType": ("bigint",), "FloatType": ("float",), "DoubleType": ("double",), "DecimalType": ("decimal",),
    "BooleanType": ("boolean",), "DateType": ("date",), "TimestampType": ("timestamp", "timestamptz"),
    "BinaryType": ("blob",),
    "INTEGER": ("integer",), "BIGINT": ("bigint",), "NUMERIC": ("decimal",), "DATETIME": ("timestamp",),
    "STRING": ("varchar",), "INT64": ("bigint",), "FLOAT64": ("double",), "BOOL": ("boolean",),
}  # fmt: skip


def _type(a: Arguments) -> Made:
    return _column_type(a, [a.text("type_")])


def _type_list(a: Arguments) -> Made:
    return _column_type(a, a.texts("type_list"))


def _column_type(a: Arguments, names: Iterable[str]) -> Made:
    a.mostly()
    if a.where() is not None:
        raise NotSupported("a row_condition on a type, which is the whole column's")
    found: list[str] = []
    for name in names:
        if name in _TYPES:
            found += _TYPES[name]
        elif not type_problem(name.split(".")[-1]):
            found.append(name.split(".")[-1].lower())
        else:
            raise NotSupported(f"the type {name!r}")
    return ColumnType(column=a.text("column"), types=tuple(dict.fromkeys(found)))


def _exists(a: Arguments) -> Made:
    index = a.get("column_index", int)
    return ColumnSet(names=(a.text("column"),), position=None if index is None else index + 1, of="output")


def _column_set(a: Arguments) -> Made:
    exact = a.get("exact_match", bool, True)
    return ColumnSet(names=a.texts("column_set"), exact=bool(exact), of="output")


def _ordered(a: Arguments) -> Made:
    return ColumnSet(names=a.texts("column_list"), exact=True, ordered=True, of="output")


def _exactly(a: Arguments) -> dict[str, Any]:
    value = a.number("value")
    if value is None or value != int(value) or value < 0:
        raise NotSupported(f"the number {value!r}")
    return {"min": int(value), "max": int(value)}


def _other_table(a: Arguments) -> Made:
    name = a.text("other_table_name")
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", name):
        raise NotSupported(f"the table {name!r}, which is no zone.name")
    if a.where() is not None:
        raise NotSupported("a row_condition on a comparison of tables")
    sql = f"SELECT (SELECT count(*) FROM this) - (SELECT count(*) FROM {name})"  # noqa: S608 - names checked above
    return Query(sql=sql, min=0, max=0, label=f"row_count.{name}")


def _unexpected_rows(a: Arguments) -> Made:
    query = a.text("unexpected_rows_query").strip().rstrip(";")
    if "{batch}" not in query:
        raise NotSupported("a query that does not read {batch}")
    if re.search(r"\{(?!batch\})\w+\}", query):
        raise NotSupported("a query with parameters")
    # the query is the project's own; it is parsed and held to one SELECT like every other
    return Query(sql=f"SELECT count(*) FROM ({query.replace('{batch}', 'this')})", max=0)  # noqa: S608


SUPPORTED: dict[str, Callable[[Arguments], Made]] = {
    "expect_column_values_to_not_be_null": _values(lambda _: {"present": True}),
    "expect_column_values_to_be_null": _values(lambda _: {"present": False}),
    "expect_column_values_to_be_in_set": _values(lambda a: {"in_": a.values("value_set")}),
    "expect_column_values_to_not_be_in_set": _values(lambda a: {"not_in": a.values("value_set")}),
    "expect_column_values_to_be_between": _values(lambda a: a.bounds()),
    "expect_column_value_lengths_to_be_between": _values(_lengths),
    "expect_column_value_lengths_to_equal": _values(_length),
    "expect_column_values_to_match_regex": _values(lambda a: {"patterns": a.patterns("regex")}),
    "expect_column_values_to_not_match_regex": _values(lambda a: {"not_patterns": a.patterns("regex")}),
    "expect_column_values_to_match_regex_list": _values(
        lambda a: {"patterns": a.patterns("regex_list"), "match": _match_on(a)}
    ),
    "expect_column_values_to_not_match_regex_list": _values(
        lambda a: {"not_patterns": a.patterns("regex_list")}
    ),
    "expect_column_values_to_match_like_pattern": _values(_like("like_pattern", "like")),
    "expect_column_values_to_not_match_like_pattern": _values(_like("like_pattern", "not_like")),
    "expect_column_values_to_match_like_pattern_list": _values(_like("like_pattern_list", "like")),
    "expect_column_values_to_not_match_like_pattern_list": _values(_like("like_pattern_list", "not_like")),
    "expect_column_values_to_match_strftime_format": _values(_format),
    "expect_column_values_to_be_json_parseable": _values(lambda _: {"json": True}),
    "expect_column_values_to_be_unique": _unique,
    "expect_column_value_z_scores_to_be_less_than": _z_scores,
    "expect_column_values_to_not_be_outliers": _outliers,
    "expect_column_values_to_be_of_type": _type,
    "expect_column_type_to_be": _type,
    "expect_column_values_to_be_in_type_list": _type_list,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _equal,
    "expect_column_pair_values_to_be_in_set": _pairs,
    "expect_compound_columns_to_be_unique": _compound,
    "expect_select_column_values_to_be_unique_within_record": _across("different"),
    "expect_multicolumn_values_to_be_unique": _across("different"),
    "expect_multicolumn_values_to_be_equal": _across("equal"),
    "expect_multicolumn_sum_to_equal": _across("sum"),
    "expect_column_max_to_be_between": _measure("max"),
    "expect_column_min_to_be_between": _measure("min"),
    "expect_column_mean_to_be_between": _measure("mean"),
    "expect_column_median_to_be_between": _measure("median"),
    "expect_column_stdev_to_be_between": _measure("stdev"),
    "expect_column_sum_to_be_between": _measure("sum"),
    "expect_column_quantile_values_to_be_between": _quantiles,
    "expect_column_unique_value_count_to_be_between": _measure("distinct"),
    "expect_column_proportion_of_unique_values_to_be_between": _measure("distinct_share"),
    "expect_column_proportion_of_non_null_values_to_be_between": _measure("filled_share"),
    "expect_column_distinct_values_to_be_in_set": _distinct(within=True, contain=False),
    "expect_column_distinct_values_to_contain_set": _distinct(within=False, contain=True),
    "expect_column_distinct_values_to_equal_set": _distinct(within=True, contain=True),
    "expect_column_most_common_value_to_be_in_set": _most_common,
    "expect_column_to_exist": _exists,
    "expect_table_columns_to_match_set": _column_set,
    "expect_table_columns_to_match_ordered_list": _ordered,
    "expect_table_column_count_to_equal": lambda a: ColumnCount(of="output", **_exactly(a)),
    "expect_table_column_count_to_be_between": lambda a: ColumnCount(of="output", **a.whole_bounds()),
    "expect_table_row_count_to_equal": lambda a: RowCount(where=a.where(), **_exactly(a)),
    "expect_table_row_count_to_be_between": lambda a: RowCount(where=a.where(), **a.whole_bounds()),
    "expect_table_row_count_to_equal_other_table": _other_table,
    "unexpected_rows_expectation": _unexpected_rows,
}

_NO_ORDER = "the rows of a table have no order"

#: Types that are known and have no counterpart, with the reason.
NEVER: dict[str, str] = {
    "expect_column_values_to_be_increasing": _NO_ORDER,
    "expect_column_values_to_be_decreasing": _NO_ORDER,
    "expect_column_values_to_be_dateutil_parseable": "what Python's dateutil reads as a date; date_format checks one format",
    "expect_column_values_to_match_json_schema": "JSON Schemas",
    "expect_column_kl_divergence_to_be_less_than": "the distance of two distributions",
    "expect_column_pair_cramers_phi_value_to_be_less_than": "the dependence of two columns",
    "expect_query_results_to_match_comparison": "the comparison of two data sources",
}
