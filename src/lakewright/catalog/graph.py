"""The lineage of datasets and columns as it was last built, followed up and down, and drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from lakewright.errors import NotFoundError, UsageError, nearest
from lakewright.sql.lineage import Lineage, Origin
from lakewright.state import State, metadata, now
from lakewright.state.types import UtcTime

__all__ = [
    "ROWS",
    "Edge",
    "LineageGraph",
    "follow",
    "inputs_of",
    "keep_edges",
    "lineage_edges",
    "neighbours",
    "value_links",
]

Direction = Literal["up", "down", "both"]

#: Which dataset and column goes into which. Without columns: the dataset as a whole. ``*`` as the
#: column that it goes into: the choice of its rows.
lineage_edges = sa.Table(
    "lineage_edges",
    metadata,
    sa.Column("downstream", sa.String(255), primary_key=True),
    sa.Column("downstream_column", sa.String(255), primary_key=True),
    sa.Column("upstream", sa.String(255), primary_key=True),
    sa.Column("upstream_column", sa.String(255), primary_key=True),
    sa.Column("transformation", sa.String(32), primary_key=True),
    sa.Column("masking", sa.Boolean, nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("lineage_edges_upstream", "upstream", "upstream_column"),
)

#: The column of a link that goes into the choice of rows.
ROWS = "*"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One link: *upstream* goes into *downstream*. Columns are ``""`` for a link of whole datasets.

    ``transformation`` is OpenLineage's subtype, ``""`` for whole datasets; ``run_id`` and ``at``
    tell which build made it.
    """

    upstream: str
    upstream_column: str
    downstream: str
    downstream_column: str
    transformation: str = ""
    masking: bool = False
    run_id: str = ""
    at: datetime | None = None

    @property
    def source(self) -> str:
        """``zone.name`` or ``zone.name.column``."""
        return f"{self.upstream}.{self.upstream_column}" if self.upstream_column else self.upstream

    @property
    def target(self) -> str:
        """``zone.name`` or ``zone.name.column``; the choice of rows is the dataset itself."""
        whole = self.downstream_column in ("", ROWS)
        return self.downstream if whole else f"{self.downstream}.{self.downstream_column}"


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """What leads to ``root`` and what it leads to: a dataset or ``zone.name.column``.

    ``starts`` are the columns that were followed when they are all those of the dataset ``root``. ``hidden`` counts
    the datasets or columns that whoever asks may not see.
    """

    root: str
    up: tuple[Edge, ...]
    down: tuple[Edge, ...]
    starts: tuple[str, ...] = ()
    hidden: int = 0

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All links, each once."""
        return tuple(dict.fromkeys((*self.up, *self.down)))

    @property
    def nodes(self) -> tuple[str, ...]:
        """The root and everything linked."""
        return tuple(
            dict.fromkeys([self.root, *(name for one in self.edges for name in (one.source, one.target))])
        )

    @property
    def data(self) -> dict[str, Any]:
        """The graph as plain values."""
        return {
            "root": self.root,
            "nodes": list(self.nodes),
            "edges": [
                {
                    "from": one.source,
                    "to": one.target,
                    **(
                        {"transformation": one.transformation, "masking": one.masking}
                        if one.transformation
                        else {}
                    ),
                    **({"run": one.run_id} if one.run_id else {}),
                    **({"at": one.at.isoformat()} if one.at else {}),
                }
                for one in self.edges
            ],
            **({"hidden": self.hidden} if self.hidden else {}),
        }

    def render(self, form: str) -> str:
        """The graph as ``text``, ``dot`` (Graphviz) or ``mermaid``."""
        match form:
            case "text":
                return self.tree()
            case "dot":
                return self.dot()
            case "mermaid":
                return self.mermaid()
        raise UsageError("LW901", f"lineage is not written as {form!r}; use text, dot or mermaid")

    def tree(self) -> str:
        """The graph as an indented tree: first where it comes from, then where it goes."""
        up = _by(self.up, lambda one: (one.target, one.source))
        down = _by(self.down, lambda one: (one.source, one.target))
        lines: list[str] = []
        for start in self.starts or (self.root,):
            lines.append(start)
            shown = [(word, links) for word, links in (("from", up), ("to", down)) if links.get(start)]
            for number, (word, links) in enumerate(shown):
                last = number == len(shown) - 1
                lines.append(f"{'└─' if last else '├─'} {word}")
                _branch(lines, start, links, "   " if last else "│  ", {start})
        if self.hidden:
            lines.append(f"and {self.hidden:,} that may not be seen")
        return "\n".join(lines)

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
        lines += [
            f"  {_quoted(name)}{' [style=bold]' if name == self.root else ''};" for name in sorted(self.nodes)
        ]
        for (source, target), kinds in _joined(self.edges).items():
            label = f" [label={_quoted(', '.join(kinds))}]" if kinds else ""
            lines.append(f"  {_quoted(source)} -> {_quoted(target)}{label};")
        return "\n".join([*lines, "}"])

    def mermaid(self) -> str:
        """The graph in Mermaid's language."""
        ids = {name: f"n{number}" for number, name in enumerate(sorted(self.nodes))}
        lines = ["flowchart LR"]
        lines += [f'  {ids[name]}["{_entities(name)}"]' for name in sorted(self.nodes)]
        for (source, target), kinds in _joined(self.edges).items():
            arrow = f"-- {_entities(', '.join(kinds))} -->" if kinds else "-->"
            lines.append(f"  {ids[source]} {arrow} {ids[target]}")
        lines.append(f"  style {ids[self.root]} stroke-width:3px")
        return "\n".join(lines)


def keep_edges(
    connection: sa.Connection,
    dataset: str,
    inputs: Collection[str],
    lineage: Lineage | None,
    *,
    run_id: str = "",
    at: datetime | None = None,
) -> None:
    """Replace what is kept of what goes into *dataset*: the *inputs*, and the *lineage* of its columns.

    Without a lineage, that of the last build stays when the inputs are the same.
    """
    table = lineage_edges
    mine = table.c.downstream == dataset
    if lineage is None:
        query = sa.select(table.c.upstream).where(mine, table.c.upstream_column == "")
        if set(connection.scalars(query)) == set(inputs):
            return
    connection.execute(table.delete().where(mine))
    rows: dict[tuple[str, str, str, str], bool] = {("", one, "", ""): False for one in inputs}
    if lineage is not None:
        for column, origins in lineage.columns.items():
            _collect(rows, column, origins)
        _collect(rows, ROWS, lineage.rows)
    stamp = {"downstream": dataset, "run_id": run_id, "at": at or now()}
    values = [
        {
            **stamp, "downstream_column": column, "upstream": upstream, "upstream_column": from_,
            "transformation": kind, "masking": masking,
        }
        for (column, upstream, from_, kind), masking in rows.items()
    ]  # fmt: skip
    if values:
        connection.execute(table.insert(), values)


def _collect(rows: dict[tuple[str, str, str, str], bool], column: str, origins: Iterable[Origin]) -> None:
    for one in origins:
        key = (column, one.dataset, one.column, one.transformation)
        # a column that arrives both as it is and as a digest arrives as it is
        rows[key] = rows.get(key, True) and one.masking


def value_links(connection: sa.Connection) -> dict[tuple[str, str], list[tuple[tuple[str, str], bool]]]:
    """Return the columns whose values go into each column, as (dataset, column in lower case).

    With each, whether only something computed arrives: an aggregate or a digest.
    """
    table = lineage_edges
    query = sa.select(table).where(table.c.transformation.in_(_DIRECT), table.c.downstream_column != ROWS)
    found: dict[tuple[str, str], list[tuple[tuple[str, str], bool]]] = {}
    for row in connection.execute(query):
        place = row.downstream, row.downstream_column.lower()
        computed = row.masking or row.transformation == "AGGREGATION"
        found.setdefault(place, []).append(((row.upstream, row.upstream_column.lower()), computed))
    return found


def inputs_of(connection: sa.Connection) -> dict[str, set[str]]:
    """Return the datasets that each dataset reads, by id."""
    table = lineage_edges
    query = sa.select(table.c.downstream, table.c.upstream).where(table.c.upstream_column == "")
    found: dict[str, set[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.downstream, set()).add(row.upstream)
    return found


def neighbours(connection: sa.Connection, dataset: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the datasets directly before and after *dataset*."""
    table = lineage_edges
    whole = table.c.upstream_column == ""
    up = connection.scalars(sa.select(table.c.upstream).where(whole, table.c.downstream == dataset))
    down = connection.scalars(sa.select(table.c.downstream).where(whole, table.c.upstream == dataset))
    return tuple(sorted(up)), tuple(sorted(down))


def follow(
    state: State,
    dataset: str,
    column: str | None = None,
    *,
    direction: Direction = "both",
    depth: int | None = None,
    indirect: bool = False,
) -> LineageGraph:
    """Follow the lineage of *dataset*, or of one of its columns, up to *depth* links away (all when None).

    *column* ``*`` follows every column. With *indirect*, columns that only decide about values or
    rows (joins, filters, …) are followed too. NotFoundError LW705 when nothing is known of it.
    """
    with state.read(lineage_edges) as connection:
        table = lineage_edges
        query = sa.select(table) if column else sa.select(table).where(table.c.upstream_column == "")
        edges = [_edge(row) for row in connection.execute(query).mappings()]
    if column is not None:
        edges = [one for one in edges if one.upstream_column and (indirect or one.transformation in _DIRECT)]
    up = _by(edges, lambda one: (one.target, one.source))
    down = _by(edges, lambda one: (one.source, one.target))
    root = f"{dataset}.{column}" if column not in (None, ROWS) else dataset
    starts = [root]
    if column == ROWS:
        mine = {one.target for one in edges if one.downstream == dataset}
        starts = sorted(mine | {one.source for one in edges if one.upstream == dataset})
    if not any(name in up or name in down for name in starts):
        known = sorted({name for one in edges for name in (one.source, one.target)})
        raise NotFoundError("LW705", f"nothing is known of the lineage of {root!r}{nearest(root, known)}")
    return LineageGraph(
        root,
        _reached(starts, up, depth) if direction in ("up", "both") else (),
        _reached(starts, down, depth) if direction in ("down", "both") else (),
        tuple(starts) if column == ROWS else (),
    )


_DIRECT = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")


def _edge(row: sa.RowMapping) -> Edge:
    return Edge(
        row["upstream"], row["upstream_column"], row["downstream"], row["downstream_column"],
        row["transformation"], row["masking"], row["run_id"], row["at"],
    )  # fmt: skip


def _by(edges: Iterable[Edge], key: Any) -> dict[str, list[tuple[str, Edge]]]:
    found: dict[str, list[tuple[str, Edge]]] = {}
    for one in edges:
        here, there = key(one)
        found.setdefault(here, []).append((there, one))
    for links in found.values():
        links.sort(key=lambda link: (link[0], link[1].transformation))
    return found


def _reached(
    starts: Iterable[str], links: Mapping[str, list[tuple[str, Edge]]], depth: int | None
) -> tuple[Edge, ...]:
    found: dict[Edge, None] = {}
    edge = list(starts)
    seen = set(edge)
    while edge and (depth is None or depth > 0):
        following: list[str] = []
        for name in edge:
            for other, link in links.get(name, ()):
                found[link] = None
                if other not in seen:
                    seen.add(other)
                    following.append(other)
        edge = following
        depth = None if depth is None else depth - 1
    return tuple(found)


def _branch(
    lines: list[str], name: str, links: Mapping[str, list[tuple[str, Edge]]], indent: str, above: set[str]
) -> None:
    kinds: dict[str, list[str]] = {}
    for other, link in links.get(name, ()):
        kinds.setdefault(other, [])
        if link.transformation:
            kinds[other].append(link.transformation.lower() + (" (masked)" if link.masking else ""))
    for number, (other, how) in enumerate(kinds.items()):
        last = number == len(kinds) - 1
        again = " …" if other in above and links.get(other) else ""
        told = f"  {', '.join(how)}" if how else ""
        lines.append(f"{indent}{'└─' if last else '├─'} {other}{told}{again}")
        if other not in above:
            _branch(lines, other, links, indent + ("   " if last else "│  "), above | {other})


def _joined(edges: Iterable[Edge]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in sorted(edges):
        kinds = found.setdefault((one.source, one.target), [])
        if one.transformation:
            kinds.append(one.transformation.lower())
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _entities(text: str) -> str:
    # Mermaid reads #name; and #number; as characters
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
