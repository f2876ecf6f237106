"""Servers that tests run against: started on free ports of 127.0.0.1, stopped at the end of the session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def absent(reason: str) -> None:
    """Skip the test because something is not installed; on CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[Any], seconds: float = 30) -> None:
    """Wait until *port* takes connections; fail when *process* ends or the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers on port {port}")


def _until_served(ask: Callable[[], object], process: subprocess.Popen[Any], seconds: float = 60) -> None:
    """Wait until *ask* raises no error: a server takes connections before it can serve them."""
    until = time.monotonic() + seconds
    while True:
        try:
            ask()
            return
        except Exception as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server does not answer: {error}") from None
        time.sleep(0.05)


# --- PostgreSQL


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return installed[-1].parent if installed else None


@dataclass
class Postgres:
    """A running server; trusts everyone on 127.0.0.1."""

    port: int
    user: str = "postgres"

    def url(self, database: str) -> str:
        """The address of *database*."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def ask(self) -> None:
        """Raise an error unless the server answers queries."""
        import psycopg

        psycopg.connect(self.url("postgres")).close()

    def database(self) -> str:
        """Make an empty database and return its address."""
        import psycopg

        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url(name)


@contextlib.contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Start a server of its own in a temporary folder."""
    binaries = _binaries()
    if binaries is None:
        absent("PostgreSQL's binaries are not installed")
    assert binaries is not None
    # A server refuses to run as root: then the account that its package made runs it.
    account: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    home = Path(tempfile.mkdtemp(prefix="lakewright-pg-"))
    if account:
        shutil.chown(home, "postgres", "postgres")
    data = home / "data"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        initdb: list[Any] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run([*initdb, "--locale=C"], check=True, cwd=home, **quiet, **account)
        for attempt in range(5):
            port = free_port()
            settings = {
                "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
                "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200",
                "shared_buffers": "64MB", "wal_level": "logical",
                "max_replication_slots": "50", "max_wal_senders": "50",
            }  # fmt: skip
            options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
            command: list[Any] = [binaries / "postgres", "-D", data, "-p", str(port), *options]
            process = subprocess.Popen(command, cwd=home, start_new_session=True, **quiet, **account)
            try:
                wait_for(port, process)
                _until_served(lambda: Postgres(port).ask(), process)  # noqa: B023 - called before the next turn
                break
            except RuntimeError:
                _stop(process, signal.SIGINT)
                if attempt == 4:
                    raise
        try:
            yield Postgres(port)
        finally:
            _stop(process, signal.SIGINT)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _stop(process: subprocess.Popen[Any], first: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- MariaDB


@dataclass
class MariaDB:
    """A running server whose root has no password, on 127.0.0.1 alone."""

    port: int
    user: str = "root"

    def url(self, database: str) -> str:
        """The address of *database*."""
        return f"mysql://{self.user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None) -> Any:
        """Return a connection of PyMySQL, committing each statement."""
        import pymysql

        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            database=database,
            autocommit=True,
            charset="utf8mb4",
            local_infile=True,
        )

    def database(self) -> str:
        """Make an empty database and return its address."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return self.url(name)


@contextlib.contextmanager
def run_mariadb() -> Iterator[MariaDB]:
    """Start a server of its own in a temporary folder."""
    server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if server is None or install is None:
        absent("MariaDB's binaries are not installed")
    assert server is not None and install is not None
    home = Path(tempfile.mkdtemp(prefix="lakewright-maria-"))
    data = home / "data"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    account = ["--user=root"] if os.getuid() == 0 else []
    try:
        subprocess.run(
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                *account,
            ],
            check=True,
            cwd=home,
            **quiet,
        )
        for attempt in range(5):
            port = free_port()
            command = [
                server,
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={home}/s",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--local-infile=1",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=128M",
                "--max-allowed-packet=64M",
                *account,
            ]
            process = subprocess.Popen(command, cwd=home, start_new_session=True, **quiet)
            try:
                wait_for(port, process, 60)
                _until_served(lambda: MariaDB(port).connect().close(), process)  # noqa: B023 - called before the next turn
                break
            except RuntimeError:
                _stop(process, signal.SIGTERM)
                if attempt == 4:
                    raise
        try:
            yield MariaDB(port)
        finally:
            _stop(process, signal.SIGTERM)
    finally:
        shutil.rmtree(home, ignore_errors=True)


# --- Redis


@dataclass
class Redis:
    """A running server that keeps nothing on disk."""

    port: int

    def url(self, number: int = 0) -> str:
        """The address of database *number*."""
        return f"redis://127.0.0.1:{self.port}/{number}"


@contextlib.contextmanager
def run_redis() -> Iterator[Redis]:
    """Start a server of its own in a temporary folder."""
    server = shutil.which("redis-server")
    if server is None:
        absent("Redis is not installed")
    assert server is not None
    with tempfile.TemporaryDirectory(prefix="lakewright-redis-") as home:
        for attempt in range(5):
            port = free_port()
            process = subprocess.Popen(
                [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                wait_for(port, process)
                break
            except RuntimeError:
                _stop(process, signal.SIGTERM)
                if attempt == 4:
                    raise
        try:
            yield Redis(port)
        finally:
            _stop(process, signal.SIGTERM)


# --- ministack: S3 and an Iceberg REST catalog


@dataclass
class Ministack:
    """A running double of AWS: S3, and S3 Tables with their Iceberg REST catalog, on one port."""

    port: int
    key_id: str = "test-key-id"
    secret: str = "test-secret-key"
    region: str = "us-east-1"
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def iceberg(self) -> str:
        """The address of the Iceberg REST catalog."""
        return f"{self.endpoint}/iceberg"

    def client(self, service: str) -> Any:
        """Return boto3's client of *service*."""
        import boto3  # type: ignore[import-untyped]

        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id=self.key_id,
                aws_secret_access_key=self.secret,
            )
        return self._clients[service]

    def bucket(self) -> str:
        """Make an empty S3 bucket and return its name."""
        name = f"b{uuid.uuid4().hex[:12]}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def warehouse(self) -> str:
        """Make an empty table bucket and return its ARN, which is the warehouse of the Iceberg catalog."""
        made = self.client("s3tables").create_table_bucket(name=f"w{uuid.uuid4().hex[:12]}")
        return str(made["arn"])


@contextlib.contextmanager
def run_ministack() -> Iterator[Ministack]:
    """Start the double in a temporary folder."""
    if find_spec("ministack") is None:
        absent("the ministack package is not installed")
    command = [sys.executable, str(Path(__file__).with_name("iceberg_double.py"))]
    with tempfile.TemporaryDirectory(prefix="lakewright-aws-") as home:
        for attempt in range(5):
            port = free_port()
            environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "HOME": home}
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                wait_for(port, process)
                break
            except RuntimeError:
                _stop(process, signal.SIGTERM)
                if attempt == 4:
                    raise
        try:
            yield Ministack(port)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            _stop(process, signal.SIGTERM)
