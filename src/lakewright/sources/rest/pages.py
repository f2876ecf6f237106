"""The answers to one request of a REST source, page by page, until the API says that there is no more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.sources.helpers.rest_client.client import RESTClient
from requests import Response
from requests import exceptions as failures
from requests.auth import AuthBase

from lakewright.errors import RunError
from lakewright.sources.json_files import follow, lines_of, syntax_problem
from lakewright.sources.rest.client import Connection
from lakewright.sources.rest.paging import paginator_of
from lakewright.sources.text import Unreadable
from lakewright.spec.rest import OnStatus, Paginator
from lakewright.state import now

__all__ = ["Ask", "Page", "Pages"]


_ONE_PAGE = Paginator(type="none")


@dataclass(frozen=True)
class Ask:
    """One request: a path after the base address, and what goes with it."""

    path: str
    method: str = "GET"
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    paginator: Paginator = _ONE_PAGE
    records: str | None = None
    on_status: Mapping[str, OnStatus] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One answer: its body as it came, and the records found in it, one per line.

    ``problem`` says why there are none in a body that should have some; ``skipped`` that its status is declared
    ``skip``. ``url`` holds no secret.
    """

    url: str
    method: str
    status: int
    at: datetime
    content_type: str
    body: bytes
    lines: bytes = b""
    records: int = 0
    problem: str = ""
    skipped: bool = False


class _End(Exception):
    """The page was the last one, whatever the paginator would make of it."""


class Pages:
    """Asks an API. One object serves the requests of one load, one after the other."""

    def __init__(self, base_url: str, connection: Connection, auth: AuthBase | None) -> None:
        self._connection = connection
        self._client = _Client(
            base_url,
            auth=auth,
            session=connection.session,
            # the configuration that dlt would look for in its own files and variables
            config=RuntimeConfiguration(),
        )
        self._client.connection = connection

    def of(self, ask: Ask) -> Iterator[Page]:
        """Yield the answers to *ask*.

        Raises LW230 (no answer), LW231 (refused), LW232 (a failure), LW233 (rate limit), LW234 (paging that goes
        round in circles or cannot go on), LW235 (too long), LW236 (another host).
        """
        client = self._client
        client.begin(ask)
        found = client.paginate(
            ask.path,
            method=ask.method,  # type: ignore[arg-type]
            params=dict(ask.params),
            json=msgspec.json.decode(msgspec.json.encode(ask.json)) if ask.json is not None else None,
            headers=dict(ask.headers),
            paginator=paginator_of(ask.paginator),
            data_selector="$",
            hooks={"response": []},  # dlt would raise its own errors
        )
        count = 0
        while True:
            try:
                next(found)
            except (_End, StopIteration) as end:
                if isinstance(end, _End):
                    yield client.page
                return
            except failures.RequestException as error:
                raise self._connection.failed(error) from None
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise RunError(
                    "LW234",
                    f"{client.page.url}: the next page cannot be told from the answer "
                    f"(paginator {ask.paginator.type}): {_first(error)}",
                ) from None
            yield client.page
            count += 1
            if count >= ask.paginator.max_pages:
                raise RunError(
                    "LW234", f"{client.page.url}: there are more than {count:,} pages, which is max_pages"
                )


class _Client(RESTClient):
    """dlt's client, that takes bodies as they are instead of turning every record into Python values."""

    connection: Connection
    page: Page
    _ask: Ask
    _seen: set[bytes]

    def begin(self, ask: Ask) -> None:
        """Start anew: what was seen before belongs to another request."""
        self._ask = ask
        self._seen = set()

    def extract_response(self, response: Response, data_selector: Any) -> list[Any]:
        """Return the records of an answer, for the paginator to see whether there are any."""
        meaning = self._ask.on_status.get(str(response.status_code))
        if meaning == "fail" or (meaning is None and response.status_code >= 300):
            raise self.connection.refused(response)
        if meaning is None and response.status_code == 204:
            meaning = "empty"
        self.page = page = self._page(response, meaning)
        if meaning is not None or page.problem:
            raise _End
        self._refuse_circles(response, page)
        return [True] * min(page.records, 1)

    def _page(self, response: Response, meaning: OnStatus | None) -> Page:
        body = response.content
        common: dict[str, Any] = {
            "url": self.connection.hider.url(response.url),
            "method": response.request.method or "GET",
            "status": response.status_code,
            "at": now(),
            "content_type": response.headers.get("Content-Type", ""),
            "body": body,
        }
        if meaning is not None:
            return Page(**common, skipped=meaning == "skip")
        try:
            lines, records = _records(_utf8(body, common["content_type"]), self._ask.records)
        except Unreadable as reason:
            return Page(**common, problem=str(reason))
        return Page(**common, lines=lines, records=records)

    def _refuse_circles(self, response: Response, page: Page) -> None:
        """Raise LW234 when a page, or the request for it, came before: it would go on for ever."""
        request = response.request
        sent = f"{request.method} {request.url} ".encode() + _bytes(request.body)
        marks = {hashlib.sha256(b"request " + sent).digest()}
        if page.records:
            marks.add(hashlib.sha256(b"records " + page.lines).digest())
        if marks & self._seen:
            raise RunError(
                "LW234",
                f"{page.url}: the same page came twice; the paging goes round in circles",
                remedy="correct `paginator`: the API may know its parameter by another name",
            )
        self._seen |= marks


def _utf8(body: bytes, content_type: str) -> bytes:
    """Return a body as UTF-8: JSON is that (RFC 8259), unless the header names another encoding."""
    named = re.search(r"charset=\"?([\w.:-]+)", content_type, re.IGNORECASE)
    encoding = named[1] if named else "utf-8"
    try:
        return body.decode(encoding).removeprefix("\ufeff").encode()
    except LookupError:
        raise Unreadable(f"the encoding {encoding!r} is not known") from None
    except UnicodeError as error:
        place = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise Unreadable(f"not valid {encoding}{place}") from None


def _records(data: bytes, path: str | None) -> tuple[bytes, int]:
    if not data.strip():
        raise Unreadable("the body is empty: there is no JSON value in it")
    problem = syntax_problem(data)
    if problem:
        raise Unreadable(f"not JSON: {problem}")
    value = follow(msgspec.Raw(data), path)
    if bytes(value).strip() == b"null":
        return b"", 0
    return lines_of(value)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _first(error: Exception) -> str:
    # dlt puts whole answers into its messages
    return str(error).split("got", 1)[0].strip(" .\n,")[:200] or type(error).__name__
