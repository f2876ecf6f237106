"""The vault of tokens: random stand-ins for values, one per value and domain, from which the value can be had back.

The state database keeps, for each token, the value encrypted by AES-256-GCM (NIST SP 800-38D, a random
96-bit nonce each, bound to its domain and token) and a keyed hash by which the value is found again.
Both keys are derived from one named key by HKDF-SHA-256 (RFC 5869).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from lakewright.errors import NotFoundError, RunError
from lakewright.security.formlike import form_like
from lakewright.security.keys import Keys, MaskKey, security_keys
from lakewright.state import State, metadata

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

T = TypeVar("T")

__all__ = ["Vault", "lookup_key", "token_vault"]

token_vault = sa.Table(
    "token_vault",
    metadata,
    sa.Column("domain", sa.String(63), primary_key=True),
    # the keyed hash of the value, in hexadecimal
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("key", sa.String(63), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.UniqueConstraint("domain", "token"),
)

_NONCE = 12
# Rows of one transaction: others who write to the state wait no longer than for one.
_AT_ONCE = 20_000
# Values looked for in one query; both databases take that many parameters.
_LOOKED_FOR = 5_000
# Tries after which the form has no free token left, and tokens grow longer than their values.
_TRIES = 8


class Vault:
    """The tokens of a project. Safe for threads and processes: whoever comes second finds the first one's token."""

    def __init__(self, state: State, keys: Keys) -> None:
        self._state = state
        self._keys = keys

    def tokens(self, domain: str, digests: Sequence[str]) -> dict[str, str]:
        """Return the tokens of those *digests* that have one, by digest."""
        table = token_vault
        query = sa.select(table.c.digest, table.c.token).where(table.c.domain == domain)
        found: dict[str, str] = {}
        with self._state.read(table) as connection:
            for part in _parts(digests, _LOOKED_FOR):
                found.update(map(tuple, connection.execute(query.where(table.c.digest.in_(part)))))
        return found

    def everything(self, domain: str) -> dict[str, str]:
        """Return all tokens of a domain, by digest."""
        table = token_vault
        query = sa.select(table.c.digest, table.c.token).where(table.c.domain == domain)
        with self._state.read(table) as connection:
            return dict(map(tuple, connection.execute(query)))

    def add(
        self,
        domain: str,
        key: MaskKey,
        values: Mapping[str, str],
        *,
        alive: Callable[[], None] = lambda: None,
    ) -> dict[str, str]:
        """Give each of *values* (digest → clear value) a token, and return all of them by digest.

        What is there already stays, so adding again, or from two processes, gives the same. *alive* is called
        now and then and may raise. Raises LW803 when the key was rotated meanwhile.
        """
        box = _box(key)
        found: dict[str, str] = {}
        # in the order of the vault's own index: the next row is beside the last one
        items = iter(sorted(values.items()))
        while part := dict(islice(items, _AT_ONCE)):
            found |= self._add(domain, key, box, part)
            alive()
        return found

    def _add(self, domain: str, key: MaskKey, box: AESGCM, values: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        left = values
        round = 0
        while left:
            tokens = form_like(list(left.values()), extra=max(0, round - _TRIES))
            rows = [
                self._row(domain, digest, value, token, key, box)
                for (digest, value), token in zip(left.items(), tokens, strict=True)
                if token != value
            ]
            added = 0
            if rows:
                with self._state.begin(token_vault, security_keys) as connection:
                    self._require_newest(connection, key)
                    added = _insert_new(connection, rows)
            if rows and added == len(rows):
                found |= {str(row["digest"]): str(row["token"]) for row in rows}
            else:  # some were there, or their token was
                found |= self.tokens(domain, list(left))
            # a token that was taken by another value is drawn again
            left = {digest: value for digest, value in left.items() if digest not in found}
            round += 1
        return found

    @staticmethod
    def _row(
        domain: str, digest: str, value: str, token: str, key: MaskKey, box: AESGCM
    ) -> dict[str, object]:
        return {
            "domain": domain,
            "digest": digest,
            "token": token,
            "sealed": _seal(box, domain, token, value),
            "key": key.name,
            "version": key.version,
        }

    @staticmethod
    def _require_newest(connection: sa.Connection, key: MaskKey) -> None:
        query = sa.select(sa.func.max(security_keys.c.version)).where(security_keys.c.name == key.name)
        if connection.scalar(query) != key.version:
            raise RunError(
                "LW803", f"the key {key.name!r} was rotated meanwhile", remedy="run again, with the new key"
            )

    def reveal(self, domain: str, tokens: Sequence[str]) -> dict[str, str]:
        """Return the clear values of *tokens*. Raises LW808 for tokens that the domain has not, LW809 for damage."""
        table = token_vault
        query = sa.select(table.c.token, table.c.sealed, table.c.key, table.c.version).where(
            table.c.domain == domain
        )
        rows: list[Any] = []
        with self._state.read(table) as connection:
            for part in _parts(tokens, _LOOKED_FOR):
                rows += connection.execute(query.where(table.c.token.in_(part))).all()
        there = {row.token for row in rows}
        missing = [one for one in tokens if one not in there]
        if missing:
            raise NotFoundError("LW808", f"domain {domain!r} has no token {missing[0]!r}")
        boxes = {(row.key, row.version): _box(self._keys.get(row.key, row.version)) for row in rows}
        return {
            row.token: _unseal(boxes[row.key, row.version], domain, row.token, row.sealed) for row in rows
        }

    def rotate(self, name: str) -> tuple[int, int]:
        """Turn to a new version of the key *name*; return it, and how many values were encrypted anew.

        Values keep their tokens. It happens in one transaction: killed at any point, the old key is in
        force, or the new one with all values.
        """
        old, new = self._keys.rotated(name)
        before, after, lookup = _box(old), _box(new), lookup_key(new)
        table = token_vault
        query = sa.select(table.c.domain, table.c.digest, table.c.token, table.c.sealed).where(
            table.c.key == name
        )
        change = (
            table.update()
            .where(table.c.domain == sa.bindparam("of_domain"), table.c.token == sa.bindparam("of_token"))
            .values(digest=sa.bindparam("to_digest"), sealed=sa.bindparam("to_sealed"), version=new.version)
        )
        count = 0
        with self._state.begin(table, security_keys) as connection:
            self._require_newest(connection, old)
            rows = connection.execute(query).all()
            for part in _parts(rows, _AT_ONCE):
                changes = []
                for row in part:
                    value = _unseal(before, row.domain, row.token, row.sealed)
                    digest = hmac.digest(
                        lookup.material, value.encode("utf-8", "surrogatepass"), "sha256"
                    ).hex()
                    sealed = _seal(after, row.domain, row.token, value)
                    changes.append(
                        {
                            "of_domain": row.domain,
                            "of_token": row.token,
                            "to_digest": digest,
                            "to_sealed": sealed,
                        }
                    )
                connection.execute(change, changes)
                count += len(changes)
            self._keys.register(connection, new)
        return new.version, count

    def present(self, domain: str, tokens: Sequence[str]) -> set[str]:
        """Return those of *tokens* that the domain has."""
        table = token_vault
        found: set[str] = set()
        with self._state.read(table) as connection:
            for part in _parts(tokens, _LOOKED_FOR):
                query = sa.select(table.c.token).where(table.c.domain == domain, table.c.token.in_(part))
                found.update(connection.scalars(query))
        return found

    def forget(self, domain: str, tokens: Sequence[str]) -> int:
        """Delete *tokens* with their values: nobody can tell any more what they stood for. Returns how many were there."""
        table, count = token_vault, 0
        with self._state.begin(table) as connection:
            for part in _parts(tokens, _LOOKED_FOR):
                gone = connection.execute(
                    table.delete().where(table.c.domain == domain, table.c.token.in_(part))
                )
                count += gone.rowcount
        return count

    def counts(self) -> dict[str, int]:
        """Return how many values each domain has."""
        table = token_vault
        with self._state.read(table) as connection:
            query = sa.select(table.c.domain, sa.func.count()).group_by(table.c.domain)
            return dict(map(tuple, connection.execute(query)))


def lookup_key(key: MaskKey) -> MaskKey:
    """Return the key of the keyed hash by which the vault finds a value, derived from *key*."""
    return MaskKey(key.name, key.version, _derived(key, b"lakewright vault: find"))


def _box(key: MaskKey) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derived(key, b"lakewright vault: seal"))


def _derived(key: MaskKey, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, None, purpose).derive(key.material)


def _seal(box: AESGCM, domain: str, token: str, value: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + box.encrypt(nonce, value.encode("utf-8", "surrogatepass"), _bound(domain, token))


def _unseal(box: AESGCM, domain: str, token: str, sealed: bytes) -> str:
    from cryptography.exceptions import InvalidTag

    try:
        clear = box.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(domain, token))
    except InvalidTag:
        raise RunError("LW809", f"the value of a token of domain {domain!r} does not decrypt") from None
    return clear.decode("utf-8", "surrogatepass")


def _bound(domain: str, token: str) -> bytes:
    return f"{domain}\0{token}".encode("utf-8", "surrogatepass")


def _insert_new(connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> int:
    """Insert *rows*, but for those whose value or token is there, and return how many were new.

    The statement is compiled once and its rows go to the driver as they are: SQLAlchemy looks at each row twice, which
    takes as long as the database does.
    """
    insert: sa.Insert
    if connection.dialect.name == "sqlite":
        insert = token_vault.insert().prefix_with("OR IGNORE")
    else:
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        insert = postgres_insert(token_vault).on_conflict_do_nothing()
    names = list(rows[0])
    compiled = insert.compile(dialect=connection.dialect, column_keys=names)
    if compiled.positional:
        order = itemgetter(*(compiled.positiontup or names))
        return connection.exec_driver_sql(str(compiled), [order(row) for row in rows]).rowcount
    return connection.exec_driver_sql(str(compiled), [dict(row) for row in rows]).rowcount


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
