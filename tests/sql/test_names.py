"""Standard names: snake_case, ASCII, all different, and stable when applied again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from lakewright.sql.names import column, literal, quarantine_id, snake_case, split_id, standard_names, table


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("Order ID", "order_id"), ("orderId", "order_id"), ("ORDER-ID", "order_id"), ("order_id", "order_id"),
        ("HTTPServer2Name", "http_server2_name"), ("Größe (m²)", "grosse_m2"), ("naïve café", "naive_cafe"),
        ("Customer's e-mail", "customers_e_mail"), ("1st", "n1st"), ("日本", "column"), ("", "column"), ("__x__", "x"),
        ("% of total", "pct_of_total"), ("Ångström", "angstrom"), ("ﬁeld", "field"), ("a.b/c", "a_b_c"),
    ],
)  # fmt: skip
def test_snake_case(name: str, standard: str) -> None:
    assert snake_case(name) == standard


@given(st.text())
def test_snake_case_is_stable_and_plain(name: str) -> None:
    once = snake_case(name)
    assert snake_case(once) == once
    assert re.fullmatch(r"[a-z][a-z0-9_]*", once)


names = st.lists(
    st.one_of(
        st.text(max_size=6), st.sampled_from(["A", "a", "a_2", "A 2", "a-2", "_id", "_batch_id", "日"])
    ),
    unique=True,
    max_size=12,
)


@given(names)
def test_standard_names_are_unique_and_stable(given_names: list[str]) -> None:
    new = standard_names(given_names)
    assert list(new) == given_names
    assert len({one.lower() for one in new.values()}) == len(new)
    assert standard_names(new.values()) == {name: name for name in new.values()}


def test_clashes_are_numbered_and_standard_names_stay() -> None:
    assert standard_names(["A", "a", "A ", "a_2"]) == {"A": "a_3", "a": "a", "A ": "a_4", "a_2": "a_2"}


def test_only_our_own_columns_keep_their_underscore() -> None:
    assert standard_names(["_id", "_batch_id", "_failed", "_violations_0"]) == {
        "_id": "id", "_batch_id": "_batch_id", "_failed": "_failed", "_violations_0": "_violations_0",
    }  # fmt: skip


def test_ids() -> None:
    assert table("processed.orders").sql("duckdb") == '"lake"."processed"."orders"'
    assert table("raw.a.b", catalog="").sql("duckdb") == '"raw"."a.b"'
    assert quarantine_id("processed.orders") == "quarantine.processed_orders"
    assert column('a"b', "t").sql("duckdb") == '"t"."a""b"'
    for bad in ("orders", ".orders", "raw."):
        with pytest.raises(ValueError, match=r"zone\.name"):
            split_id(bad)


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "NULL"), (True, "TRUE"), ("it's", "'it''s'"), (-3, "-3"), (1.5, "1.5"), (float("inf"), "CAST('inf' AS DOUBLE)"),
    ],
)  # fmt: skip
def test_literals(value: Any, sql: str) -> None:
    made = literal(value)
    assert isinstance(made, exp.Expr)
    assert made.sql("duckdb") == sql
