"""What a DuckLake's catalog refers to: data files and files of deletes of all its versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lakewright.errors import LakewrightError
from lakewright.lake.raw_zone import archive_path, in_archive
from lakewright.recovery.copies import Ask
from lakewright.recovery.model import Kind, Span
from lakewright.spec.project import Project
from lakewright.spec.rest import RestSource

__all__ = ["REJECTS", "LakeFile", "RawFile", "data_path", "files_of", "raw_files_of", "span_of"]

#: The folder of the raw zone with the lines that could not be read, a file per batch.
REJECTS = "_rejects/"

_FILES = """
    SELECT f.path, f.path_is_relative, t.path, t.path_is_relative, s.path, s.path_is_relative,
           s.schema_name || '.' || t.table_name, f.file_size_bytes, {rows}, f.end_snapshot, {deletes}, f.encryption_key
    FROM {files} f
    JOIN ducklake_table t ON t.table_id = f.table_id
    JOIN ducklake_schema s ON s.schema_id = t.schema_id
    ORDER BY f.path, t.begin_snapshot
"""


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A Parquet file of the lake: ``path`` relative to the folder of tables, rows that it holds, whether it is in the newest version.

    ``key`` opens it where it is encrypted, in base 64.
    """

    path: str
    dataset: str
    size: int
    rows: int
    deletes: bool
    current: bool
    key: str = field(default="", repr=False)


def files_of(ask: Ask) -> list[LakeFile]:
    """Return every file that some version of the lake needs, by path."""
    base = data_path(ask)
    data = _FILES.format(files="ducklake_data_file", rows="f.record_count", deletes="0")
    gone = _FILES.format(files="ducklake_delete_file", rows="f.delete_count", deletes="1")
    found: dict[str, LakeFile] = {}
    for row in [*ask(data), *ask(gone)]:
        path = _inside(base, row)
        # a table that was renamed has a row per name; the last one is what it is called now
        found[path] = LakeFile(
            path, str(row[6]), int(row[7]), int(row[8]), bool(row[10]), row[9] is None, str(row[11] or "")
        )
    return [found[path] for path in sorted(found)]


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of the raw zone: its dataset, and size and SHA-256 where the manifest knows them ("" and None: it does not).

    One that grew old lies in the archive, and its path begins with that.
    """

    path: str
    dataset: str = ""
    size: int | None = None
    sha256: str = ""

    @property
    def kind(self) -> Kind:
        """Where it lies: the folder ``raw`` of the lake or its ``archive``."""
        return "archive" if in_archive(self.path) else "raw"

    @property
    def inside(self) -> str:
        """Its path in that folder."""
        return archive_path(self.path) if in_archive(self.path) else self.path


def raw_files_of(ask: Ask, project: Project) -> dict[str, RawFile]:
    """Return the files of the raw zone that the manifest in a state database names, by path; those that expired are none."""
    if not ask("SELECT 1 FROM sqlite_master WHERE name = 'raw_files'"):
        return {}
    found: dict[str, RawFile] = {}
    retired = _retired(ask)
    for dataset, name, number, path, size, digest, parts in ask(
        "SELECT dataset, path, version, raw_path, size, hash, parts FROM raw_files"
    ):
        gone = retired.get((dataset, name, int(number)))
        if gone is not None:
            found |= {str(one["path"]): _moved(dataset, one) for one in gone if one["path"]}
            continue
        inside = [str(one["path"]) for one in json.loads(parts)]
        # what a database sent in slices lies in a folder of its name
        if not any(one.startswith(f"{path}/") for one in inside):
            found[path] = RawFile(path, dataset, int(size), _checksum(project, dataset, digest))
        for one in inside:
            found.setdefault(one, RawFile(one, dataset))
    _erased(ask, found, retired)
    return found


def _retired(ask: Ask) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """What became of files that are archived or expired: where each of their objects is now."""
    if not ask("SELECT 1 FROM sqlite_master WHERE name = 'raw_retired'"):
        return {}
    rows = ask("SELECT dataset, path, version, objects FROM raw_retired WHERE kind <> 'restored'")
    return {
        (str(dataset), str(path), int(version)): json.loads(text) for dataset, path, version, text in rows
    }


def _moved(dataset: str, one: dict[str, Any]) -> RawFile:
    return RawFile(str(one["path"]), dataset, int(one["size"]), str(one["sha256"]))


def _erased(
    ask: Ask, found: dict[str, RawFile], retired: Mapping[tuple[str, str, int], Sequence[dict[str, Any]]]
) -> None:
    """Correct what is known of files that people were erased from: the manifest keeps what was taken."""
    if not ask("SELECT 1 FROM sqlite_master WHERE name = 'erased_files'"):
        return
    query = """
        SELECT r.raw_path, e.objects, r.dataset, r.path, r.version FROM erased_files e
        JOIN raw_files r ON r.dataset = e.dataset AND r.path = e.path AND r.version = e.version ORDER BY e.at
    """
    for raw_path, objects, dataset, name, version in ask(query):
        if (dataset, name, int(version)) in retired:
            continue  # what is known of the archive follows what is rewritten in it
        rewritten = {str(one["path"]): str(one["after"]) for one in json.loads(objects)}
        for path, digest in rewritten.items():
            if path in found:
                found[path] = RawFile(path, found[path].dataset, None, digest)
        if raw_path not in rewritten:
            found.pop(raw_path, None)  # it could not be rewritten, and was deleted if that was asked for


def _checksum(project: Project, dataset: str, digest: str) -> str:
    """The hash of a raw file where it is one of its bytes: of answers of an API and of tables it is one of rows."""
    source = project.sources.get(project.raw.get(dataset, ""))
    return digest if source is not None and not isinstance(source, RestSource) and len(digest) == 64 else ""


def data_path(ask: Ask) -> str:
    """Return the folder or prefix of the tables that the catalog remembers, with ``/`` at its end."""
    rows = ask("SELECT value FROM ducklake_metadata WHERE key = 'data_path'")
    if not rows:
        raise LakewrightError("LW432", "the catalog names no folder of data: it is no DuckLake's")
    return str(rows[0][0]).rstrip("/") + "/"


def span_of(ask: Ask) -> Span:
    """Return the oldest and the newest snapshot."""
    rows = ask(
        "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot WHERE snapshot_id IN "
        "(SELECT min(snapshot_id) FROM ducklake_snapshot UNION SELECT max(snapshot_id) FROM ducklake_snapshot) "
        "ORDER BY snapshot_id"
    )
    if not rows:
        raise LakewrightError("LW432", "the lake's catalog has no snapshot")
    (first, first_at), (last, last_at) = rows[0][:2], rows[-1][:2]
    return Span(int(first), _time(first_at), int(last), _time(last_at))


def _inside(base: str, row: tuple[object, ...]) -> str:
    """The path of a file relative to the folder of tables; DuckLake puts schema, table and file one after another."""
    path = str(row[0])
    if _yes(row[1]):
        table = str(row[2])
        path = f"{table}{path}"
        if _yes(row[3]):
            path = f"{row[4]}{path}"
            if _yes(row[5]):
                return path
    if path.startswith(base):
        return path.removeprefix(base)
    raise LakewrightError(
        "LW432",
        f"the lake's file {path} lies outside its folder {base}",
        remedy="copy its rows into a dataset of the project; what others keep is not in a backup",
    )


def _yes(value: object) -> bool:
    return value in (1, True, "1", "t", "true")


def _time(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
