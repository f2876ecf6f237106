"""Inspect CSV files: resolve dialects once per header, count rows and rejects in one pass per group."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from lakewright.sources.csv_repair import repair
from lakewright.sources.dialect import Dialect, clean_names, resolve
from lakewright.sources.manifest import Field
from lakewright.sources.outcome import Outcome, Piece, Reject
from lakewright.sources.scan import MAX_LINE, csv_scan
from lakewright.sources.text import Unreadable, normalise_line_ends
from lakewright.spec.sources import ReadOptions
from lakewright.sql.names import column

__all__ = ["inspect_csv"]

_SAMPLE = 1 << 16
_numbers = itertools.count()

_REASONS = {
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
    "UNQUOTED VALUE": "a quote is not closed, or text follows a closing quote",
    "LINE SIZE OVER MAXIMUM": f"the line is longer than {MAX_LINE:,} bytes",
    "INVALID ENCODING": "the bytes are not valid UTF-8",
    "INVALID STATE": "the line is malformed",
}
#: Rejects after which DuckDB may have swallowed good lines, or that it sees only in columns that are read.
_NEED_REPAIR = frozenset(("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM", "INVALID ENCODING"))


@dataclass(frozen=True, slots=True)
class _Raw:
    """A row of DuckDB's rejects: 1-based record and byte of its beginning."""

    byte: int
    kind: str
    content: str
    column: str | None
    found: str


def inspect_csv(
    pieces: Sequence[Piece], declared: ReadOptions, cursor: duckdb.DuckDBPyConnection
) -> dict[Piece, Outcome]:
    """Return how each of *pieces* (UTF-8, unpacked) is read, its rows and its rejects.

    Pieces with the same dialect and columns are parsed together by one statement.
    """
    outcomes: dict[Piece, Outcome] = {}
    groups: dict[Dialect, list[Piece]] = {}
    known: dict[bytes, Dialect] = {}
    for piece in pieces:
        try:
            groups.setdefault(_dialect(piece, declared, known), []).append(piece)
        except Unreadable as reason:
            outcomes[piece] = Outcome("csv", unreadable=str(reason))
    for dialect, group in groups.items():
        clean = [piece for piece in group if piece.text.utf8]
        try:
            outcomes |= _count(clean, dialect, cursor)
        except duckdb.Error:
            # One file that DuckDB cannot parse spoils the statement for all: find it.
            for piece in clean:
                outcomes[piece] = _alone(piece, dialect, cursor)
        for piece in group:
            if not piece.text.utf8:
                outcomes[piece] = _alone(piece, dialect, cursor)
            elif outcomes[piece].rejects and len(group) > 1:
                outcomes[piece] = _own(piece, declared, dialect, outcomes[piece], cursor)
    return outcomes


def _dialect(piece: Piece, declared: ReadOptions, known: dict[bytes, Dialect]) -> Dialect:
    line = re.split(rb"[\r\n]", piece.head, maxsplit=1)[0]
    # A line with text outside quotes and letters in it is a header that decides for all files that share it.
    reusable = line.count(b'"') % 2 == 0 and len(line) < len(piece.head) and len(line) > 3
    if reusable and line in known and known[line].header:
        return known[line]
    sample = piece.head[:_SAMPLE].decode("utf-8", "replace")
    dialect = resolve(sample, declared, complete=piece.size <= _SAMPLE)
    if reusable and dialect.skip == (declared.skip or 0):
        known[line] = dialect
    return dialect


def _own(
    piece: Piece,
    declared: ReadOptions,
    dialect: Dialect,
    outcome: Outcome,
    cursor: duckdb.DuckDBPyConnection,
) -> Outcome:
    """Read a file with rejects in its own dialect, in case the one found for its neighbours is not its own."""
    try:
        own = _dialect(piece, declared, {})
    except Unreadable:
        return outcome
    if own == dialect or own.names != dialect.names:
        return outcome
    again = _alone(piece, own, cursor)
    return outcome if again.unreadable or len(again.rejects) >= len(outcome.rejects) else again


def _alone(piece: Piece, dialect: Dialect, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    """Read a file that does not parse together with others, or has bytes that are no text."""
    problem = ""
    # Line ends of several kinds make DuckDB's strict parser give up. They are evened outside quotes only, and
    # everywhere when even that does not help, because a stray quote turns inside out.
    for quote in (None, *dict.fromkeys((dialect.quote, ""))):
        at = None if quote is None else _evened(piece, quote)
        try:
            if piece.text.utf8:
                return _count([piece], dialect, cursor, at=at)[piece]
            return _repaired(piece, dialect, cursor, at=at)
        except duckdb.Error as error:
            problem = _first_line(error)
    return Outcome("csv", unreadable=f"not readable as CSV: {problem}")


def _evened(piece: Piece, quote: str) -> Path:
    target = piece.copy("lines" if quote else "all_lines")
    normalise_line_ends(piece.local, target, quote)
    return target


def _count(
    pieces: Sequence[Piece],
    dialect: Dialect,
    cursor: duckdb.DuckDBPyConnection,
    *,
    at: Path | None = None,
    mended: bool = False,
) -> dict[Piece, Outcome]:
    """Parse *pieces* (the only one at *at*, when given) in one statement."""
    if not pieces:
        return {}
    fields = _fields(dialect)
    options = _options(dialect)
    places = {str(at or piece.local): piece for piece in pieces}
    rows, raw = _parse(list(places), options, fields, cursor)
    outcomes: dict[Piece, Outcome] = {}
    for place, piece in places.items():
        broken = raw.get(place, [])
        if not mended and any(_swallows(one) for one in broken):
            outcomes[piece] = _repaired(piece, dialect, cursor, at=at)
            continue
        rejects = _rejects(broken, Path(place)) if broken else []
        outcomes[piece] = Outcome("csv", fields, rows.get(place, 0), options, rejects, local=at)
    return outcomes


def _repaired(
    piece: Piece, dialect: Dialect, cursor: duckdb.DuckDBPyConnection, *, at: Path | None = None
) -> Outcome:
    """Cut bad records out of a copy, so that what is read does not depend on DuckDB's way of recovering."""
    if at is None and re.search(rb"\r(?!\n)", piece.head):
        at = _evened(piece, dialect.quote)
    target = piece.copy("mended")
    try:
        mended = repair(at or piece.local, target, dialect)
    except Unreadable as reason:
        return Outcome("csv", unreadable=str(reason))
    if mended is None:
        if piece.text.utf8:
            return _count([piece], dialect, cursor, at=at, mended=True)[piece]
        return Outcome("csv", unreadable="the file is not UTF-8, and its encoding is not declared")
    outcome = _count([piece], dialect, cursor, at=target, mended=True)[piece]
    moved = [
        Reject(mended.original(one.line), one.reason, one.content, one.column) if one.line else one
        for one in outcome.rejects
    ]
    outcome.rejects = sorted([*mended.rejects, *moved], key=lambda one: one.line or 0)
    return outcome


def _parse(
    files: Sequence[str],
    options: dict[str, Any],
    fields: Sequence[Field],
    cursor: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, int], dict[str, list[_Raw]]]:
    number = next(_numbers)
    rejects, scans = f"_rejects_{number}", f"_scans_{number}"
    scan = csv_scan(files, options, fields, rejects=(rejects, scans))
    query = (
        exp.select(column("filename"), exp.Count(this=exp.Star())).from_(scan).group_by(column("filename"))
    )
    try:
        rows = dict(cursor.execute(query.sql("duckdb")).fetchall())
        found = cursor.execute(
            f"SELECT file_path, line_byte_position, error_type::VARCHAR, csv_line, column_name, error_message "  # noqa: S608
            f"FROM {rejects} JOIN {scans} USING (scan_id, file_id) "
            "ORDER BY file_path, line_byte_position, byte_position, column_idx"
        ).fetchall()
    finally:
        with contextlib.suppress(duckdb.Error):
            cursor.execute(f"DROP TABLE IF EXISTS {rejects}")
            cursor.execute(f"DROP TABLE IF EXISTS {scans}")
    by_file: dict[str, list[_Raw]] = {}
    for path, byte, kind, content, name, message in found:
        by_file.setdefault(path, []).append(_Raw(byte, kind, content or "", name, message or ""))
    return rows, by_file


def _swallows(one: _Raw) -> bool:
    if one.kind not in _NEED_REPAIR:
        return False
    return (
        one.kind != "UNQUOTED VALUE" or "\n" in one.content.strip("\r\n") or "\r" in one.content.strip("\r\n")
    )


def _rejects(raw: Iterable[_Raw], file: Path) -> list[Reject]:
    """One reject per record, with the line of the file at which it begins."""
    firsts = [next(group) for _, group in itertools.groupby(raw, key=lambda one: one.byte)]
    result = []
    lines = _lines_at(file, [one.byte - 1 for one in firsts])
    for one, line in zip(firsts, lines, strict=True):
        # Blank lines before a record count as part of it.
        text = one.content.lstrip("\r\n")
        blank = one.content[: len(one.content) - len(text)]
        line += blank.count("\n") or blank.count("\r")
        counts = re.fullmatch(r"Expected Number of Columns: (\d+) Found: (\d+)", one.found)
        reason = _REASONS.get(one.kind, one.kind.lower())
        if counts:
            reason = f"{reason}: {counts[2]}{'' if one.kind == 'MISSING COLUMNS' else ' or more'} where {counts[1]} are expected"
        result.append(Reject(line, reason, text.rstrip("\r\n"), one.column))
    return result


def _lines_at(file: Path, offsets: Sequence[int]) -> list[int]:
    """Return the line numbers, from 1, of increasing byte *offsets* of *file*."""
    result: list[int] = []
    place, line = 0, 1
    with file.open("rb") as stream:
        feeds = b"\n" in stream.read(1 << 20)
        stream.seek(0)
        mark = b"\n" if feeds else b"\r"
        for offset in offsets:
            while place < offset:
                data = stream.read(min(offset - place, 1 << 20))
                if not data:
                    break
                line += data.count(mark)
                place += len(data)
            result.append(line)
    return result


def _fields(dialect: Dialect) -> tuple[Field, ...]:
    names = clean_names(dialect.names)
    return tuple(Field(name, "VARCHAR") for name in names)


def _options(dialect: Dialect) -> dict[str, Any]:
    return {
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "escape": dialect.escape,
        "header": dialect.header,
        "skip": dialect.skip,
        "comment": dialect.comment,
        "nulls": list(dialect.nulls),
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
