"""Read a sheet of a workbook (.xlsx, .xlsm, .xlsb, .xls, .ods) as an Arrow table, each column of one type."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakewright.errors import nearest
from lakewright.sources.dialect import clean_names
from lakewright.sources.text import Unreadable
from lakewright.spec.sources import ReadOptions

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_sheet"]

#: A workbook that unpacks to more than this is no workbook that a person made.
_LARGEST = 4 << 30


def read_sheet(file: Path, declared: ReadOptions) -> pa.Table:
    """Return the rows of one sheet; empty rows and columns around and between them do not count.

    *declared* may name the ``sheet`` (by name, or by number from 1; the first one with rows by
    default), the rows to ``skip``, whether there is a ``header``, its ``names`` and what stands for ``nulls``. A
    column whose cells are all numbers, dates, times or truth values has that type; any other is
    text, its dates in ISO form. Raises :class:`Unreadable`.
    """
    import python_calamine as calamine

    _refuse_bomb(file)
    try:
        with calamine.load_workbook(str(file)) as book:
            rows = _rows(book, declared)
    except (KeyboardInterrupt, SystemExit, Unreadable):
        raise
    except calamine.PasswordError:
        raise Unreadable("the workbook is protected by a password") from None
    except BaseException as error:  # a panic in the parser is no Exception
        raise Unreadable(f"not a sound workbook: {error}") from None
    return _as_table(rows, declared)


def _rows(book: Any, declared: ReadOptions) -> list[list[Any]]:
    names = list(book.sheet_names)
    if isinstance(declared.sheet, int):
        if not 1 <= declared.sheet <= len(names):
            raise Unreadable(f"there is no sheet {declared.sheet}: the workbook has {len(names)}")
        names = [names[declared.sheet - 1]]
    elif declared.sheet is not None:
        if declared.sheet not in names:
            hint = nearest(declared.sheet, names)
            raise Unreadable(f"there is no sheet {declared.sheet!r}{hint}; there are {', '.join(names)}")
        names = [declared.sheet]
    for name in names:
        rows: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
        rows = [row for row in rows[declared.skip or 0 :] if any(cell != "" for cell in row)]
        if rows:
            return rows
    raise Unreadable("the sheet is empty: it has no header and no rows")


def _as_table(rows: list[list[Any]], declared: ReadOptions) -> pa.Table:
    import pyarrow as pa

    if declared.skip is None:
        rows = rows[_first(rows) :]
    top = rows[0]
    header = declared.header
    if header is None:
        header = not declared.names and all(isinstance(cell, str) for cell in top)
    body = rows[1:] if header else rows
    width = max(len(row) for row in rows)
    given = declared.names or ([str(cell) for cell in top] if header else ())
    names = clean_names([*given, *(f"column{place}" for place in range(len(given), width))][:width])
    nulls = {"", *declared.nulls}
    columns = [
        _column([row[place] if place < len(row) else "" for row in body], nulls) for place in range(width)
    ]
    filled = [
        place
        for place in range(width)
        if (place < len(given) and given[place]) or columns[place].null_count < len(body)
    ]
    return pa.table({names[place]: columns[place] for place in filled})


def _first(rows: Sequence[Sequence[Any]]) -> int:
    """The row at which the table begins: titles above it fill one cell only."""
    counts = [sum(cell != "" for cell in row) for row in rows[:50]]
    wide = max(counts)
    return (
        next((place for place, count in enumerate(counts) if count > 1 and count * 2 >= wide), 0)
        if wide > 1
        else 0
    )


def _column(cells: Sequence[Any], nulls: set[str]) -> pa.Array[Any]:
    import pyarrow as pa

    values = [None if isinstance(cell, str) and cell in nulls else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds and kinds <= {int, float}:
        # a workbook has no whole numbers of its own: 1 is kept as 1.0
        if all(value is None or (float(value).is_integer() and abs(value) < 2**53) for value in values):
            return pa.array([None if value is None else int(value) for value in values], pa.int64())
        return pa.array(values, pa.float64())
    if kinds == {datetime.date}:
        return pa.array(values, pa.date32())
    if kinds and kinds <= {datetime.date, datetime.datetime}:
        return pa.array([_moment(value) for value in values], pa.timestamp("us"))
    if kinds == {datetime.time}:
        return pa.array(values, pa.time64("us"))
    if kinds == {datetime.timedelta}:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _moment(value: Any) -> datetime.datetime | None:
    if value is None or isinstance(value, datetime.datetime):
        return value
    return datetime.datetime(value.year, value.month, value.day)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value)


def _refuse_bomb(file: Path) -> None:
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > _LARGEST:
        raise Unreadable(f"the workbook unpacks to {size:,} bytes, which is too much")
