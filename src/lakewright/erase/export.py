"""Write down what is kept about people: their rows as JSON and CSV, and where each of them comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from lakewright.erase.archives import rows_in
from lakewright.erase.holders import Holder, told
from lakewright.erase.people import Wanted
from lakewright.erase.resolve import Found
from lakewright.lake.raw import RawStore
from lakewright.security.vault import Vault
from lakewright.spec.mask import Token
from lakewright.sql.names import column, identifier, literal

if TYPE_CHECKING:
    import duckdb

    from lakewright.run.services import Services

__all__ = ["Exported", "write"]

_WORDS = {"raw": "raw files", "table": "table", "quarantine": "quarantine", "rejects": "unreadable lines"}
_FILES_SHOWN = 20


@dataclass(frozen=True)
class Exported:
    """What was written of one place: ``name`` of its two files, rows, and where they come from.

    ``files`` are the sources' files, ``first`` and ``last`` when rows were taken over, ``versions`` in how many
    versions the lake has the table. ``revealed`` are columns whose tokens were replaced by what they stand for.
    """

    place: str
    dataset: str
    name: str
    rows: int
    files: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    versions: int = 0
    revealed: tuple[str, ...] = ()


def write(
    services: Services, cursor: duckdb.DuckDBPyConnection, found: Found, folder: Path, archives: RawStore
) -> list[Exported]:
    """Write everything about the people into *folder*: ``<place>/<dataset>.json`` and ``.csv``."""
    result = []
    for count in found.counts:
        if count.rows or count.holder.redact:
            query = (
                exp.select("*")
                .from_(count.holder.query.subquery("_rows"))
                .where(told(found.wanted, count.holder))
            )
            result.append(
                _write(
                    services, cursor, found.wanted, count.holder, query, _WORDS[count.holder.place], folder
                )
            )
    for count in found.counts:
        if count.holder.place == "table":
            archived = rows_in(services, cursor, count.holder, found.wanted, archives, folder)
            if archived is not None:
                result.append(
                    _write(services, cursor, found.wanted, count.holder, archived, "archive", folder)
                )
    return [one for one in result if one.rows]


def _write(
    services: Services,
    cursor: duckdb.DuckDBPyConnection,
    wanted: Wanted,
    holder: Holder,
    query: exp.Query,
    place: str,
    folder: Path,
) -> Exported:
    services.lake.run(cursor, f"CREATE OR REPLACE TEMP TABLE _export AS {query.sql('duckdb')}")
    row = cursor.execute("SELECT count(*) FROM _export").fetchone()
    rows = int(row[0]) if row else 0
    name = f"{place.replace(' ', '-')}/{holder.id}"
    if not rows:
        return Exported(place, holder.id, name, 0)
    (folder / name).parent.mkdir(exist_ok=True, mode=0o700)
    revealed = _reveal(services, cursor, holder)
    target = folder / name
    quoted = {ending: literal(f"{target}.{ending}").sql("duckdb") for ending in ("json", "csv")}
    cursor.execute(f"COPY _export TO {quoted['json']} (FORMAT json, ARRAY true)")
    cursor.execute(f"COPY _export TO {quoted['csv']} (FORMAT csv, HEADER true)")
    files, first, last = _origin(cursor, holder.columns)
    versions = 0
    if holder.place != "raw" and services.lake.capabilities.time_travel:
        versions = len(services.lake.snapshots(cursor, holder.id))
    cursor.execute("DROP TABLE _export")
    return Exported(place, holder.id, name, rows, files, first, last, versions, revealed)


def _reveal(services: Services, cursor: duckdb.DuckDBPyConnection, holder: Holder) -> tuple[str, ...]:
    """Replace tokens by the values that they stand for, as far as the vault still has them."""
    import pyarrow as pa

    dataset = services.project.datasets.get(holder.dataset)
    masks = {name.lower(): mask for name, mask in dataset.masks.items()} if dataset is not None else {}
    done = []
    for name in holder.columns:
        mask = masks.get(name.lower())
        if not isinstance(mask, Token):
            continue
        spelled = identifier(name).sql("duckdb")
        found = cursor.execute(
            f"SELECT DISTINCT {spelled} FROM _export WHERE {spelled} IS NOT NULL"
        ).fetchall()
        clear = _clear(services.vault, mask.domain, [str(one) for (one,) in found])
        cursor.register(
            "_clear", pa.table({"token": pa.array(list(clear)), "value": pa.array(list(clear.values()))})
        )
        cursor.execute(f"UPDATE _export SET {spelled} = value FROM _clear WHERE token = {spelled}")
        cursor.unregister("_clear")
        done.append(name)
    return tuple(done)


def _clear(vault: Vault, domain: str, tokens: Sequence[str]) -> Mapping[str, str]:
    there = sorted(vault.present(domain, tokens))
    return vault.reveal(domain, there) if there else {"": ""}


def _origin(
    cursor: duckdb.DuckDBPyConnection, columns: Mapping[str, str]
) -> tuple[tuple[str, ...], str, str]:
    files: tuple[str, ...] = ()
    if "_source_file" in columns:
        query = (
            exp.select("_source_file")
            .distinct()
            .from_("_export")
            .where(exp.not_(column("_source_file").is_(exp.null())))
        )
        rows = cursor.execute(query.order_by("_source_file").limit(_FILES_SHOWN).sql("duckdb")).fetchall()
        files = tuple(str(row[0]) for row in rows)
    time = next((one for one in ("_ingested_at", "_quarantined_at") if one in columns), None)
    if time is None:
        return files, "", ""
    spelled = identifier(time).sql("duckdb")
    row = cursor.execute(f"SELECT min({spelled})::VARCHAR, max({spelled})::VARCHAR FROM _export").fetchone()
    return files, str(row[0] or "") if row else "", str(row[1] or "") if row else ""
