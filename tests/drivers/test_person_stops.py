"""How soon an arm that a person moves stands when their device falls silent, hangs, is pulled or let go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from robot_rig.datatypes import Source
from robot_rig.loops.hand_loop import HandLoop, Speech
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


@pytest.mark.parametrize("offset", [0.0, 0.01, 0.02])
def test_a_pad_of_one_value_stands_within_the_limit_and_goes_on_with_its_next_word(offset: float) -> None:
    table = Table(HandLoop(("x", "y")))
    table.speech = Speech.CHANGES
    table.process.enable()
    table.push()
    table.live(0.5 + offset)
    assert table.along[-1] < -0.01, "as long as it trembles"
    before, began = len(table.reports), table.clock.now()
    fall_silent(table)
    table.live(1.0)
    moved = [report.status.stamp - began for report in table.reports[before:] if report.status.executed.any()]
    assert max(moved, default=0.0) <= STOPPED_WITHIN_S
    assert table.sources[-1] is Source.HUMAN, "the arm is still theirs"
    table.repeats = True
    table.live(0.5)
    assert table.along[-1] < -0.01
