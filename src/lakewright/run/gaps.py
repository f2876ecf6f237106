"""What a table loses when it is made anew while files that it was made of are expired, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from lakewright.errors import RunError
from lakewright.plan.tasks import Position, Work, write_mode
from lakewright.sources.manifest import RawFile, files_of
from lakewright.spec.dataset import Dataset

if TYPE_CHECKING:
    from lakewright.run.inputs import Input
    from lakewright.run.services import Services

__all__ = ["mind_gaps"]

_SHOWN = 5


def mind_gaps(
    services: Services,
    dataset: Dataset,
    reads: tuple[str, ...],
    now: Mapping[str, Position],
    work: Work,
    given: Input,
) -> None:
    """Refuse to make *dataset* anew from *given* while files of its raw datasets are gone: RunError LW440.

    Where that is accepted, and its rows are appended or merged from one raw dataset, rows of files that are gone
    stay in the table; otherwise it is made of what is left. A first build loses nothing, and is told what it lacks.
    """
    notes = []
    for id in reads:
        if not id.startswith("raw."):
            continue
        files = files_of(services.state, id, upto=now[id].batch)
        gone = [one.path for one in files if one.gone == "expired"]
        if not gone:
            continue
        shown = ", ".join(gone[:_SHOWN]) + (" …" if len(gone) > _SHOWN else "")
        count = f"{len(gone):,} {'file' if len(gone) == 1 else 'files'} of {id}"
        if work.again and not work.accept_gaps:
            raise RunError(
                "LW440",
                f"{dataset.id} cannot be made anew as it was: {count} expired ({shown})",
                remedy=f"keep it as it is, or accept it: lakewright run --accept-gaps {dataset.id}",
            )
        if work.again and _keeps(dataset, work):
            given.beside, given.whole = True, False
            given.replaced = tuple(sorted({*given.replaced, *_names(files)}))
            notes.append(f"{count} expired, and their rows stay as they were: {shown}")
        else:
            notes.append(f"{count} expired and are not in it: {shown}")
    given.notes = (*given.notes, *notes)


def _keeps(dataset: Dataset, work: Work) -> bool:
    """Whether rows of the table can be told apart by the file that they came from."""
    return (
        work.mode != "backfill"
        and dataset.file.from_ is not None
        and write_mode(dataset) in ("append", "merge")
    )


def _names(files: Iterable[RawFile]) -> set[str]:
    there = [one for one in files if one.gone != "expired"]
    return {one.path for one in there} | {
        f"{one.path}/{part.member}" for one in there for part in one.parts if part.member
    }
