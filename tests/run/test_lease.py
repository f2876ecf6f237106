"""Leases: one holder at a time, renewed while it lives, taken over when it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from lakewright.run.lease import LEASES, Leases
from lakewright.run.process import Process, this_process
from lakewright.state import State, now

HOLD = """
import sys, time
from pathlib import Path
from lakewright.run.lease import Leases
from lakewright.state import State
leases = Leases(State(sys.argv[1], Path(sys.argv[2])), "theirs")
print(leases.take("orders"), flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time(any_state: State) -> None:
    one, other = Leases(any_state, "one"), Leases(any_state, "other")
    assert one.take("orders") is None
    assert one.take("orders") is None, "taking what is ours again changes nothing"
    holder = other.take("orders")
    assert holder is not None
    assert holder.run == "one"
    assert str(os.getpid()) in str(holder)
    assert other.take("customers") is None
    one.release(["orders"])
    assert other.take("orders") is None
    one.release(["orders"])
    assert other.holds("orders"), "only the holder gives a lease back"
    other.close()
    assert one.take("customers") is None
    one.close()


def test_threads_that_ask_at_once_get_it_once(any_state: State) -> None:
    claims = [Leases(any_state, f"run {n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda one: one.take("orders"), claims))
    assert sum(one is None for one in got) == 1
    for one in claims:
        one.close()


def test_a_killed_process_gives_way_at_once(any_state: State, any_state_url: str, tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, any_state_url, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "None\n"
        ours = Leases(any_state, "ours")
        taken = ours.take("orders")
        assert taken is not None
        assert taken.process.pid == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert ours.take("orders") is None
        ours.close()
    finally:
        holder.kill()
        holder.wait()


def test_a_lease_of_another_machine_ends_when_it_expires(any_state: State) -> None:
    far = {"host": "elsewhere", "pid": 1, "mark": "boot/ns/1", "token": "t", "holder": "far"}
    with any_state.begin(LEASES) as connection:
        soon = now() + timedelta(seconds=60)
        connection.execute(LEASES.insert().values(name="orders", taken=now(), expires=soon, **far))
    ours = Leases(any_state, "ours")
    assert ours.take("orders") is not None
    with any_state.begin(LEASES) as connection:
        connection.execute(LEASES.update().values(expires=now() - timedelta(seconds=1)))
    assert ours.take("orders") is None
    ours.close()


def test_leases_are_renewed_while_they_are_held(any_state: State) -> None:
    ours = Leases(any_state, "ours", ttl=0.6)
    ours.take("orders")
    with any_state.read(LEASES) as connection:
        first = connection.execute(LEASES.select()).one().expires
    for _ in range(100):
        time.sleep(0.05)
        with any_state.read(LEASES) as connection:
            if connection.execute(LEASES.select()).one().expires > first:
                break
    else:
        pytest.fail("the lease was not renewed")
    ours.close()


def test_a_lease_that_was_taken_over_is_reported_as_lost(any_state: State) -> None:
    lost: list[str] = []
    ours = Leases(any_state, "ours", on_lost=lost.append)
    ours.take("orders")
    ours.take("customers")
    with any_state.begin(LEASES) as connection:
        connection.execute(LEASES.update().where(LEASES.c.name == "orders").values(token="theirs"))
    ours.renew()
    assert lost == ["orders"]
    assert (ours.holds("orders"), ours.holds("customers")) == (False, True)
    ours.close()
    with any_state.read(LEASES) as connection:
        assert [row.name for row in connection.execute(LEASES.select())] == ["orders"]


def test_what_is_kept_at_the_close_stays_until_it_is_released(state: State) -> None:
    ours, other = Leases(state, "ours"), Leases(state, "other")
    ours.take("a")
    ours.take("b")
    ours.close(keep=["b"])
    assert other.take("a") is None
    assert other.take("b") is not None
    ours.release(["b"])
    assert other.take("b") is None
    other.close()


def test_the_thread_that_renews_ends_with_the_close(state: State) -> None:
    before = set(threading.enumerate())
    ours = Leases(state, "ours", ttl=0.3)
    ours.take("a")
    (thread,) = set(threading.enumerate()) - before
    ours.close()
    thread.join(10)
    assert not thread.is_alive()


def test_who_is_dead_and_who_may_not_be() -> None:
    me = this_process()
    assert not me.dead()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = this_process().mark.rpartition("/")[0]
    if not start:
        pytest.skip("this system does not tell the start time of a process")
    gone = Process(me.host, child.pid, f"{start}/1")
    assert gone.dead(), "the number is in use again, by a process that started at another time"
    child.communicate(b"\n")
    assert Process(me.host, child.pid, me.mark).dead()
    assert not Process("elsewhere", child.pid, me.mark).dead()
    assert not Process(me.host, child.pid, "another boot/ns/1").dead()
    assert not Process(me.host, child.pid, "").dead()
