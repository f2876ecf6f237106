"""From a source's settings to requests: secrets filled in, parameters and paths put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from lakewright.sources.rest.auth import auth_of
from lakewright.sources.rest.client import Connection, Hider
from lakewright.sources.rest.pages import Ask, Pages
from lakewright.spec.rest import Paginator, RestDataset, RestSource

__all__ = ["Api", "asks", "opened"]


@dataclass(frozen=True)
class Api:
    """An API ready to be asked; ``resolve`` fills in secrets and remembers not to show them."""

    pages: Pages
    resolve: Callable[[str], str]


@contextmanager
def opened(
    source: RestSource, root: Path, resolve: Callable[[str], str], check: Callable[[], None]
) -> Iterator[Api]:
    """Open a session with the API of *source*; *root* is the project's folder."""
    auth = source.auth
    named = (auth.name,) if auth is not None and auth.type == "api_key" else ()
    hider = Hider(resolve, named)
    base = hider.resolve(source.base_url)
    if source.ca_file is not None:
        source = msgspec.structs.replace(source, ca_file=str(root / source.ca_file))
    connection = Connection(source, base, hider, check)
    try:
        signed = None
        if auth is not None:
            signed = auth_of(auth, hider.resolve, connection.session, hider.add)
            if auth.token_url is not None:
                connection.allow(hider.resolve(auth.token_url))
        yield Api(Pages(base, connection, signed), hider.resolve)
    finally:
        connection.session.close()


def asks(
    source: RestSource,
    dataset: RestDataset,
    resolve: Callable[[str], str],
    values: Mapping[str, Any],
    start: str | None,
) -> Ask:
    """Return the request for *dataset*: *values* fill its path, *start* is the position to read on from."""
    path = resolve(dataset.path)
    for name, value in values.items():
        path = path.replace("{" + name + "}", quote(_written(value), safe=""))
    params = {name: _filled(value, resolve) for name, value in {**source.params, **dataset.params}.items()}
    if dataset.incremental is not None and start is not None:
        params[dataset.incremental.param] = start
    paginator = dataset.paginator or source.paginator
    body = _filled(dataset.json, resolve)
    _add_limit(paginator, params, body)
    return Ask(
        path,
        dataset.method,
        {name: _written(value) for name, value in params.items()},
        {name: resolve(value) for name, value in {**source.headers, **dataset.headers}.items()},
        body,
        paginator,
        dataset.records,
        {**source.on_status, **dataset.on_status},
    )


def _add_limit(paginator: Paginator, params: dict[str, Any], body: dict[str, Any] | None) -> None:
    """Ask for pages of a size where the paginator itself does not send it."""
    if paginator.type in ("page", "cursor") and paginator.limit is not None and paginator.limit_param:
        if paginator.in_ == "query":
            params.setdefault(paginator.limit_param, paginator.limit)
        elif body is not None:
            body.setdefault(paginator.limit_param, paginator.limit)


def _filled(value: Any, resolve: Callable[[str], str]) -> Any:
    """Return *value* with the references in its texts replaced."""
    if isinstance(value, str):
        return resolve(value)
    if isinstance(value, Mapping):
        return {key: _filled(one, resolve) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, resolve) for one in value]
    return value


def _written(value: Any) -> str:
    """Return a value as addresses carry it: ``true``, and times as ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
