"""The ladder climbs from mild to harsh, gives each rung its time, and steps down as soon as pictures come."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from drivers.camera_ladder import Ladder, Patience, Rung

PATIENCE = Patience()
LOOK_S = 0.02
CLIMB = [Rung.RESTART, Rung.RESET, Rung.KILL, Rung.POWER, Rung.PERSON]


class Bench:
    """A camera that shows a picture every 33 ms, 100 ms old, unless it is silent; and when each rung was taken."""

    def __init__(self) -> None:
        self.now, self.newest = 0.0, -math.inf
        self.ladder = Ladder(0.0, PATIENCE)
        self.taken: list[tuple[float, Rung]] = []

    def run(self, seconds: float, silent: bool = False, failed: bool = False) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self.now += LOOK_S
            if not silent:
                self.newest = self.now - 0.1
            if (rung := self.ladder.tick(self.now, self.newest, failed)) is not Rung.NONE:
                self.taken.append((self.now, rung))


def test_a_camera_that_shows_pictures_is_left_alone() -> None:
    bench = Bench()
    bench.run(3600)
    bench.run(0.85, silent=True)
    bench.run(10)
    assert bench.taken == []
    assert not bench.ladder.counts


def test_each_rung_gets_its_time_and_then_the_next_is_taken() -> None:
    bench = Bench()
    bench.run(5)
    bench.run(60, silent=True)
    rungs = [rung for _, rung in bench.taken]
    assert rungs[: len(CLIMB)] == CLIMB
    assert set(rungs[len(CLIMB) :]) == {Rung.PERSON}
    assert bench.taken[0][0] - 5 == pytest.approx(PATIENCE.silence - 0.1, abs=2 * LOOK_S)
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(bench.taken)]
    expected = [PATIENCE.restart, PATIENCE.reset, PATIENCE.start, PATIENCE.start]
    assert waits[: len(expected)] == pytest.approx(expected, abs=2 * LOOK_S)


def test_what_has_failed_is_not_waited_for_but_a_person_is() -> None:
    bench = Bench()
    bench.run(1)
    bench.run(30, silent=True, failed=True)
    assert [rung for _, rung in bench.taken[: len(CLIMB)]] == CLIMB
    assert bench.taken[len(CLIMB) - 1][0] - 1 < 1
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(bench.taken[len(CLIMB) - 1 :])]
    assert waits == pytest.approx([PATIENCE.again] * len(waits), abs=2 * LOOK_S)


@pytest.mark.parametrize("rung", CLIMB)
def test_pictures_end_the_climb_at_every_rung_and_are_counted(rung: Rung) -> None:
    bench = Bench()
    bench.run(1)
    while bench.ladder.rung is not rung:
        bench.run(LOOK_S, silent=True)
    bench.run(0.5)
    assert bench.ladder.rung is Rung.NONE
    assert bench.ladder.counts[f"recovered by {rung.value}"] == 1
    assert [taken for _, taken in bench.taken] == CLIMB[: CLIMB.index(rung) + 1]
    taken = len(bench.taken)
    bench.run(60)
    assert len(bench.taken) == taken


def test_pictures_that_were_exposed_before_an_attempt_do_not_end_the_climb() -> None:
    bench = Bench()
    bench.run(1)
    while bench.ladder.rung is Rung.NONE:
        bench.run(LOOK_S, silent=True)
    bench.newest += 0.5
    assert bench.newest < bench.now
    bench.run(1, silent=True)
    assert bench.ladder.rung is Rung.RESTART


def test_pictures_of_another_day_are_silence() -> None:
    bench = Bench()
    for _ in range(100):
        bench.newest = bench.now - 1000
        bench.run(LOOK_S, silent=True)
    assert bench.ladder.rung is Rung.RESTART
