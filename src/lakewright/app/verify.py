"""`verify`: proof that the lake is whole, file by file and rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakewright.app.backup import open_place
from lakewright.app.platform import Platform
from lakewright.errors import LakewrightError
from lakewright.lake import archive
from lakewright.plan.select import select as choose
from lakewright.recovery import verify_files, verify_tables, verify_warehouses
from lakewright.recovery.create import Source
from lakewright.recovery.findings import WHOLE, Findings, Level
from lakewright.recovery.remake import doubted
from lakewright.sql.names import quarantine_id

__all__ = ["verify"]


def verify(
    platform: Platform,
    select: Sequence[str] = (),
    *,
    exclude: Sequence[str] = (),
    level: Level = "normal",
    tables: bool = True,
) -> Findings:
    """Compare what the catalog, the manifests and the project say with what is there. Nothing is changed.

    ``quick`` looks at names and sizes; ``normal`` also at what Parquet files say of themselves, keys, references
    and facts, and counts the rows that warehouses serve; ``deep`` reads every byte, adds up what warehouses serve, and compares it with the checksum that a backup or an earlier
    look noted (those that were not known are noted now). *select* limits it to some datasets; without *tables*
    only files are looked at.
    """
    found = Findings(level)
    source = Source(platform.project, platform.state, platform.keys, platform.resolve)
    ducklake = platform.project.file.lake.kind == "ducklake"
    if ducklake and _never_built(platform, source):
        found.notes.append("nothing was built yet")
        if _has_backups(platform):
            found.bad("databases", "", str(source.catalog.file), "is gone, though there are backups", WHOLE)
        return found
    if ducklake and not verify_files.databases(source, found):
        found.notes.append(
            "tables and files were not looked at: without catalog and state nobody knows of them"
        )
        return found
    ids = set(choose(platform.graph, platform.project, select, exclude=exclude))
    ids |= {quarantine_id(one) for one in ids if not one.startswith("warehouse.")}
    everything = not select and not exclude

    def chosen(id: str) -> bool:
        return everything or id in ids

    if everything and tables:
        _audit(platform, found)
    verify_files.raw_files(
        source, chosen, found, _doubted(platform, source, chosen) if level == "deep" else {}
    )
    try:
        services = platform.services
    except LakewrightError as error:
        found.bad("databases", "", "lake", error.problem.message, WHOLE)
        return found
    with services.session.cursor() as cursor:
        if ducklake:
            verify_files.data_files(source, cursor, chosen, found)
        if not tables:
            return found
        readable = verify_tables.tables(services, cursor, chosen, found)
        if not _lost(found, archive.ARCHIVES):
            known = archive.archives(services.lake, cursor)
            folders = [
                (one.dataset, one.path) for one in known if one.kind == "archived" and chosen(one.dataset)
            ]
            verify_files.archives(source, folders, found)
        verify_tables.checkpoints(services, cursor, chosen, readable, found)
        if level != "quick":
            verify_tables.rules(services, cursor, chosen, readable, found)
            verify_warehouses.warehouses(services, cursor, chosen, readable, found)
    return found


def _doubted(platform: Platform, source: Source, chosen: Callable[[str], bool]) -> dict[str, str]:
    try:
        services = platform.services
    except LakewrightError:
        return {}  # that is told when tables are looked at
    with services.session.cursor() as cursor:
        return doubted(services, source, cursor, chosen)


def _never_built(platform: Platform, source: Source) -> bool:
    """Whether there is no catalog because there never was one: no file of a table, and no run in the journal."""
    catalog, state = source.catalog.file, source.database.file
    if catalog is None or catalog.exists() or next(source.store("tables").list(), None) is not None:
        return False
    return (state is not None and not state.exists()) or not platform.journal.runs(limit=1)


def _has_backups(platform: Platform) -> bool:
    if platform.project.file.backup.to is None:
        return False
    return bool(open_place(platform, None).ids())


def _audit(platform: Platform, found: Findings) -> None:
    """Look whether every entry of the audit log follows from the one before."""
    try:
        verdict = platform.audit.verify()
    except LakewrightError as error:
        found.bad("audit log", "", "keys", error.problem.message, "lakewright recover --passphrase-from REF")
        return
    found.saw("audit entries", verdict.entries)
    for one in verdict.problems:
        found.bad(
            "audit log", "", "security_audit", one, "compare with a backup: lakewright recover --into FOLDER"
        )


def _lost(found: Findings, id: str) -> bool:
    return any(one.dataset == id for one in found.problems)
