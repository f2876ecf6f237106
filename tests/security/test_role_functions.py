"""The lists of functions that a role's query may call, against the functions that DuckDB has."""

from __future__ import annotations

import duckdb

from lakewright.security.functions import ALLOWED, LEFT_OUT, LEFT_OUT_PREFIXES, TABLE_FUNCTIONS

_NAMES = "select distinct lower(function_name) from duckdb_functions() where function_type in {}"


def _known(*kinds: str) -> set[str]:
    with duckdb.connect() as connection:
        return {name for (name,) in connection.execute(_NAMES.format((*kinds, ""))).fetchall()}


def test_every_function_was_looked_at() -> None:
    # one that is new stands in neither list: read what it does, then put it into one of them
    known = _known("scalar", "aggregate", "macro")
    judged = {one for one in known if one in ALLOWED or one in LEFT_OUT or one.startswith(LEFT_OUT_PREFIXES)}
    assert known - judged == set()
    assert ALLOWED - TABLE_FUNCTIONS - known == set()
    assert not ALLOWED & LEFT_OUT
    assert not [one for one in ALLOWED if one.startswith(LEFT_OUT_PREFIXES)]


def test_what_stands_in_from_reads_nothing() -> None:
    assert _known("table", "macro") | {"unnest", "generate_subscripts"} >= TABLE_FUNCTIONS
    outside = ("read", "scan", "glob", "duckdb", "pragma", "sniff", "query", "parquet", "secret", "setting")
    assert not [one for one in ALLOWED for word in outside if word in one.split("_")]
