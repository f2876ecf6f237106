"""Surrogate keys of dimensions: what identifies a member, and a version of it, as one number.

A key is the first 60 bits of the MD5 of its own column's name and the natural key, so it is the
same in every rerun, rebuild, order of changes and environment, and a fact can be told its key
before the member comes. The first version of a member has the key of its natural key alone; later
ones have that of the moment at which they start, too. Two members with one key (1 in 2 million among a
million members) are refused when they are published; another name of the column parts them.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakewright.sql.names import identifier
from lakewright.sql.names import literal as constant

__all__ = ["INFERRED", "NOT_APPLICABLE", "UNKNOWN", "surrogate"]

#: The surrogate key of the member for facts whose member is not known.
UNKNOWN = -1

#: The surrogate key of the member for facts that have none.
NOT_APPLICABLE = -2

#: Whether a member was added for a fact, and what is known of it is its natural key.
INFERRED = "is_inferred"


def surrogate(name: str, keys: Sequence[str], row: str, *, since: str = "") -> str:
    """Return the surrogate key *name* of a row with the natural *keys* as SQL text.

    *row* is the row's relation; *since* the moment at which its version starts, as SQL, for later versions.
    """
    parts = [constant(name).sql("duckdb")]
    for key in keys:
        text = f"CAST({row}.{identifier(key).sql('duckdb')} AS TEXT)"
        # with its length before it, no value runs into the next
        parts.append(f"COALESCE(CAST(LENGTH({text}) AS TEXT) || ':' || {text}, '-')")
    if since:
        parts.append(f"'@' || CAST(EPOCH_US({since}) AS TEXT)")
    return f"CAST('0x' || SUBSTRING(MD5({' || '.join(parts)}), 1, 15) AS BIGINT)"
