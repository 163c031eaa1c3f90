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
from tests.safety.recorder import Recorder

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


def broken(rng: np.random.Generator) -> Adversary:
    """Throws joints about and is now and then, for a while, no sane controller at all."""
    bangs, until, garbage = joint_bangs(rng), 0, np.zeros(7)

    def wish(tick: int, position: Floats) -> Floats:
        nonlocal until, garbage
        if tick % 50 == 0:
            until, garbage = tick + int(rng.integers(0, 8)), rng.choice([np.nan, np.inf, 1e9, -101.0], 7)
        return garbage if tick < until else bangs(tick, position)

    return wish


ADVERSARIES = {"outward": outward, "joint bangs": joint_bangs, "noise": noise, "broken": broken}


def siege(
    bench: GateBench, arm: IntegratedArm, wish: Adversary, ticks: int, mode: Mode, witness: Recorder
) -> Counter[str]:
    """Run the adversary before a `witness`, who alone judges; the reasons that the gate gave."""
    seen: Counter[str] = Counter()
    for tick in range(ticks):
        told = arm.position.copy()
        command = bench.follow(arm, wish(tick, told), mode)
        seen.update(command.verdict.reasons)
        assert command.verdict.outcome is not Outcome.LATCHED, command.verdict
        witness.record(told, command.command.velocity, arm.position)
        assert not witness.breaches, (tick, witness.breaches, witness.most)
    return seen


def witness_of(mode: Mode, guard: GuardConfig | None = None) -> Recorder:
    """A recorder that knows the speed which `mode` permits and the keep-outs that a person has configured."""
    return Recorder(0.25 if mode is Mode.ACTIVE else 0.10, KINEMATICS, guard.keep_outs if guard else ())


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_the_arm_stays_inside_for_ten_thousand_ticks(adversary: str, plant: str) -> None:
    delay, lag = PLANTS[plant]
    seen: Counter[str] = Counter()
    for run, mode in enumerate((Mode.ACTIVE, Mode.HOMING)):
        arm = IntegratedArm(HOME, delay, lag)
        rng = np.random.default_rng([run, delay])
        seen += siege(GateBench(), arm, ADVERSARIES[adversary](rng), 600, mode, witness_of(mode))
    assert seen["box"]
    assert seen["slew"]


@pytest.mark.proof
@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_the_arm_stays_inside_for_a_million_ticks(adversary: str, plant: str) -> None:
    delay, lag = PLANTS[plant]
    commands, most = 0, dict.fromkeys(("tool speed", "change", "outside the box"), -1.0)
    for run in range(42):
        arm, mode = IntegratedArm(HOME, delay, lag), (Mode.ACTIVE, Mode.HOMING)[run % 2]
        witness = witness_of(mode)
        siege(GateBench(), arm, ADVERSARIES[adversary](np.random.default_rng([run, delay, 7])), 2000, mode, witness)
        commands += witness.commands
        most = {what: max(value, witness.most[what]) for what, value in most.items()}
    assert commands == 84_000
    # An adversary that never came near a bound would prove nothing.
    assert most["tool speed"] > 0.95
    assert most["change"] > 0.95
    assert most["outside the box"] > (-0.05 if adversary == "noise" else -0.005)


def test_keep_out_boxes_hold_against_links_and_tip() -> None:
    guard = GuardConfig(keep_outs=(((0.55, 0.12, 0.0), (0.7, 0.3, 0.2)), ((0.3, -0.4, 0.3), (0.5, -0.25, 0.6))))
    bench = GateBench(guard)
    witness = witness_of(Mode.HOMING, guard)
    seen = siege(bench, IntegratedArm(HOME), outward(np.random.default_rng(4)), 1000, Mode.HOMING, witness)
    late, witness = IntegratedArm(HOME, 8), witness_of(Mode.HOMING, guard)
    seen += siege(GateBench(guard), late, joint_bangs(np.random.default_rng(5)), 1000, Mode.HOMING, witness)
    assert seen["keep_out"]


@pytest.mark.parametrize(
    ("what", "sent", "moved"),
    [
        ("tool speed", tool_wish(y=0.1003), np.zeros(7)),
        ("joint speed", np.eye(7)[6] * 1.21, np.zeros(7)),
        ("change", np.eye(7)[6] * 0.081, np.zeros(7)),
        ("not a number", np.full(7, np.nan), np.zeros(7)),
        ("outside the box", np.zeros(7), np.eye(7)[0] * 0.35),
        ("beyond a joint", np.zeros(7), np.eye(7)[6] * 2.0),
        ("in the table", np.zeros(7), np.eye(7)[1] * 0.6),
        ("in a keep-out", np.zeros(7), np.eye(7)[0] * 0.25),
    ],
)
def test_the_witness_notices_each_breach(what: str, sent: Floats, moved: Floats) -> None:
    guard = GuardConfig(keep_outs=(((0.55, 0.12, 0.0), (0.7, 0.3, 0.2)),))
    witness = witness_of(Mode.HOMING, guard)
    witness.record(HOME, np.zeros(7), HOME)
    assert not witness.breaches, witness.most
    witness.record(HOME, sent, HOME + moved)
    assert witness.breaches[what] == 1


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
