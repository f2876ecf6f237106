"""What values look like: e-mails, phones, cards, national numbers, addresses, names; judged on a sample, never kept.

Check digits are judged by python-stdnum, phone numbers by phonenumbers (Google's libphonenumber).
"""

from __future__ import annotations

import importlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

__all__ = ["NATIONAL_IDS", "free_text", "national_id", "shape", "share", "tests_of"]

_EMAIL = re.compile(r"[^@\s,;<>()]+@[^@\s,;<>()]+\.[^\W\d_]{2,}")
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_DIGITS = re.compile(r"\d[\d -]{11,22}\d")
_PHONE = re.compile(r"(?=.*\d)\+?[\d(][\d\s().\-/]{6,}\d(?:\s*(?:x|ext\.?)\s*\d+)?", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(r"(?:\+?1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}")
_NAME = re.compile(r"[^\W\d_][\w.'’`-]*(?: [^\W\d_][\w.'’`-]*){0,4},?(?: [^\W\d_][\w.'’`-]*)*")
_ADDRESS = re.compile(r"\d+\s?[A-Za-z]?,?\s+[^\W\d_].*|[^\W\d_].*\s\d+\s?[A-Za-z]?(?:[,\s].*)?")

#: National numbers of persons: the module of python-stdnum, and words by which their columns go.
NATIONAL_IDS: tuple[tuple[str, str], ...] = (
    ("it.codicefiscale", "codice_?fiscale|cod_?fisc|cf"),
    ("mx.curp", "curp"),
    ("es.dni", "dni|nif"),
    ("es.nie", "nie"),
    ("fr.nir", "nir|numero_securite_sociale|insee"),
    ("fi.hetu", "hetu|henkilotunnus"),
    ("cn.ric", "ric|id_?card|shenfenzheng"),
    ("kr.rrn", "rrn"),
    ("ro.cnp", "cnp"),
    ("si.emso", "emso|jmbg"),
    ("pl.pesel", "pesel"),
    ("ee.ik", "isikukood"),
    ("lt.asmens", "asmens_?kodas"),
    ("no.fodselsnummer", "fodselsnummer|fnr"),
    ("tr.tckimlik", "tc_?kimlik|tckn"),
    ("za.idnr", "sa_?id|id_?number"),
    ("gr.amka", "amka"),
    ("be.nn", "rijksregisternummer|nn|niss"),
    ("ch.ssn", "ahv|avs"),
    ("pt.cc", "cartao_cidadao|cc"),
    ("ie.pps", "ppsn?"),
    ("br.cpf", "cpf"),
    ("cl.rut", "rut|run"),
    ("in_.aadhaar", "aadhaar|uid"),
    ("in_.pan", "pan_?(no|number|card)?"),
    ("hr.oib", "oib"),
    ("cz.rc", "rodne_cislo|rc"),
    ("bg.egn", "egn"),
    ("de.idnr", "idnr|steuer_?id(nr)?"),
    ("se.personnummer", "personnummer|pnr"),
    ("th.pin", "thai_?id"),
    ("nl.bsn", "bsn"),
    ("ca.sin", "sin"),
    ("gb.nhs", "nhs(_?(no|number))?"),
    ("il.idnr", "teudat_zehut"),
    ("au.tfn", "tfn"),
)

#: Numbers whose one check digit a tenth of all numbers has: taken for what they are only where the name says so.
_WEAK = frozenset(
    ("nl.bsn", "ca.sin", "gb.nhs", "il.idnr", "au.tfn", "de.idnr", "se.personnummer", "in_.pan", "hr.oib",
     "ie.pps", "bg.egn", "th.pin", "cl.rut", "es.dni", "in_.aadhaar", "br.cpf", "pt.cc")
)  # fmt: skip

Test = Callable[[str], bool]


def _quietly(test: Test) -> Test:
    """The test, which says no where it fails: some validators raise other errors than their own for odd numbers."""

    def passes(value: str) -> bool:
        try:
            return bool(test(value))
        except Exception:
            return False

    return passes


def share(values: Sequence[str], test: Test) -> float:
    """Return the share of *values* that pass, from 0 to 1; 0 without values."""
    return sum(1 for value in values if test(value)) / len(values) if values else 0.0


def shape(value: str) -> str:
    """Return what a value looks like without saying what it is: letters as x, digits as 9, cut to 40 characters."""
    text = re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "x", value[:40]))
    return "".join(char if char.isprintable() else " " for char in text)


def tests_of() -> dict[str, Test]:
    """Return the test of each kind of value, the surest first."""
    return {
        "email": lambda one: _EMAIL.fullmatch(one) is not None,
        "iban": _is_iban,
        "ip": _is_ip,
        "ssn": lambda one: _SSN.fullmatch(one) is not None,
        "card": _is_card,
        "phone": _is_phone,
        "birth_date": _is_birth_date,
        "name": lambda one: len(one) < 80 and _NAME.fullmatch(one) is not None,
        "address": lambda one: _ADDRESS.fullmatch(one) is not None,
        "phone_like": lambda one: _PHONE.fullmatch(one) is not None,
    }


def national_id(values: Sequence[str], column: str) -> tuple[str, str, float]:
    """Return the module and title of the national number that *values* are, with the share that is valid.

    Empty texts and 0 for none. A number with one check digit is taken for one only where the column's
    name says so; the others too need at least 10 different values, or the name.
    """
    best = ("", "", 0.0)
    for name, words in NATIONAL_IDS:
        named = re.fullmatch(rf"(?:\w+_)?(?:{words})(?:_\d+)?", column) is not None
        if not named and (name in _WEAK or len(set(values)) < 10):
            continue
        module = importlib.import_module(f"stdnum.{name}")
        valid = _quietly(module.is_valid)
        if not valid(values[0]) and share(values[:20], valid) < 0.5:
            continue
        found = share(values, valid)
        if found >= 0.8 and found > best[2]:
            title = (module.__doc__ or name).strip().splitlines()[0].rstrip(".")
            best = (name, title, found)
    return best


def free_text(values: Sequence[str]) -> dict[str, int]:
    """Return how many of *values* hold each kind of personal data among other words."""
    found: dict[str, int] = {}
    for value in values:
        for kind in _inside(value):
            found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


_INSIDE_EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_INSIDE_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-]*\d)")
_INSIDE_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_INSIDE_SSN = re.compile(rf"(?<![\w-]){_SSN.pattern}(?![\w-])")


def _inside(value: str) -> Iterator[str]:
    if "@" in value and _INSIDE_EMAIL.search(value):
        yield "email"
    if not any(char.isdigit() for char in value):
        return
    if _INSIDE_SSN.search(value):
        yield "ssn"
    if any(_is_card(one) for one in _INSIDE_CARD.findall(value)):
        yield "card"
    if any(_is_iban(one) for one in _INSIDE_IBAN.findall(value)):
        yield "iban"
    if _has_phone(value):
        yield "phone"


def _has_phone(value: str) -> bool:
    import phonenumbers

    if "+" in value and phonenumbers.PhoneNumberMatcher(value, None).has_next():
        return True
    return re.search(rf"(?<![\w.-]){_NORTH_AMERICAN.pattern}(?![\w-])", value) is not None


def _is_phone(value: str) -> bool:
    """A valid number with a country's code, or one written as in North America."""
    import phonenumbers

    if value.startswith("+"):
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(value, None))
        except phonenumbers.NumberParseException:
            return False
    return _NORTH_AMERICAN.fullmatch(value) is not None


def _is_iban(value: str) -> bool:
    from stdnum import iban

    return value[:2].isalpha() and bool(iban.is_valid(value))


def _is_ip(value: str) -> bool:
    if value.count(".") != 3 and value.count(":") < 2:
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_card(value: str) -> bool:
    from stdnum import luhn

    if not _DIGITS.fullmatch(value):
        return False
    digits = re.sub(r"\D", "", value)
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and bool(luhn.is_valid(digits))


def _is_birth_date(value: str) -> bool:
    """A date on which someone who lives may be born."""
    try:
        born = datetime.fromisoformat(value).date()
    except ValueError:
        found = re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", value)
        return found is not None and 0 <= date.today().year - int(found[0]) <= 120
    return 0 <= (date.today() - born).days <= 120 * 366
