"""Every error code: its title, what it means and what to do, one file per hundred."""

from __future__ import annotations

from lakewright.codes import (
    catalog,
    lake,
    project,
    quality,
    run,
    security,
    sources,
    sql,
    usage,
    warehouse,
)
from lakewright.codes.model import Code

__all__ = ["CODES", "Code"]

CODES: dict[str, Code] = {
    **project.CODES,
    **sources.CODES,
    **sql.CODES,
    **lake.CODES,
    **quality.CODES,
    **run.CODES,
    **catalog.CODES,
    **security.CODES,
    **usage.CODES,
    **warehouse.CODES,
}
