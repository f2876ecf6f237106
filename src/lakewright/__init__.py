"""Lakewright: a data platform in one package. ``lakewright.open(folder)`` is the Python door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakewright.api.handle import Lakewright, open
    from lakewright.api.project import (
        backups,
        check,
        doctor,
        explain,
        import_contract,
        init,
        recover,
        schemas,
        test,
    )
    from lakewright.api.rows import Table

__all__ = [
    "Lakewright", "Table", "backups", "check", "doctor", "explain", "import_contract", "init", "open", "recover",
    "schemas", "test",
]  # fmt: skip

#: What is found in another module than that of the functions.
_ELSEWHERE = {"Lakewright": "handle", "open": "handle", "Table": "rows"}


def __getattr__(name: str) -> Any:
    # lazily, so that importing an error class or the command line does not load the engine
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"lakewright.api.{_ELSEWHERE.get(name, 'project')}"), name)
    raise AttributeError(f"module 'lakewright' has no attribute {name!r}")
