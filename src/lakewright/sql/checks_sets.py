"""Checks from expectations about all rows together: figures of a column, sets of values, types, queries."""

from __future__ import annotations

import re

from sqlglot import exp

from lakewright.spec.expectations import (
    ColumnType,
    DistinctValues,
    Expectation,
    Measure,
    MostCommon,
    Outliers,
    Query,
    Unique,
)
from lakewright.sql.checks_columns import constant, listed, sql_type
from lakewright.sql.checks_model import THIS, Check
from lakewright.sql.checks_parse import Refused, Scene, count_if, known, percent, present, ranged, slug
from lakewright.sql.checks_rows import ignored
from lakewright.sql.names import column, literal
from lakewright.sql.query import bind, dependencies, parse_query, tables

__all__ = ["set_expectation"]


def set_expectation(one: Expectation, scene: Scene) -> Check:
    """Compile one of the expectations about all rows; raises Refused for what does not fit the columns."""
    try:
        match one:
            case Measure():
                return _measure(one, scene)
            case DistinctValues():
                return _distinct_values(one, scene)
            case MostCommon():
                return _most_common(one, scene)
            case Outliers():
                return _outliers(one, scene)
            case Unique():
                return _repeated(one, scene)
            case ColumnType():
                return _column_type(one, scene)
            case Query():
                return _query(one, scene)
            case _:
                raise Refused("LW503", "this expectation is not known")
    except ValueError as error:
        raise Refused("LW501", str(error)) from None


# --- figures -------------------------------------------------------------------------------------


def _measure(one: Measure, scene: Scene) -> Check:
    name = known(one.column, scene.columns)
    some = scene.where(one.where)
    low, open_low, high, open_high, words = ranged(one.min, one.max, one.above, one.below)
    what = f"quantile {one.at:g}" if one.of == "quantile" and one.at is not None else one.of.replace("_", " ")
    sentence = f"the {what} of {name} must be {words}" + (f" where {one.where}" if one.where else "")
    return Check(
        one.label or f"{name}.{slug(what)}", "statistic", (name,), scene.severity, sentence, "dataset",
        measure=_figure(one, name, some), minimum=low, maximum=high, open_low=open_low, open_high=open_high,
    )  # fmt: skip


def _figure(one: Measure, name: str, some: exp.Expr | None) -> exp.Expr:
    value = column(name)
    if some is not None:
        # the value of the rows that are meant, null for the others, which no aggregate counts
        chosen: exp.Expr = exp.Case().when(some.copy(), value, copy=False)
    else:
        chosen = value
    there = exp.Count(this=chosen.copy())
    different = exp.Count(this=exp.Distinct(expressions=[chosen.copy()]))
    rows = exp.Count(this=exp.Star()) if some is None else count_if(some.copy())
    match one.of:
        case "distinct":
            return different
        case "distinct_share":
            return _share(different, there)
        case "filled_share":
            return _share(there, rows)
        case "nulls":
            return exp.Sub(this=rows, expression=there)
        case "quantile":
            if one.at is None:
                raise Refused("LW503", "quantile needs `at`, from 0 to 1", "add at: 0.5")
            return exp.Anonymous(this="QUANTILE_DISC", expressions=[chosen, literal(one.at)])
        case "stdev":
            return exp.StddevSamp(this=chosen)
        case _:
            return _AGGREGATES[one.of](this=chosen)


_AGGREGATES: dict[str, type[exp.AggFunc]] = {
    "min": exp.Min, "max": exp.Max, "mean": exp.Avg, "median": exp.Median, "sum": exp.Sum,
}  # fmt: skip


def _share(part: exp.Expr, whole: exp.Expr) -> exp.Expr:
    return exp.Div(
        this=exp.cast(part, "DOUBLE"), expression=exp.Nullif(this=whole, expression=literal(0)), typed=False
    )


def _distinct_values(one: DistinctValues, scene: Scene) -> Check:
    """Counts the rows with a value that is not allowed, and the values that are not there."""
    name = known(one.column, scene.columns)
    kind = sql_type(scene.columns[name])
    some = scene.where(one.where)

    def rows_with(condition: exp.Expr) -> exp.Expr:
        return count_if(condition if some is None else exp.and_(some, condition, copy=True))

    terms: list[exp.Expr] = []
    words = []
    if one.in_ is not None:
        allowed = [constant(entry, kind) for entry in one.in_]
        outside = (
            exp.not_(exp.In(this=column(name), expressions=allowed)) if allowed else present(column(name))
        )
        terms.append(rows_with(outside))
        words.append(f"only {listed(one.in_)}")
    if one.contain is not None:
        for entry in one.contain:
            there = rows_with(exp.EQ(this=column(name), expression=constant(entry, kind)))
            lacks = exp.EQ(this=there, expression=literal(0))
            terms.append(exp.Case().when(lacks, literal(1), copy=False).else_(literal(0), copy=False))
        words.append(f"each of {listed(one.contain)}")
    if not terms:
        raise Refused("LW503", "says nothing about the values", "add in or contain")
    whole = terms[0]
    for term in terms[1:]:
        whole = exp.Add(this=whole, expression=term)
    return Check(
        one.label or f"{name}.distinct_values", "distinct_values", (name,), scene.severity,
        f"the values of {name} must be {' and '.join(words)}", "dataset", measure=whole, maximum=0,
    )  # fmt: skip


def _column_type(one: ColumnType, scene: Scene) -> Check:
    name = known(one.column, scene.columns)
    have = sql_type(scene.columns[name])
    wanted = [sql_type(text) for text in one.types]
    for text, kind in zip(one.types, wanted, strict=True):
        if kind is None:
            raise Refused("LW501", f"{text!r} is no SQL type")
    good = have is None or any(
        kind is not None and (kind == have or (not kind.expressions and kind.this == have.this))
        for kind in wanted
    )
    return Check(
        one.label or f"{name}.column_type", "column_type", (name,), scene.severity,
        f"{name} must be {' or '.join(one.types)} (it is {scene.columns[name] or 'not known'})", "dataset",
        measure=literal(0 if good else 1), maximum=0,
    )  # fmt: skip


# --- what a single aggregate cannot tell ---------------------------------------------------------


def _rows(some: exp.Expr | None, *conditions: exp.Expr | None) -> exp.Select:
    """Return a query of the rows that are meant."""
    found = [one.copy() for one in (some, *conditions) if one is not None]
    query = exp.select("*").from_(exp.to_table(THIS))
    return query.where(exp.and_(*found, copy=False)) if found else query


def _repeated(one: Unique, scene: Scene) -> Check:
    """Judge uniqueness of the dataset: a share counts every row of a repeated key, a number the surplus ones."""
    names = tuple(known(name, scene.columns) for name in one.columns)
    rows = _rows(scene.where(one.where), ignored(names, one.ignore))
    groups = (
        exp.select(exp.alias_(exp.Count(this=exp.Star()), "_rows"))
        .from_(rows.subquery("_all", copy=False))
        .group_by(*(column(name) for name in names))
    )
    counted = exp.column("_rows")
    if one.at_most is None:
        more = exp.GT(this=counted.copy(), expression=literal(1))
        bad: exp.Expr = exp.Sum(this=exp.Case().when(more, counted.copy(), copy=False))
    else:
        bad = exp.Sub(this=exp.Sum(this=counted.copy()), expression=exp.Count(this=exp.Star()))
    query = exp.select(_whole(bad, "_n"), _whole(exp.Sum(this=counted), "_of")).from_(
        groups.subquery("_groups", copy=False)
    )
    what = names[0] if len(names) == 1 else f"the combination of {', '.join(names)}"
    words = f"{what} must be unique" + (f" where {one.where}" if one.where else "")
    label = one.label or (f"{names[0]}.unique" if len(names) == 1 else f"unique.{'_'.join(names)}")
    if one.at_most is not None:
        words += f", but for at most {one.at_most:,} rows"
        return Check(
            label, "unique", names, scene.severity, words, "dataset", query=query, maximum=one.at_most
        )
    share = 1.0 if one.mostly is None else one.mostly
    words += f" for at least {percent(share)} of the rows"
    return Check(label, "unique", names, scene.severity, words, "dataset", query=query, mostly=share)


def _most_common(one: MostCommon, scene: Scene) -> Check:
    """Counts the most frequent values that are not allowed, or with ``ties`` asks for one that is."""
    name = known(one.column, scene.columns)
    kind = sql_type(scene.columns[name])
    groups = (
        exp.select(exp.alias_(column(name), "_value"), exp.alias_(exp.Count(this=exp.Star()), "_rows"))
        .from_(_rows(scene.where(one.where), present(column(name))).subquery("_all", copy=False))
        .group_by(column(name))
    )
    most = exp.Window(this=exp.Max(this=exp.column("_rows")))
    ranked = exp.select("_value", "_rows", exp.alias_(most, "_most")).from_(
        groups.subquery("_groups", copy=False)
    )
    allowed = exp.In(this=exp.column("_value"), expressions=[constant(entry, kind) for entry in one.in_])
    good = count_if(allowed)
    if one.ties:
        fails: exp.Expr = exp.EQ(this=good, expression=literal(0))
    else:
        fails = exp.NEQ(this=good, expression=exp.Count(this=exp.Star()))
    query = (
        exp.select(exp.alias_(exp.Case().when(fails, literal(1), copy=False).else_(literal(0)), "_n"))
        .from_(ranked.subquery("_ranked", copy=False))
        .where(exp.EQ(this=exp.column("_rows"), expression=exp.column("_most")))
    )
    return Check(
        one.label or f"{name}.most_common", "most_common", (name,), scene.severity,
        f"the most common value of {name} must be one of {listed(one.in_)}", "dataset", query=query, maximum=0,
    )  # fmt: skip


def _outliers(one: Outliers, scene: Scene) -> Check:
    """Standard scores with the sample's standard deviation; without spread no value is an outlier."""
    name = known(one.column, scene.columns)
    value = exp.cast(column(name), "DOUBLE")
    rows = exp.select(exp.alias_(value, "_value")).from_(
        _rows(scene.where(one.where), present(column(name))).subquery("_all", copy=False)
    )
    spread = exp.select(
        "_value",
        exp.alias_(exp.Window(this=exp.Avg(this=exp.column("_value"))), "_mean"),
        exp.alias_(exp.Window(this=exp.StddevSamp(this=exp.column("_value"))), "_spread"),
    ).from_(rows.subquery("_values", copy=False))
    distance: exp.Expr = exp.Sub(this=exp.column("_value"), expression=exp.column("_mean"))
    if one.both_sides:
        distance = exp.Abs(this=distance)
    limit = exp.Mul(this=literal(one.deviations), expression=exp.column("_spread"))
    far = exp.GTE(this=exp.paren(distance), expression=limit)
    spreads = exp.GT(this=exp.column("_spread"), expression=literal(0))
    query = exp.select(
        exp.alias_(count_if(exp.and_(spreads, far, copy=False)), "_n"),
        exp.alias_(exp.Count(this=exp.Star()), "_of"),
    ).from_(spread.subquery("_scored", copy=False))
    share = 1.0 if one.mostly is None else one.mostly
    sides = "from" if one.both_sides else "above"
    return Check(
        one.label or f"{name}.outliers", "outliers", (name,), scene.severity,
        f"{name} must lie less than {one.deviations:g} standard deviations {sides} its mean for at least "
        f"{percent(share)} of the values", "dataset", query=query, mostly=share,
    )  # fmt: skip


def _query(one: Query, scene: Scene) -> Check:
    tree = parse_query(one.sql, path=scene.path, own=one.name_of_this)
    tree = bind(tree, {name: scene.relations(name) for name in dependencies(tree)})
    for node in list(tables(tree)):
        if not node.db and node.name.lower() == one.name_of_this.lower():
            node.replace(exp.alias_(exp.to_table(THIS), node.alias or node.name, table=True, quoted=True))
    if len(tree.selects) != 1 or tree.is_star:
        raise Refused("LW503", f"{one.sql!r} gives {len(tree.selects)} columns, not one number")
    rows = tree.subquery("_given", copy=False)
    rows.set("alias", exp.TableAlias(this=exp.to_identifier("_given"), columns=[exp.to_identifier("_n")]))
    # more than one row is no number: min and max then differ, and null lies in no range
    single = exp.EQ(this=exp.Count(this=exp.Star()), expression=literal(1))
    value = exp.Case().when(single, exp.Max(this=exp.column("_n")), copy=False)
    query = exp.select(exp.alias_(value, "_n")).from_(rows, copy=False)
    low, open_low, high, open_high, words = ranged(one.min, one.max, one.above, one.below)
    shown = re.sub(r"\s+", " ", one.sql).strip()
    return Check(
        one.label or f"query.{slug(shown)}", "query", (), scene.severity, f"{shown} must give {words}",
        "dataset", query=query, minimum=low, maximum=high, open_low=open_low, open_high=open_high,
    )  # fmt: skip


def _whole(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(exp.cast(exp.Coalesce(this=value, expressions=[literal(0)]), "BIGINT"), name)
