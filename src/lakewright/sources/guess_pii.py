"""Tell which columns hold personal data, by their names and by what their values look like, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lakewright.sources.pii_values import free_text, national_id, shape, share, tests_of

__all__ = ["SURE", "Personal", "find_pii", "mask_for"]

_NAMES: tuple[tuple[str, str], ...] = (
    (r"e_?mail(_?addr(ess)?)?", "email"),
    (r"(phone|mobile|cell|cellphone|telephone|fax|tel)(_?(no|num|number|nr))?", "phone"),
    (r"ip_?(addr(ess)?)?|remote_addr|client_ip", "ip"),
    (r"card_?(no|num|number|pan)|credit_?card(_?(no|num|number))?|cc_?(no|num|number)|pan", "card"),
    (r"iban|bank_?account(_?(no|number))?", "iban"),
    (r"ssn|social_?security(_?(no|number))?", "ssn"),
    (r"dob|birth_?(date|day)|date_?of_?birth|born(_on)?|birthdate", "birth_date"),
    (r"(first|last|middle|full|given|family|maiden|sur|contact|customer|employee|patient|person|user|buyer|owner|cardholder)_?name|surname", "name"),
    (r"(street|home|mailing|billing|shipping|ship|postal)?_?address(_?(line)?_?\d)?|street|addr\d?", "address"),
    (r"post(al)?_?code|zip(_?code)?", "address"),
)  # fmt: skip
_PEOPLE = re.compile(
    r"customer|employee|person|people|user|patient|contact|member|staff|student|client", re.IGNORECASE
)

#: Kinds that values alone show: a check digit, or a form that little else has; and how sure that makes.
_BY_VALUES = {"email": 0.95, "iban": 0.97, "ip": 0.9, "ssn": 0.9, "card": 0.93, "phone": 0.8}
#: How sure a name alone makes.
_BY_NAME = {"birth_date": 0.8, "name": 0.7, "address": 0.7, "phone": 0.6}
#: From here on, a finding is worth telling of and writing into a project.
SURE = 0.5

_MASKS = {
    "email": "hash", "phone": "token", "ip": "hash", "card": "last_four", "iban": "last_four", "ssn": "hash",
    "national_id": "hash", "name": "token", "address": "redact", "birth_date": "year", "free_text": "redact",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Personal:
    """A column that holds personal data. ``confidence`` is from 0 to 1; ``evidence`` shows no clear value."""

    kind: str
    confidence: float
    evidence: str


def mask_for(kind: str, type: str) -> str:
    """Return the mask to suggest for a kind of personal data in a column of *type*."""
    wanted = _MASKS.get(kind, "hash")
    text = type.lower().startswith(("varchar", "text"))
    if kind == "birth_date":
        return "year" if type.lower().startswith(("date", "timestamp")) else "hash"
    if kind == "address":
        return "hash"  # redacting finds no streets
    return wanted if text else "hash"


def find_pii(column: str, table: str, values: Sequence[str], kind: str) -> Personal | None:
    """Return what personal data a column holds, None when it is none, or too little speaks for it.

    *values* are some of its different values as text, *kind* its type. Kinds: email, phone, ip, iban, card,
    ssn, national_id, name, address, birth_date, free_text.
    """
    from lakewright.sql.names import snake_case

    name = snake_case(column)
    named = _named(name, table)
    seen = [value.strip() for value in values if value and value.strip()]
    family = kind.lower().partition("(")[0]
    found = _by_values(seen, named, name, family)
    if found is None:
        found = _by_name(seen, named, family)
    return found if found is not None and found.confidence >= SURE else None


def _named(name: str, table: str) -> str:
    named = next(
        (what for pattern, what in _NAMES if re.fullmatch(rf"(?:\w+_)?(?:{pattern})(?:_\d+)?", name)), ""
    )
    return "name" if not named and name == "name" and _PEOPLE.search(table) else named


def _by_values(seen: Sequence[str], named: str, name: str, family: str) -> Personal | None:
    if not seen or family not in ("varchar", "text", "bigint", "hugeint", "integer", "decimal"):
        return None
    text = family in ("varchar", "text")
    tests = tests_of()
    for what, sure in _BY_VALUES.items():
        if (not text and what != "card") or (what == "ip" and "version" in name):
            continue
        found = share(seen, tests[what])
        enough = 2 if text else 10  # a tenth of all numbers has a right check digit
        if found >= (0.5 if named == what != "phone" else 0.8) and (
            len(seen) >= enough or named == what or what in ("email", "iban")
        ):
            return _told(
                what, min(0.99, sure * found + (0.05 if named == what else 0)), found, seen, named == what
            )
    module, title, found = national_id(seen, name)
    if module:
        evidence = f"{found:.0%} of {len(seen)} values are valid by {title}; such as {shape(seen[0])}"
        return Personal("national_id", round(0.95 * found, 2), evidence)
    if text and named == "phone":
        found = share(seen, tests["phone_like"])
        if found >= 0.6:
            return _told("phone", 0.6 + 0.35 * found, found, seen, True)
    return _in_text(seen, named) if text else None


def _told(what: str, confidence: float, found: float, seen: Sequence[str], named: bool) -> Personal:
    words = f"{found:.0%} of {len(seen)} values have its form, such as {shape(seen[0])}"
    return Personal(what, round(confidence, 2), words + (", and so does the name" if named else ""))


def _in_text(seen: Sequence[str], named: str) -> Personal | None:
    """Words with personal data among them."""
    if named or sum(len(one.split()) >= 4 for one in seen) < max(1, 0.2 * len(seen)):
        return None
    found = free_text(seen)
    if not found:
        return None
    most = max(found.values()) / len(seen)
    kinds = ", ".join(f"{count} with {kind}" for kind, count in found.items())
    return Personal("free_text", round(min(0.95, 0.7 + most / 4), 2), f"of {len(seen)} texts: {kinds}")


#: For what a name alone may tell: the types that it may have, the test of its values, the least share that passes.
_NAMED: dict[str, tuple[tuple[str, ...], str, float]] = {
    "birth_date": (("date", "timestamp", "varchar", "text"), "birth_date", 0.8),
    "name": (("varchar", "text"), "name", 0.5),
    "phone": (("varchar", "text", "bigint"), "phone_like", 0.3),
    "address": (("varchar", "text", "bigint", "integer"), "address", 0.0),
}


def _by_name(seen: Sequence[str], named: str, family: str) -> Personal | None:
    if named not in _NAMED:
        return None  # the name promised a form that the values do not have
    families, test, least = _NAMED[named]
    if family not in families:
        return None
    sure, evidence = _BY_NAME[named], "by its name"
    if seen:
        found = share(seen, tests_of()[test])
        if found < least:
            return None
        if found >= 0.5:
            sure = min(0.95, sure + 0.2 * (found - 0.5))
            evidence += f"; {found:.0%} of {len(seen)} values have the form"
    return Personal(named, round(sure, 2), evidence)
