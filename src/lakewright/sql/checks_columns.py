"""Checks from the rules of a contract's columns: type, required, min, max, in, pattern, lengths, uniqueness."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.expressions import DType

from lakewright.errors import Problem
from lakewright.spec.base import Severity
from lakewright.spec.dataset import Column, Dataset
from lakewright.sql.checks_model import Check, problem
from lakewright.sql.names import FAILED, column, literal

__all__ = [
    "as_text",
    "check_pattern",
    "column_checks",
    "constant",
    "failed_to_convert",
    "key_checks",
    "length",
    "listed",
    "sql_type",
]

Scalar = str | int | float | bool

_NESTED = {DType.STRUCT, DType.MAP, DType.UNION, DType.OBJECT}
_LISTS = {DType.LIST, DType.ARRAY}
_BINARY = {DType.VARBINARY, DType.BINARY, DType.BLOB}
_FLOATS = {DType.FLOAT, DType.DOUBLE}
_NUMBERS = set(exp.DataType.NUMERIC_TYPES) - {DType.BIT}
_TEXTS = set(exp.DataType.TEXT_TYPES) | {DType.ENUM, DType.JSON}
_TIMES = {DType.TIME, DType.TIMETZ}
_MOMENTS = set(exp.DataType.TEMPORAL_TYPES) - _TIMES

# What RE2 refuses and other dialects of regular expressions allow.
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|\()|\\[1-9]|[*+?}]\+")
# What RE2 allows and Python's compiler, asked below about brackets only, does not know.
_ONLY_RE2 = re.compile(
    r"\\[pP](?:\{[^}]*\}|.)|\\[zCQEaf]|\\x\{[0-9A-Fa-f]+\}|\[:\^?\w+:\]|\(\?[a-zA-Z-]+[):]"
)
_BROKEN = ("missing )", "unbalanced parenthesis", "unterminated", "nothing to repeat", "bad character range")


def sql_type(text: str) -> exp.DataType | None:
    """Return the type that *text* names in DuckDB's spelling; None when it is empty or an extension's own."""
    if not text:
        return None
    try:
        return exp.DataType.build(text, dialect="duckdb")
    except (ParseError, ValueError):
        return None


def failed_to_convert(name: str) -> exp.Expr:
    """Return the condition that a value of column *name* was there but did not convert to its type."""
    return exp.not_(_converted(name), copy=False)


def _converted(name: str) -> exp.Expression:
    path = exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathKey(this=name)])
    found = exp.JSONExtractScalar(this=column(FAILED), expression=path)
    # DuckDB binds ->> weaker than IS
    return exp.Is(this=exp.paren(found, copy=False), expression=exp.Null())


def column_checks(
    dataset: Dataset,
    columns: Mapping[str, str],
    *,
    on_violation: Severity,
    casts: Collection[str],
    problems: list[Problem],
) -> Iterator[Check]:
    """Yield the row checks of each column of the contract; what cannot apply goes to *problems*."""
    known = {name.lower(): name for name in columns}
    declared = {name.lower(): rules for name, rules in dataset.file.columns.items()}
    for cast in casts:
        if cast.lower() not in declared:
            yield _type_check(cast, columns.get(cast, ""), on_violation)
    for written, rules in dataset.file.columns.items():
        name = known.get(written.lower())
        if name is None:
            if _has_rules(rules):
                problems.append(
                    problem("LW502", f"column {written!r} has rules but is not in the data", dataset.path)
                )
            continue
        severity = rules.severity or on_violation
        place = dataset.places.get(f"columns.{written}", (dataset.path, 0))
        kind = columns[name] or rules.type or ""
        converted = name in casts
        if converted:
            yield _type_check(name, rules.type or kind, severity)
        try:
            yield from _rules(name, rules, sql_type(kind), severity, converted)
        except ValueError as error:
            problems.append(problem("LW501", f"column {written!r}: {error}", place))
        except re.error as error:
            problems.append(problem("LW504", f"column {written!r}: {error}", place))


def key_checks(dataset: Dataset, columns: Mapping[str, str], *, on_violation: Severity) -> Iterator[Check]:
    """Yield the uniqueness checks of the contract's key, of unique columns and of the keys of a merge.

    A history (``scd2``) with the time of its changes has many rows per key by design, so its key is
    not checked.
    """
    known = {name.lower(): name for name in columns}
    contract = dataset.file.columns
    write = dataset.file.write
    history = write.mode == "scd2" and write.scd2.changed_at is not None
    keys = [known[name.lower()] for name, rules in contract.items() if rules.key and name.lower() in known]
    if not keys and write.mode in ("merge", "scd2"):
        keys = [known[name.lower()] for name in write.keys if name.lower() in known]
    if keys and not history:
        strictest = [contract[name].severity for name in contract if contract[name].key]
        severity = next((one for one in strictest if one), on_violation)
        yield unique_check(tuple(keys), severity, label="key.unique" if len(keys) > 1 else "")
    for written, rules in contract.items():
        name = known.get(written.lower())
        if name is not None and rules.unique and keys != [name]:
            yield unique_check((name,), rules.severity or on_violation)


def unique_check(names: tuple[str, ...], severity: Severity, label: str = "") -> Check:
    """Return the check that the values of *names* together occur once; rows with a null among them are left out."""
    if len(names) == 1:
        return Check(
            label or f"{names[0]}.unique", "unique", names, severity, f"{names[0]} must be unique", "key"
        )
    words = f"the combination of {', '.join(names)} must be unique"
    return Check(label or f"unique.{'_'.join(names)}", "unique", names, severity, words, "key")


def constant(value: Scalar, kind: exp.DataType | None) -> exp.Expr:
    """Return *value* as a constant of type *kind*; raises ValueError when it is none."""
    if kind is None:
        return literal(value)
    if kind.this in _LISTS or kind.this in _NESTED:
        raise ValueError(f"values of type {_spelled(kind)} cannot be compared with {value!r}")
    if kind.this in _NUMBERS:
        return _number(value, kind)
    if kind.this == DType.BOOLEAN:
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is not true or false")
        return literal(value)
    if isinstance(value, bool):
        raise ValueError(
            f"{value!r} is a truth value, not {_spelled(kind)}; put quotes around yes, no, on, off"
        )
    if kind.this in _TEXTS:
        return literal(str(value))
    if kind.this in _TIMES or kind.this in _MOMENTS:
        _check_time(value, kind)
    return exp.cast(literal(str(value)), kind.copy())


def _number(value: Scalar, kind: exp.DataType) -> exp.Expr:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError(f"{value!r} is not a number, as {_spelled(kind)} needs") from None
        if not number.is_finite():
            raise ValueError(f"{value!r} is not a finite number")
        node = exp.Literal.number(format(abs(number), "f"))
        return exp.Neg(this=node) if number < 0 else node
    return literal(value)


def _check_time(value: Scalar, kind: exp.DataType) -> None:
    reader = time if kind.this in _TIMES else date if kind.this == DType.DATE else datetime
    try:
        if not isinstance(value, str):
            raise ValueError
        reader.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"{value!r} is not {_spelled(kind)}; write it as ISO text, such as '2024-12-31'"
        ) from None


def _spelled(kind: exp.DataType) -> str:
    return kind.sql("duckdb")


def _has_rules(rules: Column) -> bool:
    bounds = (rules.min, rules.max, rules.in_, rules.pattern, rules.min_length, rules.max_length)
    return rules.required or rules.unique or rules.key or any(one is not None for one in bounds)


def _type_check(name: str, kind: str, severity: Severity) -> Check:
    words = f"{name} must convert to {kind.upper()}" if kind else f"{name} must convert to its type"
    return Check(f"{name}.type", "type", (name,), severity, words, "row", failed_to_convert(name))


def _rules(
    name: str, rules: Column, kind: exp.DataType | None, severity: Severity, converted: bool
) -> Iterator[Check]:
    def row(rule: str, words: str, violated: exp.Expr) -> Check:
        return Check(f"{name}.{rule}", rule, (name,), severity, f"{name} must {words}", "row", violated)

    value = column(name)
    if rules.required or rules.key:
        missing: exp.Expr = exp.Is(this=value.copy(), expression=exp.Null())
        if converted:
            # a value that did not convert is null now, but it was not missing
            missing = exp.and_(missing, _converted(name), copy=False)
        yield row("required", "be present", missing)
    if rules.min is not None:
        low: exp.Expr = exp.LT(this=value.copy(), expression=constant(rules.min, kind))
        if kind is not None and kind.this in _FLOATS:
            # not-a-number sorts above every number, and lies in no range
            low = exp.or_(low, exp.IsNan(this=value.copy()), copy=False)
        yield row("min", f"be at least {rules.min}", low)
    if rules.max is not None:
        high = exp.GT(this=value.copy(), expression=constant(rules.max, kind))
        yield row("max", f"be at most {rules.max}", high)
    if rules.in_ is not None:
        yield row("in", f"be one of {listed(rules.in_)}", _outside(value, rules.in_, kind))
    if rules.pattern is not None:
        check_pattern(rules.pattern)
        found = exp.RegexpLike(this=as_text(value, kind), expression=literal(rules.pattern))
        yield row("pattern", f"match {rules.pattern}", exp.not_(found, copy=False))
    if rules.min_length is not None:
        size, unit = length(value, kind)
        short = exp.LT(this=size, expression=literal(rules.min_length))
        yield row("min_length", f"have at least {rules.min_length} {unit}", short)
    if rules.max_length is not None:
        size, unit = length(value, kind)
        long = exp.GT(this=size, expression=literal(rules.max_length))
        yield row("max_length", f"have at most {rules.max_length} {unit}", long)


def _outside(value: exp.Column, allowed: tuple[Scalar, ...], kind: exp.DataType | None) -> exp.Expr:
    if not allowed:
        return exp.Is(this=value.copy(), expression=exp.Null()).not_()
    constants = [constant(one, kind) for one in allowed]
    return exp.not_(exp.In(this=value.copy(), expressions=constants), copy=False)


def as_text(value: exp.Column, kind: exp.DataType | None) -> exp.Expression:
    """Return *value* as text; raises ValueError for a type that has none."""
    if kind is not None and (kind.this in _NESTED or kind.this in _LISTS or kind.this in _BINARY):
        raise ValueError(f"a pattern needs text, and the column is {_spelled(kind)}")
    if kind is None or kind.this in _TEXTS:
        return value.copy()
    return exp.cast(value.copy(), "TEXT")


def length(value: exp.Column, kind: exp.DataType | None) -> tuple[exp.Expr, str]:
    """Return the length of *value* and its unit: elements, bytes or characters; ValueError where it has none."""
    if kind is not None and kind.this in _LISTS:
        # Spark's size of null is -1, which is shorter than anything
        there = exp.Is(this=value.copy(), expression=exp.Null()).not_()
        return exp.Case().when(there, exp.ArraySize(this=value.copy()), copy=False), "elements"
    if kind is not None and kind.this in _BINARY:
        return exp.Anonymous(this="OCTET_LENGTH", expressions=[value.copy()]), "bytes"
    if kind is None or kind.this in _TEXTS:
        return exp.Length(this=value.copy()), "characters"
    if kind.this in _NESTED:
        raise ValueError(f"a length needs text or a list, and the column is {_spelled(kind)}")
    return exp.Length(this=exp.cast(value.copy(), "TEXT")), "characters"


def check_pattern(pattern: str) -> None:
    """Raise re.error for what RE2 cannot do; the finer points of its syntax are left to the engine."""
    if found := _NOT_RE2.search(re.sub(r"\\\\", "", pattern)):
        raise re.error(
            f"the pattern {pattern!r} uses {found.group()!r}: look-around, back references and "
            "possessive repeats do not exist in RE2"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(_ONLY_RE2.sub(lambda m: m.group() if m.group().startswith("(?") else "x", pattern))
    except re.error as error:
        if str(error).startswith(_BROKEN):
            raise re.error(f"the pattern {pattern!r} is not valid: {error}") from None


def listed(values: tuple[Scalar, ...], limit: int = 8) -> str:
    """Return the first *limit* values in words, and how many there are."""
    shown = ", ".join(str(one) for one in values[:limit])
    return f"{shown}, … ({len(values)} values)" if len(values) > limit else shown
