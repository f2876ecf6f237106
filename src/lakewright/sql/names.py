"""Names in SQL: datasets and columns as quoted tree nodes, and the spelling of standard names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sqlglot import exp

__all__ = [
    "AUDIT_COLUMNS",
    "FAILED",
    "QUARANTINE_ZONE",
    "column",
    "hidden",
    "identifier",
    "literal",
    "quarantine_id",
    "snake_case",
    "split_id",
    "standard_names",
    "table",
]

#: Columns that Lakewright adds to every published row, with their DuckDB types.
AUDIT_COLUMNS: dict[str, str] = {
    "_batch_id": "BIGINT",
    "_ingested_at": "TIMESTAMP WITH TIME ZONE",
    "_source_file": "VARCHAR",
    "_source_row": "BIGINT",
}

#: The hidden column that holds the values which did not convert, as the text of a JSON object.
FAILED = "_failed"

#: The zone of the lake that keeps bad rows, one table per dataset.
QUARANTINE_ZONE = "quarantine"

_OWN = re.compile(rf"{'|'.join((*AUDIT_COLUMNS, FAILED))}|_violations_\d+")

# Letters that Unicode does not decompose into an ASCII letter and an accent.
_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d",
        "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L", "ı": "i", "ŋ": "n", "Ŋ": "N",
        "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ĸ": "k", "ſ": "s", "€": " eur ", "£": " gbp ", "$": " usd ",
        "%": " pct ", "&": " and ", "#": " no ", "№": " no ", "°": " deg ",
    }
)  # fmt: skip


def identifier(name: str) -> exp.Identifier:
    """Return *name* as a quoted identifier, whatever characters it has."""
    return exp.to_identifier(name, quoted=True)


def column(name: str, table: str | None = None) -> exp.Column:
    """Return the column *name*, quoted, of the relation or alias *table* when given."""
    return exp.column(identifier(name), table=identifier(table) if table else None)


def literal(value: str | int | float | bool | None) -> exp.Expr:
    """Return a constant as a tree node: text, number, truth value or null."""
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, str):
        return exp.Literal.string(value)
    # infinities and not-a-number have no literal; their text converts
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return exp.cast(exp.Literal.string(str(value)), "DOUBLE")
    number = exp.Literal.number(repr(abs(value)))
    return exp.Neg(this=number) if value < 0 else number


def split_id(dataset_id: str) -> tuple[str, str]:
    """Return zone and name of ``zone.name``; the name may itself hold dots."""
    zone, dot, name = dataset_id.partition(".")
    if not (zone and dot and name):
        raise ValueError(f"{dataset_id!r} is not a dataset's id: it must be zone.name")
    return zone, name


def table(dataset_id: str, catalog: str = "lake") -> exp.Table:
    """Return the table of a dataset, ``"lake"."processed"."orders"`` for ``processed.orders``.

    With *catalog* empty the name has two parts.
    """
    zone, name = split_id(dataset_id)
    return exp.Table(
        this=identifier(name),
        db=identifier(zone),
        catalog=identifier(catalog) if catalog else None,
    )


def quarantine_id(dataset_id: str) -> str:
    """Return the id of the table that keeps a dataset's bad rows: ``quarantine.processed_orders``."""
    zone, name = split_id(dataset_id)
    return f"{QUARANTINE_ZONE}.{zone}_{name}"


def hidden(name: str) -> bool:
    """Whether *name* is one of Lakewright's own columns, which start with an underscore."""
    return name.startswith("_")


def snake_case(name: str) -> str:
    """Return *name* as ``snake_case`` in ASCII; never empty, never starting with a digit or ``_``.

    ``Order ID``, ``orderId`` and ``ORDER-ID`` all become ``order_id``; ``Größe (m²)`` becomes
    ``grosse_m2``. Applying it twice changes nothing more. Characters of other alphabets are left
    out, so a name made of them alone becomes ``column``.
    """
    text = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    text = "".join(one for one in text if not unicodedata.combining(one)).translate(_LETTERS)
    text = re.sub(r"['’`´]", "", text)
    text = re.sub(r"[^0-9A-Za-z]+", "_", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"_+", "_", text).strip("_").lower()
    if not text:
        return "column"
    return f"n{text}" if text[0].isdigit() else text


def standard_names(names: Iterable[str]) -> dict[str, str]:
    """Return the ``snake_case`` name of each of *names*, all different, in order.

    A clash gets ``_2``, ``_3``, … A name that is already standard keeps it, wherever it stands, so
    applying it to its own result changes nothing. Lakewright's own columns keep their names; others
    that start with an underscore lose it.
    """
    listed = list(names)
    taken = {one for one in listed if _OWN.fullmatch(one) or snake_case(one) == one}
    result: dict[str, str] = {}
    for name in listed:
        if name in taken and name not in result:
            result[name] = name
            continue
        base = snake_case(name)
        new, number = base, 1
        while new in taken:
            number += 1
            new = f"{base}_{number}"
        taken.add(new)
        result[name] = new
    return result
