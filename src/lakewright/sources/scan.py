"""The table functions that read raw files, as syntax trees with every option spelled out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError

from lakewright.sources.manifest import Field
from lakewright.sql.names import literal

__all__ = ["MAX_LINE", "csv_scan", "glob_safe", "lines_scan", "ndjson_scan", "sql_type", "table_function"]

#: The longest record of a CSV file, in bytes; a longer one is rejected.
MAX_LINE = 16_000_000
_BUFFER = 32_000_000
_FOLDER_READERS = frozenset(("read_csv", "read_json", "read_json_objects", "read_parquet"))


def table_function(name: str, files: Sequence[str], options: Mapping[str, exp.Expr]) -> exp.Table:
    """Return ``name([files], key = value, …)`` as a relation; file names are taken as they are, not as patterns."""
    names = [literal(glob_safe(file)) for file in files]
    # one file alone is no list: read_avro cannot unite types such as UNION, and read_xlsx takes no list
    listed = names[0] if len(names) == 1 else exp.Array(expressions=names)
    if name in _FOLDER_READERS:
        # folders such as day=5 are where raw keeps a file; they must not shadow columns of it
        options = {**options, "hive_partitioning": literal(False)}
    named = [exp.EQ(this=exp.column(key), expression=value) for key, value in options.items()]
    return exp.Table(this=exp.Anonymous(this=name, expressions=[listed, *named]))


def csv_scan(
    files: Sequence[str],
    options: Mapping[str, Any],
    columns: Sequence[Field],
    *,
    rejects: tuple[str, str] | None = None,
) -> exp.Table:
    """Return the scan of CSV *files* with the resolved *options*; every column is text.

    Lines that cannot be read are left out; with *rejects*, the names of two temporary tables, they
    are also written there (as ``rejects_table`` and ``rejects_scan``).
    """
    named = _csv_options(options, {field.source or field.name: "VARCHAR" for field in columns})
    if rejects is not None:
        named |= {
            "store_rejects": literal(True),
            "rejects_table": literal(rejects[0]),
            "rejects_scan": literal(rejects[1]),
        }
    else:
        named["ignore_errors"] = literal(True)
    return table_function("read_csv", files, named)


def lines_scan(
    file: str, name: str = "line", *, longest: int = MAX_LINE, compression: str = "none"
) -> exp.Table:
    """Return the scan of a text file as one column of lines, in order; an empty line is NULL."""
    named = {
        "columns": _struct({name: "VARCHAR"}),
        "delim": literal("\x01"),
        "quote": literal(""),
        "escape": literal(""),
        "header": literal(False),
        "auto_detect": literal(False),
        "strict_mode": literal(False),
        "max_line_size": literal(longest),
        "buffer_size": literal(max(_BUFFER, 2 * longest)),
        "compression": literal(compression),
    }
    return table_function("read_csv", [file], named)


def ndjson_scan(files: Sequence[str], options: Mapping[str, Any], columns: Sequence[Field]) -> exp.Table:
    """Return the scan of NDJSON *files*; without columns, of the records as one column ``json``."""
    named: dict[str, exp.Expr] = {
        "format": literal("newline_delimited"),
        "compression": literal(options.get("compression", "uncompressed")),
        "maximum_object_size": literal(int(options.get("longest", MAX_LINE))),
        "filename": literal(True),
    }
    if options.get("values"):
        return table_function("read_json_objects", files, named)
    named["columns"] = _struct({field.source or field.name: field.type for field in columns})
    return table_function("read_json", files, named)


def glob_safe(file: str) -> str:
    """Return *file* so that DuckDB takes ``*``, ``?`` and ``[`` in it literally."""
    return re.sub(r"([*?\[])", r"[\1]", file)


def _csv_options(options: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, exp.Expr]:
    named: dict[str, exp.Expr] = {
        "columns": _struct(columns),
        "auto_detect": literal(False),
        "delim": literal(options["delimiter"]),
        "quote": literal(options["quote"]),
        "escape": literal(options["escape"]),
        "header": literal(bool(options["header"])),
        "skip": literal(int(options["skip"])),
        "nullstr": exp.Array(expressions=[literal(one) for one in options["nulls"]]),
        # "" is a text of no length; only an empty field without quotes is missing
        "allow_quoted_nulls": literal(False),
        "strict_mode": literal(True),
        "max_line_size": literal(MAX_LINE),
        "buffer_size": literal(_BUFFER),
        "compression": literal(options.get("compression", "none")),
        "filename": literal(True),
    }
    if options.get("comment"):
        named["comment"] = literal(options["comment"])
    return named


def _struct(columns: Mapping[str, str]) -> exp.Expr:
    return exp.Struct(
        expressions=[
            exp.PropertyEQ(this=literal(name), expression=literal(kind)) for name, kind in columns.items()
        ]
    )


def sql_type(kind: str) -> exp.DataType:
    """Return a DuckDB type, as DuckDB spells it, as a tree node."""
    try:
        return exp.DataType.build(kind, dialect="duckdb")
    except ParseError:
        return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=kind)
