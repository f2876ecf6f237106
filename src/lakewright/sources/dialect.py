"""Find out how a CSV file is written: delimiter, quote, escape, where its header is and what it names."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakewright.sources.text import Unreadable
from lakewright.spec.sources import ReadOptions

__all__ = ["Dialect", "clean_names", "resolve"]

_DELIMITERS = (",", "\t", ";", "|", "^", "~", "\x1f", "\x01")
_RECORDS = 500

_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d[\d.,]*(?:[eE][-+]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(?::\d{2}.*)?")
_TRUTH = frozenset(("true", "false"))


@dataclass(frozen=True, slots=True)
class Dialect:
    """The resolved way to read a CSV file; ``names`` are its columns, ``skip`` the lines before header or data."""

    delimiter: str
    quote: str
    escape: str
    header: bool
    skip: int
    comment: str
    nulls: tuple[str, ...]
    names: tuple[str, ...]


def resolve(sample: str, declared: ReadOptions, *, complete: bool) -> Dialect:
    """Return the dialect of text that begins with *sample*; what is *declared* is taken as it is.

    *complete* tells that the sample is the whole file. Raises :class:`Unreadable` when there is no
    column at all, or when the declared delimiter cannot be right.
    """
    sample = sample.removeprefix("\ufeff")
    if not complete:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    if declared.skip:
        sample = "".join(_lines(sample)[declared.skip :])
    if not sample.strip("\r\n\0") and not declared.names:
        raise Unreadable("the file is empty: it has no header and no rows")
    quote = _quote(sample, declared)
    escape = _escape(sample, quote, declared)
    delimiter, rows = _delimiter(sample, quote, escape, declared)
    return _layout(rows, delimiter, quote, escape, declared)


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return usable column names for *names*: none empty, none twice (case aside), none hidden.

    Blanks around a name go, a name without text becomes ``column<n>`` counted from 0, leading
    underscores go (they mark Lakewright's own columns), and repetitions get ``_1``, ``_2``, …
    """
    given = [re.sub(r"[\0\r\n]+", " ", name).strip().lstrip("_").strip() for name in names]
    given = [name or f"column{place}" for place, name in enumerate(given)]
    reserved = Counter(name.lower() for name in given)
    seen: set[str] = set()
    result = []
    for name in given:
        new, number = name, 0
        while new.lower() in seen or (number and reserved[new.lower()]):
            number += 1
            new = f"{name}_{number}"
        seen.add(new.lower())
        result.append(new)
    return tuple(result)


def _quote(sample: str, declared: ReadOptions) -> str:
    if declared.quote is not None:
        return declared.quote
    if '"' not in sample and re.search(
        r"(?:^|[,;\t|])'[^'\r\n]*[,;\t|][^'\r\n]*'(?=[,;\t|\r\n]|$)", sample, re.M
    ):
        return "'"
    return '"'


def _escape(sample: str, quote: str, declared: ReadOptions) -> str:
    if declared.escape is not None:
        return declared.escape
    if quote and re.search(
        rf"{re.escape(quote)}[^{re.escape(quote)}\r\n]*\\{re.escape(quote)}[^,;|\t\r\n]", sample
    ):
        # A backslash before a quote is an escape only where doubled quotes are not used.
        inner = re.sub(rf"(?:^|[,;|\t]){quote}{quote}(?=[,;|\t]|$)", "", sample, flags=re.M)
        if quote * 2 not in inner.replace(f"\\{quote}", ""):
            return "\\"
    return quote


def _parse(sample: str, delimiter: str, quote: str, escape: str, comment: str | None) -> list[list[str]]:
    lines = _lines(sample) if not comment else _uncommented(sample, comment)
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        doublequote=escape == quote,
        escapechar=escape if escape and escape != quote else None,
        skipinitialspace=False,
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if len(rows) >= _RECORDS:
                break
    except csv.Error:
        # A field longer than the module's limit, or NUL: what was read so far tells enough.
        return rows or [[sample]]
    return rows


def _uncommented(sample: str, comment: str) -> list[str]:
    # DuckDB drops the rest of a line from the comment mark on.
    return [
        line if comment not in line else line[: line.index(comment)] + "\n"
        for line in _lines(sample)
        if not line.startswith(comment)
    ]


def _lines(sample: str) -> list[str]:
    # str.splitlines would also cut at form feeds and at Unicode's line separators
    return list(io.StringIO(sample, newline=""))


def _delimiter(sample: str, quote: str, escape: str, declared: ReadOptions) -> tuple[str, list[list[str]]]:
    tried: dict[str, tuple[float, int, list[list[str]]]] = {}
    for delimiter in dict.fromkeys(((declared.delimiter,) if declared.delimiter else ()) + _DELIMITERS):
        if delimiter not in sample and delimiter not in (declared.delimiter, ","):
            continue
        if len(delimiter) > 1:
            # Python's parser knows one character only; a stand-in that the text does not hold does as well.
            text, mark = sample.replace(delimiter, "\x1e"), "\x1e"
        else:
            text, mark = sample, delimiter
        rows = _parse(text, mark, quote, escape, declared.comment)
        tried[delimiter] = (*_score(rows), rows)
    best = max(tried, key=lambda one: tried[one][:2])
    if declared.delimiter is None:
        return best, tried[best][2]
    _, width, rows = tried[declared.delimiter]
    if width == 1 and tried[best][1] > 1 and tried[best][0] >= 0.9 and len(tried[best][2]) > 1:
        raise Unreadable(
            f"the delimiter is declared as {declared.delimiter!r}, but the file is written with {best!r}"
        )
    return declared.delimiter, rows


def _score(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """How well *rows* look like a table, and how many columns it has."""
    widths = [len(row) for row in rows if row]
    if not widths:
        return 0.0, 1
    counted = Counter(widths)
    width = max(counted, key=lambda one: (counted[one], one))
    # Rows are often ragged, the header seldom: it decides between widths that are about as frequent.
    if counted[widths[0]] * 2 >= counted[width] and widths[0] > 1:
        width = widths[0]
    share = counted[width] / len(widths)
    if width == 1:
        return 0.1, 1
    if widths[0] != width:
        share *= 0.5
    return (share, width) if share >= 0.25 else (0.05, width)


def _layout(rows: list[list[str]], delimiter: str, quote: str, escape: str, declared: ReadOptions) -> Dialect:
    width = _score(rows)[1]
    skip, first = declared.skip or 0, 0
    if declared.skip is None:
        # Titles and blank lines above the table are narrower than it.
        while first < len(rows) - 1 and len(rows[first]) < min(width, 2):
            first += 1
        if first and len(rows[first]) == width and all(len(row) <= 1 for row in rows[:first]):
            skip = sum(1 + "".join(row).count("\n") for row in rows[:first])
        else:
            first = next((place for place, row in enumerate(rows) if row), 0)
            skip = first
    body = [row for row in rows[first:] if row]
    top = body[0] if body else []
    header = declared.header if declared.header is not None else _has_header(body)
    if declared.names:
        names = clean_names(declared.names)
        if declared.header is None and tuple(clean_names(top)) != names:
            header = False
    elif header:
        names = clean_names(top)
    else:
        names = tuple(f"column{place}" for place in range(max(width, 1)))
    return Dialect(
        delimiter, quote, escape, header, skip, declared.comment or "", ("", *declared.nulls), names
    )


def _has_header(body: Sequence[Sequence[str]]) -> bool:
    if not body:
        return True
    top, rest = body[0], [row for row in body[1:200] if len(row) == len(body[0])]
    if not rest:
        return not any(_kind(cell) for cell in top)
    for_header = for_data = 0
    for place, cell in enumerate(top):
        kinds = Counter(_kind(row[place]) for row in rest if row[place].strip())
        if not kinds:
            continue
        kind, count = kinds.most_common(1)[0]
        if kind and count >= 0.8 * kinds.total():
            if _kind(cell) == kind:
                for_data += 1
            elif cell.strip():
                for_header += 1
    if for_header or for_data:
        return for_header >= for_data
    # Text in every column: names are all there and differ from one another.
    cells = [cell.strip().lower() for cell in top]
    return not any(_kind(cell) for cell in cells) and (len(set(cells)) == len(cells) or "" in cells)


def _kind(cell: str) -> str:
    text = cell.strip()
    if not text:
        return ""
    if _DATE.fullmatch(text):
        return "date"
    if _NUMBER.fullmatch(text):
        return "number"
    return "truth" if text.lower() in _TRUTH else ""
