"""Keys: made once, never overwritten, missed when they are gone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakewright.errors import LakewrightError
from lakewright.security.keys import Keys
from lakewright.spec.project import Key
from lakewright.state import State
from servers import Ministack


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A state database of its own."""
    opened = State("sqlite:state.db", tmp_path)
    yield opened
    opened.close()


def keys(state: State, root: Path, **specs: Key) -> Keys:
    """Keys of a project in *root*; a fresh object, as after a restart."""
    return Keys(
        state, specs, root=root, project="shop", resolve=lambda text: os.environ.get("MASK_KEY", text)
    )


def test_a_key_is_made_once_and_readable_by_its_owner_alone(state: State, tmp_path: Path) -> None:
    made = keys(state, tmp_path).current("default")
    file = tmp_path / ".lakewright/keys/default.1.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() == made.material.hex()
    assert keys(state, tmp_path).current("default") == made
    assert made.material.hex() not in repr(made)
    assert [one.name for one in file.parent.iterdir()] == ["default.1.key"]


def test_a_lost_key_is_not_made_anew(state: State, tmp_path: Path) -> None:
    keys(state, tmp_path).current("default")
    file = tmp_path / ".lakewright/keys/default.1.key"
    file.rename(tmp_path / "copy")
    with pytest.raises(LakewrightError, match="LW802"):
        keys(state, tmp_path).current("default")
    assert not file.exists()
    (tmp_path / "copy").rename(file)
    keys(state, tmp_path).current("default")


@pytest.mark.parametrize(("text", "code"), [("00" * 32, "LW803"), ("", "LW805"), ("zz", "LW805")])
def test_another_key_in_its_place_is_noticed(state: State, tmp_path: Path, text: str, code: str) -> None:
    keys(state, tmp_path).current("default")
    (tmp_path / ".lakewright/keys/default.1.key").write_text(text)
    with pytest.raises(LakewrightError) as caught:
        keys(state, tmp_path).current("default")
    assert caught.value.code == code
    assert [one.status[:5] for one in keys(state, tmp_path).listed()] == [code]


def test_a_key_file_that_is_there_is_taken_when_the_state_is_new(state: State, tmp_path: Path) -> None:
    folder = tmp_path / ".lakewright/keys"
    folder.mkdir(parents=True)
    (folder / "default.1.key").write_text("ab" * 32)
    assert keys(state, tmp_path).current("default").material == b"\xab" * 32


def test_threads_make_one_key(state: State, tmp_path: Path) -> None:
    found = set()
    work = [threading.Thread(target=lambda: found.add(keys(state, tmp_path).current("a"))) for _ in range(8)]
    for one in work:
        one.start()
    for one in work:
        one.join()
    assert len(found) == 1


def test_processes_make_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lakewright.security.keys import Keys; "
        "from lakewright.state import State; root = Path(sys.argv[1]); "
        "print(Keys(State('sqlite:state.db', root), {}, root=root, project='p').current('k').material.hex())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert len({one.communicate()[0] for one in running}) == 1
    assert [one.returncode for one in running] == [0, 0, 0]


def test_a_secret_of_ones_own(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Key(store="secret", secret="${secret:MASK_KEY}")
    monkeypatch.setenv("MASK_KEY", "ab" * 32)
    assert keys(state, tmp_path, own=spec).current("own").material == b"\xab" * 32
    with pytest.raises(LakewrightError, match="LW904"):
        keys(state, tmp_path, own=spec).rotated("own")
    monkeypatch.setenv("MASK_KEY", "cd" * 32)
    with pytest.raises(LakewrightError, match="LW803") as caught:
        keys(state, tmp_path, own=spec).current("own")
    assert "cdcd" not in str(caught.value)
    monkeypatch.setenv("MASK_KEY", "secret words")
    with pytest.raises(LakewrightError, match="LW805") as caught:
        keys(state, tmp_path, own=spec).current("own")
    assert "secret words" not in str(caught.value)


def test_the_keyring(state: State, tmp_path: Path) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class Memory(KeyringBackend):
        priority = 1  # type: ignore[assignment]

        def __init__(self) -> None:
            self.kept: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    try:
        spec = Key(store="keyring")
        made = keys(state, tmp_path, ring=spec).current("ring")
        assert memory.kept == {("lakewright", "shop/ring/1"): made.material.hex()}
        assert keys(state, tmp_path, ring=spec).current("ring") == made
        memory.kept.clear()
        with pytest.raises(LakewrightError, match="LW802"):
            keys(state, tmp_path, ring=spec).current("ring")
    finally:
        keyring.set_keyring(before)


@pytest.mark.s3
def test_a_key_wrapped_by_kms(
    state: State, tmp_path: Path, ministack: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = boto3.client("kms", endpoint_url=ministack.endpoint, region_name="us-east-1")
    master = client.create_key()["KeyMetadata"]["KeyId"]
    spec = Key(store="kms", kms_key=master, endpoint=ministack.endpoint, region="us-east-1")
    made = keys(state, tmp_path, wrapped=spec).current("wrapped")
    text = (tmp_path / ".lakewright/keys/wrapped.1.kms").read_text()
    assert made.material.hex() not in text
    assert keys(state, tmp_path, wrapped=spec).current("wrapped") == made
    with pytest.raises(LakewrightError, match="LW805"):
        keys(
            state,
            tmp_path,
            other=Key(store="kms", kms_key="nothing", endpoint=ministack.endpoint, region="us-east-1"),
        ).current("other")
