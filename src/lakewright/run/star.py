"""Publish a dimension or a fact so that a reader never sees a fact without its dimension.

All of it happens in the transaction that publishes the rows. A fact brings the members that are
missing along; a dimension that gives a member other keys, or keys to facts that had none, sets
them right in the facts. A dataset that is touched in this way gets a batch of its own, so that
whoever reads it notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from sqlglot import exp

from lakewright.errors import RunError, nearest
from lakewright.lake import Checkpoint
from lakewright.plan.tasks import write_mode
from lakewright.spec.dataset import Dataset
from lakewright.sql import star as sql
from lakewright.sql.names import hidden, table
from lakewright.sql.star import Found, Members
from lakewright.sql.surrogate import NOT_APPLICABLE, UNKNOWN

if TYPE_CHECKING:
    import duckdb

    from lakewright.lake import Lake
    from lakewright.spec.project import Project

__all__ = ["Star", "StarWork", "star_of"]

_BEFORE = "_star_before"


@dataclass(frozen=True)
class Star:
    """The part of a dataset in a star: what it is, which dimensions it refers to, which facts refer to it."""

    dataset: Dataset
    dimensions: Mapping[str, Dataset] = field(default_factory=dict)
    facts: tuple[Dataset, ...] = ()

    @property
    def key(self) -> str | None:
        """The column with the surrogate key that a dimension gets; None where its rows bring it, or it is none."""
        made = self.dataset.file.dimension is not None and self.dataset.file.dimension.date is None
        return self.dataset.surrogate_key if made else None


def star_of(project: Project, dataset: Dataset) -> Star | None:
    """Return the part of *dataset* in a star of *project*, None when it has none."""
    file = dataset.file
    if file.dimension is None and file.fact is None:
        return None
    lookups = file.fact.lookups.values() if file.fact else ()
    dimensions = {one.dimension: project.datasets[one.dimension] for one in lookups}
    facts = tuple(
        one
        for one in project.datasets.values()
        if one.file.fact and any(look.dimension == dataset.id for look in one.file.fact.lookups.values())
    )
    return Star(dataset, dimensions, facts if file.dimension else ())


@dataclass
class StarWork:
    """What one transaction does for *star* around the publishing of its rows, in the order of the methods."""

    lake: Lake
    cursor: duckdb.DuckDBPyConnection
    star: Star
    batch: int
    at: datetime
    notes: list[str] = field(default_factory=list)
    _touched: dict[str, Checkpoint] = field(default_factory=dict)
    _keeps: bool = False

    def before(self, *, anew: bool, removes: bool) -> None:
        """Look at the table before anything is done to it. Raises LW618 when its rows lack the surrogate keys."""
        id, file = self.star.dataset.id, self.star.dataset.file
        there = self.lake.columns(self.cursor, id)
        if there is None:
            return
        wanted = [*([self.star.key] if self.star.key else []), *(file.fact.lookups if file.fact else ())]
        lacking = [one for one in wanted if one not in there]
        if lacking and not anew:
            raise RunError(
                "LW618",
                f"the rows of {id} have no {lacking[0]} yet",
                remedy=f"build it anew: lakewright run {id} --full-refresh",
            )
        if self.star.key and not lacking and (anew or removes):
            self._keeps = True
            self._run(sql.known_keys(self._members(self.star.dataset, there), _BEFORE))

    def rows(
        self, rows: exp.Select, columns: Mapping[str, str], *, history: bool
    ) -> tuple[exp.Select, dict[str, str]]:
        """Return the rows with their surrogate keys, and their columns; adds the members that they lack.

        A history makes the keys of its versions itself.
        """
        made = dict(columns)
        if self.star.key and history:
            there = self.lake.columns(self.cursor, self.star.dataset.id) or {}
            self._run(sql.replace_inferred(self._members(self.star.dataset, there), rows))
        elif self.star.key:
            rows, made = sql.keyed_rows(rows, made, self.star.key, self.star.dataset.natural_keys)
        if self.star.dataset.file.fact is not None:
            lookups = self._lookups(self.star.dataset)
            for one in lookups:
                lacking = [name for name in (*one.on.values(), one.at) if name and name not in columns]
                if lacking:
                    raise RunError(
                        "LW620",
                        f"{self.star.dataset.id} has no column {lacking[0]!r} to look up {one.members.id} by"
                        f"{nearest(lacking[0], columns)}",
                        remedy=f"its columns are {', '.join(name for name in columns if not hidden(name))}",
                    )
                self._infer(one, rows)
            rows, made = sql.fact_rows(rows, made, lookups)
        return rows, made

    def after(self) -> None:
        """Complete the dimension, and set the keys of facts right that its new rows change. Raises LW619."""
        dataset = self.star.dataset
        dimension = dataset.file.dimension
        if dimension is None:
            return
        of = self._members(dataset, self.lake.columns(self.cursor, dataset.id) or {})
        given = {UNKNOWN: dimension.unknown, NOT_APPLICABLE: dimension.not_applicable}
        self._run(sql.members(of, self.batch, self.at.isoformat(), given))
        if self._keeps:
            count = self._run(sql.lost_members(of, _BEFORE, self.batch, self.at.isoformat()))
            if count:
                self.notes.append(f"{_count(count, 'member')} that the source does not have stay as inferred")
        if self.cursor.execute(sql.doubled(of, self.batch).sql("duckdb")).fetchone() is not None:
            raise RunError(
                "LW619",
                f"two members of {dataset.id} have the same {of.key}",
                remedy="their keys collide; give the dimension another `key`, which makes other numbers",
            )
        # a complete list is made as a whole, and so is what a full refresh makes
        batch = None if of.complete or self._keeps else self.batch
        for fact in self.star.facts:
            self._repair(fact, batch)

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Write the checkpoints of the datasets that were touched beside the published one, and return them."""
        for one in self._touched.values():
            self.lake.add_checkpoint(self.cursor, one)
        return tuple(self._touched.values())

    # --- facts

    def _infer(self, found: Found, rows: exp.Select) -> None:
        spec = self.star.dataset.file.fact.lookups[found.name] if self.star.dataset.file.fact else None
        if found.members.complete or spec is None or spec.missing != "infer":
            return
        id = found.members.id
        batch = self._next(id)
        count = self._run(sql.infer(found, rows, batch, self.at.isoformat()))
        if count:
            self._touch(id, batch, count, rebuilt=False)
            self.notes.append(f"{_count(count, 'member')} inferred in {id}")

    def _repair(self, fact: Dataset, batch: int | None) -> None:
        columns = self.lake.columns(self.cursor, fact.id)
        if columns is None:
            return
        for one in self._lookups(fact, only=self.star.dataset):
            needed = {one.name, *one.on.values(), *([one.at] if one.at else [])}
            if not needed <= columns.keys():
                continue  # built by an earlier definition; the next build makes it anew
            found = self.cursor.execute(sql.outdated(one, table(fact.id), batch).sql("duckdb")).fetchone()
            if not found or not found[0]:
                continue
            self._run(sql.repair(one, table(fact.id), batch))
            self._touch(fact.id, self._next(fact.id), int(found[0]), rebuilt=True)
            self.notes.append(f"{_count(int(found[0]), 'row')} of {fact.id} refer to another {one.name} now")

    def _lookups(self, fact: Dataset, only: Dataset | None = None) -> list[Found]:
        spec = fact.file.fact
        found = []
        for name, one in spec.lookups.items() if spec else ():
            if only is not None and one.dimension != only.id:
                continue
            dataset = only or self.star.dimensions[one.dimension]
            columns = self.lake.columns(self.cursor, dataset.id)
            if columns is None or (dataset.surrogate_key or "") not in columns:
                raise RunError(
                    "LW601",
                    f"{fact.id} looks up {dataset.id}, which was never built as a dimension",
                    remedy=f"build it first: lakewright run +{fact.id}",
                )
            of = self._members(dataset, columns)
            on = one.columns(of.keys)
            at = (one.at or (spec.at if spec else None) or "") if of.versions else ""
            found.append(Found(name, of, on, at))
        return found

    # --- parts

    def _members(self, dataset: Dataset, columns: Mapping[str, str]) -> Members:
        dimension = dataset.file.dimension
        return Members(
            dataset.id,
            table(dataset.id),
            dataset.surrogate_key or "",
            dataset.natural_keys,
            columns,
            versions=write_mode(dataset) == "scd2",
            complete=dimension is not None and dimension.complete,
        )

    def _run(self, statement: exp.Expr) -> int:
        row = self.cursor.execute(statement.sql("duckdb")).fetchone()
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def _next(self, id: str) -> int:
        touched = self._touched.get(id)
        return touched.batch if touched else self.lake.last_batch(self.cursor, id) + 1

    def _touch(self, id: str, batch: int, rows: int, *, rebuilt: bool) -> None:
        base = self._touched.get(id) or self.lake.latest_checkpoints(self.cursor)[id]
        positions = msgspec.json.decode(base.positions or "{}")
        if rebuilt:
            positions["rebuilt"] = batch
        self._touched[id] = replace(
            base,
            batch=batch,
            positions=msgspec.json.encode(positions).decode(),
            rows=rows,
            at=self.at,
            kind="repair",
        )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
