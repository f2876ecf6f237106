"""A DuckLake whose catalog is an encrypted file; its data files have keys of their own, which the catalog holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlglot import exp

from lakewright.engine.errors import explain
from lakewright.engine.extensions import load
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.lake import purge
from lakewright.lake.ducklake import ENCRYPTED, Catalog, DuckLake, mismatch
from lakewright.lake.locks import CommitLock
from lakewright.lake.protocol import CATALOG
from lakewright.lake.sealed import Generation, LakeKey, SealedCatalog, clear_beside, wrong_key
from lakewright.lake.storage import Resolve, open_storage, tables_path
from lakewright.spec.project import Lake as LakeSpec
from lakewright.sql.names import literal

__all__ = ["EncryptedDuckLake"]

#: What tells DuckDB the key, for as long as a catalog is attached.
_TELLS = "lakewright_catalog"

#: How statements about the catalog's own tables call it.
_METADATA = f"__ducklake_metadata_{CATALOG}"


class EncryptedDuckLake(DuckLake):
    """A DuckLake that one process at a time has attached."""

    sealed: SealedCatalog
    _there: Generation
    _data_path: str

    @classmethod
    def unseal(
        cls,
        spec: LakeSpec,
        root: Path,
        session: Session,
        sealed: SealedCatalog,
        *,
        read_only: bool,
        resolve: Resolve,
    ) -> EncryptedDuckLake:
        """Attach the lake, made first when it does not exist; *session* keeps it until it is closed.

        Raises LW831 when another process has it, LW832 when its key does not open it, LW833 for a lake in the clear.
        """
        if sealed.current() is None and (clear := clear_beside(sealed.base)).exists():
            raise mismatch(str(clear), encrypted=False)
        release = sealed.hold()
        try:
            there = sealed.current() or sealed.first()
            session.hide(sealed.secret(there))  # a key that is lost is told as such
            lake = cls(
                session, CommitLock(f"duckdb:{sealed.base}"), kind="ducklake-encrypted", read_only=read_only
            )
            lake.sealed = sealed
            open_storage(session, spec, resolve)
            load(session.cursor(), "httpfs")  # DuckDB's own AES only decrypts
            if not read_only:
                sealed.remove_leftovers()
            lake._attach(lake._catalog_of(there), tables_path(spec, root))
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                session.cursor().execute(f"DETACH {CATALOG}")
            release()
            raise
        session.afterwards(release)
        session.afterwards(sealed.opened_by(session.cursor))
        return lake

    def _catalog_of(self, one: Generation) -> Catalog:
        self._there = one
        options = f"{ENCRYPTED}, METADATA_CATALOG {literal(one.attached_as).sql('duckdb')}"
        return Catalog(self.kind, _TELLS, options, "httpfs", one.path)

    def run(
        self,
        cursor: duckdb.DuckDBPyConnection,
        statement: exp.Expression | str,
        params: Sequence[object] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """See :meth:`lakewright.lake.protocol.Lake.run`; the catalog's own tables are in the file that counts now."""
        if isinstance(statement, str):
            statement = statement.replace(f"{_METADATA}.", f"{self._there.attached_as}.")
        return super().run(cursor, statement, params)

    def _attach_or_move(
        self, cursor: duckdb.DuckDBPyConnection, statement: str, options: list[str], data_path: str
    ) -> None:
        self._data_path = data_path
        with self._told_key(cursor):
            super()._attach_or_move(cursor, statement, options, data_path)

    @contextmanager
    def _told_key(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Let DuckDB know the key while the catalog is attached; as an option of ATTACH any query could read it later."""
        key = self.sealed.secret(self._there)
        self.session.hide(key)
        place, told = (literal(one).sql("duckdb") for one in (f"duckdb:{self._there.path}", key))
        cursor.execute(
            f"CREATE OR REPLACE SECRET {_TELLS} (TYPE ducklake, METADATA_PATH {place}, "
            f"METADATA_PARAMETERS MAP {{'ENCRYPTION_KEY': {told}}})"
        )
        try:
            yield
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.execute(f"DROP SECRET IF EXISTS {_TELLS}")

    def _unopened(self, text: str) -> LakewrightError:
        there = self.sealed.current()
        return (there and wrong_key(text, there)) or super()._unopened(text)

    def purge(self, cursor: duckdb.DuckDBPyConnection, ids: Iterable[str]) -> int:
        """See :meth:`lakewright.lake.protocol.Lake.purge`."""
        self._writable()
        with self._lock():
            forgotten = purge.purge(self, cursor, ids)
            self._renew(None)
        return forgotten

    def rotate(self, key: LakeKey) -> bool:
        """Write the catalog anew under *key*; return False when it is under that key already.

        Whatever reads goes on: a statement under way ends on the old file, the next one begins on the new.
        """
        self._writable()
        with self._lock():
            there = self.sealed.current()
            if there is not None and (there.key, there.version) == (key.name, key.version):
                return False
            self._renew(key)
        return True

    @property
    def key_name(self) -> str:
        """The name of the key that the catalog is under."""
        there = self.sealed.current()
        return there.key if there is not None else self.sealed.name

    def _renew(self, key: LakeKey | None) -> None:
        with contextlib.closing(self.session.cursor()) as cursor:
            self.sealed.renewed(cursor, key, lambda made: self._turn(cursor, made))

    def _turn(self, cursor: duckdb.DuckDBPyConnection, made: Generation) -> None:
        """Attach the new file in place of the old one, in one statement: nobody finds the lake gone."""
        catalog = self._catalog_of(made)
        # a project that was moved remembers where it was
        place = f"DATA_PATH {literal(self._data_path).sql('duckdb')}, OVERRIDE_DATA_PATH true"
        try:
            with self._told_key(cursor):
                cursor.execute(
                    f"ATTACH OR REPLACE 'ducklake:{_TELLS}' AS {CATALOG} ({catalog.options}, {place})"
                )
        except duckdb.Error as error:
            raise explain(error, hide=self.session.hidden) from None
