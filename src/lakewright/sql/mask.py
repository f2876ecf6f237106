"""Masks as expressions over one column: what is stored instead of a value.

Nulls stay null. A keyed hash is HMAC-SHA-256 (RFC 2104, FIPS 198-1) of the value as text in UTF-8, in
hexadecimal: ``H(opad || H(ipad || text))``. The two padded keys are not in the statement; it reads
them from variables of the connection, whose names :class:`KeyNames` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from lakewright.errors import LakewrightError
from lakewright.spec.mask import Band, Hash, LastFour, Mask, Month, Null, Redact, Token, Year
from lakewright.sql.cast_types import family
from lakewright.sql.mask_redact import redacted
from lakewright.sql.names import FAILED, column, literal

__all__ = ["HIDDEN", "KeyNames", "keyed_hash", "mask_failed", "mask_value", "stored_type"]

#: What stands in quarantine for a text that did not convert, in a masked column.
HIDDEN = "•••"

_TEXT_ONLY = {LastFour: "last_four", Redact: "redact", Token: "token"}
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class KeyNames:
    """Variables of the connection that hold a key XORed with RFC 2104's inner and outer pad, 64 bytes each."""

    inner: str
    outer: str


def mask_value(name: str, type: str, mask: Mask, keys: Mapping[str, KeyNames]) -> exp.Expr:
    """Return what is stored of column *name* of DuckDB type *type*.

    *keys* names the variables of each key. A token stands for its value's clear text here: the vault
    replaces it. Raises LW801 when the rule does not fit the type.
    """
    value, kind = column(name), family(type)
    if isinstance(mask, LastFour | Redact | Token) and kind != "text":
        raise _unfit(name, type, mask, "a text")
    match mask:
        case Hash(algorithm="hmac-sha256"):
            return keyed_hash(_text(value, kind), keys[mask.key])
        case Hash(algorithm="sha256"):
            return exp.SHA2(this=_text(value, kind), length=literal(256))
        case Hash():
            return exp.MD5(this=_text(value, kind))
        case Token():
            return value
        case LastFour():
            return _last_four(value)
        case Redact():
            return redacted(value, mask.kinds)
        case Year() | Month():
            if kind not in ("date", "timestamp", "timestamptz"):
                raise _unfit(name, type, mask, "a date or timestamp")
            start = exp.TimestampTrunc(this=value, unit=exp.var(mask.name.upper()))
            return exp.cast(start, exp.DataType.build(type, dialect="duckdb"))
        case Band():
            if kind not in ("integer", "decimal", "float"):
                raise _unfit(name, type, mask, "a number")
            return _band(value, type, mask.width)
        case Null():
            return exp.cast(exp.null(), exp.DataType.build(type, dialect="duckdb"))
        case _:
            raise AssertionError(mask)


def stored_type(type: str, mask: Mask | None) -> str:
    """Return the type of a column after its mask: that of the contract, or text."""
    return "VARCHAR" if mask is not None and mask.retypes else type


def keyed_hash(text: exp.Expr, key: KeyNames) -> exp.Expr:
    """Return HMAC-SHA-256 of *text* in hexadecimal, null for null."""
    inner = _sha256(
        exp.DPipe(this=_variable(key.inner), expression=exp.Encode(this=text, charset=literal("utf-8")))
    )
    return _sha256(exp.DPipe(this=_variable(key.outer), expression=exp.Unhex(this=inner)))


def mask_failed(names: Mapping[str, object]) -> exp.Expr:
    """Return the hidden column of texts that did not convert, those of *names* hidden."""
    result: exp.Expr = column(FAILED)
    for name in names:
        path = exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathKey(this=name)])
        there = exp.JSONExtractScalar(this=column(FAILED), expression=path)
        entry = exp.Anonymous(this="JSON_OBJECT", expressions=[literal(name), literal(HIDDEN)])
        patched = exp.Anonymous(this="JSON_MERGE_PATCH", expressions=[result.copy(), entry])
        missing = exp.Is(this=exp.paren(there), expression=exp.null())
        result = exp.Case().when(missing, result).else_(exp.cast(patched, "VARCHAR"))
    return result


def _text(value: exp.Expr, kind: str) -> exp.Expr:
    return value if kind == "text" else exp.cast(value, "VARCHAR")


def _sha256(value: exp.Expr) -> exp.Expr:
    return exp.SHA2(this=value, length=literal(256))


def _variable(name: str) -> exp.Expr:
    return exp.Anonymous(this="GETVARIABLE", expressions=[literal(name)])


def _last_four(value: exp.Expr) -> exp.Expr:
    """Of a short text four characters would be most of it, so nothing is shown."""
    length = exp.Length(this=value.copy())
    stars = exp.Repeat(this=literal("*"), times=exp.Sub(this=length.copy(), expression=literal(_SHOWN)))
    shown = exp.DPipe(this=stars, expression=exp.Right(this=value.copy(), expression=literal(_SHOWN)))
    enough = exp.GTE(this=length.copy(), expression=literal(2 * _SHOWN))
    return exp.Case().when(enough, shown).else_(exp.Repeat(this=literal("*"), times=length))


def _band(value: exp.Expr, type: str, width: float) -> exp.Expr:
    kind = exp.DataType.build(type, dialect="duckdb")
    if float(width).is_integer() and family(type) == "integer":
        step = literal(int(width))
        # the remainder of a negative number is negative in SQL: -3 is in the band from -10
        wide = exp.cast(value.copy(), "HUGEINT")
        rest = exp.Mod(
            this=exp.paren(exp.Add(this=exp.paren(exp.Mod(this=wide, expression=step)), expression=step)),
            expression=step.copy(),
        )
        return exp.TryCast(
            this=exp.paren(exp.Sub(this=exp.cast(value, "HUGEINT"), expression=exp.paren(rest))),
            to=kind,
            safe=True,
        )
    step = exp.cast(literal(width), "DOUBLE")
    floor = exp.Floor(this=exp.Div(this=exp.cast(value, "DOUBLE"), expression=step, typed=True))
    return exp.TryCast(this=exp.Mul(this=floor, expression=step.copy()), to=kind, safe=True)


def _unfit(name: str, type: str, mask: Mask, words: str) -> LakewrightError:
    return LakewrightError("LW801", f"columns.{name}: {mask.name} masks {words}, not a {type}")
