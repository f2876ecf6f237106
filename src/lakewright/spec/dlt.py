"""What ``sources/*.yaml`` with ``kind: dlt`` says: which of dlt's sources is called, and what is taken of it."""

from __future__ import annotations

from typing import Literal

from lakewright.spec.base import Aged, Drift

__all__ = ["DltDataset", "DltSource"]


class DltDataset(Aged, frozen=True, kw_only=True):
    """One raw dataset made of a resource of the source; its name is its key under ``datasets``.

    ``load: full`` reads everything each time, and what is read replaces what raw held before. With
    ``load: incremental`` the resource goes on from the state that it left, and what it gives is added.
    """

    resource: str | None = None
    load: Literal["full", "incremental"] = "full"
    columns: tuple[str, ...] = ()
    on_drift: Drift = "evolve"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()


class DltSource(Aged, frozen=True, tag_field="kind", tag="dlt", kw_only=True):
    """A source written for dlt: ``kind: dlt``.

    ``source`` names the function, ``module.function``; the module is installed, or a file of the project. ``args``
    are what it is called with; texts in them may hold ``${secret:NAME}``.
    """

    source: str
    datasets: dict[str, DltDataset]
    args: dict[str, object] = {}
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
