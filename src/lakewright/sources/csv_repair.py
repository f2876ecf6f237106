"""Cut records that break a CSV file out of a copy of it: quotes never closed, bad bytes, endless lines."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakewright.sources.dialect import Dialect
from lakewright.sources.outcome import Reject, shown
from lakewright.sources.scan import MAX_LINE
from lakewright.sources.text import Unreadable

__all__ = ["Mended", "cut_lines", "repair"]

#: A quoted value that runs over more lines than this was opened by mistake.
_SPAN = 1_000
_CHUNK = 1 << 23


@dataclass(slots=True)
class Mended:
    """What was cut out: rejects by line of the original, and the lines, for translating line numbers back."""

    rejects: list[Reject] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)  # numbers of the lines left out, from 1, increasing

    def original(self, line: int) -> int:
        """Return the line of the original file that is line *line* of the copy."""
        # The number of cut lines before the answer is the fixed point of counting them.
        shift = 0
        while (now := bisect_right(self.cut, line + shift)) != shift:
            shift = now
        return line + shift


@dataclass(slots=True)
class _Lines:
    """The lines of a file: where each begins, whether it has an odd number of quotes, and bad bytes."""

    starts: Any
    odd: Any
    bad: list[int]
    size: int


def repair(source: Path, target: Path, dialect: Dialect) -> Mended | None:
    """Write *source* without its bad records to *target* and tell what was left out.

    A line with an odd number of quotes that begins no proper record within the next lines is
    cut out alone, so that a stray quote costs one line and not the rest of the file. Returns None
    where that cannot be told (escapes other than doubled quotes).
    """
    if dialect.quote and dialect.escape not in (dialect.quote, ""):
        return None
    lines = _scan(source, dialect.quote)
    mended = Mended()
    with source.open("rb") as stream:
        cut = _bad_records(stream, lines, dialect, mended)
        with target.open("wb") as out:
            place = 0
            for first, last in cut:
                _copy(stream, out, place, int(lines.starts[first]))
                place = int(lines.starts[last + 1]) if last + 1 < len(lines.starts) else lines.size
                mended.cut.extend(range(first + 1, last + 2))
            _copy(stream, out, place, lines.size)
    return mended


def cut_lines(source: Path, target: Path, numbers: Iterable[int] = ()) -> list[Reject]:
    """Write *source* to *target* without the lines *numbers* (from 1) and without lines that are not UTF-8.

    Returns a reject for each of the latter.
    """
    lines = _scan(source, "")
    rejects = []
    with source.open("rb") as stream, target.open("wb") as out:
        place = 0
        for line in sorted({*(number - 1 for number in numbers), *lines.bad}):
            start = int(lines.starts[line])
            end = int(lines.starts[line + 1]) if line + 1 < len(lines.starts) else lines.size
            _copy(stream, out, place, start)
            place = end
            if line in lines.bad:
                stream.seek(start)
                content = shown(stream.read(min(end - start, 40_000)).rstrip(b"\r\n"))
                rejects.append(Reject(line + 1, "the bytes are not valid UTF-8", content))
        _copy(stream, out, place, lines.size)
    return rejects


def _scan(source: Path, quote: str) -> _Lines:
    import numpy as np

    starts: list[Any] = []
    odd: list[Any] = []
    bad: list[int] = []
    mark, place, number, rest = ord(quote or "\0"), 0, 0, b""
    with source.open("rb") as stream:
        while True:
            read = stream.read(_CHUNK)
            data = rest + read
            if not data:
                break
            end = data.rfind(b"\n") + 1 if read else len(data)
            data, rest = data[:end], data[end:]
            if not data:
                if not read:
                    break
                continue
            view = np.frombuffer(data, dtype=np.uint8)
            ends = np.flatnonzero(view == 10) + 1
            first = np.concatenate(([0], ends[ends < len(data)]))
            counts = (
                np.add.reduceat(view == mark, first, dtype=np.int64) if quote else np.zeros(len(first), int)
            )
            starts.append(first + place)
            odd.append((counts & 1).astype(bool))
            if not _is_utf8(data):
                bounds = [*first.tolist(), len(data)]
                bad += [
                    number + at for at in range(len(first)) if not _is_utf8(data[bounds[at] : bounds[at + 1]])
                ]
            place += len(data)
            number += len(first)
            if not read:
                break
    if not starts:
        return _Lines(np.zeros(0, np.int64), np.zeros(0, bool), [], 0)
    return _Lines(np.concatenate(starts), np.concatenate(odd), bad, place)


def _bad_records(stream: Any, lines: _Lines, dialect: Dialect, mended: Mended) -> list[tuple[int, int]]:
    """Return the first and last line (from 0) of every record to leave out, and note the rejects."""
    import numpy as np

    count = len(lines.starts)
    ends = np.append(lines.starts[1:], lines.size) if count else lines.starts
    quoted = np.flatnonzero(lines.odd).tolist()
    spans: dict[int, int] = {}
    cut: dict[int, tuple[int, str]] = {}
    at = 0
    while at < len(quoted):
        first = quoted[at]
        last = quoted[at + 1] if at + 1 < len(quoted) else None
        at += 1
        if _complete(_text(stream, lines, ends, first, first), dialect):
            continue  # quotes inside a value that is not quoted are plain characters
        near = last is not None and last - first <= _SPAN
        if last is not None and near and _complete(_text(stream, lines, ends, first, last), dialect):
            spans[first] = last
            at += 1
        else:
            cut[first] = (first, "a quote is opened and not closed")
    inside = sorted(spans.items())
    for line in [*lines.bad, *np.flatnonzero(ends - lines.starts > MAX_LINE).tolist()]:
        place = bisect_right(inside, (line, count)) - 1
        first, last = inside[place] if place >= 0 and inside[place][1] >= line else (line, line)
        long = int(ends[line] - lines.starts[line]) > MAX_LINE
        reason = f"the line is longer than {MAX_LINE:,} bytes" if long else "the bytes are not valid UTF-8"
        cut.setdefault(first, (last, reason))
    if cut and min(cut) <= dialect.skip and dialect.header:
        raise Unreadable(f"its header cannot be read: {cut[min(cut)][1]}")
    for first, (last, reason) in sorted(cut.items()):
        stream.seek(int(lines.starts[first]))
        content = stream.read(min(int(ends[last]) - int(lines.starts[first]), 40_000))
        mended.rejects.append(Reject(first + 1, reason, shown(content.rstrip(b"\r\n"))))
    return [(first, last) for first, (last, _) in sorted(cut.items())]


def _complete(text: str | None, dialect: Dialect) -> bool:
    """Whether *text* is one record whose quotes are closed and followed by a delimiter."""
    if text is None:
        return False
    try:
        rows = list(
            csv.reader(
                [text],
                delimiter=dialect.delimiter[-1:],
                quotechar=dialect.quote,
                doublequote=True,
                strict=True,
            )
        )
    except csv.Error:
        return False
    return len(rows) == 1


def _text(stream: Any, lines: _Lines, ends: Any, first: int, last: int) -> str | None:
    start, end = int(lines.starts[first]), int(ends[last])
    if end - start > 131_000:
        return None
    stream.seek(start)
    return str(stream.read(end - start).decode("utf-8", "replace"))


def _copy(stream: Any, out: Any, start: int, end: int) -> None:
    stream.seek(start)
    left = end - start
    while left > 0 and (data := stream.read(min(left, _CHUNK))):
        out.write(data)
        left -= len(data)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
