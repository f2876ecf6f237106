"""Queries of a role: the rows and columns that it may see are put into a session of their own, and only that is asked.

The caller's SQL never reaches the engine that has the lake attached. It is examined first, by default deny; then each
dataset that it names is read under the role's rules, by the owner's engine, into a locked session
that holds nothing else; then it runs there. What a condition or an error of the caller's could tell
of rows that are not theirs is not there to be told of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import duckdb
import msgspec
from sqlglot import exp

from lakewright.app.audited import QueryLog
from lakewright.app.counted import Counted
from lakewright.app.named import Named, explained, named, one_query
from lakewright.app.platform import Restricted
from lakewright.app.relation import Params, flat_form, missing, relation_of, snapshot_of
from lakewright.app.rows import Result
from lakewright.engine.errors import explain
from lakewright.engine.locked import LockedSession
from lakewright.engine.session import interruptible
from lakewright.engine.syntax import syntax_tree
from lakewright.errors import LakewrightError, NotFoundError, RunError, UsageError, nearest
from lakewright.project.targets import PROJECT_FILE
from lakewright.run.inputs import describe
from lakewright.run.mask import hand_over
from lakewright.security.guard import Asked, examine, examine_pivot
from lakewright.security.prefilter import conditions_before
from lakewright.spec.mask import Hash, Mask
from lakewright.sql.access import condition, filled, permitted, read_by
from lakewright.sql.mask import KeyNames
from lakewright.sql.names import hidden, quarantine_id, split_id

if TYPE_CHECKING:
    from lakewright.app.cache import QueryCache

__all__ = ["restricted_query"]

_ROWS = 100_000


@dataclass
class _Dataset:
    """A dataset as the caller may read it.

    ``seen`` are all columns with their masks, ``read`` those that the query needs; ``conditions`` are trees
    with the caller's attributes in them.
    """

    id: str
    relation: exp.Expr
    columns: Mapping[str, str]
    seen: Mapping[str, Mask | None]
    read: list[str]
    conditions: list[exp.Expr]
    looks_into: tuple[str, ...]


@contextmanager
def restricted_query(
    platform: Restricted,
    sql: str,
    *,
    params: Params = None,
    as_of: str | int | datetime | None = None,
    flat: bool = False,
) -> Iterator[Result]:
    """Run one query under the rules of the platform's role; arguments as for :func:`lakewright.app.query.query`.

    Every query is in the audit log before a row of it is shown, also one that is refused. Raises LW821 for
    datasets that the role may not read, LW822 for what a role's query must not hold, LW825 for a missing attribute
    and LW826 when the rules could not be applied, without a value in any of them.
    """
    asking = _Asking(platform, sql, params, as_of, flat)
    log = QueryLog(platform.owner.audit, platform.caller.rights.role, platform.caller.user, sql, as_of)
    engine = platform.owner.project.file.engine
    with LockedSession(engine, platform.owner.root) as session, asking.cursor:
        try:
            datasets = asking.prepare(session)
        except LakewrightError as error:
            log.refused(error.code, asking.asked.ids)
            raise
        log.asked({one.id: one.read for one in datasets})
        with log.answered() as results:
            try:
                result = Counted(asking.answer(session, datasets))
                results.append(result)
                yield result
            except duckdb.Error as error:
                raise _explain(error) from None


class _Asking:
    """One query of a caller, from its text to its rows."""

    def __init__(
        self, platform: Restricted, sql: str, params: Params, as_of: str | int | datetime | None, flat: bool
    ) -> None:
        self.owner, self.caller = platform.owner, platform.caller
        self.cursor = self.owner.services.session.cursor()
        self.sql, self.params, self.as_of, self.flat = sql, params, as_of, flat
        self.version: int | None = None
        self.moment: datetime | None = None
        self.statement = ""
        self.asked = Asked()
        self.tree: dict[str, Any] | None = None
        self.names = Named(sure=False)

    # --- what is asked

    def prepare(self, session: LockedSession) -> list[_Dataset]:
        """Judge the query and return the datasets that it reads, as the caller may read them."""
        self.version, self.moment = snapshot_of(self.as_of)
        self.statement = one_query(session.cursor, self.sql)
        inner = explained(self.statement)
        self.tree = syntax_tree(session.cursor, inner)
        if self.tree is not None:
            self.asked = examine(self.tree)
            self.names = named(session.cursor, self.statement, ())
        else:
            self.asked = examine_pivot(inner)
        for id in self.asked.ids:
            self._may_read(id)
        return [self._dataset(id) for id in self.asked.ids]

    def _may_read(self, id: str) -> None:
        own = self.caller.rights
        readable = self.caller.readable()
        project = self.caller.project
        bad = [quarantine_id(one) for one in (*project.raw, *project.datasets)]
        if not own.reads(id) or (id not in readable and id not in bad):
            message = f"{self.caller.name} reads no {id!r}{nearest(id, readable)}"
            raise UsageError("LW821", message, tried=readable[:20])

    def _dataset(self, id: str) -> _Dataset:
        with self._hushed(id):
            relation = relation_of(self.owner, self.cursor, id, self.version, self.moment)
            if not isinstance(relation, exp.Table):
                relation = relation.subquery(copy=False)
            try:
                columns = describe(self.cursor, exp.select(exp.Star()).from_(relation.copy()))
            except duckdb.CatalogException:
                absent = missing(self.owner, id)
                raise absent or NotFoundError("LW415", f"{id} did not exist at {self.as_of}") from None
            seen = self._seen(id, columns)
            conditions, looks_into = self._conditions(id)
        if not seen:
            raise UsageError("LW821", f"{self.caller.name} sees no column of {id}")
        read = [one for one in seen if self.asked.whole or one.lower() in self.asked.words]
        return _Dataset(id, relation, columns, seen, read, conditions, looks_into)

    def _seen(self, id: str, columns: Mapping[str, str]) -> dict[str, Mask | None]:
        own = self.caller.rights
        if own.every_column:
            return dict.fromkeys(columns)
        # of a column that is no longer there nobody says any more what it holds
        present = (
            set(columns)
            if self.as_of is None
            else set(self.owner.services.lake.columns(self.cursor, id) or ())
        )
        seen: dict[str, Mask | None] = {}
        for name in columns:
            treatment = own.treatment(self.caller.classes.of(id, name))
            if treatment == "hidden" or hidden(name) or name not in present:
                continue
            seen[name] = treatment if isinstance(treatment, Mask) else None
        return seen

    def _conditions(self, id: str) -> tuple[list[exp.Expr], tuple[str, ...]]:
        found: list[exp.Expr] = []
        into: list[str] = []
        for pattern, text in self.caller.rights.conditions(id).items():
            tree = condition(text, PROJECT_FILE)
            into += read_by(tree)
            try:
                found.append(filled(tree, self.caller.attributes, self._present))
            except KeyError as error:
                message = f"the rows of {pattern} depend on the attribute {error.args[0]!r}, which {self.caller.name} was not given"
                raise UsageError("LW825", message) from None
        return found, tuple(into)

    def _present(self, id: str) -> exp.Table:
        return self.owner.services.lake.at(id, self.version, self.moment)

    # --- what is answered

    def answer(self, session: LockedSession, datasets: list[_Dataset]) -> Result:
        """Return the rows of the query: kept ones, or by running it in *session*."""
        cache, key = self.owner.query_cache, None
        if cache is not None and (key := self._key(cache, datasets)) is not None:
            kept = cache.kept(key)
            if kept is not None:
                return kept
        cursor = session.cursor
        interruptible(cursor, lambda: self._fill(session, datasets))
        session.lock()

        def run() -> Result:
            text = flat_form(cursor, self.statement, self.params) if self.flat else self.statement
            return Result(cursor.execute(text, self.params) if self.params else cursor.execute(text))

        result = interruptible(cursor, run)
        if cache is not None and key is not None and cache.takes(key, result.types):
            result = interruptible(cursor, lambda: cache.take(key, cursor, result.types)) or interruptible(
                cursor, run
            )
        return result

    def _fill(self, session: LockedSession, datasets: list[_Dataset]) -> None:
        cursor = self.cursor
        # values that Arrow has no type for, such as wide integers, come as they are
        cursor.execute("SET SESSION arrow_lossless_conversion = true")
        # one transaction for all: one state of the lake
        cursor.execute("BEGIN TRANSACTION")
        for one in datasets:
            with self._hushed(one.id):
                # rows are counted by some column
                seen = {name: one.seen[name] for name in one.read or list(one.seen)[:1]}
                keys = self._keys(seen.values())
                name = split_id(one.id)[1]
                conditions = [*one.conditions, *self._before(session, one)]
                query = permitted(one.relation, name, one.columns, seen, conditions, keys)
                kinds = describe(cursor, query)
                session.put(one.id, kinds, cursor.execute(query.sql("duckdb")).to_arrow_reader(_ROWS))

    def _before(self, session: LockedSession, dataset: _Dataset) -> list[exp.Expr]:
        """Return what the query itself asks of the rows, as far as it may be asked before they are handed over."""
        if self.tree is None:
            return []

        def converts(text: str, kind: str) -> bool:
            row = session.cursor.execute(f"SELECT TRY_CAST(? AS {kind}) IS NOT NULL", [text]).fetchone()
            return bool(row and row[0])

        clear = {name: dataset.columns[name] for name, mask in dataset.seen.items() if mask is None}
        return conditions_before(self.tree, dataset.id, clear, converts)

    def _keys(self, masks: Iterable[Mask | None]) -> dict[str, KeyNames]:
        return {
            mask.key: hand_over(self.cursor, self.owner.keys.current(mask.key))
            for mask in masks
            if isinstance(mask, Hash) and mask.algorithm == "hmac-sha256"
        }

    @contextmanager
    def _hushed(self, id: str) -> Iterator[None]:
        """Let out nothing of what goes wrong but that it did: texts of errors hold values of rows."""
        try:
            yield
        except (NotFoundError, UsageError):
            raise
        except duckdb.InterruptException as error:
            raise explain(error) from None
        except LakewrightError as error:
            self._unreadable(id, f" ({error.code})")
        except Exception as error:  # whatever a reader of files or a network raises
            self._unreadable(id, f" ({explain(error).code})" if isinstance(error, duckdb.Error) else "")

    def _unreadable(self, id: str, why: str) -> NoReturn:
        message = f"{id} could not be read under the rules of {self.caller.name}{why}"
        raise RunError("LW826", message) from None

    # --- what is kept

    def _key(self, cache: QueryCache, datasets: list[_Dataset]) -> str | None:
        """What the result is kept under: also the rules, as they come out for this caller."""
        trees = [tree for one in datasets for tree in one.conditions]
        if any(one.looks_into for one in datasets) or not all(map(_steady, trees)):
            return None
        rules = [
            (
                one.id,
                {name: (mask.name, mask) if mask else None for name, mask in one.seen.items()},
                [tree.sql("duckdb") for tree in one.conditions],
            )
            for one in datasets
        ]
        versions = sorted(self.owner.keys.newest().items())
        rights = hashlib.sha256(msgspec.json.encode((rules, versions), order="sorted")).hexdigest()
        return cache.key(self.sql, self.names, self.params, as_of=self.as_of, flat=self.flat, rights=rights)


#: Functions of a condition that mean the same at any time; one that is not here may not.
_STEADY: tuple[type[exp.Expr], ...] = (
    exp.Connector, exp.Cast, exp.Coalesce, exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Array, exp.ArrayContains,
    exp.StartsWith, exp.Substring, exp.Case, exp.If,
)  # fmt: skip


def _steady(tree: exp.Expr) -> bool:
    return all(isinstance(one, _STEADY) for one in tree.find_all(exp.Func))


def _explain(error: duckdb.Error) -> LakewrightError:
    """The coded form of an error of the locked session, which knows nothing that the caller must not."""
    if isinstance(
        error,
        duckdb.ParserException | duckdb.SyntaxException | duckdb.BinderException | duckdb.CatalogException,
    ):
        return UsageError("LW907", str(error).strip())
    if isinstance(error, duckdb.PermissionException):
        return UsageError("LW822", "the session of a role's query refuses this")
    return explain(error)
