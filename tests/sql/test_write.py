"""Write modes: what each leaves in a table, on plain DuckDB and on DuckLake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one
from tables import KINDS, connect, make, rows, run

from lakewright.errors import LakewrightError
from lakewright.spec.dataset import Write
from lakewright.sql.dialect import render
from lakewright.sql.names import table
from lakewright.sql.write import output_columns, publish_statements

COLUMNS = {"id": "BIGINT", "day": "DATE", "region": "VARCHAR", "v": "VARCHAR", "_batch_id": "BIGINT"}
AT = datetime(2024, 5, 1, tzinfo=UTC)

Row = tuple[Any, ...]


class Target:
    """A table that batches are published to."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con

    def begin(self, write: Write, *rows: Row, partitions: str = "") -> None:
        self.write, self.batch = write, 0
        self.target = make(self.con, "t", COLUMNS)
        if (
            partitions
            and "ducklake"
            in self.con.execute(
                "SELECT type FROM duckdb_databases() WHERE database_name = 'lake'"
            ).fetchone()[0]
        ):  # type: ignore[index]
            self.con.execute(f"ALTER TABLE lake.zone.t SET PARTITIONED BY ({partitions})")
        if rows:
            self.publish(*rows)

    def publish(self, *values: Row, first: bool | None = None, anew: bool = False) -> None:
        self.batch += 1
        query = rows(COLUMNS, [(*one, self.batch) for one in values])
        first = self.batch == 1 if first is None else first
        run(
            self.con,
            publish_statements(
                self.write, self.write.keys, self.target, query, COLUMNS, first=first, at=AT, anew=anew
            ),
        )

    @property
    def rows(self) -> list[Row]:
        text = "SELECT id, strftime(day, '%Y-%m-%d'), region, v, _batch_id FROM lake.zone.t ORDER BY ALL"
        return self.con.execute(text).fetchall()


@pytest.fixture(scope="module", params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    con = connect(request.param, tmp_path_factory.mktemp("write"))
    yield Target(con)
    con.close()


def test_append_adds(target: Target) -> None:
    target.begin(Write(mode="append"), (1, None, None, "a"))
    target.publish((1, None, None, "b"))
    assert target.rows == [(1, None, None, "a", 1), (1, None, None, "b", 2)]


def test_replace_leaves_only_the_new_rows(target: Target) -> None:
    target.begin(Write(mode="replace"), (1, None, None, "a"), (2, None, None, "b"))
    target.publish((3, None, None, "c"))
    assert target.rows == [(3, None, None, "c", 2)]
    target.publish()
    assert target.rows == []


@pytest.mark.parametrize("partitions", ["year(day), month(day), region", "month(day), region"])
def test_overwrite_replaces_the_partitions_that_rows_touch(target: Target, partitions: str) -> None:
    write = Write(mode="overwrite", partition_by=tuple(partitions.split(", ")))
    target.begin(
        write,
        (1, "2024-01-05", "n", "a"), (2, "2024-01-06", "n", "b"), (3, "2024-01-07", "s", "c"),
        (4, "2023-01-05", "n", "d"), (5, "2024-02-01", "n", "e"), (6, None, "n", "f"), (7, "2024-01-01", None, "g"),
        partitions=partitions,
    )  # fmt: skip
    target.publish((8, "2024-01-31", "n", "new"), (9, None, "n", "new"), (10, "2024-01-02", None, "new"))
    assert [row[0] for row in target.rows] == [3, 4, 5, 8, 9, 10]
    target.publish((8, "2024-01-31", "n", "new"), (9, None, "n", "new"), (10, "2024-01-02", None, "new"))
    assert [row[0] for row in target.rows] == [3, 4, 5, 8, 9, 10]


def test_overwrite_by_buckets_and_a_date_replaces_whole_dates(target: Target) -> None:
    target.begin(
        Write(mode="overwrite", partition_by=("day(day)", "bucket(4, id)")),
        (1, "2024-01-05", "n", "a"),
        (2, "2024-01-05", "n", "b"),
    )
    target.publish((3, "2024-01-05", "n", "c"))
    assert [row[0] for row in target.rows] == [3]


def test_overwrite_without_partitions_replaces_all(target: Target) -> None:
    target.begin(Write(mode="overwrite"), (1, "2024-01-05", "n", "a"))
    target.publish((2, "2024-01-05", "n", "b"))
    assert [row[0] for row in target.rows] == [2]


@pytest.mark.parametrize("anew", [False, True])
def test_merge_updates_by_key_and_inserts_the_rest(target: Target, anew: bool) -> None:
    target.begin(
        Write(mode="merge", keys=("ID",)), (1, "2024-01-01", "n", "a"), (2, None, "n", "b"), (None, None, "n", "c"),
        partitions="year(day), month(day)",
    )  # fmt: skip
    target.publish((2, "2024-02-01", None, "B"), (3, None, None, "d"), (None, None, None, "C"), anew=anew)
    assert target.rows == [
        (1, "2024-01-01", "n", "a", 1), (2, "2024-02-01", None, "B", 2), (3, None, None, "d", 2),
        (None, None, None, "C", 2),
    ]  # fmt: skip


def test_merge_of_keys_alone(target: Target) -> None:
    columns = {"id": "BIGINT", "day": "DATE"}
    target.target = make(target.con, "t", columns)
    for first in (True, False):
        statements = publish_statements(
            Write(mode="merge"), ("id", "day"), target.target, rows(columns, [(1, None), (None, "2024-01-01")]), columns,
            first=first, at=AT,
        )  # fmt: skip
        run(target.con, statements)
    assert target.con.execute("SELECT count(*) FROM lake.zone.t").fetchone() == (2,)


key = st.one_of(st.none(), st.integers(0, 3))
batch = st.lists(
    st.tuples(
        key, st.sampled_from([None, "2024-01-01"]), st.sampled_from([None, "n"]), st.sampled_from(["a", "b"])
    ),
    unique_by=(lambda row: (row[0], row[2]),),
    max_size=6,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=batch, second=batch, anew=st.booleans())
def test_merge_is_idempotent_and_the_last_wins(
    target: Target, first: Sequence[Row], second: Sequence[Row], anew: bool
) -> None:
    target.begin(Write(mode="merge", keys=("id", "region")))
    target.publish(*first)
    target.publish(*second, anew=anew)
    once = target.rows
    target.batch = 1
    target.publish(*second, anew=not anew)
    assert target.rows == once
    expected = {(row[0], row[2]): (*row, 1) for row in first} | {
        (row[0], row[2]): (*row, 2) for row in second
    }
    assert sorted(map(repr, once)) == sorted(map(repr, expected.values()))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (Write(mode="merge"), "merge needs keys"),
        (Write(mode="merge", keys=("idd",)), "keys: there is no column 'idd'; did you mean 'id'"),
        (Write(mode="overwrite", partition_by=("mnth(day)",)), "neither a column nor a known transform"),
        (
            Write(mode="overwrite", partition_by=("month(dy)",)),
            "partition_by: there is no column 'dy'; did you mean 'day'",
        ),
        (Write(mode="overwrite", partition_by=("bucket(4, id)",)), "buckets alone are none"),
        (Write(mode="scd2"), "scd2 needs keys"),
    ],
)
def test_what_is_refused(write: Write, says: str) -> None:
    with pytest.raises(LakewrightError, match="LW314") as caught:
        publish_statements(write, write.keys, table("zone.t"), rows(COLUMNS, []), COLUMNS, first=False, at=AT)
    assert says in str(caught.value)


@pytest.mark.parametrize("mode", ["append", "replace", "overwrite", "merge", "merge anew"])
def test_both_spellings(mode: Any, snapshot: Any) -> None:
    mode, _, anew = mode.partition(" ")
    write = Write(mode=mode, partition_by=("month(day)", "region"))
    assert output_columns(write, COLUMNS) == COLUMNS
    source = parse_one(
        'SELECT id, day, region, v, 7 AS "_batch_id" FROM _stage WHERE NOT (_violations_0 <> 0)',
        dialect="duckdb",
    )
    assert isinstance(source, exp.Select)
    statements = publish_statements(
        write, ("id",), table("zone.t"), source, COLUMNS, first=False, at=AT, anew=bool(anew)
    )
    for dialect in ("duckdb", "spark"):
        for number, one in enumerate(statements):
            sql = render(one, dialect, pretty=True)  # type: ignore[arg-type]
            assert parse_one(sql, dialect=dialect)
            assert sql == snapshot(name=f"{dialect}-{number}")
