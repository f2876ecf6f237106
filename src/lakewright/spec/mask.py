"""How a column is masked; in YAML a rule is its name (``mask: hash``) or a mapping with its name as the only key."""

from __future__ import annotations

from typing import ClassVar, Literal

from lakewright.spec.base import Spec

__all__ = ["MASKS", "Band", "Hash", "LastFour", "Mask", "Month", "Null", "PiiKind", "Redact", "Token", "Year"]

#: Personal data that `redact` finds inside free text.
PiiKind = Literal["email", "phone", "ssn", "card", "iban", "ip"]

#: The key that rules use which name none.
DEFAULT_KEY = "default"


class Mask(Spec, frozen=True, kw_only=True):
    """Base of all. ``injective``: different values stay different; ``retypes``: the result is text."""

    name: ClassVar[str]
    shorthand: ClassVar[str] = ""
    injective: ClassVar[bool] = False
    retypes: ClassVar[bool] = False


class Hash(Mask, frozen=True, kw_only=True):
    """``hash``: HMAC-SHA-256 of the value as text, in hexadecimal: equal values stay equal, under one key.

    Plain ``sha256`` and ``md5`` need no key, and anyone can undo them by trying e-mails or numbers.
    """

    name = "hash"
    shorthand = "algorithm"
    injective = True
    retypes = True
    algorithm: Literal["hmac-sha256", "sha256", "md5"] = "hmac-sha256"
    key: str = DEFAULT_KEY


class Token(Mask, frozen=True, kw_only=True):
    """``token``: random text of the same form; equal values of a domain have one token, which can be revealed."""

    name = "token"
    shorthand = "domain"
    injective = True
    domain: str = "default"
    key: str = DEFAULT_KEY


class LastFour(Mask, frozen=True, kw_only=True):
    """``last_four``: stars, and the last four characters where there are at least eight."""

    name = "last_four"


class Redact(Mask, frozen=True, kw_only=True):
    """``redact``: personal data inside free text becomes ``[email]``, ``[phone]``, ``[card]`` and so on."""

    name = "redact"
    shorthand = "kinds"
    kinds: tuple[PiiKind, ...] = ("email", "iban", "card", "ssn", "ip", "phone")


class Year(Mask, frozen=True, kw_only=True):
    """``year``: the first day of the year."""

    name = "year"


class Month(Mask, frozen=True, kw_only=True):
    """``month``: the first day of the month."""

    name = "month"


class Band(Mask, frozen=True, kw_only=True):
    """``band: 10``: the lower end of the band of that width in which a number lies: 37 becomes 30."""

    name = "band"
    shorthand = "width"
    width: float


class Null(Mask, frozen=True, kw_only=True):
    """``null``: nothing is left of the value."""

    name = "null"


#: Every rule by its name in YAML.
MASKS: dict[str, type[Mask]] = {
    one.name: one for one in (Hash, Token, LastFour, Redact, Year, Month, Band, Null)
}
