"""Lines of keys and items, for problems found after loading."""

from __future__ import annotations

from pathlib import Path

from project_files import Write

from lakewright.errors import Where
from lakewright.project import locations, where

PATH = "datasets/processed/orders.yaml"
TEXT = """\
from: raw.orders
steps:
  - standardize_names
  - derive:
      total: a + b
columns:
  a: {type: int, in: [1, 2]}
write: {keys: [x, y]}
"""


def test_places(write: Write) -> None:
    root = write({PATH: TEXT})
    places = locations(root)
    assert places.where(PATH) == Where(PATH, 1, 1)
    assert places.where(PATH, ("from",)) == Where(PATH, 1, 1)
    assert places.where(PATH, ("from_",)) == Where(PATH, 1, 1)
    assert places.where(PATH, ("steps", 0)) == Where(PATH, 3, 5)
    assert places.where(PATH, ("steps", 1, "derive", "total")) == Where(PATH, 5, 7)
    assert places.where(PATH, ("columns", "a", "in_", 1)) == Where(PATH, 7, 26)
    assert places.where(PATH, ("write", "keys", "y")) == Where(PATH, 8, 19)
    assert where(root, PATH, ("columns", "a")) == Where(PATH, 7, 3)


def test_what_is_not_there_gives_the_nearest_place(write: Write) -> None:
    places = locations(write({PATH: TEXT}))
    assert places.where(PATH, ("columns", "z", "type")) == Where(PATH, 6, 1)
    assert places.where(PATH, ("steps", 9)) == Where(PATH, 2, 1)
    assert places.where(PATH, ("steps", 0, "columns")) == Where(PATH, 3, 5)
    assert places.where("datasets/curated/x.sql", ("columns",)) == Where("datasets/curated/x.sql")
    assert places.where("none.yaml", ("a",)) == Where("none.yaml")


def test_a_file_that_is_no_yaml_gives_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    assert where(tmp_path, "a.yaml", ("a",)) == Where("a.yaml")
