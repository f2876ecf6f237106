"""The records of a load, made ready to be read: values of the parent put in, what raw holds already left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from lakewright.errors import RunError
from lakewright.lake.raw_zone import PACKED
from lakewright.sources.json_files import path_steps
from lakewright.sources.scan import lines_scan
from lakewright.sql.names import literal

__all__ = ["json_path", "shape"]

#: The longest record, in bytes.
_LONGEST = 256_000_000


def json_path(path: str) -> str:
    """Return the path of a value inside a record, ``meta.id`` or ``$.meta.id``, as DuckDB writes it."""
    quoted = (
        f"[{step}]" if isinstance(step, int) else '."' + step.replace('"', '\\"') + '"'
        for step in path_steps(path)
    )
    return "$" + "".join(quoted)


def shape(
    lines: Path,
    target: Path,
    cursor: duckdb.DuckDBPyConnection,
    *,
    keys: Sequence[str] = (),
    spans: Sequence[tuple[int, str]] = (),
    earlier: Sequence[str] | None = None,
    dataset: str = "",
) -> int:
    """Write the records of *lines* (JSON, one per line) to *target* in their order; return how many are new.

    *spans* are (number of records, JSON object) whose members go into each of those records. Of records
    with the same *keys* the last one stays. With *earlier*, the addresses of files of records taken before, each
    record that is there, letter for letter, is left out as often as it is there. Raises LW238 when a record has a
    member of *spans* already.
    """
    records = f"(SELECT row_number() OVER () AS number, ltrim(line) AS line FROM {_scan(lines)})"  # noqa: S608
    if spans:
        records = _with_spans(records, spans, cursor, dataset)
    if keys:
        # records without a key are all different
        named = ", ".join(f"json_extract_string(line, {_text(json_path(one))})" for one in keys)
        same = f"coalesce(({' || '.join(f'json_extract_string(line, {_text(json_path(one))})' for one in keys)}) IS NULL, false)"
        records = (
            f"(SELECT number, line FROM {records} QUALIFY {same} "  # noqa: S608
            f"OR row_number() OVER (PARTITION BY {named} ORDER BY number DESC) = 1)"
        )
    if earlier is not None:
        there = " UNION ALL ".join(f"SELECT ltrim(line) AS line FROM {_scan(one)}" for one in earlier)  # noqa: S608
        counted = (
            f"SELECT line, count(*) AS times FROM ({there}) GROUP BY line"  # noqa: S608
            if earlier
            else "SELECT NULL::VARCHAR AS line, 0 AS times"
        )
        records = (
            "(SELECT number, line FROM "  # noqa: S608
            f"(SELECT number, line, row_number() OVER (PARTITION BY line ORDER BY number) AS place FROM {records}) "
            f"LEFT JOIN ({counted}) USING (line) WHERE place > coalesce(times, 0))"
        )
    cursor.execute(
        f"COPY (SELECT line FROM {records} ORDER BY number) TO {_text(str(target))} "  # noqa: S608
        "(FORMAT csv, DELIMITER E'\\x01', QUOTE '', ESCAPE '', HEADER false)"
    )
    (count,) = cursor.execute(f"SELECT count(*) FROM {_scan(target)}").fetchall()[0]  # noqa: S608
    return int(count)


def _with_spans(
    records: str, spans: Sequence[tuple[int, str]], cursor: duckdb.DuckDBPyConnection, dataset: str
) -> str:
    import pyarrow as pa

    starts, at = [], 1
    for count, _ in spans:
        starts.append(at)
        at += count
    cursor.register("_rest_spans", pa.table({"start": starts, "added": [text for _, text in spans]}))
    for name in msgspec.json.decode(spans[0][1], type=dict[str, object]):
        has = f"json_exists(line, {_text(json_path(f'[{name!r}]'))})"
        (there,) = cursor.execute(f"SELECT count(*) FROM {records} WHERE {has}").fetchall()[0]  # noqa: S608
        if there:
            raise RunError(
                "LW238",
                f"{dataset}: the records have {name!r} themselves; `parent.include` needs another name",
            )
    return (
        "(SELECT number, CASE WHEN line NOT LIKE '{%' THEN line WHEN regexp_full_match(line, '\\{\\s*\\}\\s*') THEN added "  # noqa: S608
        "ELSE left(added, length(added) - 1) || ',' || substr(line, 2) END AS line "
        f"FROM {records} ASOF JOIN _rest_spans ON number >= start)"
    )


def _scan(file: Path | str) -> str:
    # old loads lie packed in the archive
    packed = "zstd" if str(file).endswith(PACKED) else "none"
    return lines_scan(str(file), longest=_LONGEST, compression=packed).sql("duckdb")


def _text(value: str) -> str:
    return literal(value).sql("duckdb")
