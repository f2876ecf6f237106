"""Requests of REST sources: dlt's client with its retries, kept to one host, paced, bounded, and no secret told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from dlt.sources.helpers.requests.retry import Client, wait_exponential_retry_after
from dlt.sources.helpers.rest_client.redaction import SENSITIVE_PARAMS
from requests import PreparedRequest, Response, Session
from requests import exceptions as failures
from requests.adapters import HTTPAdapter

from lakewright.errors import LakewrightError, RunError
from lakewright.project.environment import REFERENCE
from lakewright.spec.durations import parse_duration
from lakewright.spec.rest import RateLimit, RestSource

__all__ = ["Connection", "Hider"]

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_BEAT = 0.2
_HIDDEN = "***"


class Hider:
    """Takes the secrets of one source out of addresses and texts."""

    def __init__(self, resolve: Callable[[str], str], names: tuple[str, ...] = ()) -> None:
        self._resolve = resolve
        self._values: set[str] = set()
        self._names = {one.lower() for one in (*SENSITIVE_PARAMS, *names)}

    def resolve(self, text: str) -> str:
        """Return *text* with its references replaced, and remember what must not be shown."""
        return REFERENCE.sub(lambda match: self._one(match[0]), text)

    def _one(self, reference: str) -> str:
        found = self._resolve(reference)
        if reference.startswith("${secret:"):
            self.add(found)
        return found

    def add(self, value: str) -> None:
        """Remember a secret."""
        if len(value) > 3:
            self._values |= {value, quote(value, safe=""), quote_plus(value)}

    def text(self, text: str) -> str:
        """Return *text* without the secrets."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, _HIDDEN)
        return text

    def url(self, url: str) -> str:
        """Return an address without user, password, and parameters that hold secrets."""
        parts = urlsplit(url)
        query = [
            (name, _HIDDEN if name.lower() in self._names else self.text(value))
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query=urlencode(query, safe="*:/,$"))
        return self.text(urlunsplit(shown))


class Connection:
    """A session with an API: retries, pace and limits as the source says. Not to be shared by threads.

    *check* is called before every request and while waiting; what it raises ends the work.
    """

    def __init__(self, source: RestSource, base_url: str, hider: Hider, check: Callable[[], None]) -> None:
        self.hider = hider
        self._check = check
        self._max_wait = parse_duration(source.max_wait).total_seconds()
        self._tries = source.retries + 1
        client = Client(
            request_timeout=parse_duration(source.timeout).total_seconds(),
            raise_for_status=False,
            status_codes=(),
            exceptions=(),
            request_max_attempts=self._tries,
            retry_condition=self._passing,
            request_backoff_factor=parse_duration(source.retry_wait).total_seconds(),
            request_max_retry_delay=self._max_wait,
        )
        self.session: Session = client.session
        self._origins = {_origin(base_url)}
        adapter = _Adapter(self, source.max_body, _pace(base_url, source.rate_limit))
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)
        self.session.headers["User-Agent"] = "lakewright"
        if source.ca_file is not None:
            self.session.verify = source.ca_file
        # a wait of minutes must not outlive the task
        retry: Any = self.session.send.retry  # type: ignore[attr-defined]
        retry.sleep = self.sleep

    def allow(self, url: str) -> None:
        """Let requests go to the host of *url* too."""
        self._origins.add(_origin(url))

    def sleep(self, seconds: float) -> None:
        """Wait, unless the work is to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, _BEAT))

    def admit(self, request: PreparedRequest) -> None:
        """Refuse a request to another host than the source's: credentials must not follow a link. Raises LW236."""
        self._check()
        origin = _origin(request.url or "")
        if not any(_same_host(one, origin) for one in self._origins):
            raise RunError(
                "LW236",
                f"the API leads to another host: {origin[0]}://{origin[1]}:{origin[2]}; nothing was sent there",
            )

    def check(self) -> None:
        """Raise when the work is to end."""
        self._check()

    def failed(self, error: failures.RequestException) -> RunError:
        """Return the coded form of a request that got no answer; it shows host and cause, and no address."""
        url = str(error.request.url or "") if error.request is not None else ""
        host = urlsplit(url).netloc.rpartition("@")[2] or "the API"
        tries = (
            f" ({self._tries} attempts)"
            if self._tries > 1 and not isinstance(error, failures.SSLError)
            else ""
        )
        cause = _cause(error)
        if isinstance(error, failures.SSLError):
            what = f"the certificate of {host} is not accepted: {cause}"
            return RunError(
                "LW230", what, remedy="name the certificates to trust in `ca_file`, or correct `base_url`"
            )
        if isinstance(error, failures.Timeout):
            return RunError("LW230", f"{host} did not answer in time{tries}")
        if isinstance(error, failures.ChunkedEncodingError | failures.ContentDecodingError):
            return RunError("LW230", f"the answer of {host} broke off or is damaged{tries}")
        if isinstance(error, failures.TooManyRedirects):
            return RunError("LW232", f"{host} redirects without end")
        if isinstance(error, failures.InvalidURL | failures.InvalidSchema | failures.MissingSchema):
            return RunError("LW230", f"{self.hider.url(url) or 'the address'} is no address of an API")
        return RunError("LW230", f"{host} cannot be reached{tries}: {cause}")

    def refused(self, response: Response) -> RunError:
        """Return the coded form of an answer that is a failure."""
        status = response.status_code
        what = f"{response.request.method} {self.hider.url(response.url)} was answered with {status}"
        said = self.hider.text(response.content[:2_000].decode("utf-8", "replace")).strip()
        tried = [f"the API says: {said[:300]}"] if said else []
        if status in (401, 403):
            return RunError("LW231", what, tried=tried)
        after = self.retry_after(response)
        if status == 429 or after is not None:
            if after is not None and after > self._max_wait:
                what += f", and asks to wait {after:.0f} s; max_wait is {self._max_wait:.0f} s"
            else:
                what += f" in {self._tries} {'attempt' if self._tries == 1 else 'attempts'}"
            return RunError("LW233", what, tried=tried)
        return RunError("LW232", what, tried=tried)

    def retry_after(self, response: Response) -> float | None:
        """Return the seconds that ``Retry-After`` asks for, as number or date (RFC 9110, section 10.2.3)."""
        value = response.headers.get("Retry-After")
        return wait_exponential_retry_after(max=10**9)._parse_retry_after(value) if value else None

    def _passing(self, response: Response | None, error: BaseException | None) -> bool:
        """Whether a request is worth sending again."""
        if error is not None:
            again = (failures.ConnectionError, failures.Timeout, failures.ChunkedEncodingError)
            return isinstance(error, again) and not isinstance(error, failures.SSLError)
        if response is None or response.status_code not in _PASSING:
            return False
        return (self.retry_after(response) or 0) <= self._max_wait


class _Adapter(HTTPAdapter):
    """What every single request goes through, retries and redirects included."""

    def __init__(self, owner: Connection, largest: int, pace: _Pace | None) -> None:
        super().__init__()
        self._owner = owner
        self._largest = largest
        self._pace = pace

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        self._owner.admit(request)
        if self._pace is not None:
            self._owner.sleep(self._pace.wait())
        response = super().send(request, *args, **options)
        response.raw = _Bounded(response.raw, self._largest, self._owner.check)
        return response


class _Bounded:
    """The body of an answer: no longer than allowed, whatever its headers say, and left when the work is to end."""

    def __init__(self, raw: Any, largest: int, check: Callable[[], None]) -> None:
        self._raw = raw
        self._largest = largest
        self._check = check

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amt: int, decode_content: bool = True) -> Iterator[bytes]:
        """Yield the body as it arrives, so that a slow one can be left."""
        size = 0
        while chunk := self._raw.read1(amt, decode_content=decode_content):
            self._check()
            size += len(chunk)
            if size > self._largest:
                self._raw.close()
                raise RunError(
                    "LW235",
                    f"an answer is longer than {self._largest:,} bytes",
                    remedy="ask for smaller pages, or raise `max_body`",
                )
            yield chunk


class _Pace:
    """Spreads requests evenly. Safe for threads: the datasets of a source share it."""

    def __init__(self, limit: RateLimit) -> None:
        self._gap = parse_duration(limit.per).total_seconds() / limit.requests
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Return how many seconds the caller has to wait for its turn, which is taken with that."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        return turn - now


_paces: dict[tuple[str, RateLimit], _Pace] = {}
_paces_lock = threading.Lock()


def _pace(base_url: str, limit: RateLimit | None) -> _Pace | None:
    if limit is None:
        return None
    with _paces_lock:
        return _paces.setdefault((base_url, limit), _Pace(limit))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port


def _same_host(known: tuple[str, str, int], asked: tuple[str, str, int]) -> bool:
    """Whether *asked* is the *known* origin, or the same host by TLS on the usual port."""
    return known == asked or (known[0] == "http" and asked == ("https", known[1], 443) and known[2] == 80)


def _cause(error: BaseException) -> str:
    """Return the innermost reason of a failure: what the system or the TLS library says."""
    seen: BaseException | None = error
    found: BaseException = error
    while seen is not None:
        if isinstance(seen, LakewrightError):
            break
        if isinstance(seen, socket.gaierror):
            return "the host name is not known"
        if isinstance(seen, OSError) and seen.strerror:
            found = seen
        inner = getattr(seen, "reason", None)
        nested = next((one for one in seen.args if isinstance(one, BaseException)), None)
        seen = (
            seen.__cause__
            or (inner if isinstance(inner, BaseException) else None)
            or nested
            or seen.__context__
        )
    text = found.strerror if isinstance(found, OSError) and found.strerror else type(found).__name__
    return text[:200]
