"""The state database: many writers, readers beside them, and clear words when it cannot be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakewright.errors import LakewrightError, RunError, UsageError
from lakewright.state import SCHEMA_VERSION, State, UtcTime, metadata, now

NOTES = sa.Table(
    "test_notes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime),
    sa.Column("text", sa.Text),
)

WRITER = """
import sys
from pathlib import Path
import sqlalchemy as sa
sys.path.insert(0, sys.argv[3])
from test_state import NOTES
from lakewright.state import State, now
for n in range(3):
    state = State(sys.argv[1], Path(sys.argv[2]))
    for m in range(10):
        with state.begin(NOTES, durable=m % 2 == 0) as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(NOTES))
            connection.execute(NOTES.insert().values(at=now(), text=str(count)))
    state.close()
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of an empty state, of each kind."""
    if request.param == "sqlite":
        return "sqlite:.lakewright/state.db"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
def state(url: str, tmp_path: Path) -> Iterator[State]:
    """An empty state, of each kind."""
    state = State(url, tmp_path)
    yield state
    state.close()


def code_of(error: pytest.ExceptionInfo[LakewrightError]) -> str:
    return error.value.code


def test_what_is_committed_is_there_and_what_fails_is_not(state: State) -> None:
    with state.begin(NOTES) as connection:
        connection.execute(NOTES.insert().values(text="kept"))
    with pytest.raises(ZeroDivisionError), state.begin(NOTES) as connection:
        connection.execute(NOTES.insert().values(text="lost"))
        raise ZeroDivisionError
    with state.read(NOTES) as connection:
        assert connection.scalars(sa.select(NOTES.c.text)).all() == ["kept"]


def test_times_come_back_as_utc(state: State) -> None:
    at = datetime(2024, 3, 1, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    with state.begin(NOTES) as connection:
        connection.execute(NOTES.insert(), [{"at": at}, {"at": None}])
        found = connection.scalars(sa.select(NOTES.c.at).order_by(NOTES.c.number)).all()
        assert connection.scalar(sa.select(NOTES.c.number).where(NOTES.c.at == at)) == 1
    assert found == [at, None]
    assert found[0] is not None
    assert found[0].tzinfo is UTC
    with pytest.raises(sa.exc.StatementError, match="zone"), state.begin(NOTES) as connection:
        connection.execute(NOTES.insert().values(at=datetime(2024, 1, 1)))


def test_readers_see_one_moment_and_hold_nobody_up(state: State) -> None:
    with state.begin(NOTES) as connection:
        connection.execute(NOTES.insert().values(text="one"))
    count = sa.select(sa.func.count()).select_from(NOTES)
    with state.read(NOTES) as reader:
        assert reader.scalar(count) == 1
        with state.begin(NOTES, durable=False) as writer:
            writer.execute(NOTES.insert().values(text="two"))
        assert reader.scalar(count) == 1
    with state.read(NOTES) as reader:
        assert reader.scalar(count) == 2
    with pytest.raises((RunError, sa.exc.DBAPIError)), state.read(NOTES) as reader:
        reader.execute(NOTES.insert().values(text="not here"))
    with state.begin(NOTES) as writer:
        assert writer.scalar(count) == 2


def test_processes_that_open_and_write_together_lose_nothing(state: State, url: str, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, str(tmp_path), here]) for _ in range(3)]
    assert [one.wait(120) for one in writers] == [0, 0, 0]
    with state.read(NOTES) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(NOTES)) == 90
    if state.dialect == "sqlite":
        with state.read(NOTES) as connection:
            texts = connection.scalars(sa.select(NOTES.c.text).order_by(NOTES.c.number)).all()
        assert texts == [str(n) for n in range(90)], "what a writer reads cannot change before it writes"


def test_a_state_of_a_newer_version_is_left_alone(state: State, url: str, tmp_path: Path) -> None:
    with state.begin(NOTES) as connection:
        connection.execute(
            sa.text("INSERT INTO state_version VALUES (:version, :at)").bindparams(
                version=SCHEMA_VERSION + 1, at=now().replace(tzinfo=None)
            )
        )
    state.close()
    again = State(url, tmp_path)
    for _ in range(2):
        with pytest.raises(RunError) as error, again.begin(NOTES):
            pytest.fail("entered")
        assert code_of(error) == "LW653"
    again.close()


def test_tables_made_by_an_earlier_room_stay(state: State, url: str, tmp_path: Path) -> None:
    with state.begin(NOTES) as connection:
        connection.execute(NOTES.insert().values(text="one"))
    other = sa.Table("test_other", metadata, sa.Column("a", sa.Integer), extend_existing=True)
    again = State(url, tmp_path)
    with again.begin(NOTES, other) as connection:
        connection.execute(other.insert().values(a=1))
        assert connection.scalars(sa.select(NOTES.c.text)).all() == ["one"]
    again.close()


@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 300, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)
    with (
        pytest.raises(RunError, match=r"state\.db.*damaged") as error,
        State("sqlite:state.db", tmp_path).begin(NOTES),
    ):
        pytest.fail("entered")
    assert code_of(error) == "LW651"
    assert (tmp_path / "state.db").read_bytes() == content


def test_a_page_that_went_bad_is_noticed_where_it_is_read(tmp_path: Path) -> None:
    state = State("sqlite:state.db", tmp_path)
    with state.begin(NOTES) as connection:
        connection.execute(NOTES.insert(), [{"text": "x" * 500}] * 200)
    state.close()
    content = bytearray((tmp_path / "state.db").read_bytes())
    content[8192:] = b"\x5a" * (len(content) - 8192)
    (tmp_path / "state.db").write_bytes(content)
    with pytest.raises(RunError) as error, State("sqlite:state.db", tmp_path).read(NOTES) as connection:
        connection.execute(sa.select(NOTES)).all()
    assert code_of(error) == "LW651"


def test_a_lock_that_never_ends_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakewright.state.db._BUSY_SECONDS", 0.2)
    one, other = State("sqlite:state.db", tmp_path), State("sqlite:state.db", tmp_path)
    with one.begin(NOTES), pytest.raises(RunError) as error, other.begin(NOTES):
        pytest.fail("entered")
    assert code_of(error) == "LW652"
    one.close()
    other.close()


def test_places_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError) as error:
        State("sqlite:file/state.db", tmp_path)
    assert code_of(error) == "LW654"
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError) as error, State("sqlite:folder", tmp_path).begin(NOTES):
        pytest.fail("entered")
    assert code_of(error) == "LW654"


@pytest.mark.parametrize(
    "url", ["mysql://root:hunter2@host/db", "state.db", "postgresql://me:hunter2@host:port/db"]
)
def test_addresses_that_make_no_sense_are_refused_without_their_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        State(url, tmp_path)
    assert code_of(error) == "LW655"
    assert "hunter2" not in str(error.value)


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    state = State("postgresql://me:hunter2@127.0.0.1:1/db", tmp_path)
    with pytest.raises(RunError) as error, state.begin(NOTES):
        pytest.fail("entered")
    assert code_of(error) == "LW654"
    assert "hunter2" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_errors_of_the_caller_stay_what_they_are(state: State) -> None:
    with pytest.raises(sa.exc.IntegrityError), state.begin(NOTES) as connection:
        connection.execute(NOTES.insert(), [{"number": 1}, {"number": 1}])
    with pytest.raises(sa.exc.DBAPIError), state.begin(NOTES) as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
