"""An adversary at the controls of a kinematic arm: whatever it tries, tip, joints and links stay where they may be.

The plant is an integrator, bare or with up to the identified delay, so that these laws hold for the delay the guard is
told about. Nothing here is a claim about a real arm's dynamics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from robot_rig.config import GuardConfig
from robot_rig.datatypes import Floats, Mode, Outcome
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS
from tests.integrated_arm import IntegratedArm
from tests.safety.gate_bench import HOME, KINEMATICS, GateBench, tool_wish

Adversary = Callable[[int, Floats], Floats]
PLANTS = {"at once": (0, 0.0), "80 ms late": (8, 0.0), "lagging 50 ms": (2, 0.05)}


def outward(rng: np.random.Generator) -> Adversary:
    """Drives the tip at full speed towards one corner or face after another."""
    aim = np.zeros(3)

    def wish(tick: int, position: Floats) -> Floats:
        nonlocal aim
        if tick % 60 == 0:
            aim = rng.choice([-1.0, 0.0, 1.0], 3) * rng.choice([0.1, 0.25, 1.0])
        return tool_wish(*aim, position=position)

    return wish


def joint_bangs(rng: np.random.Generator) -> Adversary:
    """Throws random joints at random speeds, kept for a random while."""
    thrown = np.zeros(7)
    until = 0

    def wish(tick: int, position: Floats) -> Floats:
        nonlocal thrown, until
        if tick >= until:
            thrown = rng.choice([-1.0, 0.0, 1.0], 7) * rng.choice([0.2, 1.0, 5.0, 50.0])
            until = tick + int(rng.integers(1, 80))
        return thrown

    return wish


def noise(rng: np.random.Generator) -> Adversary:
    """A new random wish each tick, sometimes in the way that no task feels."""

    def wish(tick: int, position: Floats) -> Floats:
        if tick // 100 % 2:
            null = np.linalg.svd(KINEMATICS.pose(position).jacobian)[2][-1]
            return null * rng.choice([-3.0, 3.0])
        return rng.normal(0.0, 2.0, 7)

    return wish


ADVERSARIES = {"outward": outward, "joint bangs": joint_bangs, "noise": noise}


def siege(bench: GateBench, arm: IntegratedArm, wish: Adversary, ticks: int, mode: Mode) -> Counter[str]:
    """Run the adversary and check tip, joints and links after every tick; the reasons seen."""
    limits = bench.limits
    seen: Counter[str] = Counter()
    for tick in range(ticks):
        command = bench.follow(arm, wish(tick, arm.position), mode)
        seen.update(command.verdict.reasons)
        assert command.verdict.outcome is not Outcome.LATCHED, command.verdict
        pose = KINEMATICS.pose(arm.position)
        out = np.maximum(limits.box_low - pose.tool, pose.tool - limits.box_high).max()
        assert out <= 0.005, (tick, pose.tool)
        assert arm.joint_margin > 0.0, tick
        assert (pose.spheres[:, 2] - pose.radii).min() > 0.0, tick
        for low, high in limits.keep_outs:
            points = np.vstack([pose.spheres, pose.tool])
            gap = points - np.minimum(np.maximum(points, low), high)
            assert (np.sqrt((gap * gap).sum(axis=1)) > np.append(pose.radii, 0.0) - 0.005).all(), tick
    return seen


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_the_arm_stays_inside_for_ten_thousand_ticks(adversary: str, plant: str) -> None:
    delay, lag = PLANTS[plant]
    seen: Counter[str] = Counter()
    for run, mode in enumerate((Mode.ACTIVE, Mode.HOMING)):
        arm = IntegratedArm(HOME, delay, lag)
        rng = np.random.default_rng([run, delay])
        seen += siege(GateBench(), arm, ADVERSARIES[adversary](rng), 600, mode)
    assert seen["box"]
    assert seen["slew"]


@pytest.mark.proof
@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_the_arm_stays_inside_for_a_million_ticks(adversary: str, plant: str) -> None:
    delay, lag = PLANTS[plant]
    for run in range(56):
        arm = IntegratedArm(HOME, delay, lag)
        rng = np.random.default_rng([run, delay, 7])
        siege(GateBench(), arm, ADVERSARIES[adversary](rng), 2000, (Mode.ACTIVE, Mode.HOMING)[run % 2])


def test_keep_out_boxes_hold_against_links_and_tip() -> None:
    guard = GuardConfig(keep_outs=(((0.55, 0.12, 0.0), (0.7, 0.3, 0.2)), ((0.3, -0.4, 0.3), (0.5, -0.25, 0.6))))
    bench = GateBench(guard)
    seen = siege(bench, IntegratedArm(HOME), outward(np.random.default_rng(4)), 1000, Mode.HOMING)
    seen += siege(GateBench(guard), IntegratedArm(HOME, 8), joint_bangs(np.random.default_rng(5)), 1000, Mode.HOMING)
    assert seen["keep_out"]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("delay", [0, 8])
def test_no_joint_reaches_its_limit(joint: int, sign: float, delay: int) -> None:
    """From next to each limit, straight at it, wherever the tool then is."""
    bench = GateBench()
    start = HOME.copy()
    start[joint] = (UPPER_LIMITS if sign > 0 else LOWER_LIMITS)[joint] - sign * 0.35
    arm = IntegratedArm(start, delay)
    wish = np.zeros(7)
    wish[joint] = sign * 3.0
    for _ in range(150):
        command = bench.follow(arm, wish, Mode.HOMING)
        assert command.verdict.outcome is not Outcome.LATCHED
        left = sign * ((UPPER_LIMITS if sign > 0 else LOWER_LIMITS)[joint] - arm.position[joint])
        assert left > 0.05 - 0.002


def low_posture(rng: np.random.Generator) -> Floats:
    """A random posture with some link a hand's breadth above the table."""
    while True:
        position = rng.uniform(0.9 * LOWER_LIMITS, 0.9 * UPPER_LIMITS)
        pose = KINEMATICS.pose(position)
        if 0.08 < (pose.spheres[:, 2] - pose.radii).min() < 0.15 and pose.tool[2] > 0.1:
            return position


@pytest.mark.parametrize("delay", [0, 8])
@pytest.mark.parametrize("seed", range(4))
def test_no_link_reaches_the_table(seed: int, delay: int) -> None:
    """The adversary always pushes the lowest link down."""
    bench, arm = GateBench(), IntegratedArm(low_posture(np.random.default_rng(seed)), delay)
    seen: Counter[str] = Counter()
    for _ in range(250):
        pose = KINEMATICS.pose(arm.position)
        lowest = (pose.spheres[:, 2] - pose.radii).argmin()
        command = bench.follow(arm, -5.0 * pose.sphere_jacobians[lowest, 2], Mode.HOMING)
        seen.update(command.verdict.reasons)
        pose = KINEMATICS.pose(arm.position)
        assert (pose.spheres[:, 2] - pose.radii).min() > 0.005
    assert seen["table"] or seen["box"]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_an_arm_outside_its_box_may_come_back_but_not_go_further(axis: int, side: float) -> None:
    guard = GuardConfig(box_low_m=(0.62, -0.03, 0.04), box_high_m=(0.68, 0.03, 0.08))
    inwards, outwards = np.zeros(3), np.zeros(3)
    inwards[axis], outwards[axis] = -side * 0.05, side * 0.05
    start = HOME.copy()
    walk = IntegratedArm(start)
    for _ in range(160):
        walk.move(tool_wish(*(outwards), position=walk.position))
    outside = KINEMATICS.pose(walk.position).tool
    bench, arm = GateBench(guard), IntegratedArm(walk.position)
    for _ in range(50):
        bench.follow(arm, tool_wish(*outwards, position=arm.position), Mode.HOMING)
    assert side * (KINEMATICS.pose(arm.position).tool - outside)[axis] <= 1e-4
    for _ in range(250):
        command = bench.follow(arm, tool_wish(*inwards, position=arm.position), Mode.HOMING)
    tool = KINEMATICS.pose(arm.position).tool
    assert (tool >= bench.limits.box_low - 1e-3).all()
    assert (tool <= bench.limits.box_high + 1e-3).all()
    assert command.verdict.outcome is not Outcome.LATCHED


def test_along_a_wall_only_the_outward_part_goes() -> None:
    bench, arm = GateBench(), IntegratedArm(HOME)
    for _ in range(150):
        bench.follow(arm, tool_wish(y=0.2, position=arm.position))
    at_wall = KINEMATICS.pose(arm.position)
    for _ in range(40):
        bench.follow(arm, tool_wish(x=-0.15, y=0.15, position=arm.position))
    pose = KINEMATICS.pose(arm.position)
    assert pose.tool[0] - at_wall.tool[0] < -0.05
    assert pose.tool[1] == pytest.approx(0.2, abs=0.003)
    assert pose.tool[2] == pytest.approx(at_wall.tool[2], abs=0.001)
    assert np.abs(pose.rotation - at_wall.rotation).max() < 0.005
