"""ministack with the part of an Iceberg REST catalog that it leaves out: forgetting snapshots.

Run as a program. It takes ``remove-snapshots`` for granted and does nothing; here it does what the specification of the
table format says of it: the snapshots go, and the log of the current ones begins anew after them.
"""

from __future__ import annotations

import sys
from typing import Any

from ministack.app import main
from ministack.services import s3tables

_others = s3tables._apply_iceberg_updates


def _apply(metadata: dict[str, Any], updates: list[dict[str, Any]]) -> None:
    _others(metadata, [one for one in updates if one.get("action") != "remove-snapshots"])
    for one in updates:
        if one.get("action") == "remove-snapshots":
            _remove(metadata, set(one["snapshot-ids"]))


def _remove(metadata: dict[str, Any], gone: set[int]) -> None:
    heads = {one["snapshot-id"] for one in metadata.get("refs", {}).values()}
    if gone & heads:
        raise ValueError(f"Cannot remove snapshots {sorted(gone & heads)}: a branch or tag needs them")
    metadata["snapshots"] = [one for one in metadata["snapshots"] if one["snapshot-id"] not in gone]
    log = metadata.get("snapshot-log", [])
    last = max((place for place, one in enumerate(log) if one["snapshot-id"] in gone), default=-1)
    metadata["snapshot-log"] = log[last + 1 :]


if __name__ == "__main__":
    s3tables._apply_iceberg_updates = _apply
    sys.exit(main())
