"""Types as DuckDB spells them: parsed from a user's text, compared, and written back in one spelling."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.expressions import DType

from lakewright.errors import nearest

__all__ = ["Family", "family", "parse_type", "same_type", "type_name"]

Family = Literal[
    "text", "integer", "decimal", "float", "boolean", "date", "timestamp", "timestamptz", "time", "other", "unknown"
]  # fmt: skip

# The names that DESCRIBE uses, where SQLGlot writes another one.
_NAMES = {
    DType.VARCHAR: "VARCHAR", DType.TEXT: "VARCHAR", DType.CHAR: "VARCHAR", DType.NCHAR: "VARCHAR",
    DType.NVARCHAR: "VARCHAR", DType.NAME: "VARCHAR", DType.BPCHAR: "VARCHAR",
    DType.INT: "INTEGER", DType.INT128: "HUGEINT", DType.UINT: "UINTEGER", DType.UINT128: "UHUGEINT",
    DType.FLOAT: "FLOAT", DType.DOUBLE: "DOUBLE", DType.BOOLEAN: "BOOLEAN", DType.DATE: "DATE",
    DType.TIMESTAMP: "TIMESTAMP", DType.DATETIME: "TIMESTAMP", DType.TIMESTAMPNTZ: "TIMESTAMP",
    DType.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE", DType.TIMESTAMPLTZ: "TIMESTAMP WITH TIME ZONE",
    DType.TIMETZ: "TIME WITH TIME ZONE", DType.VARBINARY: "BLOB", DType.BINARY: "BLOB",
}  # fmt: skip

_FAMILIES: tuple[tuple[Family, frozenset[DType]], ...] = (
    ("text", frozenset({DType.VARCHAR, DType.TEXT, DType.CHAR, DType.NCHAR, DType.NVARCHAR, DType.NAME, DType.BPCHAR})),
    (
        "integer",
        frozenset(
            {
                DType.TINYINT, DType.SMALLINT, DType.INT, DType.BIGINT, DType.INT128,
                DType.UTINYINT, DType.USMALLINT, DType.UINT, DType.UBIGINT, DType.UINT128,
            }
        ),
    ),
    ("decimal", frozenset({DType.DECIMAL})),
    ("float", frozenset({DType.FLOAT, DType.DOUBLE})),
    ("boolean", frozenset({DType.BOOLEAN})),
    ("date", frozenset({DType.DATE})),
    (
        "timestamp",
        frozenset(
            {
                DType.TIMESTAMP, DType.DATETIME, DType.TIMESTAMPNTZ, DType.TIMESTAMP_S, DType.TIMESTAMP_MS,
                DType.TIMESTAMP_NS,
            }
        ),
    ),
    ("timestamptz", frozenset({DType.TIMESTAMPTZ, DType.TIMESTAMPLTZ})),
    ("time", frozenset({DType.TIME})),
)  # fmt: skip

_COMMON = (
    "varchar", "text", "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double",
    "decimal(18,2)", "date", "time", "timestamp", "timestamptz", "blob", "uuid", "json", "interval",
)  # fmt: skip


def parse_type(text: str) -> exp.DataType:
    """Return the type that *text* names in DuckDB's spelling; ValueError with the nearest name otherwise."""
    try:
        parsed = exp.DataType.build(text, dialect="duckdb")
    except (SqlglotError, ValueError):
        parsed = None
    if parsed is None or any(one.this == DType.USERDEFINED for one in parsed.find_all(exp.DataType)):
        raise ValueError(f"{text!r} is not a type{nearest(text.lower(), _COMMON)}")
    if parsed.this == DType.DECIMAL:
        precision, scale = _digits(parsed)
        if not (1 <= precision <= 38 and 0 <= scale <= precision):
            raise ValueError(f"{text!r}: a decimal has 1 to 38 digits, and no more of them after the point")
    return parsed


def type_name(kind: exp.DataType) -> str:
    """Return *kind* in the one spelling that DuckDB's DESCRIBE uses: ``DECIMAL(10,2)``, ``INTEGER[]``."""
    inner = [one for one in kind.expressions if isinstance(one, exp.DataType | exp.ColumnDef)]
    if kind.this == DType.DECIMAL:
        precision, scale = _digits(kind)
        return f"DECIMAL({precision},{scale})"
    if kind.this in (DType.ARRAY, DType.LIST) and inner and isinstance(inner[0], exp.DataType):
        size = (kind.args.get("values") or [""])[0]
        return f"{type_name(inner[0])}[{size}]"
    if kind.this == DType.STRUCT:
        fields = [
            f"{one.this.sql('duckdb')} {type_name(one.args['kind'])}"
            for one in inner
            if isinstance(one, exp.ColumnDef)
        ]
        return f"STRUCT({', '.join(fields)})"
    if kind.this == DType.MAP and len(inner) == 2:
        key, value = (one for one in inner if isinstance(one, exp.DataType))
        return f"MAP({type_name(key)}, {type_name(value)})"
    if kind.this in _NAMES:
        return _NAMES[kind.this]
    return kind.sql("duckdb").upper() if not kind.expressions else kind.sql("duckdb")


def same_type(one: str, other: str) -> bool:
    """Whether two texts name the same type; false when either is empty or not understood."""
    try:
        return type_name(parse_type(one)) == type_name(parse_type(other))
    except ValueError:
        return False


def family(text: str) -> Family:
    """Return the kind of values a type holds; ``unknown`` for empty text, ``other`` for what is not listed."""
    if not text:
        return "unknown"
    try:
        kind = parse_type(text).this
    except ValueError:
        return "other"
    return next((name for name, members in _FAMILIES if kind in members), "other")


def _digits(kind: exp.DataType) -> tuple[int, int]:
    numbers = [int(one.name) for one in kind.expressions]
    if not numbers:
        return 18, 3
    return numbers[0], numbers[1] if len(numbers) > 1 else 0
