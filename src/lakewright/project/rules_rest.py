"""What the keys of a source of requests must hold, by field; :mod:`lakewright.project.rules` takes these in."""

from __future__ import annotations

import re

from lakewright.spec.rest import Auth, Paginator, RateLimit, RestDataset, RestSource

__all__ = ["RANGES", "SECRET", "SECRET_INSIDE", "base_url", "dotted", "status"]


def base_url(text: str) -> str:
    """An address to send requests to."""
    return "" if re.match(r"https?://[^/\s]", text) else "an address such as https://api.example.com/v1"


def status(text: str) -> str:
    """The status of an answer."""
    return "" if re.fullmatch(r"[2-5]\d\d", text) else "a status such as 404"


def dotted(text: str) -> str:
    """The name of a function in a module."""
    return "" if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", text) else "a function as module.function"


RANGES: dict[tuple[type, str], tuple[float, float | None]] = {
    (Paginator, "limit"): (1, None),
    (Paginator, "max_pages"): (1, None),
    (RateLimit, "requests"): (1, None),
    (RestSource, "retries"): (0, 100),
    (RestSource, "max_body"): (1, None),
}

SECRET: frozenset[tuple[type, str]] = frozenset(
    {(Auth, "password"), (Auth, "token"), (Auth, "key"), (Auth, "client_secret")}
)

SECRET_INSIDE: frozenset[tuple[type, str]] = frozenset(
    {
        (RestSource, "base_url"),
        (RestSource, "headers"),
        (RestSource, "params"),
        (RestDataset, "path"),
        (RestDataset, "headers"),
        (RestDataset, "params"),
        (Auth, "username"),
        (Auth, "client_id"),
        (Auth, "token_url"),
        (Auth, "token_params"),
    }
)
