"""What changes need to know of rows as they were: values that the log left out, and keys that a TRUNCATE took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.sources.capture.form import AT, CHANGE_COLUMNS, LSN, OP, SEQ, UNCHANGED, XID
from lakewright.sources.capture.sink import Emptied
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.read import Reading
from lakewright.sql.names import column, identifier, literal

__all__ = ["complete", "emptied"]

# The temporary table of rows in their order, old and new, with the values that are looked for.
_ROWS = "_capture_rows"
_KEYS = "_capture_keys"


def emptied(
    cursor: duckdb.DuckDBPyConnection,
    event: Emptied,
    keys: Sequence[str],
    before: Reading | None,
    parts: Sequence[Path],
    file: Path,
) -> int:
    """Write to *file* a row for each key that was there when the table was emptied, which says that it is gone.

    *before* is what raw holds, *parts* what came since. Returns the number of rows.
    """
    names = [column(one) for one in keys]
    rows = _in_order(keys, [OP], before, parts)
    last = exp.Window(
        this=exp.RowNumber(),
        partition_by=[one.copy() for one in names],
        order=exp.Order(expressions=[exp.Ordered(this=exp.column("_place"), desc=True)]),
    )
    ranked = exp.select(*names, column(OP), exp.alias_(last, "_rank")).from_(rows.subquery("_rows"))
    there = exp.select(*(one.copy() for one in names)).from_(ranked.subquery("_ranked"))
    there = there.where("_rank = 1", column(OP).neq(literal("delete")))
    made = []
    for one in event.columns:
        value = column(one.name) if one.name in keys else exp.Null()
        made.append(exp.alias_(exp.cast(value, one.type, dialect="duckdb"), identifier(one.name)))
    told = event.event
    values = {
        OP: literal("delete"),
        LSN: literal(told.lsn),
        SEQ: literal(2 * told.seq + 1),
        AT: exp.Anonymous(this="make_timestamptz", expressions=[literal(told.at)]),
        XID: literal(told.xid),
    }
    made += [
        exp.alias_(exp.cast(values[name], type, dialect="duckdb"), identifier(name))
        for name, type in CHANGE_COLUMNS.items()
    ]
    query = exp.select(*made).from_(there.subquery("_there"))
    row = cursor.execute(_copy(query, file)).fetchone()
    return int(row[0]) if row else 0


def complete(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    before: Reading | None,
    parts: Sequence[Path],
) -> None:
    """Put into *parts* the values that the log left out: those that the row had before, in these parts or in raw.

    Raises LW242 where nobody has such a value any more.
    """
    waiting = [one for one in parts if UNCHANGED in _columns(cursor, one)]
    if not waiting:
        return
    names = _left_out(cursor, waiting)
    try:
        if names:
            _gather(cursor, keys, names, before, parts)
            for number, name in enumerate(names):
                _find(cursor, number, name)
        for one in waiting:
            _rewrite(cursor, one, names)
    finally:
        cursor.execute(f"DROP TABLE IF EXISTS {_ROWS}")
        cursor.execute(f"DROP TABLE IF EXISTS {_KEYS}")


def _left_out(cursor: duckdb.DuckDBPyConnection, parts: Sequence[Path]) -> list[str]:
    listed = exp.select(exp.alias_(exp.func("unnest", column(UNCHANGED)), "name")).from_(_scan(parts))
    query = exp.select("name").distinct().from_(listed.subquery("_names")).order_by("name")
    return [str(row[0]) for row in cursor.execute(query.sql("duckdb")).fetchall()]


def _in_order(
    keys: Sequence[str],
    names: Sequence[str],
    before: Reading | None,
    parts: Sequence[Path],
    *,
    parts_only: Sequence[str] = (),
    limit: exp.Expr | None = None,
) -> exp.Query:
    """Rows of raw and then those of *parts*, with ``_place``, a number that grows; ``_new`` tells the parts' rows.

    *parts_only* are columns that raw does not have: null there. *limit* is a condition on the keys.
    """
    listed = [*keys, *names]
    queries: list[exp.Query] = []
    if before is not None:
        chosen = [
            column(one) if one in before.columns else exp.alias_(exp.Null(), identifier(one))
            for one in listed
        ]
        chosen += [exp.alias_(exp.Null(), identifier(one)) for one in parts_only]
        own = exp.select(
            *chosen,
            exp.alias_(exp.false(), "_new"),
            exp.alias_(column("_source_file"), "_file"),
            exp.alias_(column("_source_row"), "_row"),
        )
        own = own.from_(before.query.subquery("_before"))
        queries.append(own.where(limit) if limit is not None else own)
    if parts:
        own = exp.select(
            *(column(one) for one in (*listed, *parts_only)),
            exp.alias_(exp.true(), "_new"),
            exp.alias_(exp.column("filename"), "_file"),
            exp.alias_(exp.column("file_row_number"), "_row"),
        )
        own = own.from_(_scan(parts))
        queries.append(own.where(limit) if limit is not None else own)
    if not queries:
        nothing = [exp.alias_(exp.Null(), identifier(one)) for one in (*listed, *parts_only)]
        return exp.select(*nothing, exp.alias_(literal(0), "_place"), exp.alias_(exp.true(), "_new")).where(
            exp.false()
        )
    rows = queries[0]
    for other in queries[1:]:
        rows = exp.union(rows, other, distinct=False, copy=False)
    order = exp.Order(expressions=[exp.Ordered(this=exp.column(one)) for one in ("_new", "_file", "_row")])
    place = exp.alias_(exp.Window(this=exp.RowNumber(), order=order), "_place")
    return exp.select("*", place).from_(rows.subquery("_all", copy=False))


def _gather(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    names: Sequence[str],
    before: Reading | None,
    parts: Sequence[Path],
) -> None:
    """Make the table of rows: key ``k``, the key ``p`` that the row had before where it moved, ``v0``, ``m0``, …."""
    _note_keys(cursor, keys, parts)
    listed = [one for one in names if one not in keys]
    rows = _in_order(keys, [OP, LSN, SEQ, *listed], before, parts, parts_only=[UNCHANGED], limit=_of(keys))
    key = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(f"k{place}"), expression=column(one))
            for place, one in enumerate(keys)
        ]
    )
    chosen = [
        exp.alias_(key, "k"),
        exp.alias_(exp.column("_place"), "n"),
        exp.alias_(exp.column("_new"), "fresh"),
        exp.alias_(exp.column("_file"), "f"),
        exp.alias_(exp.column("_row"), "r"),
        exp.alias_(column(OP), "op"),
        exp.alias_(column(LSN), "lsn"),
        exp.alias_(column(SEQ), "seq"),
    ]
    for number, name in enumerate(names):
        is_out = exp.Anonymous(this="list_contains", expressions=[column(UNCHANGED), literal(name)])
        chosen.append(exp.alias_(column(name), f"v{number}"))
        chosen.append(exp.alias_(exp.Coalesce(this=is_out, expressions=[exp.false()]), f"m{number}"))
    made = exp.select(*chosen).from_(rows.subquery("_rows"))
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS {made.sql('duckdb')}")
    cursor.execute(f"ALTER TABLE {_ROWS} ADD COLUMN p {_type_of(cursor)}")
    # the old key of a row that moved is right before it
    cursor.execute(
        f"UPDATE {_ROWS} SET p = o.k FROM {_ROWS} o WHERE o.fresh AND {_ROWS}.fresh AND o.op = 'delete' "
        f"AND o.lsn = {_ROWS}.lsn AND o.seq = {_ROWS}.seq - 1 AND {_ROWS}.op = 'update'"
    )


def _note_keys(cursor: duckdb.DuckDBPyConnection, keys: Sequence[str], parts: Sequence[Path]) -> None:
    """List the keys of which something was left out, and those that ended: rows of others say nothing."""
    some = exp.GT(this=exp.func("len", column(UNCHANGED)), expression=literal(0))
    ended = column(OP).eq(literal("delete"))
    found = (
        exp.select(*(column(one) for one in keys)).distinct().from_(_scan(parts)).where(exp.or_(some, ended))
    )
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_KEYS} AS {found.sql('duckdb')}")


def _of(keys: Sequence[str]) -> exp.Expr:
    """The condition that a row has one of these keys."""
    wanted = exp.select(*(column(one) for one in keys)).from_(_KEYS).subquery()
    return exp.In(this=exp.Tuple(expressions=[column(one) for one in keys]), query=wanted)


def _type_of(cursor: duckdb.DuckDBPyConnection) -> str:
    rows = cursor.execute(f"DESCRIBE SELECT k FROM {_ROWS}").fetchall()
    return str(rows[0][1])


def _find(cursor: duckdb.DuckDBPyConnection, number: int, name: str) -> None:
    """Fill one column: from the row before under the same key, and for one that moved from the row under the old key."""
    value, missing = f"v{number}", f"m{number}"
    within = (
        f"UPDATE {_ROWS} SET {value} = x.box.v, {missing} = false FROM ("
        "SELECT n, last_value(box IGNORE NULLS) OVER (PARTITION BY k, segment ORDER BY n) AS box FROM ("
        f"SELECT n, k, CASE WHEN {missing} THEN NULL ELSE {{'v': {value}}} END AS box, "
        f"count(*) FILTER ({missing} AND p IS NOT NULL) OVER (PARTITION BY k ORDER BY n) AS segment FROM {_ROWS})) x "
        f"WHERE x.n = {_ROWS}.n AND {_ROWS}.{missing} AND x.box IS NOT NULL"
    )
    across = (
        f"UPDATE {_ROWS} SET {value} = x.box.v, {missing} = false FROM ("
        f"SELECT w.n, arg_max({{'v': o.{value}, 'm': o.{missing}}}, o.n) AS box FROM {_ROWS} w JOIN {_ROWS} o "
        f"ON o.k = w.p AND o.n < w.n AND o.op <> 'delete' WHERE w.{missing} GROUP BY w.n) x "
        f"WHERE x.n = {_ROWS}.n AND NOT x.box.m"
    )
    left = -1
    while True:
        cursor.execute(within)
        cursor.execute(across)
        row = cursor.execute(f"SELECT count(*) FROM {_ROWS} WHERE {missing}").fetchone()
        before, left = left, int(row[0]) if row else 0
        if not left:
            return
        if left == before:
            raise DatabaseFault(
                "LW242",
                f"{left:,} updates left out the value of {name!r}, which did not change, and raw does not hold it",
            )


def _rewrite(cursor: duckdb.DuckDBPyConnection, file: Path, names: Sequence[str]) -> None:
    """Write a part anew, with the values that were found."""
    columns = _columns(cursor, file)
    chosen: list[exp.Expr] = []
    for name, type in columns.items():
        if name == UNCHANGED:
            continue
        value: exp.Expr = column(name, "_part")
        if name in names:
            is_out = exp.Anonymous(
                this="list_contains", expressions=[column(UNCHANGED, "_part"), literal(name)]
            )
            found = exp.cast(exp.column(f"v{names.index(name)}", table="_found"), type, dialect="duckdb")
            value = exp.Case().when(is_out, found).else_(value)
        chosen.append(exp.alias_(value, identifier(name)))
    query = exp.select(*chosen).from_(exp.alias_(_scan([file]), "_part", table=True))
    if names:
        same = exp.and_(
            exp.column("f", table="_found").eq(exp.column("filename", table="_part")),
            exp.column("r", table="_found").eq(exp.column("file_row_number", table="_part")),
            exp.column("fresh", table="_found"),
        )
        query = query.join(exp.alias_(exp.to_table(_ROWS), "_found", table=True), on=same, join_type="left")
    query = query.order_by(exp.column("file_row_number", table="_part"))
    made = file.with_suffix(".whole")
    cursor.execute(_copy(query, made))
    made.replace(file)


def _columns(cursor: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    scan = exp.Anonymous(this="read_parquet", expressions=[literal(str(file))])
    rows = cursor.execute(f"DESCRIBE FROM {scan.sql('duckdb')}").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def _scan(parts: Sequence[Path]) -> exp.Table:
    files = exp.Array(expressions=[literal(str(one)) for one in parts])
    options = [
        exp.EQ(this=exp.column(name), expression=exp.true())
        for name in ("union_by_name", "filename", "file_row_number")
    ]
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[files, *options]))


def _copy(query: exp.Expr, file: Path) -> str:
    target = literal(str(file)).sql("duckdb")
    return f"COPY ({query.sql('duckdb')}) TO {target} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
