"""Delivers lineage events: to a file line by line, and to an address by way of a spool in the state.

An event for an address is kept in the state before it is sent and leaves it when the server has
taken it, so a server that is down or a run that dies loses nothing: the next run sends what is
left, oldest first. Nothing here raises into a run; what goes wrong is a warning.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import sqlalchemy as sa

from lakewright.errors import LakewrightError, Problem
from lakewright.spec.project import Lineage
from lakewright.state import State, metadata, now
from lakewright.state.types import UtcTime

__all__ = ["Outbox", "Pending", "lineage_outbox", "pending"]

#: Events that wait to be taken by the address. ``refused`` ones were answered with an error of ours.
lineage_outbox = sa.Table(
    "lineage_outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("refused", sa.Boolean, nullable=False, default=False),
    sa.Column("error", sa.String(500), nullable=False, default=""),
)

# Where OpenLineage servers listen when the address names no path.
_PATH = "/api/v1/lineage"
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits to be delivered: ``waiting`` will be sent again, ``refused`` will not."""

    waiting: int
    refused: int
    last_error: str


class _Down(Exception):
    """The server cannot be reached or cannot answer now; the event is sent later."""


class _Refused(Exception):
    """The server does not want this event, now or later."""


class Outbox:
    """Where the events of a run go. Safe to use from several threads; :meth:`close` it at the end.

    *settings* name the file (relative to *root*) and the address. *resolve* turns a
    ``${secret:…}`` into its value when the first event is sent, never before. *warn* is called
    with a problem (LW703, LW704) when something is not delivered, once per kind of trouble.
    Without a *state*, what cannot be sent is lost, with a warning.
    """

    def __init__(
        self,
        settings: Lineage,
        *,
        root: Path,
        state: State | None,
        resolve: Callable[[str], str] = lambda text: text,
        warn: Callable[[Problem], None] = lambda problem: None,
        timeout: float = 5.0,
        attempts: int = 3,
        wait: float = 0.5,
    ) -> None:
        self._settings = settings
        self._file = root / settings.file if settings.file else None
        self._state = state
        self._resolve = resolve
        self._warn = warn
        self._timeout = timeout
        self._attempts = attempts
        self._wait = wait
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._asked = False
        self._busy = False
        self._stop = False
        self._down = False
        self._warned: set[str] = set()
        self._request: tuple[str, dict[str, str]] | None = None
        self._thread: threading.Thread | None = None
        self._unsaved: list[str] = []

    @property
    def wanted(self) -> bool:
        """Whether there is anywhere to send events to."""
        return bool(self._settings.file or self._settings.url)

    def emit(self, event: Mapping[str, Any]) -> None:
        """Deliver *event*: written to the file before this returns, sent to the address soon after."""
        if not self.wanted:
            return
        try:
            line = json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            self._tell("LW704", f"an event cannot be written as JSON: {error}")
            return
        if self._file is not None:
            self._append(self._file, line)
        if self._settings.url:
            self._spool(line)
            self._wake()

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what waits, also from earlier runs; wait at most *timeout* seconds. Whether all is sent."""
        if not self._settings.url:
            return True
        self._wake()
        deadline = time.monotonic() + timeout
        with self._work:
            while (self._asked or self._busy) and not self._down:
                left = deadline - time.monotonic()
                if left <= 0 or not self._work.wait(left):
                    return False
            return not self._down

    def close(self, timeout: float = 10.0) -> None:
        """Wait at most *timeout* seconds for what is being sent; the rest stays for the next run."""
        if self._thread is not None:
            self.flush(timeout)
        with self._work:
            self._stop = True
            self._work.notify_all()
        if self._unsaved:
            self._tell("LW703", f"{len(self._unsaved)} lineage events were not sent and are lost")

    # --- the file

    def _append(self, path: Path, line: str) -> None:
        data = line.encode() + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX)
                    _append_whole(handle, data)
                finally:
                    os.close(handle)
        except OSError as error:
            self._tell("LW704", f"{self._settings.file} cannot be written: {error.strerror or error}")

    # --- the spool

    def _spool(self, line: str) -> None:
        if self._state is None:
            with self._lock:
                self._unsaved.append(line)
            return
        try:
            with self._state.begin(lineage_outbox) as connection:
                values = {"body": line, "at": now(), "attempts": 0, "refused": False, "error": ""}
                connection.execute(lineage_outbox.insert().values(values))
        except (LakewrightError, sa.exc.SQLAlchemyError):
            with self._lock:
                self._unsaved.append(line)

    def _next(self) -> list[tuple[int | None, str]]:
        with self._lock:
            found: list[tuple[int | None, str]] = [(None, line) for line in self._unsaved]
        if self._state is not None:
            table = lineage_outbox
            query = (
                sa.select(table.c.id, table.c.body).where(~table.c.refused).order_by(table.c.id).limit(_BATCH)
            )
            with self._state.read(table) as connection:
                found = [(row.id, row.body) for row in connection.execute(query)] + found
        return found

    def _done(self, id: int | None, line: str) -> None:
        if id is None:
            with self._lock:
                self._unsaved.remove(line)
        elif self._state is not None:
            with self._state.begin(lineage_outbox, durable=False) as connection:
                connection.execute(lineage_outbox.delete().where(lineage_outbox.c.id == id))

    def _note(self, id: int | None, line: str, error: str, *, refused: bool) -> None:
        if id is None:
            if refused:
                with self._lock:
                    self._unsaved.remove(line)
        elif self._state is not None:
            table = lineage_outbox
            change = table.update().where(table.c.id == id)
            with self._state.begin(table, durable=False) as connection:
                connection.execute(
                    change.values(attempts=table.c.attempts + 1, refused=refused, error=error[:500])
                )

    # --- the sender

    def _wake(self) -> None:
        with self._work:
            if self._down or self._stop:
                return
            self._asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lineage", daemon=True)
                self._thread.start()
            self._work.notify_all()

    def _run(self) -> None:
        while True:
            with self._work:
                while not self._asked and not self._stop:
                    self._work.wait()
                if self._stop or self._down:
                    return
                self._asked, self._busy = False, True
            try:
                self._drain()
            except Exception as error:  # a thread that dies would leave the rest waiting without a word
                self._give_up(f"sending failed: {type(error).__name__}")
            finally:
                with self._work:
                    self._busy = False
                    self._work.notify_all()

    def _drain(self) -> None:
        """Send until nothing is left; a server that is down ends it for this run."""
        try:
            while not self._stop and (batch := self._next()):
                for id, line in batch:
                    if self._stop:
                        return
                    self._deliver(id, line)
        except _Down as error:
            self._give_up(f"{self._host()}: {error}")
        except (LakewrightError, sa.exc.SQLAlchemyError) as error:
            self._give_up(f"the events that wait cannot be read: {type(error).__name__}")

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._down = True
        self._tell("LW703", why)

    def _deliver(self, id: int | None, line: str) -> None:
        for attempt in range(1, self._attempts + 1):
            try:
                self._post(line.encode())
            except _Refused as error:
                self._note(id, line, str(error), refused=True)
                self._tell("LW703", f"{self._host()} does not accept an event: {error}")
                return
            except _Down as error:
                if attempt == self._attempts or self._stop:
                    self._note(id, line, str(error), refused=False)
                    raise
                time.sleep(self._wait * 2 ** (attempt - 1))
            else:
                self._done(id, line)
                return

    def _post(self, body: bytes) -> None:
        url, headers = self._target()
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - see _target
        try:
            with _OPENER.open(request, timeout=self._timeout) as answer:
                answer.read(65536)
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
            # what the server answers may repeat what it was sent, so only the number is told
            if status in (400, 409, 413, 415, 422):
                raise _Refused(f"HTTP {status}") from None
            raise _Down(f"HTTP {status}") from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise _Down(f"not reached ({_plain(reason)})") from None

    def _target(self) -> tuple[str, dict[str, str]]:
        """The address and the headers, secrets resolved; kept for the run."""
        if self._request is None:
            headers = {"Content-Type": "application/json", "User-Agent": "lakewright"}
            try:
                parts = urlsplit(self._resolve(self._settings.url or ""))
                key = self._resolve(self._settings.api_key) if self._settings.api_key else ""
                host = parts.hostname or ""
                port = f":{parts.port}" if parts.port else ""
            except (LakewrightError, ValueError) as error:
                raise _Down(error.code if isinstance(error, LakewrightError) else "not an address") from None
            if parts.scheme not in ("http", "https") or not host:
                raise _Down("not an http or https address")
            if key:
                headers["Authorization"] = f"Bearer {key}"
            elif parts.username:
                both = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
                headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
            host = f"[{host}]" if ":" in host else host
            path = parts.path if parts.path.strip("/") else _PATH
            self._request = urlunsplit((parts.scheme, host + port, path, parts.query, "")), headers
        return self._request

    def _host(self) -> str:
        """The address without user, password, path and query."""
        if self._request is None:
            return "lineage.url"
        parts = urlsplit(self._request[0])
        return f"{parts.scheme}://{parts.netloc}"

    def _tell(self, code: str, message: str) -> None:
        with self._lock:
            if code in self._warned:
                return
            self._warned.add(code)
        self._warn(Problem(code, message))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host, or turn the POST into a GET."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Never follow."""
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _append_whole(handle: int, data: bytes) -> None:
    """Append *data* as one piece; after a failure the file is as it was before."""
    size = os.fstat(handle).st_size
    # a process that was killed may have left half a line
    if size and os.pread(handle, 1, size - 1) != b"\n":
        data = b"\n" + data
    try:
        written = os.write(handle, data)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(handle, size)
        raise


def _plain(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "timed out"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__


def pending(state: State) -> Pending:
    """Return what waits in *state* to be delivered."""
    table = lineage_outbox
    with state.read(table) as connection:
        rows = connection.execute(sa.select(table.c.refused, sa.func.count()).group_by(table.c.refused)).all()
        last = connection.scalar(
            sa.select(table.c.error).where(table.c.error != "").order_by(table.c.id.desc()).limit(1)
        )
    counts = {bool(refused): count for refused, count in rows}
    return Pending(counts.get(False, 0), counts.get(True, 0), last or "")
