"""Publish to warehouses: load beside what is served, and swap, so that a load that fails changes nothing."""

from lakewright.warehouse.model import Load, Role, Served, Table, Target, View
from lakewright.warehouse.target import open_target

__all__ = ["Load", "Role", "Served", "Table", "Target", "View", "open_target"]
