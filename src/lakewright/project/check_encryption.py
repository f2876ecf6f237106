"""Judge whether a lake can be encrypted as it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lakewright.errors import nearest
from lakewright.project.check_dataset import Found
from lakewright.spec.mask import DEFAULT_KEY
from lakewright.spec.project import Encryption, Lake, Project

__all__ = ["encryption_problems", "encryption_warnings"]


def encryption_warnings(project: Project) -> Iterator[str]:
    """Yield what stays in the clear though the lake is encrypted."""
    if project.file.lake.encryption is not None:
        yield (
            "LW835 the lake is encrypted, and its raw files are not: they, the state and the reports need a disk or "
            "bucket that encrypts"
        )


def encryption_problems(lake: Lake, keys: Iterable[str], *, cached: bool = False) -> Iterator[Found]:
    """Yield what is wrong with ``lake.encryption`` and with the catalog beside it: LW807, LW830.

    *cached* says that results of queries are to be kept.
    """
    asked, catalog = lake.encryption, lake.catalog_place
    if lake.kind == "iceberg":
        if asked is not None:
            yield Found(
                "LW830",
                "the tables of an iceberg lake are written by way of its catalog, which knows no keys of files",
                ("lake", "encryption"),
                "let the bucket encrypt what it stores (SSE-KMS), and leave `encryption` out",
            )
        return
    if asked is None:
        if catalog.startswith("duckdb:"):
            yield Found(
                "LW830",
                "a catalog of duckdb:<file> is for encrypted lakes: one process at a time can use it",
                ("lake", "catalog"),
                "add `encryption: {}` under `lake`, or write sqlite:<file>",
            )
        return
    if cached:
        yield Found(
            "LW830",
            "results of queries would be kept in the clear, and the lake is encrypted",
            ("query_cache",),
            "leave `query_cache` out",
        )
    known = [Encryption().key, DEFAULT_KEY, *keys]
    if asked.key not in known:
        message = f"lake.encryption: lakewright.yaml has no key {asked.key!r}{nearest(asked.key, known)}"
        remedy = f"add `keys: {{{asked.key}: {{}}}}` to lakewright.yaml"
        yield Found("LW807", message, ("lake", "encryption"), remedy)
    if catalog.startswith("sqlite:"):
        yield Found(
            "LW830",
            "a catalog in SQLite would hold the keys of the files in the clear",
            ("lake", "catalog"),
            "write duckdb:<file>, or leave `catalog` out",
        )
