"""Which date a dataset is partitioned by, and what its ``compact`` needs of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from lakewright.project.rules import partition_column
from lakewright.spec.dataset import Column, Compact, DatasetFile
from lakewright.spec.durations import parse_duration

__all__ = ["compact_problems", "date_partition"]

_TRANSFORM = re.compile(r"\s*(year|month|day|hour)\s*\(", re.IGNORECASE)


def date_partition(partition_by: Sequence[str], columns: Mapping[str, Column]) -> str | None:
    """Return the first column that is a date or time by its transform or its type, None where there is none."""
    types = {name.lower(): (one.type or "").lower() for name, one in columns.items()}
    for text in partition_by:
        name = partition_column(text)
        if name and (_TRANSFORM.match(text) or types.get(name.lower(), "").startswith(("date", "timestamp"))):
            return name
    return None


def compact_problems(file: DatasetFile) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(message, keys) of each thing that ``compact`` asks for and the dataset does not allow."""
    asked = file.compact
    if asked == Compact():
        return
    if date_partition(file.write.partition_by, file.columns) is None:
        yield "`compact` goes by a date that `write.partition_by` names, and there is none", ("compact",)
    if asked.monthly_after and asked.yearly_after:
        month, year = (parse_duration(one) for one in (asked.monthly_after, asked.yearly_after))
        if year <= month:
            yield "`yearly_after` is to be longer than `monthly_after`", ("compact", "yearly_after")
