"""Resolve ``${secret:NAME}`` at the moment of use; nothing here is ever logged or kept.

A secret is looked for, in this order, in the process's environment as ``LAKEWRIGHT_SECRET_NAME``
and as ``NAME``, in the project's ``.env`` under the same two names, and in the file
``.secrets/NAME`` of the project (one secret per file, its last line end removed).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lakewright.errors import LakewrightError
from lakewright.project.environment import Environment, Reference, expand, read_environment

__all__ = ["PREFIX", "resolve"]

PREFIX = "LAKEWRIGHT_SECRET_"


def resolve(value: str, project_root: Path, env: Mapping[str, str] | None = None) -> str:
    """Return *value* with its references replaced; raises LW109, which names the secret and never shows a value.

    *env* stands in for the process's environment. Text without references comes back as it is.
    """
    if "${" not in value:
        return value
    environment, _ = read_environment(project_root, env)
    try:
        text, missing = expand(value, lambda one: _find(one, project_root, environment))
    except ValueError as error:
        raise LakewrightError("LW104", str(error)) from None
    if missing:
        one = missing[0]
        if one.kind == "env":
            raise LakewrightError("LW106", f"the environment variable {one.name} is not set")
        raise LakewrightError(
            "LW109",
            f"the secret {one.name} was not found",
            tried=(
                f"environment variable {PREFIX}{one.name}",
                f"environment variable {one.name}",
                "the same two names in .env",
                f"file .secrets/{one.name}",
            ),
        )
    return text


def _find(one: Reference, root: Path, environment: Environment) -> str | None:
    if one.kind == "env":
        return environment.get(one.name)
    for source in (environment.process, environment.file):
        for name in (PREFIX + one.name, one.name):
            found = source.get(name)
            if found is not None:
                return found
    try:
        text = (root / ".secrets" / one.name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    return text.removesuffix("\n").removesuffix("\r")
