"""Every way of proving who asks; no secret is left in raw, in the state or in an error."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl

import pytest
from rest_zone import Rest

from http_api import Answer, Asked
from lakewright.errors import LakewrightError

SECRET = "s3cr3t/+ value"


def signed(asked: Asked, kind: str) -> bool:
    """Whether a request carries the secret as *kind* says."""
    basic = "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode()
    return {
        "basic": asked.headers.get("authorization") == basic,
        "bearer": asked.headers.get("authorization") == f"Bearer {SECRET}",
        "header": asked.headers.get("x-key") == SECRET,
        "query": asked.query.get("x-key") == SECRET,
        "cookie": asked.headers.get("cookie") == f"x-key={SECRET}",
    }[kind]


AUTH: dict[str, dict[str, Any]] = {
    "basic": {"type": "basic", "username": "ann", "password": "${secret:KEY}"},
    "bearer": {"type": "bearer", "token": "${secret:KEY}"},
    **{
        place: {"type": "api_key", "key": "${secret:KEY}", "name": "x-key", "in": place}
        for place in ("header", "query", "cookie")
    },
}


@pytest.mark.parametrize("kind", AUTH)
def test_requests_are_signed_and_no_secret_is_kept(rest: Rest, kind: str) -> None:
    rest.secrets["KEY"] = SECRET
    rest.api.on("/items", lambda asked: Answer([{"id": 1}]) if signed(asked, kind) else Answer("no", 401))
    rest.describe({"d": {"path": "items"}}, auth=AUTH[kind])
    taken = rest.take()
    assert taken.rows == 1
    kept = rest.everything()
    assert SECRET.encode() not in kept
    assert b"s3cr3t" not in kept
    (answer,) = rest.answers(taken)
    assert answer["url"] == rest.api.url + ("/items?x-key=***" if kind == "query" else "/items")


@pytest.mark.parametrize("kind", AUTH)
def test_an_error_shows_no_secret(rest: Rest, kind: str) -> None:
    rest.secrets["KEY"] = SECRET
    rest.api.on("/items", lambda _: Answer(f"who is {SECRET}?".encode(), 403))
    rest.describe({"d": {"path": "items"}}, auth=AUTH[kind])
    with pytest.raises(LakewrightError) as caught:
        rest.take()
    assert caught.value.code == "LW231"
    assert "403" in str(caught.value) and "who is ***?" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_secret_in_path_parameter_and_header(rest: Rest) -> None:
    rest.secrets["KEY"] = SECRET
    rest.api.on("/bot-token/items", [1])
    rest.secrets["TOKEN"] = "bot-token"
    rest.describe(
        {
            "d": {
                "path": "${secret:TOKEN}/items",
                "params": {"q": "${secret:KEY}"},
                "headers": {"X-Own": "${secret:KEY}"},
            }
        }
    )
    taken = rest.take()
    assert rest.api.asked[0].query == {"q": SECRET}
    assert rest.api.asked[0].headers["x-own"] == SECRET
    assert rest.answers(taken)[0]["url"] == f"{rest.api.url}/***/items?q=***"


class Tokens:
    """A token address, and data behind it: tokens live for *uses* requests, and *expires* seconds by their own word."""

    def __init__(self, rest: Rest, uses: int = 100, expires: Any = 3600) -> None:
        self.given: list[Asked] = []
        self.uses, self.left, self.expires = uses, 0, expires
        rest.api.on("/token", self.token)
        rest.api.on("/items", self.items)

    def token(self, asked: Asked) -> Answer:
        self.given.append(asked)
        self.left = self.uses
        return Answer(
            {"access_token": f"token-{len(self.given)}", "token_type": "bearer", "expires_in": self.expires}
        )

    def items(self, asked: Asked) -> Answer:
        self.left -= 1
        good = asked.headers.get("authorization") == f"Bearer token-{len(self.given)}" and self.left >= 0
        page = int(asked.query["page"])
        return Answer([page] if page <= 7 else []) if good else Answer("expired", 401)


OAUTH: dict[str, Any] = {
    "type": "oauth2",
    "client_id": "me",
    "client_secret": "${secret:KEY}",
    "scopes": ["read", "list"],
    "token_params": {"audience": "items"},
}


@pytest.mark.parametrize("client_auth", ["body", "basic"])
def test_a_token_is_obtained_and_used_for_all_pages(rest: Rest, client_auth: str) -> None:
    rest.secrets["KEY"] = SECRET
    tokens = Tokens(rest)
    auth = {**OAUTH, "token_url": f"{rest.api.url}/token", "client_auth": client_auth}
    rest.describe({"d": {"path": "items", "paginator": {"type": "page"}}}, auth=auth)
    assert rest.take().rows == 7
    (asked,) = tokens.given
    sent = dict(parse_qsl(asked.body.decode()))
    assert (sent["grant_type"], sent["scope"], sent["audience"]) == (
        "client_credentials",
        "read list",
        "items",
    )
    if client_auth == "body":
        assert (sent["client_id"], sent["client_secret"]) == ("me", SECRET)
    else:
        assert "client_secret" not in sent
        assert asked.headers["authorization"].startswith("Basic ")
    assert b"token-1" not in rest.everything()


def test_a_token_refused_in_the_middle_is_renewed(rest: Rest) -> None:
    rest.secrets["KEY"] = SECRET
    tokens = Tokens(rest, uses=3)
    rest.describe(
        {"d": {"path": "items", "paginator": {"type": "page"}}},
        auth={**OAUTH, "token_url": f"{rest.api.url}/token"},
    )
    taken = rest.take()
    assert (taken.rows, len(tokens.given)) == (7, 3)
    assert rest.rows() == [(number,) for number in range(1, 8)]
    assert {answer["status"] for answer in rest.answers(taken)} == {200}


def test_a_token_is_renewed_before_it_expires(rest: Rest) -> None:
    rest.secrets["KEY"] = SECRET
    tokens = Tokens(rest, expires=0.001)
    rest.describe(
        {"d": {"path": "items", "paginator": {"type": "page"}}},
        auth={**OAUTH, "token_url": f"{rest.api.url}/token"},
    )
    assert rest.take().rows == 7
    assert len(tokens.given) >= 7
    assert all(asked.headers.get("authorization") != "Bearer None" for asked in rest.api.asked)


@pytest.mark.parametrize(
    "answer",
    [Answer({"error": "invalid_client"}, 401), Answer(b"<html>"), Answer({"token": 1}), Answer([])],
    ids=["refused", "html", "no-token", "list"],
)
def test_no_token_is_an_error(rest: Rest, answer: Answer) -> None:
    rest.secrets["KEY"] = SECRET
    rest.api.on("/token", lambda _: answer)
    rest.describe({"d": {"path": "items"}}, auth={**OAUTH, "token_url": f"{rest.api.url}/token"})
    with pytest.raises(LakewrightError) as caught:
        rest.take()
    assert caught.value.code == "LW231"
    assert "s3cr3t" not in str(caught.value)


def test_a_token_that_is_always_refused_is_renewed_once(rest: Rest) -> None:
    rest.secrets["KEY"] = SECRET
    rest.api.on("/token", {"access_token": "token-x"})
    rest.api.on("/items", lambda _: Answer("no", 401))
    rest.describe({"d": {"path": "items"}}, auth={**OAUTH, "token_url": f"{rest.api.url}/token"})
    with pytest.raises(LakewrightError) as caught:
        rest.take()
    assert caught.value.code == "LW231"
    assert len([asked for asked in rest.api.asked if asked.path == "/items"]) == 2
