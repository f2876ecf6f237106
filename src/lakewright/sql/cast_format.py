"""Values that come in a declared format.

``format`` of a column says how text is to be read:

* dates and times: a strptime pattern (``%d/%m/%Y``), or ``epoch``, ``epoch_ms``, ``epoch_us`` for
  seconds, milli- or microseconds since 1970, which may also be numbers;
* numbers: how 1234.56 looks, for instance ``1,234.56``, ``1.234,56``, ``1 234,56`` or ``1234,56``;
* truth values: the words for true and false, ``ja/nein``.
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakewright.sql.cast_model import Conversion, case, try_cast
from lakewright.sql.cast_text import from_text
from lakewright.sql.cast_types import Family, family, parse_type, type_name
from lakewright.sql.dialect import call
from lakewright.sql.names import column, literal

__all__ = ["formatted"]

_EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
# microseconds of the years 1 to 9999
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
_DIRECTIVES = frozenset("aAwdbBmyYHIpMSfgnzZjUWcxXGuV%")
_NUMBER = re.compile(r"1(?P<group>[,. '’_\u00a0\u202f]?)234(?:(?P<point>[.,])56?)?")


def formatted(name: str, have: Family, kind: exp.DataType, format: str, prefix: str) -> Conversion:
    """Return the conversion of column *name* to *kind* by *format*; ValueError when that makes no sense."""
    want = family(type_name(kind))
    if want in ("date", "timestamp", "timestamptz", "time"):
        if format in _EPOCHS:
            return _epoch(name, have, kind, _EPOCHS[format], prefix)
        return _parsed(name, kind, want, format, prefix)
    if want in ("integer", "decimal", "float"):
        return _number(name, kind, format, prefix)
    if want == "boolean":
        return _truth(name, format)
    raise ValueError(f"a {type_name(kind)} takes no format")


def _text(name: str) -> exp.Expr:
    return exp.cast(column(name), "VARCHAR")


def _parsed(name: str, kind: exp.DataType, want: str, format: str, prefix: str) -> Conversion:
    unknown = [one for one in re.findall(r"%-?(.?)", format) if one not in _DIRECTIVES or not one]
    if unknown or "%" not in format:
        raise ValueError(
            f"{format!r} is not a format of dates: it is written with %Y, %m, %d, %H, %M, %S and so on, "
            "or is one of epoch, epoch_ms, epoch_us"
        )
    value = column(f"{prefix}v")
    parsed = try_cast(call("parse_time", _text(name), literal(format)), kind)
    result: exp.Expr = value
    if "%Y" in format and want != "time":  # 24 is read as the year 24
        early = exp.LT(this=value.copy(), expression=exp.cast(literal("1000-01-01"), kind.copy()))
        result = case((exp.not_(exp.paren(early, copy=False)), value))
    return Conversion(({value.name: parsed},), result, text=True)


def _epoch(name: str, have: Family, kind: exp.DataType, factor: int, prefix: str) -> Conversion:
    number, micros = f"{prefix}n", f"{prefix}u"
    layers: list[dict[str, exp.Expr]] = []
    exact = parse_type("DECIMAL(38,6)" if factor == 1_000_000 else "DECIMAL(38,3)")
    if have in ("text", "unknown"):
        layers.append({f"{prefix}x": _text(name)})
        inner = from_text(f"{prefix}x", exact, f"{prefix}i")
        layers += [dict(one) for one in inner.layers]
        layers.append({number: inner.value})
    elif have in ("integer", "decimal", "float"):
        layers.append({number: try_cast(name, exact)})
    else:
        raise ValueError("only text and numbers count time since 1970")
    scaled = exp.Mul(this=exp.cast(column(number), "DOUBLE"), expression=literal(float(factor)))
    fits = exp.Between(
        this=exp.paren(scaled, copy=False), low=literal(float(_EARLIEST)), high=literal(float(_LATEST))
    )
    # in range, the product has at most 18 digits before the point
    product = exp.Mul(this=exp.cast(column(number), "DECIMAL(28,6)"), expression=literal(factor))
    layers.append({micros: case((fits, try_cast(exp.paren(product, copy=False), "BIGINT")))})
    moment = exp.Anonymous(this="MAKE_TIMESTAMP", expressions=[column(micros)])
    return Conversion(tuple(layers), try_cast(moment, kind), text=have == "text")


def _number(name: str, kind: exp.DataType, format: str, prefix: str) -> Conversion:
    found = _NUMBER.fullmatch(format.strip())
    if found is None or (found["group"] and found["group"] == found["point"]):
        raise ValueError(
            f"{format!r} is not a format of numbers: write how 1234.56 looks, for instance '1.234,56'"
        )
    group = found["group"]
    point = found["point"] or ("," if group == "." else ".")
    separated = rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+|" if group else ""
    pattern = rf"\s*[+-]?(?:{separated}\d+)(?:{re.escape(point)}\d*)?\s*"
    plain: exp.Expr = column(name)
    if group:
        plain = exp.Replace(this=plain, expression=literal(group), replacement=literal(""))
    if point != ".":
        plain = exp.Replace(this=plain, expression=literal(point), replacement=literal("."))
    text = f"{prefix}x"
    cleaned = case((call("full_match", column(name), literal(pattern)), plain))
    inner = from_text(text, kind, f"{prefix}i")
    return Conversion(({text: cleaned}, *inner.layers), inner.value, text=True)


def _truth(name: str, format: str) -> Conversion:
    true, slash, false = format.partition("/")
    if not slash or not true.strip() or not false.strip() or true.strip().lower() == false.strip().lower():
        raise ValueError(f"{format!r} is not a format of truth values: write both words, as in 'ja/nein'")
    word = exp.Lower(this=exp.Trim(this=_text(name)))
    pairs = [(exp.EQ(this=word.copy(), expression=literal(one.strip().lower())), exp.Boolean(this=value))
             for one, value in ((true, True), (false, False))]  # fmt: skip
    return Conversion((), case(*pairs), text=True)
