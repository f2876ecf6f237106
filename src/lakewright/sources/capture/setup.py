"""What has to stand before changes are read: tables with keys, a publication of them, a slot that nobody lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from lakewright.sources.capture.positions import (
    Capture,
    capture_of,
    forget_places,
    new_capture,
    places_of,
)
from lakewright.sources.capture.server import Server, TableState
from lakewright.sources.database.faults import DatabaseFault
from lakewright.sources.database.load import Load
from lakewright.sources.dialect import clean_names

__all__ = ["captured", "check_table", "keys_of", "lock_name", "lost", "prepare"]


def captured(load: Load) -> dict[str, Load]:
    """Return the loads of all datasets of the source whose changes are captured, by id."""
    return {
        f"raw.{name}": replace(load, name=name)
        for name, one in load.source.datasets.items()
        if one.load == "changes"
    }


def lock_name(load: Load) -> str:
    """Return the name under which one process at a time works on a source's capture."""
    return f"{load.state.name}:{load.source_name}"


def prepare(load: Load, server: Server) -> Capture:
    """Make what is missing on the server, and return the capture. To be called with its lock held.

    Raises LW227 to LW229 for what the server, the user or the table do not allow, LW240 and LW241 where changes
    were lost and the source does not say that the tables are to be read again.
    """
    server.check()
    asked = load.source.capture
    here = server.identity()
    own = check_table(load, server)
    known = capture_of(load.state, load.source_name)
    if known is not None:
        reason = lost(load, server, known, here)
        begun = any(one.stage == "ready" for one in places_of(load.state, load.source_name).values())
        if reason and begun and asked.on_lost == "fail":
            raise DatabaseFault("LW240", f"{load.address}: {reason}")
        if reason:
            drop(server, known, here)
            known = None
    if known is None:
        # written down before it is made: a crash in between leaves nothing that nobody knows of
        known = new_capture(load.state, load.root.name, load.source_name, asked.publication, here)
    _forget_others(load)
    _publish(load, server, known, own)
    if server.slot(known.slot) is None:
        server.create_slot(known.slot)
    return known


def drop(server: Server, capture: Capture, here: str) -> list[str]:
    """Drop slot and publication, as far as they are there and ours; return what was dropped."""
    done: list[str] = []
    if capture.server != here:
        return done
    if server.drop_slot(capture.slot):
        done.append(f"slot {capture.slot}")
    if capture.own and server.published(capture.publication) is not None:
        server.drop_publication(capture.publication)
        done.append(f"publication {capture.publication}")
    return done


def lost(load: Load, server: Server, known: Capture, here: str) -> str:
    """Return why changes since the last run cannot be had any more, nothing where they can."""
    if known.server != here:
        return "this is another database than the one that was captured before"
    asked = load.source.capture.publication
    if (asked or known.publication) != known.publication or (asked is None) != known.own:
        return "the source's file names another publication than before"
    begun = [one for one in places_of(load.state, load.source_name).values() if one.stage == "ready"]
    if not begun:
        return ""
    slot = server.slot(known.slot)
    if slot is None:
        return f"the slot {known.slot} is gone, and with it the changes since the last run"
    if slot.status == "lost":
        return f"the server threw away the log that the slot {known.slot} needs (max_slot_wal_keep_size)"
    if server.published(known.publication) is None:
        return f"the publication {known.publication} is gone"
    least = min(one.place for one in begun)
    if slot.confirmed > least:
        return f"somebody else read from the slot {known.slot}"
    if max(one.place for one in begun) > server.flushed():
        return "the server's log ends before the place that was read last; an older state was put back"
    place = places_of(load.state, load.source_name).get(load.id)
    if place is not None and place.stage == "ready" and place.oid != check_table(load, server).oid:
        return f"the table {load.dataset.table} was dropped and made anew"
    return ""


def check_table(load: Load, server: Server) -> TableState:
    """Return the table of *load*. Raises LW222 and LW229 for one whose changes cannot be told apart."""
    dataset = load.dataset
    assert dataset.table is not None
    found = server.table(dataset.table)
    name = f"{found.schema}.{found.table}"
    if found.kind not in ("r", "p"):
        raise DatabaseFault("LW229", f"{load.address}: {name} is no table, and only tables have changes")
    if not found.persistent:
        raise DatabaseFault(
            "LW229",
            f"{load.address}: {name} is unlogged or temporary: the server's log has nothing of it",
            remedy=f"alter table {found.sql} set logged, or use `load: full`",
        )
    keys = keys_of(load, found)
    if not keys:
        raise DatabaseFault(
            "LW229",
            f"{load.address}: {name} has no key that the log would tell changed rows by",
            remedy=f"give it a primary key; or run `alter table {found.sql} replica identity full` and name `keys`",
        )
    if found.identity is not None:
        missing = [one for one in keys if one not in clean_names(found.identity)]
        if missing:
            raise DatabaseFault(
                "LW229",
                f"{load.address}: the log of {name} does not hold {missing[0]!r}, one of `keys`, of rows that are deleted",
                remedy=f"leave out `keys`, or run: alter table {found.sql} replica identity full",
            )
    return found


def keys_of(load: Load, table: TableState) -> tuple[str, ...]:
    """Return the names in raw of the columns that tell rows apart: as declared, else the table's key."""
    if load.dataset.keys:
        return load.dataset.keys
    found = table.key if table.identity is None else table.identity
    return clean_names(found) if found else ()


def _forget_others(load: Load) -> None:
    """Forget datasets that are captured no more: they would hold the log back."""
    wanted = captured(load)
    gone = [id for id in places_of(load.state, load.source_name) if id not in wanted]
    if gone:
        forget_places(load.state, gone)


def _publish(load: Load, server: Server, capture: Capture, own: TableState) -> None:
    there = server.published(capture.publication)
    if not capture.own:
        if there is None or own.oid not in there:
            what = "there is no publication" if there is None else f"{own.sql} is not in the publication"
            verb = "create" if there is None else "alter"
            what_of = f"for table {own.sql}" if there is None else f"add table {own.sql}"
            options = " with (publish_via_partition_root = true)" if there is None else ""
            raise DatabaseFault(
                "LW241",
                f"{load.address}: {what} {capture.publication}",
                remedy=f"let its owner run: {verb} publication {capture.publication} {what_of}{options}",
            )
        if not server.publishes_all(capture.publication):
            raise DatabaseFault(
                "LW241",
                f"{load.address}: the publication {capture.publication} leaves out some of what is done to tables",
                remedy=f"alter publication {capture.publication} set "
                "(publish = 'insert, update, delete, truncate', publish_via_partition_root = true)",
            )
        return
    tables = {own.oid: own}
    doubtful = False
    for other in captured(load).values():
        try:
            found = check_table(other, server)
            tables[found.oid] = found
        except DatabaseFault:
            doubtful = True  # its own task says so
    if there is None:
        server.publish(capture.publication, list(tables.values()))
        return
    for oid, table in tables.items():
        if oid not in there:
            server.add_table(capture.publication, table)
    for oid, name in there.items():
        if oid not in tables and not doubtful:
            with suppress(DatabaseFault):  # it may be gone by now
                server.drop_table(capture.publication, name)
