"""The mailbox: the newest counts, nothing waits, nothing is taken twice."""

from __future__ import annotations

import sys
import threading

import pytest

from robot_rig.clock import ManualClock
from robot_rig.ros.mailbox import Mailbox


def test_an_empty_mailbox_says_so() -> None:
    box = Mailbox[str](ManualClock(5.0).now)
    assert box.newest() is None
    assert box.newer_than(0) is None
    assert box.age() == float("inf")


def test_the_newest_value_and_when_it_came() -> None:
    clock = ManualClock(5.0)
    box = Mailbox[str](clock.now)
    box.put("a")
    clock.advance(1.0)
    box.put("b")
    clock.advance(0.25)
    letter = box.newest()
    assert letter is not None
    assert (letter.value, letter.arrival, letter.number) == ("b", 6.0, 2)
    assert box.age() == 0.25
    assert box.newer_than(1) is letter
    assert box.newer_than(2) is None


@pytest.fixture
def hasty_threads() -> object:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield None
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_many_writers_lose_no_number_and_a_reader_never_goes_back() -> None:
    box = Mailbox[int]()
    writers = [threading.Thread(target=lambda: [box.put(i) for i in range(2000)]) for _ in range(4)]
    seen = []
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if (letter := box.newest()) is not None:
            seen.append((letter.number, letter.arrival))
    newest = box.newest()
    assert newest is not None
    assert newest.number == 8000
    assert seen
    assert seen == sorted(seen)
    assert [arrival for _, arrival in seen] == sorted(arrival for _, arrival in seen)


def test_a_reader_does_not_wait_for_a_writer() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def stuck_clock() -> float:
        inside.set()
        assert go_on.wait(10)
        return 1.0

    box = Mailbox[str](stuck_clock)
    writer = threading.Thread(target=box.put, args=["a"])
    writer.start()
    assert inside.wait(10)
    assert box.newest() is None
    go_on.set()
    writer.join()
    assert box.newest() is not None
