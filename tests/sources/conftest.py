"""A raw zone of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_zone import Zone
from rest_zone import Rest

from http_api import serve
from lakewright.engine.session import Session
from lakewright.lake.raw import LocalStore
from lakewright.spec.project import Engine
from lakewright.state import State


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[Zone]:
    landing = tmp_path / "landing"
    landing.mkdir()
    with Session.open(Engine(threads=2), root=tmp_path) as session:
        state = State("sqlite:.lakewright/state.db", tmp_path)
        yield Zone(tmp_path, LocalStore(tmp_path / "lake" / "raw"), state, session.cursor(), landing)
        state.close()


@pytest.fixture
def rest(zone: Zone) -> Iterator[Rest]:
    with serve() as api:
        yield Rest(zone, api)
