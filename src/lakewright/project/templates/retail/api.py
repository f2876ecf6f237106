"""A stand-in for the payment provider's API, so that the project has one to read from.

    python api.py        # serves landing/payments on http://127.0.0.1:8055 until Ctrl-C

`GET /payments?updated_since=<time>&page=<number>` gives pages of 500 payments. With a real provider, set PAYMENTS_API
and leave this file out.
"""

import contextlib
import gzip
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PAGE = 500
FOLDER = Path(__file__).resolve().parent / "landing" / "payments"


class Handler(BaseHTTPRequestHandler):
    """Answers from the files as they are at that moment."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path != "/payments":
            self.answer(404, {"error": "there is only /payments"})
        else:
            given = {name: values[0] for name, values in parse_qs(asked.query).items()}
            self.answer(200, page(int(given.get("page", "1")), given.get("updated_since", "")))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: Any) -> None:
        """Say nothing: the project's own run tells what was asked."""


def page(number: int, since: str) -> dict[str, Any]:
    """Return one page of the payments made since a time, and where the next one is."""
    found = [one for one in payments() if str(one.get("paid_at") or "") >= since]
    more = number * PAGE < len(found)
    following = "/payments?" + urlencode({"updated_since": since, "page": number + 1})
    return {"payments": found[(number - 1) * PAGE : number * PAGE], "next": following if more else None}


def payments() -> list[dict[str, Any]]:
    """Return every payment in the provider's files; what is no JSON was never sent by an API."""
    found = []
    for file in sorted(FOLDER.glob("*.gz")):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


if __name__ == "__main__":
    address = urlsplit(os.environ.get("PAYMENTS_API", "http://127.0.0.1:8055"))
    with ThreadingHTTPServer((address.hostname or "127.0.0.1", address.port or 8055), Handler) as server:
        print(f"payments are served on http://127.0.0.1:{server.server_port}; Ctrl-C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
