"""Orders come in the order of their keys, STOP and HOLD at once; what was ordered before has not the last word."""

from __future__ import annotations

import threading

import pytest

from robot_rig.loops.key_strokes import Stroke
from robot_rig.nodes.person_orders import AT_ONCE, PersonOrders
from tests.ros_graph import eventually

SLOW = [Stroke.ENABLE, Stroke.HOME, Stroke.HAND_BACK]


class Arm:
    """Takes an order when it is let, and says which ones it has taken; some are slow to arrive."""

    def __init__(self) -> None:
        self.begun: list[Stroke] = []
        self.taken: list[Stroke] = []
        self.free = {stroke: threading.Event() for stroke in Stroke}

    def carry_out(self, stroke: Stroke) -> None:
        self.begun.append(stroke)
        self.free[stroke].wait(10)
        self.taken.append(stroke)


def soon(arm: Arm, taken: list[Stroke]) -> bool:
    return eventually(lambda: arm.taken == taken, 10) or pytest.fail(f"taken: {arm.taken}")


def test_orders_arrive_as_they_were_given_however_long_one_takes() -> None:
    arm = Arm()
    orders = PersonOrders(arm.carry_out)
    for stroke in SLOW:
        orders.give(stroke)
    # The later ones would be quicker.
    for stroke in reversed(SLOW):
        arm.free[stroke].set()
    assert soon(arm, SLOW)


@pytest.mark.parametrize("urgent", sorted(AT_ONCE))
def test_stop_and_hold_wait_for_nobody_and_what_waits_is_dropped(urgent: Stroke) -> None:
    arm = Arm()
    orders = PersonOrders(arm.carry_out)
    for stroke in SLOW:
        orders.give(stroke)
    assert eventually(lambda: arm.begun == SLOW[:1], 10)
    arm.free[urgent].set()
    orders.give(urgent)
    assert soon(arm, [urgent])
    # The one that was on its way has arrived after all: it does not have the last word.
    arm.free[SLOW[0]].set()
    assert soon(arm, [urgent, SLOW[0], urgent])


def test_what_is_ordered_after_a_hold_arrives_after_it() -> None:
    arm = Arm()
    orders = PersonOrders(arm.carry_out)
    arm.free[Stroke.ENABLE].set()
    orders.give(Stroke.HOLD)
    orders.give(Stroke.ENABLE)
    assert eventually(lambda: arm.begun == [Stroke.HOLD], 10)
    arm.free[Stroke.HOLD].set()
    assert soon(arm, [Stroke.HOLD, Stroke.ENABLE])


def test_a_stop_is_given_although_a_hold_hangs() -> None:
    arm = Arm()
    orders = PersonOrders(arm.carry_out)
    orders.give(Stroke.HOLD)
    arm.free[Stroke.STOP].set()
    orders.give(Stroke.STOP)
    assert soon(arm, [Stroke.STOP])
