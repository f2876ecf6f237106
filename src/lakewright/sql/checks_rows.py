"""Checks from expectations about single rows: values of a column, comparisons, several columns, combinations.

Each may judge the row itself, or the dataset by a share (``mostly``) or a number (``at_most``) of bad rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from lakewright.spec.expectations import Across, Combinations, Compare, Expectation, Values
from lakewright.sql.checks_columns import as_text, check_pattern, constant, length, listed, sql_type
from lakewright.sql.checks_model import Check
from lakewright.sql.checks_parse import Refused, Scene, count_if, known, missing, percent, present
from lakewright.sql.dialect import call
from lakewright.sql.names import column, literal

__all__ = ["ignored", "judged", "row_expectation"]

_OPERATORS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ, "!=": exp.NEQ, ">": exp.GT, ">=": exp.GTE, "<": exp.LT, "<=": exp.LTE,
}  # fmt: skip


def row_expectation(one: Expectation, scene: Scene) -> Check:
    """Compile one of the expectations about rows; raises Refused for what does not fit the columns."""
    try:
        match one:
            case Values():
                return _values(one, scene)
            case Compare():
                return _compare(one, scene)
            case Across():
                return _across(one, scene)
            case Combinations():
                return _combinations(one, scene)
            case _:
                raise TypeError(f"{one.name} is no expectation about rows")
    except ValueError as error:
        raise Refused("LW501", str(error)) from None
    except re.error as error:
        raise Refused("LW504", str(error)) from None


def judged(
    check: Check,
    *,
    where: exp.Expr | None = None,
    of: exp.Expr | None = None,
    mostly: float | None = None,
    at_most: int | None = None,
    strictly: bool = False,
) -> Check:
    """Return a check of rows as what is asked for: of the rows *where*, all, a share, or a number at most.

    *of* says which of those rows a share is taken of (those with a value).
    """
    assert check.violated is not None
    violated = check.violated if where is None else exp.and_(where, exp.paren(check.violated), copy=True)
    if at_most is not None:
        words = f"{check.sentence}, but for at most {at_most:,} rows"
        counted = count_if(violated)
        return replace(
            check, scope="dataset", sentence=words, violated=None, measure=counted, maximum=at_most
        )
    if mostly is None:
        return replace(check, violated=violated)
    counts = [one.copy() for one in (where, of) if one is not None]
    noun = "the rows" if of is None else "the values"
    words = f"{check.sentence} for {'more than' if strictly else 'at least'} {percent(mostly)} of {noun}"
    scope = exp.and_(*counts, copy=False) if counts else None
    if of is not None:
        violated = exp.and_(of, exp.paren(violated), copy=True)
    return replace(
        check,
        scope="dataset",
        sentence=words,
        violated=violated,
        judged=scope,
        mostly=mostly,
        open_low=strictly,
    )


def ignored(names: Sequence[str], ignore: str) -> exp.Expr | None:
    """Return the condition that a row is not left out for the nulls among *names*, None when none is."""
    if ignore == "never":
        return None
    there = [present(column(name)) for name in names]
    join = exp.and_ if ignore == "any" else exp.or_
    return exp.paren(join(*there, copy=False), copy=False)


# --- values of one column ------------------------------------------------------------------------


def _values(one: Values, scene: Scene) -> Check:
    name = known(one.column, scene.columns)
    kind = sql_type(scene.columns[name])
    value = column(name)
    if one.match == "any" and one.patterns and one.like:
        raise Refused(
            "LW501", "match: any is for patterns or for like, not for both", "write two expectations"
        )
    null = missing(value)
    if one.missing:
        stand_ins = [constant(entry, kind) for entry in one.missing]
        null = exp.paren(exp.or_(null, exp.In(this=value.copy(), expressions=stand_ins), copy=False))
    rules = list(_value_rules(one, name, kind))
    broken = [rule for _, rule in rules]
    words = [text for text, _ in rules]
    there: exp.Expr | None = exp.not_(null.copy(), copy=False)
    if broken and (one.missing or one.date_format is not None):
        assert there is not None
        # a value that stands for null is judged by no other rule, and null is no date; the other rules say
        # nothing of null by themselves
        broken = [exp.and_(there.copy(), exp.paren(exp.or_(*broken, copy=False)), copy=False)]
    if one.present is not None:
        words.append("be present" if one.present else "be null")
        broken.append(null.copy() if one.present else exp.not_(null.copy(), copy=False))
        there = None
    if not broken:
        raise Refused(
            "LW503", f"says nothing about the values of {name}", "add a rule such as in, min or patterns"
        )
    label = one.label or f"{name}.{'_'.join(_rule_names(one)) or 'values'}"
    check = Check(
        label, "values", (name,), scene.severity, f"{name} must {' and '.join(words)}", "row",
        exp.or_(*broken, copy=False),
    )  # fmt: skip
    return judged(
        check, where=scene.where(one.where), of=there if one.of == "values" else None, mostly=one.mostly,
        at_most=one.at_most, strictly=one.strictly,
    )  # fmt: skip


_RULES = (
    "present", "in_", "not_in", "min", "max", "above", "below", "multiple_of", "min_length", "max_length",
    "patterns", "not_patterns", "like", "not_like", "date_format", "json", "distinct_items",
)  # fmt: skip


def _rule_names(one: Values) -> list[str]:
    defaults = Values(column=one.column)
    # told apart by identity: a bound of 0 equals False
    return [rule.rstrip("_") for rule in _RULES if getattr(one, rule) is not getattr(defaults, rule)]


def _value_rules(one: Values, name: str, kind: exp.DataType | None) -> Iterator[tuple[str, exp.Expr]]:
    """Words and condition of each rule that a value which is there can break."""
    value = column(name)
    if one.in_ is not None:
        yield f"be one of {listed(one.in_)}", exp.not_(_among(value, one.in_, kind), copy=False)
    if one.not_in:
        yield f"be none of {listed(one.not_in)}", _among(value, one.not_in, kind)
    yield from _bounds(one, value, kind)
    if one.multiple_of is not None:
        rest = exp.Mod(this=value.copy(), expression=literal(one.multiple_of))
        yield f"be a multiple of {one.multiple_of}", exp.NEQ(this=rest, expression=literal(0))
    yield from _lengths(one, value, kind)
    yield from _text_rules(one, value, kind)
    if one.distinct_items:
        if kind is None or kind.this not in (exp.DType.LIST, exp.DType.ARRAY):
            raise ValueError(f"distinct_items is for lists, and column {name!r} is not one")
        items = exp.Anonymous(this="LIST_UNIQUE", expressions=[value.copy()])
        yield "hold no item twice", exp.NEQ(this=items, expression=call("list_length", value.copy()))


def _bounds(one: Values, value: exp.Column, kind: exp.DataType | None) -> Iterator[tuple[str, exp.Expr]]:
    if one.min is not None and one.max is not None:
        low, high = constant(one.min, kind), constant(one.max, kind)
        inside = exp.Between(this=value.copy(), low=low, high=high)
        yield f"be between {one.min} and {one.max}", exp.not_(inside, copy=False)
        bounds = [(one.above, exp.LTE, "be above"), (one.below, exp.GTE, "be below")]
    else:
        bounds = [
            (one.min, exp.LT, "be at least"),
            (one.max, exp.GT, "be at most"),
            (one.above, exp.LTE, "be above"),
            (one.below, exp.GTE, "be below"),
        ]
    for bound, node, words in bounds:
        if bound is not None:
            yield f"{words} {bound}", node(this=value.copy(), expression=constant(bound, kind))


def _lengths(one: Values, value: exp.Column, kind: exp.DataType | None) -> Iterator[tuple[str, exp.Expr]]:
    low, high = one.min_length, one.max_length
    if low is None and high is None:
        return
    size, unit = length(value, kind)
    if low is not None and low == high:
        yield f"have {low} {unit}", exp.NEQ(this=size, expression=literal(low))
    elif low is not None and high is not None:
        # measured once
        inside = exp.Between(this=size, low=literal(low), high=literal(high))
        yield f"have {low} to {high} {unit}", exp.not_(inside, copy=False)
    elif low is not None:
        yield f"have at least {low} {unit}", exp.LT(this=size, expression=literal(low))
    else:
        yield f"have at most {high} {unit}", exp.GT(this=size, expression=literal(high))


def _text_rules(one: Values, value: exp.Column, kind: exp.DataType | None) -> Iterator[tuple[str, exp.Expr]]:
    for patterns in (one.patterns, one.not_patterns):
        for pattern in patterns:
            check_pattern(pattern)

    def found(pattern: str) -> exp.Expr:
        return exp.RegexpLike(this=as_text(value, kind), expression=literal(pattern))

    def alike(pattern: str) -> exp.Expr:
        return exp.paren(exp.Like(this=as_text(value, kind), expression=literal(pattern)), copy=False)

    either = " or " if one.match == "any" else " and "
    join = exp.or_ if one.match == "any" else exp.and_
    for wanted, test, word in ((one.patterns, found, "match"), (one.like, alike, "be like")):
        if wanted:
            met = join(*(test(pattern) for pattern in wanted), copy=False)
            yield f"{word} {either.join(wanted)}", exp.not_(exp.paren(met, copy=False), copy=False)
    for refused, test, word in ((one.not_patterns, found, "not match"), (one.not_like, alike, "not be like")):
        if refused:
            met = exp.or_(*(test(pattern) for pattern in refused), copy=False)
            yield f"{word} {' or '.join(refused)}", exp.paren(met, copy=False)
    if one.date_format is not None:
        moment = call("parse_time", as_text(value, kind), literal(one.date_format))
        # what strptime reads loosely (1.1.2024 for %d.%m.%Y) is a date in this format too
        yield f"be a date written {one.date_format}", missing(moment)
    if one.json:
        valid = exp.Anonymous(this="JSON_VALID", expressions=[as_text(value, kind)])
        yield "be JSON", exp.not_(valid, copy=False)


def _among(value: exp.Column, allowed: Sequence[object], kind: exp.DataType | None) -> exp.Expr:
    if not allowed:
        return exp.false()
    return exp.In(this=value.copy(), expressions=[constant(entry, kind) for entry in allowed])  # type: ignore[arg-type]


# --- several columns of a row --------------------------------------------------------------------


def _compare(one: Compare, scene: Scene) -> Check:
    names = known(one.column, scene.columns), known(one.other, scene.columns)
    left, right = column(names[0]), column(names[1])
    holds = _OPERATORS[one.is_](this=left, expression=right)
    broken = exp.not_(exp.Coalesce(this=exp.paren(holds), expressions=[exp.false()]), copy=False)
    label = one.label or f"compare.{names[0]}_{names[1]}"
    check = Check(
        label, "compare", names, scene.severity, f"{names[0]} must be {one.is_} {names[1]}", "row", broken
    )
    return _of_present(check, names, one, scene)


def _across(one: Across, scene: Scene) -> Check:
    names = tuple(known(name, scene.columns) for name in one.columns)
    if len(names) < 2:
        raise Refused("LW503", "needs at least two columns")
    values: list[exp.Expr] = [column(name) for name in names]
    listed_names = ", ".join(names)
    if one.are == "sum":
        if one.total is None:
            raise Refused("LW503", "sum needs the total that the columns add up to", "add total")
        terms = [exp.Coalesce(this=value, expressions=[literal(0)]) for value in values]
        whole: exp.Expr = terms[0]
        for term in terms[1:]:
            whole = exp.Add(this=whole, expression=term)
        broken: exp.Expr = exp.NEQ(this=exp.paren(whole), expression=literal(one.total))
        words = f"{listed_names} must add up to {one.total}"
    else:
        pairs = [(a, b) for place, a in enumerate(values) for b in values[place + 1 :]]
        node = exp.NullSafeEQ if one.are == "different" else exp.NullSafeNEQ
        tests = [exp.paren(node(this=a.copy(), expression=b.copy()), copy=False) for a, b in pairs]
        broken = exp.or_(*tests, copy=False)
        words = f"{listed_names} must be {one.are}"
    label = one.label or f"across.{'_'.join(names)}"
    check = Check(label, "across", names, scene.severity, words, "row", broken)
    return _of_present(check, names, one, scene)


def _combinations(one: Combinations, scene: Scene) -> Check:
    names = tuple(known(name, scene.columns) for name in one.columns)
    kinds = [sql_type(scene.columns[name]) for name in names]
    allowed = []
    for row in one.in_:
        if len(row) != len(names):
            raise Refused("LW501", f"{list(row)!r} has {len(row)} values for {len(names)} columns")
        same = [
            missing(column(name)) if entry is None
            else exp.EQ(this=column(name), expression=constant(entry, kind))
            for name, kind, entry in zip(names, kinds, row, strict=True)
        ]  # fmt: skip
        allowed.append(exp.paren(exp.and_(*same, copy=False), copy=False))
    met = exp.or_(*allowed, copy=False) if allowed else exp.false()
    broken = exp.not_(exp.Coalesce(this=exp.paren(met), expressions=[exp.false()]), copy=False)
    label = one.label or f"combinations.{'_'.join(names)}"
    words = f"{', '.join(names)} must be one of {len(one.in_):,} combinations"
    check = Check(label, "combinations", names, scene.severity, words, "row", broken)
    return _of_present(check, names, one, scene)


def _of_present(
    check: Check, names: Sequence[str], one: Compare | Across | Combinations, scene: Scene
) -> Check:
    """Leave out rows whose nulls are to be ignored, from the violations and from what a share is taken of."""
    assert check.violated is not None
    there = ignored(names, one.ignore)
    if there is not None:
        both = exp.and_(there.copy(), exp.paren(check.violated), copy=False)
        check = replace(check, violated=both)
    return judged(check, where=scene.where(one.where), of=there, mostly=one.mostly)
