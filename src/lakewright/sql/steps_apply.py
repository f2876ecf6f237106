"""What each step does to rows: names, values, filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from lakewright.spec.steps import (
    Aggregate,
    Cast,
    DateParts,
    Deduplicate,
    Derive,
    Drop,
    DropNulls,
    FillNulls,
    Filter,
    Flatten,
    MapValues,
    NormalizeText,
    Rename,
    Select,
    StandardizeNames,
    Step,
    Unnest,
)
from lakewright.sql.cast_model import case, is_null
from lakewright.sql.cast_types import family, parse_type, type_name
from lakewright.sql.dialect import call
from lakewright.sql.names import FAILED, column, hidden, literal, standard_names
from lakewright.sql.query_columns import type_of
from lakewright.sql.steps_constants import common_type, constant
from lakewright.sql.steps_dedupe import Dedupe, numbered
from lakewright.sql.steps_expression import Meaning, user_expression
from lakewright.sql.steps_rows import Rows, relation

__all__ = ["apply_step"]


_PARTS: dict[str, type[exp.Func]] = {
    "year": exp.Year, "quarter": exp.Quarter, "month": exp.Month, "week": exp.Week, "day": exp.Day, "hour": exp.Hour,
}  # fmt: skip


def apply_step(rows: Rows, step: Step) -> Dedupe | None:
    """Change *rows* by *step*; a deduplication is returned and left to the caller."""
    match step:
        case StandardizeNames():
            rows.rename(standard_names(rows.items))
        case Rename():
            found = rows.need(step.columns)
            rows.rename(dict(zip(found, step.columns.values(), strict=True)))
        case Select():
            rows.keep(list(dict.fromkeys(rows.need(step.columns))))
        case Drop():
            gone = set(rows.need(step.columns))
            rows.keep([name for name in rows.names if name not in gone])
        case Cast():
            _cast(rows, step)
        case Derive():
            for name, text in step.columns.items():
                _derive(rows, name, text)
        case DateParts():
            _date_parts(rows, step)
        case NormalizeText():
            _normalize_text(rows, step)
        case FillNulls():
            _fill_nulls(rows, step)
        case MapValues():
            _map_values(rows, step)
        case DropNulls():
            _drop_nulls(rows, step)
        case Filter():
            _filter(rows, step)
        case Deduplicate():
            return _deduplicate(rows, step)
        case Flatten():
            for name in rows.need(step.columns):
                _flatten(rows, name, step.separator)
        case Unnest():
            _unnest(rows, step)
        case Aggregate():
            _aggregate(rows, step)
    return None


def _cast(rows: Rows, step: Cast) -> None:
    wanted: dict[str, tuple[str, str | None]] = {}
    for name, (written, kind) in zip(rows.need(step.columns), step.columns.items(), strict=True):
        if isinstance(kind, str):
            wanted[name] = (kind, None)
            continue
        if "type" not in kind or set(kind) - {"type", "format"}:
            raise rows.refuse("LW312", f"column {written!r}: write a type, or {{type: …, format: …}}")
        wanted[name] = (kind["type"], kind.get("format"))
    rows.cast(wanted, {})


def _derive(rows: Rows, name: str, text: str) -> None:
    if hidden(name):
        raise rows.refuse(
            "LW313", f"{name!r} starts with an underscore, which marks Lakewright's own columns"
        )
    meaning = user_expression(text, rows)
    kind = _type_of(meaning.tree, rows)
    if meaning.windows:
        _windowed(rows, name, meaning, kind)
        return
    number = not kind and _is_number(meaning.tree, rows)
    rows.put(name, rows.over_source(meaning.tree), kind)
    if number:
        rows.numbers.add(rows.find(name) or name)


def _windowed(rows: Rows, name: str, meaning: Meaning, kind: str) -> None:
    # a window sorts the rows: number them before, to put them back in reading order
    rows.close()
    names = list(rows.items)
    source = numbered(rows.query(), names)
    known = rows.find(name)
    listed = [
        exp.alias_(meaning.tree, name, quoted=True) if one == (known or name) else column(one)
        for one in [*names, *([] if known else [name])]
    ]
    query = exp.select(*listed, copy=False).from_(source.subquery("_rows", copy=False))
    rows.replace(query.order_by(exp.column("_order")), rows.types | {known or name: kind})


def _type_of(tree: exp.Expr, rows: Rows) -> str:
    def of_column(node: exp.Column) -> str:
        return rows.types.get(node.name, "") if not node.table else ""

    return type_of(tree, of_column)


def _is_number(tree: exp.Expr, rows: Rows) -> bool:
    """Whether the expression is arithmetic on numbers, whatever the type of the result."""
    if isinstance(tree, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod | exp.IntDiv):
        return _is_number(tree.this, rows) and _is_number(tree.expression, rows)
    if isinstance(tree, exp.Paren | exp.Neg | exp.Round | exp.Abs | exp.Floor | exp.Ceil):
        return _is_number(tree.this, rows)
    if isinstance(tree, exp.Coalesce):
        return all(_is_number(one, rows) for one in (tree.this, *tree.expressions))
    if isinstance(tree, exp.Literal):
        return not tree.is_string
    if isinstance(tree, exp.Column) and tree.name in rows.numbers:
        return True
    return family(_type_of(tree, rows)) in ("integer", "decimal", "float")


def _date_parts(rows: Rows, step: DateParts) -> None:
    (name,) = rows.need([step.column])
    if family(rows.types[name]) not in ("date", "timestamp", "timestamptz", "unknown"):
        raise rows.refuse(
            "LW311",
            f"{name!r} is {rows.types[name]}, not a date or timestamp",
            "give it a type under `columns`, or `cast` it before this step",
        )
    place = name
    for part in step.parts:
        value = column(name)
        part_of = _PARTS.get(part)
        found = part_of(this=value) if part_of is not None else call("weekday", value)
        new = f"{step.prefix if step.prefix is not None else name}_{part}"
        _refuse_taken(rows, new)
        rows.put(new, rows.over_source(found), "BIGINT", after=place)
        place = new


def _refuse_taken(rows: Rows, name: str) -> None:
    if rows.find(name) is not None:
        raise rows.refuse(
            "LW313", f"there is a column {name!r} already", "rename or drop one of them before this step"
        )
    if hidden(name):
        raise rows.refuse(
            "LW313", f"{name!r} starts with an underscore, which marks Lakewright's own columns"
        )


def _normalize_text(rows: Rows, step: NormalizeText) -> None:
    names = rows.need(step.columns) or [name for name in rows.names if rows.types[name] == "VARCHAR"]
    for name in names:
        if family(rows.types[name]) not in ("text", "unknown"):
            raise rows.refuse("LW311", f"{name!r} is {rows.types[name]}, not text")
    for name in names:
        value: exp.Expr = column(name)
        if step.collapse:
            value = call("replace_all", value, literal(r"[\s\p{Z}]+"), literal(" "))
            if step.trim:  # all that is left to trim are single spaces
                value = exp.Trim(this=value)
        elif step.trim:
            value = call("replace_all", value, literal(r"^[\s\p{Z}]+|[\s\p{Z}]+$"), literal(""))
        if step.strip_accents:
            value = call("strip_accents", value)
        if step.case == "title":
            value = call("title", value)
        elif step.case != "keep":
            value = (exp.Lower if step.case == "lower" else exp.Upper)(this=value)
        if step.empty_as_null:
            value = exp.Nullif(this=value, expression=literal(""))
        rows.put(name, rows.over_source(value), "VARCHAR")


def _fill_nulls(rows: Rows, step: FillNulls) -> None:
    for name, (written, given) in zip(rows.need(step.columns), step.columns.items(), strict=True):
        try:
            value = constant(given, rows.types[name])
        except ValueError as error:
            raise rows.refuse("LW311", f"column {written!r}: {error}") from None
        filled = exp.Coalesce(this=column(name), expressions=[value])
        rows.put(name, rows.over_source(filled), rows.types[name])


def _map_values(rows: Rows, step: MapValues) -> None:
    (name,) = rows.need([step.column])
    have = rows.types[name]
    kind = common_type(step.values.values(), have if step.other == "keep" else None)
    changed = step.other == "keep" and kind != have
    pairs: list[tuple[exp.Expr, exp.Expr]] = []
    try:
        for old, new in step.values.items():
            key = constant(old, have if family(have) != "unknown" else "VARCHAR")
            pairs.append((exp.EQ(this=column(name), expression=key), constant(new, kind)))
    except ValueError as error:
        raise rows.refuse("LW311", f"column {name!r}: {error}") from None
    kept: exp.Expr | None = None
    if step.other == "keep":
        kept = exp.cast(column(name), kind, dialect="duckdb") if changed else column(name)
    value: exp.Expr = case(*pairs, otherwise=kept) if pairs else (kept or exp.Null())
    if kind != have and kind != "VARCHAR":
        value = exp.cast(value, kind)
    rows.put(name, rows.over_source(value), kind)


def _drop_nulls(rows: Rows, step: DropNulls) -> None:
    there = exp.and_(*(exp.not_(is_null(column(name))) for name in rows.need(step.columns)), copy=False)
    rows.filter(exp.or_(there, _not_converted(), copy=False) if FAILED in rows.items else there)


def _filter(rows: Rows, step: Filter) -> None:
    meaning = user_expression(step.where, rows)
    if meaning.windows:
        raise rows.refuse("LW311", "a filter looks at one row; derive the window's value before")
    condition = meaning.tree
    if FAILED in rows.items:
        # what cannot be judged because a value did not convert is kept, for quarantine
        unknown = exp.and_(_not_converted(), is_null(exp.paren(condition.copy())), copy=False)
        condition = exp.or_(exp.paren(condition, copy=False), unknown, copy=False)
    rows.filter(condition)


def _not_converted() -> exp.Expr:
    return exp.not_(is_null(column(FAILED)))


def _deduplicate(rows: Rows, step: Deduplicate) -> Dedupe:
    latest = rows.need([step.latest_by])[0] if step.latest_by else None
    if step.keys:
        return Dedupe(tuple(rows.need(step.keys)), latest)
    # two rows are not the same when different texts did not convert
    failures = [FAILED] if FAILED in rows.items else []
    return Dedupe((*rows.names, *failures), latest, whole=True)


def _flatten(rows: Rows, name: str, separator: str) -> None:
    kind = _nested(rows, name)
    fields = [one for one in kind.expressions if isinstance(one, exp.ColumnDef)] if kind else []
    if kind is None or kind.this != exp.DType.STRUCT or not fields:
        raise rows.refuse("LW311", f"{name!r} is {rows.types[name] or 'of unknown type'}, not a struct")
    place = name
    for field in fields:
        new = f"{name}{separator}{field.name}"
        _refuse_taken(rows, new)
        value = exp.Dot(this=column(name), expression=exp.to_identifier(field.name, quoted=True))
        rows.put(new, rows.over_source(value), type_name(field.args["kind"]), after=place)
        place = new
    rows.keep([one for one in rows.names if one != name])


def _unnest(rows: Rows, step: Unnest) -> None:
    (name,) = rows.need([step.column])
    kind = _nested(rows, name)
    if kind is None or kind.this not in (exp.DType.ARRAY, exp.DType.LIST):
        raise rows.refuse("LW311", f"{name!r} is {rows.types[name] or 'of unknown type'}, not a list")
    value: exp.Expr = column(name)
    if step.keep_empty:
        size = exp.Coalesce(this=call("list_length", column(name)), expressions=[literal(0)])
        nothing = exp.Array(expressions=[exp.Null()])
        value = case((exp.EQ(this=size, expression=literal(0)), nothing), otherwise=value)
    value = exp.Explode(this=value)
    element = kind.expressions[0]
    rows.close()
    listed = [
        exp.alias_(value, name, quoted=True, copy=False) if one == name else column(one) for one in rows.items
    ]
    query = exp.select(*listed, copy=False).from_(relation(rows.query()))
    rows.replace(query, rows.types | {name: type_name(element)})
    rows.one_to_one = False


def _nested(rows: Rows, name: str) -> exp.DataType | None:
    try:
        return parse_type(rows.types[name])
    except ValueError:
        return None


def _aggregate(rows: Rows, step: Aggregate) -> None:
    by = rows.need(step.by)
    names = [*by, *step.columns]
    _refuse_twice(rows, names)
    made: dict[str, tuple[exp.Expr, str]] = {}
    for name, text in step.columns.items():
        if hidden(name):
            raise rows.refuse(
                "LW313", f"{name!r} starts with an underscore, which marks Lakewright's own columns"
            )
        meaning = user_expression(text, rows, aggregates=True, by=by)
        made[name] = (meaning.tree, _type_of(meaning.tree, rows))
    if FAILED in rows.items:
        # a group with a value that did not convert is reported as a whole: its figures are not right
        made[FAILED] = (exp.Max(this=column(FAILED)), "VARCHAR")
    rows.close()
    listed = [*(column(one) for one in by), *(exp.alias_(v, n, quoted=True) for n, (v, _) in made.items())]
    query = exp.select(*listed, copy=False).from_(relation(rows.query()))
    if by:
        query = query.group_by(*(column(one) for one in by))
    types = {one: rows.types[one] for one in by} | {name: kind for name, (_, kind) in made.items()}
    rows.replace(query, types)
    rows.one_to_one = False


def _refuse_twice(rows: Rows, names: Iterable[str] | Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise rows.refuse("LW313", f"{name!r} would be there twice")
        seen.add(name.lower())
