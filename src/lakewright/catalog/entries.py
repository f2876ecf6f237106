"""Catalog entries: what a dataset is, what it holds, where it lies, and how good and how old it is.

What the project's files say is written by :func:`sync`; what a build finds out by :func:`publish`.
Both leave the other's part as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from lakewright.catalog import ranking
from lakewright.catalog.graph import inputs_of, keep_edges, lineage_edges, neighbours, value_links
from lakewright.errors import NotFoundError, nearest
from lakewright.spec.dataset import Column
from lakewright.spec.project import Project
from lakewright.sql.lineage import Lineage
from lakewright.state import State, metadata
from lakewright.state.types import UtcTime

__all__ = [
    "ColumnEntry",
    "Entry",
    "Facts",
    "Hit",
    "catalog_entries",
    "declared",
    "entries",
    "entry",
    "found_among",
    "publish",
    "search",
    "sync",
]

catalog_entries = sa.Table(
    "catalog_entries",
    metadata,
    sa.Column("dataset", sa.String(255), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("contract", sa.JSON, nullable=False),
    sa.Column("partition_by", sa.JSON, nullable=False),
    sa.Column("sort_by", sa.JSON, nullable=False),
    sa.Column("columns", sa.JSON),
    sa.Column("location", sa.Text, nullable=False, default=""),
    sa.Column("format", sa.String(64), nullable=False, default=""),
    sa.Column("score", sa.Float),
    sa.Column("rows", sa.BigInteger),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("files", sa.BigInteger),
    sa.Column("schema_version", sa.Integer),
    sa.Column("batch", sa.BigInteger),
    sa.Column("run_id", sa.String(64), nullable=False, default=""),
    sa.Column("updated", UtcTime),
)


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """A column: ``type`` is ``""`` until it is known."""

    name: str
    type: str = ""
    description: str = ""
    key: bool = False
    required: bool = False
    pii: str = ""
    classification: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a build found out; None leaves what is known as it is.

    ``columns`` are types by name, ``location`` a path or ``s3://`` address without secrets,
    ``format`` the table or file format, ``score`` the share of good rows (0 to 1) of the newest
    batch; ``rows``, ``bytes`` and ``files`` are of the whole dataset.
    """

    columns: Mapping[str, str] | None = None
    location: str | None = None
    format: str | None = None
    score: float | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    schema_version: int | None = None
    batch: int | None = None
    run_id: str | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset as the catalog knows it. Facts that no build has found out yet are None or empty."""

    dataset: str
    kind: Literal["raw", "table"] = "table"
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    columns: tuple[ColumnEntry, ...] = ()
    partition_by: tuple[str, ...] = ()
    sort_by: tuple[str, ...] = ()
    location: str = ""
    format: str = ""
    score: float | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    schema_version: int | None = None
    batch: int | None = None
    run_id: str = ""
    updated: datetime | None = None
    upstream: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()

    @property
    def zone(self) -> str:
        """The zone of the dataset."""
        return self.dataset.partition(".")[0]

    @property
    def name(self) -> str:
        """The name of the dataset within its zone."""
        return self.dataset.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that a search found. ``matched`` names the parts that hold the words; best ``rank`` first."""

    entry: Entry
    rank: float
    matched: tuple[str, ...] = field(default=())


def declared(project: Project) -> dict[str, Entry]:
    """Return what *project*'s files say of each dataset, raw ones included, by id; no facts."""
    return {id: _declared(project, id) for id in (*project.raw, *project.datasets)}


def _declared(project: Project, id: str) -> Entry:
    table = project.datasets.get(id)
    if table is not None:
        file = table.file
        return Entry(
            id,
            "table",
            file.description,
            file.owner or project.file.defaults.owner,
            file.tags,
            tuple(_declared_column(name, column) for name, column in file.columns.items()),
            file.write.partition_by,
            file.write.sort_by,
        )
    source = project.raw.get(id)
    if source is None:
        return Entry(id)
    spec = project.sources[source]
    dataset = spec.datasets[id.partition(".")[2]]
    return Entry(
        id,
        "raw",
        dataset.description or spec.description,
        dataset.owner or spec.owner or project.file.defaults.owner,
        tuple(dict.fromkeys((*spec.tags, *dataset.tags))),
        tuple(ColumnEntry(name) for name in dataset.columns),
    )


def _declared_column(name: str, column: Column) -> ColumnEntry:
    return ColumnEntry(
        name,
        column.type or "",
        column.description,
        column.key,
        column.required or column.key,
        column.pii or "",
        column.classification or "",
        column.tags,
    )


def sync(state: State, project: Project, inputs: Mapping[str, Collection[str]] | None = None) -> None:
    """Bring the catalog in line with *project*'s files; what builds found out stays.

    Datasets that the project no longer has leave the catalog, with their lineage. *inputs* maps
    each dataset to what it reads, for those that were never built.
    """
    wanted = declared(project)
    with state.begin(catalog_entries, lineage_edges) as connection:
        there = {row["dataset"]: row for row in connection.execute(sa.select(catalog_entries)).mappings()}
        for id in there.keys() - wanted.keys():
            connection.execute(catalog_entries.delete().where(catalog_entries.c.dataset == id))
            connection.execute(lineage_edges.delete().where(lineage_edges.c.downstream == id))
        for id, one in wanted.items():
            values = _declared_values(one)
            row = there.get(id)
            if row is None or any(row[key] != value for key, value in values.items()):
                _write(connection, id, values, new=row is None)
        if inputs:
            known = inputs_of(connection)
            for id, reads in inputs.items():
                if known.get(id, set()) != set(reads):
                    keep_edges(connection, id, reads, None)


def publish(
    state: State,
    project: Project,
    dataset: str,
    facts: Facts,
    *,
    inputs: Collection[str] = (),
    lineage: Lineage | None = None,
) -> None:
    """Note what a build of *dataset* found out, the datasets that it read and the lineage of its columns."""
    values = _declared_values(_declared(project, dataset))
    for key in Facts.__slots__:
        value = getattr(facts, key)
        if value is not None:
            values[key] = [[name, type] for name, type in value.items()] if key == "columns" else value
    with state.begin(catalog_entries, lineage_edges) as connection:
        query = sa.select(catalog_entries.c.dataset).where(catalog_entries.c.dataset == dataset)
        _write(connection, dataset, values, new=connection.scalar(query) is None)
        keep_edges(connection, dataset, inputs, lineage, run_id=facts.run_id or "", at=facts.updated)


def entry(state: State, dataset: str) -> Entry:
    """Return the entry of *dataset*; NotFoundError LW705 when there is none."""
    with state.read(catalog_entries, lineage_edges) as connection:
        query = sa.select(catalog_entries).where(sa.func.lower(catalog_entries.c.dataset) == dataset.lower())
        row = connection.execute(query).mappings().first()
        if row is None:
            names = connection.scalars(sa.select(catalog_entries.c.dataset)).all()
            raise NotFoundError("LW705", f"the catalog has no dataset {dataset!r}{nearest(dataset, names)}")
        found = _entry(row)
        up, down = neighbours(connection, found.dataset)
        found = _inherited(connection, [found])[0]
    return replace(found, upstream=up, downstream=down)


def entries(
    state: State, *, zone: str | None = None, tag: str | None = None, owner: str | None = None
) -> list[Entry]:
    """Return the entries, by zone and name, all or those of a *zone*, with a *tag*, of an *owner*."""
    with state.read(catalog_entries, lineage_edges) as connection:
        found = [_entry(row) for row in connection.execute(sa.select(catalog_entries)).mappings()]
        found = _inherited(connection, found)
        up = inputs_of(connection)
    down: dict[str, set[str]] = {}
    for id, reads in up.items():
        for one in reads:
            down.setdefault(one, set()).add(id)
    wanted = [
        replace(
            one,
            upstream=tuple(sorted(up.get(one.dataset, ()))),
            downstream=tuple(sorted(down.get(one.dataset, ()))),
        )
        for one in found
        if (zone is None or one.zone == zone)
        and (tag is None or tag in one.tags or any(tag in column.tags for column in one.columns))
        and (owner is None or one.owner == owner)
    ]
    return sorted(wanted, key=lambda one: (_zone_order(one.zone), one.dataset))


def _inherited(connection: sa.Connection, found: Sequence[Entry]) -> list[Entry]:
    """Give columns that say nothing of it the kind of personal data, and the classification, of what they come from."""
    every = {row["dataset"]: _entry(row) for row in connection.execute(sa.select(catalog_entries)).mappings()}
    own = {(id, column.name.lower()): column for id, one in every.items() for column in one.columns}
    links = value_links(connection)
    known: dict[tuple[str, str], tuple[str, str]] = {}

    def of(place: tuple[str, str], above: frozenset[tuple[str, str]] = frozenset()) -> tuple[str, str]:
        if place in known:
            return known[place]
        column = own.get(place, ColumnEntry(place[1]))
        pii, classification = column.pii, column.classification
        for upstream, computed in links.get(place, ()):
            # a count of addresses is no address; the greatest of them is one
            if upstream in above or (computed and own.get(upstream, column).type != column.type):
                continue
            theirs = of(upstream, above | {place})
            pii, classification = pii or theirs[0], classification or theirs[1]
        known[place] = pii, classification
        return known[place]

    def tagged(id: str, column: ColumnEntry) -> ColumnEntry:
        pii, classification = of((id, column.name.lower()))
        return replace(column, pii=pii, classification=classification)

    return [replace(one, columns=tuple(tagged(one.dataset, c) for c in one.columns)) for one in found]


def search(state: State, text: str, *, limit: int = 20) -> list[Hit]:
    """Return the entries that hold every word of *text* (or a word that starts so), best first.

    Names count most, then columns, tags and owners, then descriptions.
    """
    return found_among(entries(state), text, limit=limit)


def found_among(listed: Sequence[Entry], text: str, *, limit: int = 20) -> list[Hit]:
    """The same for the entries *listed*."""
    wanted = ranking.words(text)
    found = {one.dataset: one for one in listed}
    ranked = ranking.rank(found.values(), wanted, limit)
    return [Hit(found[id], rank, ranking.matched(found[id], wanted)) for id, rank in ranked]


_ZONES = {"raw": 0, "processed": 1, "curated": 2, "archive": 4}


def _zone_order(zone: str) -> tuple[int, str]:
    return _ZONES.get(zone, 3), zone


def _declared_values(one: Entry) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "description": one.description,
        "owner": one.owner,
        "tags": list(one.tags),
        "contract": [{**asdict(column), "tags": list(column.tags)} for column in one.columns],
        "partition_by": list(one.partition_by),
        "sort_by": list(one.sort_by),
    }


def _write(connection: sa.Connection, dataset: str, values: Mapping[str, Any], *, new: bool) -> None:
    table = catalog_entries
    if new:
        connection.execute(table.insert().values(dataset=dataset, **values))
    else:
        connection.execute(table.update().where(table.c.dataset == dataset).values(**values))


def _entry(row: sa.RowMapping) -> Entry:
    contract = tuple(ColumnEntry(**{**one, "tags": tuple(one["tags"])}) for one in row["contract"])
    said = Entry(
        row["dataset"], row["kind"], row["description"], row["owner"], tuple(row["tags"]), contract,
        tuple(row["partition_by"]), tuple(row["sort_by"]),
    )  # fmt: skip
    facts = {key: row[key] for key in Facts.__slots__ if key != "columns" and row[key] is not None}
    return replace(_merged(said, row["columns"]), **facts)


def _merged(said: Entry, found: Sequence[Sequence[str]] | None) -> Entry:
    """The entry with the columns that are really there, each with what the contract says about it."""
    if not found:
        return said
    rules = {column.name.lower(): column for column in said.columns}
    columns: list[ColumnEntry] = []
    for name, type in found:
        rule = rules.pop(name.lower(), None)
        columns.append(replace(rule, name=name, type=type) if rule else ColumnEntry(name, type))
    return replace(said, columns=(*columns, *rules.values()))
