"""Where backups lie: blobs named by their SHA-256, and one manifest per backup, on a folder or an S3 prefix.

::

    lakewright-backups.json       whose backups these are
    blobs/3f/3fa1…                a file, once, whatever the number of backups that hold it
    backups/<id>.json             written last: without it there is no backup
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lakewright.errors import LakewrightError, NotFoundError, UsageError, nearest
from lakewright.lake.locks import CommitLock
from lakewright.lake.raw import LocalStore, RawStore, S3Store
from lakewright.recovery.model import Entry, Manifest, decode, encode, name_of
from lakewright.spec.project import S3

__all__ = ["LATEST", "Place", "sha256_of"]

#: The name of the newest backup.
LATEST = "latest"

_MARK = "lakewright-backups.json"
_CHUNK = 1 << 20


class Place:
    """A place for backups of one project. ``address`` is shown to people; it holds no secret."""

    def __init__(self, store: RawStore) -> None:
        self.store = store
        self.address = store.root

    @classmethod
    def open(cls, address: str, root: Path, s3: S3, resolve: Callable[[str], str]) -> Place:
        """Return the place at *address*: a folder, relative to *root*, or ``s3://bucket/prefix``."""
        if address.startswith("s3://"):
            return cls(S3Store(address, s3, resolve))
        if "://" in address:
            raise UsageError("LW430", f"{address!r} is neither a folder nor s3://bucket/prefix")
        return cls(LocalStore(root / Path(address).expanduser()))

    # --- whose it is

    def owner(self) -> str | None:
        """Return the name of the project whose backups lie here, None when there is none yet."""
        try:
            with _told(self), self.store.open(_MARK) as stream:
                return str(json.loads(stream.read())["project"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise LakewrightError("LW430", f"{self.address}/{_MARK} cannot be read") from None

    def claim(self, project: str) -> None:
        """Make this the place of *project*; LW430 when it is another's."""
        owner = self.owner()
        if owner is None:
            with _told(self):
                self.store.put(json.dumps({"format": 1, "project": project}).encode() + b"\n", _MARK)
        elif owner != project:
            raise UsageError(
                "LW430",
                f"{self.address} holds the backups of project {owner!r}, not of {project!r}",
                remedy="give each project a folder or prefix of its own",
            )

    def require(self) -> None:
        """Raise LW431 when there are no backups here at all."""
        if self.owner() is None:
            raise self._none()

    def _none(self) -> LakewrightError:
        return NotFoundError(
            "LW431",
            f"{self.address} holds no backups",
            remedy="make one: lakewright backup create --to PLACE",
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes of this machine from changing the place; a bucket has no such lock."""
        if isinstance(self.store, LocalStore):
            folder = Path(self.store.root)
            folder.mkdir(parents=True, exist_ok=True)
            with CommitLock(f"backups {folder}", folder / ".lock")():
                yield
        else:
            yield

    # --- manifests

    def ids(self) -> list[str]:
        """Return the ids of the backups here, newest first."""
        with _told(self):
            names = [Path(one.path).name for one in self.store.list("backups")]
        return sorted((one.removesuffix(".json") for one in names if one.endswith(".json")), reverse=True)

    def find(self, name: str) -> str:
        """Return the id that *name* means: an id, the beginning of one, or ``latest``. Raises LW431."""
        known = self.ids()
        if not known:
            raise self._none()
        if name == LATEST:
            return known[0]
        found = [one for one in known if one.startswith(name)]
        if name in found or len(found) == 1:
            return name if name in found else found[0]
        if found:
            raise NotFoundError("LW431", f"{name!r} may be backup {found[0]}, {found[1]} or another one")
        raise NotFoundError("LW431", f"{self.address} holds no backup {name!r}{nearest(name, known)}")

    def manifest(self, id: str) -> Manifest:
        """Return the manifest of a backup by its full id."""
        try:
            with _told(self), self.store.open(_manifest(id)) as stream:
                return decode(id, stream.read())
        except FileNotFoundError:
            raise NotFoundError("LW431", f"{self.address} holds no backup {id!r}") from None

    def finish(self, manifest: Manifest) -> str:
        """Write the manifest, which makes the backup be there, and return its id."""
        content = encode(manifest)
        id = name_of(manifest, content)
        with _told(self):
            self.store.put(content, _manifest(id))
        return id

    def forget(self, id: str) -> None:
        """Remove a manifest: the backup is no more; its blobs are removed by whoever knows what else needs them."""
        with _told(self):
            self.store.delete(_manifest(id))

    # --- blobs

    def blobs(self) -> dict[str, int]:
        """Return every blob here with its size."""
        with _told(self):
            return {Path(one.path).name: one.size for one in self.store.list("blobs")}

    def put(self, local: Path, digest: str) -> None:
        """Move the local file *local*, whose SHA-256 is *digest*, here; it is on disk when this returns."""
        with _told(self):
            self.store.publish(local, _blob(digest))

    def remove(self, digest: str) -> None:
        """Remove a blob."""
        with _told(self):
            self.store.delete(_blob(digest))

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A local folder for work in progress, removed in the end."""
        with _told(self):
            folder = self.store.staging()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def check(self, digest: str) -> str:
        """Read a blob and return what is wrong with it, "" when nothing is."""
        try:
            with self.store.open(_blob(digest)) as stream:
                found, _ = sha256_of(stream)
        except FileNotFoundError:
            return "is gone"
        except OSError as error:
            return f"cannot be read: {error.strerror or type(error).__name__}"
        return "" if found == digest else "is damaged: its SHA-256 differs"

    def fetch(self, entry: Entry, target: Path) -> None:
        """Write the content of *entry* to the local file *target*, checked. Raises LW434 when the blob is not right.

        The file is complete and on disk, or not there.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".part-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as out, _told(self), self.store.open(_blob(entry.stored)) as stream:
                found, _ = sha256_of(stream, out)
                out.flush()
                os.fsync(out.fileno())
            if found != entry.stored:
                raise _broken(self, entry, "is damaged: its SHA-256 differs")
            if entry.blob and entry.kind != "keys":
                _unpack(Path(name))
            # as readable as DuckDB's own files; what is under .lakewright is its owner's
            Path(name).chmod(0o600 if entry.path.startswith(".lakewright/") else 0o644)
            Path(name).replace(target)
        except FileNotFoundError:
            raise _broken(self, entry, "is gone") from None
        finally:
            Path(name).unlink(missing_ok=True)


def sha256_of(stream: IO[bytes] | Any, out: IO[bytes] | None = None) -> tuple[str, int]:
    """Return SHA-256 and size of what *stream* holds, and write it to *out* on the way."""
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if out is not None:
            out.write(chunk)
    return digest.hexdigest(), size


def _manifest(id: str) -> str:
    return f"backups/{id}.json"


def _blob(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def _unpack(file: Path) -> None:
    import pyarrow as pa

    beside = file.with_name(f"{file.name}-unpacked")
    try:
        with pa.input_stream(str(file), compression="zstd") as packed, beside.open("wb") as out:
            shutil.copyfileobj(packed, out, _CHUNK)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _broken(place: Place, entry: Entry, why: str) -> LakewrightError:
    return LakewrightError(
        "LW434",
        f"the blob of {entry.kind} file {entry.path} in {place.address} {why}",
        tried=[f"{place.address}/{_blob(entry.stored)}"],
        remedy="take another backup; `lakewright backup verify` tells which are whole",
    )


@contextlib.contextmanager
def _told(place: Place) -> Iterator[None]:
    """Turn failures of the disk or the bucket into LW430."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        why = error.strerror or str(error).splitlines()[0]
        raise LakewrightError("LW430", f"{place.address} cannot be used: {why}") from None
