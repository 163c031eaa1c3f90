"""What the robot believes of its body, against the body that it has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL, UPPER_LIMITS
from sim.dynamics import BodyModel
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


def test_motion_adds_to_the_torque_at_rest() -> None:
    body = BodyModel(Config())
    assert np.array_equal(body.model_torque(NEUTRAL, np.zeros(7)), body.gravity_torque(NEUTRAL))
    assert np.abs(body.model_torque(NEUTRAL, np.full(7, 1.0)) - body.gravity_torque(NEUTRAL)).max() > 0.05


def test_the_table_is_touched_only_where_it_is() -> None:
    body, home = BodyModel(Config()), np.array(Config().control.home_posture_rad)
    assert not body.touches_table(home)
    assert body.touches_table(home + np.array([0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0]))


def test_a_folded_arm_touches_itself() -> None:
    body = BodyModel(Config())
    shipping = np.array([0.0, -1.57, 0.0, 2.79, 0.0, -2.79, 3.3161])
    for clear in (NEUTRAL, shipping, np.zeros(7), np.array(Config().control.home_posture_rad)):
        assert not body.touches_itself(clear)
    # The shipping pose, folded 17 degrees further.
    folded = shipping + np.array([0.0, -0.3, 0.0, 0.24, 0.0, 0.0, 0.0])
    assert body.touches_itself(folded)
    assert body.collides(folded)
    assert not body.touches_table(folded)


def test_several_threads_may_ask_at_a_time() -> None:
    body = BodyModel(Config())
    asked = np.random.default_rng(0).uniform(LOWER_LIMITS, UPPER_LIMITS, (40, 7))
    alone = [body.collides(position) for position in asked]
    assert 0 < sum(alone) < len(alone)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(body.collides, np.tile(asked, (5, 1)))) == 5 * alone
