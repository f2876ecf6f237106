"""Survey a folder of files for ``init --from``: which tables they make, and what each column holds."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lakewright.errors import LakewrightError
from lakewright.lake.raw import RawStore, Stored
from lakewright.sources.discover import Found
from lakewright.sources.drift import schema_of
from lakewright.sources.files import manifest_entry
from lakewright.sources.grouping import Group, by_header, by_name, name_groups
from lakewright.sources.inspect import Inspected, inspect
from lakewright.sources.kinds import COMPRESSIONS, EXTENSIONS, format_of, inner_name
from lakewright.sources.manifest import RawFile
from lakewright.sources.outcome import in_threads
from lakewright.sources.profile_keys import link_tables
from lakewright.sources.profile_table import Survey, describe_table
from lakewright.sources.read import reading
from lakewright.sources.staging import HEAD, Staged, TextScan
from lakewright.spec.sources import FileDataset

if TYPE_CHECKING:
    import duckdb

__all__ = ["Survey", "survey"]


def survey(source: str | Path, *, workers: int = 8) -> Survey:
    """Look at every file under the folder *source* (or at one file) and return the tables they make.

    Nothing is written but temporary copies of what DuckDB cannot read as it is. ``skipped`` lists
    the files left out, with reasons. Raises LW201 when there is no such folder.
    """
    import duckdb

    base = Path(source).expanduser()
    if not base.exists():
        raise LakewrightError("LW201", f"{str(source)!r} does not exist", tried=[str(base.absolute())])
    only = None if base.is_dir() else base.name
    base = base.resolve() if only is None else base.resolve().parent
    skipped: list[tuple[str, str]] = []
    paths = [only] if only else _walk(base, skipped)
    with (
        tempfile.TemporaryDirectory(prefix="lakewright-") as folder,
        duckdb.connect() as connection,
        ThreadPoolExecutor(workers) as threads,
    ):
        cursor = connection
        for setting in (
            "python_enable_replacements = false",
            "enable_progress_bar = false",
            "TimeZone = 'UTC'",
        ):
            cursor.execute(f"SET {setting}")
        cursor.execute(f"SET temp_directory = '{folder}/spill'")
        looked = _look(base, paths, Path(folder), cursor, threads)
        good = {}
        for one in looked:
            path = one.staged.found.path
            if one.unreadable:
                skipped.append((path, one.unreadable))
            elif path.lower().endswith((".txt", ".dat")) and _width(one) < 2:
                skipped.append((path, "text without columns"))
            else:
                good[path] = one
        headers = {path: _header(one) for path, one in good.items()}
        groups = name_groups(by_header(by_name(list(good)), headers), list(good), base.name)
        found = Survey([], sorted(skipped))
        store = _InPlace(base)
        for number, group in enumerate(groups):
            _table(found, group, good, store, cursor, f"_table_{number}")
        link_tables(found.drafts, cursor)
        found.tables = [one.table for one in found.drafts]
        return found


def _table(
    found: Survey,
    group: Group,
    good: dict[str, Inspected],
    store: RawStore,
    cursor: duckdb.DuckDBPyConnection,
    relation: str,
) -> None:
    dataset = FileDataset(files=group.files)
    files = [_entry(good[path]) for path in group.paths]
    schema = schema_of(files, dataset, cursor)
    if not schema:
        found.skipped += [(path, "it has no columns") for path in group.paths]
        return
    read = reading(files, dataset, store=store, cursor=cursor, schema=schema)
    rejected = sum(file.rejected for file in files)
    found.drafts.append(describe_table(group, read, files[0].format, relation, cursor, rejected=rejected))


def _walk(base: Path, skipped: list[tuple[str, str]]) -> list[str]:
    paths = []
    for folder, folders, names in os.walk(base):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            path = (Path(folder) / name).relative_to(base).as_posix()
            if name.startswith((".", "~$")):
                continue
            try:
                reason = _no_data(Path(folder) / name)
            except OSError as error:
                reason = f"cannot be read: {error.strerror}"
            if reason:
                skipped.append((path, reason))
            else:
                paths.append(path)
    return paths


def _no_data(file: Path) -> str:
    """Why *file* is none that can hold rows; empty when it may. Raises OSError when it cannot be read."""
    if not stat.S_ISREG(file.stat().st_mode):
        return "neither a file nor a folder"  # reading a pipe would wait for whoever writes to it
    name = inner_name(file.name)
    if Path(name).suffix.lower() in EXTENSIONS or file.suffix.lower() in COMPRESSIONS:
        return "" if file.stat().st_size else "the file is empty"
    with file.open("rb") as stream:
        head = stream.read(64)
    if head.startswith(b"SQLite format 3\0"):
        return "a SQLite database, which is no file of rows"
    if head.startswith((b"PAR1", b"Obj\x01", b"ORC")):
        return ""
    return "not a kind of file that holds rows"


def _look(
    base: Path,
    paths: Sequence[str],
    folder: Path,
    cursor: duckdb.DuckDBPyConnection,
    threads: Executor,
) -> list[Inspected]:
    staged = in_threads(threads, lambda path: _in_place(base, path), paths)
    work = folder / "files"
    work.mkdir()
    return inspect(staged, FileDataset(files="*"), work, cursor, threads)


def _in_place(base: Path, path: str) -> Staged:
    """Describe a file where it lies: no copy, and only text is read through."""
    local = base / path
    status = local.stat()
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    text = TextScan()
    with local.open("rb") as stream:
        head = stream.read(HEAD)
        text.feed(head)
        if format_of(head, inner_name(path)) in ("csv", "json", "ndjson"):
            while data := stream.read(1 << 20):
                text.feed(data)
        text.close()
    found = Found(
        path,
        status.st_size,
        modified,
        str(local),
        lambda: local.open("rb"),
        lambda: (status.st_size, modified),
    )
    digest = hashlib.sha256(path.encode()).hexdigest()
    return Staged(found, local, status.st_size, digest, modified, head, text)


def _entry(one: Inspected) -> RawFile:
    """The manifest's form of a file that is read where it lies."""
    return manifest_entry("survey", one, lambda piece, outcome: str(outcome.local or piece.local))


def _header(one: Inspected) -> tuple[str, ...]:
    return tuple(field.name for _, outcome in one.pieces for field in outcome.columns)


def _width(one: Inspected) -> int:
    return max((len(outcome.columns) for _, outcome in one.pieces), default=0)


class _InPlace(RawStore):
    """Files read where they lie: their paths are absolute."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)

    def uri(self, path: str) -> str:
        return path

    def _refuse(self) -> LakewrightError:
        return LakewrightError("LW901", "a survey writes nothing")

    def _write(self, stream: object, path: str) -> int:
        raise self._refuse()

    def publish(self, local: Path, path: str) -> None:
        raise self._refuse()

    def open(self, path: str) -> BinaryIO:
        return Path(path).open("rb")

    def exists(self, path: str) -> bool:
        return Path(path).is_file()

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return iter(())

    def delete(self, path: str) -> None:
        raise self._refuse()

    def staging(self) -> Path:
        raise self._refuse()
