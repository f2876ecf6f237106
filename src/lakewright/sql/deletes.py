"""Rows of a merge that say that their key is gone: which they are, and the statement that takes the key away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from lakewright.spec.dataset import Dataset
from lakewright.sql.names import column
from lakewright.sql.steps_expression import user_expression
from lakewright.sql.steps_rows import Rows

__all__ = ["DELETED", "delete_keys", "deleting"]

#: The column of staged rows that tells whether a row deletes its key.
DELETED = "_deleted"


def deleting(dataset: Dataset, columns: Mapping[str, str]) -> exp.Expr | None:
    """Return the condition of ``write.delete_when`` over the output's *columns*, None where there is none.

    Raises ProjectError (LW301, LW303, LW305) for a condition that does not fit them.
    """
    text = dataset.file.write.delete_when
    if text is None:
        return None
    rows = Rows(exp.select("*").from_("_rows"), columns, dataset.path)
    rows.step = "write.delete_when"
    return exp.paren(user_expression(text, rows).tree, copy=False)


def delete_keys(
    target: exp.Table, stage: exp.Table, keys: Sequence[str], kept: exp.Expr | None
) -> exp.Delete:
    """Return the statement that deletes from *target* the rows whose keys the staged rows say are gone."""
    gone = exp.select(*(exp.alias_(column(one), f"_k{place}") for place, one in enumerate(keys)))
    gone = gone.from_(stage.copy()).where(exp.column(DELETED))
    if kept is not None:
        gone = gone.where(kept.copy())
    same = [
        exp.NullSafeEQ(this=column(one, "_old"), expression=exp.column(f"_k{place}", table="_gone"))
        for place, one in enumerate(keys)
    ]
    found = exp.select(exp.Literal.number(1)).from_(gone.subquery("_gone", copy=False)).where(*same)
    aliased = exp.alias_(target.copy(), "_old", table=True)
    return exp.Delete(this=aliased, where=exp.Where(this=exp.Exists(this=found)))
