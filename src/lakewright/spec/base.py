"""The base of every spec value, and the small vocabularies that they share."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["ZONES", "Aged", "Drift", "Severity", "Spec"]

#: What happens to a row or dataset that breaks a rule.
Severity = Literal["warn", "quarantine", "fail"]

#: What happens when a source's columns change: take them, leave them out, or stop.
Drift = Literal["evolve", "ignore", "fail"]

#: Zones in the order in which data passes through them.
ZONES: tuple[str, ...] = ("raw", "processed", "curated", "archive")


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An immutable value parsed from a project file; unknown keys are refused."""


class Aged(Spec, frozen=True, kw_only=True):
    """How long raw files stay, for a source or one of its datasets; what is left out is as the source, then the zone, says.

    ``retention`` is a length of time since a file was taken. Older files go to the archive, or are deleted
    where ``archive`` is false.
    """

    retention: str | None = None
    archive: bool | None = None
