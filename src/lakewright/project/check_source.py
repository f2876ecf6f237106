"""Judge one raw dataset: whether its reading options fit its format."""

from __future__ import annotations

from collections.abc import Iterator

from lakewright.spec.sources import FileDataset

__all__ = ["problems"]

_TEXT = ("encoding", "compression")
_LINES = ("delimiter", "quote", "escape", "comment", "skip")

#: The options that mean something for a format; ``auto`` may turn out to be any of them.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "csv": (*_LINES, "header", "nulls", "names", *_TEXT),
    "json": ("records", *_TEXT),
    "ndjson": ("records", *_TEXT),
    "parquet": (),
    "avro": (),
    "orc": (),
    "excel": ("sheet", "header", "names", "skip", "nulls"),
}


def problems(dataset: FileDataset) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(message, keys) of each option that the declared format does not know."""
    allowed = _OPTIONS.get(dataset.format)
    if allowed is not None:
        for name in dataset.options.__struct_fields__:
            if getattr(dataset.options, name) in (None, ()) or name in allowed:
                continue
            known = f"; it knows {', '.join(allowed)}" if allowed else ""
            yield f"the format {dataset.format} has no option {name!r}{known}", ("options", name)
    if len(set(dataset.columns)) < len(dataset.columns):
        yield "a column is listed twice", ("columns",)
    if dataset.options.header and dataset.options.names:
        yield "`names` are for files without a header; here `header` is true", ("options", "names")
