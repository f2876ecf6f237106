"""Bitmasks of broken checks on staged rows, and the one aggregate query that audits them all.

A row's broken checks are bits of BIGINT columns ``_violations_0``, ``_violations_1``, … The audit groups
by those columns first: rows share few combinations of broken checks, so every count is then
taken over a handful of groups, whatever the number of checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from lakewright.sql.checks_keys import ROWID, blocks_query, complete_keys, is_integer
from lakewright.sql.checks_model import BITS, THIS, Check, bits_of, row_checks, stops
from lakewright.sql.names import column, literal

__all__ = [
    "AUDIT_BAD",
    "AUDIT_ROWS",
    "audit_column",
    "audit_query",
    "judged_column",
    "quarantines",
    "reasons",
    "violation_columns",
]

#: Columns of the audit's row: how many rows were judged, and how many of them may not be published.
AUDIT_ROWS = "rows"
AUDIT_BAD = "bad_rows"

_PREFIX = "_violations_"
_COUNT = "_count"

Surplus = Mapping[str, exp.Table]


def violation_columns(checks: Sequence[Check]) -> tuple[exp.Alias, ...]:
    """Return ``… AS _violations_0``, …: one BIGINT per 60 row checks, with a bit set for each one broken."""
    listed = row_checks(tuple(checks))
    made = []
    for start in range(0, len(listed), BITS):
        terms = [
            exp.Case().when(_required(check.violated), _bit(place), copy=False).else_(_bit(None), copy=False)
            for place, check in enumerate(listed[start : start + BITS])
        ]
        whole: exp.Expr = terms[0]
        for term in terms[1:]:
            whole = exp.Add(this=whole, expression=term)
        made.append(_named(whole, f"{_PREFIX}{start // BITS}"))
    return tuple(made)


def quarantines(checks: Sequence[Check], surplus: Surplus | None = None) -> exp.Expr:
    """Return the condition on a staged row that it may not be published.

    True for a row that breaks a check of severity ``quarantine`` or ``fail``. *surplus* gives, by
    check id, the table of surplus rows' ``rid`` (see ``surplus_query``); keys without an entry have none.
    """
    masks: dict[int, int] = {}
    stopping = {check.id for check in checks if stops(check)}
    for name, (number, place) in bits_of(tuple(checks)).items():
        if name in stopping:
            masks[number] = masks.get(number, 0) | 1 << place
    parts = [_masked(_violations(number), mask) for number, mask in masks.items()]
    parts += [_is_surplus(table) for name, table in (surplus or {}).items() if name in stopping]
    return exp.or_(*parts, copy=False) if parts else exp.false()


def reasons(checks: Sequence[Check], surplus: Surplus | None = None) -> exp.Expr:
    """Return the list of ids (VARCHAR[]) of the checks that a staged row breaks, of any severity."""
    bits = bits_of(tuple(checks))
    terms: list[exp.Expression] = []
    for check in checks:
        broken: exp.Expr | None = None
        if check.id in bits:
            number, place = bits[check.id]
            broken = _masked(_violations(number), 1 << place)
        elif surplus and check.id in surplus:
            broken = _is_surplus(surplus[check.id])
        if broken is not None:
            terms.append(exp.Case().when(broken, literal(check.id), copy=False))
    if not terms:
        return exp.cast(exp.Array(expressions=[]), exp.DataType.build("VARCHAR[]", dialect="duckdb"))
    return exp.ArrayCompact(this=exp.Array(expressions=terms))


def audit_query(
    checks: Sequence[Check],
    relation: exp.Table,
    *,
    staged: bool,
    where: exp.Expr | None = None,
    surplus: Surplus | None = None,
    columns: Mapping[str, str] | None = None,
) -> exp.Select:
    """Return the query whose one row says how many rows break each check.

    The row has ``rows``, ``bad_rows`` and, for the check at place *i* of *checks*, the column
    ``check_<i>``: the number of violations, or the measure of a dataset's check; a share that is not one of
    all rows also has ``judged_<i>``, the rows that it is a share of.

    *staged* reads the bitmask columns of a stage, and the tables in *surplus* for its keys (a key
    without an entry has no violation; no *surplus* at all counts them from the rows). Otherwise the
    predicates run on *relation* itself, an existing table; which rows repeat a key is then not known, so
    ``bad_rows`` counts each surplus row as one more (at most all). *where* limits the rows. *columns*, name →
    type, lets uniqueness of whole numbers be counted with bitmaps: exact and three times quicker.
    """
    checks = tuple(checks)
    sources = [_grouped(checks, relation, staged, where, surplus)]
    rows = exp.column(AUDIT_ROWS, table="_rows", quoted=True)
    bad: exp.Expr = exp.column(AUDIT_BAD, table="_rows", quoted=True)
    outer: list[exp.Expr] = []
    measures: list[exp.Expr] = []
    for index, check in enumerate(checks):
        name = audit_column(index)
        value: exp.Expr
        if check.scope == "row":
            value = exp.column(name, table="_rows", quoted=True)
        elif check.scope == "key":
            if staged and surplus is not None:
                value = _surplus_count(surplus.get(check.id))
            else:
                source = f"_key_{index}"
                sources.append(_repeats(check, relation, where, columns).subquery(source, copy=False))
                value = exp.column("_n", table=source)
                if stops(check):
                    bad = exp.Add(this=bad, expression=value.copy())
        elif check.query is not None:
            source = f"_query_{index}"
            sources.append(_over(check.query, relation, where).subquery(source, copy=False))
            value = exp.column("_n", table=source)
            if check.mostly is not None:
                outer.append(_named(exp.column("_of", table=source), judged_column(index)))
        elif check.kind == "row_count" and check.measure is None:
            value = rows.copy()
        elif isinstance(check.measure, exp.Literal):
            # known without the rows; selected beside no aggregate, it would come once per row
            value = check.measure.copy()
        else:
            measures.append(_named(_measure(check), name))
            value = exp.column(name, table="_measures", quoted=True)
            if check.judged is not None:
                of = judged_column(index)
                measures.append(_named(_count_if(check.judged.copy()), of))
                outer.append(_named(exp.column(of, table="_measures", quoted=True), of))
        outer.append(_named(value, name))
    if measures:
        scan = _filtered(exp.select(*measures, copy=False).from_(relation.copy()), where)
        sources.append(scan.subquery("_measures", copy=False))
    if isinstance(bad, exp.Add):
        bad = exp.Least(this=rows.copy(), expressions=[bad])
    head = [_named(rows, AUDIT_ROWS), _named(bad, AUDIT_BAD)]
    query = exp.select(*head, *outer, copy=False).from_(sources[0], copy=False)
    for further in sources[1:]:
        query = query.join(further, join_type="cross", copy=False)
    return query


def audit_column(index: int) -> str:
    """Return the name of the audit's column for the check at place *index*."""
    return f"check_{index}"


def judged_column(index: int) -> str:
    """Return the name of the audit's column that counts the rows judged by the check at place *index*, where not all are."""
    return f"judged_{index}"


def _over(query: exp.Select, relation: exp.Table, where: exp.Expr | None) -> exp.Select:
    """Return a check's query with the rows that are judged in place of :data:`THIS`."""
    bound = query.copy()
    for node in [one for one in bound.find_all(exp.Table) if one.name == THIS and not one.db]:
        alias = node.alias or THIS
        rows: exp.Expr = exp.alias_(relation.copy(), alias, table=True, quoted=True)
        if where is not None:
            rows = exp.select("*").from_(relation.copy()).where(where.copy())
            rows = rows.subquery(exp.to_identifier(alias, quoted=True), copy=False)
        node.replace(rows)
    return bound


def _grouped(
    checks: tuple[Check, ...],
    relation: exp.Table,
    staged: bool,
    where: exp.Expr | None,
    surplus: Surplus | None,
) -> exp.Subquery:
    """Count rows per combination of broken checks, then each check over the combinations."""
    made = violation_columns(checks)
    names = [one.alias for one in made]
    inner: list[exp.Expr] = [exp.column(name, quoted=True) for name in names] if staged else list(made)
    duplicates = {}
    for number, (name, table) in enumerate((surplus or {}).items()):
        if staged:
            duplicates[name] = f"_surplus_{number}"
            inner.append(_named(_is_surplus(table), duplicates[name]))
    rows = _filtered(exp.select(*(inner or [literal(1)]), copy=False).from_(relation.copy()), where)
    keys = [*names, *duplicates.values()]
    combinations = exp.select(
        *(exp.column(name, quoted=True) for name in keys), exp.alias_(exp.Count(this=exp.Star()), _COUNT)
    ).from_(rows.subquery("_judged", copy=False))
    if keys:
        combinations = combinations.group_by(*(exp.column(name, quoted=True) for name in keys))

    stopping = {check.id for check in checks if stops(check)}
    bad = [quarantines(checks)] if bits_of(checks) else []
    bad += [exp.column(flag, quoted=True) for name, flag in duplicates.items() if name in stopping]
    outer = [
        _named(_total(None), AUDIT_ROWS),
        _named(_total(exp.or_(*bad) if bad else exp.false()), AUDIT_BAD),
    ]
    bits = bits_of(checks)
    for index, check in enumerate(checks):
        if check.id in bits:
            number, place = bits[check.id]
            broken = _masked(_violations(number), 1 << place)
            outer.append(_named(_total(broken), audit_column(index)))
    return (
        exp.select(*outer, copy=False).from_(combinations.subquery("_combined", copy=False)).subquery("_rows")
    )


def _named(value: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _total(condition: exp.Expr | None) -> exp.Expr:
    count: exp.Expr = exp.column(_COUNT)
    if condition is not None:
        count = exp.Case().when(condition, count, copy=False).else_(literal(0), copy=False)
    total = exp.Coalesce(this=exp.Sum(this=count), expressions=[literal(0)])
    return exp.cast(total, "BIGINT")


def _repeats(
    check: Check, relation: exp.Table, where: exp.Expr | None, columns: Mapping[str, str] | None
) -> exp.Select:
    """Return ``_n``: how many rows are one too many for their key, exactly."""
    kept = complete_keys(check.columns)
    if where is not None:
        kept = exp.and_(kept, where.copy(), copy=False)
    if is_integer(check, columns):
        inner = blocks_query(check, relation, kept)
        distinct: exp.Expr = exp.Sum(this=exp.BitwiseCount(this=exp.column("_present")))
    else:
        keys = [column(name) for name in check.columns]
        counted = exp.alias_(exp.Count(this=exp.Star()), "_n")
        inner = exp.select(counted).from_(relation.copy()).where(kept).group_by(*keys)
        distinct = exp.Count(this=exp.Star())
    surplus = exp.Sub(this=exp.Sum(this=exp.column("_n")), expression=distinct)
    whole = exp.cast(exp.Coalesce(this=surplus, expressions=[literal(0)]), "BIGINT")
    return exp.select(exp.alias_(whole, "_n")).from_(inner.subquery("_keys", copy=False))


def _measure(check: Check) -> exp.Expr:
    if check.measure is not None:
        return check.measure.copy()
    return _count_if(_required(check.violated))


def _count_if(condition: exp.Expr) -> exp.Expr:
    # not COUNT_IF, which is null where there are no rows
    return exp.Count(this=exp.Case().when(condition, literal(1), copy=False))


def _filtered(query: exp.Select, where: exp.Expr | None) -> exp.Select:
    return query if where is None else query.where(where.copy(), copy=False)


def _required(violated: exp.Expr | None) -> exp.Expr:
    if violated is None:
        raise ValueError("a check of rows needs its condition")
    return violated.copy()


def _bit(place: int | None) -> exp.Expr:
    return exp.cast(literal(0 if place is None else 1 << place), "BIGINT")


def _violations(number: int) -> exp.Column:
    return exp.column(f"{_PREFIX}{number}", quoted=True)


def _masked(value: exp.Expr, mask: int) -> exp.Expr:
    both = exp.paren(exp.BitwiseAnd(this=value, expression=literal(mask)), copy=False)
    return exp.NEQ(this=both, expression=literal(0))


def _is_surplus(table: exp.Table) -> exp.Expr:
    rows = exp.select(ROWID).from_(table.copy())
    return exp.In(this=exp.column("rowid"), query=rows.subquery(copy=False))


def _surplus_count(table: exp.Table | None) -> exp.Expr:
    if table is None:
        return exp.cast(literal(0), "BIGINT")
    return exp.select(exp.Count(this=exp.Star())).from_(table.copy()).subquery(copy=False)
