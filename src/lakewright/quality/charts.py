"""Charts as inline SVG by pygal: drawn by its layout, coloured by the page's style, without script or link."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

__all__ = ["bars", "line", "sparkline"]

_BARE: dict[str, Any] = {
    "show_x_labels": False,
    "show_y_labels": False,
    "show_x_guides": False,
    "show_y_guides": False,
    "margin": 1,
}
# Elements that serve pygal's own script or hold nothing.
_DROPPED = {"defs", "style", "script", "desc"}
_NUMBER = re.compile(r"-?\d+\.\d{2,}")


def line(
    points: Sequence[tuple[str, str, float]],
    *,
    low: float,
    high: float,
    label: str,
    spell: Callable[[float], str] = str,
    limit: float | None = None,
    width: int = 640,
    height: int = 170,
) -> str:
    """Return a line chart of *points* between *low* and *high*, with *limit* as a second, dashed line.

    A point is what stands under it on the axis, what it is called when pointed at, and its value.
    """
    names = [name for name, *_ in points]
    every = max(1, -(-len(names) // 8))
    chart = _pygal().Line(
        **_settings(width, height),
        truncate_label=-1,
        range=(low, high),
        min_scale=2,
        max_scale=4,
        dots_size=3,
        x_labels=names,
        x_labels_major=[
            name if (len(names) - 1 - place) % every == 0 else None for place, name in enumerate(names)
        ],
        show_minor_x_labels=False,
        value_formatter=spell,
        margin=8,
    )
    chart.add(label, [{"value": value, "label": name} for _, name, value in points])
    if limit is not None:
        chart.add("", [limit] * len(points), fill=False, show_dots=False)
    return _inline(chart, label)


def sparkline(values: Sequence[float], *, low: float, high: float, label: str) -> str:
    """Return a line as small as a word, without axes."""
    shown = list(values) if len(values) > 1 else list(values) * 2
    chart = _pygal().Line(**_settings(110, 28), **_BARE, range=(low, high), show_dots=False)
    chart.add(label, shown)
    return _inline(chart, label, small=True)


def bars(counts: Sequence[tuple[str, int]], *, label: str, width: int = 220, height: int = 44) -> str:
    """Return small bars of (name, count), without axes; names and counts show when pointed at."""
    chart = _pygal().Bar(**_settings(width, height), **_BARE, spacing=1, include_x_axis=True)
    chart.add(label, [{"value": count, "label": name} for name, count in counts])
    return _inline(chart, label, small=True)


def _pygal() -> Any:
    # only a run that writes a report pays for it
    import pygal  # type: ignore[import-untyped]

    return pygal


def _settings(width: int, height: int) -> dict[str, Any]:
    return {
        "css": (),
        "js": (),
        "disable_xml_declaration": True,
        "show_legend": False,
        "width": width,
        "height": height,
        "no_data_text": "",
    }


def _inline(chart: Any, label: str, small: bool = False) -> str:
    """Return *chart* as SVG for the inside of a page: only shapes and texts, named for screen readers."""
    root = chart.render_tree()
    _strip(root)
    root.attrib = {
        "class": "chart",
        "viewBox": root.get("viewBox", ""),
        "role": "img",
        "aria-label": label,
        "preserveAspectRatio": "none" if small else "xMidYMid meet",
    }
    text = ElementTree.tostring(root, encoding="unicode")
    return _NUMBER.sub(lambda found: f"{float(found.group()):.1f}", text)


def _strip(node: ElementTree.Element) -> None:
    """Remove what is not drawn, and turn the notes for pygal's script into titles that browsers show."""
    notes = {child.get("class", ""): child.text or "" for child in node if child.tag == "desc"}
    for child in list(node):
        heading = child.tag == "title" and node.tag == "svg"
        if not isinstance(child.tag, str) or child.tag in _DROPPED or _empty(child) or heading:
            node.remove(child)
        else:
            _strip(child)
    if notes.get("value"):
        name = notes.get("label") or notes.get("x_label", "")
        title = ElementTree.Element("title")
        title.text = f"{name}: {notes['value']}" if name else notes["value"]
        node.insert(0, title)


def _empty(node: ElementTree.Element) -> bool:
    kind = node.get("class", "")
    return kind in ("titles", "background") or "text-overlay" in kind or "tooltip-overlay" in kind
