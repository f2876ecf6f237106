"""What is said about an error code."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Code"]


class Code(NamedTuple):
    """What ``lakewright explain`` prints about a code."""

    title: str
    meaning: str
    remedy: str
