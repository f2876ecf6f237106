"""Mask the rows of a stage: the expressions in its statement, and the tokens that the vault gives.

What a rule masks never reaches the stage in clear, but for two uses there: values that are to become tokens,
until the vault has given them, and hidden columns that checks of the whole dataset and comparisons of
whole rows need. The stage is a temporary table of one connection.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.errors import LakewrightError, RunError
from lakewright.security.vault import Vault, lookup_key
from lakewright.spec.mask import Hash, Mask, Token
from lakewright.sql.checks import Check
from lakewright.sql.mask import HIDDEN, KeyNames, keyed_hash, mask_failed, mask_value
from lakewright.sql.names import FAILED, column, hidden, identifier
from lakewright.sql.steps import Dedupe

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.context import TaskContext
    from lakewright.run.services import Services
    from lakewright.security.keys import Keys, MaskKey
    from lakewright.spec.dataset import Dataset

__all__ = ["Masking", "clear_name", "hand_over", "masking", "without_values"]

_QUOTED = re.compile(r"'[^\n]*'|\"[^\n]*\"")
_VALUES, _KNOWN = "_mask_values", "_mask_known"
# More values than this are looked for by reading all tokens of their domain.
_MANY = 200_000


def masking(
    services: Services, cursor: duckdb.DuckDBPyConnection, dataset: Dataset, context: TaskContext
) -> Masking | None:
    """Return how *dataset* is masked, its keys handed to *cursor*; None when nothing is.

    Raises LW802, LW803 and LW805 for keys that are not to be had.
    """
    masks = dataset.masks
    if not masks:
        return None
    names = {
        mask.key: hand_over(cursor, services.keys.current(mask.key))
        for mask in masks.values()
        if isinstance(mask, Hash) and mask.algorithm == "hmac-sha256"
    }
    return Masking(masks, names, services.keys, services.vault, context)


def hand_over(cursor: duckdb.DuckDBPyConnection, key: MaskKey) -> KeyNames:
    """Give *cursor* the key in variables whose names nobody can guess, and return them."""
    names = KeyNames(f"_{secrets.token_hex(16)}", f"_{secrets.token_hex(16)}")
    for name, value in zip((names.inner, names.outer), key.padded, strict=True):
        cursor.execute(f"SET VARIABLE {identifier(name).sql('duckdb')} = ?::BLOB", [value])
    return names


def without_values(error: LakewrightError) -> LakewrightError:
    """Return *error* with everything in its text that may be a value of a row taken out."""
    problem = error.problem
    if problem.code == "LW603":
        # what a function of the project says about its failure may be anything
        kind = type(error.__cause__).__name__ if error.__cause__ is not None else "error"
        text = f"{problem.message.partition(' failed: ')[0]} failed: {kind}"
    else:
        text = _QUOTED.sub(HIDDEN, problem.message.splitlines()[0])
    note = "; values are left out, for columns of the dataset are masked"
    return RunError(problem.code, text + note, where=problem.where, remedy=problem.remedy)


def clear_name(name: str) -> str:
    """Return the hidden column of the stage that holds the clear values of column *name*."""
    return f"_clear_{name}"


@dataclass
class Masking:
    """How the columns of one dataset are masked in its stage. ``masks`` has their names as the contract spells them."""

    masks: Mapping[str, Mask]
    names: Mapping[str, KeyNames]
    keys: Keys
    vault: Vault
    context: TaskContext
    _here: dict[str, Mask] = field(default_factory=dict)

    def fit(self, columns: Mapping[str, str]) -> None:
        """Take note of which of the stage's columns are masked."""
        lower = {name.lower(): mask for name, mask in self.masks.items()}
        self._here = {name: lower[name.lower()] for name in columns if name.lower() in lower}

    def star(self, columns: Mapping[str, str], *, failed: bool) -> exp.Star:
        """Return ``*`` with masked values in place of clear ones. Raises LW801 for rules that do not fit."""
        values = {
            name: mask_value(name, columns[name], mask, self.names) for name, mask in self._here.items()
        }
        changed = [
            exp.alias_(value, name, quoted=True)
            for name, value in values.items()
            if not isinstance(self._here[name], Token)
        ]
        if failed and self._here:
            changed.append(exp.alias_(mask_failed(self._here), FAILED, quoted=True))
        return exp.Star(replace=changed) if changed else exp.Star()

    def clear_columns(self, checks: Sequence[Check], dedupe: Dedupe | None) -> tuple[exp.Expr, ...]:
        """Return the hidden columns of clear values that *checks* of the dataset and *dedupe* need."""
        needed = {
            node.name
            for check in checks
            if check.scope == "dataset"
            for tree in (check.measure, check.violated)
            if tree is not None
            for node in tree.find_all(exp.Column)
        }
        lower = {one.lower() for one in needed}
        if dedupe is not None:
            compared = {one.lower() for one in dedupe.keys} or {one.lower() for one in self._here}
            lower |= compared & {one.lower() for one in self._loose()} | {(dedupe.latest_by or "").lower()}
        return tuple(
            exp.alias_(column(name), clear_name(name), quoted=True)
            for name in self._here
            if name.lower() in lower
        )

    def clear_checks(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """Return *checks*, those of the whole dataset over the clear values."""
        return tuple(
            replace(
                check,
                measure=self._cleared(check.measure),
                violated=self._cleared(check.violated),
            )
            if check.scope == "dataset"
            else check
            for check in checks
        )

    def clear_dedupe(self, dedupe: Dedupe | None, columns: Mapping[str, str]) -> Dedupe | None:
        """Return *dedupe* over the clear values: rows are the same when they were so before they were masked."""
        if dedupe is None:
            return None
        loose = {name.lower(): clear_name(name) for name in self._loose()}
        every = dedupe.keys or tuple(name for name in columns if not hidden(name))
        keys = tuple(loose.get(name.lower(), name) for name in every)
        ordered = {name.lower(): clear_name(name) for name in self._here}
        latest = ordered.get((dedupe.latest_by or "").lower(), dedupe.latest_by)
        return replace(dedupe, keys=keys, latest_by=latest, whole=dedupe.whole or not dedupe.keys)

    def _loose(self) -> list[str]:
        """The columns whose different values may be equal once they are masked."""
        return [name for name, mask in self._here.items() if not mask.injective]

    def masked_references(self, checks: Sequence[Check], columns: Mapping[str, str]) -> tuple[Check, ...]:
        """Return *checks* with look-ups in other datasets done by the masked value, as it is there."""
        found = []
        for check in checks:
            if check.kind == "references" and check.violated is not None:
                tree = check.violated.copy().transform(lambda node: self._masked(node, columns), copy=False)
                check = replace(check, violated=tree)
            found.append(check)
        return tuple(found)

    def _masked(self, node: exp.Expr, columns: Mapping[str, str]) -> exp.Expr:
        name = _own(node)
        if name is None or name not in self._here:
            return node
        return mask_value(name, columns[name], self._here[name], self.names)

    def _cleared(self, tree: exp.Expr | None) -> exp.Expr | None:
        if tree is None:
            return None
        lower = {name.lower(): clear_name(name) for name in self._here}

        def one(node: exp.Expr) -> exp.Expr:
            name = _own(node)
            return column(lower[name.lower()]) if name is not None and name.lower() in lower else node

        return tree.copy().transform(one, copy=False)

    def tokenise(self, cursor: duckdb.DuckDBPyConnection, stage: str) -> None:
        """Replace the values that are to become tokens. Values that have one are found in SQL; new ones go to the vault."""
        for name, mask in self._here.items():
            if isinstance(mask, Token):
                self._tokenise(cursor, stage, name, mask)

    def _tokenise(self, cursor: duckdb.DuckDBPyConnection, stage: str, name: str, mask: Token) -> None:
        import pyarrow as pa

        key = self.keys.current(mask.key)
        spelled = identifier(name).sql("duckdb")
        digest = keyed_hash(exp.column("value"), hand_over(cursor, lookup_key(key))).sql("duckdb")
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE {_VALUES} AS SELECT value, {digest} AS digest "
            f"FROM (SELECT DISTINCT {spelled} AS value FROM {stage} WHERE {spelled} IS NOT NULL)"
        )
        known = self._known(cursor, mask.domain)
        cursor.register(_KNOWN, _table(pa, known))
        new = cursor.execute(
            f"SELECT digest, value FROM {_VALUES} ANTI JOIN {_KNOWN} USING (digest)"
        ).fetchall()
        if new:
            known |= self.vault.add(mask.domain, key, dict(new), alive=self.context.check)
            cursor.unregister(_KNOWN)
            cursor.register(_KNOWN, _table(pa, known))
        self.context.check()
        row = cursor.execute(f"SELECT count(*) FROM {_VALUES} ANTI JOIN {_KNOWN} USING (digest)").fetchone()
        if row and row[0]:
            raise RunError("LW909", f"{row[0]:,} values of {name} have no token")
        cursor.execute(
            f"UPDATE {stage} SET {spelled} = token FROM {_VALUES} JOIN {_KNOWN} USING (digest) "
            f"WHERE {stage}.{spelled} = {_VALUES}.value"
        )
        cursor.unregister(_KNOWN)
        cursor.execute(f"DROP TABLE {_VALUES}")

    def _known(self, cursor: duckdb.DuckDBPyConnection, domain: str) -> dict[str, str]:
        row = cursor.execute(f"SELECT count(*) FROM {_VALUES}").fetchone()
        if row and row[0] > _MANY:
            return self.vault.everything(domain)
        digests = [one for (one,) in cursor.execute(f"SELECT digest FROM {_VALUES}").fetchall()]
        return self.vault.tokens(domain, digests)


def _own(node: exp.Expr) -> str | None:
    """The name of a column of the row itself, not of a query inside the tree."""
    if not isinstance(node, exp.Column) or node.find_ancestor(exp.Subquery, exp.Select) is not None:
        return None
    return str(node.name)


def _table(pa, known: Mapping[str, str]):  # type: ignore[no-untyped-def]  # Arrow is loaded late
    return pa.table(
        {"digest": pa.array(list(known), pa.string()), "token": pa.array(known.values(), pa.string())}
    )
