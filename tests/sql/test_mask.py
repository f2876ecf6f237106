"""Masks as expressions: what is stored of a value, on DuckDB and as text for Spark."""

from __future__ import annotations

import hashlib
import hmac
from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from syrupy.assertion import SnapshotAssertion

from lakewright.errors import LakewrightError
from lakewright.security.keys import MaskKey
from lakewright.spec.mask import MASKS, Band, Hash, LastFour, Mask, Month, Null, Redact, Year
from lakewright.sql.dialect import render
from lakewright.sql.mask import KeyNames, mask_value

KEYS = {"default": KeyNames("inner", "outer")}


@cache
def connection() -> duckdb.DuckDBPyConnection:
    """One connection for the whole file."""
    return duckdb.connect()


def masked(value: Any, mask: Mask, type: str = "VARCHAR", key: bytes = b"k" * 32) -> Any:
    """Return *value* masked by DuckDB."""
    hand_over(key)
    query = exp.select(mask_value("x", type, mask, KEYS)).sql("duckdb")
    row = connection().execute(f"{query} FROM (SELECT ?::{type} AS x)", [value]).fetchone()
    assert row is not None
    return row[0]


def hand_over(key: bytes) -> None:
    for name, pad in zip(("inner", "outer"), MaskKey("default", 1, key).padded, strict=True):
        connection().execute(f'SET VARIABLE "{name}" = ?::BLOB', [pad])


# RFC 4231, test cases 1, 2 and, as its key is no longer than a block, 4: (key, data, HMAC-SHA-256).
RFC_4231 = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
]


@pytest.mark.parametrize(("key", "data", "expected"), RFC_4231)
def test_keyed_hash_is_hmac_sha_256(key: bytes, data: str, expected: str) -> None:
    assert masked(data, Hash(), key=key) == expected


@settings(deadline=None)
@given(st.text(), st.binary(min_size=32, max_size=32))
def test_keyed_hash_agrees_with_pythons(text: str, key: bytes) -> None:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return
    if "\0" in text:
        return
    assert masked(text, Hash(), key=key) == hmac.digest(key, encoded, "sha256").hex()


def test_plain_hashes() -> None:
    assert masked("a@x.org", Hash(algorithm="sha256")) == hashlib.sha256(b"a@x.org").hexdigest()
    assert masked(7, Hash(algorithm="md5"), "BIGINT") == hashlib.md5(b"7").hexdigest()


def test_a_number_and_its_text_have_one_hash() -> None:
    assert masked(7, Hash(), "INTEGER") == masked("7", Hash())


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4111111111111111", "************1111"), ("12345678", "****5678"), ("1234567", "*******"), ("", "")],
)
def test_last_four_shows_no_more_than_half(value: str, expected: str) -> None:
    assert masked(value, LastFour()) == expected


@pytest.mark.parametrize(
    ("value", "type", "width", "expected"),
    [
        (37, "INTEGER", 10, 30),
        (-3, "INTEGER", 10, -10),
        (40, "BIGINT", 10, 40),
        (2**64 - 1, "UBIGINT", 10, 18446744073709551610),
        (3.7, "DOUBLE", 0.5, 3.5),
        (-3.2, "DOUBLE", 10, -10.0),
    ],
)
def test_bands_start_at_multiples_of_their_width(value: Any, type: str, width: float, expected: Any) -> None:
    assert masked(value, Band(width=width), type) == expected


def test_dates_keep_their_type() -> None:
    assert str(masked("2024-05-17", Year(), "DATE")) == "2024-01-01"
    assert str(masked("2024-05-17 10:11:12", Month(), "TIMESTAMP")) == "2024-05-01 00:00:00"


@pytest.mark.parametrize("name", MASKS)
def test_null_stays_null(name: str) -> None:
    mask = Band(width=10) if name == "band" else MASKS[name]()
    type = {"band": "INTEGER", "year": "DATE", "month": "DATE"}.get(name, "VARCHAR")
    assert masked(None, mask, type) is None


def test_null_leaves_nothing() -> None:
    assert masked(5, Null(), "INTEGER") is None


@pytest.mark.parametrize(
    ("mask", "type"),
    [(LastFour(), "DATE"), (Redact(), "BIGINT"), (Year(), "VARCHAR"), (Band(width=1), "DATE")],
)
def test_a_rule_that_does_not_fit_the_type_is_refused(mask: Mask, type: str) -> None:
    with pytest.raises(LakewrightError) as caught:
        mask_value("x", type, mask, {})
    assert caught.value.code == "LW801"


REDACTED = [
    ("call +49 30 1234567 or mail a.b+c@ex.org!", "call [phone] or mail [email]!"),
    ("(555) 123-4567, 555.123.4567", "[phone], [phone]"),
    ("card 4111 1111 1111 1111 12/25", "card [card] 12/25"),
    ("card 4111-1111-1111-1111", "card [card]"),
    ("check digit wrong: 4111111111111112", "check digit wrong: 4111111111111112"),
    ("IBAN DE89 3704 0044 0532 0130 00 AND", "IBAN [iban] AND"),
    ("GB29NWBK60161331926819.", "[iban]."),
    ("no iban: DE88370400440532013000", "no iban: DE88370400440532013000"),
    ("ssn 123-45-6789", "ssn [ssn]"),
    ("10.0.0.1 and fe80::1 at 10:20:30", "[ip] and [ip] at 10:20:30"),
    ("山田 taro@例え.jp", "山田 [email]"),
    ("order 1234567890123 of 2024-01-15 10:00:00", "order 1234567890123 of 2024-01-15 10:00:00"),
    ("version 1.2.3, price 1,234.56", "version 1.2.3, price 1,234.56"),
    ("plain words", "plain words"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), REDACTED)
def test_free_text_is_redacted_by_pattern_and_check_digit(text: str, expected: str) -> None:
    assert masked(text, Redact()) == expected


def test_only_the_kinds_asked_for_are_redacted() -> None:
    assert masked("a@x.org 10.0.0.1", Redact(kinds=("ip",))) == "a@x.org [ip]"


VALUES = st.lists(st.one_of(st.none(), st.text("ab@.1 ", max_size=3)), max_size=12)


@settings(deadline=None, max_examples=60)
@given(VALUES, VALUES, st.sampled_from([Hash(), Hash(algorithm="sha256"), Hash(algorithm="md5")]))
def test_masking_before_a_join_is_masking_after_it(
    left: list[str | None], right: list[str | None], mask: Mask
) -> None:
    hand_over(b"k" * 32)
    value = mask_value("x", "VARCHAR", mask, KEYS).sql("duckdb")
    tables = "WITH l AS (SELECT unnest(?::VARCHAR[]) AS x), r AS (SELECT unnest(?::VARCHAR[]) AS x)"
    before = (
        f"{tables} SELECT x, count(*) FROM (SELECT {value} AS x FROM l) JOIN (SELECT {value} AS x FROM r) "
        "USING (x) GROUP BY 1 ORDER BY 1"
    )
    after = f"{tables} SELECT {value} AS y, count(*) FROM l JOIN r USING (x) GROUP BY 1 ORDER BY 1"
    found = [connection().execute(one, [left, right]).fetchall() for one in (before, after)]
    assert found[0] == found[1]


def test_statements_hold_no_key_and_have_one_spelling(snapshot: SnapshotAssertion) -> None:
    rules: dict[str, tuple[Mask, str]] = {
        "hash": (Hash(), "BIGINT"),
        "sha256": (Hash(algorithm="sha256"), "VARCHAR"),
        "md5": (Hash(algorithm="md5"), "VARCHAR"),
        "last_four": (LastFour(), "VARCHAR"),
        "year": (Year(), "DATE"),
        "month": (Month(), "TIMESTAMP"),
        "band": (Band(width=10), "INTEGER"),
        "fraction": (Band(width=0.5), "DOUBLE"),
        "null": (Null(), "DATE"),
    }
    for name, (mask, type) in rules.items():
        tree = mask_value("x", type, mask, KEYS)
        assert render(tree) == snapshot(name=f"{name} duckdb")
        if name != "hash":  # the key is in a variable of DuckDB's
            assert render(tree, "spark") == snapshot(name=f"{name} spark")
