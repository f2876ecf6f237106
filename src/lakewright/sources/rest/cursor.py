"""How far an incremental REST dataset has been read: the greatest value of its cursor, as the API wrote it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb
import msgspec

from lakewright.errors import RunError
from lakewright.sources.rest.shape import json_path
from lakewright.sources.scan import MAX_LINE, lines_scan
from lakewright.spec.durations import parse_duration
from lakewright.spec.rest import RestIncremental
from lakewright.sql.names import literal

__all__ = ["Reached", "greatest", "is_before", "start_of"]


class Reached(msgspec.Struct, frozen=True, omit_defaults=True):
    """A position: the greatest ``cursor`` read, the batch of the parent that was read, and what this load itself had.

    ``top`` is the greatest cursor among the load's own records, ``open`` tells that some of them have none.
    """

    cursor: str | None = None
    parent: int = 0
    top: str | None = None
    open: bool = False


def greatest(
    lines: Path, path: str, before: str | None, cursor: duckdb.DuckDBPyConnection, dataset: str
) -> tuple[str | None, str | None, bool]:
    """Return the greatest cursor of the records and *before*, that of the records alone, and whether some have none.

    Values are compared as numbers when all are numbers, else as times. Raises LW237 for values that are neither.
    """
    scan = lines_scan(str(lines), longest=max(MAX_LINE, 256_000_000)).sql("duckdb")
    at = literal(json_path(path)).sql("duckdb")
    values = f"(SELECT json_extract_string(line, {at}) AS v FROM {scan})"  # noqa: S608
    number, moment = "try_cast(v AS DECIMAL(38, 9))", "try_cast(v AS TIMESTAMPTZ)"
    found = cursor.execute(
        f"SELECT count(*), count(v), count({number}), count({moment}), arg_max(v, {number}), arg_max(v, {moment}), "  # noqa: S608
        f"any_value(v) FILTER ({number} IS NULL AND {moment} IS NULL) FROM {values}"
    ).fetchall()[0]
    rows, there, numbers, moments, most, latest, strange = found
    if rows and not there:
        raise RunError("LW237", f"{dataset}: no record has a cursor at {path!r}")
    if there and numbers != there and moments != there:
        shown = f"such as {str(strange)[:50]!r}" if strange is not None else "but numbers and times together"
        raise RunError("LW237", f"{dataset}: the cursor {path!r} holds no numbers or times, {shown}")
    if not there:
        return before, None, False
    top = str(most if numbers == there else latest)
    return (top if before is None or is_before(before, top, dataset) else before), top, there < rows


def is_before(one: str, two: str, dataset: str) -> bool:
    """Whether the position *one* lies before *two*. Raises LW237 when they are of different kinds."""
    try:
        return Decimal(one) < Decimal(two)
    except InvalidOperation:
        pass
    try:
        first, second = _moment(one), _moment(two)
    except ValueError:
        raise RunError(
            "LW237", f"{dataset}: the position {one[:50]!r} and the value {two[:50]!r} cannot be compared"
        ) from None
    if (first.tzinfo is None) != (second.tzinfo is None):
        first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
    return first < second


def start_of(spec: RestIncremental, reached: str | None, dataset: str) -> str | None:
    """Return what to ask from: the position less the look-back, in the form that the API gave it."""
    if reached is None:
        return None if spec.start is None else str(spec.start)
    if spec.lookback is None:
        return reached
    try:
        if spec.lookback.strip().replace(".", "", 1).isdigit():
            return str(Decimal(reached) - Decimal(spec.lookback))
        return _earlier(reached, parse_duration(spec.lookback))
    except (ValueError, InvalidOperation, OverflowError):
        raise RunError(
            "LW237",
            f"{dataset}: the look-back {spec.lookback} cannot be taken off the position {reached[:50]!r}",
            remedy="write a number for a cursor of numbers, and a length of time for one of times",
        ) from None


def _earlier(reached: str, length: timedelta) -> str:
    if len(reached) == 10:
        # a part of a day is a whole one: to read too much is safe
        days = timedelta(days=-(-length // timedelta(days=1)))
        return (date.fromisoformat(reached) - days).isoformat()
    moment = _moment(reached) - length
    text = moment.isoformat(sep="T" if "T" in reached else " ")
    return text.replace("+00:00", "Z") if reached.endswith("Z") else text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
