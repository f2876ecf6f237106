"""Personal data inside free text, found by pattern and check digit and replaced by its kind: ``[email]``.

Cards are taken for such only when their check digit is right (Luhn, ISO/IEC 7812-1 annex B), IBANs when
theirs are (ISO 7064 MOD 97-10, ISO 13616). Numbers are often followed by others after a blank, so what
is left of a candidate without its first or last group is tried as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from lakewright.sql.dialect import call
from lakewright.sql.names import literal

__all__ = ["EMAIL", "IPV4", "PHONE", "SSN", "redacted"]

EMAIL = r"[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"
SSN = r"\b[0-8]\d{2}-\d{2}-\d{4}\b"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
IPV4 = rf"\b(?:{_BYTE}\.){{3}}{_BYTE}\b"
_HEX = r"[0-9A-Fa-f]{1,4}"
_IPV6 = rf"(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}|::(?:{_HEX}:){{0,6}}{_HEX}|(?:{_HEX}:){{1,7}}:"
#: With a country's code, or grouped as in North America, or with a trunk zero and a blank or slash after the area.
PHONE = r"\+\d[\d ().\-]{6,18}\d|(?:\(\d{3}\) ?|\b\d{3}[ .\-])\d{3}[ .\-]\d{4}\b|\b0\d{2,5}[ /]\d[\d \-]{4,11}\d\b"
_CARD = r"\b\d(?:[ \-]?\d){12,18}\b"
_IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b"

# Text without any of these holds none of the kinds; most texts are done with here.
_WORTH_A_LOOK = r"[0-9@]|::"


def redacted(value: exp.Expr, kinds: Sequence[str]) -> exp.Expr:
    """Return the text *value* with every occurrence of *kinds* replaced, in a fixed order."""
    result: exp.Expr = value.copy()
    for kind, replace in _STEPS.items():
        if kind in kinds:
            result = replace(result, value)
    return exp.Case().when(call("matches", value.copy(), literal(_WORTH_A_LOOK)), result).else_(value.copy())


def _by_pattern(kind: str, pattern: str) -> Callable[[exp.Expr, exp.Expr], exp.Expr]:
    return lambda text, _: call("replace_all", text, literal(pattern), literal(f"[{kind}]"))


def _by_check(
    kind: str, pattern: str, valid: Callable[[exp.Expr], exp.Expr]
) -> Callable[[exp.Expr, exp.Expr], exp.Expr]:
    """Replace the matches of *pattern* that are *valid*; the candidates are taken from the text as it was."""

    def replace(text: exp.Expr, original: exp.Expr) -> exp.Expr:
        found = exp.Anonymous(this="REGEXP_EXTRACT_ALL", expressions=[original.copy(), literal(pattern)])
        tried = exp.Anonymous(
            this="FLATTEN", expressions=[_each(found, lambda one: exp.Array(expressions=_parts(one)))]
        )
        kept = _call("LIST_FILTER", tried, _function(["_one"], lambda one: valid(one)))
        acc, one = exp.to_identifier("_text"), exp.to_identifier("_one")
        put = exp.Lambda(
            this=_call("REPLACE", exp.column(acc.copy()), exp.column(one.copy()), literal(f"[{kind}]")),
            expressions=[acc, one],
        )
        all_ = _call("LIST_PREPEND", text, kept)
        return _call("LIST_REDUCE", all_, put)

    return replace


def _parts(one: exp.Expr) -> list[exp.Expr]:
    """A candidate, and what is left of it without its last one or two groups or its first."""

    def without(text: exp.Expr, pattern: str) -> exp.Expr:
        return exp.Anonymous(this="REGEXP_REPLACE", expressions=[text, literal(pattern), literal("")])

    last = r"[ -][A-Z0-9]+$"
    shorter = without(one.copy(), last)
    first = without(one.copy(), r"^[A-Z0-9]+[ -]")
    return [one, shorter, without(shorter.copy(), last), first, without(first.copy(), last)]


def _luhn(one: exp.Expr) -> exp.Expr:
    """Every second digit from the right counts twice, its digits added up; the sum ends in 0."""
    digits = call("replace_all", one, literal("[^0-9]"), literal(""))
    numbers = _each(
        _call("LIST_REVERSE", _call("STRING_SPLIT", digits.copy(), literal(""))),
        lambda digit: exp.cast(digit, "INTEGER"),
    )
    place = exp.to_identifier("_place")
    digit = exp.to_identifier("_digit")
    doubled = exp.Case().when(
        exp.EQ(this=exp.Mod(this=exp.column(place.copy()), expression=literal(2)), expression=literal(1)),
        exp.column(digit.copy()),
    )
    twice = exp.Mul(this=exp.column(digit.copy()), expression=literal(2))
    small = exp.LTE(this=exp.column(digit.copy()), expression=literal(4))
    doubled = doubled.when(small, twice).else_(exp.Sub(this=twice.copy(), expression=literal(9)))
    summed = _call(
        "LIST_SUM", _call("LIST_TRANSFORM", numbers, exp.Lambda(this=doubled, expressions=[digit, place]))
    )
    right = exp.EQ(
        this=exp.Mod(this=exp.cast(summed, "INTEGER"), expression=literal(10)), expression=literal(0)
    )
    length = exp.Length(this=digits)
    return exp.and_(exp.Between(this=length, low=literal(13), high=literal(19)), right)


def _mod97(one: exp.Expr) -> exp.Expr:
    """The number that the text stands for, its first four characters last and A as 10, leaves 1 by 97."""
    plain = call("replace_all", one, literal("[^A-Z0-9]"), literal(""))
    turned = exp.DPipe(
        this=exp.Substring(this=plain.copy(), start=literal(5)),
        expression=exp.Left(this=plain.copy(), expression=literal(4)),
    )
    rest, char = exp.to_identifier("_rest"), exp.to_identifier("_value")
    letter = exp.to_identifier("_char")
    code = _call("ASCII", exp.column(letter.copy()))
    number = (
        exp.Case()
        .when(exp.GTE(this=code, expression=literal(65)), exp.Sub(this=code.copy(), expression=literal(55)))
        .else_(exp.Sub(this=code.copy(), expression=literal(48)))
    )
    values = _call(
        "LIST_TRANSFORM",
        _call("STRING_SPLIT", turned, literal("")),
        exp.Lambda(this=number, expressions=[letter]),
    )
    scale = (
        exp.Case()
        .when(exp.GTE(this=exp.column(char.copy()), expression=literal(10)), literal(100))
        .else_(literal(10))
    )
    step = exp.Mod(
        this=exp.paren(
            exp.Add(
                this=exp.Mul(this=exp.column(rest.copy()), expression=scale),
                expression=exp.column(char.copy()),
            )
        ),
        expression=literal(97),
    )
    remainder = _call("LIST_REDUCE", values, exp.Lambda(this=step, expressions=[rest, char]))
    length = exp.Length(this=plain)
    return exp.and_(
        exp.Between(this=length, low=literal(15), high=literal(34)),
        exp.EQ(this=remainder, expression=literal(1)),
    )


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _each(items: exp.Expr, make: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    return _call("LIST_TRANSFORM", items, _function(["_item"], make))


def _function(names: list[str], make: Callable[[exp.Expr], exp.Expr]) -> exp.Lambda:
    made = [exp.to_identifier(name) for name in names]
    return exp.Lambda(this=make(exp.column(made[0].copy())), expressions=made)


_STEPS: dict[str, Callable[[exp.Expr, exp.Expr], exp.Expr]] = {
    "email": _by_pattern("email", EMAIL),
    "iban": _by_check("iban", _IBAN, _mod97),
    "card": _by_check("card", _CARD, _luhn),
    "ssn": _by_pattern("ssn", SSN),
    "ip": _by_pattern("ip", f"{IPV4}|{_IPV6}"),
    "phone": _by_pattern("phone", PHONE),
}
