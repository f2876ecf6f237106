"""Where people are: every relation that holds them, with the columns that tell who they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from lakewright.erase.people import People, Wanted, bounded_sql
from lakewright.errors import LakewrightError
from lakewright.run.ingest import REJECT_COLUMNS
from lakewright.sources.drift import schema_of
from lakewright.sources.manifest import RawFile, files_of
from lakewright.sources.read import reading
from lakewright.spec.mask import Mask
from lakewright.sql.names import column, literal, quarantine_id, table

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["Holder", "holders", "integer_identifiers", "raw_files_of", "told"]

Place = Literal["raw", "table", "quarantine", "rejects"]


@dataclass(frozen=True)
class Holder:
    """Rows of *dataset* in one place. ``id`` is the table's, ``columns`` name → type.

    ``keys`` maps the columns with identifiers to identifier and mask. ``redact`` are the columns that lose
    their values where rows stay. ``fields`` tell of lines that could not be read where an identifier stands:
    the delimiter, the place from 1, the identifier.
    """

    place: Place
    dataset: str
    id: str
    query: exp.Query
    columns: Mapping[str, str]
    keys: Mapping[str, tuple[str, Mask | None]]
    redact: tuple[str, ...] = ()
    fields: tuple[tuple[str, int, str], ...] = ()


def holders(services: Services, cursor: duckdb.DuckDBPyConnection, people: People) -> list[Holder]:
    """Return the relations that exist now, raw files first."""
    found: list[Holder] = []
    for id, wanted in people.spec.datasets.items():
        if id.startswith("raw."):
            found += _raw(services, cursor, id, wanted)
        else:
            found += _tables(services, cursor, id, wanted, people)
    return found


def told(wanted: Wanted, holder: Holder) -> exp.Expr:
    """Return the condition that a row of *holder* is about the people; never null."""
    if holder.place == "rejects":
        content = column("content")
        parts = [wanted.told_of(name, _field(content, mark, place)) for mark, place, name in holder.fields]
        return exp.or_(_in_text(wanted, content), *parts, copy=False)
    parts = [wanted.told(name, key, mask) for key, (name, mask) in holder.keys.items()]
    return exp.or_(*parts, copy=False)


def integer_identifiers(
    services: Services, cursor: duckdb.DuckDBPyConnection, people: People
) -> frozenset[str]:
    """Return the identifiers that a table of the lake holds as whole numbers: ``0042`` in a file is 42 then."""
    found = set()
    for id, wanted in people.spec.datasets.items():
        if id.startswith("raw."):
            continue
        types = {key.lower(): kind for key, kind in (services.lake.columns(cursor, id) or {}).items()}
        declared = services.project.datasets[id].file.columns if id in services.project.datasets else {}
        types |= {key.lower(): rules.type for key, rules in declared.items() if rules.type}
        found |= {name for key, name in wanted.items() if "INT" in types.get(key.lower(), "").upper()}
    return frozenset(found)


def raw_files_of(services: Services, id: str) -> list[RawFile]:
    """Return every version of every file of a raw dataset."""
    return files_of(services.state, id, current=False)


def _raw(
    services: Services, cursor: duckdb.DuckDBPyConnection, id: str, wanted: Mapping[str, str]
) -> list[Holder]:
    found = []
    files = raw_files_of(services, id)
    if any(part.rows for file in files for part in file.parts):
        spec = services.project.sources[services.project.raw[id]].datasets[id.partition(".")[2]]
        read = reading(
            files, spec, store=services.store, cursor=cursor, schema=schema_of(files, spec, cursor)
        )
        columns = {**read.columns, "_source_file": "VARCHAR"}
        keys = _keys(wanted, columns, {})
        if not keys:
            raise LakewrightError("LW810", f"{id} has no column {' or '.join(wanted)}")
        found.append(Holder("raw", id, id, read.query, columns, keys))
    rejects = quarantine_id(id)
    if services.lake.columns(cursor, rejects) is not None:
        query = exp.select("*").from_(table(rejects))
        fields = _places(files, wanted)
        found.append(Holder("rejects", id, rejects, query, dict(REJECT_COLUMNS), {}, fields=fields))
    return found


def _places(files: Sequence[RawFile], wanted: Mapping[str, str]) -> tuple[tuple[str, int, str], ...]:
    lower = {key.lower(): name for key, name in wanted.items()}
    found = {
        (str(part.options["delimiter"]), place, lower[field.name.lower()])
        for file in files
        for part in file.parts
        if part.format == "csv"
        for place, field in enumerate(part.columns, 1)
        if field.name.lower() in lower
    }
    return tuple(sorted(found))


def _field(content: exp.Expr, mark: str, place: int) -> exp.Expr:
    part = exp.Anonymous(this="split_part", expressions=[content.copy(), literal(mark), literal(place)])
    return exp.Anonymous(this="trim", expressions=[part, literal(" \"'")])


def _tables(
    services: Services, cursor: duckdb.DuckDBPyConnection, id: str, wanted: Mapping[str, str], people: People
) -> list[Holder]:
    dataset = services.project.datasets.get(id)
    masks = dataset.masks if dataset is not None else {}
    found = []
    for place, name in (("table", id), ("quarantine", quarantine_id(id))):
        columns = services.lake.columns(cursor, name)
        if columns is None:
            continue
        keys = _keys(wanted, columns, masks)
        if not keys and place == "table":
            raise LakewrightError("LW810", f"{id} has no column {' or '.join(wanted)}")
        redact = people.spec.redact.get(id, ()) if place == "table" else ()
        if keys:
            query = exp.select("*").from_(table(name))
            found.append(Holder(place, id, name, query, columns, keys, redact))  # type: ignore[arg-type]
    return found


def _keys(
    wanted: Mapping[str, str], columns: Mapping[str, str], masks: Mapping[str, Mask]
) -> dict[str, tuple[str, Mask | None]]:
    spelled = {one.lower(): one for one in columns}
    masked = {one.lower(): mask for one, mask in masks.items()}
    return {
        spelled[key.lower()]: (name, masked.get(key.lower()))
        for key, name in wanted.items()
        if key.lower() in spelled
    }


def _in_text(wanted: Wanted, text: exp.Expr) -> exp.Expr:
    """Text that is not parsed: values that are telling wherever they stand."""
    words = sorted(wanted.people.words())
    if not words:
        return exp.false()
    hits = [
        exp.Anonymous(this="regexp_matches", expressions=[text.copy(), literal(bounded_sql(one))])
        for one in words
    ]
    return exp.Coalesce(this=exp.paren(exp.or_(*hits, copy=False)), expressions=[exp.false()])
