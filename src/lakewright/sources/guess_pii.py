"""Guess which columns hold personal data, by their names and by what their values look like."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

__all__ = ["guess_pii", "luhn"]

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"\+?[\d(][\d\s().\-/]{6,}\d(?:\s*(?:x|ext\.?)\s*\d+)?", re.IGNORECASE)
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_DIGITS = re.compile(r"[\d -]{13,23}")

_NAMES: tuple[tuple[str, str], ...] = (
    (r"e_?mail", "email"),
    (r"(phone|mobile|cell|cellphone|telephone|fax|tel)(_?(no|num|number|nr))?", "phone"),
    (r"ip_?(addr(ess)?)?|remote_addr|client_ip", "ip"),
    (r"card_?(no|num|number|pan)|credit_?card|cc_?(no|num|number)|pan", "card"),
    (r"ssn|social_?security(_?(no|number))?", "ssn"),
    (r"dob|birth_?(date|day)|date_?of_?birth|born(_on)?", "birth_date"),
    (r"(first|last|middle|full|given|family|maiden|sur|contact|customer|employee|patient|person|user|buyer|owner|cardholder)_?name|surname", "name"),
    (r"(street|home|mailing|billing|shipping|ship|postal)?_?address(_?(line)?_?\d)?|street|addr\d?", "address"),
    (r"post(al)?_?code|zip(_?code)?", "address"),
)  # fmt: skip
_PEOPLE = re.compile(
    r"customer|employee|person|people|user|patient|contact|member|staff|student|client", re.IGNORECASE
)


def guess_pii(column: str, table: str, values: Sequence[str], kind: str) -> tuple[str, str]:
    """Return what personal data a column holds and why it is thought so, or two empty texts.

    *values* are some of its different values as text, *kind* its guessed type. Kinds: email, phone, ip,
    card, ssn, name, address, birth_date.
    """
    from lakewright.sql.names import snake_case

    name = snake_case(column)
    named = next(
        (what for pattern, what in _NAMES if re.fullmatch(rf"(?:\w+_)?(?:{pattern})(?:_\d+)?", name)), ""
    )
    if not named and name == "name" and _PEOPLE.search(table):
        named = "name"
    seen = [value.strip() for value in values if value and value.strip()]
    looks = _looks(seen, named, kind)
    if looks:
        return looks, "by its values" + (" and its name" if looks == named else "")
    if named in ("email", "ip", "card", "ssn") and seen:
        return "", ""  # the name promised a shape that the values do not have
    if named == "birth_date" and not kind.startswith(("date", "timestamp", "varchar")):
        return "", ""
    if named == "name" and kind != "varchar":
        return "", ""
    if named == "phone" and not (not seen or kind in ("varchar", "bigint")):
        return "", ""
    return (named, "by its name") if named else ("", "")


def luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _looks(values: Sequence[str], named: str, kind: str) -> str:
    if not values or kind not in ("varchar", "bigint"):
        return ""
    if _share(values, lambda value: _EMAIL.fullmatch(value) is not None) >= 0.8:
        return "email"
    if _share(values, _is_ip) >= 0.8 and kind == "varchar":
        return "ip"
    if _share(values, lambda value: _SSN.fullmatch(value) is not None) >= 0.8:
        return "ssn"
    if _share(values, _is_card) >= 0.8:
        return "card"
    if named == "phone" and _share(values, lambda value: _PHONE.fullmatch(value) is not None) >= 0.6:
        return "phone"
    return ""


def _share(values: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(1 for value in values if test(value)) / len(values)


def _is_ip(value: str) -> bool:
    if "." not in value and ":" not in value:
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_card(value: str) -> bool:
    if not _DIGITS.fullmatch(value):
        return False
    digits = re.sub(r"\D", "", value)
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and luhn(digits)
