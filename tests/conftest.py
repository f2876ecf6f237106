"""Fixtures that every room shares."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakes import LAKE_KINDS, OpenLake, lake_settings
from lakewright.spec.project import Lake
from servers import MariaDB, Ministack, Postgres, Redis, run_mariadb, run_ministack, run_postgres, run_redis

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Let parallel workers report tests that log text no encoding holds: it is sent escaped."""
    data = yield
    return None if data is None else _sendable(data)


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_sendable(item) for item in value)
    return value


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs beside the project; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data beside the project: its real inputs are not tested")
    return SHARED


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole session."""
    with run_postgres() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: Postgres) -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.database()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server for the whole session."""
    with run_mariadb() as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb: MariaDB) -> str:
    """The address of an empty MariaDB database."""
    return mariadb.database()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis server for the whole session."""
    with run_redis() as server:
        yield server


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """An S3 and Iceberg REST double for the whole session."""
    with run_ministack() as server:
        yield server


@pytest.fixture(params=LAKE_KINDS)
def lake_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of lake: ``ducklake-sqlite``, ``ducklake-postgres``, ``iceberg-rest``."""
    return str(request.param)


@pytest.fixture
def make_lake_settings(request: pytest.FixtureRequest) -> Callable[[str], Lake]:
    """Return the ``lake`` section of a new, empty lake of a kind; its server is started when needed."""
    return lambda kind: lake_settings(kind, request)


@pytest.fixture
def open_test_lake(tmp_path: Path, make_lake_settings: Callable[[str], Lake]) -> Iterator[OpenLake]:
    """A function that opens a new lake of a kind, or another session on one, all closed at the end."""
    opener = OpenLake(tmp_path, make_lake_settings)
    yield opener
    opener.close()
