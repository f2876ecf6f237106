"""What `lifecycle`, `archives` and `restore` do with raw files: whole files, by the day on which they were taken."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from lakewright.app.platform import Platform
from lakewright.erase import raw as erased
from lakewright.lake.archive import Archive
from lakewright.lake.holds import Hold
from lakewright.recovery.create import Source
from lakewright.run.raw_readers import Readers, readers_of
from lakewright.sources import retire
from lakewright.sources.manifest import RawFile, files_of
from lakewright.sources.retired import Retired, retired_of
from lakewright.spec.project import Zone
from lakewright.spec.sources import FileSource
from lakewright.state import now

__all__ = ["Aged", "Due", "age", "archives", "due", "policy", "restore"]

#: How long raw files stay where nobody says otherwise.
RETENTION = "90d"

#: As many files, or bytes, are moved before what was done is noted.
_FILES, _BYTES = 200, 1 << 30


@dataclass
class Due:
    """Files whose time has come, and why others of their age stay."""

    files: list[RawFile] = field(default_factory=list)
    stay: Counter[str] = field(default_factory=Counter)

    @property
    def why(self) -> str:
        """Why files stay, in words; "" where none does."""
        return "; ".join(
            f"{count:,} {'file stays' if count == 1 else 'files stay'}: {why}"
            for why, count in self.stay.items()
        )


@dataclass(frozen=True)
class Aged:
    """What was done to old files of a dataset, and why some of them stay."""

    files: int
    rows: int
    path: str
    why: str


def policy(platform: Platform, id: str) -> tuple[str, bool]:
    """Return the retention of a raw dataset's files, and whether older ones are archived rather than deleted."""
    project = platform.project
    zone = project.file.zones.get("raw", Zone())
    source = project.sources[project.raw[id]]
    spec = source.datasets[id.partition(".")[2]]
    moves = next((one.archive for one in (spec, source) if one.archive is not None), zone.archive)
    return spec.retention or source.retention or zone.retention or RETENTION, moves


def due(platform: Platform, id: str, before: date, held: Sequence[Hold], *, moves: bool) -> Due:
    """Return the files of a raw dataset that were taken before a day, UTC, and that nobody needs where they are."""
    found = Due()
    readers = readers_of(platform.services, platform.graph, id)
    for file in files_of(platform.state, id, current=False):
        if file.gone or file.taken_at.date() >= before:
            continue
        why = _stays(file, held, readers, moves=moves)
        if why:
            found.stay[why] += 1
        else:
            found.files.append(file)
    return found


def age(platform: Platform, id: str, found: Due, *, moves: bool) -> Aged:
    """Move the files that are due to the archive, or delete them; end what a killed call began."""
    services = platform.services
    _settle(platform, id)
    stay, rows, count = Counter(found.stay), 0, 0
    call = f"{now().date().isoformat()}-{uuid.uuid4().hex[:12]}"
    known = _known(platform) if moves and found.files else {}
    for part in _portions(found.files):
        if moves:
            done = _move(platform, id, part, known, call, stay)
        else:
            done = retire.expire_files(platform.state, services.store, part, call)
        count += len(done)
        rows += sum(one.rows for one in done)
    path = _folder(platform, id) if moves and count else ""
    return Aged(count, rows, path, Due([], stay).why)


def archives(platform: Platform, id: str | None = None) -> list[Archive]:
    """Return what became of old raw files, a line per call and dataset; first and last are days on which they were taken."""
    calls: dict[tuple[str, str], list[Retired]] = {}
    for one in retired_of(platform.state, id):
        if one.kind != "restored":
            calls.setdefault((one.dataset, one.archive), []).append(one)
    made = []
    taken = {dataset: _taken(platform, dataset) for dataset, _ in calls}
    for (dataset, call), mine in calls.items():
        files = taken[dataset]
        days = [files[one.path, one.version].taken_at.date() for one in mine]
        kind = mine[0].kind
        path = _folder(platform, dataset) if kind == "archived" else ""
        rows = sum(_rows(files, one) for one in mine)
        made.append(Archive(call, dataset, kind, path, rows, min(days), max(days), mine[0].at))
    return sorted(made, key=lambda one: (one.at, one.id))


def restore(platform: Platform, id: str, wanted: Sequence[str]) -> tuple[int, int]:
    """Bring archived files of a raw dataset back to the raw zone; return how many calls' and how many rows."""
    state, store = platform.state, platform.services.store
    _settle(platform, id)
    mine = [
        one
        for one in retired_of(state, id)
        if one.kind == "archived" and (not wanted or one.archive in wanted)
    ]
    for number in range(0, len(mine), _FILES):
        retire.restore_files(state, store, mine[number : number + _FILES], erased.moved)
    calls = {one.archive for one in mine}
    retire.tell(state, store, id, calls)
    files = _taken(platform, id)
    return len(calls), sum(_rows(files, one) for one in mine)


def _folder(platform: Platform, id: str) -> str:
    """Where the archive keeps the files of a raw dataset, also of one that the project has no more."""
    return f"raw/{platform.project.raw.get(id, '')}/{id.partition('.')[2]}"


def _settle(platform: Platform, id: str) -> None:
    """End what a killed call began: files on the wrong side, and manifests that were not written."""
    state, store = platform.state, platform.services.store
    found = retired_of(state, id)
    retire.sweep(state, store, found)
    calls = {one.archive for one in found if one.kind == "archived"}
    late = {one for one in calls if not store.exists(retire.manifest_path(id, one))}
    retire.tell(state, store, id, late | {one.archive for one in found if one.kind == "restored"})


def _rows(files: Mapping[tuple[str, int], RawFile], one: Retired) -> int:
    """The rows that a file has, less those of people who were erased since it was archived; or had, when it is gone."""
    return one.rows if one.kind == "expired" else files[one.path, one.version].rows


def _stays(file: RawFile, held: Sequence[Hold], readers: Readers, *, moves: bool) -> str:
    day = file.taken_at.date()
    for one in held:
        if (one.first is None or one.first <= day) and (one.last is None or day <= one.last):
            return f"held: {one.reason}"
    late = readers.waits(file)
    if late:
        return late
    if not moves and readers.again and file.superseded_in is None:
        return f"{readers.again[0]}: `archive: true` keeps it readable"
    return ""


def _move(
    platform: Platform,
    id: str,
    files: Sequence[RawFile],
    known: Mapping[str, str],
    call: str,
    stay: Counter[str],
) -> list[Retired]:
    store = platform.services.store
    zone = platform.project.file.zones.get("raw", Zone())
    source = platform.project.sources[platform.project.raw[id]]
    done, problems = retire.archive_files(
        platform.state,
        store,
        files,
        known,
        call,
        storage_class=zone.storage_class or "",
        plain=isinstance(source, FileSource),
        also=erased.moved,
    )
    stay.update(problems)
    if done:
        retire.tell(platform.state, store, id, [call])
    return done


def _known(platform: Platform) -> dict[str, str]:
    """The files that the raw zone has to have, with their SHA-256 where it is known."""
    source = Source(platform.project, platform.state, platform.keys, platform.resolve)
    return {path: one.sha256 for path, one in source.raw_files().items()}


def _taken(platform: Platform, id: str) -> dict[tuple[str, int], RawFile]:
    return {(one.path, one.version): one for one in files_of(platform.state, id, current=False)}


def _portions(files: Sequence[RawFile]) -> Iterator[list[RawFile]]:
    part: list[RawFile] = []
    size = 0
    for one in files:
        part.append(one)
        size += one.size
        if len(part) >= _FILES or size >= _BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
