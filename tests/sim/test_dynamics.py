"""What the robot believes of its body, against the body that it has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import mujoco
import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import JOINT_NAMES
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL, UPPER_LIMITS, Kinematics
from sim.dynamics import BodyModel
from sim.wire.urdf import robot_description
from sim.world import World


def test_gravity_torque_is_what_the_world_gives_to_hold_still() -> None:
    world, body = World(Config(), seed=0), BodyModel(Config())
    for position in (NEUTRAL, np.array(Config().control.home_posture_rad)):
        world.teleport(position)
        world.advance(1.0)
        assert body.gravity_torque(position) == pytest.approx(world.joint_effort(), abs=0.05)
        assert world.compensation_torque() == pytest.approx(world.joint_effort(), abs=0.05)


def test_gravity_torque_is_the_gradient_of_potential_energy() -> None:
    body, step = BodyModel(Config()), 1e-5
    model, data = body._model, body._data

    def energy(position: np.ndarray) -> float:
        body.gravity_torque(position)
        return float(-(model.body_mass[:, None] * data.xipos @ model.opt.gravity).sum())

    for position in np.random.default_rng(0).uniform(0.5 * LOWER_LIMITS, 0.5 * UPPER_LIMITS, (5, 7)):
        gradient = [(energy(position + d) - energy(position - d)) / (2 * step) for d in step * np.eye(7)]
        assert body.gravity_torque(position) == pytest.approx(gradient, abs=1e-4)


def test_it_does_not_know_of_the_payload_error() -> None:
    heavy = BodyModel(Config(sim=SimConfig(payload_error_kg=0.3)))
    assert heavy.gravity_torque(NEUTRAL) == pytest.approx(BodyModel(Config()).gravity_torque(NEUTRAL), abs=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tool": {"mass_kg": 1.5}},
        {"tool": {"kind": "custom", "mass_kg": 0.2}},
        {"tool": {"kind": "custom", "mass_kg": 0}},
        {"tool": {"kind": "none", "mass_kg": 0}, "control": {"tool_offset_m": 0}},
    ],
)
def test_the_tool_weighs_what_the_description_says(settings: dict[str, Any]) -> None:
    config = Config.model_validate(settings)
    described = mujoco.MjModel.from_xml_string(robot_description(config))
    data = mujoco.MjData(described)
    for position in (NEUTRAL, np.array(config.control.home_posture_rad)):
        for name, angle in zip(JOINT_NAMES, position, strict=True):
            data.joint(name).qpos = angle
        mujoco.mj_forward(described, data)
        weight = [data.joint(name).qfrc_bias[0] for name in JOINT_NAMES]
        assert BodyModel(config).gravity_torque(position) == pytest.approx(weight, abs=2e-4)


def test_motion_adds_to_the_torque_at_rest() -> None:
    body = BodyModel(Config())
    assert np.array_equal(body.model_torque(NEUTRAL, np.zeros(7)), body.gravity_torque(NEUTRAL))
    assert np.abs(body.model_torque(NEUTRAL, np.full(7, 1.0)) - body.gravity_torque(NEUTRAL)).max() > 0.05


def test_a_robot_does_not_know_of_the_table() -> None:
    world, body = World(Config(), seed=0), BodyModel(Config())
    in_the_table = np.array(Config().control.home_posture_rad) + np.array([0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0])
    world.teleport(in_the_table)
    world.advance(0.01)
    assert world.touches_table()
    assert not body.collides(in_the_table)


def test_a_folded_arm_collides() -> None:
    body = BodyModel(Config())
    shipping = np.array([0.0, -1.57, 0.0, 2.79, 0.0, -2.79, 3.3161])
    for clear in (NEUTRAL, shipping, np.zeros(7), np.array(Config().control.home_posture_rad)):
        assert not body.collides(clear)
    # The shipping pose, folded 17 degrees further.
    folded = shipping + np.array([0.0, -0.3, 0.0, 0.24, 0.0, 0.0, 0.0])
    assert body.collides(folded)


@pytest.mark.parametrize("lowered", [(0.0, 1.5, 0.0, -1.5, 0.0, 0.0, 3.3), (2.5, 1.2, 0.0, -1.8, 0.0, 0.0, 3.3)])
def test_an_elbow_inside_the_pedestal_touches_it(lowered: tuple[float, ...]) -> None:
    # The forearm is bent away from the pedestal; the elbow is 11 and 3 cm inside.
    assert BodyModel(Config()).collides(np.array(lowered))


def test_postures_in_which_a_robot_works_are_clear() -> None:
    config, body = Config(), BodyModel(Config())
    home, kinematics = np.array(config.control.home_posture_rad), Kinematics(config.control.tool_offset_m)
    # Gazebo's first pose, the predecessor's reset, the SDK's examples of FK and IK.
    assert not body.collides(np.array([-0.27, 1.05, 0.0, 0.49, -0.08, -0.06, 0.027]))
    assert not body.collides(np.array([0.1526, 0.9144, -2.0259, 1.6648, -2.4172, 1.1500, -2.4770]))
    assert not body.collides(np.array([0.763331, 0.415979, -1.728629, 1.482985, -1.135621, -1.674347, -0.496337]))
    assert not body.collides(np.array([0.7, 0.4, -1.7, 1.4, -1.1, -1.6, -0.4]))
    for corner in product(*zip(config.guard.box_low_m, config.guard.box_high_m, strict=True)):
        posture = solve_position(kinematics, np.array(corner), TOOL_DOWN, home)
        assert not body.collides(posture)


def test_several_threads_may_ask_at_a_time() -> None:
    body = BodyModel(Config())
    asked = np.random.default_rng(0).uniform(LOWER_LIMITS, UPPER_LIMITS, (40, 7))
    alone = [body.collides(position) for position in asked]
    assert 0 < sum(alone) < len(alone)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(body.collides, np.tile(asked, (5, 1)))) == 5 * alone
