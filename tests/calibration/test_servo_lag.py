"""How far the twin's joints trail is found, and which setting of the simulator does the same."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.latency import wiggle
from calibration.servo_lag import SIM_LAGS_S, SIM_TRAILS_S, identify_trail, simulated_lag
from robot_rig.config import Config, FlawsConfig
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from sim.world import World

TICK_S, WITHIN_S = 0.01, 0.004


def recorded(lag_s: float, seconds: float = 6.0, along: int = 1) -> tuple[Floats, Floats, Floats]:
    """(times, commands (N, 7), positions (N, 7)) of the twin that wiggles along an axis of base."""
    config = Config(flaws=FlawsConfig(servo_lag_s=lag_s))
    world, arm = World(config, seed=0), Kinematics(config.control.tool_offset_m)
    at, sent, position = [], [], []
    for tick in range(round(seconds / TICK_S)):
        pose = arm.pose(world.joint_position())
        twist = np.zeros(6)
        twist[along] = 0.1 * wiggle(tick * TICK_S)
        velocity = np.linalg.lstsq(pose.jacobian, twist, rcond=None)[0]
        at.append(world.now())
        sent.append(velocity)
        position.append(world.joint_position())
        world.set_joint_velocity_target(velocity, 0.2)
        world.advance(TICK_S)
    return np.array(at), np.array(sent), np.array(position)


@pytest.mark.parametrize(("lag_s", "trail_s"), list(zip(SIM_LAGS_S, SIM_TRAILS_S, strict=True)))
def test_the_table_is_what_the_twin_does(lag_s: float, trail_s: float) -> None:
    at, sent, position = recorded(lag_s)
    assert identify_trail(at, sent, at, position).seconds == pytest.approx(trail_s, abs=WITHIN_S)


@pytest.mark.parametrize(("lag_s", "along"), [(0.035, 1), (0.075, 0)])
def test_the_setting_that_an_arm_was_made_with_is_found_again(lag_s: float, along: int) -> None:
    at, sent, position = recorded(lag_s, along=along)
    noisy = position + 2e-5 * np.random.default_rng(3).standard_normal(position.shape)
    assert simulated_lag(identify_trail(at, sent, at, noisy).seconds) == pytest.approx(lag_s, abs=0.006)


def test_reports_that_come_late_count_as_trailing() -> None:
    at, sent, position = recorded(0.0)
    prompt, late = (identify_trail(at, sent, at + delay, position).seconds for delay in (0.0, 0.02))
    assert late - prompt == pytest.approx(0.02, abs=0.001)


def test_joints_that_hardly_move_do_not_count() -> None:
    at = np.arange(0.0, 6.0, TICK_S)
    sent, position = np.zeros((len(at), JOINTS)), np.zeros((len(at), JOINTS))
    speed = np.array([wiggle(time) for time in at.tolist()])
    for joint, (size, late) in {0: (1.0, 3), 4: (0.8, 5), 6: (0.1, 20)}.items():
        sent[:, joint] = size * speed
        position[:, joint] = np.roll(np.append(0.0, np.cumsum(TICK_S * sent[:-1, joint])), late)
        position[:late, joint] = 0.0
    trail = identify_trail(at, sent, at, position)
    assert set(trail.joints) == {0, 4}
    assert trail.joints[0] == pytest.approx(0.03, abs=0.001)
    assert trail.joints[4] == pytest.approx(0.05, abs=0.001)
    assert 0.03 < trail.seconds < 0.05


def test_an_arm_that_does_not_follow_is_refused() -> None:
    at, sent, position = recorded(0.0, seconds=3.0)
    with pytest.raises(UserError, match="no joint moved"):
        identify_trail(at, 0.0 * sent, at, position)
    elsewhere = np.cumsum(0.001 * np.random.default_rng(2).standard_normal(position.shape), axis=0)
    with pytest.raises(UserError, match="do not move as they were commanded"):
        identify_trail(at, sent, at, elsewhere)


@pytest.mark.parametrize("late", [-0.1, 0.32, 0.4])
def test_a_trail_beyond_those_that_are_sought_is_refused(late: float) -> None:
    at = np.arange(0.0, 12.0, TICK_S)
    sent, position = np.zeros((2, len(at), JOINTS))
    sent[:, 0] = [wiggle(time) for time in at.tolist()]
    position[:, 0] = np.interp(at - late, at, np.cumsum(TICK_S * sent[:, 0]))
    with pytest.raises(UserError, match=r"j0 trails its path by more than 0\.3 s"):
        identify_trail(at, sent, at, position)


def test_what_the_simulator_cannot_do_is_its_nearest() -> None:
    assert simulated_lag(-0.01) == 0.0
    assert simulated_lag(0.3) == 0.1
