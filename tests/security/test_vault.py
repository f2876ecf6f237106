"""The vault: one token per value and domain, whoever asks, and the value back for the allowed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from lakewright.errors import LakewrightError
from lakewright.security.formlike import form_like
from lakewright.security.keys import Keys
from lakewright.security.vault import Vault, token_vault
from lakewright.state import State


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    """A vault in a state database of its own, of either kind."""
    kind = request.param
    address = "sqlite:state.db" if kind == "sqlite" else str(request.getfixturevalue("postgres_database"))
    state = State(address, tmp_path)
    yield open_vault(state, tmp_path)
    state.close()


def open_vault(state: State, root: Path) -> Vault:
    return Vault(state, Keys(state, {}, root=root, project="shop"))


def add(vault: Vault, values: list[str], domain: str = "d") -> dict[str, str]:
    """Give *values* tokens, with themselves as digests; value → token."""
    return vault.add(domain, vault._keys.current("default"), {one: one for one in values})


@given(st.lists(st.text(max_size=20), max_size=20))
def test_a_token_has_the_form_of_its_value(values: list[str]) -> None:
    for value, token in zip(values, form_like(values), strict=True):
        if any(one.isalpha() or one.isdigit() for one in value):
            assert [_kind(one) for one in token] == [_kind(one) for one in value]
        else:
            assert len(token) == 12


def _kind(char: str) -> str:
    if char.isdigit():
        return "0"
    return ("A" if char.isupper() else "a") if char.isalpha() else char


def test_values_get_one_token_each_and_come_back(vault: Vault) -> None:
    values = [f"555-{number:04}" for number in range(3_000)]
    first = add(vault, values)
    assert add(vault, values[::-1]) == first
    assert len(set(first.values())) == 3_000
    assert all(token != value for value, token in first.items())
    assert vault.reveal("d", list(first.values())) == {token: value for value, token in first.items()}
    assert vault.tokens("d", values) == first == vault.everything("d")
    assert vault.counts() == {"d": 3_000}


def test_tokens_join_as_values_do(vault: Vault) -> None:
    """Masking before a join is masking after it: batches that know nothing of each other agree."""
    random = Random(7)
    for _ in range(20):
        left, right = ([f"{random.randrange(30)}-x" for _ in range(random.randrange(15))] for _ in range(2))
        mine, theirs = add(vault, left), add(vault, right)
        masked = Counter(a for a in map(mine.get, left) for b in map(theirs.get, right) if a == b)
        joined = Counter(mine[a] for a in left for b in right if a == b)
        assert masked == joined


def test_a_small_form_gives_longer_tokens_when_it_is_used_up(vault: Vault) -> None:
    values = [str(one) for one in range(10)] + ["-", "…", "", "a b"]
    found = add(vault, values)
    assert len(set(found.values())) == len(values)
    assert all(found[one] != one for one in values)


def test_domains_are_apart(vault: Vault) -> None:
    assert add(vault, ["a@x.org"], "one") != add(vault, ["a@x.org"], "two")
    with pytest.raises(LakewrightError, match="LW808"):
        vault.reveal("two", list(add(vault, ["a@x.org"], "one").values()))


def test_no_clear_value_is_in_the_state(vault: Vault, tmp_path: Path) -> None:
    vault.add("d", vault._keys.current("default"), {"digest": "somebody@example.org"})
    assert all(b"somebody@example.org" not in one.read_bytes() for one in tmp_path.glob("state.db*"))


def test_threads_agree(vault: Vault) -> None:
    values = [f"{number:06}" for number in range(2_000)]
    found: list[dict[str, str]] = []
    work = [threading.Thread(target=lambda: found.append(add(vault, values))) for _ in range(4)]
    for one in work:
        one.start()
    for one in work:
        one.join()
    assert len(found) == 4
    assert all(one == found[0] for one in found)


def test_a_value_that_was_changed_is_not_shown(vault: Vault) -> None:
    tokens = add(vault, ["a@x.org", "b@x.org"])
    with vault._state.begin(token_vault) as connection:
        sealed = connection.scalar(sa.select(token_vault.c.sealed).where(token_vault.c.digest == "a@x.org"))
        connection.execute(
            token_vault.update().where(token_vault.c.digest == "b@x.org").values(sealed=sealed)
        )
    with pytest.raises(LakewrightError, match="LW809"):
        vault.reveal("d", [tokens["b@x.org"]])


def test_a_rotated_key_keeps_the_tokens(vault: Vault, tmp_path: Path) -> None:
    old = vault._keys.current("default")
    tokens = add(vault, ["a@x.org", "b@x.org"])
    assert vault.rotate("default") == (2, 2)
    again = open_vault(vault._state, tmp_path)
    assert again.reveal("d", list(tokens.values())) == {token: value for value, token in tokens.items()}
    with pytest.raises(LakewrightError, match="LW803"):
        vault.add("d", old, {"c": "c"})
    # the old key is no longer needed
    (tmp_path / ".lakewright/keys/default.1.key").unlink()
    assert open_vault(vault._state, tmp_path).reveal("d", list(tokens.values()))


def test_a_rotation_that_fails_leaves_the_old_key_in_force(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = add(vault, ["a@x.org"])

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(vault._keys, "register", fail)
        with pytest.raises(RuntimeError):
            vault.rotate("default")
    again = open_vault(vault._state, tmp_path)
    assert again._keys.current("default").version == 1
    assert again.reveal("d", list(tokens.values())) == {tokens["a@x.org"]: "a@x.org"}
    assert again.rotate("default") == (2, 1)
