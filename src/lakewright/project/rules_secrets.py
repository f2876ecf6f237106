"""Which keys of the project's files hold secrets: they name them by reference and never spell them out."""

from __future__ import annotations

from lakewright.project import rules_rest
from lakewright.spec.databases import DatabaseSource
from lakewright.spec.project import S3, Backup, Key, Lake, Lineage, ProjectFile, QueryCache, Target
from lakewright.spec.warehouse import Warehouse

__all__ = ["SECRET", "SECRET_INSIDE"]

#: Fields that hold nothing but a secret: a reference is required, and kept until the moment of use.
SECRET: frozenset[tuple[type, str]] = frozenset(
    {
        *rules_rest.SECRET,
        (S3, "secret"),
        (S3, "key_id"),
        (Lake, "token"),
        (Lineage, "api_key"),
        (Key, "secret"),
        (Backup, "passphrase"),
    }
)

#: Fields that may hold a secret among other text: ``${secret:…}`` is kept, a literal password refused.
SECRET_INSIDE: frozenset[tuple[type, str]] = frozenset(
    {
        *rules_rest.SECRET_INSIDE,
        (Lake, "catalog"),
        (Lake, "warehouse"),
        (S3, "endpoint"),
        (ProjectFile, "state"),
        (Target, "state"),
        (Lineage, "url"),
        (QueryCache, "store"),
        (Backup, "to"),
        (DatabaseSource, "connection"),
        (Warehouse, "connection"),
    }
)
