"""`export-subject`: everything that is kept about people, in a folder or a zip file for them."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lakewright.app.platform import Platform
from lakewright.erase.export import Exported, write
from lakewright.erase.people import Named
from lakewright.erase.resolve import Sharing, find, require_unshared
from lakewright.errors import UsageError
from lakewright.lake.raw import open_raw
from lakewright.state import now

__all__ = ["Export", "export_subject"]

_MODE = 0o600


@dataclass(frozen=True)
class Export:
    """What was written, and where. ``path`` is the folder or the zip file."""

    subject: str
    people: int
    path: str
    parts: tuple[Exported, ...]

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(one.rows for one in self.parts)


def export_subject(
    platform: Platform, named: Sequence[Named], output: Path, *, reason: str, sharing: Sharing = None
) -> Export:
    """Write all that is kept about the people *named* to *output*, a new folder or a ``.zip`` file.

    Files are for their owner alone to read (mode 0600). Tokens are replaced by what they stand for; the audit
    says who asked and why before that. Raises LW812 for people who share what leads to them.
    """
    if not reason.strip():
        raise UsageError("LW904", "a reason is needed: it goes into the audit", remedy="add --reason")
    if output.exists() and (output.is_file() or any(output.iterdir())):
        raise UsageError("LW904", f"{output} is there already", remedy="name a new folder or zip file")
    services = platform.services
    spec = platform.project.file.subjects[named[0].subject]
    detail = {"people": len(named), "to": output.name}
    platform.audit.record("export", named[0].subject, reason=reason, detail=detail)
    output.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # beside its place, so that it is there as a whole or not at all; only its owner may look into it
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        cursor = stack.enter_context(services.session.cursor())
        found = find(services, cursor, spec, named, sharing=sharing)
        stack.callback(found.wanted.close)
        require_unshared(found, sharing)
        store = open_raw(platform.project.file.lake, platform.root, platform.resolve, "archive")
        parts = write(services, cursor, found, folder, store)
        for leftover in folder.glob(".*"):
            leftover.unlink()
        overview = _overview(platform, found.people.subject, parts)
        (folder / "overview.md").write_text(overview, "utf-8")
        for file in (one for one in folder.rglob("*") if one.is_file()):
            file.chmod(_MODE)
        _place(folder, output)
    count = max(1, len(found.people.values.get(spec.identifier, ())))
    return Export(found.people.subject, count, str(output), tuple(parts))


def _place(folder: Path, output: Path) -> None:
    if output.suffix.lower() != ".zip":
        if output.exists():
            output.rmdir()
        folder.rename(output)
        return
    part = folder / ".export.zip"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with os.fdopen(handle, "wb") as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(one for one in folder.rglob("*") if one.is_file() and one != part):
            archive.write(file, file.relative_to(folder))
    part.replace(output)


def _overview(platform: Platform, subject: str, parts: Sequence[Exported]) -> str:
    lines = [
        f"# What {platform.project.file.name} keeps about a {subject}",
        "",
        f"Written on {now():%Y-%m-%d %H:%M} UTC. Each part is there as JSON and as CSV, with the same rows.",
        "",
    ]
    if not parts:
        lines += ["Nothing is kept.", ""]
    for one in parts:
        spec = platform.project.datasets.get(one.dataset)
        lines += [f"## {one.dataset}", ""]
        if spec is not None and spec.file.description:
            lines += [spec.file.description, ""]
        lines += [
            f"- {one.place}, {one.rows:,} {'row' if one.rows == 1 else 'rows'}: `{one.name}.json`, `{one.name}.csv`"
        ]
        if one.files:
            lines += [f"- from {', '.join(f'`{file}`' for file in one.files)}"]
        if one.first:
            lines += [f"- taken over between {one.first} and {one.last}"]
        if one.versions:
            lines += [f"- in {one.versions} versions of the lake, of which this is the newest"]
        if one.revealed:
            lines += [f"- kept as tokens, shown here in clear: {', '.join(one.revealed)}"]
        lines += [""]
    return "\n".join(lines)
