"""Read a project's files: find it, load it, judge it, point into it."""

from lakewright.project.check import check
from lakewright.project.files import find
from lakewright.project.loader import load, problems
from lakewright.project.locate import Locations, locations, where
from lakewright.project.secrets import resolve as resolve_secret

__all__ = ["Locations", "check", "find", "load", "locations", "problems", "resolve_secret", "where"]
