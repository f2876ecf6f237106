"""Judge a source of requests: whether sign-in, paging, parents and positions fit each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lakewright.errors import nearest
from lakewright.spec.rest import Auth, Paginator, Parent, RestDataset, RestSource

__all__ = ["rest_problems"]

Found = Iterator[tuple[str, tuple[str, ...]]]

_AUTH: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "basic": (("username",), ("password",)),
    "bearer": (("token",), ()),
    "api_key": (("key",), ("name", "in_")),
    "oauth2": (("token_url", "client_id", "client_secret"), ("client_auth", "scopes", "token_params")),
}

_PAGING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), ()),
    "page": ((), ("param", "start", "limit", "limit_param", "total", "more", "in_")),
    "offset": (("limit",), ("param", "start", "limit_param", "total", "more", "in_")),
    "cursor": (("next",), ("param", "limit", "limit_param", "more", "in_")),
    "link": ((), ("rel",)),
    "next_url": (("next",), ()),
}


def rest_problems(source: RestSource) -> Found:
    """(message, keys) of each thing that the settings of *source* contradict each other in."""
    if source.auth is not None:
        yield from _fits(source.auth, _AUTH[source.auth.type], "auth", ("auth",))
    yield from _paging(source.paginator, ("paginator",))
    for name, dataset in source.datasets.items():
        at = ("datasets", name)
        if dataset.paginator is not None:
            yield from _paging(dataset.paginator, (*at, "paginator"))
        if dataset.json is not None and dataset.method == "GET":
            yield "`json` is sent with `method: POST`", (*at, "json")
        paginator = dataset.paginator or source.paginator
        if paginator.in_ == "body" and dataset.json is None:
            yield "a paginator with `in: body` needs `json`, if only `{}`", at
        yield from _parent(source, name, dataset, at)
    yield from _circle(source)


def _paging(paginator: Paginator, at: tuple[str, ...]) -> Found:
    yield from _fits(paginator, _PAGING[paginator.type], "paginator", at, always=("type", "max_pages"))
    if paginator.type in ("page", "cursor") and (paginator.limit is None) != (paginator.limit_param is None):
        yield "`limit` and `limit_param` go together", (*at, "limit" if paginator.limit else "limit_param")


def _fits(
    spec: Auth | Paginator,
    keys: tuple[tuple[str, ...], tuple[str, ...]],
    what: str,
    at: tuple[str, ...],
    always: tuple[str, ...] = ("type",),
) -> Found:
    needed, further = keys
    empty = type(spec)(type=spec.type)  # type: ignore[arg-type]
    for name in needed:
        if getattr(spec, name) is None:
            yield f"`{what}` of type {spec.type} needs `{name}`", at
    for name in spec.__struct_fields__:
        if name in (*needed, *further, *always) or getattr(spec, name) == getattr(empty, name):
            continue
        known = ", ".join(one.rstrip("_") for one in (*needed, *further))
        told = f"; it knows {known}" if known else ""
        yield f"`{what}` of type {spec.type} has no {name.rstrip('_')!r}{told}", (*at, name.rstrip("_"))


def _parent(source: RestSource, name: str, dataset: RestDataset, at: tuple[str, ...]) -> Found:
    asked = set(re.findall(r"\{(\w+)\}", dataset.path))
    parent = dataset.parent or Parent(dataset="", params={})
    for one in sorted(asked - set(parent.params)):
        yield f"nothing says what {{{one}}} in the path is; name it in `parent.params`", (*at, "path")
    if dataset.parent is None:
        return
    if parent.dataset not in source.datasets:
        known = nearest(parent.dataset, source.datasets)
        yield f"this source has no dataset {parent.dataset!r}{known}", (*at, "parent", "dataset")
    for one in parent.params:
        if one not in asked:
            yield f"the path has no {{{one}}}", (*at, "parent", "params", one)
    if dataset.incremental is not None:
        yield (
            "`incremental` is not for a dataset with a parent: its rows say what is asked for",
            (*at, "incremental"),
        )


def _circle(source: RestSource) -> Found:
    for name in source.datasets:
        seen, at = {name}, name
        while (parent := source.datasets[at].parent) is not None and parent.dataset in source.datasets:
            at = parent.dataset
            if at == name:
                yield f"{name} is its own parent", ("datasets", name, "parent", "dataset")
            if at in seen:
                break
            seen.add(at)
