"""Where the lake's bytes lie: a local folder or an S3 prefix, and the secret that opens it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lakewright.engine.extensions import load
from lakewright.engine.session import Session
from lakewright.errors import LakewrightError
from lakewright.spec.project import S3, Lake
from lakewright.sql.names import literal

__all__ = ["is_remote", "open_storage", "s3_secret", "tables_path"]

Resolve = Callable[[str], str]


def is_remote(path: str) -> bool:
    """Whether *path* is an address rather than a folder."""
    return "://" in path


def tables_path(lake: Lake, root: Path) -> str:
    """Return the folder or prefix of the lake's tables, with ``/`` at its end; raw files lie beside it."""
    if is_remote(lake.path):
        return f"{lake.path.rstrip('/')}/tables/"
    return f"{(root / lake.path).resolve()}/tables/"


def open_storage(session: Session, lake: Lake, resolve: Resolve) -> None:
    """Make the lake's object store readable by every cursor of *session*; a local folder needs nothing."""
    if not is_remote(lake.path) and lake.s3 is None:
        return
    if is_remote(lake.path) and not lake.path.startswith("s3://"):
        raise LakewrightError("LW417", f"lake.path {lake.path!r} is neither a folder nor s3://bucket/prefix")
    cursor = session.cursor()
    load(cursor, "httpfs")
    settings = lake.s3 or S3()
    if settings.key_id is None:
        load(cursor, "aws")
    session.execute(s3_secret("lakewright_lake", settings, session, resolve), cursor=cursor)


def s3_secret(name: str, settings: S3, session: Session, resolve: Resolve) -> str:
    """Return the statement that makes the secret; without a key the machine's own AWS credentials are used."""
    options: dict[str, str] = {"REGION": _text(resolve(settings.region))}
    if settings.endpoint:
        # DuckDB wants the host alone; the scheme is told by USE_SSL.
        options["ENDPOINT"] = _text(resolve(settings.endpoint).split("://", 1)[-1].rstrip("/"))
    if settings.key_id is not None:
        key, secret = resolve(settings.key_id), resolve(settings.secret or "")
        session.hide(key, secret)
        options |= {"KEY_ID": _text(key), "SECRET": _text(secret)}
    else:
        options["PROVIDER"] = "credential_chain"
    options["URL_STYLE"] = _text(settings.url_style)
    options["USE_SSL"] = "true" if settings.use_ssl else "false"
    listed = ", ".join(f"{key} {value}" for key, value in options.items())
    return f"CREATE OR REPLACE SECRET {name} (TYPE s3, {listed})"


def _text(value: str) -> str:
    return literal(value).sql("duckdb")
