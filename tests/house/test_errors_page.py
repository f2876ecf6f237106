"""The page of error codes is what the program says."""

from __future__ import annotations

from pathlib import Path

from lakewright.codes.reference import markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == markdown(), "run: python -m lakewright.codes.reference > docs/errors.md"
