"""`forget`, `erasures`: erase people everywhere, prove it, and go on where a killed erasure stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.app.platform import Platform
from lakewright.erase import journal, record
from lakewright.erase.holders import integer_identifiers, raw_files_of
from lakewright.erase.journal import Erasure, Place
from lakewright.erase.people import Named, People, parse
from lakewright.errors import RunError, UsageError
from lakewright.run.forgotten import forgotten_rows
from lakewright.security import forgotten
from lakewright.sources.read import reading
from lakewright.sql.names import column

if TYPE_CHECKING:
    pass

from lakewright.app.erasing import Forgotten, Options, Work

#: Nothing asked for in particular.
DEFAULTS = Options()

__all__ = [
    "Forgotten", "Options", "erasures", "forget", "named_people", "readmit", "resume", "returned", "verify",
]  # fmt: skip


def named_people(platform: Platform, texts: Sequence[str]) -> list[Named]:
    """Return who *texts* name (``customer=42``). Raises UsageError LW811, also for people of several kinds."""
    found = list(dict.fromkeys(parse(one, platform.project.file.subjects) for one in texts))
    if not found:
        raise UsageError("LW811", "nobody is named", remedy="name somebody: --subject customer=42")
    if len({one.subject for one in found}) > 1:
        raise UsageError("LW811", "people of several kinds", remedy="name those of one kind at a time")
    return found


def forget(
    platform: Platform,
    named: Sequence[Named],
    options: Options = DEFAULTS,
    *,
    confirm: Callable[[Forgotten], bool] = lambda _: True,
) -> Forgotten:
    """Erase the people *named* wherever the project keeps them; no run goes on beside it (LW612).

    *confirm* is shown what would be done, and says whether to go on. Killed at any moment, the same call goes
    on. Raises LW812 for people who share what leads to them, LW813 where something must stay and not
    ``partial``, LW814 when they are found still.
    """
    with platform.journal.upkeep("erasure"), ExitStack() as stack:
        work = Work(platform, named, options, stack)
        plan = work.plan()
        if options.dry_run or not confirm(plan):
            return plan
        work.refuse(plan)
        erasure = work.begin(plan)
        work.erase()
    # loading a warehouse is a run of its own
    failed = work.load_warehouses()
    with platform.journal.upkeep("proof of an erasure"), ExitStack() as stack:
        done = Work(platform, named, options, stack, people=work.people)
        return done.prove(erasure, plan, failed)


def resume(platform: Platform, options: Options = DEFAULTS) -> list[Forgotten]:
    """Go on with every erasure that was begun and not finished."""
    return [
        forget(platform, named, replace(options, reason=one.reason))
        for one, named in journal.unfinished(platform.state, platform.keys)
    ]


def returned(platform: Platform) -> list[list[Named]]:
    """Return the people who were forgotten and whom raw files hold again, by kind: a source delivered them anew."""
    services = platform.services
    found: dict[Named, None] = {}
    with services.session.cursor() as cursor:
        for id in platform.project.raw:
            if not any(id in subject.datasets for subject in platform.project.file.subjects.values()):
                continue
            files = raw_files_of(services, id)
            if not any(part.rows for file in files for part in file.parts):
                continue
            spec = platform.project.sources[platform.project.raw[id]].datasets[id.partition(".")[2]]
            given = reading(files, spec, store=services.store, cursor=cursor)
            for name, key, condition in forgotten_rows(services, cursor, id, given.columns):
                value = exp.cast(column(key), "VARCHAR")
                query = exp.select(value).distinct().from_(given.query.subquery("_all")).where(condition)
                what = platform.project.file.subjects[name].datasets[id]
                identifier = next(one for spelled, one in what.items() if spelled.lower() == key.lower())
                rows = cursor.execute(query.sql("duckdb")).fetchall()
                found |= {Named(name, identifier, str(row[0]).strip()): None for row in rows}
    kinds = dict.fromkeys(one.subject for one in found)
    return [[one for one in found if one.subject == kind] for kind in kinds]


def readmit(platform: Platform, named: Sequence[Named], reason: str = "") -> int:
    """Let people who were forgotten come in again with new data; return how many values left the list."""
    spec = platform.project.file.subjects[named[0].subject]
    platform.audit.record("readmit", named[0].subject, reason=reason, detail={"people": len(named)})
    count = 0
    with platform.services.session.cursor() as cursor:
        people = People(named[0].subject, spec)
        people.whole = integer_identifiers(platform.services, cursor, people)
    for one in named:
        value = people.normal(one.identifier, one.value)
        count += forgotten.readmit(platform.state, platform.keys, one.subject, one.identifier, value)
    return count


def erasures(platform: Platform) -> list[Erasure]:
    """Return all erasures, oldest first; nothing in them tells who it was."""
    return journal.listed(platform.state)


def verify(platform: Platform, path: Path, texts: Sequence[str] = ()) -> Forgotten:
    """Check the signature of a record, and look again for the people *texts* name, who must be its own.

    Raises RunError LW815 for a record that is not genuine or is about others.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise RunError("LW815", f"{path} cannot be read as a record") from None
    body = record.checked(platform.keys, content)
    found = tuple(
        Place(one["place"], one["dataset"], one["action"], one["rows"], one["kept"]) for one in body["places"]
    )
    result = Forgotten(
        body["id"], body["subject"], body["people"], found, tuple(body["outside"]), tuple(body["remaining"]),
        bool(body["complete"]), str(path),
    )  # fmt: skip
    if not texts:
        return result
    named = named_people(platform, texts)
    if list(journal.name_digests(platform.keys, named)) != body["named"]:
        raise RunError("LW815", "the record is about other people, or they were named differently")
    with ExitStack() as stack:
        work = Work(platform, named, Options(sharing="keep"), stack)
        left = work.remaining(work.found())
    return replace(result, remaining=left, complete=result.complete and not left)
