"""`pii scan`: which columns of raw files and of the lake hold personal data, and which of them are not masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.app.platform import Platform
from lakewright.errors import LakewrightError
from lakewright.plan.select import select as choose
from lakewright.run.inputs import raw_relation
from lakewright.sources.guess_pii import Personal, find_pii, mask_for
from lakewright.sources.profile_figures import some_values
from lakewright.spec.dataset import Column
from lakewright.sql.names import hidden, table

if TYPE_CHECKING:
    import duckdb

__all__ = ["PiiColumn", "PiiScan", "scan"]

_SAMPLE = "_pii_sample"
#: Rows of which the values are looked at.
_ROWS = 20_000


@dataclass(frozen=True)
class PiiColumn:
    """A column that holds personal data, found or declared. ``evidence`` shows no clear value.

    ``mask`` is the rule that the contract names; ``suggestion`` the one to add, empty where there is one, or
    in the raw zone, which keeps what came.
    """

    dataset: str
    column: str
    type: str
    pii: str
    confidence: float
    evidence: str
    declared: str
    mask: str
    suggestion: str


@dataclass(frozen=True)
class PiiScan:
    """What a scan found, by dataset; ``skipped`` are datasets that could not be looked at, with the reason."""

    columns: tuple[PiiColumn, ...]
    scanned: tuple[str, ...]
    skipped: Mapping[str, str]

    @property
    def unmasked(self) -> tuple[PiiColumn, ...]:
        """Columns of tables that hold personal data and have no mask."""
        return tuple(one for one in self.columns if one.suggestion)


def scan(platform: Platform, select: Sequence[str] = (), *, exclude: Sequence[str] = ()) -> PiiScan:
    """Look at a sample of every column of the selected datasets. Nothing is changed, nothing found is kept."""
    found: list[PiiColumn] = []
    scanned, skipped = [], {}
    for id in choose(platform.graph, platform.project, select, exclude=exclude):
        with platform.services.session.cursor() as cursor:
            try:
                columns = _sample(platform, cursor, id)
            except LakewrightError as error:
                skipped[id] = error.problem.message
                continue
            if not columns:
                skipped[id] = "not built yet"
                continue
            scanned.append(id)
            values = some_values(_SAMPLE, columns, cursor)
        dataset = platform.project.datasets.get(id)
        contract = dataset.file.columns if dataset else {}
        rules = {name.lower(): one for name, one in contract.items()}
        for name, type in columns.items():
            one = _column(id, name, type, values[name], rules.get(name.lower()), raw=dataset is None)
            if one is not None:
                found.append(one)
    return PiiScan(tuple(found), tuple(scanned), skipped)


def _sample(platform: Platform, cursor: duckdb.DuckDBPyConnection, id: str) -> dict[str, str]:
    """Make the table of sampled rows, and return its columns and types; empty for a dataset that is not there."""
    if id in platform.project.raw:
        given = raw_relation(platform.services, cursor, id)
        source: exp.Expr = given.query.subquery("_rows")
        columns = given.columns
    else:
        source, columns = table(id), platform.services.lake.columns(cursor, id) or {}
    kept = {name: type for name, type in columns.items() if not hidden(name)}
    if kept:
        listed = [exp.column(exp.to_identifier(name, quoted=True)) for name in kept]
        rows = exp.select(*listed).from_(source).limit(_ROWS)
        cursor.execute(f"CREATE TEMP TABLE {_SAMPLE} AS {rows.sql('duckdb')}")
    return kept


def _column(
    id: str, name: str, type: str, values: Sequence[str], rule: Column | None, *, raw: bool
) -> PiiColumn | None:
    mask = rule.mask.name if rule and rule.mask else ""
    declared = (rule.pii or "") if rule else ""
    # what is masked no longer looks like what it was
    found = None if mask else find_pii(name, id.partition(".")[2], values, type)
    if found is None:
        if not declared:
            return None
        found = Personal(declared, 1.0, "declared; masked" if mask else "declared; its values do not tell")
    kind = declared or found.kind
    suggestion = "" if mask or raw else mask_for(kind, type)
    return PiiColumn(id, name, type, kind, found.confidence, found.evidence, declared, mask, suggestion)
