"""A real HTTP server for tests: routes answer with what a test says, and every request is kept to be looked at."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Answer", "Api", "Asked", "paged", "serve"]


@dataclass(frozen=True)
class Asked:
    """A request as the server got it; header names are in small letters."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer. ``cut`` sends less than is announced, ``slow`` waits between the bytes."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    slow: float = 0.0

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Route = Callable[[Asked], Answer]


class Api:
    """The server of one test. ``routes`` by path; ``first`` are answers that come before any route."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.routes: dict[str, Route] = {}
        self.first: list[Answer] = []
        self.asked: list[Asked] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, answer: Route | Any) -> None:
        """Answer requests of *path* with a function of the request, or always with the same JSON."""
        self.routes[path] = answer if callable(answer) else lambda _: Answer(answer)

    def answer(self, asked: Asked) -> Answer:
        with self.lock:
            self.asked.append(asked)
            if self.first:
                return self.first.pop(0)
        route = self.routes.get(asked.path)
        return route(asked) if route is not None else Answer({"error": "no such path"}, 404)


def paged(records: Sequence[Any], style: str, size: int, api: Api | None = None) -> Route:
    """Return a route that gives *records* in pages of *size*, in the *style* of a paginator's type."""

    def route(asked: Asked) -> Answer:
        given = {**asked.query, **(asked.json if asked.body else {})}
        at = {
            "none": lambda: 0,
            "page": lambda: (int(given.get("page", 1)) - 1) * size,
            "offset": lambda: int(given.get("offset", 0)),
        }.get(style, lambda: int(given.get("after", 0)))()
        length = int(given.get("limit", size)) if style == "offset" else size
        items = list(records[at:] if style == "none" else records[at : at + length])
        body: dict[str, Any] = {
            "items": items,
            "meta": {"total": len(records), "pages": -(-len(records) // size)},
        }
        headers = {}
        more = at + length < len(records)
        body["meta"]["more"] = more
        if style == "cursor":
            body["meta"]["next"] = str(at + size) if more else None
        if style == "next_url":
            body["@odata.nextLink"] = f"{asked.path}?after={at + size}" if more else ""
        if style == "link" and more:
            headers["Link"] = (
                f'<{asked.path}?after=0>; rel=first, <{asked.path}?after={at + size}>; REL="Next foo"'
            )
        return Answer(items if style == "link" else body, headers=headers)

    return route


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.api.answer(
            Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
        )
        self.send_response(answer.status)
        data = answer.data
        headers = {"Content-Type": "application/json", **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(data) + (10 if answer.cut else 0)))
        self.end_headers()
        try:
            for byte in data if answer.slow else ():
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(answer.slow)
            if not answer.slow and answer.status != 204:
                self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if answer.cut:
            self.close_connection = True

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serve() -> Iterator[Api]:
    """Serve on a free port of 127.0.0.1 until the end of the block."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    handler.api = api = Api(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
