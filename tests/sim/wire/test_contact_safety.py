"""The robot's own reflex to a hard contact, and how a client turns it off."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config
from sim.contact import TablePressure
from sim.scenes import TIMESTEP_S
from sim.wire.contact_safety import HARD_CONTACT_N, PAUSE_S
from sim.wire.joint_command import CommandMode
from sim.wire.sawyer import Sawyer
from tests.sim.wire.messages import position, torque, velocity

HOME = np.array(Config().control.home_posture_rad)
INTO_THE_TABLE = position(right_j1=HOME[1] + 0.3)


def enabled() -> tuple[Sawyer, TablePressure]:
    """The arm at home, a few centimetres above the table."""
    sawyer = Sawyer(Config(), seed=0)
    sawyer.enable()
    return sawyer, TablePressure(sawyer.world)


def until_paused(sawyer: Sawyer, limit_s: float = 5.0) -> None:
    for _ in range(round(limit_s / TIMESTEP_S)):
        sawyer.step()
        if sawyer.controller.paused:
            return
    raise AssertionError("it never paused")


def test_pressure_is_the_torque_on_the_shoulder_over_its_lever() -> None:
    sawyer, pressure = enabled()
    assert pressure.newtons() == 0.0
    for _ in range(3000):
        sawyer.contact_safety.suppress()
        sawyer.command(torque(right_j1=6.0))
        sawyer.step()
    data = sawyer.world.data
    lever = np.linalg.norm((data.contact.pos - data.joint("right_j1").xanchor)[:, :2], axis=1).mean()
    # At rest now; what remains is the table's friction.
    assert pressure.newtons() == pytest.approx(6.0 / lever, rel=0.15)


def test_a_hard_contact_ends_the_motion_for_two_seconds_and_then_it_goes_on() -> None:
    sawyer, pressure = enabled()
    sawyer.command(INTO_THE_TABLE)
    until_paused(sawyer)
    rest = round(PAUSE_S / TIMESTEP_S)
    pressures = []
    for _ in range(rest - 1):
        sawyer.step()
        pressures.append(pressure.newtons())
        assert sawyer.controller.paused
    assert max(pressures[rest // 4 :]) < HARD_CONTACT_N
    # The target is still in force, so it presses, and pauses, again.
    after = []
    for _ in range(rest // 2):
        sawyer.step()
        after.append(pressure.newtons())
    assert max(after) > HARD_CONTACT_N
    assert sawyer.controller.paused


def test_a_repeated_suppression_lets_it_press() -> None:
    sawyer, pressure = enabled()
    sawyer.command(INTO_THE_TABLE)
    hardest = 0.0
    for step in range(2000):
        if step % 50 == 0:
            sawyer.contact_safety.suppress()
        sawyer.step()
        hardest = max(hardest, pressure.newtons())
        assert not sawyer.controller.paused
    assert hardest > 2 * HARD_CONTACT_N
    # A fifth of a second after the last message the reflex is back.
    until_paused(sawyer, 0.25)


def test_a_touch_that_is_not_hard_changes_nothing() -> None:
    sawyer, _ = enabled()
    sawyer.contact_safety.tick(HARD_CONTACT_N)
    assert not sawyer.controller.paused
    sawyer.contact_safety.tick(HARD_CONTACT_N + 0.1)
    assert sawyer.controller.paused


def test_silence_counts_while_it_pauses() -> None:
    sawyer, _ = enabled()
    while not sawyer.controller.paused:
        sawyer.command(velocity(right_j1=0.3))
        sawyer.step()
    for _ in range(round(0.3 / TIMESTEP_S)):
        sawyer.step()
    assert sawyer.controller.mode is CommandMode.POSITION


def test_motors_off_end_a_pause() -> None:
    sawyer, _ = enabled()
    sawyer.command(INTO_THE_TABLE)
    until_paused(sawyer)
    sawyer.disable()
    sawyer.place_arm(HOME)
    sawyer.enable()
    assert not sawyer.controller.paused


def test_a_hand_on_the_cuff_lifts_the_arm_out_of_a_pause() -> None:
    sawyer, _ = enabled()
    sawyer.command(INTO_THE_TABLE)
    until_paused(sawyer)
    height = sawyer.world.tool_position()[2]
    sawyer.io.panels.hold(frozenset({"right_cuff"}))
    sawyer.world.push_hand(np.array([0.0, 0.0, 15.0]))
    for _ in range(round(0.5 * PAUSE_S / TIMESTEP_S)):
        sawyer.step()
        assert not sawyer.controller.paused
    assert sawyer.world.tool_position()[2] > height + 0.02


def test_without_motors_there_is_no_reflex() -> None:
    sawyer, pressure = enabled()
    sawyer.disable()
    sawyer.place_arm(HOME + 0.12 * np.eye(7)[1])
    sawyer.world.push_hand(np.array([0.0, 0.0, -60.0]))
    hardest = 0.0
    for _ in range(100):
        sawyer.step()
        hardest = max(hardest, pressure.newtons())
        assert not sawyer.controller.paused
    assert hardest > 2 * HARD_CONTACT_N
    # With them the same pressure is one.
    sawyer.enable()
    until_paused(sawyer, 0.2)
