"""Where a database is: the ``connection`` of a source, taken apart before its secrets are put in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from lakewright.errors import UsageError

__all__ = ["Address", "address_of"]

_KINDS = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}


@dataclass(frozen=True)
class Address:
    """A database and how to log in to it. ``str()`` is safe to show: it leaves out the password and the options.

    For SQLite only ``database`` is set: the absolute path of its file.
    """

    kind: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: dict[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        if self.kind == "sqlite":
            return f"sqlite:{self.database}"
        at = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{self.kind}://{at}{self.host}{port}/{self.database}"


def address_of(connection: str, *, root: Path, resolve: Callable[[str], str] = str) -> Address:
    """Return the address that the text *connection* means; *root* is what a file of SQLite is relative to.

    The parts are told apart before *resolve* puts secrets in, so a password may hold any character. Where
    the whole is one secret, its parts are percent-encoded as in any address. Raises LW224 for no address.
    """
    if connection.startswith("${"):
        connection, resolve = resolve(connection), str
    scheme, _, rest = connection.partition(":")
    if scheme == "sqlite":
        path = Path(resolve(rest.removeprefix("//"))).expanduser()
        return Address("sqlite", database=str(path if path.is_absolute() else (root / path).resolve()))
    kind = _KINDS.get(scheme)
    # a reference has characters that are none of an address
    parts = urlsplit(connection.replace("#", "%23")) if kind else None
    if kind is None or parts is None or not rest.startswith("//"):
        raise UsageError("LW224", "the connection is no address of a database")
    login, _, place = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    host, port = _host(place)
    return Address(
        kind,
        host=resolve(unquote(host)) or "127.0.0.1",
        port=_number(resolve(port)),
        user=resolve(unquote(user)),
        password=resolve(unquote(password)),
        database=resolve(unquote(parts.path.lstrip("/"))),
        options={key: resolve(value) for key, value in parse_qsl(parts.query)},
    )


def _host(place: str) -> tuple[str, str]:
    if place.startswith("["):  # IPv6
        host, _, port = place[1:].partition("]")
        return host, port.lstrip(":")
    if place.startswith("${"):
        host, brace, port = place.partition("}")
        return host + brace, port.lstrip(":")
    host, _, port = place.partition(":")
    return host, port


def _number(port: str) -> int:
    if port and not port.isdigit():
        raise UsageError("LW224", "the port of the connection is no number")
    return int(port or 0)
