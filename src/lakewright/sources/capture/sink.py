"""Changes of one dataset on their way to raw: gathered as text, written as typed Parquet, part by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from sqlglot import exp

from lakewright.sources.capture.form import AT, CHANGE_COLUMNS, LSN, OP, SEQ, UNCHANGED, XID
from lakewright.sources.capture.messages import Piece, Truncation
from lakewright.sources.capture.values import Target, as_type
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sql.names import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from lakewright.sources.capture.messages import Attribute

__all__ = ["Emptied", "Sink"]

_INSERT, _UPDATE, _DELETE = b"IUD"
_DEEP = r"^(\[[^{]*=)?\{\{"


@dataclass(frozen=True)
class Emptied:
    """A truncation, and the columns that the table had then."""

    event: Truncation
    columns: tuple[Target, ...]


@dataclass
class Sink:
    """Takes the changes of one table in their order; ``parts`` are files and truncations, in that order.

    A part is written when *limit* bytes of text are there.
    ``keys`` and ``wanted`` are names in raw; without *wanted* all columns are. ``notes`` count values that no
    type could hold, by column.
    """

    folder: Path
    cursor: duckdb.DuckDBPyConnection
    describe: Callable[[Sequence[Attribute]], tuple[Target, ...]]
    keys: tuple[str, ...]
    wanted: tuple[str, ...]
    limit: int
    parts: list[Path | Emptied] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    incomplete: bool = False
    rows: int = 0
    _known: dict[tuple[Attribute, ...], tuple[Target, ...]] = field(default_factory=dict)
    _waiting: list[pa.Table] = field(default_factory=list)
    _columns: tuple[Target, ...] = ()
    _bytes: int = 0

    def add(self, piece: Piece | Truncation) -> None:
        """Take what comes next. Raises LW229 for a table whose keys its log does not have."""
        columns = self._described(piece.relation.columns)
        if isinstance(piece, Truncation):
            self.flush()
            self.parts.append(Emptied(piece, self._chosen(columns)))
            return
        table = _table(piece, columns, self.keys)
        if self._waiting and columns != self._columns:
            self.flush()
        self._columns = columns
        self._waiting.append(table)
        self._bytes += table.nbytes
        self.rows += table.num_rows
        if self._bytes > self.limit:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered as one part."""
        if not self._waiting:
            return
        import pyarrow as pa

        table = pa.concat_tables(self._waiting, promote_options="default")
        self._waiting, self._bytes = [], 0
        file = self.folder / f"part-{len(self.parts):05}.parquet"
        self._write(table, self._columns, file)
        self.parts.append(file)

    def _described(self, attributes: tuple[Attribute, ...]) -> tuple[Target, ...]:
        if attributes not in self._known:
            found = self.describe(attributes)
            names = [one.name for one in found]
            taken = sorted({one.lower() for one in names} & set(CHANGE_COLUMNS))
            if taken:
                raise DatabaseFault(
                    "LW225", f"capturing adds a column {taken[0]!r}, and the table has one already"
                )
            lost = [one for one in (*self.keys, *self.wanted) if one not in names]
            if lost:
                raise DatabaseFault(
                    "LW229",
                    f"the table has lost its column {lost[0]!r}, which the source's file names",
                    remedy="correct `keys` and `columns`; the table is then read anew",
                )
            self._known[attributes] = found
        return self._known[attributes]

    def _chosen(self, columns: tuple[Target, ...]) -> tuple[Target, ...]:
        return tuple(one for one in columns if not self.wanted or one.name in self.wanted)

    def _write(self, table: pa.Table, columns: tuple[Target, ...], file: Path) -> None:
        self.cursor.register("_changes", table)
        try:
            numbers = {one.name: number for number, one in enumerate(columns)}
            kept = self._deep(self._chosen(columns), numbers)
            made = [
                exp.alias_(as_type(one, exp.column(f"c{numbers[one.name]}")), identifier(one.name))
                for one in kept
            ]
            made += [
                exp.alias_(exp.cast(exp.column(name), type, dialect="duckdb"), identifier(name))
                for name, type in CHANGE_COLUMNS.items()
            ]
            absent = [one for one in kept if f"u{numbers[one.name]}" in table.column_names]
            if absent:
                self.incomplete = True
                made.append(exp.alias_(_listed(absent, numbers), identifier(UNCHANGED)))
            query = exp.select(*made).from_("_changes")
            target = literal(str(file)).sql("duckdb")
            options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
            self.cursor.execute(f"COPY ({query.sql('duckdb')}) TO {target} ({options})")
            self._count(kept, numbers, file)
        finally:
            self.cursor.unregister("_changes")

    def _deep(self, columns: tuple[Target, ...], numbers: dict[str, int]) -> tuple[Target, ...]:
        """Take arrays as JSON where one of the values has several dimensions, as a snapshot does."""
        arrays = [one for one in columns if one.array]
        if not arrays:
            return columns
        found = [
            exp.func(
                "bool_or",
                exp.Anonymous(
                    this="regexp_matches", expressions=[exp.column(f"c{numbers[one.name]}"), literal(_DEEP)]
                ),
            )
            for one in arrays
        ]
        row = self.cursor.execute(exp.select(*found).from_("_changes").sql("duckdb")).fetchone() or ()
        deep = {one.name for one, is_deep in zip(arrays, row, strict=True) if is_deep}
        return tuple(
            Target(one.source, one.name, "JSON", one.base, True) if one.name in deep else one
            for one in columns
        )

    def _count(self, columns: tuple[Target, ...], numbers: dict[str, int], file: Path) -> None:
        """Count the values that no type could hold."""
        typed = [one for one in columns if one.type != "VARCHAR"]
        if not typed:
            return
        there = exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[literal(str(file))]))
        came = exp.select(*(exp.Count(this=exp.column(f"c{numbers[one.name]}")) for one in typed))
        went = exp.select(*(exp.Count(this=exp.column(identifier(one.name))) for one in typed))
        before = self.cursor.execute(came.from_("_changes").sql("duckdb")).fetchone() or ()
        after = self.cursor.execute(went.from_(there).sql("duckdb")).fetchone() or ()
        for one, first, second in zip(typed, before, after, strict=True):
            if first != second:
                self.notes[one.name] = self.notes.get(one.name, 0) + first - second


def _listed(columns: Sequence[Target], numbers: dict[str, int]) -> exp.Expr:
    """The names of the columns whose values were left out; null where there is none."""
    names = [
        exp.Case().when(exp.column(f"u{numbers[one.name]}"), literal(one.name)).else_(exp.Null())
        for one in columns
    ]
    text = exp.Lambda(this=exp.column("n").is_(exp.null()).not_(), expressions=[exp.to_identifier("n")])
    found = exp.Anonymous(this="list_filter", expressions=[exp.Array(expressions=names), text])
    return exp.cast(found, "VARCHAR[]", dialect="duckdb")


def _table(piece: Piece, columns: tuple[Target, ...], keys: tuple[str, ...]) -> pa.Table:
    """The rows of a piece as text; a change of a key is the end of the old one and the row under the new one."""
    import pyarrow as pa

    count = len(piece.ops)
    places = np.arange(count)
    order = places
    ops = piece.ops
    moved = np.zeros(0, dtype=np.int64)
    if piece.old is not None:
        moved = _moved(piece, columns, keys)
        # the old key comes right before the row that has the new one
        order = np.concatenate([places, count + moved])
        at = np.concatenate([places * 2 + 1, piece.updated[moved] * 2])
        order = order[np.argsort(at, kind="stable")]
        ops = np.concatenate([piece.ops, np.full(len(piece.updated), _DELETE, dtype=np.uint8)])
    extra = order >= count
    row = np.where(extra, piece.updated[np.maximum(order - count, 0)] if len(piece.updated) else 0, order)
    arrays: dict[str, Any] = {}
    for number, one in enumerate(columns):
        arrays |= _column(piece, number, one.name in keys, order, extra)
    names = np.array(["insert", "update", "delete"], dtype=object)
    which = np.searchsorted(np.array([_DELETE, _INSERT, _UPDATE]), ops[order])
    arrays[OP] = pa.DictionaryArray.from_arrays(
        pa.array(np.array([2, 0, 1])[which], pa.int8()), pa.array(names, pa.string())
    )
    arrays[LSN] = pa.array(piece.lsn[row], pa.int64())
    arrays[SEQ] = pa.array(piece.seq[row] * 2 + ~extra, pa.int64())
    arrays[AT] = pa.array(piece.at[row], pa.timestamp("us", tz="UTC"))
    arrays[XID] = pa.array(piece.xid[row], pa.int64())
    return pa.table(arrays)


def _moved(piece: Piece, columns: tuple[Target, ...], keys: tuple[str, ...]) -> Any:
    """Which of the updates that bring an old row along have another key than before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    assert piece.old is not None
    changed = np.zeros(len(piece.updated), dtype=bool)
    for number, one in enumerate(columns):
        if one.name in keys:
            new = piece.rows.text(number).take(pa.array(piece.updated, pa.int64()))
            old = piece.old.text(number)
            equal: Any = pc.equal(new, old)
            same = np.asarray(pc.fill_null(equal, False))
            none = np.asarray(new.is_null()) & np.asarray(old.is_null())
            # a key's value that is left out did not change
            left_out = piece.rows.unchanged(number)[piece.updated]
            changed |= ~(same | none | left_out)
    return np.flatnonzero(changed)


def _column(piece: Piece, number: int, key: bool, order: Any, extra: Any) -> dict[str, Any]:
    """One column's values in *order*, and which of them the log left out."""
    import pyarrow as pa

    values = piece.rows.text(number)
    left_out = piece.rows.unchanged(number)
    if piece.old is None:
        found = {f"c{number}": values}
        return found | ({f"u{number}": pa.array(left_out)} if left_out.any() else {})
    index = order.copy()
    count = len(piece.ops)
    # where the whole old row is known, it has what was left out
    known = piece.whole & left_out[piece.updated]
    source = np.arange(count)
    source[piece.updated[known]] = count + np.flatnonzero(known)
    index[~extra] = source[order[~extra]]
    both = pa.concat_arrays([values, piece.old.text(number)])
    absent = extra & (not key)
    found = {f"c{number}": both.take(pa.array(index, pa.int64(), mask=absent))}
    left_out = left_out.copy()
    left_out[piece.updated[known]] = False
    if left_out.any():
        found[f"u{number}"] = pa.array(np.where(extra, False, left_out[np.where(extra, 0, order)]))
    return found
