"""Roles on the other kinds of lakes, on a server and on S3: the same rows, and nothing of where and how the lake is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import pytest
from access_shop import HIDDEN, access_shop

import lakewright
from lakewright.app.platform import Platform
from lakewright.app.query import query
from lakewright.engine.locked import LockedSession
from lakewright.errors import LakewrightError
from lakewright.spec.project import Lake

#: What a locked session can be asked about itself, and what a role would try: none of it may know of the lake.
CURIOUS = [
    "from duckdb_databases()", "from duckdb_settings()", "from duckdb_secrets()", "from duckdb_tables()", "from duckdb_views()",
    "from duckdb_extensions()", "from duckdb_logs()", "from duckdb_variables()", "from duckdb_external_file_cache()",
    "from pragma_database_list", "from duckdb_columns()", "from information_schema.schemata", "from lake.processed.orders",
    "from lake.vault.pins", "from __ducklake_metadata_lake.main.ducklake_data_file", "from which_secret('s3://x/y', 's3')",
]  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("ducklake-postgres", marks=pytest.mark.postgres),
        pytest.param("iceberg-rest", marks=pytest.mark.iceberg),  # on S3
    ],
)
def test_roles_on_every_lake(tmp_path: Path, kind: str, make_lake_settings: Callable[[str], Lake]) -> None:
    lake = make_lake_settings(kind)
    (tmp_path / "shop/.secrets").mkdir(parents=True)
    secrets = []
    if lake.catalog.startswith("postgres:"):
        # kept where the project keeps secrets
        (tmp_path / "shop/.secrets/CATALOG").write_text(lake.catalog.removeprefix("postgres:"))
        secrets.append(lake.catalog.removeprefix("postgres:"))
        lake = msgspec.structs.replace(lake, catalog="postgres:${secret:CATALOG}")
    if lake.s3 is not None:
        (tmp_path / "shop/.secrets/S3").write_text(str(lake.s3.secret))
        (tmp_path / "shop/.secrets/S3_ID").write_text(str(lake.s3.key_id))
        secrets += [str(lake.s3.secret), str(lake.s3.endpoint)]
        hidden = msgspec.structs.replace(lake.s3, key_id="${secret:S3_ID}", secret="${secret:S3}")
        lake = msgspec.structs.replace(lake, s3=hidden)
    settings = f"lake: {json.dumps(msgspec.to_builtins(lake))}\n"
    folder = access_shop(tmp_path / "shop", settings)
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
        first = owner.snapshots("processed.orders")[0].id
    with lakewright.open(folder.root, user="alice") as alice:
        shown = alice.sql("select order_id, email, code from processed.orders order by 1").fetchall()
        assert shown == [(1, "*******************.org", "17"), (3, "*******************.org", "18")]
        assert alice.sql("select sum(cast(code as int)) from processed.orders").fetchone() == (35,)
        assert alice.table("processed.orders").as_of(first).count() == 2
        assert alice.sql("from curated.profiles").count() == 2
        assert alice.table("curated.profiles").columns == [
            "order_id",
            "region",
            "amount",
            "person",
            "mails",
            "last_mail",
            "code",
        ]
        for sql in CURIOUS:
            with pytest.raises(LakewrightError) as caught:
                alice.sql(sql).fetchall()
            assert caught.value.code in ("LW821", "LW822")
    away = [*secrets, *HIDDEN, "ducklake:", str(folder / "lake"), "s3://"]
    with (
        Platform.open(folder.root) as owner_side,
        LockedSession(owner_side.project.file.engine, folder.root) as session,
    ):
        with query(owner_side, "select order_id from processed.orders") as result:
            session.put("processed.orders", {"order_id": "BIGINT"}, result.batches())
        session.lock()
        for sql in CURIOUS:
            try:
                text = str(session.cursor.execute(sql).fetchall())
            except (duckdb.Error, RuntimeError) as error:
                text = str(error)
            assert [one for one in away if one in text and one not in sql] == [], sql
