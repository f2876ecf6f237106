"""The session that holds a few tables and nothing else: values come as they are, and spill where they must."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from lakewright.engine.locked import LockedSession
from lakewright.spec.project import Engine

VALUES = {
    "big": "170141183460469231731687303715884105727::hugeint", "unsigned": "340282366920938463463374607431768211455::uhugeint",
    "id": "'6f1c2f0e-8f5e-4b39-9d3c-0e2b7f6c1a11'::uuid", "bits": "'10101'::bit", "clock": "time '24:00:00'",
    "zoned": "'12:00:00+02'::timetz", "span": "interval '1 month 2 days 3 seconds'", "kind": "'a'::enum('a', 'b')",
    "doc": "'{\"a\": 1}'::json", "nested": "{'x': 1, 'y': [{'z': 'ü'}]}", "pairs": "map {'k': [1, null]}",
    "one_of": "union_value(n := 1)", "nano": "'2020-01-01 00:00:00.123456789'::timestamp_ns", "second": "'2020-01-01'::timestamp_s",
    "amount": "1.25::decimal(38, 10)", "fixed": "[1, 2]::int[2]", "bytes": "'\\xAA'::blob", "tiny": "255::utinyint",
    "moment": "'2024-01-01 10:00:00+02'::timestamptz", "ever": "'infinity'::timestamp", "old": "'5877642-06-25 (BC)'::date",
    "nothing": "null::varchar", "real": "'nan'::double", "wide": "12345678901234567890123456789::bignum",
}  # fmt: skip


def test_values_of_every_type_come_as_they_are(tmp_path: Path) -> None:
    given = ", ".join(f"{text} as {name}" for name, text in VALUES.items())
    with duckdb.connect() as source, LockedSession(Engine(), tmp_path) as session:
        source.execute("set arrow_lossless_conversion = true")
        source.execute("set timezone = 'UTC'")
        kinds = {row[0]: row[1] for row in source.execute(f"describe select {given}").fetchall()}
        session.put("a.t", kinds, source.execute(f"select {given}").to_arrow_reader())
        session.lock()
        assert {row[0]: row[1] for row in session.cursor.execute("describe a.t").fetchall()} == kinds
        shown = ", ".join(f"{name}::varchar" for name in VALUES)
        wanted = source.execute(f"select {shown} from (select {given})").fetchall()
        assert session.cursor.execute(f"select {shown} from a.t").fetchall() == wanted


def test_more_than_fits_into_memory_spills_and_is_gone_afterwards(tmp_path: Path) -> None:
    query = "select range as n, md5(range::varchar) as text from range(2000000)"
    with (
        duckdb.connect() as source,
        LockedSession(Engine(memory_limit="200MB", threads=2), tmp_path) as session,
    ):
        session.put("a.t", {"n": "BIGINT", "text": "VARCHAR"}, source.execute(query).to_arrow_reader())
        session.lock()
        row = session.cursor.execute("select count(distinct text), max(n) from a.t").fetchone()
        assert row == (2_000_000, 1_999_999)
        with pytest.raises(duckdb.Error, match="locked"):
            session.cursor.execute("set memory_limit = '8GB'")
    assert list((tmp_path / ".lakewright/tmp").iterdir()) == []
