"""Inspect JSON documents and NDJSON: strict syntax, one record per line, and the type of every column."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from sqlglot import exp

from lakewright.errors import nearest
from lakewright.sources.csv_repair import cut_lines
from lakewright.sources.dialect import clean_names
from lakewright.sources.manifest import Field
from lakewright.sources.outcome import Outcome, Piece, Reject, shown
from lakewright.sources.scan import MAX_LINE, lines_scan, ndjson_scan, sql_type
from lakewright.sources.text import Unreadable
from lakewright.sources.types import text_times
from lakewright.spec.sources import ReadOptions
from lakewright.sql.names import column, literal

__all__ = ["follow", "inspect_json", "lines_of", "path_steps", "syntax_problem", "typed", "value_of"]

_raw = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

#: What DuckDB's parser lets pass though JSON forbids it, and what would overflow the stack of its recursion.
_SUSPECT = (
    "NOT json_valid(line)"
    r" OR regexp_matches(line, ',\s*[\]}]|(^|[\[:,])\s*[-+]?(?i:nan|inf)')"
    " OR (length(line) > 1000 AND length(line) - length(replace(replace(line, '[', ''), '{', '')) > 500)"
)
#: A document is parsed in memory.
_LARGEST = 2 << 30
_LONGEST = (MAX_LINE, 16 * MAX_LINE)


def inspect_json(
    piece: Piece, kind: str, declared: ReadOptions, cursor: duckdb.DuckDBPyConnection
) -> Outcome:
    """Return how *piece* (UTF-8, unpacked) is read; *kind* is ``json`` or ``ndjson``.

    A document is written as one record per line beside the original; NDJSON is read as it is, unless lines
    had to be left out. Files that are not JSON are unreadable as a whole, bad lines one by one.
    """
    try:
        if kind == "ndjson" or _is_lines(piece, declared):
            return _lines(piece, piece.local, cursor)
        copy = piece.copy("records")
        if not _document(piece, declared.records, copy):
            return _lines(piece, piece.local, cursor)
        outcome = typed(copy, [], cursor)
        outcome.local = copy
        return outcome
    except Unreadable as reason:
        return Outcome("ndjson", unreadable=str(reason))
    except duckdb.Error as error:
        return Outcome("ndjson", unreadable=f"not readable as JSON: {str(error).strip().splitlines()[0]}")


def _is_lines(piece: Piece, declared: ReadOptions) -> bool:
    """Whether a ``.json`` file holds one value per line: its first line is one, and another follows."""
    if declared.records is not None:
        return False
    first, feed, rest = piece.head.lstrip(b" \t\r\n").partition(b"\n")
    return bool(feed and rest.strip() and first.strip()) and syntax_problem(first.strip()) == ""


def _document(piece: Piece, records: str | None, target: Path) -> bool:
    """Write the records of a document as lines to *target*; False when it is rather a file of lines."""
    if not piece.text.utf8:
        raise Unreadable("not JSON: the bytes are not valid UTF-8")
    if piece.size > _LARGEST:
        raise Unreadable(
            f"a JSON document of more than {_LARGEST >> 30} GiB: write one record per line instead"
        )
    data = piece.local.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise Unreadable("the file is empty: there is no JSON value in it")
    problem = syntax_problem(data)
    if problem:
        raise Unreadable(f"not JSON: {problem}")
    lines, _ = lines_of(follow(msgspec.Raw(data), records))
    target.write_bytes(lines)
    return True


def lines_of(value: msgspec.Raw) -> tuple[bytes, int]:
    """Return the records of a JSON value, one per line, and how many: a single value is a single record."""
    is_list = bytes(value).lstrip(b" \t\r\n")[:1] == b"["
    elements = _list.decode(value) if is_list else [value]
    # Control characters cannot stand in valid JSON except as blanks between values, so one of them can mark the ends.
    joined = b"\x1e".join(elements)
    lines = joined.replace(b"\r", b" ").replace(b"\n", b" ").replace(b"\x1e", b"\n") + b"\n" * bool(elements)
    return lines, len(elements)


def path_steps(path: str) -> list[str | int]:
    """Return the keys and places that a path names: ``$.pages[0]['a.b']`` is ``["pages", 0, "a.b"]``."""
    found = re.findall(r"\[(\d+)\]|\[?['\"]([^'\"]+)['\"]\]?|([^.\[\]$'\"]+)", path)
    return [int(place) if place else quoted or plain for place, quoted, plain in found]


def follow(value: msgspec.Raw, path: str | None) -> msgspec.Raw:
    """Return the part of a document at *path*, such as ``$.data.items`` or ``$.pages[0].rows``.

    Raises Unreadable, which says where the way ends and what key is the nearest.
    """
    walked = "$"
    for step in path_steps(path or "$"):
        try:
            value = _list.decode(value)[step] if isinstance(step, int) else _object.decode(value)[step]
        except (msgspec.DecodeError, KeyError, IndexError) as error:
            known = _object.decode(value) if isinstance(error, KeyError) else ()
            raise Unreadable(
                f"there is nothing at {path!r} in the document: {walked} has no {step}{nearest(str(step), known)}"
            ) from None
        walked += f"[{step}]" if isinstance(step, int) else f".{step}"
    return value


def syntax_problem(data: bytes) -> str:
    """Return why *data* is not one strict JSON value, ``""`` when it is."""
    try:
        _raw.decode(data)
    except RecursionError:
        return "it is nested too deeply"
    except msgspec.DecodeError as error:
        return str(error).removeprefix("JSON is malformed: ")
    return ""


def _lines(piece: Piece, local: Path, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    rejects: list[Reject] = []
    source = local
    if not piece.text.utf8:
        source = piece.copy("utf8")
        rejects = cut_lines(local, source)
    bad = _bad_lines(source, cursor)
    if bad:
        # Line numbers of the original: the lines cut before have to be counted in.
        gone = [one.line or 0 for one in rejects]
        target = piece.copy("good")
        cut_lines(source, target, [line for line, _, _ in bad])
        rejects += [Reject(_shift(line, gone), reason, content) for line, reason, content in bad]
        source = target
    outcome = typed(source, sorted(rejects, key=lambda one: one.line or 0), cursor)
    outcome.local = source if source is not local else None
    return outcome


def _shift(line: int, gone: Sequence[int]) -> int:
    for cut in gone:
        if cut <= line:
            line += 1
    return line


def _bad_lines(file: Path, cursor: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Return number, reason and content of the lines that are not strict JSON; blank lines are nothing."""
    lines = _scanned(file, cursor)
    (count,) = cursor.execute(f"SELECT count(*) FILTER ({_SUSPECT}) FROM {lines}").fetchall()[0]  # noqa: S608
    if not count:
        return []
    suspects = cursor.execute(
        f"SELECT number, line FROM (SELECT row_number() OVER () AS number, line FROM {lines}) "  # noqa: S608
        f"WHERE {_SUSPECT}"
    ).fetchall()
    result = []
    for number, line in suspects:
        data = line.encode("utf-8", "replace")
        if data.strip() and (problem := syntax_problem(data)):
            result.append((number, f"not JSON: {problem}", shown(data)))
    return result


def _scanned(file: Path, cursor: duckdb.DuckDBPyConnection) -> str:
    for longest in _LONGEST:
        text = lines_scan(str(file), longest=longest).sql("duckdb")
        try:
            cursor.execute(f"SELECT count(*) FROM {text}").fetchall()  # noqa: S608
        except duckdb.InvalidInputException as error:
            if "aximum line size" not in str(error) or longest == _LONGEST[-1]:
                raise
        else:
            return text
    raise AssertionError("unreachable")


def typed(file: Path, rejects: list[Reject], cursor: duckdb.DuckDBPyConnection) -> Outcome:
    """Find the columns of the strict, clean NDJSON *file* and prove that reading it so works."""
    lines = _scanned(file, cursor)
    rows, records, longest = cursor.execute(
        "SELECT count(*) FILTER (trim(line) <> ''), count(*) FILTER (ltrim(line) LIKE '{%'), "  # noqa: S608
        f"coalesce(max(strlen(line)), 0) FROM {lines}"
    ).fetchall()[0]
    options: dict[str, Any] = {"longest": max(longest + 1_000, MAX_LINE)}
    if not rows:
        return Outcome("ndjson", (), 0, options, rejects)
    described = _describe(file, options, cursor)
    try:
        if rows == records and described and _faithful(described, lines, cursor):
            if fields := _fields(file, options, described, cursor):
                return Outcome("ndjson", fields, rows, options, rejects)
        elif records == 0 and len(described) == 1:
            field = Field("value", text_times(described[0][1], cursor))
            if _reads(file, {**options, "values": True}, (field,), cursor):
                return Outcome("ndjson", (field,), rows, {**options, "values": True}, rejects)
    except duckdb.Error:
        # Keys or nesting that no column type can say (NUL in a name, 500 levels): the record stays one value.
        pass
    return Outcome("ndjson", (Field("value", "JSON"),), rows, {**options, "values": True}, rejects)


def _fields(
    file: Path,
    options: dict[str, Any],
    described: Sequence[tuple[str, str]],
    cursor: duckdb.DuckDBPyConnection,
) -> tuple[Field, ...]:
    """Return the columns with the simplest types that every record converts to, none when there are none."""
    names = clean_names(name for name, _ in described)
    for kinds in _candidates([kind for _, kind in described], cursor):
        fields = tuple(
            Field(new, kind, name if name != new else "")
            for new, (name, _), kind in zip(names, described, kinds, strict=True)
        )
        if counts := _reads(file, options, fields, cursor):
            # A column without any value has no type yet.
            return tuple(
                Field(field.name, "NULL", field.source) if field.type == "JSON" and not count else field
                for field, count in zip(fields, counts, strict=True)
            )
    return ()


def _describe(
    file: Path, options: dict[str, Any], cursor: duckdb.DuckDBPyConnection
) -> list[tuple[str, str]]:
    """Infer the columns from every record. Empty when DuckDB cannot name them."""
    scan = ndjson_scan([str(file)], options, ())
    call = scan.this
    keep = [
        one
        for one in call.expressions
        if not (isinstance(one, exp.EQ) and one.this.name in ("columns", "filename"))
    ]
    extra = {
        "sample_size": literal(-1),
        "maximum_depth": literal(-1),
        "field_appearance_threshold": literal(0),
        "map_inference_threshold": literal(-1),
    }
    call.set(
        "expressions", keep + [exp.EQ(this=column(key), expression=value) for key, value in extra.items()]
    )
    try:
        found = cursor.execute(f"DESCRIBE SELECT * FROM {scan.sql('duckdb')}").fetchall()  # noqa: S608
    except duckdb.Error:
        return []
    return [(row[0], row[1]) for row in found]


def _faithful(described: Sequence[tuple[str, str]], lines: str, cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether the names are keys of the records: DuckDB renames empty ones and those that differ by case only."""
    doubtful = [name for name, _ in described if re.search(r"_\d+$|^C\d+$|^json$", name)]
    if not doubtful:
        return True
    tests = ", ".join(
        f"bool_or(json_exists(line, {literal('$.' + _quoted(name)).sql('duckdb')}))" for name in doubtful
    )
    return all(cursor.execute(f"SELECT {tests} FROM {lines}").fetchall()[0])  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _candidates(kinds: Sequence[str], cursor: duckdb.DuckDBPyConnection) -> itertools.chain[list[str]]:
    """Yield types from the simplest to the one that always fits."""
    texts = [text_times(kind, cursor) for kind in kinds]
    return itertools.chain(
        iter([[re.sub(r"\bHUGEINT\b", "BIGINT", kind) for kind in texts]]),
        iter([texts]),
        iter([["JSON"] * len(texts)]),
    )


def _reads(
    file: Path, options: dict[str, Any], fields: Sequence[Field], cursor: duckdb.DuckDBPyConnection
) -> tuple[int, ...]:
    """Return how many values each of *fields* has; nothing when some record does not convert."""
    scan = ndjson_scan([str(file)], options, fields)
    if options.get("values"):
        counts: list[exp.Expr] = [value_of(fields[0].type)]
    else:
        counts = [column(field.source or field.name) for field in fields]
    query = exp.select(*(exp.Count(this=one) for one in counts)).from_(scan)
    try:
        return tuple(cursor.execute(query.sql("duckdb")).fetchall()[0])
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.BinderException):
        return ()


def value_of(kind: str) -> exp.Expr:
    """Return the value of a record that is no object, read as one column ``json``, as *kind*."""
    if kind == "JSON":
        return column("json")
    if kind == "VARCHAR":
        return exp.Anonymous(this="json_extract_string", expressions=[column("json"), literal("$")])
    return exp.cast(column("json"), sql_type(kind))
