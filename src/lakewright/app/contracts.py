"""`contract`: a dataset as a contract of the Open Data Contract Standard, and contracts and suites as our YAML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakewright.app.platform import Platform
from lakewright.catalog.schemas import latest
from lakewright.errors import LakewrightError, NotFoundError, Problem, ProjectError, Where, nearest
from lakewright.project.contracts import ContractObject, contract_of, contract_text, read_contract
from lakewright.project.spelled import dataset_text
from lakewright.project.standins import merged
from lakewright.project.suites import read_suite
from lakewright.spec.dataset import Column, Dataset, DatasetFile
from lakewright.sql.names import hidden

__all__ = ["Exported", "Imported", "export_contract", "import_file"]


@dataclass(frozen=True)
class Exported:
    """A dataset's contract, as plain data and as YAML."""

    dataset: str
    contract: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Imported:
    """The YAML of a dataset made from a contract's object or from a suite; ``notes`` name what was left out."""

    path: str
    object: str
    columns: int
    expectations: int
    text: str
    notes: tuple[str, ...]


def export_contract(platform: Platform, dataset: str) -> Exported:
    """Return *dataset* as a contract of version 3.1.0: columns, rules, expectations, service levels, owner.

    Columns of a table that is built but that the files do not declare are part of it too.
    """
    id = platform.dataset_id(dataset)
    file = platform.project.file
    spec = platform.project.datasets.get(id) or _raw(platform, id)
    version = latest(platform.state, id)
    made = contract_of(
        spec,
        project=file.name,
        owner=file.defaults.owner,
        version=f"{version.version}.0.0" if version else "",
        table=_table(platform, id),
    )
    return Exported(id, made, contract_text(made))


def import_file(path: Path, object: str | None = None, made_of: str | None = None) -> Imported:
    """Return the YAML that a contract (one *object* of it) or a Great Expectations suite amounts to.

    *made_of* is the dataset that it reads, ``from`` in the YAML. Raises LW102 to LW122 with the lines of
    what is wrong, LW901 when the contract has no such object or several and none is named.
    """
    shown = path.as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = Problem("LW114", f"cannot be read: {error.strerror or error}", Where(shown))
        raise ProjectError([problem]) from None
    start = DatasetFile(from_=made_of)
    if data.lstrip()[:1] == b"{" and b'"expectations"' in data:
        suite = read_suite(data, shown)
        if suite.problems:
            raise ProjectError(suite.problems)
        file = DatasetFile(from_=made_of, expect=tuple(suite.expectations))
        return _imported(shown, "", file, tuple(suite.notes))
    contract = read_contract(data, shown)
    if contract.problems:
        raise ProjectError(contract.problems)
    one = _one(contract.objects, object, shown)
    notes = (*contract.notes.lines(), *one.notes.lines())
    return _imported(shown, one.name, merged(start, one), notes)


def _imported(path: str, name: str, file: DatasetFile, notes: tuple[str, ...]) -> Imported:
    head = (f"made from {path}{f', object {name}' if name else ''}", *notes)
    if not file.from_:
        head = (*head, "add what it is made of: from: raw.<dataset>, or a query beside this file")
    return Imported(path, name, len(file.columns), len(file.expect), dataset_text(file, head), notes)


def _one(objects: dict[str, ContractObject], wanted: str | None, path: str) -> ContractObject:
    if wanted is not None:
        found = objects.get(wanted) or next(
            (one for one in objects.values() if one.physical_name == wanted), None
        )
        if found is None:
            raise NotFoundError("LW901", f"{path} has no object {wanted!r}{nearest(wanted, objects)}")
        return found
    if len(objects) != 1:
        names = ", ".join(list(objects)[:12]) or "none"
        raise NotFoundError(
            "LW901", f"{path} has {len(objects)} objects: {names}", remedy="choose one with --object"
        )
    return next(iter(objects.values()))


def _raw(platform: Platform, id: str) -> Dataset:
    """A raw dataset as one with columns, as far as its source declares them."""
    source = platform.project.raw[id]
    name = id.partition(".")[2]
    spec = platform.project.sources[source].datasets[name]
    declared = getattr(spec, "columns", None) or {}
    columns = {column: Column(type=kind) for column, kind in declared.items()}
    file = DatasetFile(description=spec.description, owner=spec.owner, tags=spec.tags, columns=columns)
    return Dataset(zone="raw", name=name, file=file, path=platform.project.source_paths[source])


def _table(platform: Platform, id: str) -> dict[str, str]:
    if id.startswith("raw."):
        return {}
    try:
        with platform.services.session.cursor() as cursor:
            columns = platform.services.lake.columns(cursor, id)
    except LakewrightError:
        # a contract is about the files; a lake out of reach leaves out what only the table knows
        return {}
    return {name: kind for name, kind in (columns or {}).items() if not hidden(name)}
