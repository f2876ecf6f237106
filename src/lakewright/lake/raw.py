"""The raw zone's files: one store over a local folder or an S3 prefix, with puts that are all or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from lakewright.errors import LakewrightError
from lakewright.spec.project import S3, Lake

__all__ = ["LocalStore", "RawStore", "S3Store", "Stored", "filesystem", "open_raw", "s3_client", "split_s3"]

Resolve = Callable[[str], str]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of a store: its ``path`` relative to the store, ``size`` in bytes, time of last change."""

    path: str
    size: int
    modified: datetime


class RawStore(ABC):
    """Files by relative path with ``/``. A file is there completely or not at all.

    ``root`` is the absolute folder or the ``s3://bucket/prefix``, without ``/`` at its end.
    ``staging`` makes a local folder for work in progress; :meth:`publish` moves a file out of it.
    """

    root: str

    def put(self, source: Path | bytes | IO[bytes], path: str) -> int:
        """Store the bytes of *source* as *path*, replacing what was there; return how many."""
        if isinstance(source, Path):
            with source.open("rb") as stream:
                return self._write(cast("IO[bytes]", stream), path)
        if isinstance(source, bytes):
            import io

            return self._write(io.BytesIO(source), path)
        return self._write(source, path)

    def put_as(self, source: Path, path: str, storage_class: str) -> None:
        """Store *source* as *path* in a cheaper class of storage, such as ``STANDARD_IA``; LW417 where there is none."""
        raise LakewrightError("LW417", f"a folder has no storage class {storage_class!r}; an S3 lake has")

    def uri(self, path: str) -> str:
        """Return the address under which DuckDB reads *path*."""
        return f"{self.root}/{path}"

    @abstractmethod
    def _write(self, stream: IO[bytes], path: str) -> int: ...

    @abstractmethod
    def publish(self, local: Path, path: str) -> None:
        """Move the local file *local* into the store as *path*, atomically."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return a binary stream of *path*; FileNotFoundError when it is not there."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether *path* is a stored file."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield every file under the folder *prefix*, in the order of their paths."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove *path*; nothing happens when it is not there."""

    @abstractmethod
    def staging(self) -> Path:
        """Return a new local folder for work in progress; the caller removes it."""


class LocalStore(RawStore):
    """A folder. Files are written under another name and renamed, so that no half file is ever seen."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.root = str(self._root)

    def _write(self, stream: IO[bytes], path: str) -> int:
        target = self._target(path)
        handle, name = tempfile.mkstemp(prefix=".part-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(stream, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
                size = out.tell()
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return size

    def publish(self, local: Path, path: str) -> None:
        try:
            local.replace(self._local(path))
        except FileNotFoundError:
            local.replace(self._target(path))

    def open(self, path: str) -> BinaryIO:
        return self._local(path).open("rb")

    def exists(self, path: str) -> bool:
        return self._local(path).is_file()

    def list(self, prefix: str = "") -> Iterator[Stored]:
        base = self._local(prefix) if prefix else self._root
        if not base.is_dir():
            return
        found = []
        for folder, folders, names in os.walk(base):
            folders[:] = [name for name in folders if name != ".staging"]
            found += [Path(folder) / name for name in names if not name.startswith(".part-")]
        for file in sorted(found, key=lambda one: one.relative_to(self._root).as_posix()):
            status = file.stat()
            yield Stored(
                file.relative_to(self._root).as_posix(),
                status.st_size,
                datetime.fromtimestamp(status.st_mtime, UTC),
            )

    def delete(self, path: str) -> None:
        self._local(path).unlink(missing_ok=True)

    def staging(self) -> Path:
        base = self._root / ".staging"
        base.mkdir(parents=True, exist_ok=True)
        _remove_dead(base)
        return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))

    def _target(self, path: str) -> Path:
        target = self._local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _local(self, path: str) -> Path:
        target = self._root / path
        if ".." in Path(path).parts or Path(path).is_absolute():
            raise LakewrightError("LW417", f"{path!r} is not a path inside the raw store")
        return target


class S3Store(RawStore):
    """A prefix of a bucket. An object appears when its upload is complete; what fails halfway is removed."""

    def __init__(self, address: str, settings: S3, resolve: Resolve) -> None:
        self._bucket, self._prefix = split_s3(address)
        self.root = f"s3://{self._bucket}" + (f"/{self._prefix}" if self._prefix else "")
        self._fs = filesystem(settings, resolve)
        self._settings, self._resolve = settings, resolve

    def put_as(self, source: Path, path: str, storage_class: str) -> None:
        """See :meth:`RawStore.put_as`; boto3 uploads, for Arrow cannot name a class."""
        client = s3_client(self._settings, self._resolve)
        key = "/".join(part for part in (self._prefix, path) if part)
        client.upload_file(str(source), self._bucket, key, ExtraArgs={"StorageClass": storage_class})

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._bucket, self._prefix, path) if part)

    def _write(self, stream: IO[bytes], path: str) -> int:
        out = self._fs.open_output_stream(self._key(path), compression=None, buffer_size=8 * _CHUNK)
        try:
            shutil.copyfileobj(stream, out, 8 * _CHUNK)
            size = int(out.tell())
        except BaseException:
            # Arrow finishes the upload of what it has when the stream is closed or forgotten: take half a file away.
            with contextlib.suppress(OSError):
                out.close()
            self.delete(path)
            raise
        out.close()
        return size

    def publish(self, local: Path, path: str) -> None:
        self.put(local, path)
        local.unlink()

    def open(self, path: str) -> BinaryIO:
        return cast("BinaryIO", self._fs.open_input_file(self._key(path)))

    def exists(self, path: str) -> bool:
        from pyarrow import fs

        return bool(self._fs.get_file_info(self._key(path)).type == fs.FileType.File)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        base = self._key("")
        for info in _list_s3(self._fs, self._key(prefix)):
            yield Stored(info.path[len(base) :].lstrip("/"), info.size, info.mtime)

    def delete(self, path: str) -> None:
        if self.exists(path):
            self._fs.delete_file(self._key(path))

    def staging(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="lakewright-"))


def open_raw(lake: Lake, root: Path, resolve: Resolve, folder: str = "raw") -> RawStore:
    """Return the store of raw files of a project's *lake*; *root* is the project's folder.

    Raw files lie under ``raw/`` of the lake's path, another *folder* beside it. *resolve* gives the values
    of secrets.
    """
    if lake.path.startswith("s3://"):
        return S3Store(f"{lake.path.rstrip('/')}/{folder}", lake.s3 or S3(), resolve)
    if "://" in lake.path:
        raise LakewrightError("LW417", f"lake.path {lake.path!r} is neither a folder nor s3://bucket/prefix")
    return LocalStore(root / lake.path / folder)


def s3_client(settings: S3, resolve: Resolve) -> Any:
    """Return a boto3 client for *settings*; LW417 with what to install when boto3 is missing."""
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError:
        raise LakewrightError(
            "LW417",
            "a storage class needs boto3, which is not installed",
            remedy="pip install 'lakewright[aws]'",
        ) from None
    options: dict[str, Any] = {"region_name": resolve(settings.region)}
    if settings.endpoint:
        endpoint = resolve(settings.endpoint)
        scheme = "https" if settings.use_ssl else "http"
        options["endpoint_url"] = endpoint if "://" in endpoint else f"{scheme}://{endpoint}"
        style = "path" if settings.url_style == "path" else "virtual"
        options["config"] = Config(s3={"addressing_style": style})
    if settings.key_id is not None:
        options["aws_access_key_id"] = resolve(settings.key_id)
        options["aws_secret_access_key"] = resolve(settings.secret or "")
    return boto3.client("s3", **options)


def filesystem(settings: S3, resolve: Resolve) -> Any:
    """Return a ``pyarrow.fs.S3FileSystem`` for *settings*; without a key the machine's own credentials."""
    from pyarrow import fs

    # Arrow gives up after three seconds of silence, which a busy store needs now and then.
    options: dict[str, Any] = {
        "region": resolve(settings.region),
        "request_timeout": 60,
        "connect_timeout": 20,
    }
    if settings.endpoint:
        endpoint = resolve(settings.endpoint)
        scheme, _, host = endpoint.rpartition("://")
        options["endpoint_override"] = host.rstrip("/")
        options["scheme"] = scheme or ("https" if settings.use_ssl else "http")
        options["force_virtual_addressing"] = settings.url_style == "vhost"
    if settings.key_id is not None:
        options["access_key"] = resolve(settings.key_id)
        options["secret_key"] = resolve(settings.secret or "")
    return fs.S3FileSystem(**options)


def split_s3(address: str) -> tuple[str, str]:
    """Return bucket and prefix of ``s3://bucket/prefix``."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


def _list_s3(files: Any, key: str) -> list[Any]:
    from pyarrow import fs

    selector = fs.FileSelector(key.rstrip("/"), recursive=True, allow_not_found=True)
    found = [info for info in files.get_file_info(selector) if info.type == fs.FileType.File]
    return sorted(found, key=lambda info: info.path)


def _remove_dead(base: Path) -> None:
    # A killed process cannot remove its work in progress; the next one does.
    if os.name != "posix":
        return
    for folder in base.iterdir():
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and int(owner) != os.getpid():
            try:
                os.kill(int(owner), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
            except PermissionError:
                continue
