"""Lakewright: a data platform in one package. ``lakewright.open(folder)`` is the Python door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakewright.api.handle import Lakewright, Table, open

__all__ = ["Lakewright", "Table", "open"]


def __getattr__(name: str) -> Any:
    # lazily, so that importing an error class or the command line does not load the engine
    if name in __all__:
        from lakewright.api import handle

        return getattr(handle, name)
    raise AttributeError(f"module 'lakewright' has no attribute {name!r}")
