"""What an API can do wrong: limits, failures, answers that break off, lie or never end."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate
from typing import Any

import pytest
from rest_zone import Rest

from http_api import Answer
from lakewright.errors import LakewrightError, RunError
from lakewright.sources.rest.client import Connection, Hider

ONE: dict[str, Any] = {"d": {"path": "items", "records": "$.items"}}
GOOD = {"items": [{"id": 1}]}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; nobody waits."""
    found: list[float] = []
    monkeypatch.setattr(Connection, "sleep", lambda _, seconds: found.append(seconds))
    return found


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(rest: Rest, waits: list[float], status: int) -> None:
    rest.api.on("/items", GOOD)
    rest.api.first = [Answer("busy", status)] * 3
    rest.describe(ONE, retries=3, retry_wait="2s")
    assert rest.take().rows == 1
    assert waits == [2.0, 4.0, 8.0]


@pytest.mark.parametrize("status", [400, 404, 422, 501])
def test_another_failure_is_not(rest: Rest, waits: list[float], status: int) -> None:
    rest.api.on("/items", lambda _: Answer({"error": "filter is wrong"}, status))
    rest.describe(ONE, retries=3)
    with pytest.raises(LakewrightError, match="filter is wrong") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked), waits) == ("LW232", 1, [])


def test_retry_after_is_obeyed_as_number_and_as_date(rest: Rest, waits: list[float]) -> None:
    rest.api.on("/items", GOOD)
    date = formatdate(time.time() + 90, usegmt=True)
    rest.api.first = [Answer("", 429, {"Retry-After": "7"}), Answer("", 503, {"Retry-After": date})]
    rest.describe(ONE, retries=2)
    assert rest.take().rows == 1
    assert waits[0] == 7
    assert 80 < waits[1] <= 90


def test_a_wait_beyond_the_budget_ends_the_run(rest: Rest, waits: list[float]) -> None:
    rest.api.on("/items", lambda _: Answer("later", 429, {"Retry-After": "3600"}))
    rest.describe(ONE, retries=5, max_wait="1m")
    with pytest.raises(LakewrightError, match="asks to wait 3600 s; max_wait is 60 s") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked), waits) == ("LW233", 1, [])


def test_a_limit_that_never_lifts(rest: Rest, waits: list[float]) -> None:
    rest.api.on("/items", lambda _: Answer("later", 429))
    rest.describe(ONE, retries=2)
    with pytest.raises(LakewrightError, match="429 in 3 attempts") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked)) == ("LW233", 3)


def test_requests_are_spread(rest: Rest, waits: list[float]) -> None:
    pages = [{"items": [{"id": number}]} for number in range(4)]
    rest.api.on(
        "/items",
        lambda asked: Answer(
            pages[int(asked.query["page"])] if int(asked.query["page"]) < 4 else {"items": []}
        ),
    )
    rest.describe(
        {"d": {**ONE["d"], "paginator": {"type": "page", "start": 0}}},
        rate_limit={"requests": 2, "per": "10s"},
    )
    assert rest.take().rows == 4
    # nobody waited, so that the turns pile up: 5, 10, 15, 20 seconds away
    assert [round(one) for one in waits] == [0, 5, 10, 15, 20]


def test_an_answer_that_breaks_off_is_asked_for_again(rest: Rest) -> None:
    rest.api.on("/items", GOOD)
    rest.api.first = [Answer({"items": [{"id": 1}, {"id": 2}]}, cut=True)]
    rest.describe(ONE, retries=1)
    assert (rest.take().rows, len(rest.api.asked)) == (1, 2)
    rest.api.first = [Answer(GOOD, cut=True)] * 2
    with pytest.raises(LakewrightError, match="broke off or is damaged") as caught:
        rest.take()
    assert caught.value.code == "LW230"


def test_an_answer_that_is_too_large(rest: Rest) -> None:
    rest.api.on("/items", {"items": ["x" * 50_000]})
    rest.describe(ONE, max_body=40_000, retries=3)
    with pytest.raises(LakewrightError, match="longer than 40,000 bytes") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked)) == ("LW235", 1)


def test_an_answer_that_is_silent(rest: Rest) -> None:
    rest.api.on("/items", lambda _: Answer(GOOD, slow=1.0))
    rest.describe(ONE, timeout="200ms")
    with pytest.raises(LakewrightError) as caught:
        rest.take()
    assert caught.value.code == "LW230"


def test_an_answer_that_trickles_ends_when_the_task_is_told_to_stop(rest: Rest) -> None:
    rest.api.on("/items", lambda _: Answer({"items": ["x" * 100_000]}, slow=0.01))
    rest.describe(ONE, timeout="5s", max_body=1_000_000)
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise RunError("LW614", "cancelled")

    with pytest.raises(LakewrightError, match="LW614"):
        rest.take(check=check)
    assert rest.zone.files() == []


def test_hosts_that_cannot_be_reached(rest: Rest) -> None:
    rest.describe(ONE, base_url="http://no-such-host.invalid/v1?x=1")
    with pytest.raises(
        LakewrightError, match=r"no-such-host\.invalid cannot be reached: the host name is not known"
    ):
        rest.take()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        rest.describe(ONE, base_url=f"http://127.0.0.1:{port}", retries=1)
        with pytest.raises(
            LakewrightError, match=r"cannot be reached \(2 attempts\): Connection refused"
        ) as caught:
            rest.take()
    assert caught.value.code == "LW230"


def test_an_address_that_speaks_no_tls(rest: Rest) -> None:
    rest.describe(ONE, base_url=f"https://127.0.0.1:{rest.api.port}", retries=3)
    with pytest.raises(LakewrightError, match="LW230"):
        rest.take()


STATUS: dict[str, Any] = {"404": "empty", "422": "skip", "410": "fail"}


@pytest.mark.parametrize(
    ("status", "meaning"), [(404, "empty"), (422, "skip"), (204, "empty"), (410, "fail")]
)
def test_what_a_status_means(rest: Rest, status: int, meaning: str) -> None:
    rest.api.on("/items", lambda _: Answer({"detail": "x"}, status))
    rest.describe({"d": {**ONE["d"], "on_status": STATUS}})
    if meaning == "fail":
        with pytest.raises(LakewrightError, match="LW232"):
            rest.take()
        return
    taken = rest.take()
    assert (taken.rows, taken.rejected) == (0, 0)
    assert rest.answers(taken)[0]["status"] == status
    assert [note for note in taken.notes if "left out" in note] == (
        ["1 requests were left out, as on_status says"] if meaning == "skip" else []
    )
    # a status ends the paging, after what came before it
    rest.api.on("/items", GOOD)
    assert (rest.take().rows, rest.rows()) == (1, [(1,)])


BAD: dict[str, tuple[Answer, str]] = {
    "html": (Answer(b"<html>maintenance</html>"), "not JSON: invalid character"),
    "cut": (Answer(b'{"items": [1, 2'), "not JSON: Input data was truncated"),
    "path": (Answer({"itens": [1]}), "$ has no items; did you mean 'itens'?"),
    "empty": (Answer(b""), "the body is empty"),
    "latin": (Answer('{"items": ["Zoë"]}'.encode("latin-1")), "not valid utf-8 at byte"),
    "charset": (
        Answer(b"{}", headers={"Content-Type": "application/json; charset=klingon"}),
        "'klingon' is not known",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_without_records_is_quarantined(rest: Rest, name: str) -> None:
    answer, reason = BAD[name]
    rest.api.on("/items", lambda _: answer)
    rest.describe(ONE)
    taken = rest.take()
    assert (taken.batch, taken.rows, taken.rejected) == (1, 0, 1)
    (row,) = taken.quarantined.to_pylist()
    assert reason in row["reason"]
    assert row["line"] == 1
    # raw keeps it byte for byte
    kept = rest.answers(taken)[0]
    assert kept.get("body", "").encode() == answer.data or "body_base64" in kept
    # the same again is nothing new
    assert rest.take().batch == 0
    rest.describe({"d": {**ONE["d"], "on_unreadable": "fail"}})
    with pytest.raises(LakewrightError, match="LW202"):
        rest.take()


def test_an_answer_in_another_encoding_is_read(rest: Rest) -> None:
    body = '{"items": [{"name": "Zoë"}]}'.encode("latin-1")
    rest.api.on(
        "/items", lambda _: Answer(body, headers={"Content-Type": "application/json; charset=ISO-8859-1"})
    )
    rest.describe(ONE)
    taken = rest.take()
    assert rest.rows() == [("Zoë",)]
    import base64

    assert base64.b64decode(rest.answers(taken)[0]["body_base64"]) == body


def test_a_load_that_is_not_whole_does_not_replace_what_was(rest: Rest) -> None:
    rest.api.on(
        "/items",
        lambda asked: Answer([{"id": int(asked.query["page"])}] if int(asked.query["page"]) < 4 else []),
    )
    rest.describe({"d": {"path": "items", "paginator": {"type": "page"}}})
    rest.take()
    rest.api.first = [Answer([{"id": 1}]), Answer(b"oops")]
    taken = rest.take()
    assert (taken.rows, taken.rejected, rest.rows()) == (0, 1, [(1,), (2,), (3,)])
    assert "what raw held before stays" in " ".join(taken.notes)
    assert rest.take().batch == 0


def test_addresses_are_shown_without_secrets() -> None:
    hider = Hider(lambda text: text.replace("${secret:A}", "a b/c"), ("X-Own",))
    assert hider.resolve("${secret:A}") == "a b/c"
    assert (
        hider.url("https://u:p@h/a%20b%2Fc/x?x-own=1&api_key=2&q=a+b%2Fc&n=5")
        == "https://h/***/x?x-own=***&api_key=***&q=***&n=5"
    )
