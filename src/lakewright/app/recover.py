"""`recover`: bring a whole project back, a dataset, or the files that are gone."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from lakewright.app.backup import open_place
from lakewright.app.cache import clear_cache
from lakewright.app.platform import Platform
from lakewright.app.query import snapshot_of
from lakewright.errors import LakewrightError, ProjectError, RunError, UsageError
from lakewright.lake import archive
from lakewright.lake.locks import CommitLock
from lakewright.project import resolve_secret
from lakewright.project.targets import PROJECT_FILE
from lakewright.recovery import heal as healing
from lakewright.recovery import history, seal, stand, whole
from lakewright.recovery.choose import Chosen, choose
from lakewright.recovery.create import Source
from lakewright.recovery.dataset import Reloaded, recover_dataset
from lakewright.recovery.files import Stores
from lakewright.recovery.heal import Healed
from lakewright.recovery.model import Recovered
from lakewright.recovery.place import LATEST, Place
from lakewright.recovery.remake import remake
from lakewright.recovery.whole import Report
from lakewright.run.lease import LEASES
from lakewright.run.loads import warehouse_loads
from lakewright.security.audit import AuditLog
from lakewright.security.stores import open_store
from lakewright.spec.project import Key
from lakewright.state import now

__all__ = ["moment_of", "recover", "recover_datasets", "recover_files"]


def moment_of(at: str | datetime | None) -> datetime | None:
    """Return the time that *at* says, of this machine without a zone; None for ``latest`` or None.

    Raises LW904 for what is no time.
    """
    if at is None or at == LATEST:
        return None
    version, moment = snapshot_of(at)
    if version is not None or moment is None:
        raise UsageError(
            "LW904", f"{at!r} is no time", remedy="write it like 2026-03-01T12:00:00Z, or latest"
        )
    return moment


def recover(
    start: Path | str = ".",
    *,
    place: str | None = None,
    backup: str = LATEST,
    at: datetime | None = None,
    into: Path | None = None,
    target: str | None = None,
    passphrase_from: str | None = None,
    dry_run: bool = False,
) -> Report:
    """Bring a whole project back from a backup, to the time *at* or as the backup holds it.

    *into* is the folder of the project that is made, by default the project's own. Files that are right stay,
    what differs is moved aside. Killed at any moment, the same call goes on. Raises LW431 without a backup for
    that time, LW435 when the place is in use or of another kind, LW433 for a wrong passphrase.
    """
    settings = _settings(start, target, place)
    try:
        opened = open_place(settings, place)
        opened.require()
        root = (into or (settings.root if settings else Path(start))).resolve()
        mark = stand.read(root)
        chosen = choose(opened, mark.backup, mark.at) if mark else choose(opened, backup, at)
        phrase = _phrase(settings, root, passphrase_from)
        whole.sealed_with(opened, chosen, phrase)
    finally:
        if settings is not None:
            settings.close()
    elsewhere = settings is not None and root != settings.root
    chosen_target = target or chosen.manifest.target or None
    with CommitLock(f"recovery {root}", None if dry_run else root / ".lakewright" / "recovery.lock")():
        entries = chosen.manifest.of("project")
        new, differ = whole.project_files(opened, entries, root, dry_run=dry_run)
        notes = _differing(differ, root)
        if not (root / PROJECT_FILE).exists():
            return _empty(chosen, root, new)
        if elsewhere and target is None:
            _refuse_shared(root, chosen_target)
        if dry_run:
            return _dry(chosen, root, chosen_target, new, notes)
        mark = mark or stand.Mark(
            f"{now():%Y%m%dt%H%M%S}-{secrets.token_hex(3)}", chosen.id, opened.address, chosen.at
        )
        return _recover(opened, chosen, root, chosen_target, mark, phrase, new, notes)


def _settings(start: Path | str, target: str | None, place: str | None) -> Platform | None:
    try:
        return Platform.open(start, target, recovering=True)
    except ProjectError:
        if place is None:
            raise
        return None


def _phrase(settings: Platform | None, root: Path, said: str | None) -> str | None:
    if said is None and settings is not None:
        said = settings.project.file.backup.passphrase
    resolve: Callable[[str], str] = (
        settings.resolve if settings is not None else lambda text: resolve_secret(text, root, os.environ)
    )
    return seal.passphrase(said, os.environ, resolve)


def _recover(
    place: Place,
    chosen: Chosen,
    root: Path,
    target: str | None,
    mark: stand.Mark,
    phrase: str | None,
    new: int,
    notes: list[str],
) -> Report:
    fresh = stand.read(root) is None
    with Platform.open(root, target, recovering=True) as platform:
        if platform.project.file.name != chosen.manifest.project:
            raise UsageError(
                "LW435",
                f"{root} is project {platform.project.file.name!r}, the backup is of {chosen.manifest.project!r}",
                remedy="recover into an empty folder: --into FOLDER",
            )
        stand.start(root, mark)
        try:
            _refuse_runs(platform)
        except BaseException:
            if fresh:
                stand.finish(root)
            raise
    with Platform.open(root, target, recovering=True) as platform:
        source = _source(platform)
        stores = Stores(source.store)
        todo = whole.survey(chosen, stores)
        moved, said = whole.recover(
            source,
            place,
            chosen,
            mark,
            stores,
            todo,
            phrase=phrase,
            keep_key=lambda name, version, material: _keep_key(platform, name, version, material),
        )
    with Platform.open(root, target, recovering=True) as platform:
        reached = _settle(platform, chosen, mark)
    stand.finish(root)
    replaced = sum(state == "damaged" for _, state in todo)
    files = chosen.manifest.of("tables", "raw", "archive")
    return Report(
        chosen.id,
        chosen.why,
        reached,
        str(root),
        len(todo) - replaced + new,
        replaced,
        len(files) - len(todo),
        sum(one.size for one, _ in todo),
        tuple(moved),
        (*notes, *said),
    )


def _refuse_runs(platform: Platform) -> None:
    """Raise LW612 when something goes on in the project; a state that cannot be read is no reason to stop."""
    file = _source(platform).database.file
    if file is not None and not file.exists():
        return
    try:
        with platform.journal.upkeep("recover"):
            pass
    except RunError as error:
        if error.code == "LW612":
            raise


def _settle(platform: Platform, chosen: Chosen, mark: stand.Mark) -> datetime:
    """Take from the databases what is no longer so, and go to the time asked for; return the instant that was reached."""
    with platform.state.begin(LEASES, warehouse_loads) as connection:
        connection.execute(LEASES.delete())
        # warehouses may hold what was given up: each is loaded as a whole next time
        connection.execute(warehouse_loads.delete())
    platform.journal.recover()
    # without a key: it may be among what was lost
    AuditLog(platform.state).record("recover", chosen.id, detail={"recovery": mark.id})
    history.add(platform.state, Recovered(mark.id, chosen.id, chosen.manifest.created))
    if platform.project.file.query_cache is not None:
        # results are kept by the lake's versions, whose numbers come again
        clear_cache(platform)
    services = platform.services
    with platform.journal.upkeep(f"recover from backup {chosen.id}"), services.session.cursor() as cursor:
        if chosen.at is None:
            return chosen.manifest.created
        at = chosen.at
        reached = next(one.at for one in services.lake.snapshots(cursor) if one.at <= at)
        services.lake.restore(cursor, None, timestamp=at)
        return reached


def recover_files(platform: Platform, *, place: str | None = None, dry_run: bool = False) -> list[Healed]:
    """Put back the files of the lake that are gone or damaged, from whatever backup has them whole.

    Readable copies of raw files are made anew from their originals, without a backup. Nothing else is touched.
    Returns every file that was not right; one that no backup has is not healed.
    """
    source = _source(platform)
    id = f"{now():%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
    with contextlib.nullcontext() if dry_run else platform.journal.upkeep("recover files"):
        made = _remake(platform, source, id, dry_run=dry_run)
        try:
            opened = open_place(platform, place)
            opened.require()
        except LakewrightError as error:
            if not made or place is not None:
                raise
            # what was made anew needs no backup; the rest does
            return made + healing.unhealed(source, made, error.problem.message)
        # tables first: without the files of its own tables the lake cannot tell of archives
        done = healing.heal(source, opened, id, healing.needed(source), dry_run=dry_run)
        with contextlib.suppress(LakewrightError):
            done += healing.heal_archives(source, opened, id, _archives(platform), dry_run=dry_run)
    known = {one.file for one in made}
    return made + [one for one in done if one.file not in known]


def _remake(platform: Platform, source: Source, id: str, *, dry_run: bool) -> list[Healed]:
    try:
        services = platform.services
    except LakewrightError:
        return []  # the lake itself is not there yet; backups may have it
    with services.session.cursor() as cursor:
        return remake(services, source, cursor, id, dry_run=dry_run)


def _archives(platform: Platform) -> list[str]:
    services = platform.services
    with services.session.cursor() as cursor:
        return [one.path for one in archive.archives(services.lake, cursor) if one.kind == "archived"]


def _source(platform: Platform) -> Source:
    return Source(platform.project, platform.state, platform.keys, platform.resolve)


def _keep_key(platform: Platform, name: str, version: int, material: bytes) -> None:
    spec = platform.project.file.keys.get(name, Key(store="keyring"))
    store = open_store(
        name, spec, root=platform.root, project=platform.project.file.name, resolve=platform.resolve
    )
    store.put(name, version, material)


def _differing(differ: list[str], root: Path) -> list[str]:
    if not differ:
        return []
    shown = ", ".join(differ[:5]) + (" …" if len(differ) > 5 else "")
    return [f"project files that differ from the backup's were left as they are in {root}: {shown}"]


def _refuse_shared(root: Path, target: str | None) -> None:
    """Raise LW435 when a recovery beside the project would reach the project's own lake, catalog or state."""
    with Platform.open(root, target, recovering=True) as platform:
        source = _source(platform)
        lake = Path(source.store("tables").root)
        files = (source.catalog.file, source.database.file, lake)
        if "://" not in platform.project.file.lake.path and all(
            one is not None and one.resolve().is_relative_to(root) for one in files
        ):
            return
    raise UsageError(
        "LW435",
        f"the lake, its catalog or the state of this project are not in its folder, so {root} would share them",
        remedy="name a target whose lake, catalog and state are apart: --target NAME",
    )


def _empty(chosen: Chosen, root: Path, new: int) -> Report:
    """What a dry run says of a folder without a project: everything would be put."""
    files = chosen.manifest.of("tables", "raw", "archive")
    size = sum(one.size for one in files)
    reached = chosen.at or chosen.manifest.created
    return Report(chosen.id, chosen.why, reached, str(root), len(files) + new, 0, 0, size)


def _dry(chosen: Chosen, root: Path, target: str | None, new: int, notes: list[str]) -> Report:
    with Platform.open(root, target, recovering=True) as platform:
        todo = whole.survey(chosen, Stores(_source(platform).store))
    replaced = sum(state == "damaged" for _, state in todo)
    return Report(
        chosen.id,
        chosen.why,
        chosen.at or chosen.manifest.created,
        str(root),
        len(todo) - replaced + new,
        replaced,
        len(chosen.manifest.of("tables", "raw", "archive")) - len(todo),
        sum(one.size for one, _ in todo),
        (),
        tuple(notes),
    )


def recover_datasets(
    platform: Platform,
    datasets: Sequence[str],
    *,
    place: str | None = None,
    backup: str = LATEST,
    at: datetime | None = None,
) -> list[Reloaded]:
    """Bring datasets back from a backup, each as one commit of the lake that goes on.

    The next run builds what came after, and what is made of them. Raises LW415 when a backup does not have
    one, LW436 when it holds what a later recovery gave up.
    """
    opened = open_place(platform, place)
    opened.require()
    ids = [platform.dataset_id(one) for one in datasets]
    for id in ids:
        if id not in platform.project.datasets:
            raise UsageError(
                "LW904",
                f"{id} has no table in the lake",
                remedy="raw files come back with `lakewright recover --files`, warehouses with `lakewright run`",
            )
    chosen = choose(opened, backup, at)
    if chosen.manifest.project != platform.project.file.name:
        raise UsageError("LW435", f"the backup is of project {chosen.manifest.project!r}")
    history.refuse_other_future(chosen.id, chosen.manifest, history.recoveries(platform.state))
    source = _source(platform)
    with platform.journal.upkeep(f"recover {', '.join(ids)} from backup {chosen.id}"):
        return [recover_dataset(platform.services, source, opened, chosen, id) for id in ids]
