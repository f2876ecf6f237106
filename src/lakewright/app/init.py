"""`init`: a new project from a template, or written for files that are there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from lakewright.errors import NotFoundError, UsageError, nearest

__all__ = ["TEMPLATES", "Made", "init_from", "init_template"]

#: The templates that ``init --template`` knows.
TEMPLATES = ("quickstart", "empty")


@dataclass(frozen=True)
class Made:
    """A project that was written: its files relative to ``folder``, and what was guessed."""

    name: str
    folder: str
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()


def init_template(folder: Path, template: str = "quickstart") -> Made:
    """Write the project *template* into *folder*; ``quickstart`` gets a shop's data too.

    Raises LW905 when the folder already holds a project or other files.
    """
    if template not in TEMPLATES:
        raise NotFoundError(
            "LW901", f"no template {template!r}{nearest(template, TEMPLATES)}", tried=TEMPLATES
        )
    _require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("lakewright.project") / "templates" / template) as source:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    notes: tuple[str, ...] = ()
    if template == "quickstart":
        from lakewright.sources.sample import write_shop

        sample = write_shop(folder / "landing")
        notes = (f"made up the shop's data in {folder / 'landing'}: {sample}",)
    name = _name_project(folder)
    written = sorted(
        str(one.relative_to(folder))
        for one in folder.rglob("*")
        if one.is_file() and "landing" not in one.parts
    )
    return Made(name, str(folder), tuple(written), notes)


def init_from(folder: Path, source: str) -> Made:
    """Look at the files under *source* and write a project for them into *folder*.

    Raises LW201 when *source* does not exist, LW905 for a folder that is not empty, LW906 when there
    is no file that can be read.
    """
    from lakewright.project.draft import write_project
    from lakewright.sources.profile import survey

    _require_empty(folder)
    if "://" not in source and not Path(source).expanduser().exists():
        raise NotFoundError("LW201", f"{source!r} does not exist", tried=[str(Path(source).absolute())])
    found = survey(source)
    if not found.tables:
        raise UsageError(
            "LW906",
            f"no file under {source} can be read",
            tried=[f"{path}: {reason}" for path, reason in found.skipped][:20],
        )
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.resolve().name
    # a source is a folder; its pattern names the one file
    alone = "://" not in source and Path(source).expanduser().is_file()
    base = str(Path(source).expanduser().parent) if alone else source
    written = write_project(folder, name=name, source=base, tables=found.tables)
    notes = [
        f"{one.name}: {one.file_count} {'file' if one.file_count == 1 else 'files'}, {one.rows:,} rows, {len(one.columns)} columns"
        for one in found.tables
    ]
    notes += [f"left out {path}: {reason}" for path, reason in found.skipped]
    return Made(name, str(folder), tuple(written), tuple(notes))


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError("LW905", f"{folder} is a file")
    if folder.is_dir() and any(folder.iterdir()):
        what = "a project" if (folder / "lakewright.yaml").exists() else "files"
        raise UsageError("LW905", f"{folder} already holds {what}; nothing was written")


def _name_project(folder: Path) -> str:
    import re

    name = re.sub(r"[^a-z0-9_]+", "_", folder.resolve().name.lower()).strip("_") or "project"
    file = folder / "lakewright.yaml"
    text = file.read_text("utf-8")
    file.write_text(re.sub(r"(?m)^name:.*$", f"name: {name}", text, count=1), "utf-8")
    return name
