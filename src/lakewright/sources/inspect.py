"""Inspect staged files whatever they are: recognise, unpack, decode, and hand them to the reader of their format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import duckdb

from lakewright.sources.columnar import inspect_columnar
from lakewright.sources.csv_files import inspect_csv
from lakewright.sources.json_files import inspect_json
from lakewright.sources.kinds import compression_of, format_of, inner_name
from lakewright.sources.outcome import Outcome, Piece, in_threads
from lakewright.sources.staging import HEAD, Staged, TextScan
from lakewright.sources.text import Unreadable, decode, encoding_of, members, unpack
from lakewright.spec.sources import FileDataset

__all__ = ["Inspected", "inspect", "member_path"]

_TEXTS = frozenset(("csv", "json", "ndjson"))


@dataclass(slots=True)
class Inspected:
    """A staged file with its pieces; ``unreadable`` is the reason when nothing of it can be read."""

    staged: Staged
    format: str = ""
    pieces: list[tuple[Piece, Outcome]] = field(default_factory=list)
    unreadable: str = ""


def inspect(
    staged: Sequence[Staged],
    dataset: FileDataset,
    folder: Path,
    cursor: duckdb.DuckDBPyConnection,
    threads: Executor,
) -> list[Inspected]:
    """Return what *staged* files hold, in their order. Copies made on the way go to *folder*."""
    prepared = in_threads(
        threads, lambda at: _prepare(staged[at], dataset, folder / f"work-{at}"), range(len(staged))
    )
    outcomes: dict[Piece, Outcome] = {}
    texts = [piece for one in prepared for piece, kind in one.pieces if kind == "csv"]
    if texts:
        outcomes |= inspect_csv(texts, dataset.options, cursor)
    others = [(piece, kind) for one in prepared for piece, kind in one.pieces if kind != "csv"]
    outcomes |= _each(others, dataset, cursor, threads)
    result = []
    for one in prepared:
        inspected = Inspected(one.staged, unreadable=one.unreadable)
        for piece, kind in one.pieces:
            inspected.format = inspected.format or kind
            inspected.pieces.append((piece, one.failed.get(piece) or outcomes[piece]))
        if not inspected.unreadable and all(outcome.unreadable for _, outcome in inspected.pieces):
            inspected.unreadable = "; ".join(
                f"{piece.member}: {outcome.unreadable}" if piece.member else outcome.unreadable
                for piece, outcome in inspected.pieces
            )
        result.append(inspected)
    return result


@dataclass(slots=True)
class _Prepared:
    staged: Staged
    pieces: list[tuple[Piece, str]] = field(default_factory=list)
    failed: dict[Piece, Outcome] = field(default_factory=dict)
    unreadable: str = ""


def _prepare(staged: Staged, dataset: FileDataset, folder: Path) -> _Prepared:
    """Unpack and decode one file as far as its format needs."""
    result = _Prepared(staged)
    declared = dataset.options
    name = staged.found.path
    compression = declared.compression or compression_of(staged.head, Path(name), staged.local)
    try:
        if compression == "none":
            piece = Piece(name, staged.local, staged.head, staged.text, staged.size, folder)
            _add(result, piece, dataset, name)
            return result
        folder.mkdir()
        if compression == "zip":
            for member, local, head, text in members(staged.local, folder):
                piece = Piece(
                    f"{name}/{member}",
                    local,
                    head,
                    text,
                    local.stat().st_size,
                    folder,
                    member_path(member),
                    True,
                )
                _add(result, piece, dataset, member)
            return result
        local = folder / "unpacked"
        head, text = unpack(staged.local, compression, local)
        packed = compression if compression in ("gzip", "zstd") else "none"
        piece = Piece(name, local, head, text, local.stat().st_size, folder, "", True, packed)
        _add(result, piece, dataset, inner_name(name))
    except Unreadable as reason:
        result.unreadable = str(reason)
        result.pieces = []
    return result


def _add(result: _Prepared, piece: Piece, dataset: FileDataset, name: str) -> None:
    kind = format_of(piece.head, name, dataset.format)
    if kind in _TEXTS:
        try:
            _to_utf8(piece, kind, dataset)
        except Unreadable as reason:
            result.failed[piece] = Outcome(kind, unreadable=str(reason))
            kind = "failed"
    else:
        # Only text is unpacked by DuckDB itself.
        piece.packed = "none"
    result.pieces.append((piece, kind))


def _to_utf8(piece: Piece, kind: str, dataset: FileDataset) -> None:
    declared = dataset.options.encoding
    encoding = encoding_of(piece.head, piece.text, declared)
    if encoding == "utf-8" or (kind != "csv" and encoding in ("cp1252", "latin-1") and declared is None):
        return
    target = piece.copy("decoded")
    decode(piece.local, encoding, target)
    piece.local, piece.derived, piece.packed = target, True, "none"
    piece.size = target.stat().st_size
    piece.text = TextScan()
    with target.open("rb") as stream:
        piece.head = stream.read(HEAD)


def _each(
    pieces: Sequence[tuple[Piece, str]],
    dataset: FileDataset,
    cursor: duckdb.DuckDBPyConnection,
    threads: Executor,
) -> dict[Piece, Outcome]:
    """Inspect files that are looked at one by one, several at a time."""

    def run(job: tuple[Piece, str]) -> Outcome:
        piece, kind = job
        with cursor.cursor() as own:
            own.execute("SET enable_progress_bar = false")
            return _one(piece, kind, dataset, own)

    jobs = [job for job in pieces if job[1] != "failed"]
    return dict(zip((piece for piece, _ in jobs), in_threads(threads, run, jobs), strict=True))


def _one(piece: Piece, kind: str, dataset: FileDataset, cursor: duckdb.DuckDBPyConnection) -> Outcome:
    reader: Callable[..., Outcome] = inspect_json if kind in _TEXTS else inspect_columnar
    return reader(piece, kind, dataset.options, cursor)


def member_path(member: str) -> str:
    """Return the name of an archive's member as a relative path that stays where it is put."""
    parts = [part for part in PurePosixPath(member.replace("\\", "/")).parts if part not in ("/", ".", "..")]
    return "/".join(parts) or "member"
