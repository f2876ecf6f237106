"""Messages of pgoutput, protocol version 1: from bytes to rows with their operation, order and transaction.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html. Messages come in batches of
Arrow and are told apart, located and taken to pieces as arrays; only tables' descriptions, of which there
is one per table and change of its columns, are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lakewright.sources.capture.tuples import Ints, Tuples, i32, i64, walk
from lakewright.sources.database.faults import DatabaseFault

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EPOCH", "Attribute", "Decoder", "Piece", "Relation", "Truncation"]

#: What times in messages count from, 2000-01-01, in microseconds since 1970-01-01.
EPOCH = 946_684_800_000_000

_KNOWN = frozenset(b"BCORYIUDT")
_BEGIN, _COMMIT, _TABLE, _INSERT, _UPDATE, _DELETE, _TRUNCATE = b"BCRIUDT"
_KEY, _OLD, _NEW = b"KON"


@dataclass(frozen=True)
class Attribute:
    """A column as the log describes it: its name, the number of its type, and the type's modifier."""

    name: str
    type: int
    modifier: int


@dataclass(frozen=True)
class Relation:
    """A table as the log describes it, from this message on."""

    id: int
    schema: str
    table: str
    columns: tuple[Attribute, ...]


@dataclass(frozen=True)
class Piece:
    """Rows of one table that follow each other with the same columns.

    ``ops`` holds ``I``, ``U`` or ``D`` as bytes. ``rows`` are the new rows, or the key of a deleted one; ``old`` are
    the old rows or keys that some updates bring along, ``updated`` the places of these among the rows.
    ``lsn`` is the place of the transaction's commit in the log, ``seq`` the message's place in the transaction,
    ``at`` microseconds since 1970, ``xid`` the transaction's number.
    """

    relation: Relation
    ops: np.ndarray[Any, np.dtype[np.uint8]]
    rows: Tuples
    old: Tuples | None
    updated: Ints
    whole: np.ndarray[Any, np.dtype[np.bool_]]
    lsn: Ints
    seq: Ints
    at: Ints
    xid: Ints


@dataclass(frozen=True)
class Truncation:
    """A table was emptied."""

    relation: Relation
    lsn: int
    seq: int
    at: int
    xid: int


@dataclass
class _Begun:
    """The transaction that goes on at the end of a batch; ``messages`` of it were seen."""

    lsn: int = 0
    at: int = 0
    xid: int = 0
    messages: int = 0


class Decoder:
    """Takes batches of messages in their order; ``end`` is the place behind the last commit, None before one."""

    def __init__(self, after: Mapping[tuple[str, str], int]) -> None:
        """*after* gives the tables that are wanted (schema, table), and the place from which commits count."""
        self.after = dict(after)
        self.relations: dict[int, Relation] = {}
        self.end: int | None = None
        self.messages = 0
        self._begun = _Begun()

    def decode(self, column: pa.Array[Any]) -> Iterator[Piece | Truncation]:
        """Return what the messages of *column* (Arrow binary) say of the wanted tables, each table's in order.

        Raises LW245 for messages of another protocol.
        """
        count = len(column)
        self.messages += count
        if not count:
            return
        data, starts = _bytes_of(column)
        kinds = data[starts]
        strange = set(np.unique(kinds).tolist()) - _KNOWN
        if strange:
            raise DatabaseFault(
                "LW245", f"the log has messages of a sort that is not known: {bytes(strange)!r}"
            )
        transactions = self._transactions(data, starts, kinds)
        commits = np.flatnonzero(kinds == _COMMIT)
        if len(commits):
            self.end = int(i64(data, starts[commits[-1:]] + 10)[0])
        yield from self._tables(data, starts, kinds, transactions)

    def _transactions(self, data: Any, starts: Ints, kinds: Any) -> tuple[Ints, Ints, Ints, Ints]:
        """(lsn, seq, at, xid) of each message."""
        begun = self._begun
        begins = np.flatnonzero(kinds == _BEGIN)
        at = starts[begins]
        which = np.searchsorted(begins, np.arange(len(kinds)), side="right")
        lsn = np.concatenate([[begun.lsn], i64(data, at + 1)])
        time = np.concatenate([[begun.at], i64(data, at + 9) + EPOCH])
        xid = np.concatenate([[begun.xid], i32(data, at + 17)])
        first = np.concatenate([[-begun.messages], begins])
        seq = np.arange(len(kinds)) - first[which]
        self._begun = _Begun(int(lsn[-1]), int(time[-1]), int(xid[-1]), int(len(kinds) - first[-1]))
        return lsn[which], seq, time[which], xid[which]

    def _tables(
        self, data: Any, starts: Ints, kinds: Any, transactions: tuple[Ints, Ints, Ints, Ints]
    ) -> Iterator[Piece | Truncation]:
        rows = np.flatnonzero((kinds == _INSERT) | (kinds == _UPDATE) | (kinds == _DELETE))
        tables = i32(data, starts[rows] + 1)
        cuts: dict[int, list[tuple[int, Relation | None]]] = {}
        for place in np.flatnonzero((kinds == _TABLE) | (kinds == _TRUNCATE)).tolist():
            start = int(starts[place])
            if kinds[place] == _TABLE:
                found = _relation(data, start + 1)
                cuts.setdefault(found.id, []).append((place, found))
            else:
                for one in _truncated(data, start + 1):
                    cuts.setdefault(one, []).append((place, None))
        for id in sorted({*cuts, *np.unique(tables).tolist()}):
            own = rows[tables == id]
            yield from self._table(id, own, cuts.get(id, []), data, starts, kinds, transactions)

    def _table(
        self,
        id: int,
        rows: Ints,
        cuts: list[tuple[int, Relation | None]],
        data: Any,
        starts: Ints,
        kinds: Any,
        transactions: tuple[Ints, Ints, Ints, Ints],
    ) -> Iterator[Piece | Truncation]:
        """The rows of one table, cut where it is described anew or emptied."""
        done = 0
        for place, described in [*cuts, (len(kinds), None)]:
            upto = int(np.searchsorted(rows, place))
            known = self.relations.get(id)
            after = self.after.get((known.schema, known.table)) if known else None
            if known is not None and after is not None:
                piece = rows[done:upto]
                piece = piece[transactions[0][piece] >= after]
                if len(piece):
                    yield _piece(known, piece, data, starts, kinds, transactions)
                if described is None and place < len(kinds) and transactions[0][place] >= after:
                    yield Truncation(known, *(int(one[place]) for one in transactions))
            elif known is None and upto > done:
                raise DatabaseFault("LW245", f"the log has rows of a table {id} that it did not describe")
            done = upto
            if described is not None:
                self.relations[id] = described


def _piece(
    relation: Relation,
    places: Ints,
    data: Any,
    starts: Ints,
    kinds: Any,
    transactions: tuple[Ints, Ints, Ints, Ints],
) -> Piece:
    columns = len(relation.columns)
    begin = starts[places]
    marks = data[begin + 5]
    has_old = (kinds[places] == _UPDATE) & (marks != _NEW)
    at = begin + 6
    old = None
    updated = np.flatnonzero(has_old)
    if len(updated):
        old = walk(data, at[updated], columns)
        if not (data[old.end] == _NEW).all():
            raise DatabaseFault("LW245", "an update of the log has no new row")
        at[updated] = old.end + 1
    lsn, seq, time, xid = (one[places] for one in transactions)
    whole = marks[updated] == _OLD
    return Piece(relation, kinds[places], walk(data, at, columns), old, updated, whole, lsn, seq, time, xid)


def _bytes_of(column: pa.Array[Any]) -> tuple[Any, Ints]:
    """The bytes of all messages, and where each begins."""
    import pyarrow as pa

    size: Any = np.dtype(np.int64 if pa.types.is_large_binary(column.type) else np.int32)
    buffers: list[Any] = column.buffers()
    _, offsets, data = buffers
    found = np.frombuffer(offsets, dtype=size)[column.offset : column.offset + len(column)]
    return np.frombuffer(data, dtype=np.uint8), found.astype(np.int64)


def _relation(data: Any, at: int) -> Relation:
    """Read the description of a table: number, schema, name, identity, and the columns."""
    text = data[at : at + 4].tobytes()
    id = int.from_bytes(text, "big")
    schema, at = _name(data, at + 4)
    table, at = _name(data, at)
    count = int.from_bytes(data[at + 1 : at + 3].tobytes(), "big")
    at += 3
    columns = []
    for _ in range(count):
        name, at = _name(data, at + 1)
        type = int.from_bytes(data[at : at + 4].tobytes(), "big")
        modifier = int.from_bytes(data[at + 4 : at + 8].tobytes(), "big", signed=True)
        columns.append(Attribute(name, type, modifier))
        at += 8
    # the schema pg_catalog is sent as nothing
    return Relation(id, schema or "pg_catalog", table, tuple(columns))


def _name(data: Any, at: int) -> tuple[str, int]:
    end = at
    while data[end]:
        end += 1
    return data[at:end].tobytes().decode(), end + 1


def _truncated(data: Any, at: int) -> list[int]:
    count = int.from_bytes(data[at : at + 4].tobytes(), "big")
    return [int.from_bytes(data[at + 5 + 4 * n : at + 9 + 4 * n].tobytes(), "big") for n in range(count)]
