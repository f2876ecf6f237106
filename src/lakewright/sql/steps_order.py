"""What may move past what: when a column is converted, and how far a deduplication can wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.errors import ProjectError
from lakewright.spec.steps import (
    Aggregate,
    Cast,
    DateParts,
    Deduplicate,
    Derive,
    Drop,
    FillNulls,
    Flatten,
    MapValues,
    NormalizeText,
    Rename,
    Select,
    StandardizeNames,
    Step,
    Unnest,
)
from lakewright.sql.lineage_steps import expression
from lakewright.sql.names import FAILED, hidden, standard_names

if TYPE_CHECKING:
    from lakewright.sql.steps_dedupe import Dedupe
    from lakewright.sql.steps_rows import Rows

__all__ = ["NAMING", "assigns", "final_names", "later_allow"]

#: Steps that change names and order of columns only.
NAMING = (StandardizeNames, Rename, Select, Drop)

# Functions that read their argument as text: a column given to one is still being cleaned.
_ON_TEXT: tuple[type[exp.Expr], ...] = (
    exp.Replace, exp.RegexpReplace, exp.RegexpExtract, exp.RegexpLike, exp.StrToTime, exp.StrToDate, exp.Split,
    exp.SplitPart, exp.Substring, exp.Trim, exp.Left, exp.Right, exp.Lower, exp.Upper, exp.Concat, exp.ConcatWs,
    exp.DPipe, exp.Like, exp.ILike, exp.Pad, exp.StartsWith, exp.EndsWith, exp.Contains, exp.StrPosition, exp.Reverse,
)  # fmt: skip
_ON_TEXT_NAMED = frozenset(
    {
        "TRY_STRPTIME",
        "STRPTIME",
        "STRIP_ACCENTS",
        "REGEXP_FULL_MATCH",
        "TRANSLATE",
        "PREFIX",
        "SUFFIX",
        "STRLEN",
    }
)


def final_names(names: Iterable[str], coming: Sequence[Step]) -> dict[str, str]:
    """Return for each name the one that the renamings among *coming* leave it with."""
    current = {name: name for name in names}
    for step in coming:
        if isinstance(step, Rename):
            new = {old.lower(): one for old, one in step.columns.items()}
            current = {name: new.get(now.lower(), now) for name, now in current.items()}
        elif isinstance(step, StandardizeNames):
            new = standard_names(current.values())
            current = {name: new[now] for name, now in current.items()}
    return current


def assigns(step: Step, rows: Rows, *, cleaning: bool = False) -> set[str]:
    """Return the columns to which *step* gives values; with *cleaning*, only those it still reads as text."""
    match step:
        case Derive():
            if not cleaning:
                return set(step.columns)
            return {name for name, text in step.columns.items() if _cleans(name, text, rows.path)}
        case Cast() | NormalizeText():
            return set(step.columns)
        case MapValues() | Unnest():
            return {step.column}
        case Aggregate():
            return set() if cleaning else set(step.columns)
    return set()


def _cleans(name: str, text: str, path: str) -> bool:
    """Whether the expression makes a column from its own text, as ``replace(price, '$', '')`` does."""
    for node in _columns(text, path):
        if node.name.lower() != name.lower():
            continue
        parent = node.parent
        while parent is not None and not isinstance(parent, exp.Func | exp.Binary):
            parent = parent.parent
        if isinstance(parent, _ON_TEXT):
            return True
        if isinstance(parent, exp.Anonymous) and str(parent.this).upper() in _ON_TEXT_NAMED:
            return True
        # compared with text, or given in place of text: 'n/a', '-'
        if isinstance(parent, exp.EQ | exp.NEQ | exp.Nullif | exp.Coalesce | exp.In) and any(
            isinstance(one, exp.Literal) and one.is_string for one in parent.iter_expressions()
        ):
            return True
    return False


def _has_window(text: str, path: str) -> bool:
    try:
        return expression(text, path).find(exp.Window) is not None
    except ProjectError:
        return False


def _columns(text: str, path: str) -> list[exp.Column]:
    try:
        return list(expression(text, path).find_all(exp.Column))
    except ProjectError:  # the step itself tells what is wrong
        return []


def later_allow(dedupe: Dedupe, step: Step, rows: Rows, unconverted: set[str]) -> Dedupe | None:
    """Return *dedupe* as it reads after *step*, or None when it has to be done before.

    It can wait for steps that keep the number of rows and do not touch what it compares.
    *unconverted* are the columns (lower case) that still get another type.
    """
    used = {one.lower() for one in (*dedupe.keys, *((dedupe.latest_by,) if dedupe.latest_by else ()))}
    if used & unconverted:
        return None
    match step:
        case Rename():
            new = {old.lower(): one for old, one in step.columns.items()}
            return _renamed(dedupe, {one: new.get(one.lower(), one) for one in rows.items})
        case StandardizeNames():
            return _renamed(dedupe, standard_names(rows.items))
        case Select():
            kept = {one.lower() for one in step.columns}
            return dedupe if all(one in kept or hidden(one) for one in used) else None
        case Drop() | FillNulls() | Flatten() | Cast():
            return dedupe if not used & {one.lower() for one in step.columns} else None
        case Derive():
            if any(_has_window(text, rows.path) for text in step.columns.values()):
                return None
            return dedupe if not used & {one.lower() for one in step.columns} else None
        case NormalizeText():
            texts = step.columns or [one for one in rows.names if rows.types[one] in ("VARCHAR", "")]
            return dedupe if not used & {one.lower() for one in texts} else None
        case MapValues():
            return dedupe if step.column.lower() not in used else None
        case DateParts():
            return dedupe
        case Deduplicate():
            return None
    return None


def _renamed(dedupe: Dedupe, new: dict[str, str]) -> Dedupe:
    names = {old.lower(): one for old, one in new.items()} | {FAILED: FAILED}
    return replace(
        dedupe,
        keys=tuple(names.get(one.lower(), one) for one in dedupe.keys),
        latest_by=names.get(dedupe.latest_by.lower(), dedupe.latest_by) if dedupe.latest_by else None,
    )
