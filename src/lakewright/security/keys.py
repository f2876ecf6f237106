"""Named keys with versions: made once, never overwritten, and known again by a check value.

The state keeps of each key a check value, from which the key cannot be found: a key that is gone, or
another one in its place, is noticed before anything is masked with it.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakewright.errors import LakewrightError, RunError, UsageError
from lakewright.security.stores import KEY_BYTES, KeyStore, open_store
from lakewright.spec.project import Key
from lakewright.state import State, UtcTime, metadata, now

__all__ = ["KeyInfo", "Keys", "MaskKey", "security_keys"]

security_keys = sa.Table(
    "security_keys",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("store", sa.String(16), nullable=False),
    sa.Column("check_value", sa.String(32), nullable=False),
    sa.Column("created", UtcTime, nullable=False),
)


@dataclass(frozen=True)
class MaskKey:
    """One version of a key. ``material`` is 32 bytes and in no text of this object."""

    name: str
    version: int
    material: bytes = field(repr=False)

    @property
    def padded(self) -> tuple[bytes, bytes]:
        """The key XORed with the inner and the outer pad of HMAC over blocks of 64 bytes (RFC 2104, section 2)."""
        block = self.material.ljust(64, b"\0")
        return bytes(one ^ 0x36 for one in block), bytes(one ^ 0x5C for one in block)


@dataclass(frozen=True)
class KeyInfo:
    """A version of a key as people see it; ``status`` is ``ok`` or what is wrong."""

    name: str
    version: int
    store: str
    place: str
    created: datetime
    current: bool
    status: str = "ok"


class Keys:
    """The keys of a project. *specs* are those of lakewright.yaml; any other name is kept in a file. Safe for threads."""

    def __init__(
        self,
        state: State,
        specs: Mapping[str, Key],
        *,
        root: Path,
        project: str,
        resolve: Callable[[str], str] = lambda text: text,
        hide: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._state = state
        self._specs = specs
        self._open = partial(open_store, root=root, project=project, resolve=resolve)
        self._hide = hide
        self._lock = threading.Lock()
        self._known: dict[str, MaskKey] = {}

    def current(self, name: str) -> MaskKey:
        """Return the newest version of a key; a name that was never used gets a key made.

        Raises LW802 when the key is lost, LW803 when another one is in its place, LW805 when its place
        cannot be read or written.
        """
        with self._lock:
            if name not in self._known:
                self._known[name] = self._current(name)
            return self._known[name]

    def get(self, name: str, version: int) -> MaskKey:
        """Return one version of a key. Raises as :meth:`current`."""
        row = next((one for one in self._rows(name) if one.version == version), None)
        if row is None:
            raise RunError("LW802", f"the state knows no version {version} of key {name!r}")
        return self._read(name, version, row.check_value)

    def stored(self, name: str, version: int) -> MaskKey:
        """Return one version of a key from where it is kept, though the state may not know of it.

        So it is between the two halves of a rotation, and where the state was lost. Raises as :meth:`current`.
        """
        known = False
        with suppress(LakewrightError):  # of a state that is damaged and about to be replaced
            known = any(one.version == version for one in self._rows(name))
        if known:
            return self.get(name, version)
        store = self._store(name)
        material = store.get(name, version)
        if material is None:
            place = store.place(name, version)
            raise RunError("LW802", f"key {name!r}, version {version}, is lost", tried=(place,))
        return self._hidden(MaskKey(name, version, material))

    def newest(self) -> dict[str, int]:
        """Return the newest version of each key that was ever used."""
        with self._state.read(security_keys) as connection:
            query = sa.select(security_keys.c.name, sa.func.max(security_keys.c.version))
            return {row[0]: row[1] for row in connection.execute(query.group_by(security_keys.c.name))}

    def listed(self) -> list[KeyInfo]:
        """Return every version of every key, each with whether it can be used."""
        newest, found = self.newest(), []
        for row in self._rows():
            status = "ok"
            try:
                self._read(row.name, row.version, row.check_value)
            except RunError as error:
                status = f"{error.code} {error.problem.message}"
            place = self._store(row.name).place(row.name, row.version)
            current = newest[row.name] == row.version
            found.append(KeyInfo(row.name, row.version, row.store, place, row.created, current, status))
        return found

    def rotated(self, name: str) -> tuple[MaskKey, MaskKey]:
        """Make the next version of a key and return both, the old one first.

        It is not in force before :meth:`register` is called in the transaction that turns to it: until then
        making it again gives the same one.
        """
        old = self.current(name)
        store = self._store(name)
        if not store.makes:
            raise UsageError(
                "LW904",
                f"key {name!r} is a secret of yours, of which one value is known at a time",
                remedy="give the new key another name, and name it in the masks",
            )
        return old, self._made(name, old.version + 1, store)

    def register(self, connection: sa.Connection, key: MaskKey) -> None:
        """Put *key* in force: its name and version are in the state with the transaction of *connection*."""
        with self._lock:
            self._known.pop(key.name, None)
        self._insert(connection, key)

    def _insert(self, connection: sa.Connection, key: MaskKey) -> None:
        connection.execute(
            security_keys.insert().values(
                name=key.name,
                version=key.version,
                store=self._spec(key.name).store,
                check_value=_check_value(key.material),
                created=now(),
            )
        )

    def _current(self, name: str) -> MaskKey:
        rows = self._rows(name)
        if rows:
            return self._read(name, rows[-1].version, rows[-1].check_value)
        # a key without a row: made by someone whose state was not kept, or by one who was killed here
        store = self._store(name)
        key = self._made(name, 1, store) if store.makes else self._given(name, store)
        query = sa.select(security_keys.c.check_value).where(
            security_keys.c.name == name, security_keys.c.version == 1
        )
        # on a server another process may be first between the two; the stores gave both the same key
        with suppress(sa.exc.IntegrityError), self._state.begin(security_keys) as connection:
            if connection.scalar(query) is None:
                self._insert(connection, key)
        rows = self._rows(name)
        return self._read(name, rows[-1].version, rows[-1].check_value)

    def _made(self, name: str, version: int, store: KeyStore) -> MaskKey:
        if store.get(name, version) is None:
            store.put(name, version, secrets.token_bytes(KEY_BYTES))
        material = store.get(name, version)
        if material is None:
            raise RunError("LW805", f"the key {name!r} was made, but {store.place(name, version)} has none")
        return self._hidden(MaskKey(name, version, material))

    def _given(self, name: str, store: KeyStore) -> MaskKey:
        material = store.get(name, 1)
        if material is None:
            raise RunError(
                "LW802",
                f"the key {name!r} is to be taken from {store.place(name, 1)}, which is not set",
                remedy="set it to 64 hexadecimal digits, such as `openssl rand -hex 32` prints",
            )
        return self._hidden(MaskKey(name, 1, material))

    def _read(self, name: str, version: int, check: str) -> MaskKey:
        store = self._store(name)
        material = store.get(name, version)
        place = store.place(name, version)
        if material is None:
            raise RunError("LW802", f"key {name!r}, version {version}, is lost", tried=(place,))
        if not hmac.compare_digest(_check_value(material), check):
            raise RunError("LW803", f"{place} is not the key {name!r} that was used before")
        return self._hidden(MaskKey(name, version, material))

    def _hidden(self, key: MaskKey) -> MaskKey:
        self._hide(key.material.hex())
        return key

    def _rows(self, name: str | None = None) -> list[Any]:
        table = security_keys
        query = sa.select(table.c.name, table.c.version, table.c.store, table.c.check_value, table.c.created)
        if name is not None:
            query = query.where(table.c.name == name)
        with self._state.read(table) as connection:
            return [*connection.execute(query.order_by(table.c.name, table.c.version))]

    def _spec(self, name: str) -> Key:
        return self._specs.get(name, Key())

    def _store(self, name: str) -> KeyStore:
        return self._open(name, self._spec(name))


def _check_value(material: bytes) -> str:
    """A value by which a key is known again and which tells nothing else about it."""
    return hmac.digest(material, b"lakewright: is this the key?", "sha256")[:16].hex()
