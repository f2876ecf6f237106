"""A few of the rows that break checks, for a reader's eyes: personal data is masked."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lakewright.sql.names import FAILED

__all__ = ["MASK", "Sample", "mask"]

#: What stands in place of a personal value.
MASK = "•••"


@dataclass(frozen=True)
class Sample:
    """Rows that break checks: column names, and for each row the checks it breaks and its values as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str | None, ...]], ...]


def mask(sample: Sample, pii: Collection[str]) -> Sample:
    """Return *sample* with the values of the columns in *pii* replaced, also inside ``_failed``."""
    hidden = {name.lower() for name in pii}
    if not hidden:
        return sample
    rows = tuple(
        (
            reasons,
            tuple(_masked(name, value, hidden) for name, value in zip(sample.columns, values, strict=True)),
        )
        for reasons, values in sample.rows
    )
    return Sample(sample.columns, rows)


def _masked(name: str, value: str | None, hidden: Collection[str]) -> str | None:
    if value is None:
        return None
    if name.lower() in hidden:
        return MASK
    if name == FAILED:
        try:
            failed: Mapping[str, object] = json.loads(value)
        except ValueError:  # cut off in the middle
            return MASK
        kept = {key: MASK if key.lower() in hidden else text for key, text in failed.items()}
        return json.dumps(kept, ensure_ascii=False)
    return value
