"""Look inside an Excel workbook: its sheets, and where the table on one of them begins."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from lakewright.errors import nearest
from lakewright.sources.text import Unreadable
from lakewright.spec.sources import ReadOptions

__all__ = ["sheet_range", "sheets"]

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"


def sheets(file: Path) -> dict[str, str]:
    """Return the names of the sheets of a workbook, in order, with their part of the package."""
    try:
        with zipfile.ZipFile(file) as archive:
            book = _parse(archive.open("xl/workbook.xml"))
            links = _parse(archive.open("xl/_rels/workbook.xml.rels"))
            targets = {one.get("Id"): one.get("Target", "") for one in links.iter(f"{_PACKAGE}Relationship")}
            found = {}
            for one in book.iter(f"{_NS}sheet"):
                target = targets.get(one.get(_REL), "")
                found[one.get("name", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, OSError) as error:
        raise Unreadable(f"not an Excel workbook: {error}") from None
    if not found:
        raise Unreadable("the workbook has no sheet")
    return found


def sheet_range(file: Path, declared: ReadOptions) -> tuple[str, bool, str]:
    """Return the sheet to read, whether its first row is a header, and the area of the table (``A1:D10``).

    *declared* may name the sheet, by name or by number from 1. The area comes from the cells that
    hold something, so that rows and columns left empty around the table do not count.
    """
    found = sheets(file)
    names = list(found)
    sheet = names[0]
    if isinstance(declared.sheet, int):
        if not 1 <= declared.sheet <= len(names):
            raise Unreadable(f"there is no sheet {declared.sheet}: the workbook has {len(names)}")
        sheet = names[declared.sheet - 1]
    elif declared.sheet is not None:
        if declared.sheet not in found:
            raise Unreadable(
                f"there is no sheet {declared.sheet!r}{nearest(declared.sheet, names)}; there are {', '.join(names)}"
            )
        sheet = declared.sheet
    header = True if declared.header is None else declared.header
    return sheet, header, _area(file, found[sheet], declared.skip or 0)


def _area(file: Path, part: str, skip: int) -> str:
    first_row = last_row = first_column = last_column = 0
    try:
        with zipfile.ZipFile(file) as archive, archive.open(part) as stream:
            for _, cell in ElementTree.iterparse(_safe(stream)):  # noqa: S314
                if cell.tag == f"{_NS}c":
                    place = re.fullmatch(r"([A-Z]+)(\d+)", cell.get("r", ""))
                    if place is None:
                        return ""
                    full = cell.find(f"{_NS}v") is not None or cell.find(f"{_NS}is") is not None
                    row, column = int(place[2]), _number(place[1])
                    if full and row > skip:
                        first_row = first_row or row
                        last_row = max(last_row, row)
                        first_column = min(first_column or column, column)
                        last_column = max(last_column, column)
                elif cell.tag == f"{_NS}row":
                    cell.clear()
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, OSError) as error:
        raise Unreadable(f"not an Excel workbook: {error}") from None
    if not first_row:
        raise Unreadable("the sheet is empty: it has no header and no rows")
    return f"{_letters(first_column)}{first_row}:{_letters(last_column)}{last_row}"


def _parse(stream: IO[bytes]) -> ElementTree.Element:
    with stream:
        return ElementTree.parse(_safe(stream)).getroot()  # noqa: S314


class _safe:
    """A stream that refuses document type declarations: they are how XML bombs are made."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise Unreadable("the workbook declares XML entities, which no workbook needs")
        return data


def _number(letters: str) -> int:
    value = 0
    for letter in letters:
        value = value * 26 + ord(letter) - 64
    return value


def _letters(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text
