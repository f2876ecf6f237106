"""Cut records out of text, so that all others keep their bytes: CSV, lines of JSON, and JSON documents."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from lakewright.erase.people import People, Wanted, bounded
from lakewright.sources.json_files import path_steps
from lakewright.sources.manifest import Field
from lakewright.sources.scan import csv_scan
from lakewright.spec.mask import Mask
from lakewright.sql.names import identifier

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Keys", "cut_csv", "cut_document", "cut_lines", "holds_words", "pattern_of"]

#: Columns with identifiers: name → identifier and mask, as a holder has them.
Keys = Mapping[str, tuple[str, Mask | None]]

_CHUNK = 32 << 20
_BOM = b"\xef\xbb\xbf"
# RE2's programs grow with the number of alternatives; more than this are looked for in turns.
_ALTERNATIVES = 500


def cut_csv(
    source: IO[bytes],
    target: IO[bytes],
    options: Mapping[str, Any],
    fields: Sequence[Field],
    keys: Keys,
    wanted: Wanted,
) -> int:
    """Copy CSV in UTF-8 without the records of the people; return how many were cut.

    *options* are those with which the file was taken. A record that cannot be parsed goes when one of its
    fields is an identifier in its place, or when it holds a text that only the people have.
    """
    patterns = pattern_of(wanted.people, quote=str(options["quote"] or ""))
    preamble = int(options["skip"])
    header = bool(options["header"])

    def chosen(records: list[bytes]) -> list[bool]:
        return _told_csv(records, options, fields, keys, wanted)

    head = b""
    for _ in range(preamble):
        head += source.readline()
    target.write(head)
    ends = _Ends(str(options["quote"] or ""), str(options["escape"] or ""))
    return _copy(source, target, ends, patterns, chosen, keep=1 if header else 0)


def cut_lines(
    source: IO[bytes], target: IO[bytes], fields: Sequence[Field], keys: Keys, wanted: Wanted
) -> int:
    """Copy lines of JSON without the records of the people; return how many were cut."""
    patterns = pattern_of(wanted.people, json=True)

    def chosen(records: list[bytes]) -> list[bool]:
        return _told_json(records, fields, keys, wanted)

    return _copy(source, target, _Ends("", ""), patterns, chosen)


def cut_document(
    data: bytes, records: str | None, fields: Sequence[Field], keys: Keys, wanted: Wanted
) -> tuple[bytes, int]:
    """Return a JSON document without the people's records, those at the path *records*, and how many were cut."""
    mark = _BOM if data.startswith(_BOM) else b""
    left, count = _inside(data.removeprefix(mark), path_steps(records or "$"), fields, keys, wanted)
    return mark + left, count


def holds_words(source: IO[bytes], people: People) -> bool:
    """Whether text that is not parsed tells who the people are."""
    flags = re.IGNORECASE if people.spec.ignore_case else re.NOFLAG
    patterns = [re.compile(one.encode(), flags) for one in _patterns(map(bounded, people.identifying()))]
    rest = b""
    while data := source.read(_CHUNK):
        if any(one.search(rest + data) for one in patterns):
            return True
        rest = data[-_LONGEST:]
    return False


_LONGEST = 4096


def pattern_of(people: People, *, quote: str = "", json: bool = False) -> list[str]:
    """Return regular expressions of which one finds each record that may be the people's, and few others."""
    found: set[str] = set()
    for name, values in people.spelled.items():
        for one in {text.strip() for text in values} | people.values.get(name, set()):
            found.add(_spellings(one, name in people.whole, quote, json))
    found |= {_spellings(one, False, quote, json) for one in people.traces}
    flags = "(?is)" if people.spec.ignore_case else "(?s)"
    return [flags + one for one in _patterns(found)]


def _spellings(value: str, whole: bool, quote: str, json: bool) -> str:
    """A regular expression over bytes that finds *value* however it is spelled, and perhaps a little more."""
    if whole and value.lstrip("+-").isdigit():
        return rf"(?:^|[^0-9])0*{value.lstrip('+-').lstrip('0') or '0'}(?:[^0-9]|$)"
    return "".join(_letter(one, quote, json) for one in value)


def _letter(one: str, quote: str, json: bool) -> str:
    if not one.isascii():
        # bytes know no capitals
        return r"(?:[^\x00-\x7f]+|(?:\\u[0-9a-fA-F]{4})+)" if json else r"[^\x00-\x7f]+"
    if one == quote:
        return f"(?:{re.escape(one)})+"
    if json and not (one.isalnum() or one in "@.-_ +"):
        return r"(?:\\u[0-9a-fA-F]{4}|\\?.)"
    return re.escape(one)


def _patterns(alternatives: Any) -> list[str]:
    listed = sorted(set(alternatives))
    return ["|".join(listed[at : at + _ALTERNATIVES]) for at in range(0, len(listed), _ALTERNATIVES)]


# --- records in a stream of bytes ---------------------------------------------------------------


class _Ends:
    """Where records end: at line ends that are not inside quotes."""

    def __init__(self, quote: str, escape: str) -> None:
        self.quote = ord(quote) if quote else None
        self.escape = ord(escape) if escape and escape != quote else None

    def of(self, block: bytes, *, last: bool) -> np.ndarray[Any, Any]:
        """Return the offsets behind each complete record of *block*, which begins with one."""
        import numpy as np

        view = np.frombuffer(block, dtype=np.uint8)
        feeds = view == 10
        returns = view == 13
        if returns.any():
            # a return alone ends a line, one before a line feed is part of its end
            alone = returns.copy()
            alone[:-1] &= ~feeds[1:]
            if len(alone) and not last:
                alone[-1] = False
            feeds = feeds | alone
        if self.quote is not None:
            quotes = view == self.quote
            if self.escape is not None:
                quotes[1:] &= view[:-1] != self.escape
            feeds = feeds & ((np.cumsum(quotes) & 1) == 0)
        ends = np.nonzero(feeds)[0] + 1
        if last and len(block) and (not len(ends) or ends[-1] != len(block)):
            ends = np.append(ends, len(block))
        return ends


def _copy(
    source: IO[bytes],
    target: IO[bytes],
    ends_of: _Ends,
    patterns: Sequence[str],
    chosen: Callable[[list[bytes]], list[bool]],
    *,
    keep: int = 0,
) -> int:
    """Copy the records of *source*, but those that are *chosen* among the ones that fit a pattern.

    The first *keep* records stay in any case.
    """
    import numpy as np
    import pyarrow as pa

    rest, removed = b"", 0
    while True:
        data = source.read(_CHUNK)
        block = rest + data
        ends = ends_of.of(block, last=not data)
        if len(ends):
            starts = np.concatenate(([0], ends[:-1]))
            offsets = np.concatenate(([0], ends)).astype(np.int64)
            records = pa.LargeBinaryArray.from_buffers(
                pa.large_binary(), len(ends), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(block)]
            )
            gone = _gone(records, patterns, chosen, keep)
            keep = max(0, keep - len(ends))
            removed += int(gone.sum())
            _write(target, block, starts, ends, gone)
            rest = block[int(ends[-1]) :]
        else:
            rest = block
        if not data:
            target.write(rest)
            return removed


def _gone(
    records: Any,
    patterns: Sequence[str],
    chosen: Callable[[list[bytes]], list[bool]],
    keep: int,
) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow.compute as pc

    fits = np.zeros(len(records), dtype=bool)
    for one in patterns:
        fits |= pc.match_substring_regex(records, one).to_numpy(zero_copy_only=False)
    fits[:keep] = False
    places = np.nonzero(fits)[0]
    gone = np.zeros(len(records), dtype=bool)
    if len(places):
        gone[places] = chosen([bytes(one) for one in records.take(places).to_pylist()])
    return gone


def _write(
    target: IO[bytes],
    block: bytes,
    starts: np.ndarray[Any, Any],
    ends: np.ndarray[Any, Any],
    gone: np.ndarray[Any, Any],
) -> None:
    """Write the block without the records that go: one write for each stretch between two of them."""
    import numpy as np

    view = memoryview(block)
    place = 0
    for at in np.nonzero(gone)[0]:
        target.write(view[place : int(starts[at])])
        place = int(ends[at])
    target.write(view[place : int(ends[-1])])


# --- which of the candidates are the people's ----------------------------------------------------


def _told_csv(
    records: Sequence[bytes], options: Mapping[str, Any], fields: Sequence[Field], keys: Keys, wanted: Wanted
) -> list[bool]:
    """Parse candidates, each with its number before it, and say which are the people's."""
    delimiter = str(options["delimiter"]).encode()
    result = [False] * len(records)
    with tempfile.TemporaryDirectory(prefix="lakewright-") as folder:
        file = Path(folder) / "candidates.csv"
        file.write_bytes(
            b"".join(b"%d%s%s\n" % (at, delimiter, one.rstrip(b"\r\n")) for at, one in enumerate(records))
        )
        plain = {**options, "header": False, "skip": 0, "comment": "", "compression": "none"}
        numbered = [Field("_number", "VARCHAR"), *fields]
        scan = csv_scan([str(file)], plain, numbered).sql("duckdb")
        spelled = {one.name.lower(): one.source or one.name for one in fields}
        listed = ", ".join(
            f"{identifier(spelled[key.lower()]).sql('duckdb')} AS {identifier(key).sql('duckdb')}"
            for key in keys
            if key.lower() in spelled
        )
        condition = _condition(keys, spelled, wanted)
        query = (
            f"SELECT CAST(_number AS BIGINT), {condition} FROM "
            f"(SELECT _number{', ' if listed else ''}{listed} FROM {scan})"
        )
        rows = wanted.cursor.execute(query).fetchall()
    parsed = set()
    for at, mine in rows:
        parsed.add(at)
        result[at] = bool(mine)
    places = {one.name.lower(): place for place, one in enumerate(fields)}
    for at in range(len(records)):
        if at not in parsed:
            result[at] = _broken(records[at], options, places, keys, wanted.people)
    return result


def _broken(
    record: bytes, options: Mapping[str, Any], places: Mapping[str, int], keys: Keys, people: People
) -> bool:
    """Whether a record that DuckDB cannot parse is the people's, as far as that can be told."""
    text = record.decode("utf-8", "replace")
    quote = str(options["quote"] or "")
    plain = text.replace(quote * 2, quote) if quote else text
    words = people.pattern()
    if words is not None and (words.search(text) or words.search(plain)):
        return True
    parts = _fields_of(text, options)
    for key, (name, mask) in keys.items():
        place = places.get(key.lower(), len(parts))
        if mask is None and place < len(parts):
            value = people.normal(name, parts[place].strip(" \"'"))
            if value in people.values.get(name, ()):
                return True
    return False


def _fields_of(text: str, options: Mapping[str, Any]) -> list[str]:
    """The fields of a broken record, by a reader that takes what it gets."""
    delimiter, quote = str(options["delimiter"]), str(options["quote"] or "")
    line = text.rstrip("\r\n")
    if len(delimiter) == 1:
        form: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
        with contextlib.suppress(csv.Error):
            return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, **form), [])
    return line.split(delimiter)


def _told_json(records: Sequence[bytes], fields: Sequence[Field], keys: Keys, wanted: Wanted) -> list[bool]:
    import pyarrow as pa

    spelled = {one.name.lower(): one.source or one.name for one in fields}
    texts = [one.removeprefix(_BOM).decode("utf-8", "replace") for one in records]
    wanted.cursor.register(
        "_candidates", pa.table({"number": pa.array(range(len(texts)), pa.int64()), "line": pa.array(texts)})
    )
    try:
        here = [key for key in keys if key.lower() in spelled]
        listed = ", ".join(f"json_extract_string(line, ?) AS {identifier(key).sql('duckdb')}" for key in here)
        pointers = [_pointer(spelled[key.lower()]) for key in here]
        condition = _condition(keys, spelled, wanted)
        rows = wanted.cursor.execute(
            f"SELECT number, {condition} FROM (SELECT number{', ' if listed else ''}{listed} "
            "FROM (SELECT number, line::JSON AS line FROM _candidates WHERE json_valid(line)))",
            pointers,
        ).fetchall()
    finally:
        wanted.cursor.unregister("_candidates")
    found = dict(rows)
    words = wanted.people.pattern()
    return [
        bool(found[at]) if at in found else bool(words is not None and words.search(text))
        for at, text in enumerate(texts)
    ]


def _condition(keys: Keys, spelled: Mapping[str, str], wanted: Wanted) -> str:
    parts = [
        wanted.told(name, key, mask).sql("duckdb")
        for key, (name, mask) in keys.items()
        if key.lower() in spelled
    ]
    return " OR ".join(parts) or "false"


def _pointer(name: str) -> str:
    """The JSON pointer of a key (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


# --- documents -----------------------------------------------------------------------------------

_list = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BLANK = b" \t\r\n"
_BEFORE_ELEMENT = re.compile(rb"[ \t\r\n,]*")
_BEFORE_VALUE = re.compile(rb'[ \t\r\n,]*"(?:[^"\\]|\\.)*"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)


def _inside(
    data: bytes, steps: Sequence[str | int], fields: Sequence[Field], keys: Keys, wanted: Wanted
) -> tuple[bytes, int]:
    """Cut records out of the value at *steps*; what stands around them is spelled as it was."""
    if steps:
        children, spans = _children(data)
        place = children.index(steps[0])
        start, end = spans[place]
        inner, count = _inside(data[start:end], steps[1:], fields, keys, wanted)
        return data[:start] + inner + data[end:], count
    if data.lstrip(_BLANK)[:1] != b"[":
        gone = _told_json([data], fields, keys, wanted)[0]
        return (b"[]", 1) if gone else (data, 0)
    _, spans = _children(data)
    mine = _told_json([data[start:end] for start, end in spans], fields, keys, wanted) if spans else []
    kept = [span for span, leaves in zip(spans, mine, strict=True) if not leaves]
    if len(kept) == len(spans):
        return data, 0
    return _joined(data, spans, kept), len(spans) - len(kept)


def _joined(data: bytes, spans: Sequence[tuple[int, int]], kept: Sequence[tuple[int, int]]) -> bytes:
    """The list with the elements *kept*: what stood before, between and behind them stays as it was."""
    if not kept:
        return data[: spans[0][0]].rstrip(_BLANK) + data[spans[-1][1] :].lstrip(_BLANK)
    before = dict(zip(spans[1:], spans, strict=False))
    parts = [data[: spans[0][0]]]
    for number, (start, end) in enumerate(kept):
        if number:
            parts.append(data[before[start, end][1] : start])
        parts.append(data[start:end])
    return b"".join([*parts, data[spans[-1][1] :]])


def _children(data: bytes) -> tuple[list[str | int], list[tuple[int, int]]]:
    """The keys or places of the values in an object or a list, and where each of them stands."""
    place = len(data) - len(data.lstrip(_BLANK))
    items: Any = (
        _object.decode(data).items() if data[place : place + 1] == b"{" else enumerate(_list.decode(data))
    )
    names: list[str | int] = []
    spans: list[tuple[int, int]] = []
    is_list = data[place : place + 1] == b"["
    place += 1
    for name, raw in items:
        match = (_BEFORE_ELEMENT if is_list else _BEFORE_VALUE).match(data, place)
        assert match is not None, "JSON that was decoded has this form"
        place = match.end() + len(bytes(raw))
        names.append(name)
        spans.append((match.end(), place))
    return names, spans
