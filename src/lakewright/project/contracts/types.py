"""Types of contracts and types of ours: physical types of other systems, logical types with their formats."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lakewright.project.contracts.nodes import Entry
from lakewright.project.sqltypes import type_problem

__all__ = ["PEOPLE", "logical_of", "reads_back", "type_of"]

#: Physical types of other systems, by their name in small letters without sizes.
_OTHERS = {
    "serial": "integer", "serial4": "integer", "bigserial": "bigint", "serial8": "bigint", "smallserial": "smallint",
    "int64": "bigint", "int32": "integer", "int16": "smallint", "mediumint": "integer", "byteint": "tinyint",
    "year": "integer", "float64": "double", "float32": "float", "binary_float": "float", "binary_double": "double",
    "money": "decimal(19,4)", "smallmoney": "decimal(10,4)", "bignumeric": "decimal(38,9)", "character": "varchar",
    "character varying": "varchar", "varchar2": "varchar", "nvarchar2": "varchar", "nchar": "varchar",
    "tinytext": "varchar", "mediumtext": "varchar", "longtext": "varchar", "ntext": "varchar", "clob": "varchar",
    "nclob": "varchar", "citext": "varchar", "xml": "varchar", "hllsketch": "blob", "uniqueidentifier": "uuid",
    "jsonb": "json", "variant": "json", "super": "json", "bytes": "blob", "image": "blob", "longblob": "blob",
    "raw": "blob", "datetime2": "timestamp", "smalldatetime": "timestamp", "timestamp_ntz": "timestamp",
    "timestamp_ltz": "timestamptz", "timestamp_tz": "timestamptz", "datetimeoffset": "timestamptz",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
    "time without time zone": "time", "double precision": "double",
}  # fmt: skip
_TEXT = ("varchar", "char", "character", "character varying", "varchar2", "nvarchar", "nvarchar2", "nchar", "bpchar",
         "string", "text")  # fmt: skip
_SIZED = re.compile(r"\s*([A-Za-z_][\w ]*?)\s*[\[(]\s*(\d+|max)\s*(?:,\s*(\d+)\s*)?[\])]\s*\Z", re.IGNORECASE)

_LOGICAL = {
    "string": "varchar", "date": "date", "timestamp": "timestamp", "time": "time", "number": "double",
    "integer": "bigint", "boolean": "boolean",
}  # fmt: skip
_FORMATS = {
    "i8": "tinyint", "i16": "smallint", "i32": "integer", "i64": "bigint", "i128": "hugeint", "u8": "utinyint",
    "u16": "usmallint", "u32": "uinteger", "u64": "ubigint", "u128": "uhugeint", "f32": "float", "f64": "double",
}  # fmt: skip
#: Which of our types, by their first word, each logical type may be.
_FITS = {
    "string": ("varchar", "char", "bpchar", "text", "string", "nvarchar", "uuid", "guid", "json", "enum", "blob",
               "bytea", "binary", "varbinary", "bit", "bitstring", "interval"),
    "date": ("date", "timestamp", "datetime", "timestamptz"),
    "timestamp": ("timestamp", "datetime", "timestamptz", "timestamp_s", "timestamp_ms", "timestamp_ns", "date"),
    "time": ("time", "timetz", "timestamp", "interval"),
    "boolean": ("boolean", "bool", "logical", "bit", "tinyint", "integer", "int", "varchar", "char"),
    "array": ("list", "array", "json"),
    "object": ("struct", "map", "row", "json", "union"),
}  # fmt: skip


def type_of(entry: Entry, name: str) -> tuple[str | None, int | None]:
    """Return our type of a property, None when it has none or none that is known, and the text length in it.

    The physical type counts, where it is one that we know and it agrees with the logical one; else the
    logical type with its format, its properties or its items.
    """
    logical, physical = entry.text("logicalType").strip(), entry.text("physicalType").strip()
    nested = _nested(entry, logical)
    if nested is not None:
        return nested, None
    found, length = _physical(physical)
    if found is not None and _agrees(found, logical):
        return found, length
    options = entry.entry("logicalTypeOptions")
    from_logical = _LOGICAL.get(logical)
    if from_logical is not None and options is not None:
        form = options.text("format")
        from_logical = _FORMATS.get(form, from_logical)
        if logical in ("timestamp", "time") and options.value("timezone") is True:
            from_logical += "tz"
    loose = physical.lower() in ("", "list", "array", "object", "struct", "record", "map")
    if loose and logical in ("object", "array"):
        from_logical = "json"
    if not loose:
        used = f"; {from_logical} is used" if from_logical else ", so the column has no type"
        why = f" of logicalType {logical}" if logical and found is not None else ""
        entry.notes.lacks(f"physicalType {physical!r}{why} ({name}{used})", entry.at("physicalType"))
    if logical and logical not in (*_LOGICAL, "object", "array"):
        entry.notes.refuse(
            entry.at("logicalType"), f"logicalType {logical!r} of {name} is none of the standard",
            f"use one of: {', '.join((*_LOGICAL, 'object', 'array'))}", code="LW104",
        )  # fmt: skip
    return from_logical, length if from_logical == "varchar" else None


def _physical(text: str) -> tuple[str | None, int | None]:
    """Return our spelling of a physical type and the length that it gives a text."""
    if not text:
        return None, None
    sized = _SIZED.match(text)
    base = (sized[1] if sized else text).strip().lower()
    if sized and base in _TEXT:
        # varchar[15] is how some tools write varchar(15)
        return "varchar", int(sized[2]) if sized[2].isdigit() else None
    if not type_problem(text):
        return text.lower() if re.fullmatch(r"[\w ()\[\],]+", text) else text, None
    if base in _OTHERS:
        return _OTHERS[base], None
    if sized and base in ("float", "double", "real") and sized[2].isdigit():
        return base, None
    if sized and not type_problem(base):
        return base, None
    return None, None


def _agrees(type_: str, logical: str) -> bool:
    if not logical or logical in ("number", "integer"):
        numeric = re.match(r"[a-z_]+", type_.lower())
        texts = (*_FITS["string"], "list", "struct", "map")
        return not logical or (numeric is not None and numeric[0] not in texts and "[" not in type_)
    if type_.endswith("]"):
        return logical == "array"
    first = re.match(r"[a-z_0-9]+", type_.lower())
    return first is not None and first[0] in _FITS.get(logical, (first[0],))


def _nested(entry: Entry, logical: str) -> str | None:
    """The type of an object with properties or of an array with items."""
    if logical == "object" and entry.value("properties"):
        fields = []
        for one in entry.entries("properties"):
            inner, _ = type_of(one, one.text("name"))
            fields.append(f"{_quoted(one.text('physicalName') or one.text('name'))} {inner or 'varchar'}")
            _inner_rules(one)
        return f"struct({', '.join(fields)})"
    items = entry.entry("items") if logical == "array" else None
    if items is not None:
        inner, _ = type_of(items, "items")
        _inner_rules(items)
        return f"{inner or 'varchar'}[]"
    return None


_INNER = ("name", "physicalName", "logicalType", "physicalType", "properties", "items", "description", "id")


def _inner_rules(entry: Entry) -> None:
    """Say of what is asked of a field inside an object or array that it is not checked."""
    for key in _told(entry):
        entry.notes.lacks(f"{key} of a field inside an object or array", entry.at(key))
    for key in ("required", "unique", "quality", "logicalTypeOptions", "primaryKey"):
        entry.node(key)
    entry.finish(kept=PEOPLE, lacking=())


def _told(entry: Entry) -> Iterator[str]:
    for key in ("required", "unique", "primaryKey"):
        if entry.truth(key):
            yield key
    for key in ("quality", "relationships"):
        if entry.value(key):
            yield key
    options = entry.entry("logicalTypeOptions")
    if options is not None and set(options.values) - {"format", "timezone"}:
        yield "logicalTypeOptions"


#: Keys of a property that tell people something and change nothing.
PEOPLE = (
    "id", "description", "businessName", "authoritativeDefinitions", "customProperties", "tags", "examples",
    "classification", "criticalDataElement", "transformSourceObjects", "transformLogic", "transformDescription",
    "primaryKeyPosition", "partitioned", "partitionKeyPosition", "encryptedName", "logicalType", "physicalType",
)  # fmt: skip

_WORD = re.compile(r"[A-Za-z_]\w*\Z")


def _quoted(name: str) -> str:
    return name if _WORD.match(name) else '"' + name.replace('"', '""') + '"'


_OF_OURS: tuple[tuple[str, str], ...] = (
    (r"(tiny|small|big|huge|u\w*|)int(eger)?\d?$|int[1248]$|signed$|short$|long$|varint$|bignum$", "integer"),
    (r"(decimal|numeric|dec|double|float|real)", "number"),
    (r"(timestamp|datetime)", "timestamp"),
    (r"date$", "date"),
    (r"time", "time"),
    (r"(bool|boolean|logical)$", "boolean"),
    (r"(struct|map|row|union)", "object"),
    (r"(list|array)$", "array"),
)


def logical_of(type_: str) -> str:
    """Return the logical type of one of our types; what is nothing else is a string."""
    text = type_.strip().lower()
    if text.endswith("]"):
        return "array"
    return next((logical for pattern, logical in _OF_OURS if re.match(pattern, text)), "string")


def reads_back(type_: str) -> bool:
    """Whether reading *type_* as a physical type gives it again, with no length beside it."""
    return _physical(type_) == (type_, None) and _agrees(type_, logical_of(type_))
