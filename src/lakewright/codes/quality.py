"""Codes of quality: 5xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
    "LW501": Code(
        "rule does not fit the column",
        "A rule of a column or an expectation has a value that the column's type cannot be compared with.",
        "write a value of the column's type; dates and times are ISO text such as '2024-12-31'",
    ),
    "LW502": Code(
        "check of an unknown column",
        "A rule or expectation names a column that the dataset does not have.",
        "correct the name, or add the column to the steps or the query",
    ),
    "LW503": Code(
        "condition or statistic not usable",
        "The SQL of a condition must be one expression over the columns of a row, that of a statistic one aggregate.",
        "write one expression, without alias, FROM or WHERE",
    ),
    "LW504": Code(
        "pattern not valid",
        "A pattern is not a regular expression of RE2, which runs in linear time and so has no look-around "
        "or back references.",
        "rewrite the pattern; syntax: https://github.com/google/re2/wiki/Syntax",
    ),
    "LW505": Code(
        "quality gate refused the dataset",
        "Too many rows break checks, or a check that stops the dataset failed; nothing was published.",
        "read the run's report, then correct the source, the steps or the check",
    ),
    "LW506": Code(
        "reference not understood",
        "A reference says which column of which dataset holds the values: zone.dataset.column.",
        "write it like processed.customers.customer_id",
    ),
}
