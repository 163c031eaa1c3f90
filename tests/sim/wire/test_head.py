"""The head's three modes: driven to a joint angle, kept on a place in the room, and left alone."""

from __future__ import annotations

import math

import pytest

from sim.scenes import TIMESTEP_S
from sim.wire.head import LOWER_LIMIT_RAD, UPPER_LIMIT_RAD, HeadPan, PanMode


def settle(head: HeadPan, base_turn: float = 0.0) -> float:
    for _ in range(round(5.0 / TIMESTEP_S)):
        head.tick(TIMESTEP_S, base_turn)
    return head.pan


@pytest.mark.parametrize("base_turn", [-2.0, 0.0, 0.3, 2.5])
@pytest.mark.parametrize("place", [-3.0, -1.0, 0.0, 0.8])
def test_a_place_in_the_room_is_kept_however_the_arm_turns(base_turn: float, place: float) -> None:
    head = HeadPan()
    head.command(place, 1.0, PanMode.ACTIVE_CANCELLATION)
    pan = settle(head, base_turn)
    assert LOWER_LIMIT_RAD <= pan <= UPPER_LIMIT_RAD
    missed = math.remainder(pan + base_turn - place, 2 * math.pi)
    assert head.blocked == (abs(missed) > 0.011)
    # Only a sector of 0.28 rad is out of the joint's reach.
    assert abs(missed) < 0.15


def test_the_sector_that_it_cannot_reach_is_told() -> None:
    head = HeadPan()
    head.command((LOWER_LIMIT_RAD + UPPER_LIMIT_RAD) / 2 + math.pi, 1.0, PanMode.ACTIVE_CANCELLATION)
    settle(head)
    assert head.blocked
    head.command(0.0, 1.0)
    assert settle(head) == pytest.approx(0.0, abs=0.011)
    assert not head.blocked


def test_left_alone_it_stays_and_no_change_keeps_the_mode() -> None:
    head = HeadPan()
    head.command(0.5, 1.0, PanMode.PASSIVE)
    assert settle(head) == 0.0
    head.command(0.5, 1.0, PanMode.NO_CHANGE)
    assert settle(head) == 0.0
    assert head.mode is PanMode.PASSIVE
    head.command(0.5, 1.0, PanMode.ACTIVE)
    assert settle(head) == pytest.approx(0.5, abs=0.011)


def test_left_alone_no_place_is_out_of_reach() -> None:
    head = HeadPan()
    head.command((LOWER_LIMIT_RAD + UPPER_LIMIT_RAD) / 2 + math.pi, 1.0, PanMode.ACTIVE_CANCELLATION)
    settle(head)
    assert head.blocked
    head.command(0.0, 1.0, PanMode.PASSIVE)
    head.tick(TIMESTEP_S)
    assert not head.blocked


@pytest.mark.parametrize(("target", "limit"), [(9.0, 0.9064), (-9.0, -5.0952)])
def test_it_turns_as_far_as_the_published_joint(target: float, limit: float) -> None:
    head = HeadPan()
    head.command(target, 1.0)
    pan = settle(head)
    assert abs(pan) <= abs(limit)
    assert pan == pytest.approx(limit, abs=0.0101)


@pytest.mark.parametrize(("ratio", "speed"), [(1.0, 1.8), (7.0, 1.8), (0.5, 0.9), (0.0, 0.0), (-1.0, 0.0)])
def test_its_speed_is_a_share_of_the_published_one(ratio: float, speed: float) -> None:
    head = HeadPan()
    head.command(-3.0, ratio)
    for _ in range(round(1.0 / TIMESTEP_S)):
        head.tick(TIMESTEP_S)
    assert (head.speed, head.pan) == (pytest.approx(-speed), pytest.approx(-speed))


@pytest.mark.parametrize(("speed", "turns"), [(0.019, False), (0.021, True)])
def test_from_a_fiftieth_of_a_radian_a_second_on_it_turns(speed: float, turns: bool) -> None:
    head = HeadPan()
    head.command(-3.0, speed / 1.8)
    head.tick(TIMESTEP_S)
    assert head.is_turning is turns


def test_when_the_motors_go_off_it_stays_and_forgets_the_place() -> None:
    head = HeadPan()
    head.command((LOWER_LIMIT_RAD + UPPER_LIMIT_RAD) / 2 + math.pi, 1.0, PanMode.ACTIVE_CANCELLATION)
    head.tick(TIMESTEP_S)
    assert head.blocked
    head.halt()
    left = head.pan
    assert (head.mode, head.blocked, head.is_turning) == (PanMode.ACTIVE, False, False)
    assert settle(head, base_turn=1.0) == left
