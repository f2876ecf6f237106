"""`kill -9` at any moment, then run again: the same tables as an undisturbed run."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from processes import Moment, start, watch
from shop_folder import Folder
from shop_rounds import add_round, assert_same, contents, make_shop

import lakewright
from lakewright.lake import Lake
from lakewright.run import build
from lakewright.run.lease import LEASES
from lakewright.run.publish import Publication, Published

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


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        # the manifest is written, the rejects of raw are not in quarantine
        Moment(1, only="before commit"),
        # rows and checkpoint are committed, nobody was told
        *(Moment(number, only="after commit") for number in (1, 3, 5, 7, 8)),
    ],
    ids=lambda moment: f"{moment.only} {moment.number}",
)
def test_the_next_run_makes_up_for_what_was_left(shop: Folder, undisturbed: Folder, moment: Moment) -> None:
    for folder in (shop, undisturbed):
        add_round(folder, 0)
    assert start(shop.root, "run", prepare=(watch, moment)).wait() == -9
    with lakewright.open(shop.root) as lw:
        plan = {one.dataset: one for one in lw.plan().tasks}
        owed = [id for id, one in plan.items() if one.mode == "settle"]
        assert owed, plan
        report = lw.run().raise_for_status()
        assert all(report[id].status in ("built", "unchanged") for id in owed)
        quarantined = sum(one.quarantined or 0 for one in report.tasks if one.task.startswith("raw."))
        assert quarantined > 0 or moment.only == "after commit"
        # and once is enough
        assert {one.action for one in lw.plan().tasks} == {"skip"}
        assert {one.attempts for one in lw.run().tasks} == {0}
    run(undisturbed)
    assert_same(contents(shop.root), contents(undisturbed.root))


def test_who_slept_through_the_end_of_its_lease_does_not_publish_again(
    shop: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_round(shop, 0)
    slept: list[str] = []

    def publish(lake: Lake, cursor: Any, staged: Any, what: Publication) -> Published:
        if what.dataset.id == "processed.order_log" and not slept:
            slept.append(what.run_id)
            with lakewright.open(shop.root) as rival:
                with rival._platform.state.begin(LEASES) as connection:
                    connection.execute(LEASES.delete())
                assert rival.run("processed.order_log")["processed.order_log"].status == "built"
        return real_publish(lake, cursor, staged, what)

    real_publish = build.publish
    monkeypatch.setattr(build, "publish", publish)
    with lakewright.open(shop.root) as lw:
        lw.run("raw.orders").raise_for_status()
        report = lw.run("processed.order_log")
        assert slept
        assert report["processed.order_log"].status in ("unchanged", "failed")
        found = lw.sql(
            "select count(*), count(distinct _source_row), max(_batch_id) from processed.order_log"
        ).fetchall()
        assert found[0][0] == found[0][1]
        assert found[0][2] == 1


@pytest.mark.slow
def test_ctrl_c_leaves_all_consistent(shop: Folder, undisturbed: Folder) -> None:
    for folder in (shop, undisturbed):
        add_round(folder, 0)
    # a step that ends only when it is interrupted
    shop.write(
        "datasets/curated/slow.sql",
        "select count(*) as n from processed.orders o, range(1000000000) a(i), range(1000) b(j) where a.i * b.j % 7 = o.order_id\n",
    )
    command = start(shop.root, "run")
    assert command.until(lambda text: "✓ curated.by_city" in text and "✓ curated.large" in text)
    time.sleep(0.3)
    command.send(signal.SIGINT)
    assert command.wait() == 130, command.text
    with lakewright.open(shop.root) as lw:
        last = lw._platform.journal.runs()[0]
        assert (last.status, last.counts["cancelled"]) == ("cancelled", 1)
        assert lw._platform.journal.left_to_do() == ("curated.slow",)
        with lw._platform.state.begin(LEASES) as connection:
            assert connection.execute(LEASES.select()).all() == []
    shop.write("datasets/curated/slow.sql", "select count(*) as n from processed.orders\n")
    command = start(shop.root, "run", "--from-failed")
    assert command.wait() == 0, command.text
    with lakewright.open(shop.root) as lw:
        assert [one.result.task for one in lw._platform.journal.tasks()] == ["curated.slow"]
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
    run(undisturbed)
    found, wanted = contents(shop.root), contents(undisturbed.root)
    del found["curated.slow"]
    for part in wanted.keys() - {"catalog", "checkpoints", "schemas"}:
        assert found[part] == wanted[part], part


@pytest.mark.slow
def test_ctrl_c_at_any_moment(shop: Folder, undisturbed: Folder) -> None:
    dice = random.Random(3)
    for folder in (shop, undisturbed):
        add_round(folder, 0)
    takes = run(undisturbed)
    codes = []
    for _ in range(8):
        command = start(shop.root, "run")
        command.process.join(dice.uniform(0.1, takes))
        command.send(signal.SIGINT)
        codes.append(command.wait())
        assert codes[-1] in (0, 130), command.text
        assert "Traceback" not in command.text
        if codes[-1] == 0:
            break
    run(shop)
    assert 130 in codes
    assert_same(contents(shop.root), contents(undisturbed.root))
