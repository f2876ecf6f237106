"""Reading on from a position: nothing is lost at the boundary, and nothing is taken twice."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_zone import Zone
from rest_zone import Rest

from http_api import Answer, Api, Asked, serve
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.lake.raw import LocalStore
from lakewright.sources.positions import positions_of
from lakewright.sources.rest import take as take_module
from lakewright.sources.rest.cursor import Reached, start_of
from lakewright.spec.project import Engine
from lakewright.spec.rest import RestIncremental
from lakewright.state import State

Record = dict[str, Any]


def since(records: list[Record], size: int = 3, newest_first: bool = False) -> Any:
    """A route that gives the records whose ``at`` is not less than ``since``, in pages."""

    def route(asked: Asked) -> Answer:
        first = asked.query.get("since", "")
        found = [one for one in records if str(one.get("at") or "9") >= first]
        found.sort(key=lambda one: str(one.get("at")), reverse=newest_first)
        at = (int(asked.query.get("page", "1")) - 1) * size
        return Answer({"items": found[at : at + size]})

    return route


def describe(rest: Rest, **incremental: Any) -> None:
    rest.describe(
        {
            "d": {
                "path": "items",
                "records": "$.items",
                "paginator": {"type": "page"},
                "incremental": {"cursor": "at", "param": "since", **incremental},
            }
        }
    )


def position(rest: Rest) -> str | None:
    return positions_of(rest.zone.state, "raw.d", Reached)[-1][1].cursor


def test_only_what_is_new_is_taken(rest: Rest) -> None:
    records = [{"id": 1, "at": "2024-01-01T10:00:00Z"}, {"id": 2, "at": "2024-01-02T10:00:00Z"}]
    rest.api.on("/items", since(records))
    describe(rest, start="2024-01-01")
    assert (rest.take().rows, position(rest)) == (2, "2024-01-02T10:00:00Z")
    assert rest.api.asked[0].query["since"] == "2024-01-01"
    assert rest.take().batch == 0
    # one that ties with the last comes later, and one that was changed comes again
    records += [{"id": 3, "at": "2024-01-02T10:00:00Z"}, {"id": 4, "at": "2024-01-03T10:00:00Z"}]
    taken = rest.take()
    assert (taken.batch, taken.rows, position(rest)) == (2, 2, "2024-01-03T10:00:00Z")
    records[0]["at"] = "2024-01-04T10:00:00Z"
    assert (rest.take().rows, sorted(rest.rows("d", "id"))) == (1, [(1,), (1,), (2,), (3,), (4,)])
    assert rest.api.asked[-1].query["since"] == "2024-01-03T10:00:00Z"


def test_records_alike_are_counted(rest: Rest) -> None:
    # no key tells them apart, and both are there
    records = [{"at": "2024-01-01"}, {"at": "2024-01-01"}]
    rest.api.on("/items", since(records))
    describe(rest)
    assert rest.take().rows == 2
    assert rest.take().batch == 0
    records.append({"at": "2024-01-01"})
    assert (rest.take().rows, len(rest.rows())) == (1, 3)


def test_a_late_record_is_found_by_looking_back(rest: Rest) -> None:
    records = [{"id": 1, "at": "2024-01-05T10:00:00Z"}]
    rest.api.on("/items", since(records))
    describe(rest, lookback="36h")
    rest.take()
    records.append({"id": 2, "at": "2024-01-04T10:00:00Z"})
    assert (rest.take().rows, rest.rows("d", "id")) == (1, [(1,), (2,)])
    assert rest.api.asked[-2].query["since"] == "2024-01-03T22:00:00Z"


def test_positions_that_are_numbers(rest: Rest) -> None:
    records = [{"id": 1, "at": 999}, {"id": 2, "at": 9007199254740993}]
    rest.api.on("/items", lambda asked: Answer({"items": records if asked.query["page"] == "1" else []}))
    describe(rest, lookback="10")
    rest.take()
    assert position(rest) == "9007199254740993"
    assert rest.take().batch == 0
    assert rest.api.asked[-1].query["since"] == "9007199254740983"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([{"id": 1}], "no record has a cursor at 'at'"),
        ([{"at": "soon"}], "such as 'soon'"),
        ([{"at": 5}, {"at": "2024-01-01"}], "numbers and times together"),
    ],
)
def test_a_cursor_that_is_none(rest: Rest, records: list[Record], said: str) -> None:
    rest.api.on("/items", since(records))
    describe(rest)
    with pytest.raises(LakewrightError, match=said) as caught:
        rest.take()
    assert (caught.value.code, rest.zone.files()) == ("LW237", [])


def test_the_position_stays_when_an_answer_cannot_be_read(rest: Rest) -> None:
    records = [{"id": number, "at": f"2024-01-{number:02}"} for number in range(1, 8)]
    rest.api.on("/items", since(records, newest_first=True))
    describe(rest)
    # the newest page came, the others did not: to go on from it would lose them
    rest.api.first = [Answer({"items": records[:3:-1]}), Answer(b"oops")]
    taken = rest.take()
    assert (taken.rows, taken.rejected, position(rest)) == (3, 1, None)
    assert "the position stays" in " ".join(taken.notes)
    assert (rest.take().rows, position(rest)) == (4, "2024-01-07")
    assert sorted(rest.rows("d", "id")) == [(number,) for number in range(1, 8)]


def test_records_of_one_key_on_two_pages(rest: Rest) -> None:
    pages = [[{"id": 1, "v": 1}, {"id": 2, "v": 1}], [{"id": 2, "v": 2}, {"id": None}, {"id": None}], []]
    rest.api.on("/items", lambda asked: Answer(pages[int(asked.query["page"]) - 1]))
    rest.describe({"d": {"path": "items", "paginator": {"type": "page"}, "keys": ("id",)}})
    assert rest.take().rows == 4
    assert rest.rows("d", "id", "v") == [(1, 1), (2, 2), (None, None), (None, None)]


def test_a_crash_before_the_manifest_loses_and_doubles_nothing(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"id": 1, "at": "2024-01-01"}]
    rest.api.on("/items", since(records))
    describe(rest)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(take_module, "record", crash)
    with pytest.raises(KeyboardInterrupt):
        rest.take()
    assert (rest.zone.files(), positions_of(rest.zone.state, "raw.d", Reached)) == ([], [])
    monkeypatch.undo()
    assert (rest.take().rows, rest.take().batch, rest.rows("d", "id")) == (1, 0, [(1,)])


@pytest.mark.parametrize(
    ("reached", "lookback", "start"),
    [
        ("2024-03-01", "1h", "2024-02-29"),
        ("2024-03-01T00:30:00+02:00", "1h", "2024-02-29T23:30:00+02:00"),
        ("2024-03-01 00:30:00.5", "1h", "2024-02-29 23:30:00.500000"),
        ("1700000000.25", "0.25", "1700000000.00"),
        ("2024-03-01", None, "2024-03-01"),
    ],
)
def test_the_look_back_keeps_the_form_of_the_position(reached: str, lookback: str | None, start: str) -> None:
    spec = RestIncremental(cursor="at", param="since", lookback=lookback)
    assert start_of(spec, reached, "raw.d") == start


def test_a_look_back_of_another_kind() -> None:
    for lookback, reached in (("1h", "17"), ("17", "2024-01-01")):
        with pytest.raises(LakewrightError, match="LW237"):
            start_of(RestIncremental(cursor="at", param="since", lookback=lookback), reached, "raw.d")


_days = st.integers(1, 9).map(lambda day: f"2024-01-{day:02}")
_batch = st.lists(st.tuples(_days, st.integers(0, 2)), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_batch, st.booleans()), min_size=1, max_size=5))
def test_any_interleaving_of_records_and_loads(rounds: list[tuple[list[tuple[str, int]], bool]]) -> None:
    """Records come in the order of their times, many at once and alike; after any loads raw holds each as often."""
    with tempfile.TemporaryDirectory() as folder, serve() as api:
        root = Path(folder)
        with Session.open(Engine(threads=2), root=root) as session:
            state = State("sqlite:.lakewright/state.db", root)
            zone = Zone(root, LocalStore(root / "lake" / "raw"), state, session.cursor(), root)
            _interleave(Rest(zone, api), api, rounds)
            state.close()


def _interleave(rest: Rest, api: Api, rounds: list[tuple[list[tuple[str, int]], bool]]) -> None:
    records: list[Record] = []
    # pages can be alike, which paging would take for going round in circles
    api.on("/items", since(records, size=1000))
    describe(rest)
    api.routes["/items"] = _one_page(records)
    newest = ""
    for added, load in [*rounds, ([], True)]:
        for day, value in sorted(added):
            # what comes later is not older than the newest: that is what a cursor promises
            newest = max(newest, day)
            records.append({"at": newest, "v": value})
        if load:
            rest.take()
    expected = sorted((one["at"], one["v"]) for one in records)
    assert (
        sorted((str(at), value) for at, value in (rest.rows("d", "at", "v") if records else [])) == expected
    )
    assert rest.take().batch == 0


def _one_page(records: list[Record]) -> Any:
    def route(asked: Asked) -> Answer:
        first = asked.query.get("since", "")
        return Answer(
            {"items": [one for one in records if one["at"] >= first] if asked.query["page"] == "1" else []}
        )

    return route
