"""`kill -9` at any moment, then run again: the same tables as an undisturbed run."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from processes import Moment, start, watch
from shop_folder import Folder
from shop_rounds import add_round, assert_same, contents, make_shop

#: Killed runs that the test asks for, and how often a round is killed at most before it may end.
KILLS = 54
PER_ROUND = 10

#: What a run writes to stderr as it goes.
LINES = ("✓ raw.orders", "✓ processed.", "✓ curated.")


@pytest.fixture
def undisturbed(tmp_path: Path) -> Folder:
    """A shop whose runs nobody disturbs."""
    return make_shop(tmp_path / "undisturbed")


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    """The same shop."""
    return make_shop(tmp_path / "shop")


def run(folder: Folder) -> float:
    """Run to the end; return the seconds that it took."""
    began = time.monotonic()
    command = start(folder.root, "run")
    assert command.wait() == 0, command.text
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_random_moments(shop: Folder, undisturbed: Folder) -> None:
    dice = random.Random(20)
    kills = dict.fromkeys(("moment", "line", "commit"), 0)
    number = 0
    while sum(kills.values()) < KILLS:
        add_round(undisturbed, number)
        add_round(shop, number)
        takes = run(undisturbed)
        for _ in range(PER_ROUND):
            # whichever way has had the fewest hits
            way = min(kills, key=lambda one: (kills[one], one))
            if way == "commit":
                # shortly after the end of one of the run's commits was begun
                moment = Moment(dice.randint(1, 12), dice.uniform(0, 0.02), only="before end of the commit")
                killed = start(shop.root, "run", prepare=(watch, moment)).wait() == -9
            elif way == "line":
                line = dice.choice(LINES)
                command = start(shop.root, "run")
                command.until(lambda text, line=line: line in text)  # type: ignore[misc]
                killed = command.kill_after(dice.uniform(0, 0.1))
            else:
                killed = start(shop.root, "run").kill_after(dice.uniform(0.1, takes))
            kills[way] += killed
            if not killed:
                break
        run(shop)
        assert_same(contents(shop.root), contents(undisturbed.root))
        number += 1
    assert min(kills.values()) > 9, kills
