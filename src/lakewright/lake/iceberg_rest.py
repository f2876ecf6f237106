"""What DuckDB cannot ask of an Iceberg catalog, asked through pyiceberg: forget snapshots, put one in place, list files.

pyiceberg is an extra (``iceberg``) and is imported when upkeep starts, never before.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lakewright.engine.errors import ConflictError, redact
from lakewright.errors import LakewrightError, RunError
from lakewright.lake.raw import filesystem
from lakewright.lake.storage import Resolve
from lakewright.spec.project import Lake as LakeSpec
from lakewright.sql.names import split_id

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem
    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata

__all__ = ["Listed", "RestTables", "bare"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A file under a table's location: its address, and when it was written."""

    path: str
    written: datetime


class RestTables:
    """The tables of one REST catalog."""

    def __init__(self, spec: LakeSpec, resolve: Resolve, hidden: Callable[[], Iterable[str]]) -> None:
        self._spec = spec
        self._resolve = resolve
        self._hidden = hidden
        self._catalog: Any = None

    @contextlib.contextmanager
    def _coded(self, id: str) -> Iterator[None]:
        """Turn pyiceberg's errors, and the network's, into coded ones without secrets."""
        from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

        try:
            yield
        except LakewrightError:
            raise
        except CommitFailedException as error:
            text = redact(str(error), self._hidden())
            raise ConflictError("LW411", f"another writer committed first to {id}: {text}") from None
        except CommitStateUnknownException as error:
            text = redact(str(error), self._hidden())
            raise RunError(
                "LW408", f"the Iceberg catalog does not say whether it took a commit to {id}: {text}"
            ) from None
        except Exception as error:
            text = redact(str(error), self._hidden())
            raise RunError("LW408", f"upkeep of {id} failed: {type(error).__name__}: {text}") from None

    def load(self, id: str) -> Table:
        """Return the table as it is now. Raises LW408 when the catalog does not answer."""
        with self._coded(id):
            if self._catalog is None:
                from pyiceberg.catalog.rest import RestCatalog

                self._catalog = RestCatalog("lakewright", **self._properties())
            found: Table = self._catalog.load_table(split_id(id))
            return found

    def _properties(self) -> dict[str, str]:
        spec, resolve = self._spec, self._resolve
        address = resolve(spec.catalog).rstrip("/")
        found = {
            "uri": address,
            "warehouse": resolve(spec.warehouse or ""),
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        }
        token = resolve(spec.token or "")
        if ":" in token:
            found |= {"credential": token, "oauth2-server-uri": f"{address}/v1/oauth/tokens"}
        elif token:
            found["token"] = token
        return found | self._s3()

    def _s3(self) -> dict[str, str]:
        settings, resolve = self._spec.s3, self._resolve
        if settings is None:
            return {}
        found = {
            "s3.region": resolve(settings.region),
            "s3.force-virtual-addressing": str(settings.url_style == "vhost").lower(),
        }
        if settings.endpoint:
            scheme, _, host = resolve(settings.endpoint).rpartition("://")
            found["s3.endpoint"] = f"{scheme or ('https' if settings.use_ssl else 'http')}://{host}"
        if settings.key_id is not None:
            found["s3.access-key-id"] = resolve(settings.key_id)
            found["s3.secret-access-key"] = resolve(settings.secret or "")
        return found

    # --- snapshots

    def forget(self, id: str, snapshots: Collection[int]) -> None:
        """Take *snapshots* out of the table's metadata; heads of branches and tags stay.

        Raises ConflictError when another writer was quicker.
        """
        with self._coded(id):
            table = self.load(id)
            there = {one.snapshot_id for one in table.metadata.snapshots}
            kept = {one.snapshot_id for one in table.metadata.refs.values()}
            gone = sorted(there & set(snapshots) - kept)
            if gone:
                table.maintenance.expire_snapshots().by_ids(gone).commit()
                left = {one.snapshot_id for one in self.load(id).metadata.snapshots} & set(gone)
                if left:
                    raise LakewrightError(
                        "LW413",
                        f"the Iceberg catalog keeps {len(left)} snapshots of {id} that it was asked to forget",
                        remedy="let the catalog's own maintenance expire them",
                    )

    def keep_only(self, id: str, since: int, commits: int) -> None:
        """Put a snapshot in place that holds only the data files added after snapshot *since*, and no deletes.

        For use when the *commits* after it deleted all rows of *since* and wrote them anew, so that no row
        changes. Raises ConflictError, with nothing changed, when another writer came before, between or after.
        """
        with self._coded(id):
            table = self.load(id)
            metadata = table.metadata
            current, new = metadata.current_snapshot(), _lineage(metadata, since)
            if current is None or new is None or len(new) != commits:
                raise ConflictError(
                    "LW411", f"another writer committed to {id} while its files were written anew"
                )
            manifests = current.manifests(table.io)
            kept = [one for one in manifests if one.added_snapshot_id in new and not int(one.content)]
            self._replace(table, kept, manifests)

    def _replace(self, table: Table, kept: Sequence[ManifestFile], before: Sequence[ManifestFile]) -> None:
        """Commit a snapshot of *kept*; the requirement names the snapshot that it was made from."""
        from pyiceberg.manifest import write_manifest_list
        from pyiceberg.table.metadata import TableMetadataV2
        from pyiceberg.table.snapshots import Snapshot
        from pyiceberg.table.update import (
            AddSnapshotUpdate,
            AssertRefSnapshotId,
            AssertTableUUID,
            SetSnapshotRefUpdate,
        )

        metadata = table.metadata
        if not isinstance(metadata, TableMetadataV2):
            raise LakewrightError(
                "LW413",
                f"{'.'.join(table.name())} has version {metadata.format_version} of the table format, not 2",
                remedy="let the catalog's own maintenance write its files anew, or Spark's rewrite_data_files",
            )
        parent = metadata.current_snapshot_id
        number, sequence = secrets.randbits(62) + 1, metadata.last_sequence_number + 1
        address = table.location_provider().new_metadata_location(f"snap-{number}-{uuid.uuid4()}.avro")
        with write_manifest_list(
            metadata.format_version, table.io.new_output(address), number, parent, sequence, "deflate"
        ) as writer:
            writer.add_manifests(list(kept))
        snapshot = {
            "snapshot-id": number,
            "parent-snapshot-id": parent,
            "sequence-number": sequence,
            "timestamp-ms": max(time.time_ns() // 1_000_000, metadata.last_updated_ms + 1),
            "manifest-list": address,
            "summary": {"operation": "replace", **_totals(kept, before)},
            "schema-id": metadata.current_schema_id,
        }
        head = {"ref-name": "main", "type": "branch", "snapshot-id": number}
        table.catalog.commit_table(
            table,
            (
                AssertTableUUID(uuid=metadata.table_uuid),
                AssertRefSnapshotId.model_validate({"ref": "main", "snapshot-id": parent}),
            ),
            (
                AddSnapshotUpdate(snapshot=Snapshot.model_validate(snapshot)),
                SetSnapshotRefUpdate.model_validate(head),
            ),
        )

    def entries(self, id: str) -> tuple[Table, list[ManifestEntry]]:
        """Return the table, and the data and delete files of its current version."""
        with self._coded(id):
            table = self.load(id)
            current = table.metadata.current_snapshot()
            manifests = current.manifests(table.io) if current else []
            found = [one.fetch_manifest_entry(table.io, discard_deleted=True) for one in manifests]
            return table, list(itertools.chain.from_iterable(found))

    # --- files

    def listed(self, id: str) -> list[Listed]:
        """Return every file under the table's location."""
        from pyarrow import fs

        with self._coded(id):
            store, prefix, root = self._store(self.load(id))
            found = store.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
            return [
                Listed(prefix + one.path, one.mtime.astimezone(UTC))
                for one in found
                if one.type == fs.FileType.File and one.mtime is not None
            ]

    def remove(self, id: str, paths: Iterable[str]) -> None:
        """Delete files under the table's location; one that is gone is no error."""
        with self._coded(id):
            store, prefix, _ = self._store(self.load(id))
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    store.delete_file(path.removeprefix(prefix))

    def _store(self, table: Table) -> tuple[FileSystem, str, str]:
        """Where the table's files lie: a file system, what its addresses begin with, and the table's folder in it."""
        from pyiceberg.io.pyarrow import PyArrowFileIO

        scheme, netloc, path = PyArrowFileIO.parse_location(table.metadata.location.rstrip("/"))
        prefix = "" if scheme == "file" else f"{scheme}://"
        if scheme in ("s3", "s3a", "s3n") and self._spec.s3 is not None:
            return filesystem(self._spec.s3, self._resolve), prefix, path
        if not isinstance(table.io, PyArrowFileIO):
            raise LakewrightError("LW413", f"files at {scheme}:// cannot be listed")
        return table.io.fs_by_scheme(scheme, netloc), prefix, path

    def metadata_at(self, table: Table, path: str) -> TableMetadata:
        """Return what an older ``metadata.json`` says."""
        from pyiceberg.serializers import FromInputFile

        with self._coded(".".join(table.name())):
            return FromInputFile.table_metadata(table.io.new_input(path))

    def referred(self, table: Table, metadata: TableMetadata, there: Collection[str]) -> set[str]:
        """Return the bare addresses of all files that a snapshot of *metadata* needs.

        A manifest list that is not *there* (bare addresses) is left out, unless it belongs to the table as it is now.
        """
        found: set[str] = set()
        manifests: dict[str, ManifestFile] = {}
        known = {one.snapshot_id for one in table.metadata.snapshots}
        with self._coded(".".join(table.name())):
            for snapshot in metadata.snapshots:
                if snapshot.snapshot_id not in known and bare(snapshot.manifest_list) not in there:
                    continue
                found.add(bare(snapshot.manifest_list))
                manifests |= {one.manifest_path: one for one in snapshot.manifests(table.io)}
            for path, manifest in manifests.items():
                found.add(bare(path))
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                found.update(bare(one.data_file.file_path) for one in entries)
        kept = (*metadata.statistics, *metadata.partition_statistics)
        return found | {bare(one.statistics_path) for one in kept}


def bare(path: str) -> str:
    """Return an address without its scheme: writers call the same store ``s3``, ``s3a`` or ``s3n``."""
    scheme, mark, rest = path.partition(":")
    return (rest if mark and scheme.isalnum() else path).lstrip("/")


def _lineage(metadata: TableMetadata, since: int) -> set[int] | None:
    """The snapshots from the current one back to *since*, without it; None when it is no ancestor."""
    known = {one.snapshot_id: one for one in metadata.snapshots}
    found: set[int] = set()
    at = metadata.current_snapshot_id
    while at != since:
        if at is None or at not in known:
            return None
        found.add(at)
        at = known[at].parent_snapshot_id
    return found


def _totals(kept: Sequence[ManifestFile], before: Sequence[ManifestFile]) -> dict[str, str]:
    """The counts of a snapshot's summary."""
    gone = [one for one in before if one not in kept]

    def files(manifests: Sequence[ManifestFile], deletes: bool) -> int:
        return sum(
            (one.added_files_count or 0) + (one.existing_files_count or 0)
            for one in manifests
            if bool(int(one.content)) is deletes
        )

    rows = sum((one.added_rows_count or 0) + (one.existing_rows_count or 0) for one in kept)
    return {
        "deleted-data-files": str(files(gone, deletes=False)),
        "removed-delete-files": str(files(gone, deletes=True)),
        "total-data-files": str(files(kept, deletes=False)),
        "total-delete-files": "0",
        "total-position-deletes": "0",
        "total-equality-deletes": "0",
        "total-records": str(rows),
    }
