"""A state database, on SQLite and on PostgreSQL, and the journal in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakewright.run.journal import Journal
from lakewright.run.recorder import Recorder
from lakewright.state import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty state on SQLite."""
    state = State("sqlite:.lakewright/state.db", tmp_path)
    yield state
    state.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_state_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty state, of each kind."""
    if request.param == "sqlite":
        return "sqlite:.lakewright/state.db"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
def any_state(any_state_url: str, tmp_path: Path) -> Iterator[State]:
    """An empty state, of each kind."""
    state = State(any_state_url, tmp_path)
    yield state
    state.close()


@pytest.fixture
def journal(state: State, tmp_path: Path) -> Journal:
    """A journal with log files."""
    return Journal(state, logs=tmp_path / "logs")


@pytest.fixture
def run(journal: Journal) -> Recorder:
    """A run that has just started."""
    started = journal.start_run(project="shop", target="dev")
    assert isinstance(started, Recorder)
    return started
