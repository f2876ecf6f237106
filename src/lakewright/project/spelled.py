"""Values of the spec as YAML spells them: plain data, and the text of a dataset's file."""

from __future__ import annotations

from typing import Any

import msgspec

from lakewright.project.draft_text import flow, line
from lakewright.project.shapes import yaml_name
from lakewright.spec.dataset import DatasetFile
from lakewright.spec.expectations import Expectation

__all__ = ["dataset_text", "spelled", "spelled_expectation"]


def spelled(value: msgspec.Struct) -> dict[str, Any]:
    """Return the keys of *value* that are not their defaults, as a file spells them (``in``, not ``in_``)."""
    return {yaml_name(str(key)): one for key, one in msgspec.to_builtins(value).items()}


def spelled_expectation(one: Expectation) -> dict[str, Any]:
    """Return an expectation as an item of ``expect``: its name with its settings."""
    return {one.name: spelled(one)}


def dataset_text(file: DatasetFile, comments: tuple[str, ...] = ()) -> str:
    """Return the YAML of a dataset's file, one column and one expectation per line; reading it gives *file* again.

    Steps are not written. *comments* stand at its head.
    """
    lines = [f"# {one}" for one in comments]
    for key in ("description", "owner"):
        if text := getattr(file, key):
            lines.append(f"{key}: {line(text)}")
    if file.tags:
        lines.append(f"tags: {flow(file.tags)}")
    if file.from_:
        lines.append(f"from: {file.from_}")
    if file.columns:
        lines.append("columns:")
        lines += [f"  {flow(name)}: {flow(spelled(column))}" for name, column in file.columns.items()]
    if write := spelled(file.write):
        lines.append(f"write: {flow(write)}")
    if file.expect:
        lines.append("expect:")
        lines += [f"  - {one.name}: {flow(spelled(one))}" for one in file.expect]
    for key in ("on_violation", "retention"):
        if text := getattr(file, key):
            lines.append(f"{key}: {flow(text)}")
    return "\n".join(lines) + "\n"
