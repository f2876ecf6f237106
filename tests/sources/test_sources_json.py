"""JSON documents and NDJSON: strict, typed, and read by DuckDB line by line."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from raw_zone import Zone


def columns(zone: Zone) -> dict[str, str]:
    return zone.reading().columns


def test_an_array_of_records(zone: Zone) -> None:
    zone.write(
        "a.json",
        json.dumps([{"id": 1, "day": "2024-01-31", "x": 1.5}, {"id": -2, "y": {"z": [1]}}], indent=2),
    )
    zone.take()
    assert columns(zone) == {"id": "BIGINT", "day": "VARCHAR", "x": "DOUBLE", "y": "STRUCT(z BIGINT[])"}
    assert zone.rows() == [(1, "2024-01-31", 1.5, None), (-2, None, None, {"z": [1]})]


def test_records_inside_a_document(zone: Zone) -> None:
    zone.write("a.json", json.dumps({"data": {"pages": [{"items": [{"id": 1}, {"id": 2}]}]}, "total": 2}))
    taken = zone.take(options={"records": "$.data.pages[0].items"})
    assert zone.rows() == [(1,), (2,)]
    zone.write("b.json", '{"data": {}}')
    taken = zone.take(options={"records": "$.data.pages[0].items"})
    assert "there is nothing at '$.data.pages[0].items'" in taken.files[0].unreadable


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("[1, 2, 3]", "BIGINT", [1, 2, 3]),
        ('"x"', "VARCHAR", ["x"]),
        ("[[1], [2, 3]]", "BIGINT[]", [[1], [2, 3]]),
        ('[1, {"a": 2}]', "JSON", ["1", '{"a": 2}']),
        ('["2024-01-31"]', "VARCHAR", ["2024-01-31"]),
        ("[18446744073709551615, -1]", "HUGEINT", [18446744073709551615, -1]),
    ],
)
def test_values_that_are_no_records(zone: Zone, text: str, kind: str, values: list[Any]) -> None:
    zone.write("a.json", text)
    zone.take()
    assert columns(zone) == {"value": kind}
    found = [row[0] for row in zone.rows()]
    assert found == values or [json.loads(one) for one in found] == [json.loads(one) for one in values]


def test_lines_in_a_file_called_json(zone: Zone) -> None:
    zone.write("a.json", '{"a": 1}\n{"a": 2}\n')
    zone.take()
    assert zone.rows() == [(1,), (2,)]


@pytest.mark.parametrize("packed", [False, True])
def test_bad_lines_are_rejected_with_their_number(zone: Zone, packed: bool) -> None:
    good = [json.dumps({"id": n, "name": f"n, {n} inf"}) for n in range(1000)]
    good[10] = '{"id": 10, "name": "x",}'
    good[20] = '{"id": NaN, "name": "x"}'
    good[30] = "not json"
    good[40] = ""
    good[50] = '{"id": 50'
    data = ("\r\n".join(good) + "\n").encode()
    zone.write("a.ndjson.gz" if packed else "a.ndjson", gzip.compress(data) if packed else data)
    taken = zone.take()
    rejects = taken.quarantined.to_pylist()
    assert [row["line"] for row in rejects] == [11, 21, 31, 51]
    assert all(row["reason"].startswith("not JSON: ") for row in rejects)
    assert rejects[2]["content"] == "not json"
    assert (taken.read, taken.rows) == (999, 995)
    assert len(zone.rows()) == 995
    assert columns(zone) == {"id": "BIGINT", "name": "VARCHAR"}


def test_bad_bytes_and_bad_lines_together(zone: Zone) -> None:
    zone.write("a.ndjson", b'{"a":1}\n{"a":"\xff"}\n{"a":2}\n{bad\n{"a":3}\n')
    taken = zone.take()
    assert [(row["line"], row["reason"][:9]) for row in taken.quarantined.to_pylist()] == [
        (2, "the bytes"),
        (4, "not JSON:"),
    ]
    assert zone.rows() == [(1,), (2,), (3,)]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_deep_nesting_is_refused_and_crashes_nothing(zone: Zone, opening: str, name: str) -> None:
    closing = "]" if opening == "[" else "}"
    bomb = opening * 200_000 + "1" + closing * 200_000
    zone.write(name, ('{"a":1}\n' if name == "a.ndjson" else "") + bomb + "\n")
    taken = zone.take()
    assert taken.rejected == 1
    assert "nested too deeply" in taken.quarantined.to_pylist()[0]["reason"]


def test_keys_that_no_column_can_hold_leave_the_record_whole(zone: Zone) -> None:
    zone.write("a.ndjson", '{"a": 1, "A": 2}\n{"": 3}\n{"b\\u0000c": 4}\n{"a": 1, "a": 2}\n')
    taken = zone.take()
    assert (taken.rows, columns(zone)) == (4, {"value": "JSON"})
    assert len(zone.rows()) == 4


def test_types_widen_from_file_to_file(zone: Zone) -> None:
    zone.write("1.json", '[{"n": 1, "s": {"a": 1}, "e": null}]')
    zone.write("2.json", '[{"n": 2.5, "s": {"b": "x"}, "e": "text"}]')
    taken = zone.take()
    assert columns(zone) == {"n": "DOUBLE", "s": "STRUCT(a BIGINT, b VARCHAR)", "e": "VARCHAR"}
    assert [(one.column, one.kind) for one in taken.drift] == [("n", "retyped"), ("s", "retyped")]
    assert zone.rows() == [(1.0, {"a": 1, "b": None}, None), (2.5, {"a": None, "b": "x"}, "text")]


def test_many_keys_are_columns_and_not_a_map(zone: Zone) -> None:
    zone.write("a.ndjson", json.dumps({f"k{n}": n for n in range(400)}) + "\n{}\n")
    zone.take()
    assert len(columns(zone)) == 400
    assert len(zone.rows()) == 2


def test_utf16_document(zone: Zone) -> None:
    zone.write("a.json", '[{"name": "Zoë"}]'.encode("utf-16"))
    zone.take()
    assert zone.rows() == [("Zoë",)]


def test_long_objects(zone: Zone) -> None:
    zone.write("a.ndjson", json.dumps({"a": "x" * 20_000_000}) + '\n{"a": "y"}\n')
    taken = zone.take()
    assert (taken.rows, taken.rejected) == (2, 0)
    assert [len(row[0]) for row in zone.rows()] == [20_000_000, 1]
