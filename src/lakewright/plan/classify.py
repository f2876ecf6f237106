"""To which classifications a column belongs: its own, or those of the columns that it is made from."""

from __future__ import annotations

from lakewright.plan.check_columns import traced_outputs
from lakewright.spec.access import PERSONAL
from lakewright.spec.dataset import Dataset
from lakewright.spec.project import Project
from lakewright.sql.query import dependencies, shared_query
from lakewright.sql.query_relation import Col, Origin

__all__ = ["Classes"]

_NONE: frozenset[str] = frozenset()


class Classes:
    """The classifications of a project's columns, in lower case.

    A column that has none is what it comes from: as it is or computed, but not as an aggregate of another type
    (a count of addresses is no address; the greatest of them is one). A digest is what it was made of, for it can be
    guessed. Of what a Python
    function returns, a column is what columns of the same name are that the function was given.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._relations, self._traced = traced_outputs(project)
        self._ids = {id.lower(): id for id in (*project.raw, *project.datasets)}
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def of(self, id: str, column: str) -> frozenset[str]:
        """Return the classifications of *column* of the dataset *id*; empty when it has none."""
        place = id.lower(), column.lower()
        if place not in self._known:
            self._known[place] = _NONE  # a circle adds nothing
            self._known[place] = self._of(*place)
        return self._known[place]

    def declared(self) -> dict[str, list[str]]:
        """Return every classification that a file names, and the columns that do, as ``zone.name.column``."""
        found: dict[str, list[str]] = {}
        for id, dataset in self._project.datasets.items():
            for name in dataset.file.columns:
                for one in _own(dataset, name) or ():
                    found.setdefault(one, []).append(f"{id}.{name}")
        return found

    def columns(self, id: str) -> list[str]:
        """Return the names of the columns of *id* that its files tell of."""
        relation = self._relations.get(self._ids.get(id.lower(), id))
        return list(relation.names()) if relation is not None else []

    def _of(self, id: str, column: str) -> frozenset[str]:
        dataset = self._project.datasets.get(self._ids.get(id, id))
        if dataset is None:
            return _NONE
        own = _own(dataset, column)
        if own is not None:
            return own
        traced = self._traced.get(dataset.id)
        if traced is None:
            return self._by_name(dataset, column)
        output = traced.output
        col = output.get(column)
        if col is None or not col.origins:
            if output.open and output.rest and col is None:
                col = output.guess(column)
            elif output.open or dataset.python is not None:
                return self._by_name(dataset, column)
        found: set[str] = set()
        for origin in col.origins if col is not None else ():
            if origin.direct and self._flows(origin, col):
                found |= self.of(origin.dataset, origin.column)
        return frozenset(found)

    def _flows(self, origin: Origin, col: Col | None) -> bool:
        if origin.transformation != "AGGREGATION" or col is None or not col.type:
            return True
        relation = self._relations.get(self._ids.get(origin.dataset.lower(), ""))
        upstream = relation.get(origin.column) if relation is not None else None
        return upstream is None or not upstream.type or upstream.type == col.type

    def _by_name(self, dataset: Dataset, column: str) -> frozenset[str]:
        reads = [*dataset.file.depends_on, *([dataset.file.from_] if dataset.file.from_ else [])]
        if dataset.sql is not None:
            reads += dependencies(shared_query(dataset.sql, dataset.sql_path or dataset.path))
        return frozenset(one for id in reads for one in self.of(id, column))


def _own(dataset: Dataset, column: str) -> frozenset[str] | None:
    """What the dataset's file says of the column; None when it says nothing."""
    said = next((one for name, one in dataset.file.columns.items() if name.lower() == column.lower()), None)
    if said is not None and said.classification:
        return frozenset({said.classification.lower()})
    return frozenset({PERSONAL}) if said is not None and said.pii else None
