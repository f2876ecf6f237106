"""Great Expectations suites, read as expectations of ours."""

from __future__ import annotations

from lakewright.project.suites.kinds import SUPPORTED
from lakewright.project.suites.read import Imported, read_suite

__all__ = ["SUPPORTED", "Imported", "read_suite"]
