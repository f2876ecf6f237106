"""Rows handed over from Python: Arrow, Polars, pandas, records."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_zone import Zone

from lakewright.errors import LakewrightError
from lakewright.sources.files import Taken
from lakewright.sources.frame import take_frame

ROWS = {"id": [1, 2, 3], "name": ["Ann", None, "Zoë"]}
EXPECTED = [(1, "Ann"), (2, None), (3, "Zoë")]


def put(zone: Zone, frame: object, **settings: Any) -> Taken:
    return take_frame(
        frame,
        "s",
        "d",
        zone.dataset(on_drift=settings.pop("on_drift", "evolve")),
        store=zone.store,
        state=zone.state,
        cursor=zone.cursor,
        **settings,
    )


@pytest.mark.parametrize(
    "frame",
    [
        pa.table(ROWS),
        pa.RecordBatch.from_pydict(ROWS),
        pa.table(ROWS).to_reader(),
        pl.DataFrame(ROWS),
        pl.DataFrame(ROWS).lazy(),
        pd.DataFrame(ROWS).set_index(pd.Index([7, 8, 9])),
        ROWS,
        [dict(zip(ROWS, row, strict=True)) for row in EXPECTED],
    ],
    ids=["table", "batch", "reader", "polars", "lazy", "pandas", "columns", "records"],
)
def test_frames_become_rows(zone: Zone, frame: object) -> None:
    taken = put(zone, frame)
    assert (taken.batch, taken.rows) == (1, 3)
    assert zone.rows() == EXPECTED
    assert zone.reading().has_row


def test_the_same_rows_under_the_same_key_are_taken_once(zone: Zone) -> None:
    assert put(zone, pa.table(ROWS), key="day 1").batch == 1
    assert put(zone, pa.table(ROWS), key="day 1").batch == 0
    changed = put(zone, pa.table({"id": [4], "name": ["Eve"]}), key="day 1")
    assert (changed.batch, changed.files[0].version) == (2, 2)
    assert zone.rows() == [(4, "Eve")]
    assert put(zone, pa.table(ROWS), key="day/1").batch == 3
    assert len(zone.rows()) == 4


def test_metadata_is_kept_with_the_rows(zone: Zone) -> None:
    taken = put(zone, pa.table(ROWS), metadata={"origin": "notebook"}, run_id="r1")
    with zone.store.open(taken.files[0].raw_path) as stream:
        found = pq.read_schema(stream).metadata
    assert found[b"origin"] == b"notebook"
    assert found[b"lakewright.source"] == b"s"
    assert zone.files()[0].run_id == "r1"


def test_frames_and_files_live_together(zone: Zone) -> None:
    zone.write("a.csv", "id,name\n10,Csv\n")
    zone.take("*.csv")
    put(zone, pa.table(ROWS))
    taken = zone.take("*.csv")
    assert (taken.batch, taken.missing) == (0, ())
    assert sorted(zone.rows()) == [("1", "Ann"), ("10", "Csv"), ("2", None), ("3", "Zoë")]


@pytest.mark.parametrize("frame", [7, "text", [], [1, 2], {}, pa.table({}), {"a": [1], "b": [1, 2]}])
def test_what_is_no_table_is_refused(zone: Zone, frame: object) -> None:
    with pytest.raises(LakewrightError) as caught:
        put(zone, frame)
    assert caught.value.code == "LW204"


def test_drift_is_refused_where_the_rule_says_so(zone: Zone) -> None:
    put(zone, pa.table(ROWS))
    with pytest.raises(LakewrightError) as caught:
        put(zone, pa.table({**ROWS, "more": [1, 2, 3]}), on_drift="fail")
    assert caught.value.code == "LW203"
    assert "'more' is new" in str(caught.value)
