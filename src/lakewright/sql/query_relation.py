"""What is known about the rows that a query reads or makes: columns, their types and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

__all__ = ["DIRECT", "INDIRECT", "Col", "Origin", "Relation", "Unknown", "applied", "merged"]

#: How a value flows into a column, weakest first (OpenLineage's direct subtypes).
DIRECT = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")

#: How a value decides about rows or about other values without flowing into them.
INDIRECT = ("JOIN", "FILTER", "GROUP_BY", "SORT", "WINDOW", "CONDITIONAL")

_RANK = {name: rank for rank, name in enumerate(DIRECT)}


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A column of another dataset that has a part in a column, and which part.

    ``transformation`` is a subtype of OpenLineage's column lineage: one of :data:`DIRECT` or
    :data:`INDIRECT`. ``masking`` tells that only a digest of the value arrives.
    """

    dataset: str
    column: str
    transformation: str = "IDENTITY"
    masking: bool = False

    @property
    def direct(self) -> bool:
        """Whether the value itself flows, changed or not."""
        return self.transformation in _RANK


Origins = frozenset[Origin]
_NONE: Origins = frozenset()


def applied(origins: Iterable[Origin], transformation: str, *, masking: bool = False) -> Origins:
    """Return *origins* as seen through one more *transformation*.

    Directly, the stronger of both counts (identity < transformation < aggregation); an indirect
    part stays what it is, and everything that goes through an indirect use becomes that use.
    """
    result = []
    for one in origins:
        kind = one.transformation
        if kind in _RANK and (transformation not in _RANK or _RANK[transformation] > _RANK[kind]):
            kind = transformation
        hide = one.masking or masking
        same = kind == one.transformation and hide == one.masking
        result.append(one if same else replace(one, transformation=kind, masking=hide))
    return frozenset(result)


@dataclass(frozen=True, slots=True)
class Col:
    """A column: its name as written, its DuckDB type (``""`` unknown) and its origins."""

    name: str
    type: str = ""
    origins: Origins = _NONE

    def through(self, transformation: str, *, type: str = "", masking: bool = False) -> Col:
        """The column after one more step; its *type* is unknown unless given."""
        return Col(self.name, type, applied(self.origins, transformation, masking=masking))


@dataclass(slots=True)
class Relation:
    """Columns by lower-case name, in order, and how much of them is known.

    ``open``: there may be more columns than those listed; they come unchanged from the datasets
    ``rest``. ``gone``: names that an open relation certainly does not have. ``unnamed``: some
    columns have names that the engine makes up from their expression. ``dataset``: the id, when
    the relation is one as it is stored. ``rows``: what decides which rows there are.
    """

    columns: dict[str, Col] = field(default_factory=dict)
    open: bool = False
    rest: tuple[str, ...] = ()
    gone: frozenset[str] = frozenset()
    unnamed: bool = False
    dataset: str = ""
    rows: Origins = _NONE

    @classmethod
    def of(
        cls, id: str, columns: Mapping[str, str] | Iterable[str] | None, *, open: bool = False
    ) -> Relation:
        """The dataset *id* with *columns* (with or without types); None when nothing is known of it."""
        if columns is None:
            return cls(open=True, rest=(id,), dataset=id)
        types = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, "")
        found = {name.lower(): Col(name, type, frozenset({Origin(id, name)})) for name, type in types.items()}
        return cls(found, open=open, rest=(id,) if open else (), dataset=id)

    def copy(self) -> Relation:
        """A relation whose columns can be changed without touching this one."""
        return replace(self, columns=dict(self.columns))

    def get(self, name: str) -> Col | None:
        """The column *name* when it is known for certain."""
        return self.columns.get(name.lower())

    def may_have(self, name: str) -> bool:
        """Whether a column *name*, not listed, can be there all the same."""
        low = name.lower()
        if self.open and low not in self.gone:
            return True
        # hidden columns of stored datasets, and names that the engine makes from an expression
        return (bool(self.dataset) and low.startswith("_")) or (self.unnamed and not low.isidentifier())

    def guess(self, name: str) -> Col:
        """The column *name* that may be there: from the one dataset whose columns pass through."""
        if len(self.rest) == 1:
            return Col(name, "", frozenset({Origin(self.rest[0], name)}))
        if self.dataset:
            return Col(name, "", frozenset({Origin(self.dataset, name)}))
        return Col(name)

    def names(self) -> tuple[str, ...]:
        """The names listed, as written, without hidden ones of a stored dataset."""
        return tuple(one.name for one in self.visible())

    def visible(self) -> tuple[Col, ...]:
        """The columns that ``*`` gives: hidden columns of a stored dataset are left out."""
        if not self.dataset:
            return tuple(self.columns.values())
        return tuple(one for one in self.columns.values() if not one.name.startswith("_"))

    def everything(self) -> Origins:
        """The origins of all columns together."""
        return frozenset(origin for col in self.columns.values() for origin in col.origins)

    def add(self, col: Col) -> None:
        """Append a column; a name that is taken gets ``_1``, ``_2``, … as in DuckDB."""
        name, number = col.name, 0
        while name.lower() in self.columns:
            number += 1
            name = f"{col.name}_{number}"
        self.columns[name.lower()] = col if name == col.name else replace(col, name=name)

    def renamed(self, names: Iterable[str]) -> Relation:
        """The relation with its first columns called *names*, as ``t(a, b)`` does."""
        new = list(names)
        if self.open and len(self.columns) < len(new):
            return Relation({n.lower(): Col(n) for n in new}, open=True, rows=self.rows, rest=self.rest)
        result = replace(self, columns={}, dataset="")
        for position, col in enumerate(self.visible()):
            result.add(replace(col, name=new[position]) if position < len(new) else col)
        return result


def merged(relations: Iterable[Relation]) -> Origins:
    """The origins of all columns of several relations."""
    return frozenset(origin for one in relations for origin in one.everything())


@dataclass(frozen=True, slots=True)
class Unknown:
    """A reference to a column that is certainly not there.

    ``node`` stands in the user's query; ``relation`` names what was looked at (an alias, a
    dataset or ``""`` for all of FROM) and ``known`` the columns found there.
    """

    node: exp.Expr
    name: str
    relation: str
    known: tuple[str, ...]
    dataset: str = ""
