"""Text to numbers, truth values, dates and times: exact, or null.

The pattern everywhere: DuckDB's TRY_CAST, then a cheap test that recognises the usual spelling, for
which the cast is known to be exact; other spellings are held to a regular expression.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.expressions import DType

from lakewright.sql.cast_model import Conversion, case, is_null, try_cast
from lakewright.sql.cast_types import family, type_name
from lakewright.sql.dialect import call
from lakewright.sql.names import column, literal

__all__ = ["from_text"]

# Decimal numbers with at most this many characters differ as doubles when they differ at all.
_EXACT_DIGITS = 15
_EXPONENT = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+\s*"

_DAY = r"\d{4,6}[-/]\d{1,2}[-/]\d{1,2}"
_UTC = r"(?:\s?(?:Z|UTC|[+-]00(?::?00)?))?"
_ZONE = r"(?:\s?(?:Z|[+-]\d{2}(?::?\d{2})?)|\s[A-Za-z]+[A-Za-z0-9_/+-]*)?"
_FIRST_YEAR = "1000-01-01"


def from_text(name: str, kind: exp.DataType, prefix: str) -> Conversion:
    """Return the conversion of text column *name* to *kind*; helper columns start with *prefix*."""
    match family(type_name(kind)):
        case "integer":
            return _integer(name, kind, prefix)
        case "decimal":
            scale = (
                int(kind.expressions[1].name) if len(kind.expressions) > 1 else 0 if kind.expressions else 3
            )
            return _decimal(name, kind, scale, prefix) if scale else _integer(name, kind, prefix)
        case "float":
            return _float(name, kind, prefix)
        case "boolean":
            value = try_cast(name, kind)
            return Conversion((), exp.Coalesce(this=value, expressions=[_trimmed(name, kind)]), text=True)
        case "date":
            midnight = rf"(?:[T ]\s*0{{1,2}}:00(?::00(?:\.0+)?)?{_UTC})?"
            return _moment(name, kind, "____-__-__", rf"\s*{_DAY}{midnight}\s*", prefix)
        case "timestamp" | "timestamptz":
            return _timestamp(name, kind, prefix)
        case "time":
            return _moment(name, kind, "__:__:__", rf"\s*{_clock(6)}\s*", prefix)
    if kind.this in (DType.ARRAY, DType.LIST, DType.STRUCT, DType.MAP):
        return _nested(name, kind, prefix)
    return Conversion((), try_cast(name, kind), text=True)


def _nested(name: str, kind: exp.DataType, prefix: str) -> Conversion:
    # elements that do not convert become null inside the value, so its spelling is compared
    value = column(f"{prefix}v")
    texts = kind.copy()
    for leaf in list(texts.find_all(exp.DataType)):
        if (leaf is not texts and not leaf.expressions) or leaf.this == DType.DECIMAL:
            leaf.replace(exp.DataType.build("TEXT"))
    spelled = exp.EQ(this=exp.cast(value.copy(), "TEXT"), expression=exp.cast(try_cast(name, texts), "TEXT"))
    return Conversion(({value.name: try_cast(name, kind)},), case((spelled, value)), text=True)


def _integer(name: str, kind: exp.DataType, prefix: str) -> Conversion:
    text, value, double = column(name), column(f"{prefix}v"), column(f"{prefix}d")
    as_double = exp.cast(value.copy(), "DOUBLE")
    # a double tells what a cast rounded away (1.7) or read as something else (0x10)
    unusual = exp.or_(
        exp.NullSafeNEQ(this=as_double, expression=double),
        exp.GT(this=call("bytes", text.copy()), expression=literal(_EXACT_DIGITS)),
        exp.and_(  # 1e-400
            exp.EQ(this=value.copy(), expression=literal(0)),
            exp.NEQ(this=text.copy(), expression=literal("0")),
        ),
    )
    digits = exp.SplitPart(this=text.copy(), delimiter=literal("."), part_index=literal(1))
    strict = case(
        (call("full_match", text.copy(), literal(r"\s*[+-]?\d+(?:\.0*)?\s*")), try_cast(digits, kind)),
        (_exact_exponent(text, exp.cast(try_cast(double, kind), "DOUBLE"), double), try_cast(double, kind)),
    )
    layer = {value.name: try_cast(name, kind), double.name: try_cast(name, "DOUBLE")}
    return Conversion((layer,), case((unusual, strict), otherwise=value), text=True)


def _decimal(name: str, kind: exp.DataType, scale: int, prefix: str) -> Conversion:
    text, value = column(name), column(f"{prefix}v")
    # what follows the point fits the scale, so nothing was rounded
    point = exp.StrPosition(this=text.copy(), substr=literal("."))
    fraction = exp.Sub(this=call("bytes", text.copy()), expression=point)
    suspects: list[exp.Expr] = [exp.GT(this=fraction, expression=literal(scale))]
    if scale > 2:  # the shortest exponent that can hide there is e-9
        suspects += [exp.Contains(this=text.copy(), expression=literal(letter)) for letter in "eE"]
    unusual = exp.and_(exp.not_(is_null(value.copy())), exp.or_(*suspects), copy=False)
    plain = rf"\s*[+-]?(?:\d+(?:\.\d{{0,{scale}}}0*)?|\.\d{{1,{scale}}}0*)\s*"
    as_double = exp.cast(value.copy(), "DOUBLE")
    strict = case(
        (call("full_match", text.copy(), literal(plain)), value.copy()),
        (_exact_exponent(text, as_double, try_cast(name, "DOUBLE")), value.copy()),
    )
    return Conversion(
        ({value.name: try_cast(name, kind)},), case((unusual, strict), otherwise=value), text=True
    )


def _exact_exponent(text: exp.Expr, value: exp.Expr, double: exp.Expr) -> exp.Expr:
    """The condition that a number with an exponent was read exactly, as far as a double can tell."""
    zero = exp.EQ(this=double.copy(), expression=literal(0))
    vanished = exp.and_(zero, call("matches", text.copy(), literal("^[^eE]*[1-9]")), copy=False)
    return exp.and_(
        call("full_match", text.copy(), literal(_EXPONENT)),
        exp.EQ(this=value.copy(), expression=double.copy()),
        exp.not_(exp.paren(vanished, copy=False)),
        # beyond this, not every integer is a double
        exp.LT(this=exp.Abs(this=double.copy()), expression=literal(2**53)),
        copy=False,
    )


def _float(name: str, kind: exp.DataType, prefix: str) -> Conversion:
    value = column(f"{prefix}v")
    finite = exp.Anonymous(this="ISFINITE", expressions=[value.copy()])
    return Conversion(({value.name: try_cast(name, kind)},), case((finite, value)), text=True)


def _timestamp(name: str, kind: exp.DataType, prefix: str) -> Conversion:
    digits = {DType.TIMESTAMP_S: 0, DType.TIMESTAMP_MS: 3, DType.TIMESTAMP_NS: 9}.get(kind.this, 6)
    zone = _ZONE if family(type_name(kind)) == "timestamptz" else _UTC
    pattern = rf"\s*{_DAY}(?:[T ]\s*{_clock(digits)}{zone})?\s*"
    return _moment(name, kind, "____-__-_____:__:__", pattern, prefix)


def _clock(digits: int) -> str:
    fraction = rf"(?:\.\d{{0,{digits}}}0*)?" if digits else r"(?:\.0*)?"
    return rf"\d{{1,2}}:\d{{1,2}}(?::\d{{1,2}}{fraction})?"


def _moment(name: str, kind: exp.DataType, usual: str, pattern: str, prefix: str) -> Conversion:
    text, value = column(name), column(f"{prefix}v")
    suspects: list[exp.Expr] = [exp.not_(exp.Like(this=text.copy(), expression=literal(usual)))]
    if kind.this != DType.TIME:
        suspects.append(exp.LT(this=value.copy(), expression=exp.cast(literal(_FIRST_YEAR), kind.copy())))
    unusual = exp.and_(exp.not_(is_null(value.copy())), exp.or_(*suspects), copy=False)
    fits = call("full_match", text.copy(), literal(pattern))
    # some casts do not pass over blanks around the value
    padded = exp.and_(
        is_null(value.copy()), exp.NEQ(this=text.copy(), expression=exp.Trim(this=text.copy())), copy=False
    )
    result = case(
        (unusual, case((fits, value.copy()))),
        (padded, case((fits.copy(), _trimmed(name, kind)))),
        otherwise=value.copy(),
    )
    return Conversion(({value.name: try_cast(name, kind)},), result, text=True)


def _trimmed(name: str, kind: exp.DataType) -> exp.Expr:
    return try_cast(exp.Trim(this=column(name)), kind)
