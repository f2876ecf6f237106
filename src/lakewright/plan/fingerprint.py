"""A short name for a dataset's definition: it changes when, and only when, its rows could."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from lakewright.spec.base import Severity
from lakewright.spec.dataset import Column, Compact, Dataset, DatasetFile
from lakewright.spec.expectations import ROW_EXPECTATIONS
from lakewright.spec.steps import PythonStep

__all__ = ["fingerprint"]

# Stands before the hash, so that a later way of computing it can tell its own from these.
_VERSION = "1"


def fingerprint(dataset: Dataset, *, on_violation: Severity = "quarantine", root: Path | None = None) -> str:
    """Return the SHA-256 of what decides *dataset*'s rows: steps, contract, SQL, Python, row checks, write mode.

    *on_violation* is the project's default, used where the dataset names none. With *root* the files
    of its ``python`` steps count too. What only describes or watches it (descriptions, owner, tags,
    thresholds, checks of the whole dataset, retries, timeouts, retention) does not count.
    """
    file = dataset.file
    parts: list[object] = [
        dataset.id,
        _without_words(file, file.on_violation or on_violation),
        # two kinds of step can have the same fields, so the kind is written beside them
        [(step.name, step) for step in file.steps],
        [(one.name, one) for one in file.expect if isinstance(one, ROW_EXPECTATIONS)],
        _text(dataset.sql),
        _text(dataset.python),
        [_module(root, step) for step in file.steps if isinstance(step, PythonStep)] if root else [],
    ]
    if dataset.masks:
        # two rules can have the same fields, too
        parts.append([(name, one.name, one) for name, one in dataset.masks.items()])
    return f"{_VERSION}:{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()}"


def _without_words(file: DatasetFile, on_violation: Severity) -> DatasetFile:
    return msgspec.structs.replace(
        file,
        description="",
        owner="",
        tags=(),
        contract=None,
        steps=(),
        expect=(),
        columns={name: _rules(column) for name, column in file.columns.items()},
        on_violation=on_violation,
        quality_threshold=None,
        compatibility="none",
        on_drift="evolve",
        retry=None,
        timeout=None,
        priority=0,
        pool=None,
        retention=None,
        archive=None,
        age_by=None,
        compact=Compact(),
    )


def _rules(column: Column) -> Column:
    return msgspec.structs.replace(
        column, description="", pii=None, classification=None, tags=(), critical=False, examples=()
    )


def _text(text: str | None) -> list[str] | None:
    # an editor that trims the ends of lines changes no row
    return None if text is None else [line.rstrip() for line in text.strip().splitlines()]


def _module(root: Path, step: PythonStep) -> list[str] | None:
    module = step.function.partition(":")[0]
    relative = module if module.endswith(".py") else module.replace(".", "/") + ".py"
    try:
        return _text((root / relative).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
