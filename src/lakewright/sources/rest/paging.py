"""Paging of REST sources: dlt's paginators, completed by what APIs do with Link headers and empty references."""

from __future__ import annotations

import re
from typing import Any

from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    HeaderLinkPaginator,
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    SinglePagePaginator,
)
from requests import Response
from requests.utils import parse_header_links

from lakewright.sources.json_files import path_steps
from lakewright.spec.rest import Paginator

__all__ = ["paginator_of"]


def paginator_of(spec: Paginator) -> BasePaginator:
    """Return the dlt paginator that *spec* describes."""
    param = spec.param or spec.type
    query, body = (param, None) if spec.in_ == "query" else (None, param)
    more = _path(spec.more)
    if spec.type == "page":
        return PageNumberPaginator(
            base_page=1 if spec.start is None else spec.start,
            page_param=query,
            page_body_path=body,
            total_path=_path(spec.total),
            has_more_path=more,
        )
    if spec.type == "offset":
        named = spec.limit_param or "limit"
        return OffsetPaginator(
            limit=spec.limit or 100,
            offset=spec.start or 0,
            offset_param=query,
            offset_body_path=body,
            limit_param=named if spec.in_ == "query" else None,
            limit_body_path=named if spec.in_ == "body" else None,
            total_path=_path(spec.total),
            has_more_path=more,
        )
    if spec.type == "cursor":
        return JSONResponseCursorPaginator(
            cursor_path=_path(spec.next) or "next",
            cursor_param=query,
            cursor_body_path=body,
            has_more_path=more,
        )
    if spec.type == "link":
        return _LinkHeader(spec.rel)
    if spec.type == "next_url":
        return _NextUrl(_path(spec.next) or "next")
    return SinglePagePaginator()


def _path(path: str | None) -> str | None:
    """Return *path* as jsonpath-ng reads it whatever signs its keys have: ``$['@odata.nextLink']``."""
    if path is None:
        return None
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in path_steps(path))


class _LinkHeader(HeaderLinkPaginator):
    """The ``Link`` header as RFC 8288 has it: several relations in one ``rel``, and no difference of case."""

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        wanted = self.links_next_key.lower()
        self._next_reference = next(
            (
                link["url"]
                for link in parse_header_links(response.headers.get("Link", ""))
                if wanted in re.split(r"\s+", _parameter(link, "rel").lower()) and link["url"]
            ),
            None,
        )


class _NextUrl(JSONLinkPaginator):
    """The address of the next page in the body, where an empty text means that there is none."""

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        super().update_state(response, data)
        if not isinstance(self._next_reference, str) or not self._next_reference.strip():
            self._next_reference = None


def _parameter(link: dict[str, str], name: str) -> str:
    return next((value for key, value in link.items() if key.lower() == name), "")
