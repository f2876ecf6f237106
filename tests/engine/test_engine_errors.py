"""Errors of DuckDB come out coded, short, and without a secret."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.engine.errors import ConflictError, explain, is_conflict, redact
from lakewright.errors import LakewrightError, NotFoundError


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT * FROM nowhere", "LW405"),
        ("SELEKT 1", "LW405"),
        ("SELECT 'x'::INTEGER", "LW406"),
        ("SELECT 300::TINYINT", "LW406"),
        ("SELECT * FROM read_parquet('/nowhere/x.parquet')", "LW408"),
    ],
)
def test_codes(statement: str, code: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute(statement).fetchall()
    explained = explain(caught.value)
    assert explained.code == code
    assert "LINE 1" not in str(explained)


@pytest.mark.parametrize(
    "text",
    [
        "TransactionContext Error: Failed to commit: database is locked",
        "Failed to commit DuckLake transaction. Transaction conflict - attempting to insert into table",
        "returned a non-200 status code (Conflict_409), with reason: Conflict",
        "could not serialize access due to concurrent update",
        "deadlock detected",
    ],
)
def test_conflicts_are_told_from_failures(text: str) -> None:
    assert is_conflict(duckdb.TransactionException(text))
    assert isinstance(explain(duckdb.TransactionException(text)), ConflictError)
    assert not is_conflict(ValueError(text))


def test_a_version_that_is_not_there_is_not_found() -> None:
    explained = explain(duckdb.InvalidInputException("Invalid Input Error: No snapshot found at version 4"))
    assert isinstance(explained, NotFoundError)
    assert explained.code == "LW415"


def test_coded_errors_pass_unchanged() -> None:
    error = LakewrightError("LW401", "x")
    assert explain(error) is error


@pytest.mark.parametrize(
    "text",
    [
        "cannot connect to postgresql://me:{}@host:5432/db?sslmode=require",
        "host=db user=me password={} dbname=x",
        "host=db password='{}' dbname=x",
        "CREATE SECRET s (TYPE s3, KEY_ID 'AKIA', SECRET '{}', REGION 'x')",
        'CREATE SECRET s (TYPE iceberg, TOKEN "{}")',
        "GET https://bucket/key?X-Amz-Signature={}&X-Amz-Date=1",
        "Authorization: Bearer {}",
    ],
)
def test_secrets_are_recognised_by_their_place(text: str) -> None:
    assert "h1dden-w0rd" not in redact(text.format("h1dden-w0rd"))


@given(st.text(min_size=3), st.text(), st.text())
def test_known_secrets_never_show(secret: str, before: str, after: str) -> None:
    shown = redact(f"{before}{secret}{after}", hide=[secret])
    assert secret not in shown or secret in "***" * 3 or secret in before + "***" + after


def test_ordinary_words_stay() -> None:
    text = "Unknown secret storage found: 'local_file'; the token was not read; column \"password\" missing"
    assert redact(text) == text
