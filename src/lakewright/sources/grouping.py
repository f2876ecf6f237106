"""Group the files of a folder into tables: same name but for dates and numbers, or same header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lakewright.sources.discover import matches
from lakewright.sources.kinds import COMPRESSIONS
from lakewright.sql.names import snake_case

__all__ = ["Group", "by_header", "by_name", "name_groups"]

#: What numbers the parts of one table: dates, counters, versions, quarters, hashes.
_VARIES = re.compile(
    r"(?:^|[-_. ()]+)(?:\d{4}[-_.]?q[1-4]|q[1-4]|v?\d[\d\-_.T:]*|[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12})\)?(?=$|[-_. ])"
    r"|(?<=[a-z])\d{2,}$",
    re.IGNORECASE,
)
#: Names that say nothing about what is in a file.
_EMPTY = frozenset(
    ("", "part", "data", "file", "export", "chunk", "f", "p", "output", "batch", "page", "sheet")
)


@dataclass(frozen=True, slots=True)
class Group:
    """Files that make one table. ``files`` are paths or patterns that fit exactly ``paths``."""

    name: str
    paths: tuple[str, ...]
    files: tuple[str, ...]


def by_name(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """Return *paths* in groups whose folder, ending and name without dates and numbers are the same.

    Folders such as ``year=2024`` and ``2024/01`` belong to the table above them.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for path in sorted(paths):
        file = PurePosixPath(path)
        stem, ending = _split(file.name)
        groups.setdefault((_home(file), _stem(stem), ending), []).append(path)
    return [tuple(group) for group in groups.values()]


def by_header(
    groups: Sequence[tuple[str, ...]], headers: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Return *groups* split where their files have little in common, and joined where names and headers agree.

    *headers* are the columns of each path; a path that has none stays alone.
    """
    split: list[tuple[str, ...]] = []
    for group in groups:
        kinds: list[list[str]] = []
        for path in group:
            for kind in kinds:
                if _alike(headers.get(kind[0], ()), headers.get(path, ())):
                    kind.append(path)
                    break
            else:
                kinds.append([path])
        split += [tuple(kind) for kind in kinds]
    joined: dict[tuple[object, ...], list[str]] = {}
    for group in split:
        first = PurePosixPath(group[0])
        stem, ending = _split(first.name)
        header = headers.get(group[0], ())
        word = re.split(r"[-_. ]", stem.lower())[0]
        # sales_north.csv and sales_south.csv are one table when their columns are the same
        same = (first.parent, ending, header, word) if len(header) > 1 and len(word) > 2 else (group[0],)
        joined.setdefault(same, []).extend(group)
    return [tuple(sorted(group)) for group in joined.values()]


def name_groups(groups: Sequence[tuple[str, ...]], every: Sequence[str], fallback: str) -> list[Group]:
    """Return the groups with their names and patterns, ordered by name.

    *every* are all files of the folder: a pattern must not fit any of another group. *fallback* is
    the name for files at the top whose own names say nothing.
    """
    named = [Group("", paths, _files(paths, every)) for paths in groups]
    taken: dict[str, int] = {}
    result = []
    for group in sorted(named, key=lambda one: one.paths[0]):
        name = _name(group, fallback)
        if name in taken:
            folder = PurePosixPath(group.paths[0]).parent.name
            longer = snake_case(f"{folder}_{name}") if folder and folder != name else name
            stem = snake_case(_split(PurePosixPath(group.paths[0]).name)[0])
            name = next(
                (
                    one
                    for one in (longer, stem, f"{name}_{_split(group.paths[0])[1].lstrip('.').split('.')[0]}")
                    if one not in taken
                ),
                name,
            )
        base, number = name, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken[name] = 1
        result.append(replace(group, name=name))
    return sorted(_shorter(result), key=lambda one: one.name)


def _shorter(groups: Sequence[Group]) -> list[Group]:
    """``raw_orders`` becomes ``orders``, where that says the same: the zone tells the rest."""
    short = {
        group.name: re.sub(r"^(?:raw|stg|src|tbl|staging|source)_(?=[a-z])", "", group.name)
        for group in groups
    }
    wanted = Counter(short.values())
    return [
        replace(group, name=short[group.name]) if wanted[short[group.name]] == 1 else group
        for group in groups
    ]


def _name(group: Group, fallback: str) -> str:
    first = PurePosixPath(group.paths[0])
    stem = _split(first.name)[0]
    if len(group.paths) > 1:
        stem = _common(group.paths)
    elif _stem(stem) not in _EMPTY and not re.fullmatch(r"[a-z]*\d+", stem):
        stem = re.sub(r"[-_. ]+$", "", _VARIES.sub("", stem)) or stem
    if stem.lower() in _EMPTY:
        home = PurePosixPath(_home(first)).name
        stem = home or (fallback if len(group.paths) > 1 else _split(first.name)[0])
    return snake_case(stem or fallback)


def _common(paths: Sequence[str]) -> str:
    stems = [_split(PurePosixPath(path).name)[0] for path in paths]
    short = {_stem(stem) for stem in stems}
    if len(short) == 1:
        return re.sub(r"^[-_. ]+|[-_. ]+$", "", _VARIES.sub("", stems[0]))
    prefix = stems[0]
    for stem in stems[1:]:
        while not stem.startswith(prefix):
            prefix = prefix[:-1]
    return re.sub(r"[-_. ]+$", "", prefix)


def _files(paths: Sequence[str], every: Sequence[str]) -> tuple[str, ...]:
    """A pattern for *paths* that fits nothing else of *every*, or else the paths themselves."""
    if len(paths) == 1 and not re.search(r"[*?]", paths[0]):
        return (paths[0],)
    first = PurePosixPath(paths[0])
    endings = {_split(PurePosixPath(path).name)[1] for path in paths}
    if len(endings) == 1:
        ending = endings.pop()
        stem = _common(paths)
        home = _home(first)
        base = "" if home == "." else f"{home}/"
        deep = any(str(PurePosixPath(path).parent) != home for path in paths)
        fold = f"{base}**/" if deep else base
        for pattern in (f"{fold}{stem}*{ending}", f"{fold}*{ending}"):
            if {path for path in every if matches(pattern, path)} == set(paths):
                return (pattern,)
    return tuple(paths)


def _home(file: PurePosixPath) -> str:
    parts = list(file.parent.parts)
    while parts and re.fullmatch(r"\w+=.*|(?:19|20)\d\d(?:[-_]?\d\d){0,2}|\d{1,2}", parts[-1]):
        parts.pop()
    return str(PurePosixPath(*parts)) if parts else "."


def _split(name: str) -> tuple[str, str]:
    """``orders.csv.gz`` → ``orders``, ``.csv.gz``."""
    file = PurePosixPath(name)
    if file.suffix.lower() in COMPRESSIONS and PurePosixPath(file.stem).suffix:
        inner = PurePosixPath(file.stem)
        return inner.stem, inner.suffix + file.suffix
    return file.stem, file.suffix


def _stem(stem: str) -> str:
    return re.sub(r"[-_. ]+$|^[-_. ]+", "", _VARIES.sub("", stem)).lower()


def _alike(one: Sequence[str], two: Sequence[str]) -> bool:
    first, second = {name.lower() for name in one}, {name.lower() for name in two}
    if not first or not second:
        return first == second
    return len(first & second) * 2 >= len(first | second)
