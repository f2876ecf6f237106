"""Every style of paging: all records, once, and an end."""

from __future__ import annotations

from typing import Any

import pytest
from rest_zone import Rest

from http_api import Answer, Asked, paged
from lakewright.errors import LakewrightError

RECORDS = [{"id": number, "name": f"name {number}"} for number in range(1, 8)]
ROWS = [(number, f"name {number}") for number in range(1, 8)]

STYLES: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "page": ("page", {}),
    "page-total": ("page", {"total": "$.meta.pages"}),
    "page-more": ("page", {"more": "$.meta.more", "limit": 3, "limit_param": "per_page"}),
    "offset": ("offset", {"limit": 3}),
    "offset-total": ("offset", {"limit": 3, "total": "$.meta.total"}),
    "cursor": ("cursor", {"next": "$.meta.next", "param": "after"}),
    "link": ("link", {}),
    "next-url": ("next_url", {"next": "$['@odata.nextLink']"}),
}  # fmt: skip


@pytest.mark.parametrize("name", STYLES)
def test_every_style_of_paging(rest: Rest, name: str) -> None:
    style, settings = STYLES[name]
    rest.api.on("/items", paged(RECORDS, style, 3))
    records = None if style == "link" else "$.items"
    rest.describe({"d": {"path": "/items", "records": records, "paginator": {"type": style, **settings}}})
    taken = rest.take()
    assert (taken.batch, taken.rows, taken.rejected) == (1, 7, 0)
    assert rest.rows() == ROWS
    pages = {"none": 1, "page": 4, "offset": 4}.get(name, 3)
    assert len(rest.api.asked) == len(rest.answers(taken)) == pages
    assert taken.summary.startswith(f"{pages} answer")
    if name == "page-more":
        assert rest.api.asked[0].query == {"page": "1", "per_page": "3"}


@pytest.mark.parametrize("style", ["page", "offset", "cursor"])
def test_paging_in_the_body_of_a_post(rest: Rest, style: str) -> None:
    rest.api.on("/search", paged(RECORDS, style, 3))
    paginator: dict[str, Any] = {"type": style, "in": "body"}
    paginator |= {"offset": {"limit": 3}, "cursor": {"next": "$.meta.next", "param": "after"}}.get(style, {})
    rest.describe(
        {
            "d": {
                "path": "search",
                "method": "POST",
                "json": {"q": ["x"]},
                "records": "$.items",
                "paginator": paginator,
            }
        }
    )
    assert (rest.take().rows, rest.rows()) == (7, ROWS)
    assert {asked.method for asked in rest.api.asked} == {"POST"}
    assert all(asked.json["q"] == ["x"] and not asked.query for asked in rest.api.asked)


def test_a_page_that_comes_twice_is_an_error(rest: Rest) -> None:
    # an API that does not know the parameter gives the first page for ever
    rest.api.on("/items", lambda asked: Answer({"items": RECORDS[:3], "you_asked": asked.query}))
    rest.describe({"d": {"path": "items", "records": "$.items", "paginator": {"type": "page"}}})
    with pytest.raises(LakewrightError, match="the same page came twice") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked), rest.zone.files()) == ("LW234", 2, [])
    # a cursor that leads back to itself, though there are no records on the way
    rest.api.on("/items", {"items": [], "next": "again"})
    rest.describe(
        {"d": {"path": "items", "records": "$.items", "paginator": {"type": "cursor", "next": "$.next"}}}
    )
    with pytest.raises(LakewrightError, match="LW234"):
        rest.take()


def test_pages_beyond_the_most_are_an_error(rest: Rest) -> None:
    rest.api.on("/items", lambda asked: Answer([int(asked.query["page"])]))
    rest.describe({"d": {"path": "items", "paginator": {"type": "page", "max_pages": 5}}})
    with pytest.raises(LakewrightError, match="more than 5 pages") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked)) == ("LW234", 5)


def test_an_answer_that_does_not_tell_the_next_page(rest: Rest) -> None:
    rest.api.on("/items", {"items": [1], "meta": {"total": "many secrets"}})
    rest.describe(
        {"d": {"path": "items", "records": "$.items", "paginator": {"type": "page", "total": "$.meta.total"}}}
    )
    with pytest.raises(LakewrightError, match="the next page cannot be told") as caught:
        rest.take()
    assert caught.value.code == "LW234"
    assert "many secrets" not in str(caught.value)


def test_the_next_page_on_another_host_is_not_asked_for(rest: Rest) -> None:
    rest.secrets["KEY"] = "very-secret"
    rest.api.on("/items", {"items": [1], "next": f"http://localhost:{rest.api.port}/items"})
    rest.describe(
        {"d": {"path": "items", "records": "$.items", "paginator": {"type": "next_url", "next": "$.next"}}},
        auth={"type": "api_key", "key": "${secret:KEY}", "name": "X-Key"},
    )
    with pytest.raises(LakewrightError, match="another host: http://localhost") as caught:
        rest.take()
    assert (caught.value.code, len(rest.api.asked)) == ("LW236", 1)


def test_a_redirect_to_another_host_is_not_followed(rest: Rest) -> None:
    elsewhere = f"http://localhost:{rest.api.port}/items"
    rest.api.on("/away", lambda _: Answer(status=302, headers={"Location": elsewhere}))
    rest.api.on("/near", lambda _: Answer(status=302, headers={"Location": "/items"}))
    rest.api.on("/items", [1, 2])
    rest.describe({"d": {"path": "near"}, "e": {"path": "away"}})
    assert rest.take("d").rows == 2
    with pytest.raises(LakewrightError, match="LW236"):
        rest.take("e")


def test_paging_goes_on_where_parameters_are_in_the_link(rest: Rest) -> None:
    def route(asked: Asked) -> Answer:
        assert "since" in asked.query
        link = {} if "page" in asked.query else {"Link": '</items?since=1&page=2>; rel="next"'}
        return Answer([int(asked.query.get("page", 1))], headers=link)

    rest.api.on("/items", route)
    rest.describe({"d": {"path": "items", "params": {"since": 1}, "paginator": {"type": "link"}}})
    assert (rest.take().rows, rest.rows()) == (2, [(1,), (2,)])
    assert rest.api.asked[1].query == {"since": "1", "page": "2"}
