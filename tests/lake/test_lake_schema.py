"""Types that a lake stores: whatever a query gives, a table can keep."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.errors import LakewrightError
from lakewright.lake import schema

SIMPLE = [
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL(10,2)", "DECIMAL(38,38)", "VARCHAR", "BLOB", "UUID", "JSON", "DATE",
    "TIME", "TIME WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_NS", "INTERVAL",
    "BIT", "ENUM('a', 'b c')", "BIGNUM", "UNION(a INTEGER, b VARCHAR)",
]  # fmt: skip

TYPES = st.recursive(
    st.sampled_from(SIMPLE),
    lambda inner: st.one_of(
        inner.map(lambda kind: f"{kind}[]"),
        inner.map(lambda kind: f"{kind}[3]"),
        st.tuples(inner, inner).map(lambda pair: f'STRUCT(a {pair[0]}, "b ""c" {pair[1]})'),
        inner.map(lambda kind: f"MAP(VARCHAR, {kind})"),
    ),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "replacements", [schema.DUCKLAKE_TYPES, schema.ICEBERG_TYPES], ids=["ducklake", "iceberg"]
)
@given(kind=TYPES)
def test_every_type_becomes_one_that_stays(replacements: dict[str, str], kind: str) -> None:
    stored = schema.storable({"c": kind}, replacements)["c"]
    assert schema.storable({"c": stored}, replacements)["c"] == stored
    assert str(duckdb.sqltype(stored)) == stored
    words = stored.replace("(", " ").replace("[", " ").replace(")", " ").replace(",", " ").split()
    assert not set(words) & (set(replacements) - {"JSON"})


@pytest.mark.parametrize(
    "text", ["nonsense", "INTEGER; DROP TABLE x", "INTEGER, b INTEGER", "", "INTEGER) --"]
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(LakewrightError, match="LW416"):
        schema.column_definition("a", text)


def test_sort_keys() -> None:
    columns = {"id": "BIGINT", "a b": "DATE"}
    assert schema.sort_expressions(["ID", "id desc"], columns) == ('"id"', '"id" DESC')
    for wrong in ("nope", "id sideways", "id; drop table x"):
        with pytest.raises(LakewrightError, match="LW418"):
            schema.sort_expressions([wrong], columns)
