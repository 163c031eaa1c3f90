"""How soon an arm that a person moves stands when their device falls silent, hangs, is pulled or let go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from robot_rig.loops.hand_loop import STILL_S, HandLoop
from robot_rig.loops.key_strokes import Stroke
from tests.drivers.shared_arm import BACK, STOPPED_WITHIN_S, Table


def fall_silent(table: Table) -> None:
    table.repeats = False


def hang(table: Table) -> None:
    table.reading = False


def pull(table: Table) -> None:
    table.reading = False
    table.loop.lose()
    table.send()


def let_go(table: Table) -> None:
    table.say(BACK)
    table.send()


@pytest.mark.parametrize("trouble", [fall_silent, hang, pull, let_go])
@pytest.mark.parametrize("offset", [0.0, 0.01, 0.02])
def test_an_arm_that_a_person_moves_stands_within_the_limit(trouble: Callable[[Table], None], offset: float) -> None:
    table = Table(HandLoop(("x", "y")))
    table.process.enable()
    for _ in range(3):
        table.loop.press(table.clock.now(), Stroke.FASTER)
    table.push()
    table.live(0.5 + offset)
    assert table.along[-1] < -0.09, "as fast as a person may"
    before, began = len(table.reports), table.clock.now()
    trouble(table)
    table.live(3.0)
    moved = [report.status.stamp - began for report in table.reports[before:] if report.status.executed.any()]
    assert max(moved, default=0.0) <= STOPPED_WITHIN_S


def test_a_pad_that_speaks_of_changes_only_stands_after_two_seconds_of_one_value() -> None:
    table = Table(HandLoop(("x", "y")))
    table.repeats, table.stuck_s = False, STILL_S
    table.process.enable()
    table.push()
    began = table.clock.now()
    table.live(4.0)
    last = max(r.status.stamp for r in table.reports if np.abs(r.status.executed).max() > 0.01)
    assert STILL_S - 0.2 < last - began < STILL_S + STOPPED_WITHIN_S
