"""Who is meant: values of identifiers, in the forms in which datasets hold them, and the conditions that find them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.errors import UsageError, nearest
from lakewright.security.keys import Keys
from lakewright.security.vault import Vault, lookup_key
from lakewright.spec.mask import Hash, Mask, Token
from lakewright.spec.subject import Subject
from lakewright.sql.identity import normal, normal_form
from lakewright.sql.names import column, identifier, literal

if TYPE_CHECKING:
    import duckdb

__all__ = ["BLOT", "Named", "People", "Wanted", "bounded", "bounded_sql", "parse"]

# the form of texts that are telling wherever they stand
_WORDS, _IDENTIFYING = "* words", "* identifying"


#: What stands in place of a word.
BLOT = "•••"


@dataclass(frozen=True, slots=True)
class Named:
    """A person as somebody names them: the kind of person, an identifier, and its value."""

    subject: str
    identifier: str
    value: str


@dataclass
class People:
    """People of one kind, by their identifiers' values.

    ``values`` are in the form in which they are compared; ``spelled`` are as they stand in the data, for a
    masked column holds the mask of exactly that. ``traces`` are other texts that stand in no one else's rows, ``personal`` those of columns that the contract
    calls personal; ``tokens`` are theirs by domain of the vault.
    """

    subject: str
    spec: Subject
    whole: frozenset[str] = frozenset()
    values: dict[str, set[str]] = field(default_factory=dict)
    spelled: dict[str, set[str]] = field(default_factory=dict)
    traces: set[str] = field(default_factory=set)
    personal: set[str] = field(default_factory=set)
    tokens: dict[str, set[str]] = field(default_factory=dict)

    def add(self, name: str, values: Iterable[str]) -> bool:
        """Take note of values of identifier *name* as they stand in the data; return whether any is new."""
        kept, seen = self.values.setdefault(name, set()), self.spelled.setdefault(name, set())
        before = len(kept) + len(seen)
        for value in values:
            if value.strip():
                seen.add(value)
                kept.add(self.normal(name, value))
        return len(kept) + len(seen) > before

    def normal(self, name: str, value: str) -> str:
        """Return *value* of identifier *name* as it is compared."""
        return normal(value, whole=name in self.whole, ignore_case=name in self.spec.ignore_case)

    def words(self) -> set[str]:
        """Return the texts that are telling wherever they stand: long enough, and no small number."""
        return self.traces | self.identifying()

    def pattern(self) -> re.Pattern[str] | None:
        """Return what finds the words in free text, where they stand for themselves; None without any.

        ``user7@x.org`` is not in ``user7@x.org.uk``, nor in ``auser7@x.org``.
        """
        words = sorted(self.words(), key=len, reverse=True)
        # each as it is, and as it stands in JSON, once and twice over
        spelled = dict.fromkeys(form for one in words for form in (one, _json(one), _json(_json(one))))
        return re.compile("|".join(bounded(one) for one in spelled), re.IGNORECASE) if words else None

    def identifying(self) -> set[str]:
        """Return those of them that tell who it is: identifiers, and what the contract calls personal."""
        return self.personal | {
            spelled
            for name, values in self.spelled.items()
            for one in values
            for spelled in (one.strip(), self.normal(name, one))
            if len(spelled) >= (7 if spelled.isdigit() else 4)
        }


def bounded(word: str) -> str:
    """Return a regular expression of *word* where no letter, digit or further part of an address is beside it."""
    return rf"(?:(?<![\w.+@-])|(?<=\\[nrtbf])){re.escape(word)}(?![\w@-]|\.\w)"


def bounded_sql(word: str) -> str:
    """Return the same for RE2, which cannot look around."""
    escaped = re.sub(r"([^\w\s@])", r"\\\1", word)
    return rf"(?i)(?:^|[^\pL\pN_.+@-]){escaped}(?:$|[^\pL\pN_@.-]|\.(?:$|[^\pL\pN_]))"


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def parse(text: str, subjects: Mapping[str, Subject]) -> Named:
    """Return who *text* names: ``customer=42`` or ``customer.email=ana@example.com``.

    Raises UsageError LW811 for a subject or an identifier that the project does not declare.
    """
    left, equals, value = text.partition("=")
    name, _, identifier = left.strip().partition(".")
    if not equals or not value.strip() or not name:
        raise UsageError("LW811", "a person is named as <subject>=<value>", remedy="for example customer=42")
    if name not in subjects:
        if not subjects:
            raise UsageError(
                "LW811",
                "the project declares no subjects",
                remedy="say under `subjects` of lakewright.yaml where people are found",
            )
        raise UsageError("LW811", f"the project has no subject {name!r}{nearest(name, subjects)}")
    spec = subjects[name]
    if identifier and identifier not in spec.identifiers:
        raise UsageError(
            "LW811",
            f"subject {name!r} has no identifier {identifier!r}{nearest(identifier, spec.identifiers)}",
        )
    return Named(name, identifier or spec.identifier, value.strip())


class Wanted:
    """The values of people in a temporary table of *cursor*, and conditions that compare columns with it."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, people: People, keys: Keys, vault: Vault) -> None:
        self.cursor = cursor
        self.people = people
        self._keys, self._vault = keys, vault
        self._table = f"_wanted_{secrets.token_hex(8)}"
        self._forms: set[str] = set()
        cursor.execute(f"CREATE TEMP TABLE {self._table} (form VARCHAR, value VARCHAR)")

    def refresh(self) -> None:
        """Take over what was learned about the people since the last call."""
        self.cursor.execute(f"DELETE FROM {self._table}")
        self._forms.clear()
        for name, values in self.people.values.items():
            self._put(name, values)

    def told(self, name: str, kind: str, mask: Mask | None = None) -> exp.Expr:
        """Return the condition that the value of column *kind* is one of identifier *name*; never null."""
        text: exp.Expr = exp.cast(column(kind), "VARCHAR")
        return self.told_of(name, text) if mask is None else self._among(self._masked(name, mask), text)

    def told_of(self, name: str, text: exp.Expr) -> exp.Expr:
        """Return the condition that the expression *text* is one of identifier *name*; never null."""
        return self._among(name, self.normal(name, text))

    def is_word(self, name: str, *, identifying: bool) -> exp.Expr:
        """Return the condition that column *name* is a text that only the people have; never null."""
        form = _IDENTIFYING if identifying else _WORDS
        if form not in self._forms:
            self._forms.add(form)
            self._put(form, self.people.identifying() if identifying else self.people.words())
        return self._among(form, exp.Trim(this=column(name)))

    def _among(self, form: str, text: exp.Expr) -> exp.Expr:
        values = exp.select("value").from_(exp.to_table(f"temp.main.{self._table}"))
        values = values.where(exp.column("form").eq(literal(form)))
        return exp.Coalesce(
            this=exp.In(this=text, query=values.subquery(copy=False)), expressions=[exp.false()]
        )

    def normal(self, name: str, text: exp.Expr) -> exp.Expr:
        """Return the form in which values of identifier *name* are compared, of the expression *text*."""
        return normal_form(
            text, whole=name in self.people.whole, ignore_case=name in self.people.spec.ignore_case
        )

    def masks_of(self, name: str, mask: Mask) -> set[str]:
        """Return what stands in a column masked by *mask* instead of the identifier's values."""
        clear = _variants(self.people.spelled.get(name, set()) | self.people.values.get(name, set()))
        if isinstance(mask, Hash):
            return self._hashes(clear, mask)
        assert isinstance(mask, Token)
        known = {one.name for one in self._keys.listed()}
        if mask.key not in known or not clear:
            return set()
        key = lookup_key(self._keys.current(mask.key)).material
        return set(self._vault.tokens(mask.domain, [_hmac(key, one) for one in clear]).values())

    def _hashes(self, clear: set[str], mask: Hash) -> set[str]:
        if mask.algorithm != "hmac-sha256":
            return {
                hashlib.new(mask.algorithm, _bytes(one), usedforsecurity=False).hexdigest() for one in clear
            }
        versions = [one.version for one in self._keys.listed() if one.name == mask.key and one.status == "ok"]
        materials = [self._keys.get(mask.key, one).material for one in versions]
        return {_hmac(material, one) for material in materials for one in clear}

    def _masked(self, name: str, mask: Mask) -> str:
        form = f"{name} {mask!r}"
        if form not in self._forms:
            self._forms.add(form)
            self._put(form, self.masks_of(name, mask))
        return form

    def _put(self, form: str, values: Iterable[str]) -> None:
        import pyarrow as pa

        listed: Sequence[str] = sorted(values)
        if not listed:
            return
        self.cursor.register("_wanted_new", pa.table({"value": pa.array(listed, pa.string())}))
        self.cursor.execute(f"INSERT INTO {self._table} SELECT ?, value FROM _wanted_new", [form])
        self.cursor.unregister("_wanted_new")

    def close(self) -> None:
        """Drop the temporary table."""
        self.cursor.execute(f"DROP TABLE IF EXISTS {identifier(self._table).sql('duckdb')}")


def _variants(values: Iterable[str]) -> set[str]:
    """The spellings in which a step may have brought a value to its mask. A hash of one too many finds nothing."""
    found: set[str] = set()
    for one in values:
        for text in (one, one.strip()):
            found |= {text, text.lower(), text.upper(), text.title()}
    return found


def _hmac(key: bytes, value: str) -> str:
    return hmac.digest(key, _bytes(value), "sha256").hex()


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
