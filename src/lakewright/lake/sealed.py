"""The catalog of an encrypted lake: a DuckDB file under a key, which one process at a time can open.

The file is called ``<name>.<generation>.<key>.<version>.duckdb`` after the key and its version that open it; the
highest generation counts. Writing it anew (under another key, or to leave nothing of what was deleted in its
pages) makes the next generation under a passing name and renames it: that is the moment from which it
counts, and what lies before it is removed. DuckDB encrypts the file and its log by AES-256-GCM.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

import duckdb

from lakewright.engine.errors import redact
from lakewright.engine.extensions import load
from lakewright.errors import LakewrightError, RunError
from lakewright.spec.project import Lake as LakeSpec
from lakewright.sql.names import literal

__all__ = [
    "PATIENCE",
    "Cipher",
    "Generation",
    "LakeKey",
    "LakeKeys",
    "SealedCatalog",
    "clear_beside",
    "derived",
    "opened_by",
    "sealed_catalog",
    "written_under",
    "wrong_key",
]

#: How long a process waits, in seconds, for another one that has the catalog open.
PATIENCE = 20.0

_BEAT = 0.1
_WRONG_KEY = re.compile(r"Wrong encryption key|without a key|tag differs|not encrypted", re.IGNORECASE)


class LakeKey(Protocol):
    """A version of a key: its ``material`` is 32 bytes."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def material(self) -> bytes: ...


class LakeKeys(Protocol):
    """Where the keys come from, by name and version."""

    def current(self, name: str) -> LakeKey:
        """Return the newest version, made when there is none."""

    def stored(self, name: str, version: int) -> LakeKey:
        """Return a version that there must be, whether or not it was put in force. Raises LW802."""


def derived(key: LakeKey, purpose: str) -> bytes:
    """Return 32 bytes for one *purpose* of a key: HKDF with SHA-256 (RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, None, f"lakewright lake: {purpose}".encode()).derive(key.material)


def opened_by(key: bytes) -> str:
    """Return the argument with which DuckDB reads a Parquet file under *key*."""
    return f"encryption_config => {{footer_key_value: {_blob(key)}}}"


def written_under(key: bytes) -> str:
    """Return the option with which DuckDB writes a Parquet file under *key*."""
    return f"ENCRYPTION_CONFIG {{footer_key_value: {_blob(key)}}}"


def _blob(key: bytes) -> str:
    return "'" + "".join(f"\\x{one:02X}" for one in key) + "'::BLOB"


class Cipher:
    """Keys for files that an encrypted lake keeps outside its tables, derived from the key *name*."""

    def __init__(self, name: str, keys: LakeKeys) -> None:
        self._name = name
        self._keys = keys

    def newest(self) -> tuple[str, int]:
        """Return the name and version under which files are written now."""
        key = self._keys.current(self._name)
        return key.name, key.version

    def key(self, name: str, version: int, purpose: str) -> bytes:
        """Return the 32 bytes for what was written under a version. Raises LW802 when it is lost."""
        return derived(self._keys.stored(name, version), purpose)


@dataclass(frozen=True, slots=True)
class Generation:
    """A file of the catalog, and the key that opens it."""

    path: Path
    number: int
    key: str
    version: int

    @property
    def attached_as(self) -> str:
        """What the database is called while the lake is attached: two files can be there at a time."""
        return f"__ducklake_metadata_lake_{self.number}"


class SealedCatalog:
    """The encrypted catalog at *base*, ``<folder>/<name>.duckdb``; a new one is made under the key *name*."""

    def __init__(self, base: Path, name: str, keys: LakeKeys) -> None:
        self.base = base
        self.name = name
        self.keys = keys

    def current(self) -> Generation | None:
        """Return the file that counts, None when there is none yet."""
        return max(self.generations(), key=lambda one: one.number, default=None)

    def generations(self, folder: Path | None = None) -> list[Generation]:
        """Return the catalog's files, of which all but one are left over; in *folder* instead, where it was copied to."""
        pattern = re.compile(
            re.escape(self.base.stem) + r"\.(\d+)\.([a-z0-9_]+)\.(\d+)" + re.escape(self.base.suffix)
        )
        there = folder or self.base.parent
        found = []
        for file in there.iterdir() if there.is_dir() else ():
            if match := pattern.fullmatch(file.name):
                found.append(Generation(file, int(match[1]), match[2], int(match[3])))
        return found

    def first(self) -> Generation:
        """Return the file of a catalog that is to be made."""
        return self._next(0, self.keys.current(self.name))

    def _next(self, after: int, key: LakeKey) -> Generation:
        name = f"{self.base.stem}.{after + 1}.{key.name}.{key.version}{self.base.suffix}"
        return Generation(self.base.with_name(name), after + 1, key.name, key.version)

    def secret(self, one: Generation) -> str:
        """Return what DuckDB is told as the key of a file."""
        return base64.b64encode(derived(self.keys.stored(one.key, one.version), "catalog")).decode()

    # --- one process at a time

    def hold(self) -> Callable[[], None]:
        """Keep other processes, and other sessions of this one, out until the function that is returned is called.

        Raises LW831 with who has the catalog when that takes longer than :data:`PATIENCE`.
        """
        return _hold(self.base)

    def opened_by(self, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> Callable[[], None]:
        """Note that a session of this process, which gives *cursor*, has the catalog attached as the lake's.

        Copies are then made by way of it. Returns what takes the note back.
        """
        _sessions[self.base] = cursor
        return lambda: _forget(self.base)

    # --- copies

    def copy(self, target: Path) -> Path:
        """Copy the catalog, as it is at one moment, into the folder *target*; return the file.

        It is encrypted under the same key. What this process has open is copied from there.
        """
        with self._opened() as (cursor, name, one):
            file = target / one.path.name
            _copy(cursor, name, file, self.secret(one))
        return file

    @contextmanager
    def _opened(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, Generation]]:
        """A connection with the catalog attached, its name there, and the file."""
        there = _sessions.get(self.base)
        if there is not None:
            one = self._there()
            with contextlib.closing(there()) as cursor:
                yield cursor, one.attached_as, one
            return
        release = self.hold()
        try:
            one = self._there()
            with self.attached(one.path) as (connection, name):
                yield connection, name, one
        finally:
            release()

    def _there(self) -> Generation:
        one = self.current()
        if one is None:
            raise LakewrightError("LW410", "the lake does not exist yet", tried=[str(self.base)])
        return one

    @contextmanager
    def attached(
        self, file: Path, *, read_only: bool = False
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """Open a file of the catalog, or a copy of one, in an instance of its own; yield it and the catalog's name."""
        found = self._named(file)
        secret = self.secret(found)
        with contextlib.closing(duckdb.connect(config={"allow_unsigned_extensions": "true"})) as connection:
            load(connection, "httpfs")
            try:
                connection.execute(_attach(file, "catalog", secret, read_only=read_only))
            except duckdb.Error as error:
                text = redact(str(error), (secret,)).splitlines()[0]
                other = RunError("LW410", f"the lake's catalog cannot be opened: {text}")
                raise wrong_key(text, found) or other from None
            yield connection, "catalog"
            connection.execute("DETACH catalog")

    def secret_of(self, file: Path) -> str:
        """Return what DuckDB is told as the key of a copy of the catalog."""
        return self.secret(self._named(file))

    def _named(self, file: Path) -> Generation:
        found = next((one for one in self.generations(file.parent) if one.path.name == file.name), None)
        if found is None:
            raise LakewrightError("LW832", f"{file.name} is not a file of this project's catalog")
        return found

    # --- written anew

    def renewed(
        self,
        cursor: duckdb.DuckDBPyConnection,
        key: LakeKey | None,
        turn: Callable[[Generation], None],
    ) -> Generation:
        """Write the catalog that *cursor* has attached anew, under *key* or its own, and make that count.

        *turn* makes the lake use the new file. To be called while nothing else writes.
        """
        old = self._there()
        made = self._next(old.number, key or self.keys.stored(old.key, old.version))
        self.remove_leftovers()
        part = made.path.with_name(f"{made.path.name}.part")
        _copy(cursor, old.attached_as, part, self.secret(made))
        part.replace(made.path)
        _sync(made.path.parent)
        turn(made)
        self.remove_leftovers()
        return made

    def remove_leftovers(self) -> None:
        """Remove what a newer file stands in for, and what was never finished."""
        there = self.current()
        for one in self.generations():
            if there is not None and one.number < there.number:
                one.path.unlink(missing_ok=True)
                Path(f"{one.path}.wal").unlink(missing_ok=True)
        for file in self.base.parent.glob(f"{self.base.stem}.*{self.base.suffix}.part*"):
            file.unlink(missing_ok=True)


def sealed_catalog(
    spec: LakeSpec, root: Path, keys: LakeKeys, *, resolve: Callable[[str], str]
) -> SealedCatalog | None:
    """Return the encrypted catalog that *spec* asks for, None when it is in the clear or on a server."""
    kind, _, rest = spec.catalog_place.partition(":")
    if spec.encryption is None or kind != "duckdb":
        return None
    return SealedCatalog((root / resolve(rest)).resolve(), spec.encryption.key, keys)


def clear_beside(file: Path) -> Path:
    """Return where a catalog in the clear lies that an encrypted one at *file* would stand in for."""
    return file.with_suffix(".sqlite")


def wrong_key(text: str, one: Generation) -> LakewrightError | None:
    """Return the error for *text*, with which DuckDB refuses a file's key; None when it says something else."""
    if _WRONG_KEY.search(text):
        message = (
            f"{one.path} is not opened by key {one.key!r}, version {one.version}: it is another's, or damaged"
        )
        return RunError("LW832", message, tried=(f"key {one.key}, version {one.version}",))
    if re.search(r"could not set lock|conflicting lock", text, re.IGNORECASE):
        return RunError("LW831", f"another program has the lake's catalog {one.path} open")
    return None


def _attach(file: Path, name: str, secret: str, *, read_only: bool = False) -> str:
    address, key = literal(str(file)).sql("duckdb"), literal(secret).sql("duckdb")
    return f"ATTACH {address} AS {name} (ENCRYPTION_KEY {key}{', READ_ONLY' if read_only else ''})"


def _copy(cursor: duckdb.DuckDBPyConnection, name: str, file: Path, secret: str) -> None:
    """Copy the attached catalog *name* to *file*, complete and on disk when this returns."""
    beside = f"_copy_{threading.get_ident()}"
    try:
        cursor.execute(_attach(file, beside, secret))
        try:
            cursor.execute(f"COPY FROM DATABASE {name} TO {beside}")
        finally:
            cursor.execute(f"DETACH {beside}")
    except duckdb.Error as error:
        file.unlink(missing_ok=True)
        text = redact(str(error), (secret,)).splitlines()[0]
        raise RunError("LW410", f"the lake's catalog cannot be copied: {text}") from None
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())
    # the log is written into the file when it is detached; one that is left holds nothing
    Path(f"{file}.wal").unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- who has it -----------------------------------------------------------------------------------

#: How to get a cursor of the session that has a catalog open in this process, by the catalog's base.
_sessions: dict[Path, Callable[[], duckdb.DuckDBPyConnection]] = {}


def _forget(base: Path) -> None:
    _sessions.pop(base, None)


def _hold(base: Path) -> Callable[[], None]:
    base.parent.mkdir(parents=True, exist_ok=True)
    mark = base.with_name(f"{base.name}.open")
    handle = mark.open("a+")
    deadline = time.monotonic() + PATIENCE
    while not _locked(handle):
        if time.monotonic() > deadline:
            who = _who(mark)
            handle.close()
            raise RunError("LW831", f"{who} has had the lake's catalog open for {PATIENCE:g} s")
        time.sleep(_BEAT)
    handle.truncate(0)
    handle.write(json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}))
    handle.flush()
    return handle.close


def _locked(handle: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # pragma: no cover - not a POSIX system: DuckDB's own lock is there
        return True
    try:
        # of the open file, not of the process: DuckDB's own lock would let a second session of one process in
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _who(mark: Path) -> str:
    try:
        found = json.loads(mark.read_text())
        pid, since = int(found["pid"]), str(found["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    if pid == os.getpid():
        return f"this process (pid {pid}, since {since})"
    return f"process {pid} (since {since})"
