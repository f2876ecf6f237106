"""A relation over files of raw: every column by name, the source file, and what cannot be read left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import msgspec
from sqlglot import exp

from lakewright.engine.extensions import load
from lakewright.lake.raw import RawStore
from lakewright.lake.raw_zone import ARCHIVED, PACKED, home_path, in_archive
from lakewright.sources.drift import schema_of
from lakewright.sources.json_files import value_of
from lakewright.sources.manifest import Field, Part, RawFile
from lakewright.sources.scan import csv_scan, ndjson_scan, sql_type, table_function
from lakewright.spec.sources import RawDataset
from lakewright.sql.names import column, identifier, literal

__all__ = ["Reading", "copied", "reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A query over raw files. ``columns`` are its own columns, name → DuckDB type, ``_`` columns not among them.

    The query also gives ``_source_file`` (the path in the source, with the member of an archive) and, when
    ``has_row``, ``_source_row``; without it, rows come in the order of each file and the caller numbers them.
    ``rows`` is the number of rows that the query gives, as counted when the files were taken.
    """

    query: exp.Select
    columns: dict[str, str]
    rows: int
    has_row: bool
    ordered: bool = True


def reading(
    files: Sequence[RawFile],
    dataset: RawDataset,
    *,
    store: RawStore,
    cursor: duckdb.DuckDBPyConnection,
    schema: Mapping[str, str] | None = None,
) -> Reading:
    """Return the relation over *files*, in their order as far as they are read alike.

    *schema* gives the columns and types of the dataset as a whole (:func:`~lakewright.sources.drift.schema_of`
    over all its files), so that each batch has the same ones; without it *files* decide. A column that a
    file lacks is NULL. Options are those found when the files were taken: nothing is sniffed.
    """
    columns = dict(schema) if schema is not None else schema_of(files, dataset, cursor)
    groups: dict[tuple[object, ...], list[tuple[RawFile, Part]]] = {}
    for file in files:
        for part in file.parts:
            if part.rows:
                options = msgspec.json.encode(part.options, order="deterministic")
                is_copy = copied(file, part)
                # read_avro cannot unite UNION types of several files
                alone = part.path if any("UNION(" in one.type for one in part.columns) else ""
                moved = (in_archive(part.path), part.path.endswith(PACKED))
                key = (part.format, options, part.columns, is_copy, _home(file), alone, moved)
                groups.setdefault(key, []).append((file, part))
    if any(key[0] == "avro" for key in groups):
        load(cursor, "avro")
    has_row = bool(groups) and all(key[0] == "parquet" for key in groups)
    selects = [_select(group, columns, store, has_row) for group in groups.values()]
    if not selects:
        selects = [_nothing(columns)]
    query: exp.Query = selects[0]
    for other in selects[1:]:
        query = exp.union(query, other, distinct=False, copy=False)
    whole = exp.select("*").from_(query.subquery("raw_files")) if len(selects) > 1 else selects[0]
    rows = sum(part.rows for file in files for part in file.parts)
    return Reading(whole, columns, rows, has_row)


def _select(
    group: Sequence[tuple[RawFile, Part]], columns: Mapping[str, str], store: RawStore, has_row: bool
) -> exp.Select:
    part = group[0][1]
    uris = [store.uri(one.path) for _, one in group]
    scan = _scan(part, uris, has_row)
    here = {field.name.lower(): field for field in part.columns}
    chosen = [_column(name, kind, here.get(name.lower()), part) for name, kind in columns.items()]
    chosen.append(exp.alias_(_source_file(group, store), "_source_file", quoted=True))
    if has_row:
        number = exp.Add(this=column("file_row_number"), expression=literal(1))
        chosen.append(exp.alias_(number, "_source_row", quoted=True))
    return exp.select(*chosen).from_(scan)


def _scan(part: Part, uris: Sequence[str], has_row: bool) -> exp.Table:
    if part.format == "csv":
        return csv_scan(uris, part.options, part.columns)
    if part.format == "ndjson":
        fields = [
            Field(one.name, "VARCHAR", one.source) if one.type == "NULL" else one for one in part.columns
        ]
        return ndjson_scan(uris, part.options, fields)
    options: dict[str, exp.Expr] = {"filename": literal(True)}
    if has_row:
        options["file_row_number"] = literal(True)
    return table_function(f"read_{part.format}", uris, options)


def _column(name: str, kind: str, field: Field | None, part: Part) -> exp.Expr:
    if field is None or field.type == "NULL":
        value: exp.Expr = exp.cast(exp.Null(), sql_type(kind))
    else:
        value = value_of(field.type) if part.options.get("values") else column(field.source or field.name)
        if field.type != kind:
            nested = field.type.startswith(("STRUCT", "MAP", "UNION")) or field.type.endswith("]")
            if kind == "JSON" or (kind == "VARCHAR" and nested):
                value = exp.Anonymous(this="to_json", expressions=[value]) if field.type != "JSON" else value
            value = exp.cast(value, sql_type(kind))
    return exp.alias_(value, identifier(name))


def _source_file(group: Sequence[tuple[RawFile, Part]], store: RawStore) -> exp.Expr:
    """The path in the source, worked out from the address in raw, which DuckDB has as a constant per file."""
    file, part = group[0]
    is_copy = copied(file, part)
    if len(group) == 1:
        return literal(f"{file.path}/{part.member}" if part.member else file.path)
    inside = (ARCHIVED if in_archive(part.path) else "") + ("_readable/" if is_copy else "") + _home(file)
    prefix = store.uri(inside)
    pattern = "^" + _quote(prefix) + r"year=\d+/month=\d+/day=\d+/(?:_v\d+/)?"
    value: exp.Expr = exp.Anonymous(
        this="regexp_replace", expressions=[column("filename"), literal(pattern), literal("")]
    )
    for ending in ([r"~\.zst$"] if part.path.endswith(PACKED) else []) + ([r"~\.[a-z]+$"] if is_copy else []):
        value = exp.Anonymous(this="regexp_replace", expressions=[value, literal(ending), literal("")])
    return value


def copied(file: RawFile, part: Part) -> bool:
    """Whether a part is a readable copy, rather than the file itself or a slice of it."""
    here, whole = home_path(part.path), home_path(file.raw_path)
    return here != whole and not here.startswith(f"{whole}/")


def _home(file: RawFile) -> str:
    """``<source>/<dataset>/``, under which raw keeps the files of a dataset."""
    source, _, rest = home_path(file.raw_path).partition("/")
    return f"{source}/{rest.partition('/')[0]}/"


def _quote(text: str) -> str:
    return re.sub(r"([^0-9A-Za-z_/ ])", r"\\\1", text)


def _nothing(columns: Mapping[str, str]) -> exp.Select:
    chosen = [
        exp.alias_(exp.cast(exp.Null(), sql_type(kind)), identifier(name)) for name, kind in columns.items()
    ]
    chosen.append(exp.alias_(exp.cast(exp.Null(), "VARCHAR"), "_source_file", quoted=True))
    return exp.select(*chosen).where(exp.false())
