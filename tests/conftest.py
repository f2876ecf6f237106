"""Fixtures that every room shares."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs beside the project; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data beside the project: its real inputs are not tested")
    return SHARED
