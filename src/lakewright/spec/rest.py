"""What ``sources/*.yaml`` with ``kind: rest`` says: which requests are sent to an API, and what is taken of the answers."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Aged, Drift, Spec

__all__ = [
    "Auth",
    "OnStatus",
    "Paginator",
    "Parent",
    "RateLimit",
    "RestDataset",
    "RestIncremental",
    "RestSource",
]

#: What an answer of a status means: no records, left out and told of, or the end of the run.
OnStatus = Literal["empty", "skip", "fail"]

#: What a parameter of a request may be.
Value = str | int | float | bool


class Auth(Spec, frozen=True, kw_only=True):
    """How requests prove who sends them. Which keys are needed follows from ``type``.

    ``basic``: ``username``, ``password``. ``bearer``: ``token``. ``api_key``: ``key``, sent as ``name``
    in a header, a query parameter or a cookie. ``oauth2``: client credentials (RFC 6749, section 4.4)
    with ``token_url``, ``client_id``, ``client_secret``, ``scopes`` and further ``token_params``; the
    token is renewed before it expires and when the API refuses it.
    """

    type: Literal["basic", "bearer", "api_key", "oauth2"]
    username: str | None = None
    password: str | None = None
    token: str | None = None
    key: str | None = None
    name: str = "Authorization"
    in_: Literal["header", "query", "cookie"] = "header"
    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    client_auth: Literal["body", "basic"] = "body"
    scopes: tuple[str, ...] = ()
    token_params: dict[str, str] = {}


class Paginator(Spec, frozen=True, kw_only=True):
    """How the next page is asked for. Paths are JSON paths into the body, such as ``$.meta.next``.

    ``none``: one page. ``page``: ``param`` counts from ``start``, until a page is empty, ``total`` pages are
    read, or ``more`` is false. ``offset``: ``param`` grows by ``limit``, ``total`` counts records.
    ``cursor``: the value at ``next`` is sent as ``param``. ``link``: the ``Link`` header's ``rel`` (RFC 8288).
    ``next_url``: the address at ``next``. With ``in: body`` the parameters go into the JSON body.
    """

    type: Literal["none", "page", "offset", "cursor", "link", "next_url"]
    param: str | None = None
    start: int | None = None
    limit: int | None = None
    limit_param: str | None = None
    total: str | None = None
    more: str | None = None
    next: str | None = None
    rel: str = "next"
    in_: Literal["query", "body"] = "query"
    max_pages: int = 100_000


class RestIncremental(Spec, frozen=True, kw_only=True):
    """Ask for what is new only: records whose ``cursor`` is at least the greatest one taken before.

    ``cursor`` is the path of a time, date or number inside a record, ``param`` the query parameter that
    carries the position; ``start`` is its value the first time. ``lookback`` is taken off the position: a
    length of time, or a number. What raw holds already is not added again.
    """

    cursor: str
    param: str
    start: str | int | None = None
    lookback: str | None = None


class Parent(Spec, frozen=True, kw_only=True):
    """One request for each row of another dataset of this source.

    ``params`` gives the columns of ``dataset`` that fill ``{name}`` in the path, ``include`` those that are
    written into each record. ``rows: new`` asks for the rows of batches that came since the last time,
    ``all`` for all of them each time; left out, it is ``new`` where the parent is incremental.
    """

    dataset: str
    params: dict[str, str]
    include: dict[str, str] = {}
    rows: Literal["new", "all"] | None = None


class RateLimit(Spec, frozen=True, kw_only=True):
    """At most ``requests`` in every length of time ``per``, evenly spread; waits that the API asks for come on top."""

    requests: int
    per: str = "1s"


class RestDataset(Aged, frozen=True, kw_only=True):
    """One raw dataset made of the answers to a request; its name is its key under ``datasets``.

    ``path`` is appended to ``base_url``. ``records`` is the path of the list of records in a body; without
    it a body is a record, or a list of them. Without ``incremental`` everything is read each time, and what
    is read replaces what raw held before. ``keys`` tell which records are the same: one that comes on two
    pages of a load is taken once.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, Value] = {}
    headers: dict[str, str] = {}
    json: dict[str, object] | None = None
    records: str | None = None
    paginator: Paginator | None = None
    incremental: RestIncremental | None = None
    parent: Parent | None = None
    on_status: dict[str, OnStatus] = {}
    keys: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    on_drift: Drift = "evolve"
    on_unreadable: Literal["quarantine", "fail"] = "quarantine"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


class RestSource(Aged, frozen=True, tag_field="kind", tag="rest", kw_only=True):
    """Requests to an HTTP API that answers with JSON: ``kind: rest``.

    What is said here holds for all datasets; ``paginator``, ``headers`` and ``on_status`` can be said
    anew for one. ``timeout`` is for the connection and each silence in an answer. A request that fails for a
    passing reason (no connection, 408, 429, 5xx) is sent again ``retries`` times, after ``retry_wait``,
    twice that, and so on, or after what ``Retry-After`` says; longer than ``max_wait`` nobody waits.
    ``max_body`` is the greatest answer in bytes, unpacked. ``ca_file`` holds the certificates to trust instead of
    the system's.
    """

    base_url: str
    datasets: dict[str, RestDataset]
    headers: dict[str, str] = {}
    params: dict[str, Value] = {}
    auth: Auth | None = None
    paginator: Paginator = Paginator(type="none")
    on_status: dict[str, OnStatus] = {}
    rate_limit: RateLimit | None = None
    timeout: str = "60s"
    retries: int = 4
    retry_wait: str = "1s"
    max_wait: str = "5m"
    max_body: int = 1_000_000_000
    ca_file: str | None = None
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
