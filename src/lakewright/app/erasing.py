"""One erasure at work: find people, plan, erase place by place, search again and sign."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from lakewright.app.cache import clear_cache
from lakewright.app.platform import Platform
from lakewright.erase import archives, journal, raw, record, scrub
from lakewright.erase.elsewhere import derived, elsewhere
from lakewright.erase.holders import Holder
from lakewright.erase.journal import Erasure, Place
from lakewright.erase.people import Named, People, Wanted
from lakewright.erase.resolve import Found, Sharing, find, require_unshared
from lakewright.erase.tables import erase_rows, rows_ever
from lakewright.errors import RunError
from lakewright.lake import holds
from lakewright.lake.raw import RawStore, open_raw
from lakewright.run.loads import loaded_states, rewrite_warehouse
from lakewright.security import audit, forgotten
from lakewright.sources.retire import sweep
from lakewright.sources.retired import retired_of
from lakewright.spec.sources import FileSource
from lakewright.state import now

if TYPE_CHECKING:
    import duckdb

__all__ = ["OUTSIDE", "Forgotten", "Options", "Work"]

#: What Lakewright cannot reach, for whoever answers for the erasure.
OUTSIDE = (
    "backups of the project and of its databases: delete them, or let them expire",
    "the sources: remove the person there, or they are delivered again (and left out)",
    "answers and files that people took out of the project",
)


@dataclass(frozen=True)
class Options:
    """How to erase. ``partial`` goes on where something must stay; ``drop_originals`` deletes files that nothing rewrites."""

    dry_run: bool = False
    partial: bool = False
    sharing: Sharing = None
    drop_originals: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Forgotten:
    """What was found and done. ``remaining`` are places where the people still are; ``record`` is the signed file."""

    id: str
    subject: str
    people: int
    places: tuple[Place, ...]
    outside: tuple[str, ...]
    remaining: tuple[str, ...] = ()
    complete: bool = False
    record: str = ""

    @property
    def rows(self) -> int:
        """Rows found in all places."""
        return sum(one.rows or 0 for one in self.places)


class Work:
    """One erasure at work."""

    def __init__(
        self,
        platform: Platform,
        named: Sequence[Named],
        options: Options,
        stack: ExitStack,
        *,
        people: People | None = None,
    ) -> None:
        self.platform = platform
        self.named = named
        self.options = options
        self.stack = stack
        self.services = platform.services
        self.spec = platform.project.file.subjects[named[0].subject]
        self.cursor: duckdb.DuckDBPyConnection = stack.enter_context(self.services.session.cursor())
        marks = journal.name_digests(platform.keys, named)
        known, self.earlier = journal.known_people(platform.state, platform.keys, self.spec, marks)
        self._known = people or known
        self._found: Found | None = None
        self._staged: list[raw.StagedRaw] = []
        self._rows_ever: int | None = None

    def found(self) -> Found:
        """Who they are and where, looked up once."""
        if self._found is None:
            found = find(
                self.services,
                self.cursor,
                self.spec,
                self.named,
                sharing=self.options.sharing,
                known=self._known,
            )
            self.stack.callback(found.wanted.close)
            self._found = found
        return self._found

    @property
    def people(self) -> People:
        """Who they are."""
        return self.found().people

    @property
    def wanted(self) -> Wanted:
        """Their values, in a table."""
        return self.found().wanted

    @property
    def archive_store(self) -> RawStore:
        """Where archives lie."""
        return open_raw(self.platform.project.file.lake, self.platform.root, self.platform.resolve, "archive")

    def plan(self) -> Forgotten:
        """Find everything, and write raw files anew beside those that are there."""
        found = self.found()
        if not self.options.dry_run:
            require_unshared(found, self.options.sharing)
        self._stage_raw()
        places = [*self._raw_places(), *self._table_places(), *self._archive_places(), *self._other_places()]
        if self.earlier is not None:
            places = _together(self.earlier.found, places)
        id = self.earlier.id if self.earlier else ""
        count = max(1, len(self.people.values.get(self.spec.identifier, ())))
        return Forgotten(
            id,
            self.people.subject,
            count,
            tuple(places),
            (*self._perhaps(), *self._audit(), *self._source_files(), *OUTSIDE),
        )

    # --- what there is

    def _stage_raw(self) -> None:
        folder = self.services.store.staging()
        self.stack.callback(shutil.rmtree, folder, ignore_errors=True)
        rejects = {
            one.holder.dataset: one.holder for one in self.found().counts if one.holder.place == "rejects"
        }
        for number, count in enumerate(one for one in self.found().counts if one.holder.place == "raw"):
            part = folder / f"dataset-{number}"
            part.mkdir()
            self._staged.append(
                raw.stage(
                    self.services, count.holder, rejects.get(count.holder.dataset), self.wanted, part,
                    drop=self.options.drop_originals,
                )
            )  # fmt: skip

    def _raw_places(self) -> list[Place]:
        rows = {one.holder.dataset: one.rows for one in self.found().counts if one.holder.place == "raw"}
        places = []
        for one in self._staged:
            kept = f"{'; '.join(one.problems)} (--drop-originals deletes such files)" if one.problems else ""
            kept = kept or self._held(one.dataset)
            places.append(Place("raw files", one.dataset, "cut out", rows[one.dataset], kept))
            gone = sum(count for _, count in one.rejects.values())
            if gone:
                places.append(
                    Place("unreadable lines", one.dataset, "cut out", gone, self._held(one.dataset))
                )
        return places

    def _table_places(self) -> list[Place]:
        words = {"table": "table", "quarantine": "quarantine", "rejects": "quarantine"}
        return [
            Place(
                words[one.holder.place],
                one.holder.id,
                f"redact {', '.join(one.holder.redact)}" if one.holder.redact else "delete rows",
                one.rows,
                self._held(one.holder.dataset) if one.rows else "",
            )
            for one in self.found().counts
            if one.holder.place != "raw"
        ]

    def _archive_places(self) -> list[Place]:
        places = []
        for holder in self._tables():
            found = archives.count(self.services, self.cursor, holder, self.wanted, self.archive_store)
            rows = sum(one.rows for one in found)
            if rows:
                action = "redact" if holder.redact else "delete rows"
                places.append(Place("archive", holder.dataset, action, rows, self._held(holder.dataset)))
        return places

    def _other_places(self) -> list[Place]:
        places = []
        if self._touched():
            lake = self.services.lake
            kept = ""
            if not lake.capabilities.expiry:
                kept = f"a lake of kind {lake.kind!r} cannot forget versions: {lake.capabilities.notes.get('expiry', '')}"
            elif held := holds.listed(self.platform.state):
                kept = (
                    f"hold {held[0].id} on {held[0].dataset}: versions of the lake hold rows of every dataset"
                )
            places.append(Place("versions", "lake", "forget", self._ever() or None, kept))
        tokens = sum(len(one) for one in self._tokens().values())
        if tokens:
            places.append(Place("tokens", "vault", "delete", tokens))
        places += [Place("warehouse", id, "load anew", None) for id in self._warehouses()]
        if self._touched():
            places.append(Place("findings, reports, logs", "runs", "delete or blot out", None))
            if self.platform.project.file.query_cache is not None:
                places.append(Place("cache", "queries", "empty", None))
        for id, rows in self._undeclared(self.found()).items():
            places.append(Place("table", id, "", rows, "not declared under `subjects`"))
        return places

    def _undeclared(self, found: Found) -> dict[str, int]:
        """Rows of theirs in tables and columns that nobody declared."""
        where = [one.holder for one in found.counts]
        texts = elsewhere(self.services, self.cursor, self.wanted, {one.id for one in where})
        return {**texts, **derived(self.services, self.cursor, self.wanted, where)}

    def _perhaps(self) -> list[str]:
        """Tables that hold a text of theirs which may be somebody else's as well."""
        known = {one.holder.id for one in self.found().counts}
        sure = elsewhere(self.services, self.cursor, self.wanted, known)
        found = elsewhere(self.services, self.cursor, self.wanted, known, identifying=False)
        return [
            f"{id}: {rows} rows hold a text that is theirs elsewhere: look, and declare it if it is about them"
            for id, rows in found.items()
            if id not in sure
        ]

    def _touched(self) -> bool:
        """Whether there is anything to erase, or a killed call had begun to."""
        return self.earlier is not None or any(one.rows for one in self.found().counts) or self._ever() > 0

    def _ever(self) -> int:
        """Rows of theirs that tables of the lake had in any version: they can be read there still."""
        if self._rows_ever is None:
            where = [one.holder for one in self.found().counts]
            self._rows_ever = sum(rows_ever(self.services, self.cursor, self.wanted, one) for one in where)
        return self._rows_ever

    def _tables(self) -> list[Holder]:
        return [one.holder for one in self.found().counts if one.holder.place == "table"]

    def _held(self, dataset: str) -> str:
        found = holds.active(self.platform.state, [dataset]).get(dataset, ())
        return f"hold {found[0].id}: {found[0].reason}" if found else ""

    def _tokens(self) -> dict[str, set[str]]:
        from lakewright.spec.mask import Token

        found = {domain: set(tokens) for domain, tokens in self.people.tokens.items()}
        for holder in self._tables():
            for name, mask in holder.keys.values():
                if isinstance(mask, Token):
                    found.setdefault(mask.domain, set()).update(self.wanted.masks_of(name, mask))
        there = self.platform.vault
        return {domain: there.present(domain, sorted(tokens)) for domain, tokens in found.items() if tokens}

    def _warehouses(self) -> list[str]:
        if not self._touched():
            return []
        mine = set(self.spec.datasets)
        served = loaded_states(self.platform.state)
        return [
            id
            for id, one in self.platform.project.warehouses.items()
            if id in served and mine & set(one.datasets)
        ]

    def _audit(self) -> list[str]:
        count = scrub.audited(self.services, self.people)
        return [f"the audit log: {count} entries name the person, and none is ever changed"] if count else []

    def _source_files(self) -> tuple[str, ...]:
        """Files of the sources that raw has a copy of: they are not ours to change."""
        places = []
        for one in self._staged:
            source = self.platform.project.sources[self.platform.project.raw[one.dataset]]
            files = {cut.file.path for cut in one.cuts if cut.removed or cut.problem}
            if files and isinstance(source, FileSource):
                shown = ", ".join(sorted(files)[:5]) + (" …" if len(files) > 5 else "")
                places.append(
                    f"{source.path}: {shown}: remove the person there; these files are not read again"
                )
        return tuple(places)

    # --- doing it

    def refuse(self, plan: Forgotten) -> None:
        """Raise LW813 where something would stay, unless that is accepted."""
        kept = [f"{one.place} {one.dataset}: {one.kept}" for one in plan.places if one.kept]
        if kept and not self.options.partial:
            raise RunError("LW813", f"{len(kept)} places keep the person", tried=kept)

    def begin(self, plan: Forgotten) -> Erasure:
        """Write down what is about to be done, and who is not to come in again."""
        platform = self.platform
        # whoever writes the reason may name the person in it
        reason = str(scrub.blotted(self.people, {"reason": self.options.reason})["reason"])
        erasure = journal.begin(platform.state, platform.keys, self.people, self.named, reason, plan.places)
        detail = {"erasure": erasure.id, "people": erasure.people}
        platform.audit.record("forget", self.people.subject, reason=reason, detail=detail)
        forgotten.put(
            platform.state, platform.keys, self.people.subject, self.people.values, self.people.whole
        )
        self._erasure = erasure
        return erasure

    def erase(self) -> None:
        """Erase everywhere but in warehouses. Each step may be done again."""
        # copies that a killed `lifecycle` left are in no manifest
        sweep(self.platform.state, self.services.store, retired_of(self.platform.state))
        if not self._touched():
            return
        held = {id for id in self.spec.datasets if self._held(id)}
        for one in self._staged:
            if one.dataset not in held:
                raw.publish(self.services, one, self._erasure.id)
        where = [one.holder for one in self.found().counts if one.holder.dataset not in held]
        erase_rows(self.services, self.cursor, self.wanted, where, self._erasure.id)
        for holder in self._tables():
            if holder.dataset not in held:
                archives.erase(self.services, self.cursor, holder, self.wanted, self.archive_store)
        if self.services.lake.capabilities.expiry and not holds.listed(self.platform.state):
            ids = [one.holder.id for one in self.found().counts if one.holder.place != "raw"]
            self.services.lake.purge(self.cursor, ids)
        for domain, tokens in self._tokens().items():
            self.platform.vault.forget(domain, sorted(tokens))
        scrub.scrub(self.services, self.people, sorted({*self.spec.datasets}))
        self._empty_cache()

    def _empty_cache(self) -> None:
        if self.platform.project.file.query_cache is not None:
            clear_cache(self.platform)

    def load_warehouses(self) -> list[str]:
        """Load the warehouses anew; return why any was not."""
        from lakewright.app.run import run

        failed = []
        for id in self._warehouses():
            report = run(self.platform, [id], full_refresh=True)
            if report.status == "succeeded":
                rewrite_warehouse(self.services, id)
            else:
                failed.append(
                    f"{id}: {next((one.error for one in report.tasks if one.error), report.status)}"
                )
        return failed

    # --- the proof

    def remaining(self, found: Found) -> tuple[str, ...]:
        """Return where the people are found still."""
        left = [f"{one.rows} rows of {one.holder.id}" for one in found.counts if one.rows]
        if self._ever():
            left.append(f"{self._ever()} rows of earlier versions of the lake")
        left += [f"{rows} rows of {id}" for id, rows in self._undeclared(found).items()]
        for holder in self._tables():
            counted = archives.count(self.services, self.cursor, holder, self.wanted, self.archive_store)
            left += [f"{one.rows} rows of the archive {one.archive.path}" for one in counted if one.rows]
        left += [f"{len(tokens)} tokens of {domain}" for domain, tokens in self._tokens().items() if tokens]
        return tuple(left + scrub.kept_about(self.services, self.people))

    def prove(self, erasure: Erasure, plan: Forgotten, failed: Sequence[str]) -> Forgotten:
        """Search again, sign what was done, and wipe what was only needed to do it."""
        platform = self.platform
        self._empty_cache()
        scrub.scrub(self.services, self.people, ())
        kept = tuple(f"{one.place} {one.dataset}: {one.kept}" for one in plan.places if one.kept)
        left = (*failed, *self.remaining(self.found()))
        complete = not left and not kept
        body: dict[str, Any] = {
            "record": "erasure of personal data",
            "version": 1,
            "id": erasure.id,
            "project": platform.project.file.name,
            "target": platform.project.target,
            "lakewright": version("lakewright"),
            "subject": erasure.subject,
            "people": erasure.people,
            "named": list(erasure.named),
            "reason": erasure.reason,
            "by": audit.who(),
            "started": erasure.started.isoformat(),
            "ended": now().isoformat(),
            "places": [
                {
                    "place": one.place,
                    "dataset": one.dataset,
                    "action": one.action,
                    "rows": one.rows,
                    "kept": one.kept,
                }
                for one in plan.places
            ],
            "files": raw.listed(platform.state, erasure.id),
            "remaining": list(left),
            "outside": list(OUTSIDE),
            "complete": complete,
        }
        signed = record.sign(platform.keys, scrub.blotted(self.people, body))
        path = record.keep(platform.root, erasure.id, signed)
        journal.finish(platform.state, erasure.id, json.dumps(signed), complete=complete)
        platform.state.rewrite()
        result = replace(plan, id=erasure.id, remaining=left, complete=complete, record=str(path))
        if left:
            raise RunError("LW814", f"{len(left)} places hold the person still", tried=list(left))
        return result


def _together(first: Sequence[Place], now: Sequence[Place]) -> list[Place]:
    """What a killed call found before it began is what is erased in all; what stays is what stays now."""
    left = {(one.place, one.dataset): one for one in now}
    found = []
    for one in first:
        here = left.pop((one.place, one.dataset), None)
        found.append(msgspec.structs.replace(one, kept=here.kept if here is not None else ""))
    return [*found, *(one for one in left.values() if one.rows or one.kept)]
