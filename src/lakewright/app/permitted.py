"""Lineage, quality and profiles for a role: what its catalog names, figures of rows that it sees, values that it sees clear.

Each look is in the audit log before anything is shown, also one that is refused. What a rule here does not
know to be harmless is left out: of checks, those whose columns the role sees and whose words are the contract's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from lakewright.app import catalog as _catalog
from lakewright.app.lineage import lineage
from lakewright.app.platform import Restricted
from lakewright.app.quality import ProfileTable, QualityReport, profile_of, quality
from lakewright.catalog.graph import LineageGraph
from lakewright.catalog.withheld import visible_part
from lakewright.errors import LakewrightError, NotFoundError, RunError, UsageError
from lakewright.quality.score import CheckResult
from lakewright.sql.names import quarantine_id

__all__ = ["permitted_lineage", "permitted_profile", "permitted_quality"]

#: Rules of a contract's columns: their words name that column and nothing else. Expectations may have conditions on
#: other columns, and tell of other tables.
_OWN_RULES = frozenset(
    {"required", "min", "max", "in", "pattern", "min_length", "max_length", "type", "unique"}
)

#: Columns by dataset, each with how it is seen: ``clear`` or a mask's name.
Seen = Mapping[str, Mapping[str, str]]


def permitted_lineage(
    platform: Restricted, name: str, *, direction: str, columns: bool, indirect: bool
) -> LineageGraph:
    """Return the lineage of *name* among the datasets and columns of the role's catalog; others are counted."""
    seen = _seen(platform)
    with _noted(platform, "lineage", name) as reads:
        id, column = _named(platform, name, seen)
        reads[id] = (column,) if column else ()
        whole = f"{id}.{column}" if column else id
        try:
            graph = lineage(platform.owner, whole, direction=direction, columns=columns, indirect=indirect)
        except NotFoundError:
            # its words would name what is near, hidden or not
            raise NotFoundError("LW705", f"nothing is known of the lineage of {whole!r}") from None
    return visible_part(
        graph, lambda dataset, own: dataset in seen and (not own or own.lower() in seen[dataset])
    )


def permitted_quality(
    platform: Restricted, dataset: str | None, run: str | None
) -> tuple[QualityReport, ...]:
    """Return the latest results, or those of one run, of the datasets that the role reads.

    Where it sees some rows only, nothing but the verdict is told.
    """
    seen = _seen(platform)
    with _noted(platform, "quality", dataset or "") as reads:
        wanted = [platform.dataset_id(dataset)] if dataset else list(seen)
        reads.update(dict.fromkeys(wanted, ()))
        found = quality(platform.owner, None, run)
    return tuple(
        _as_seen(platform, one, seen[one.dataset])
        for one in found
        if one.dataset in wanted and one.dataset in seen
    )


def permitted_profile(platform: Restricted, dataset: str | None) -> tuple[ProfileTable, ...]:
    """Return profiles of the columns that the role sees clear, of tables of which it sees every row.

    Raises LW823 for a *dataset* of which it sees some rows only, LW901 for one that was not built.
    """
    seen = _seen(platform)
    with _noted(platform, "profile", dataset or "") as reads:
        asked = platform.dataset_id(dataset) if dataset else None
        if asked and platform.caller.rights.conditions(asked):
            raise UsageError(
                "LW823",
                f"{platform.caller.name} sees some rows of {asked} only; a profile tells of all of them",
            )
        clear = {
            id: tuple(name for name, how in columns.items() if how == "clear")
            for id, columns in seen.items()
            if asked in (None, id) and not id.startswith("raw.") and not platform.caller.rights.conditions(id)
        }
        reads.update(clear)
    made = []
    for id, columns in clear.items():
        try:
            one = profile_of(platform.owner, id, set(columns)) if columns else None
        except Exception:  # whatever an engine says of a table may hold a value of it
            raise RunError(
                "LW826", f"{id} could not be read under the rules of {platform.caller.name}"
            ) from None
        if one is not None:
            made.append(one)
    if asked and not made:
        raise NotFoundError(
            "LW901", f"{asked} has not been built yet, or has no column that is seen as it is"
        )
    return tuple(made)


def _as_seen(platform: Restricted, one: QualityReport, columns: Mapping[str, str]) -> QualityReport:
    own = platform.caller.rights
    if own.conditions(one.dataset):
        return replace(
            one,
            score=None,
            rows=None,
            bad=None,
            reasons=(),
            results=(),
            trend=(),
            quarantine="",
            withheld=len(one.results),
        )
    quarantine = one.quarantine if own.reads(quarantine_id(one.dataset)) else ""
    if own.every_column and not own.rows and _reads_all(platform):
        return replace(one, quarantine=quarantine)
    shown = [_result(result, columns) for result in one.results if _harmless(result, columns)]
    return replace(
        one, reasons=(), results=tuple(shown), quarantine=quarantine, withheld=len(one.results) - len(shown)
    )


def _reads_all(platform: Restricted) -> bool:
    """Whether no check can tell of a dataset that the role does not read."""
    project = platform.owner.project
    return len(platform.caller.readable()) == len(project.raw) + len(project.datasets)


def _harmless(one: CheckResult, columns: Mapping[str, str]) -> bool:
    return (
        one.kind in _OWN_RULES
        and one.scope in ("row", "key")
        and bool(one.columns)
        and all(name.lower() in columns for name in one.columns)
    )


def _result(one: CheckResult, columns: Mapping[str, str]) -> CheckResult:
    """*one* without words of values, where a column is masked: the rule may list what there is."""
    clear = all(columns[name.lower()] == "clear" for name in one.columns)
    return one if clear else replace(one, sentence="", observed="")


def _seen(platform: Restricted) -> Seen:
    """The datasets and columns of the role's catalog, the names of columns in small letters."""
    found = {}
    for one in _catalog.entries(platform):
        how = platform.caller.sees(one.dataset, [column.name for column in one.columns])
        found[one.dataset] = {name.lower(): seen for name, seen in how.items() if seen != "hidden"}
    return found


def _named(platform: Restricted, name: str, seen: Seen) -> tuple[str, str]:
    """The dataset that *name* means, and its column, "" without. Raises LW901 for what the role does not see."""
    parts = name.split(".", 2)
    if len(parts) < 3:
        return platform.dataset_id(name), ""
    id = platform.dataset_id(f"{parts[0]}.{parts[1]}")
    if parts[2].lower() not in seen[id]:
        raise NotFoundError("LW901", f"{id} has no column {parts[2]!r}")
    return id, parts[2]


@contextmanager
def _noted(platform: Restricted, action: str, name: str) -> Iterator[dict[str, tuple[str, ...]]]:
    """Write a look into the audit log, with the datasets and columns put into what is given, and why it was refused."""
    reads: dict[str, tuple[str, ...]] = {}
    code = ""
    try:
        yield reads
    except LakewrightError as error:
        code = error.code
        raise
    finally:
        caller = platform.caller
        detail = {
            "statement": f"{action} {name}".strip()[:500],
            "reads": {id: list(columns) for id, columns in reads.items()},
            **({"user": caller.user} if caller.user else {}),
            **({"code": code} if code else {}),
        }
        platform.owner.audit.record(action, caller.rights.role, detail=detail)
