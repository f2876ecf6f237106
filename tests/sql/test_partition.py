"""Partitions as a project writes them."""

from __future__ import annotations

import pytest

from lakewright.errors import LakewrightError
from lakewright.sql.partition import Partition, parse_partition, partition_value


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("region", Partition("identity", "region")),
        ('"Order Date"', Partition("identity", "Order Date")),
        ("year(order_date)", Partition("year", "order_date")),
        ("MONTH( order_date )", Partition("month", "order_date")),
        ("day(d)", Partition("day", "d")),
        ("hour(at)", Partition("hour", "at")),
        ("bucket(4, id)", Partition("bucket", "id", 4)),
        ('bucket(16, "Customer ID")', Partition("bucket", "Customer ID", 16)),
    ],
)
def test_what_a_project_writes(text: str, part: Partition) -> None:
    assert parse_partition(text) == part


@pytest.mark.parametrize(
    "text", ["", "week(d)", "bucket(id, 4)", "bucket(0, id)", "a.b", "a b", "year(d + 1)", "*", "year(", "1", "a; drop table b"]
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(LakewrightError, match="LW314"):
        parse_partition(text)


def test_values_count_with_their_year() -> None:
    value = partition_value(parse_partition("month(d)"), "t")
    assert value is not None
    assert value.sql("duckdb") == 'DATE_TRUNC(\'MONTH\', "t"."d")'
    assert partition_value(parse_partition("bucket(4, id)")) is None
