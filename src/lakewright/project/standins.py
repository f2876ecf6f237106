"""Put what ``contract`` and ``suite`` name in its place: columns and expectations from other files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lakewright.errors import Problem, Where, nearest
from lakewright.project.locate import Locations
from lakewright.spec.dataset import DatasetFile
from lakewright.spec.expectations import Expectation, Suite

if TYPE_CHECKING:
    from collections.abc import Collection

    from lakewright.project.contracts import Contract, ContractObject
    from lakewright.project.suites import Imported

__all__ = ["StandIns", "Stood", "merged"]


@dataclass(slots=True)
class Stood:
    """A dataset's file with everything in it, and where what came from elsewhere stands."""

    file: DatasetFile
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    identity: dict[str, str] = field(default_factory=dict)


class StandIns:
    """Reads the contracts and suites of one project, each file once; what is wrong goes to *problems*."""

    def __init__(self, root: Path, known: Collection[str], problems: list[Problem]) -> None:
        self.root, self.known, self.problems = root, known, problems
        self._contracts: dict[str, Contract] = {}
        self._suites: dict[str, Imported] = {}

    def put(self, file: DatasetFile, path: str, name: str) -> Stood:
        """Return *file*, the YAML at *path* of the dataset *name*, with its contract and suites read in."""
        stood = Stood(file)
        if file.contract:
            self._contract(stood, file.contract, path, name)
        for number, one in enumerate(file.expect):
            if isinstance(one, Suite):
                self._suite(stood, one, number, path)
        return stood

    def _find(self, name: str, path: str, keys: tuple[str | int, ...]) -> str | None:
        """The file *name*, beside the YAML at *path*, in ``contracts/`` or ``suites/`` or in the project's folder."""
        folder = Path(path).parent
        tried = [folder / name, Path("contracts") / name, Path("suites") / name, Path(name)]
        tried = list(dict.fromkeys(tried))
        for one in tried:
            if (self.root / one).is_file():
                return one.as_posix()
        where = Locations(self.root).where(path, keys)
        self.problems.append(
            Problem("LW114", f"there is no file {name!r}", where, tuple(one.as_posix() for one in tried))
        )
        return None

    # --- contracts

    def _contract(self, stood: Stood, text: str, path: str, name: str) -> None:
        file_name, _, wanted = text.partition("#")
        found = self._find(file_name, path, ("contract",))
        if found is None:
            return
        if stood.file.columns:
            where = Locations(self.root).where(path, ("columns",))
            message = "`columns` and `contract` both say which columns there are"
            self.problems.append(Problem("LW120", message, where, remedy="remove one of the two"))
        contract = self._read_contract(found)
        if contract.problems:
            return
        one = self._object(contract, wanted, name, Locations(self.root).where(path, ("contract",)))
        if one is not None:
            stood.file = merged(stood.file, one)
            start = len(stood.file.expect) - len(one.expectations)
            lines = {f"expect.{start + n}": (found, line) for n, (_, line) in enumerate(one.expectations)}
            stood.places |= lines | {f"columns.{name}": (found, line) for name, line in one.lines.items()}
            stood.notes += (*contract.notes.lines(), *one.notes.lines())
            stood.identity = contract.identity

    def _read_contract(self, found: str) -> Contract:
        from lakewright.project.contracts import read_contract

        if found not in self._contracts:
            self._contracts[found] = read_contract((self.root / found).read_bytes(), found, self.known)
            self.problems += self._contracts[found].problems
        return self._contracts[found]

    def _object(self, contract: Contract, wanted: str, name: str, where: Where) -> ContractObject | None:
        objects = contract.objects
        by_name = {one.physical_name: one for one in objects.values() if one.physical_name} | objects
        if (wanted or name) in by_name:
            return by_name[wanted or name]
        if len(objects) == 1 and not wanted:
            return next(iter(objects.values()))
        if not objects:
            message = f"the contract {contract.path} has no objects in its schema"
        elif wanted:
            message = f"the contract {contract.path} has no object {wanted!r}{nearest(wanted, objects)}"
        else:
            message = f"the contract {contract.path} has {len(objects)} objects, and none is called {name!r}"
        names = ", ".join(list(objects)[:12])
        remedy = f"pick one: contract: {contract.path}#<object>, where objects are {names}" if names else ""
        self.problems.append(Problem("LW114", message, where, remedy=remedy))
        return None

    # --- suites

    def _suite(self, stood: Stood, one: Suite, number: int, path: str) -> None:
        found = self._find(one.file, path, ("expect", number, "suite"))
        if found is None:
            return
        if found not in self._suites:
            from lakewright.project.suites import read_suite

            self._suites[found] = read_suite((self.root / found).read_bytes(), found)
            self.problems += self._suites[found].problems
        suite = self._suites[found]
        expectations: list[Expectation] = [
            msgspec.structs.replace(each, severity=one.severity) if one.severity else each
            for each in suite.expectations
        ]
        start = len(stood.file.expect)
        stood.file = msgspec.structs.replace(stood.file, expect=(*stood.file.expect, *expectations))
        stood.places |= {f"expect.{start + n}": (found, line) for n, line in enumerate(suite.lines)}
        stood.notes += tuple(suite.notes)


def merged(file: DatasetFile, one: ContractObject) -> DatasetFile:
    """Return *file* with what the contract's object says; what the file says itself wins, expectations add up."""
    write = file.write
    if one.partition_by and not write.partition_by:
        write = msgspec.structs.replace(write, partition_by=one.partition_by)
    return msgspec.structs.replace(
        file,
        description=file.description or one.description,
        owner=file.owner or one.owner,
        tags=tuple(dict.fromkeys((*file.tags, *one.tags))),
        columns=one.columns,
        write=write,
        retention=file.retention or one.retention,
        expect=(*file.expect, *(expectation for expectation, _ in one.expectations)),
    )
