"""Find the files of a source: by path or pattern, in a local folder or under an S3 prefix."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from lakewright.errors import LakewrightError, nearest
from lakewright.lake.raw import filesystem, split_s3
from lakewright.spec.project import S3
from lakewright.spec.sources import FileSource

__all__ = ["Found", "discover", "matches"]

_WILD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a source. ``path`` is relative to the source's path; ``open`` gives its bytes."""

    path: str
    size: int
    modified: datetime
    address: str
    open: Callable[[], BinaryIO]
    stat: Callable[[], tuple[int, datetime]]


def discover(
    source: FileSource, name: str, *, root: Path, s3: S3 | None = None, resolve: Callable[[str], str] = str
) -> list[Found]:
    """Return the files of dataset *name* of *source*, each once, ordered by path.

    Relative paths are relative to *root*, the project's folder. *s3* are the settings for
    ``s3://`` paths, whose secrets *resolve* gives. Hidden files and folders (``.x``) are left out unless the
    pattern names them, and so are files that are still being written elsewhere (``*.part``, ``*.tmp``,
    ``*.crdownload``). Raises LW201 when the source's folder or a file named without a pattern does not exist.
    """
    dataset = source.datasets[name]
    patterns = (dataset.files,) if isinstance(dataset.files, str) else dataset.files
    if source.path.startswith("s3://"):
        found = _discover_s3(source.path, patterns, s3 or S3(), resolve)
    else:
        found = _discover_local((root / source.path).resolve(), patterns, source.path)
    return [found[path] for path in sorted(found)]


def matches(pattern: str, path: str) -> bool:
    """Whether *path* fits *pattern*: ``*`` and ``?`` stay inside one folder, ``**`` crosses folders."""
    return bool(_regex(pattern).fullmatch(path))


def _discover_local(base: Path, patterns: Iterable[str], shown: str) -> dict[str, Found]:
    if not base.is_dir():
        raise LakewrightError("LW201", f"the source's folder {shown!r} does not exist", tried=[str(base)])
    found: dict[str, Found] = {}
    for pattern in patterns:
        pattern = pattern.removeprefix("./")
        if not _WILD.search(pattern):
            file = base / pattern
            if not file.is_file():
                raise LakewrightError(
                    "LW201",
                    f"the file {pattern!r} does not exist{nearest(pattern, _names(base))}",
                    tried=[str(file)],
                )
            found[pattern] = _local(file, pattern)
            continue
        # glob knows [seq] as well; the project's patterns do not
        escaped = glob.escape(pattern).replace("[*]", "*").replace("[?]", "?")
        for path in glob.iglob(escaped, root_dir=base, recursive=True):  # noqa: PTH207 - quicker, and skips hidden files
            file = base / path
            name = PurePosixPath(*Path(path).parts).as_posix()
            if name not in found and not _unfinished(name) and file.is_file():
                found[name] = _local(file, name)
    # a name that is not UTF-8 could be written into no manifest and no statement
    return {_printable(name): replace(one, path=_printable(name)) for name, one in found.items()}


def _local(file: Path, name: str) -> Found:
    def status() -> tuple[int, datetime]:
        now = file.stat()
        return now.st_size, datetime.fromtimestamp(now.st_mtime, UTC)

    size, modified = status()
    return Found(name, size, modified, str(file), lambda: file.open("rb"), status)


def _discover_s3(
    address: str, patterns: Iterable[str], settings: S3, resolve: Callable[[str], str]
) -> dict[str, Found]:
    from pyarrow import fs

    bucket, prefix = split_s3(address)
    files = filesystem(settings, resolve)
    base = f"{bucket}/{prefix}".rstrip("/")
    found: dict[str, Found] = {}
    for pattern in patterns:
        # Only the part before the first wildcard narrows what S3 has to list.
        fixed = _WILD.split(pattern, maxsplit=1)[0]
        if fixed == pattern:
            info = files.get_file_info(f"{base}/{pattern}")
            if info.type != fs.FileType.File:
                raise LakewrightError("LW201", f"the file {pattern!r} does not exist under {address}")
            infos = [info]
        else:
            folder = f"{base}/{fixed.rpartition('/')[0]}".rstrip("/")
            selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
            infos = [one for one in files.get_file_info(selector) if one.type == fs.FileType.File]
        for info in infos:
            name = info.path[len(base) + 1 :]
            if matches(pattern, name) and not _unfinished(name):
                found[name] = _remote(files, info, name)
    return found


def _remote(files: Any, info: Any, name: str) -> Found:
    def status() -> tuple[int, datetime]:
        now = files.get_file_info(info.path)
        return now.size, now.mtime

    return Found(
        name,
        info.size,
        info.mtime,
        f"s3://{info.path}",
        lambda: cast("BinaryIO", files.open_input_stream(info.path, compression=None)),
        status,
    )


def _regex(pattern: str) -> re.Pattern[str]:
    text = ""
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern.removeprefix("./")):
        # as in a shell, a wildcard at the start of a name does not match a leading dot
        start = "" if text and not text.endswith(("/", ")*")) else r"(?!\.)"
        wild = {"**/": r"(?:(?!\.)[^/]+/)*", "**": r".*", "*": start + r"[^/]*", "?": start + r"[^/]"}
        text += wild.get(token) or re.escape(token)
    return re.compile(text, re.DOTALL)


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unfinished(name: str) -> bool:
    return name.endswith((".part", ".tmp", ".crdownload", ".filepart", "~"))


def _names(base: Path) -> list[str]:
    return [one.name for one in base.iterdir() if one.is_file()]
