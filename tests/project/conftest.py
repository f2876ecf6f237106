"""Write small projects for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from project_files import BASE, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a project: the smallest one, with the files given by path put in or, as None, left out."""

    def put(files: Mapping[str, str | bytes | None] | None = None) -> Path:
        for path, text in {**BASE, **(files or {})}.items():
            if text is None:
                continue
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return put
