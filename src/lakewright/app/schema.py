"""`schema`: the JSON Schemas of the project's files."""

from __future__ import annotations

from typing import Any

from lakewright.errors import NotFoundError, nearest
from lakewright.project.schema import json_schemas

__all__ = ["schemas"]


def schemas(kind: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each kind of project file, or of *kind* alone. Raises LW901 for an unknown kind."""
    found = json_schemas()
    if kind is None:
        return found
    kind = {"project": "lakewright.yaml"}.get(kind, kind)
    if kind not in found:
        raise NotFoundError("LW901", f"no schema {kind!r}{nearest(kind, found)}", tried=sorted(found))
    return {kind: found[kind]}
