"""Who needs the files of a raw dataset still: how far each of its readers has come, and which read all of it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakewright.plan.graph import Graph
from lakewright.plan.tasks import write_mode
from lakewright.run.settle import owes_rejects
from lakewright.run.states import built_states
from lakewright.spec.databases import DatabaseDataset
from lakewright.spec.dataset import Dataset
from lakewright.spec.project import Project
from lakewright.spec.rest import RestDataset, RestSource

if TYPE_CHECKING:
    from lakewright.run.services import Services
    from lakewright.sources.manifest import RawFile

__all__ = ["Readers", "readers_of"]


@dataclass
class Readers:
    """Why files of a raw dataset have to stay.

    ``reached`` has the batch up to which each reader has committed what it read; ``again`` tells why
    files that are current must be there to be read again.
    """

    reached: dict[str, int] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    def waits(self, file: RawFile) -> str:
        """Return who has not read *file*, or the version after it, yet; "" when all have."""
        batch = max(file.batch, file.superseded_in or 0)
        late = [f"{id} has not read it yet" for id, reached in self.reached.items() if reached < batch]
        return late[0] if late else ""


def readers_of(services: Services, graph: Graph, id: str) -> Readers:
    """Return who reads the raw dataset *id*. A quarantine that lacks lines of it counts as a reader."""
    found = Readers()
    built = built_states(services)
    for node in graph.nodes.values():
        if node.kind != "table" or id not in node.reads:
            continue
        state = built.get(node.id)
        position = state.positions.get(id) if state else None
        found.reached[node.id] = position.batch if position else 0
        if _reads_all(services.project.datasets[node.id]):
            found.again.append(f"{node.id} reads all of it each time")
    if owes_rejects(services, id):
        found.reached["the quarantine of its lines"] = 0
    found.again += _source_reads(services.project, id)
    return found


def _reads_all(dataset: Dataset) -> bool:
    """Whether a table is made of all rows there are, rather than of those that are new."""
    file = dataset.file
    return file.from_ is None or write_mode(dataset) == "replace" or not file.incremental.enabled


def _source_reads(project: Project, id: str) -> list[str]:
    source, name = project.sources[project.raw[id]], id.partition(".")[2]
    spec = source.datasets[name]
    if isinstance(spec, DatabaseDataset) and spec.load != "full":
        return ["what the database sends is compared with it"]
    if isinstance(spec, RestDataset) and spec.incremental is not None:
        return ["what the API sends is compared with it"]
    if isinstance(source, RestSource):
        return [
            f"raw.{child} is asked for by its rows"
            for child, one in source.datasets.items()
            if one.parent is not None and one.parent.dataset == name
        ]
    return []
