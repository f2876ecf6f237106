"""One sentence for every key of an expectation."""

from __future__ import annotations

from lakewright.spec.expectations import (
    Across,
    ColumnCount,
    ColumnSet,
    ColumnType,
    Combinations,
    Compare,
    Completeness,
    Condition,
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
    Suite,
    Unique,
    Values,
)

__all__ = ["EXPECTATIONS"]

_WHERE = "SQL condition: only rows for which it is true are judged."
_IGNORE = "Which rows with nulls are left out: those where `all` values are null, those where `any` is, or none (`never`)."
_MOSTLY = "Share that must be good, from 0 to 1; the dataset is judged, not the row."
_AT_MOST = "Bad rows that are allowed; the dataset is judged, not the row."
_SEVERITY = "What breaking it means, instead of `on_violation`."

#: Sentences by Struct and key.
EXPECTATIONS: dict[type, dict[str, str]] = {
    Expectation: {
        "severity": _SEVERITY,
        "label": "Name of the check in reports.",
    },
    RowCount: {"min": "Fewest rows.", "max": "Most rows.", "where": _WHERE},
    Fresh: {"column": "Date or time column.", "within": "How old its newest value may be."},
    References: {"columns": "Column → `zone.dataset.column` that must have its values."},
    Unique: {
        "columns": "Columns whose combination occurs once.",
        "mostly": _MOSTLY,
        "at_most": _AT_MOST,
        "ignore": _IGNORE,
        "where": _WHERE,
    },
    Completeness: {"columns": "Column → least share of values that are not null, from 0 to 1."},
    Condition: {
        "sql": "SQL condition on a row.",
        "mostly": "Share of rows that must meet it, from 0 to 1; the dataset is judged, not the row.",
        "where": _WHERE,
    },
    Values: {
        "column": "Column whose values are judged.",
        "present": "`true`: every row has a value; `false`: none has.",
        "missing": "Values that stand for null, such as `n/a`.",
        "in": "The only values allowed.",
        "not_in": "Values that are not allowed.",
        "min": "Least value allowed.",
        "max": "Greatest value allowed.",
        "above": "Values are greater than this.",
        "below": "Values are less than this.",
        "multiple_of": "Values are multiples of this.",
        "min_length": "Fewest characters, or elements of a list.",
        "max_length": "Most characters, or elements of a list.",
        "patterns": "Regular expressions that are found in the value.",
        "not_patterns": "Regular expressions that are not found in the value.",
        "like": "SQL patterns with `%` and `_` that the whole value is like.",
        "not_like": "SQL patterns that the value is not like.",
        "match": "Whether all `patterns` or `like` must match, or any of them.",
        "date_format": "Text is a date in this strptime format.",
        "json": "Text is valid JSON.",
        "distinct_items": "No item of a list occurs twice.",
        "mostly": _MOSTLY,
        "strictly": "Whether the share must be more than `mostly`, not just as much.",
        "at_most": _AT_MOST,
        "of": "What `mostly` is a share of: the values that are there, or all rows.",
        "where": _WHERE,
    },
    Compare: {
        "column": "Left column.",
        "is": "How the left column relates to the right one.",
        "other": "Right column.",
        "ignore": _IGNORE,
        "mostly": _MOSTLY,
        "where": _WHERE,
    },
    Across: {
        "columns": "Columns of one row.",
        "are": "What their values are: all different, all equal, or with the sum `total`.",
        "total": "What they add up to.",
        "ignore": _IGNORE,
        "mostly": _MOSTLY,
        "where": _WHERE,
    },
    Combinations: {
        "columns": "Columns whose values go together.",
        "in": "The only combinations allowed, each with a value per column.",
        "ignore": _IGNORE,
        "mostly": _MOSTLY,
        "where": _WHERE,
    },
    Measure: {
        "column": "Column that is measured.",
        "of": "The figure.",
        "at": "Which quantile, from 0 to 1.",
        "min": "Least value allowed.",
        "max": "Greatest value allowed.",
        "above": "It is greater than this.",
        "below": "It is less than this.",
        "where": _WHERE,
    },
    Query: {
        "sql": "SELECT that gives one number.",
        "min": "Least value allowed.",
        "max": "Greatest value allowed.",
        "above": "It is greater than this.",
        "below": "It is less than this.",
        "name_of_this": "Name that stands for the judged rows in the query.",
    },
    DistinctValues: {
        "column": "Column whose values are judged as a set.",
        "in": "The only values that may occur.",
        "contain": "Values that must occur.",
        "where": _WHERE,
    },
    MostCommon: {
        "column": "Column whose most frequent value is judged.",
        "in": "What the most frequent value may be.",
        "ties": "Whether one of several most frequent values is enough.",
        "where": _WHERE,
    },
    Outliers: {
        "column": "Column of numbers.",
        "deviations": "Standard deviations that values stay within.",
        "both_sides": "Whether values below the mean count too.",
        "mostly": _MOSTLY,
        "where": _WHERE,
    },
    ColumnType: {"column": "Column whose type is judged.", "types": "SQL types, one of which it has."},
    ColumnCount: {
        "min": "Fewest columns.",
        "max": "Most columns.",
        "of": "Whether the columns of the input are meant, or those after the steps.",
    },
    Suite: {"file": "Great Expectations suite (JSON), beside this file or in the project's folder."},
    Statistic: {
        "sql": "SQL aggregate over all rows.",
        "min": "Least value allowed.",
        "max": "Greatest value allowed.",
    },
    DistinctCount: {
        "column": "Column whose different values are counted.",
        "min": "Fewest values.",
        "max": "Most values.",
    },
    ColumnSet: {
        "names": "Columns that the input must have.",
        "exact": "Whether further columns are refused.",
        "ordered": "Whether the order counts.",
        "position": "Place of the first of them among the columns, from 1.",
        "of": "Whether the columns of the input are meant, or those after the steps.",
    },
}
