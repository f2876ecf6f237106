"""Choose datasets by name, neighbourhood, tag, zone or owner.

::

    orders              every dataset of that name, in any zone
    curated.sales       one dataset
    curated             every dataset of that zone, unless one is called so
    raw.*   *.dim_*     wildcards over zone.name
    +sales  sales+      with everything it needs; with everything that needs it
    2+sales+1           with what is up to two links above and one below
    tag:x   zone:x      by tag, by zone
    owner:x source:x    by owner; the raw datasets of a source
    a,b                 in both
    !x                  not that (whatever the other expressions choose)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import chain

from lakewright.errors import NotFoundError, UsageError, nearest
from lakewright.plan.graph import Graph
from lakewright.spec.base import ZONES
from lakewright.spec.project import Project

__all__ = ["METHODS", "select"]

#: What may stand before the colon of ``method:value``.
METHODS = ("tag", "zone", "owner", "source")

_TERM = re.compile(r"(?:(?P<up>\d*)\+)?(?P<core>[^+]+)(?:\+(?P<down>\d*))?")


def select(
    graph: Graph, project: Project, expressions: Sequence[str] = (), *, exclude: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the ids that *expressions* choose, in the graph's order.

    Several expressions add up; those that start with ``!``, and *exclude*, take away. Without an
    expression that adds, all datasets are chosen. The result may be empty where ``a,b`` or ``!x``
    leave nothing. Raises NotFoundError LW901 when a name, tag, zone, owner, source or wildcard
    matches no dataset, UsageError LW325 when an expression cannot be read.
    """
    chooser = _Chooser(graph, project)
    adding = [one for one in expressions if not one.strip().startswith("!")]
    taking = [one.strip()[1:] for one in expressions if one.strip().startswith("!")]
    chosen = set(chain.from_iterable(map(chooser.expression, adding))) if adding else set(graph.nodes)
    for one in chain(taking, exclude):
        chosen -= chooser.expression(one)
    return graph.order(chosen)


class _Chooser:
    def __init__(self, graph: Graph, project: Project) -> None:
        self.graph = graph
        self.project = project
        self.methods: dict[str, Callable[[str], Iterable[str]]] = {
            "tag": self._tags,
            "zone": lambda id: (id.partition(".")[0],),
            "owner": self._owners,
            "source": lambda id: (project.raw[id],) if id in project.raw else (),
        }

    def expression(self, text: str) -> set[str]:
        """The ids in every part of ``a,b``; a part may be ``!x``."""
        chosen = set(self.graph.nodes)
        for part in text.split(","):
            part = part.strip()
            if part.startswith("!"):
                chosen -= self._term(part[1:], text)
            else:
                chosen &= self._term(part, text)
        return chosen

    def _term(self, part: str, text: str) -> set[str]:
        match = _TERM.fullmatch(part)
        if match is None:
            raise UsageError(
                "LW325", f"the selection {text!r} cannot be read" + (f" at {part!r}" if part else "")
            )
        found = self._core(match["core"].strip(), text)
        chosen = set(found)
        if match["up"] is not None:
            chosen.update(*(self.graph.ancestors(id, _levels(match["up"])) for id in found))
        if match["down"] is not None:
            chosen.update(*(self.graph.descendants(id, _levels(match["down"])) for id in found))
        return chosen

    def _core(self, core: str, text: str) -> set[str]:
        method, colon, value = core.partition(":")
        if colon:
            if method not in self.methods:
                raise UsageError("LW325", f"{text!r} selects by {method!r}{nearest(method, METHODS)}")
            return self._by(method, value)
        if not core:
            raise UsageError("LW325", f"the selection {text!r} names nothing")
        wanted = core.lower()
        if any(sign in core for sign in "*?["):
            found = {id for id in self.graph.nodes if fnmatchcase(_subject(id, core).lower(), wanted)}
        else:
            found = {id for id in self.graph.nodes if _subject(id, core).lower() == wanted}
            found = found or {id for id in self.graph.nodes if id.partition(".")[0] == wanted}
        if not found:
            names = [*self.graph.nodes, *{id.partition(".")[2] for id in self.graph.nodes}]
            raise NotFoundError("LW901", f"no dataset is called {core!r}{nearest(core, names)}")
        return found

    def _by(self, method: str, value: str) -> set[str]:
        of = self.methods[method]
        wanted = value.strip().lower()
        found = {id for id in self.graph.nodes if wanted in (one.lower() for one in of(id))}
        if not found:
            known = sorted(set(chain.from_iterable(of(id) for id in self.graph.nodes)))
            if method == "zone" and wanted in ZONES:
                raise NotFoundError("LW901", f"the zone {value!r} has no datasets")
            listed = f" (there are {', '.join(known[:10])})" if known else ": no dataset names one"
            raise NotFoundError(
                "LW901", f"no dataset has the {method} {value!r}{nearest(value, known) or listed}"
            )
        return found

    def _tags(self, id: str) -> tuple[str, ...]:
        if id in self.project.datasets:
            return self.project.datasets[id].file.tags
        if id in self.project.warehouses:
            return self.project.warehouses[id].tags
        source = self.project.sources[self.project.raw[id]]
        return source.tags + source.datasets[id.partition(".")[2]].tags

    def _owners(self, id: str) -> tuple[str, ...]:
        if id in self.project.datasets:
            owner = self.project.datasets[id].file.owner
        elif id in self.project.warehouses:
            owner = self.project.warehouses[id].owner
        else:
            source = self.project.sources[self.project.raw[id]]
            owner = source.datasets[id.partition(".")[2]].owner or source.owner
        owner = owner or self.project.file.defaults.owner
        return (owner,) if owner else ()


def _subject(id: str, pattern: str) -> str:
    return id if "." in pattern else id.partition(".")[2]


def _levels(digits: str) -> int | None:
    return int(digits) if digits else None
