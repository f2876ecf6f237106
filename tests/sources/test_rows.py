"""Rows from Python in every form: read as they come, and refused with the column that is wrong."""

from __future__ import annotations

import datetime
import decimal
import tracemalloc
import uuid
from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from raw_zone import Zone
from test_sources_frame import put

from lakewright.errors import LakewrightError
from lakewright.sources.rows import batches_of

ROWS = {"id": [1, 2, 3], "name": ["Ann", None, "Zoë"]}
EVENTS = [{"id": 1, "name": "Ann"}, {"id": 2}, {"id": 3, "name": "Zoë"}]
EXPECTED = [(1, "Ann"), (2, None), (3, "Zoë")]


@pytest.mark.parametrize(
    "frame",
    [
        lambda: iter(EVENTS),
        lambda: (one for one in pa.table(ROWS).to_batches(max_chunksize=1)),
        lambda: [pl.DataFrame(ROWS)[:1], pl.DataFrame(ROWS)[1:]],
        lambda: iter([pd.DataFrame(ROWS)]),
        lambda: (EVENTS[at : at + 1] for at in range(3)),
        lambda: pa.RecordBatchReader.from_batches(pa.table(ROWS).schema, pa.table(ROWS).to_batches()),
        lambda: pd.DataFrame(ROWS).set_index("id"),
        lambda: pl.DataFrame(ROWS).lazy().filter(pl.col("id") > 0),
        lambda: tuple(EVENTS),
    ],
    ids=[
        "events",
        "batches",
        "polars-list",
        "pandas-iter",
        "lists",
        "reader",
        "named-index",
        "lazy",
        "tuple",
    ],
)
def test_every_form_of_rows(zone: Zone, frame: Any) -> None:
    taken = put(zone, frame())
    assert (taken.batch, taken.rows) == (1, 3)
    assert zone.rows() == EXPECTED


def test_one_event(zone: Zone) -> None:
    event = {
        "id": 7,
        "at": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        "who": {"name": "Ann", "tags": ["a", "b"]},
    }
    assert put(zone, event).rows == 1
    assert put(zone, {"id": 8, "who": None}).rows == 1
    assert [row[0] for row in zone.rows()] == [7, 8]
    assert zone.rows()[0][2] == {"name": "Ann", "tags": ["a", "b"]}


def test_an_iterator_is_read_in_bounded_memory(zone: Zone) -> None:
    def many() -> Iterator[dict[str, Any]]:
        for number in range(300_000):
            yield {"id": number, "text": f"{number} " + "x" * 200}

    tracemalloc.start()
    taken = put(zone, many())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken.rows == 300_000
    # all of it would be more than 100 MB
    assert most < 40_000_000


def test_nothing_is_taken_when_an_iterator_breaks(zone: Zone) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from EVENTS
        raise RuntimeError("the sensor is gone")

    with pytest.raises(RuntimeError, match="the sensor is gone"):
        put(zone, broken())
    assert zone.files() == []
    assert not [path for path in (zone.root / "lake").rglob("*") if path.is_file()]


def test_a_schema_says_what_the_first_rows_do_not(zone: Zone) -> None:
    schema = pa.schema({"id": pa.int64(), "name": pa.string(), "more": pa.float64()})
    rows = ([{"id": 1, "name": None}], [{"id": 2, "more": 1}])
    with pytest.raises(
        LakewrightError, match="rows 2 to 2: the column 'more' is not among those of the first rows"
    ):
        put(zone, iter(rows))
    put(zone, iter(rows), schema=schema)
    assert zone.rows() == [(1, None, None), (2, None, 1.0)]
    with pytest.raises(LakewrightError, match="'other' is not in the schema"):
        put(zone, [{"other": 1}], schema=schema)


def test_later_rows_that_do_not_fit(zone: Zone) -> None:
    with pytest.raises(
        LakewrightError, match=r"rows 2 to 2: column 'id' is string and cannot be taken as int64"
    ):
        put(zone, iter([[{"id": 1}], [{"id": "x"}]]))
    # what fits without loss does
    put(zone, iter([[{"id": 1.5}], [{"id": 2}]]))
    assert zone.rows() == [(1.5,), (2.0,)]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ([{"a": 1}, {"a": "x"}], r"column 'a': values of different types: int \(1 ×\), str \(1 ×\)"),
        ([{"a": 1, "b": object()}], "column 'b': values of type object have no column type"),
        ([{1: 2}], "the key 1 is no text"),
        ([{"a": 1}, 5], "events and int together"),
        ([5, {"a": 1}], "gives int, which is neither a frame nor an event"),
        ([{"a": {"b": 1}}, {"a": [1]}], r"column 'a': values of different types: dict \(1 ×\), list \(1 ×\)"),
        ([{"a": 2**70}], "column 'a'"),
        ([{}], "the events have no values"),
        ({"a": [1, "x"]}, "column 'a': values of different types"),
        (pd.DataFrame({"ok": [1, 2], "a": [1, "x"]}), "column 'a': values of different types: int"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the column 'a' is there twice"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "the column 'a' is there twice"),
        (pl.DataFrame({"a": [object()]}), "column 'a' holds Python objects"),
        (pa.table({"a": pa.array([1], pa.duration("s"))}), "column 'a' holds lengths of time"),
        ([{"a": datetime.timedelta(1)}], "column 'a' holds lengths of time"),
        ("text", "neither a frame nor events"),
        (b"bytes", "neither a frame nor events"),
        (None, "neither a frame nor events"),
        (iter(()), "has no rows"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_column(zone: Zone, frame: object, said: str) -> None:
    with pytest.raises(LakewrightError, match=said) as caught:
        put(zone, frame)
    assert caught.value.code == "LW204"
    assert zone.files() == []


def test_types_are_kept(zone: Zone) -> None:
    day = datetime.date(2024, 2, 29)
    event = {
        "id": uuid.UUID(int=7),
        "price": decimal.Decimal("1234567890123456.78"),
        "day": day,
        "time": datetime.time(12, 30),
        "data": b"\x00\xff",
        "flag": True,
        "big": 2**62,
        "tags": [{"k": "v"}],
    }
    put(zone, [event, event])
    assert zone.rows()[0] == tuple(event.values())
    assert zone.reading().columns["price"] == "DECIMAL(18,2)"


def test_batches_are_read_as_they_are_asked_for() -> None:
    seen = []

    def lists() -> Iterator[list[dict[str, Any]]]:
        for number in range(3):
            seen.append(number)
            yield [{"id": number}]

    schema, batches = batches_of(lists())
    assert (schema.names, seen) == (["id"], [0])
    assert [batch.num_rows for batch in batches] == [1, 1, 1]
