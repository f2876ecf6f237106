"""Judge how columns are masked: whether a rule fits the column's type and what else the column is used for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lakewright.errors import nearest
from lakewright.project.check_dataset import Found
from lakewright.project.limits import kind_of
from lakewright.project.locate import Key
from lakewright.project.rules import partition_column
from lakewright.spec.dataset import Dataset
from lakewright.spec.expectations import References, Unique
from lakewright.spec.mask import DEFAULT_KEY, Band, Hash, LastFour, Mask, Month, Redact, Token, Year
from lakewright.spec.project import Project
from lakewright.spec.steps import Deduplicate

__all__ = ["mask_problems", "mask_warnings"]

_FITS: dict[type[Mask], tuple[tuple[str, ...], str]] = {
    LastFour: (("text",), "a text"),
    Redact: (("text",), "a text"),
    Token: (("text",), "a text"),
    Year: (("date", "instant"), "a date or timestamp"),
    Month: (("date", "instant"), "a date or timestamp"),
    Band: (("number",), "a number"),
}
_INSTEAD = {
    "text": "last_four, token, redact, hash or null",
    "number": "band, hash or null",
    "date": "year, month, hash or null",
    "instant": "year, month, hash or null",
}


def mask_problems(dataset: Dataset, project: Project) -> Iterator[Found]:
    """Yield everything that is wrong with the masks of *dataset*: LW801, LW804, LW806, LW807."""
    masks = dataset.masks
    for name, mask in masks.items():
        keys: tuple[Key, ...] = ("columns", name, "mask")
        yield from _type(name, mask, dataset, keys)
        if isinstance(mask, Token) or (isinstance(mask, Hash) and mask.algorithm == "hmac-sha256"):
            known = [DEFAULT_KEY, *project.file.keys]
            if mask.key not in known:
                message = f"columns.{name}: lakewright.yaml has no key {mask.key!r}{nearest(mask.key, known)}"
                yield Found("LW807", message, keys, f"add `keys: {{{mask.key}: {{}}}}` to lakewright.yaml")
    lower = {name.lower(): mask for name, mask in masks.items()}
    yield from _apart(dataset, lower)
    yield from _ordering(dataset, lower)
    yield from _references(dataset, project)
    yield from _lookups(dataset, project)


def mask_warnings(dataset: Dataset) -> Iterator[str]:
    """Yield what is allowed, but worth knowing before a run: weak hashes, personal data that is not masked."""
    for name, column in dataset.file.columns.items():
        mask = column.mask
        if isinstance(mask, Hash) and mask.algorithm != "hmac-sha256":
            yield (
                f"{dataset.id}.{name} is masked by plain {mask.algorithm}, which anyone can undo by trying values; "
                "use `mask: hash`, which has a key"
            )
        if column.pii and mask is None:
            yield f"{dataset.id}.{name} holds personal data ({column.pii}) and has no mask"


def _type(name: str, mask: Mask, dataset: Dataset, keys: tuple[Key, ...]) -> Iterator[Found]:
    type = dataset.file.columns[name].type
    kinds, words = _FITS.get(mask.__class__, ((), ""))
    if not words or type is None:
        return
    kind = kind_of(type)
    if kind not in kinds:
        remedy = f"use {_INSTEAD.get(kind, 'hash or null')}"
        yield Found("LW801", f"columns.{name}: {mask.name} masks {words}, not a {type}", keys, remedy)


def _apart(dataset: Dataset, masks: Mapping[str, Mask]) -> Iterator[Found]:
    """Columns that tell rows apart, by their masked values: those must stay different."""
    file = dataset.file
    uses: list[tuple[str, tuple[Key, ...], str]] = []
    uses += [(name, ("columns", name, "mask"), "is a key") for name, one in file.columns.items() if one.key]
    uses += [
        (name, ("columns", name, "mask"), "must be unique")
        for name, one in file.columns.items()
        if one.unique
    ]
    uses += [(name, ("write", "keys", name), "is a key") for name in file.write.keys]
    for index, step in enumerate(file.steps):
        if isinstance(step, Deduplicate):
            place: tuple[Key, ...] = ("steps", index, "deduplicate")
            uses += [(name, place, "tells duplicates") for name in step.keys]
    for index, rule in enumerate(file.expect):
        if isinstance(rule, Unique):
            uses += [(name, ("expect", index, "unique"), "must be unique") for name in rule.columns]
    for one in file.fact.lookups.values() if file.fact else ():
        uses += [(name, ("fact",), "looks up a dimension") for name in one.on]
    told: set[str] = set()
    for name, place, why in uses:
        mask = masks.get(name.lower())
        if mask is not None and not mask.injective and name.lower() not in told:
            told.add(name.lower())
            message = f"{name!r} {why}, but {mask.name} makes different values equal"
            yield Found("LW804", message, place)


def _ordering(dataset: Dataset, masks: Mapping[str, Mask]) -> Iterator[Found]:
    """Columns that order rows, or say when something was: their masked values no longer do."""
    file = dataset.file
    uses: list[tuple[str | None, tuple[Key, ...]]] = [(file.write.scd2.changed_at, ("write", "scd2"))]
    uses += [
        (step.latest_by, ("steps", index, "deduplicate"))
        for index, step in enumerate(file.steps)
        if isinstance(step, Deduplicate)
    ]
    if file.fact is not None:
        uses.append((file.fact.at, ("fact", "at")))
        uses += [(one.at, ("fact",)) for one in file.fact.lookups.values()]
    # what is grouped by masked values stays together; ranges of dates do not
    uses += [
        (partition_column(text), ("write", "partition_by", text))
        for text in file.write.partition_by
        if "(" in text and not text.strip().startswith(("bucket", "identity"))
    ]
    for name, place in uses:
        mask = masks.get((name or "").lower())
        if name is not None and mask is not None:
            message = f"{name!r} orders rows in time, which {mask.name} takes from it"
            yield Found("LW804", message, place, "mask another column, or order by one that is not masked")


def _references(dataset: Dataset, project: Project) -> Iterator[Found]:
    """References hold between masked values, so both sides need the same rule."""
    masks = {name.lower(): mask for name, mask in dataset.masks.items()}
    for index, rule in enumerate(dataset.file.expect):
        if not isinstance(rule, References):
            continue
        for name, target in rule.columns.items():
            zone, other, far = target.split(".", 2)
            table = project.datasets.get(f"{zone}.{other}")
            theirs = {one.lower(): mask for one, mask in table.masks.items()} if table else {}
            mine, there = masks.get(name.lower()), theirs.get(far.lower())
            if mine == there and (mine is None or isinstance(mine, Hash)):
                continue
            where: tuple[Key, ...] = ("expect", index, "references", name)
            message = f"{name!r} and {target} are not masked by the same rule, so no value would be found"
            if mine == there and mine is not None:
                message = (
                    f"{name!r} is masked by {mine.name}; only hashes can be looked up while rows are checked"
                )
            yield Found("LW806", message, where)


def _lookups(dataset: Dataset, project: Project) -> Iterator[Found]:
    """A fact finds its members by masked values, so keys need the same rule on both sides."""
    mine = {name.lower(): mask for name, mask in dataset.masks.items()}
    for name, one in dataset.file.fact.lookups.items() if dataset.file.fact else ():
        dimension = project.datasets.get(one.dimension)
        if dimension is None:
            continue
        theirs = {key.lower(): mask for key, mask in dimension.masks.items()}
        for there, here in one.columns(dimension.natural_keys).items():
            if mine.get(here.lower()) != theirs.get(there.lower()):
                message = f"{here!r} and {one.dimension}.{there} are not masked by the same rule, so no member would be found"
                yield Found(
                    "LW806", message, ("fact", "dimensions", name), "give both columns the same `mask`"
                )
