"""A hand on the cuff: the arm follows it, forgets its orders, and stays where it is left; never without power."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.datatypes import Floats
from robot_rig.kinematics import NEUTRAL
from sim.wire.sawyer import Sawyer
from tests.sim.wire.messages import position, velocity

CUFF = frozenset({"right_cuff"})
SIDEWAYS = np.array([0.0, 8.0, 0.0])


@pytest.fixture
def sawyer() -> Sawyer:
    robot = Sawyer(Config(sim=SimConfig(payload_error_kg=0.0)), seed=0)
    robot.place_arm(NEUTRAL)
    robot.enable()
    return robot


def steps(robot: Sawyer, seconds: float) -> Floats:
    for _ in range(round(seconds / 0.002)):
        robot.step()
    return robot.world.tool_position()


def test_a_squeezed_arm_is_dragged_and_stays_where_it_is_left(sawyer: Sawyer) -> None:
    begin = steps(sawyer, 0.1)
    sawyer.io.panels.hold(CUFF)
    sawyer.world.push_hand(SIDEWAYS)
    steps(sawyer, 0.5)
    sawyer.world.push_hand(np.zeros(3))
    sawyer.io.panels.hold(frozenset())
    left = steps(sawyer, 0.5)
    assert left[1] - begin[1] > 0.05
    assert np.linalg.norm(steps(sawyer, 1.0) - left) < 1e-3


def test_an_arm_that_nobody_squeezes_holds_against_the_same_push(sawyer: Sawyer) -> None:
    begin = steps(sawyer, 0.1)
    sawyer.world.push_hand(SIDEWAYS)
    assert np.linalg.norm(steps(sawyer, 0.5) - begin) < 0.01


def test_it_floats_and_does_not_fall(sawyer: Sawyer) -> None:
    begin = steps(sawyer, 0.1)
    sawyer.io.panels.hold(CUFF)
    assert np.linalg.norm(steps(sawyer, 1.0) - begin) < 0.005


def test_orders_wait_for_the_hand_and_are_forgotten(sawyer: Sawyer) -> None:
    sawyer.command(position(right_j0=1.0))
    sawyer.step()
    sawyer.io.panels.hold(CUFF)
    steps(sawyer, 0.3)
    begin = sawyer.world.joint_position()
    for _ in range(50):
        sawyer.command(velocity(right_j0=0.5))
        sawyer.step()
    sawyer.io.panels.hold(frozenset())
    steps(sawyer, 1.0)
    assert np.abs(sawyer.world.joint_position() - begin).max() < 0.05
    sawyer.command(velocity(right_j0=0.5))
    steps(sawyer, 0.15)
    assert sawyer.world.joint_velocity()[0] == pytest.approx(0.5, abs=0.1)


def test_a_suppressed_cuff_does_nothing_for_a_fifth_of_a_second(sawyer: Sawyer) -> None:
    begin = steps(sawyer, 0.1)
    sawyer.io.panels.hold(CUFF)
    sawyer.world.push_hand(SIDEWAYS)
    for _ in range(5):
        sawyer.zero_g.suppress()
        held = steps(sawyer, 0.1)
    assert np.linalg.norm(held - begin) < 0.01
    assert steps(sawyer, 0.7)[1] - begin[1] > 0.05


@pytest.mark.parametrize("end", ["disable", "stop", "press_button", "fault"])
def test_letting_go_of_the_cuff_never_opens_the_brakes(sawyer: Sawyer, end: str) -> None:
    sawyer.io.panels.hold(CUFF)
    steps(sawyer, 0.1)
    getattr(sawyer, end)()
    sawyer.io.panels.hold(frozenset())
    begin = steps(sawyer, 0.2)
    sawyer.command(velocity(right_j0=0.5))
    assert np.linalg.norm(steps(sawyer, 0.3) - begin) < 1e-3
    assert not sawyer.state.enabled


def test_no_timeout_of_commands_ends_the_floating(sawyer: Sawyer) -> None:
    sawyer.controller.set_timeout(0.0)
    begin = steps(sawyer, 0.1)
    sawyer.io.panels.hold(CUFF)
    sawyer.world.push_hand(SIDEWAYS)
    assert steps(sawyer, 0.5)[1] - begin[1] > 0.05


def test_letting_go_holds_at_once_however_long_commands_may_stay_away(sawyer: Sawyer) -> None:
    sawyer.controller.set_timeout(1.0)
    sawyer.io.panels.hold(CUFF)
    steps(sawyer, 0.1)
    sawyer.io.panels.hold(frozenset())
    begin = steps(sawyer, 0.01)
    sawyer.world.push_hand(SIDEWAYS)
    assert np.linalg.norm(steps(sawyer, 0.5) - begin) < 0.01
