"""Rows in messages of pgoutput, column by column: all rows of a table at once, none by itself.

TupleData is a number of columns and, for each, one byte: ``n`` for null, ``u`` for a stored value that did not
change and is not sent, ``t`` for text, which its length and its bytes follow.
https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lakewright.sources.database.faults import DatabaseFault

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Ints", "Tuples", "i16", "i32", "i64", "walk"]

#: Positions and numbers, one per message.
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Bytes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"

_NULL, _SAME, _TEXT = ord("n"), ord("u"), ord("t")


@dataclass(frozen=True)
class Tuples:
    """Tuples of one table in the buffer ``data``: for each column its sort, and where its text begins and ends.

    ``end`` is the place behind each tuple.
    """

    data: Any
    kinds: list[Bytes]
    begins: list[Ints]
    ends: list[Ints]
    end: Ints

    def text(self, number: int) -> pa.Array[Any]:
        """The values of one column as Arrow's large_string; null where there is none."""
        import pyarrow as pa

        begin, end = self.begins[number], self.ends[number]
        count = len(begin)
        if not count:
            return pa.array([], pa.large_string())
        # value, gap, value, gap, …: the places grow with the messages, so they are offsets of an array
        # over the very bytes that came, and taking every other value copies nothing but values
        offsets: Any = np.empty(2 * count, dtype=np.int64)
        offsets[0::2], offsets[1::2] = begin, end
        all_of_it = pa.LargeStringArray.from_buffers(
            2 * count - 1, pa.py_buffer(offsets), pa.py_buffer(self.data)
        )
        absent = self.kinds[number] != _TEXT
        wanted = pa.array(np.arange(0, 2 * count, 2), pa.int64(), mask=absent)
        return all_of_it.take(wanted)

    def unchanged(self, number: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which tuples leave out the value of one column because it did not change."""
        return np.asarray(self.kinds[number] == _SAME)


def walk(data: Bytes, at: Ints, columns: int) -> Tuples:
    """Find the columns of the tuples that begin *at* these places of *data*. Raises LW245 for anything else."""
    if len(at) and not (i16(data, at) == columns).all():
        raise DatabaseFault("LW245", "a row of the log has another number of columns than its table")
    place = at + 2
    kinds, begins, ends = [], [], []
    for _ in range(columns):
        kind = data[place]
        has = kind == _TEXT
        if not (has | (kind == _NULL) | (kind == _SAME)).all():
            raise DatabaseFault("LW245", "a value of the log is neither text nor null")
        begin = place + np.where(has, 5, 1)
        end = begin + np.where(has, i32(data, place + 1), 0)
        kinds.append(kind)
        begins.append(begin)
        ends.append(end)
        place = end
    return Tuples(data, kinds, begins, ends, place)


def i16(data: Bytes, at: Ints) -> Ints:
    """Numbers of two bytes, the high one first."""
    return _number(data, at, 2)


def i32(data: Bytes, at: Ints) -> Ints:
    """Numbers of four bytes without sign."""
    return _number(data, at, 4)


def i64(data: Bytes, at: Ints) -> Ints:
    """Numbers of eight bytes."""
    return _number(data, at, 8)


def _number(data: Bytes, at: Ints, size: int) -> Ints:
    found = np.zeros(len(at), dtype=np.int64)
    last = len(data) - 1
    for offset in range(size):
        # a tuple's end may be the buffer's; what is read beyond it is not used
        found = (found << 8) | data[np.minimum(at + offset, last)]
    return found
