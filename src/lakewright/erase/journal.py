"""Erasures as the state keeps them: what a killed one needs to go on, sealed, and what is left to prove it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from lakewright.erase.people import Named, People
from lakewright.errors import NotFoundError, RunError
from lakewright.security.forgotten import KEY, digest, digest_key
from lakewright.security.keys import Keys
from lakewright.spec.subject import Subject
from lakewright.state import State, UtcTime, metadata, now

__all__ = [
    "Erasure",
    "Place",
    "begin",
    "erasures",
    "finish",
    "known_people",
    "listed",
    "name_digests",
    "unfinished",
]

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("subject", sa.String(63), nullable=False),
    sa.Column("people", sa.Integer, nullable=False),
    # keyed digests of how the people were named
    sa.Column("named", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("started", UtcTime, nullable=False),
    sa.Column("ended", UtcTime),
    # what was found before anything was done, without a value of anybody
    sa.Column("found", sa.Text, nullable=False),
    # everything by which the people are known, encrypted; gone when it is done
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("record", sa.Text),
)

_NONCE = 12
_SEAL = b"lakewright erasure: seal"


class Place(msgspec.Struct, frozen=True):
    """What was, or would be, done in one place. ``rows`` is None where nothing is counted.

    ``kept`` says why something stays: then nothing is done here.
    """

    place: str
    dataset: str
    action: str
    rows: int | None = None
    kept: str = ""


class _Sealed(msgspec.Struct):
    values: dict[str, set[str]]
    spelled: dict[str, set[str]]
    traces: set[str]
    personal: set[str]
    tokens: dict[str, set[str]]
    whole: frozenset[str]
    named: list[tuple[str, str]]


@dataclass(frozen=True)
class Erasure:
    """One erasure. ``found`` is what there was when it was first begun."""

    id: str
    subject: str
    people: int
    named: tuple[str, ...]
    reason: str
    started: datetime
    ended: datetime | None
    found: tuple[Place, ...]
    complete: bool
    record: str | None


def name_digests(keys: Keys, named: Iterable[Named]) -> tuple[str, ...]:
    """Return keyed digests of how people were named: equal for the same names, telling of nobody."""
    key = digest_key(keys)
    return tuple(sorted(digest(key, f"{one.subject}\0{one.identifier}\0{one.value}") for one in named))


def begin(
    state: State, keys: Keys, people: People, named: Iterable[Named], reason: str, found: Iterable[Place]
) -> Erasure:
    """Note an erasure before anything is done, or what is known by now of one that was killed."""
    names = list(named)
    marks = name_digests(keys, names)
    id = uuid.uuid4().hex[:16]
    sealed = msgspec.json.encode(
        _Sealed(
            people.values, people.spelled, people.traces, people.personal, people.tokens, people.whole,
            [(one.identifier, one.value) for one in names],
        )
    )  # fmt: skip
    table = erasures
    with state.begin(table) as connection:
        query = sa.select(table.c.id).where(table.c.sealed.is_not(None), table.c.named == _text(marks))
        earlier = connection.scalar(query)
        if earlier is not None:
            sealed_ = _seal(keys, earlier, sealed)
            connection.execute(table.update().where(table.c.id == earlier).values(sealed=sealed_))
            id = earlier
        else:
            connection.execute(
                table.insert().values(
                    id=id,
                    subject=people.subject,
                    people=max(1, len(people.values.get(people.spec.identifier, ()))),
                    named=_text(marks),
                    reason=reason,
                    started=now(),
                    found=msgspec.json.encode(list(found)).decode(),
                    sealed=_seal(keys, id, sealed),
                    complete=False,
                )
            )
        row = connection.execute(sa.select(table).where(table.c.id == id)).one()
    return _erasure(row)


def known_people(
    state: State, keys: Keys, spec: Subject, marks: tuple[str, ...]
) -> tuple[People | None, Erasure | None]:
    """Return what an erasure of the same names that was not finished had found; None when there is none."""
    table = erasures
    with state.read(table) as connection:
        query = sa.select(table).where(table.c.sealed.is_not(None), table.c.named == _text(marks))
        row = connection.execute(query).first()
    if row is None:
        return None, None
    kept = _unseal(keys, row)
    people = People(
        row.subject, spec, kept.whole, kept.values, kept.spelled, kept.traces, kept.personal, kept.tokens
    )
    return people, _erasure(row)


def unfinished(state: State, keys: Keys) -> list[tuple[Erasure, list[Named]]]:
    """Return the erasures that were begun and not finished, with the names that were asked for."""
    table = erasures
    with state.read(table) as connection:
        rows = connection.execute(
            sa.select(table).where(table.c.sealed.is_not(None)).order_by(table.c.started)
        ).all()
    return [
        (_erasure(row), [Named(row.subject, name, value) for name, value in _unseal(keys, row).named])
        for row in rows
    ]


def finish(state: State, id: str, record: str, *, complete: bool) -> None:
    """Keep the signed record; once all is done, nothing stays that tells who it was."""
    table = erasures
    values: dict[str, Any] = {"record": record, "complete": complete, "ended": now()}
    if complete:
        values["sealed"] = None
    with state.begin(table) as connection:
        connection.execute(table.update().where(table.c.id == id).values(**values))


def listed(state: State, id: str | None = None) -> list[Erasure]:
    """Return all erasures, oldest first, or the one with that *id* (NotFoundError LW816 without)."""
    query = sa.select(erasures).order_by(erasures.c.started)
    with state.read(erasures) as connection:
        found = [_erasure(row) for row in connection.execute(query) if id in (None, row.id)]
    if id is not None and not found:
        raise NotFoundError("LW816", f"there is no erasure {id!r}")
    return found


def _erasure(row: Any) -> Erasure:
    return Erasure(
        row.id, row.subject, row.people, tuple(msgspec.json.decode(row.named, type=list[str])), row.reason,
        row.started, row.ended, tuple(msgspec.json.decode(row.found, type=list[Place])), row.complete, row.record,
    )  # fmt: skip


def _text(marks: tuple[str, ...]) -> str:
    return msgspec.json.encode(marks).decode()


def _seal(keys: Keys, id: str, data: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    sealed: bytes = _box(keys).encrypt(nonce, data, id.encode())
    return nonce + sealed


def _unseal(keys: Keys, row: Any) -> _Sealed:
    from cryptography.exceptions import InvalidTag

    try:
        data = _box(keys).decrypt(row.sealed[:_NONCE], row.sealed[_NONCE:], row.id.encode())
    except InvalidTag:
        raise RunError(
            "LW803", f"the key {KEY!r} is not the one with which erasure {row.id} was begun"
        ) from None
    return msgspec.json.decode(data, type=_Sealed)


def _box(keys: Keys) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return AESGCM(HKDF(SHA256(), 32, None, _SEAL).derive(digest_key(keys).material))
