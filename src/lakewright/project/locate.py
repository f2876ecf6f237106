"""Point at lines of a project's files, for problems that are found after loading.

Files are parsed again when a line is asked for, which happens only for problems; loading keeps
nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from yaml.nodes import MappingNode, Node, SequenceNode

from lakewright.errors import Where
from lakewright.project.document import Document, key_text, pairs, read
from lakewright.project.shapes import yaml_name
from lakewright.spec.dataset import Dataset

__all__ = ["Key", "Locations", "locations", "where"]

Key = str | int


class Locations:
    """Lines of the files below *root*, by file and path of keys."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._documents: dict[str, Node | None] = {}

    def where(self, path: str, keys: Iterable[Key] = ()) -> Where:
        """The place of ``keys`` in the YAML file *path*: a mapping's key, a list's item.

        Keys are spelled as in YAML or as in the spec (``from_``). A key that is not there gives
        the place of the last one that is; a file that cannot be read gives the file alone.
        """
        node = self._document(path)
        if node is None:
            return Where(path)
        place: Node = node
        for key in keys:
            found = _step(node, key)
            if found is None:
                break
            place, node = found
        return Where(path, place.start_mark.line + 1, place.start_mark.column + 1)

    def of(self, dataset: Dataset, keys: Sequence[Key] = ()) -> Where:
        """The place of ``keys`` of *dataset*: in its YAML, or in the contract or suite that it comes from."""
        found = dataset.places.get(f"{keys[0]}.{keys[1]}") if len(keys) > 1 else None
        return Where(*found) if found is not None else self.where(dataset.path, keys)

    def is_list(self, path: str) -> bool:
        """Whether the YAML file *path* holds a list."""
        return isinstance(self._document(path), SequenceNode)

    def _document(self, path: str) -> Node | None:
        if path not in self._documents:
            found = read(self.root / path, path) if path.endswith(".yaml") else None
            self._documents[path] = found.root if isinstance(found, Document) else None
        return self._documents[path]


def _step(node: Node, key: Key) -> tuple[Node, Node] | None:
    """(where it is shown, what it holds) of one key or item."""
    if isinstance(node, SequenceNode):
        if isinstance(key, int):
            return (node.value[key], node.value[key]) if -len(node.value) <= key < len(node.value) else None
        # A list of plain names: the item that is the name.
        return next(((one, one) for one in node.value if one.value == key), None)
    if not isinstance(node, MappingNode):
        return None
    for name in (str(key), yaml_name(str(key))):
        for key_node, value in pairs(node):
            if key_text(key_node) == name:
                return key_node, value
    return None


def locations(root: Path | str) -> Locations:
    """Lines of the project in *root*."""
    return Locations(Path(root))


def where(root: Path | str, path: str, keys: Iterable[Key] = ()) -> Where:
    """The place of ``keys`` in the file *path* of the project in *root*, as ``Where(path, line, column)``."""
    return Locations(Path(root)).where(path, keys)
