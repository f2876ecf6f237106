"""Histories: the same for any order and batching of the same changes, checked against a plain reading of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one
from tables import KINDS, connect, make, rows, run

from lakewright.errors import LakewrightError
from lakewright.spec.dataset import Scd2, Write
from lakewright.sql.dialect import render
from lakewright.sql.names import table
from lakewright.sql.write import output_columns, publish_statements

COLUMNS = {
    "id": "BIGINT",
    "name": "VARCHAR",
    "city": "VARCHAR",
    "note": "VARCHAR",
    "updated_at": "TIMESTAMP",
    "_batch_id": "BIGINT",
}
START = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = ("id",)

Change = tuple[int, str | None, str | None, str | None, int]  # id, name, city, note, day
Version = tuple[Any, ...]


def day(number: int | None) -> str | None:
    return None if number is None else (START + timedelta(days=number)).strftime("%Y-%m-%d %H:%M:%S")


def expected(changes: Sequence[Change], others: bool) -> list[Version]:
    """The history that follows from the rules, worked out one key at a time."""

    def greatness(change: Change) -> tuple[tuple[bool, str], ...]:
        values = change[1:4] if not others else (*change[1:3], change[3])
        return tuple((value is not None, value or "") for value in values)

    result: list[Version] = []
    for id in {change[0] for change in changes}:
        at: dict[int, Change] = {}
        for change in changes:
            if change[0] == id and (change[4] not in at or greatness(change) > greatness(at[change[4]])):
                at[change[4]] = change
        times = sorted(at)
        starts = [
            time
            for place, time in enumerate(times)
            if place == 0 or tracked(at[time], others) != tracked(at[times[place - 1]], others)
        ]
        for place, time in enumerate(starts):
            until = starts[place + 1] if place + 1 < len(starts) else None
            note = at[times[-1]][3] if others else at[time][3]
            result.append((id, *at[time][1:3], note, day(time), day(time), day(until), until is None))
    return sorted(result, key=lambda version: (version[0], version[5]))


def tracked(change: Change, others: bool) -> tuple[str | None, ...]:
    return change[1:3] if others else change[1:4]


class Bench:
    """One catalog, and tables in it made anew for each history."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con

    def begin(self, write: Write) -> None:
        self.write = write
        self.columns = output_columns(write, COLUMNS)
        self.target = make(self.con, "history", self.columns)
        self.batch = 0

    def publish(self, changes: Sequence[Change], day_of_build: int = 100) -> None:
        self.batch += 1
        values = [(*change[:4], day(change[4]), self.batch) for change in changes]
        statements = publish_statements(
            self.write,
            KEYS,
            self.target,
            rows(COLUMNS, values),
            COLUMNS,
            first=self.batch == 1,
            at=START + timedelta(days=day_of_build),
        )
        run(self.con, statements)

    def history(self) -> list[Version]:
        text = "strftime(valid_from, '%Y-%m-%d %H:%M:%S'), strftime(valid_to, '%Y-%m-%d %H:%M:%S')"
        query = f"""SELECT id, name, city, note, strftime(updated_at, '%Y-%m-%d %H:%M:%S'), {text}, is_current
                    FROM lake.zone.history ORDER BY id, valid_from"""
        return self.con.execute(query).fetchall()

    def state(self) -> list[Any]:
        return self.con.execute("SELECT * FROM lake.zone.history ORDER BY id, valid_from").fetchall()


@pytest.fixture(scope="module", params=KINDS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    con = connect(request.param, tmp_path_factory.mktemp("scd2"))
    yield Bench(con)
    con.close()


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    con = connect("duckdb", tmp_path_factory.mktemp("scd2"))
    yield Bench(con)
    con.close()


def write(**more: Any) -> Write:
    return Write(mode="scd2", scd2=Scd2(changed_at="updated_at", **more))


text = st.sampled_from(["a", "b", None])
change = st.tuples(st.integers(1, 2), text, text, st.sampled_from(["x", "y"]), st.integers(0, 5))


@st.composite
def batches(draw: st.DrawFn) -> list[list[Change]]:
    """Changes in any order, cut into batches anywhere, some of them sent twice."""
    changes = draw(st.lists(change, min_size=1, max_size=9))
    again = draw(st.lists(st.sampled_from(changes), max_size=3))
    order = draw(st.permutations([*changes, *again]))
    cuts = sorted(draw(st.lists(st.integers(1, len(order)), max_size=3)))
    bounds = [0, *cuts, len(order)]
    return [list(order[a:b]) for a, b in pairwise(bounds) if a < b]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=batches(), others=st.booleans())
def test_any_order_and_batching_gives_the_same_history(
    quick: Bench, parts: list[list[Change]], others: bool
) -> None:
    quick.begin(write(track=("name", "city")) if others else write())
    for part in parts:
        quick.publish(part)
    assert quick.history() == expected([one for part in parts for one in part], others)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=batches(), others=st.booleans())
def test_the_same_on_each_kind_of_table(bench: Bench, parts: list[list[Change]], others: bool) -> None:
    bench.begin(write(track=("name", "city")) if others else write())
    for part in parts:
        bench.publish(part)
    assert bench.history() == expected([one for part in parts for one in part], others)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=batches())
def test_known_changes_change_nothing(quick: Bench, parts: list[list[Change]]) -> None:
    quick.begin(write())
    for part in parts:
        quick.publish(part)
    before = quick.state()
    for part in reversed(parts):
        quick.publish(part)
    assert quick.state() == before


def spans(bench: Bench) -> list[tuple[Any, ...]]:
    """id, name, first day, last day, is_current of each version."""
    query = """SELECT id, name, date_diff('day', TIMESTAMP '2024-01-01', valid_from::TIMESTAMP),
               date_diff('day', TIMESTAMP '2024-01-01', valid_to::TIMESTAMP), is_current
               FROM lake.zone.history ORDER BY id, valid_from"""
    return bench.con.execute(query).fetchall()


def test_a_late_change_parts_a_version(bench: Bench) -> None:
    bench.begin(write())
    bench.publish([(1, "a", None, None, 1), (1, "a", None, None, 5)])
    assert spans(bench) == [(1, "a", 1, None, True)]
    bench.publish([(1, "b", None, None, 3)])
    assert spans(bench) == [(1, "a", 1, 3, False), (1, "b", 3, 5, False), (1, "a", 5, None, True)]
    # the day at which the last version starts is its own, not the first one's
    assert [one[4] for one in bench.history()] == [day(1), day(3), day(5)]


def test_versions_that_become_one_leave_no_row_behind(bench: Bench) -> None:
    bench.begin(write())
    bench.publish([(1, "b", None, None, 1), (1, "a", None, None, 3), (1, "b", None, None, 5)])
    assert len(spans(bench)) == 3
    bench.publish([(1, "b", None, None, 3)])  # greater than the other change of that time
    assert spans(bench) == [(1, "b", 1, None, True)]
    bench.publish([(1, "c", None, None, 4)])
    assert spans(bench) == [(1, "b", 1, 4, False), (1, "c", 4, 5, False), (1, "b", 5, None, True)]


def test_a_version_that_a_batch_ends_belongs_to_the_batch(bench: Bench) -> None:
    bench.begin(write())
    bench.publish([(1, "a", None, None, 1), (2, "a", None, None, 1)])
    bench.publish([(1, "b", None, None, 2)])
    query = "SELECT id, name, _batch_id FROM lake.zone.history ORDER BY id, valid_from"
    assert bench.con.execute(query).fetchall() == [(1, "a", 2), (1, "b", 2), (2, "a", 1)]


def test_keys_missing_from_a_complete_batch_end(bench: Bench) -> None:
    bench.begin(write(detect_deletes=True))
    bench.publish([(1, "a", None, None, 1), (2, "a", None, None, 1)], day_of_build=10)
    bench.publish([(1, "a", None, None, 1)], day_of_build=20)
    ended = [(1, "a", 1, None, True), (2, "a", 1, 20, False)]
    assert spans(bench) == ended
    bench.publish([(1, "a", None, None, 1)], day_of_build=30)
    assert spans(bench) == ended
    # a late change of a key that has ended is history before its end
    bench.publish([(1, "a", None, None, 1), (2, "b", None, None, 5)], day_of_build=40)
    assert spans(bench)[1:] == [(2, "a", 1, 5, False), (2, "b", 5, 20, False), (2, "b", 40, None, True)]


def test_a_key_that_comes_back_unchanged_has_a_gap(bench: Bench) -> None:
    bench.begin(write(detect_deletes=True))
    bench.publish([(1, "a", None, None, 1), (2, "a", None, None, 1)], day_of_build=10)
    bench.publish([(2, "a", None, None, 1)], day_of_build=20)
    bench.publish([(1, "a", None, None, 1), (2, "a", None, None, 1)], day_of_build=30)
    back = [(1, "a", 1, 20, False), (1, "a", 30, None, True), (2, "a", 1, None, True)]
    assert spans(bench) == back
    bench.publish([(1, "a", None, None, 1), (2, "a", None, None, 1)], day_of_build=40)
    assert spans(bench) == back


def test_rows_without_a_time_change_now(bench: Bench) -> None:
    bench.begin(write())
    bench.publish([(1, "a", None, None, 1)], day_of_build=10)
    statements = publish_statements(
        bench.write, KEYS, bench.target, rows(COLUMNS, [(1, "b", None, None, None, 2)]), COLUMNS,
        first=False, at=START + timedelta(days=20),
    )  # fmt: skip
    run(bench.con, statements)
    assert spans(bench) == [(1, "a", 1, 20, False), (1, "b", 20, None, True)]
    run(bench.con, statements)
    assert len(spans(bench)) == 2


def test_null_is_a_key_like_others(bench: Bench) -> None:
    bench.begin(write())
    bench.publish([(None, "a", None, None, 1)])  # type: ignore[list-item]
    bench.publish([(None, "b", None, None, 2)])  # type: ignore[list-item]
    assert spans(bench) == [(None, "a", 1, 2, False), (None, "b", 2, None, True)]


class TestWithoutTimes:
    """Without ``changed_at``, the build's time is the time of change."""

    def begin(self, bench: Bench, **more: Any) -> None:
        bench.begin(Write(mode="scd2", scd2=Scd2(**more)))

    def test_what_differs_changes_now(self, bench: Bench) -> None:
        self.begin(bench, track=("name", "city"))
        bench.publish([(1, "a", None, "x", 0), (2, "a", None, "x", 0)], day_of_build=10)
        before = bench.state()
        bench.publish([(1, "a", None, "x", 0), (2, "a", None, "x", 0)], day_of_build=20)
        assert bench.state() == before
        bench.publish([(1, "b", None, "x", 0)], day_of_build=30)
        assert spans(bench) == [(1, "a", 10, 30, False), (1, "b", 30, None, True), (2, "a", 10, None, True)]

    def test_columns_that_are_not_tracked_are_replaced_everywhere(self, bench: Bench) -> None:
        self.begin(bench, track=("name",))
        bench.publish([(1, "a", None, "x", 0)], day_of_build=10)
        bench.publish([(1, "b", None, "y", 0)], day_of_build=20)
        bench.publish([(1, "b", "c", "z", 0)], day_of_build=30)
        query = "SELECT name, city, note FROM lake.zone.history ORDER BY valid_from"
        assert bench.con.execute(query).fetchall() == [("a", "c", "z"), ("b", "c", "z")]

    def test_deletions_and_returns(self, bench: Bench) -> None:
        self.begin(bench, detect_deletes=True)
        bench.publish([(1, "a", None, None, 0), (2, "a", None, None, 0)], day_of_build=10)
        bench.publish([(2, "a", None, None, 0)], day_of_build=20)
        bench.publish([(1, "a", None, None, 0), (2, "a", None, None, 0)], day_of_build=30)
        assert spans(bench) == [(1, "a", 10, 20, False), (1, "a", 30, None, True), (2, "a", 10, None, True)]

    def test_a_clock_that_goes_back_loses_no_version(self, bench: Bench) -> None:
        self.begin(bench)
        bench.publish([(1, "a", None, None, 0)], day_of_build=10)
        bench.publish([(1, "b", None, None, 0)], day_of_build=10)
        bench.publish([(1, "c", None, None, 0)], day_of_build=5)
        found = bench.con.execute(
            "SELECT name, valid_to - valid_from, is_current FROM lake.zone.history ORDER BY valid_from"
        ).fetchall()
        tick = timedelta(microseconds=1)
        assert found == [("a", tick, False), ("b", tick, False), ("c", None, True)]


@pytest.mark.parametrize(
    ("columns", "scd2", "says"),
    [
        ({"id": "BIGINT", "valid_to": "DATE"}, {}, "'valid_to' is one that scd2 adds"),
        ({"id": "BIGINT", "at": "VARCHAR"}, {"changed_at": "at"}, "'at' is VARCHAR, not a date or timestamp"),
        ({"id": "BIGINT", "updated_at": "DATE"}, {"changed_at": "update_at"}, "did you mean 'updated_at'"),
        ({"id": "BIGINT"}, {"changed_at": "id"}, "is BIGINT, not a date"),
        ({"id": "BIGINT", "name": "VARCHAR"}, {"track": ("nam",)}, "scd2.track: there is no column 'nam'"),
    ],
)
def test_what_cannot_be_kept_is_refused(columns: dict[str, str], scd2: dict[str, Any], says: str) -> None:
    bad = Write(mode="scd2", scd2=Scd2(**scd2))
    with pytest.raises(LakewrightError, match="LW314") as caught:
        output_columns(bad, columns)
        publish_statements(bad, KEYS, table("zone.t"), rows(columns, []), columns, first=True, at=START)
    assert says in str(caught.value)


@pytest.mark.parametrize("kind", ["changes", "in_order", "snapshot"])
def test_both_spellings(kind: str, snapshot: Any) -> None:
    scd2 = (
        Scd2(changed_at="updated_at", track=("name",), detect_deletes=kind == "changes")
        if kind != "snapshot"
        else Scd2()
    )
    source = parse_one("SELECT id, name, city, note, updated_at, _batch_id FROM stage", dialect="duckdb")
    statements = publish_statements(
        Write(mode="scd2", scd2=scd2),
        KEYS,
        table("zone.history"),
        source,
        COLUMNS,
        first=False,
        at=START,
        surrogate="history_key" if kind == "in_order" else None,
    )
    for dialect in ("duckdb", "spark"):
        for number, one in enumerate(statements):
            sql = render(one, dialect, pretty=True)  # type: ignore[arg-type]
            assert parse_one(sql, dialect=dialect)
            assert sql == snapshot(name=f"{dialect}-{number}")
