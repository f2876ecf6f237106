"""A person is erased everywhere, nobody else is touched, and a record proves it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from people_shop import MARKERS, buy, holding, marked_shop, people_of
from processes import Moment, start, watch
from shop_folder import Folder

import lakewright
from lakewright.app import forget as verbs
from lakewright.app.forget import Forgotten, Options
from lakewright.app.platform import Platform
from lakewright.erase import journal
from lakewright.errors import LakewrightError

WHO = "customer=42"

#: Erasures that are killed.
KILLS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A shop after two rounds, in which somebody has asked queries."""
    folder = marked_shop(Folder(tmp_path_factory.mktemp("people") / "shop"))
    people = people_of(90)
    for number in (1, 2):
        buy(folder, people, number)
        with lakewright.open(folder.root) as lw:
            lw.run().raise_for_status()
            assert lw.sql("select name from processed.customers where customer_id = 42").fetchall()
    return folder


@pytest.fixture
def shop(made: Folder, tmp_path: Path) -> Folder:
    """A copy of it."""
    shutil.copytree(made.root, tmp_path / "shop")
    return Folder(tmp_path / "shop")


def forget(folder: Folder, *names: str, **options: Any) -> Forgotten:
    with Platform.open(folder.root) as platform:
        return verbs.forget(platform, verbs.named_people(platform, names or [WHO]), Options(**options))


#: Which rows of a dataset are the person's.
MINE = {
    "raw.customers": "id = '42'",
    "raw.orders": "customer_id = 42",
    "raw.visits": "visit % 90 = 41",
    "raw.tickets": "ticket = 41",
    "raw.calls": f"phone = '{MARKERS[2]}'",
    "processed.customers": "customer_id = 42",
    "processed.orders": "order_id % 10000 % 90 = 41",
    "processed.visits": "visit % 90 = 41",
    "processed.tickets": "ticket = 41",
    "processed.calls": f"phone = '{MARKERS[2]}'",
    "curated.history": "customer_id = 42",
    "curated.dim_customer": "customer_id = 42",
    "curated.fact_orders": "order_id % 10000 % 90 = 41",
    "quarantine.processed_orders": "order_id::bigint % 10000 % 90 = 41",
    "quarantine.raw_customers": "content like '42,%'",
}


def rows_of(folder: Folder, *, mine: bool) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all datasets that are the person's, or everybody else's."""
    with lakewright.open(folder.root) as lw:
        return {
            id: lw.sql(
                f"select columns(c -> c not like '\\_%') from {id} where ({own}) = {mine} order by all"
            ).fetchall()
            for id, own in MINE.items()
        }


@pytest.mark.slow
def test_nothing_is_found_of_them_and_nobody_else_is_touched(shop: Folder) -> None:
    assert {Path(one).parts[0] for one in holding(shop.root)} >= {"lake", ".lakewright"}
    planned = forget(shop, dry_run=True)
    assert not planned.record
    others, theirs = rows_of(shop, mine=False), rows_of(shop, mine=True)
    done = forget(shop, reason="ticket 7")
    assert (done.complete, done.rows) == (True, planned.rows)
    assert holding(shop.root) == []
    assert rows_of(shop, mine=False) == others
    left = rows_of(shop, mine=True)
    kept = {"processed.orders", "curated.fact_orders"}
    assert {id for id, rows in left.items() if rows} == kept
    # amounts stay, and are nobody's
    with lakewright.open(shop.root) as lw:
        assert lw.sql(
            "select count(*), sum(amount), max(customer_id), max(note), max(customer_key) from curated.fact_orders "
            "where order_id % 10000 % 90 = 41"
        ).fetchall() == [(len(theirs["curated.fact_orders"]), *_amounts(theirs), None, None, -1)]
        # nothing is read again, and what was cut can be read
        assert {one.status for one in lw.run().tasks} == {"unchanged"}
        lw.run("processed.*", full_refresh=True).raise_for_status()
    _check_record(shop, done)


def _amounts(theirs: dict[str, list[tuple[Any, ...]]]) -> tuple[Any]:
    return (sum(row[2] for row in theirs["processed.orders"]),)


def _check_record(shop: Folder, done: Forgotten) -> None:
    path = Path(done.record)
    text = path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(one.lower() in text.lower() for one in MARKERS)
    with Platform.open(shop.root) as platform:
        assert verbs.verify(platform, path, [WHO]).complete
        with pytest.raises(LakewrightError, match="LW815"):
            verbs.verify(platform, path, ["customer=41"])
        path.write_text(json.dumps({**json.loads(text), "people": 2}), "utf-8")
        with pytest.raises(LakewrightError, match="LW815"):
            verbs.verify(platform, path)


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on(made: Folder, tmp_path: Path) -> None:
    dice = random.Random(7)
    others = rows_of(made, mine=False)
    command = ("forget", "--subject", WHO, "--yes")
    moments = tmp_path / "moments"
    folder = _copy(made, tmp_path / "counted")
    assert start(folder.root, *command, prepare=(watch, Moment(0, count=str(moments)))).wait() == 0
    count = len(moments.read_text().splitlines())
    folder = _copy(made, tmp_path / "killed")
    kills = 0
    while kills < KILLS:
        # the later ones are met only once the earlier steps are done
        moment = Moment(dice.randint(1, count), dice.choice([0, 0, dice.uniform(0, 0.05)]))
        run = start(folder.root, *command, prepare=(watch, moment))
        if run.wait() != -9:
            assert "LW" not in run.text, run.text
            _whole(folder, others)
            folder = _copy(made, tmp_path / f"killed-{kills}")
        else:
            kills += 1
    last = start(folder.root, "forget", "--resume")
    assert last.wait() == 0, last.text
    again = start(folder.root, *command)
    assert again.wait() == 0, again.text
    _whole(folder, others)


def _copy(made: Folder, root: Path) -> Folder:
    shutil.copytree(made.root, root)
    return Folder(root)


def _whole(folder: Folder, others: dict[str, list[tuple[Any, ...]]]) -> None:
    """Nothing of the person is there, everything of all others is, and the erasure is done."""
    assert holding(folder.root) == []
    assert rows_of(folder, mine=False) == others
    with Platform.open(folder.root) as platform:
        assert all(one.complete for one in verbs.erasures(platform))
        assert journal.unfinished(platform.state, platform.keys) == []
