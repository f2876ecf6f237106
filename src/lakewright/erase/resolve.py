"""Find everything by which people are known: from one identifier to the others, through datasets that hold both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from lakewright.erase.holders import Holder, holders, integer_identifiers, told
from lakewright.erase.people import Named, People, Wanted
from lakewright.erase.tables import tokens_of
from lakewright.errors import RunError
from lakewright.spec.subject import Subject
from lakewright.sql.names import column, hidden, literal
from lakewright.sql.surrogate import NOT_APPLICABLE, UNKNOWN

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["Count", "Found", "Shared", "find", "require_unshared"]

#: What becomes of values that stand in rows of somebody else too.
Sharing = Literal["keep", "same"] | None

#: The longest and shortest text that is worth looking for elsewhere.
_SHORTEST, _LONGEST = 5, 200
_DIGITS = 7
_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Shared:
    """Values of *identifier* that *dataset* holds with other people too: how many, and how many others there are."""

    identifier: str
    dataset: str
    values: int
    others: int


@dataclass(frozen=True, slots=True)
class Count:
    """Rows about the people in one place."""

    holder: Holder
    rows: int


@dataclass
class Found:
    """People with all by which they are known, where they are, and what of it is not theirs alone."""

    people: People
    wanted: Wanted
    counts: list[Count]
    shared: list[Shared]


def find(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    spec: Subject,
    named: Sequence[Named],
    *,
    sharing: Sharing = None,
    known: People | None = None,
) -> Found:
    """Return who *named* are and where they are. *known* is what an earlier, unfinished search found already.

    A value that leads to somebody else as well is not followed, unless *sharing* is ``same``.
    """
    people = known or People(named[0].subject, spec)
    people.whole = integer_identifiers(services, cursor, people)
    for one in named:
        people.add(one.identifier, [one.value])
    if known is not None:
        # an identifier that was declared meanwhile: what led to it may be erased already
        for name in set(spec.identifiers) - people.values.keys():
            people.add(name, people.personal)
    wanted = Wanted(cursor, people, services.keys, services.vault)
    wanted.refresh()
    where = holders(services, cursor, people)
    linker = _Linker(cursor, wanted, where, sharing)
    linker.link(sum(one.identifier != spec.identifier for one in named))
    counts = [Count(one, _count(cursor, wanted, one)) for one in where if one.place != "rejects"]
    for count in counts:
        if count.rows:
            _traces(services, cursor, wanted, count.holder)
            if count.holder.place == "table":
                for domain, tokens in tokens_of(services, cursor, wanted, count.holder).items():
                    people.tokens.setdefault(domain, set()).update(tokens)
    # what could not be parsed is looked through last, for what is told by all the rest
    counts += [Count(one, _count(cursor, wanted, one)) for one in where if one.place == "rejects"]
    return Found(people, wanted, counts, list(linker.shared.values()))


class _Linker:
    """Follows identifiers from dataset to dataset until nothing new is found."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, wanted: Wanted, where: Sequence[Holder], sharing: Sharing
    ) -> None:
        self.cursor = cursor
        self.wanted = wanted
        self.people = wanted.people
        self.main = wanted.people.spec.identifier
        self.where = [one for one in where if one.place != "rejects"]
        self.sharing = sharing
        self.shared: dict[tuple[str, str], Shared] = {}
        self._left_out: dict[str, set[str]] = {}

    def link(self, asked: int) -> None:
        """Add what is linked to the people's values; *asked* of them were named by something else than their identifier."""
        if asked:
            self._mains(asked)
        new = True
        while new:
            new = False
            for one in self.where:
                new = self._step(one) or new
            self.wanted.refresh()

    def _mains(self, asked: int) -> None:
        """From e-mail addresses and the like to the people that have them."""
        found: dict[str, set[str]] = {}
        for one in self.where:
            mains = [key for key, (name, mask) in one.keys.items() if name == self.main and mask is None]
            for key in mains:
                for value in self._values(one, key, told(self.wanted, one)):
                    found.setdefault(self.people.normal(self.main, value), set()).add(value)
        new = found.keys() - self.people.values.get(self.main, set())
        if len(new) > asked and self.sharing != "same":
            name = next(one for one in self.people.values if one != self.main)
            self.shared[name, ""] = Shared(name, "", asked, len(new))
            return
        self.people.add(self.main, [value for values in found.values() for value in values])
        self.wanted.refresh()

    def _step(self, holder: Holder) -> bool:
        """Follow the links of one dataset; return whether anything was new."""
        new = False
        condition = told(self.wanted, holder)
        for key, (name, mask) in holder.keys.items():
            if mask is None:
                values = set(self._values(holder, key, condition)) - self._left_out.get(name, set())
                known = self.people.values.get(name, set())
                unknown = {one for one in values if self.people.normal(name, one) not in known}
                spelled = values - unknown
                if name != self.main:
                    unknown -= self._not_theirs(holder, key, name, unknown)
                elif self.sharing != "same":
                    unknown = set()
                new = self.people.add(name, spelled | unknown) or new
        return new

    def _values(self, holder: Holder, key: str, condition: exp.Expr) -> list[str]:
        text = exp.cast(column(key), "VARCHAR")
        query = exp.select(exp.alias_(text, "value")).distinct().from_(holder.query.subquery("_rows"))
        query = query.where(condition.copy()).where(exp.not_(column(key).is_(exp.null())))
        values = [str(row[0]) for row in self.cursor.execute(query.sql("duckdb")).fetchall()]
        # members of a dimension that stand for nobody
        nobody = {str(UNKNOWN), str(NOT_APPLICABLE)}
        return [one for one in values if one.strip() and one not in nobody]

    def _not_theirs(self, holder: Holder, key: str, name: str, values: set[str]) -> set[str]:
        """Return those of *values* that rows of other people hold too."""
        mains = [one for one, (other, _) in holder.keys.items() if other == self.main]
        if not mains or not values or self.sharing == "same":
            return set()
        import pyarrow as pa

        self.cursor.register("_linked", pa.table({"value": pa.array(sorted(values), pa.string())}))
        other = exp.and_(
            exp.not_(column(mains[0]).is_(exp.null())),
            exp.not_(self.wanted.told(self.main, mains[0], holder.keys[mains[0]][1])),
        )
        text = self.wanted.normal(name, exp.cast(column(key), "VARCHAR"))
        linked = exp.select(self.wanted.normal(name, exp.column("value"))).from_("_linked")
        query = (
            exp.select(
                exp.alias_(text, "value"), exp.Count(this=exp.Distinct(expressions=[column(mains[0])]))
            )
            .from_(holder.query.subquery("_rows"))
            .where(other)
            .where(exp.In(this=text.copy(), query=linked.subquery(copy=False)))
            .group_by(text.copy())
        )
        rows = self.cursor.execute(query.sql("duckdb")).fetchall()
        self.cursor.unregister("_linked")
        common = {row[0] for row in rows}
        if not common:
            return set()
        left = {one for one in values if self.people.normal(name, one) in common}
        self._left_out.setdefault(name, set()).update(left)
        others = max(int(row[1]) for row in rows)
        self.shared[name, holder.dataset] = Shared(name, holder.dataset, len(common), others)
        return left


def require_unshared(found: Found, sharing: Sharing) -> None:
    """Raise RunError LW812 when something leads to somebody else and nobody has said what that means."""
    if not found.shared or sharing is not None:
        return
    told_of = [
        f"{one.identifier}: {one.values} shared with {one.others} others in {one.dataset}"
        if one.dataset
        else f"{one.identifier}: {one.others} people have it"
        for one in found.shared
    ]
    raise RunError("LW812", "; ".join(told_of))


def _count(cursor: duckdb.DuckDBPyConnection, wanted: Wanted, holder: Holder) -> int:
    condition = told(wanted, holder)
    if holder.redact:
        condition = exp.and_(condition, _holds_values(holder.redact))
    query = exp.select(exp.Count(this=exp.Star())).from_(holder.query.subquery("_rows")).where(condition)
    row = cursor.execute(query.sql("duckdb")).fetchone()
    return int(row[0]) if row else 0


def _holds_values(fields: Sequence[str]) -> exp.Expr:
    """Whether any column to redact has a value still: one that stands for nobody is none."""
    nobody = [literal(str(one)) for one in (UNKNOWN, NOT_APPLICABLE)]
    parts = [
        exp.Coalesce(
            this=exp.not_(
                exp.In(this=exp.cast(column(one), "VARCHAR"), expressions=[n.copy() for n in nobody])
            ),
            expressions=[exp.false()],
        )
        for one in fields
    ]
    return exp.paren(exp.or_(*parts, copy=False))


def _traces(services: Services, cursor: duckdb.DuckDBPyConnection, wanted: Wanted, holder: Holder) -> None:
    """Take note of texts of the people's rows that stand in no other row of the same column.

    They are looked for where nothing is parsed: logs, reports, lines that could not be read.
    """
    dataset = services.project.datasets.get(holder.dataset)
    rules = dataset.file.columns if dataset is not None else {}
    listed = {name.lower() for name, one in rules.items() if one.in_ is not None}
    private = {name.lower() for name, one in rules.items() if one.pii or one.mask}
    names = [
        name
        for name, kind in holder.columns.items()
        if kind.upper() in ("VARCHAR", "JSON") and not hidden(name) and name.lower() not in listed
    ]
    for name, texts in _only_theirs(cursor, wanted, holder, names).items():
        found = {one for one in texts if _telling(one)}
        wanted.people.traces |= found
        if name.lower() in private:
            wanted.people.personal |= found


def _only_theirs(
    cursor: duckdb.DuckDBPyConnection, wanted: Wanted, holder: Holder, names: Sequence[str]
) -> dict[str, set[str]]:
    """Texts by column, in two readings of the rows: theirs first, then the others' for those very texts."""
    condition = told(wanted, holder)
    rows = holder.query.subquery("_rows")
    texts = {name: exp.Trim(this=exp.cast(column(name), "VARCHAR")) for name in names}
    listed = [exp.alias_(text.copy(), name, quoted=True) for name, text in texts.items()]
    if not listed:
        return {}
    mine = exp.select(*listed).from_(rows).where(condition.copy())
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE _mine AS {mine.sql('duckdb')}")
    found: dict[str, set[str]] = {}
    for name in names:
        query = exp.select(column(name)).distinct().from_("_mine").where(_worth(column(name))).limit(_MANY)
        found[name] = {str(row[0]) for row in cursor.execute(query.sql("duckdb")).fetchall()}
    wanted_here = {name: values for name, values in found.items() if values}
    if wanted_here:
        hits = [
            exp.alias_(
                exp.Case().when(
                    exp.In(
                        this=texts[name].copy(),
                        query=exp.select(column(name)).from_("_mine").subquery(copy=False),
                    ),
                    texts[name].copy(),
                ),
                name,
                quoted=True,
            )
            for name in wanted_here
        ]
        others = exp.select(*hits).from_(rows.copy()).where(exp.not_(condition.copy())).subquery("_others")
        lists = [exp.func("list", exp.Distinct(expressions=[column(name)])) for name in wanted_here]
        row = cursor.execute(exp.select(*lists).from_(others).sql("duckdb")).fetchone() or ()
        for name, common in zip(wanted_here, row, strict=True):
            found[name] -= set(common or ())
    cursor.execute("DROP TABLE _mine")
    return found


def _worth(value: exp.Expr) -> exp.Expr:
    """Dates and short texts and numbers stand in every log."""
    no_date = exp.TryCast(this=value, to=exp.DataType.build("TIMESTAMP"), safe=True).is_(exp.null())
    no_number = exp.TryCast(this=value.copy(), to=exp.DataType.build("DOUBLE"), safe=True).is_(exp.null())
    length = exp.Length(this=value.copy())
    many_digits = exp.GTE(this=length, expression=literal(_DIGITS))
    long = exp.Between(this=length.copy(), low=literal(_SHORTEST), high=literal(_LONGEST))
    return exp.and_(long, no_date, exp.or_(no_number, many_digits))


def _telling(text: str) -> bool:
    """A small word may stand anywhere and mean nobody: ``shipped``; a name, an address or a number does not."""
    return not text.islower() or not text.isalpha()
