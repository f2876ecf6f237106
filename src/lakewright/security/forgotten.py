"""Who was forgotten: keyed digests of identifiers, by which a person is known again and nobody can be found."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from lakewright.security.keys import Keys, MaskKey
from lakewright.state import State, UtcTime, metadata, now

__all__ = ["KEY", "digest", "digest_key", "forgotten_people", "known", "put", "readmit"]

#: The name of the key from which all that erasures need is derived.
KEY = "erasure"

#: One row per value of an identifier of somebody who was forgotten.
forgotten_people = sa.Table(
    "forgotten_people",
    metadata,
    sa.Column("subject", sa.String(63), primary_key=True),
    sa.Column("identifier", sa.String(63), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    # whether values were compared as whole numbers
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)


def digest_key(keys: Keys) -> MaskKey:
    """Return the key of the digests. It stays the first version for ever: with another one nobody is known again."""
    newest = keys.current(KEY)
    return newest if newest.version == 1 else keys.get(KEY, 1)


def digest(key: MaskKey, value: str) -> str:
    """Return HMAC-SHA-256 of *value*, as it is compared, in hexadecimal."""
    return hmac.digest(key.material, value.encode("utf-8", "surrogatepass"), "sha256").hex()


def put(
    state: State, keys: Keys, subject: str, values: Mapping[str, Iterable[str]], whole: Collection[str] = ()
) -> None:
    """Remember the *values* by identifier, as they are compared; those that are known already stay.

    *whole* are the identifiers whose values are whole numbers.
    """
    key, at, table = digest_key(keys), now(), forgotten_people
    with state.begin(table) as connection:
        for name, listed in values.items():
            there = _digests(connection, subject, name)
            new = sorted({digest(key, one) for one in listed} - there)
            if new:
                connection.execute(
                    table.insert(),
                    [
                        {
                            "subject": subject,
                            "identifier": name,
                            "digest": one,
                            "whole": name in whole,
                            "at": at,
                        }
                        for one in new
                    ],
                )


def known(state: State, subject: str) -> dict[str, tuple[bool, set[str]]]:
    """Return the digests of a kind of people by identifier, each with whether whole numbers are meant."""
    table = forgotten_people
    found: dict[str, tuple[bool, set[str]]] = {}
    with state.read(table) as connection:
        query = sa.select(table.c.identifier, table.c.whole, table.c.digest).where(table.c.subject == subject)
        for name, whole, one in connection.execute(query):
            found.setdefault(name, (bool(whole), set()))[1].add(one)
    return found


def _digests(connection: sa.Connection, subject: str, identifier: str) -> set[str]:
    """Return the digests of one identifier."""
    table = forgotten_people
    query = sa.select(table.c.digest).where(table.c.subject == subject, table.c.identifier == identifier)
    return set(connection.scalars(query))


def readmit(state: State, keys: Keys, subject: str, identifier: str, value: str) -> int:
    """Take one value from the list; return how many entries went. Its rows may come in again."""
    table = forgotten_people
    same = [table.c.subject == subject, table.c.identifier == identifier]
    with state.begin(table) as connection:
        gone = connection.execute(
            table.delete().where(*same, table.c.digest == digest(digest_key(keys), value))
        )
        return gone.rowcount
