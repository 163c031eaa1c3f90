"""The robot without its cables: orders from other threads, contacts, head, and the evaluator's hands."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.kinematics import NEUTRAL
from sim.scenes import TIMESTEP_S
from sim.wire.head import LOWER_LIMIT_RAD, RATED_SPEED_RAD_S, HeadPan
from sim.wire.sawyer import Sawyer
from tests.sim.wire.messages import velocity


def test_orders_of_other_threads_come_in_order_before_the_next_step() -> None:
    sawyer, seen = Sawyer(Config(), seed=0), list[int]()
    threads = [
        threading.Thread(target=lambda: [sawyer.post(lambda i=i: seen.append(i)) for i in range(100)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not seen
    sawyer.step()
    assert sorted(seen) == sorted(4 * list(range(100)))


def test_snapshots_do_not_change() -> None:
    sawyer = Sawyer(Config(), seed=0)
    sawyer.enable()
    before = sawyer.snapshot(1.0)
    kept = before.position.copy()
    sawyer.command(velocity(right_j0=0.5))
    for _ in range(100):
        sawyer.step()
    assert np.array_equal(before.position, kept)
    assert sawyer.snapshot(2.0).position[0] > kept[0] + 0.05


def test_a_contact_with_the_table_is_told() -> None:
    sawyer = Sawyer(Config(), seed=0)
    sawyer.enable()
    sawyer.step()
    assert not sawyer.snapshot(0.0).collided
    touched = False
    for step in range(1500):
        if step % 50 == 0:
            sawyer.command(velocity(right_j1=0.2))
        sawyer.step()
        touched = touched or sawyer.snapshot(0.0).collided
    assert touched


@pytest.mark.parametrize("enabled", [False, True])
def test_the_evaluators_hand_puts_the_arm_down_and_it_stays(enabled: bool) -> None:
    sawyer = Sawyer(Config(), seed=0)
    if enabled:
        sawyer.enable()
        sawyer.command(velocity(right_j0=0.5))
        sawyer.step()
    sawyer.place_arm(NEUTRAL)
    for _ in range(500):
        sawyer.step()
    assert sawyer.snapshot(0.0).position == pytest.approx(NEUTRAL, abs=1e-3)


def test_the_head_turns_at_its_share_of_speed_while_enabled() -> None:
    sawyer = Sawyer(Config(sim=SimConfig(scene="push")), seed=0)
    sawyer.turn_head(-1.0, 0.5)
    sawyer.step()
    assert sawyer.head.pan == 0.0
    sawyer.enable()
    sawyer.turn_head(-1.0, 0.5)
    for _ in range(250):
        sawyer.step()
    assert sawyer.head.pan == pytest.approx(-0.5 * 0.5 * RATED_SPEED_RAD_S, abs=1e-6)
    assert sawyer.head.is_turning
    sawyer.disable()
    stopped = sawyer.head.pan
    for _ in range(250):
        sawyer.step()
    assert sawyer.head.pan == stopped


def test_a_head_target_is_clamped_and_reached_within_the_deadband() -> None:
    head = HeadPan()
    head.command(-9.0, 7.0)
    for _ in range(round(4.0 / TIMESTEP_S)):
        head.tick(TIMESTEP_S)
    assert head.pan == pytest.approx(LOWER_LIMIT_RAD, abs=0.0101)
    assert not head.is_turning


def test_a_contact_of_one_step_is_told_in_one_report_of_a_hundred_a_second() -> None:
    sawyer = Sawyer(Config(), seed=0)
    sawyer.feel_contact()
    told = []
    for _ in range(15):
        sawyer.step()
        told.append(sawyer.snapshot(0.0).collided)
    assert told == [True] * 5 + [False] * 10
