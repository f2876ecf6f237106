"""Values of the log, which are text as PostgreSQL writes it, as DuckDB's types: the same as a snapshot's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from lakewright.sources.dialect import clean_names

__all__ = ["Target", "as_type", "targets"]

#: What the server is to write, so that text means the same everywhere.
SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}

# An element of an array, quoted or not; within quotes a backslash stands before quotes and backslashes.
_ELEMENT = r'"(?:[^"\\]|\\.)*"|[^,{}"]+'


@dataclass(frozen=True)
class Target:
    """A column of raw: its ``name`` and DuckDB's ``type``; ``base`` is PostgreSQL's type, of the elements for an array."""

    source: str
    name: str
    type: str
    base: str
    array: bool = False


def targets(found: Sequence[tuple[str, str, str, bool]]) -> tuple[Target, ...]:
    """Return the columns for (name, DuckDB type, base, array)."""
    names = clean_names([one[0] for one in found])
    return tuple(
        Target(source, name, type, base, array)
        for name, (source, type, base, array) in zip(names, found, strict=True)
    )


def as_type(target: Target, value: exp.Expr) -> exp.Expr:
    """Return DuckDB's expression that makes the column's value of the text *value*; null where nothing holds it."""
    if target.type == "VARCHAR":
        return _number(value) if target.base == "numeric" else value
    if not target.array:
        return _try(_scalar(target.base, value), target.type)
    if target.type == "JSON":
        return _try(_nested(target.base, value), "JSON")
    element = target.type.removesuffix("[]")
    bare = exp.func("regexp_replace", value, exp.Literal.string(r"^\[[^{]*=\{"), exp.Literal.string("{"))
    parts = _func("regexp_extract_all", bare, exp.Literal.string(_ELEMENT))
    text = exp.column("e")
    made = exp.Case().when(text.eq(exp.Literal.string("NULL")), exp.Null()).else_(_unquoted(text))
    listed = _each(parts, made)
    if element != "VARCHAR":
        listed = _each(listed, _try(_scalar(target.base, exp.column("e")), element))
    return exp.Case().when(value.copy().is_(exp.null()), exp.Null()).else_(listed)


def _scalar(base: str, value: exp.Expr) -> exp.Expr:
    """Text that DuckDB's cast understands."""
    make = _WRITTEN.get(base)
    return make(value) if make is not None else value


def _number(value: exp.Expr) -> exp.Expr:
    """A number that stays text, its special values spelled as a snapshot's are."""
    case = exp.Case(this=value.copy())
    for seen, meant in (("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf")):
        case = case.when(exp.Literal.string(seen), exp.Literal.string(meant))
    return case.else_(value.copy())


def _bytes(value: exp.Expr) -> exp.Expr:
    return _func("unhex", _func("substr", value, exp.Literal.number(3)))


def _date(value: exp.Expr) -> exp.Expr:
    return _replaced(value, r" BC$", " (BC)")


def _time(value: exp.Expr) -> exp.Expr:
    return _replaced(value, r"^(\S+) (.*) BC$", r"\1 (BC) \2")


def _money(value: exp.Expr) -> exp.Expr:
    """Digits and the sign; the last two digits are the fraction, whatever the separators of the server's language."""
    digits = _replaced(value, r"[^0-9]", "", every=True)
    negative = _func("regexp_matches", value.copy(), exp.Literal.string(r"[-(]"))
    amount = exp.cast(digits, "DECIMAL(19,0)", dialect="duckdb") * exp.cast(
        exp.Literal.string("0.01"), "DECIMAL(19,2)", dialect="duckdb"
    )
    return exp.Case().when(negative, exp.Neg(this=exp.paren(amount))).else_(exp.paren(amount.copy()))


_WRITTEN: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "bytea": _bytes, "date": _date, "timestamp": _time, "timestamptz": _time, "money": _money,
}  # fmt: skip


def _unquoted(text: exp.Expr) -> exp.Expr:
    inner = _func(
        "substr", text.copy(), exp.Literal.number(2), exp.func("length", text.copy()) - exp.Literal.number(2)
    )
    plain = _replaced(inner, r"\\(.)", r"\1", every=True)
    return (
        exp.Case()
        .when(exp.func("starts_with", text.copy(), exp.Literal.string('"')), plain)
        .else_(text.copy())
    )


def _nested(base: str, value: exp.Expr) -> exp.Expr:
    """An array of several dimensions as JSON: its brackets, and each element as JSON writes it."""
    bare = _replaced(value, r"^\[[^{]*=\{", "{")
    tokens = _func("regexp_extract_all", bare, exp.Literal.string(rf"{_ELEMENT}|[{{}},]"))
    text = exp.column("e")
    case = exp.Case()
    for seen, meant in (("{", "["), ("}", "]"), (",", ","), ("NULL", "null")):
        case = case.when(text.copy().eq(exp.Literal.string(seen)), exp.Literal.string(meant))
    if base == "bool":
        case = case.when(text.copy().eq(exp.Literal.string("t")), exp.Literal.string("true"))
        case = case.when(text.copy().eq(exp.Literal.string("f")), exp.Literal.string("false"))
    if base in ("int2", "int4", "int8", "float4", "float8", "numeric"):
        number = _func("regexp_matches", text.copy(), exp.Literal.string(r"^-?[0-9]"))
        case = case.when(number, text.copy())
    element = exp.cast(_func("to_json", _unquoted(text)), "VARCHAR", dialect="duckdb")
    return _func("array_to_string", _each(tokens, case.else_(element)), exp.Literal.string(""))


def _replaced(value: exp.Expr, pattern: str, by: str, *, every: bool = False) -> exp.Expr:
    options = [exp.Literal.string("g")] if every else []
    return _func(
        "regexp_replace", value.copy(), exp.Literal.string(pattern), exp.Literal.string(by), *options
    )


def _each(values: exp.Expr, made: exp.Expr) -> exp.Expr:
    function = exp.Lambda(this=made, expressions=[exp.to_identifier("e")])
    return _func("list_transform", values, function)


def _func(name: str, *values: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[one.copy() for one in values])


def _try(value: exp.Expr, type: str) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build(type, dialect="duckdb"))
