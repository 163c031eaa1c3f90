"""The rig in one process: it continues bit for bit, stays in its box, says truly what it did, and hides its joints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.config_files import load_config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import JOINTS, Action, Executed, Floats, Frame, Outcome, Source, Step
from robot_rig.errors import GuardStoppedError, UserError
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.safety.modes import HELD_LIMIT_S
from sim.rig import SimRig
from sim.scenes import PUCK_START_M
from tests.data.episodes import NO_LIMIT

CONFIG = Config()
PERIOD = 1.0 / CONFIG.control.policy_rate_hz
LAG_M = 0.007
"""What the arm's delay may shift from one step into the next: the tool at full speed goes so far in 41 ms."""


@pytest.fixture
def rig() -> Iterator[SimRig]:
    made = SimRig(CONFIG, 0)
    yield made
    made.close()


def act(rig: SimRig, value: tuple[float, float], frame_age: float = 0.0) -> Executed:
    frame = rig.look()
    wish = np.array(value, np.float32)
    return rig.act(Action(frame.seq, rig.now(), wish, Source.POLICY, frame.seq, frame.stamp - frame_age))


def policy_loop() -> PolicyLoop:
    return PolicyLoop(CONFIG.guard.image_age_limit_s, 1.0 / CONFIG.control.policy_rate_hz, CONFIG.control.lag_s)


def randomly(rig: SimRig, steps: int, seed: int, loop: PolicyLoop) -> list[Step]:
    """Random play; a rig takes rising action numbers only, so one `loop` goes with it for all its life."""
    policy = RandomPolicy(CONFIG.collect.ou_theta, CONFIG.collect.ou_sigma, 2, seed)
    return list(play(rig, loop, policy, None, Source.RANDOM, steps))


def everything(steps: list[Step]) -> list[tuple[object, ...]]:
    return [
        (s.frame.seq, s.frame.stamp, s.frame.rgb.tobytes(), s.executed.value.tobytes(), s.executed.position.tobytes())
        for s in steps
    ]


def test_a_rig_at_rest_continues_bit_for_bit(rig: SimRig) -> None:
    loop = policy_loop()
    randomly(rig, 15, 3, loop)
    rig.rest()
    saved = {name: value.copy() for name, value in rig.state().items()}
    straight = everything(randomly(rig, 15, 4, loop))
    assert len({pictures for _, _, pictures, *_ in straight}) == 15

    other = SimRig(CONFIG, 0)
    randomly(other, 5, 9, policy_loop())
    other.load_state(saved)
    assert everything(randomly(other, 15, 4, policy_loop())) == straight
    other.close()
    rig.load_state(saved)
    assert everything(randomly(rig, 15, 4, loop)) == straight
    assert everything(randomly(rig, 15, 4, loop)) != straight


def test_what_the_guard_ends_while_the_arm_rests_is_told_as_such_on_its_way_home(rig: SimRig) -> None:
    """As when the tip slides off a thing onto the table between two episodes; a person's reset lets it go on."""
    start = rig.state()
    tool = np.array([0.65, 0.1, 0.001])
    rig.world.teleport(solve_position(rig.kinematics, tool, TOOL_DOWN, np.array(CONFIG.control.home_posture_rad)))
    rig.rest()
    with pytest.raises(GuardStoppedError, match="fault: collision"):
        rig.home()
    rig.load_state(start)
    rig.home()


def test_state_survives_the_run_folder_as_plain_bytes(rig: SimRig) -> None:
    assert {value.dtype for value in rig.state().values()} == {np.dtype(np.uint8)}


def test_once_stale_pictures_have_led_to_hold_nothing_moves_however_fresh(rig: SimRig) -> None:
    stale = CONFIG.guard.image_age_limit_s + 0.1
    place = rig.world.tool_position()
    held = act(rig, (1.0, 0.0), stale)
    assert held.outcome is Outcome.HELD
    assert held.value.tolist() == [0.0, 0.0]
    for _ in range(round(HELD_LIMIT_S / PERIOD) - 2):
        act(rig, (1.0, 0.0), stale)
    with pytest.raises(UserError, match="guard went to hold: lapsed, image_stale"):
        [act(rig, (1.0, 0.0), stale) for _ in range(3)]
    for _ in range(3):
        with pytest.raises(UserError, match="guard went to hold"):
            act(rig, (1.0, 1.0))
    assert np.linalg.norm(rig.world.tool_position() - place) < 1e-4


def test_what_is_no_number_moves_nothing(rig: SimRig) -> None:
    place = rig.world.tool_position()
    for value in (np.nan, np.inf):
        executed = act(rig, (value, 1.0))
        assert executed.outcome is Outcome.HELD
        assert executed.value.tolist() == [0.0, 0.0]
    assert np.linalg.norm(rig.world.tool_position() - place) < 1e-4


def test_home_arrives_from_anywhere_in_the_box_and_rests(rig: SimRig) -> None:
    for corner in ((1.0, 1.0), (-1.0, -1.0)):
        for _ in range(15):
            act(rig, corner)
        assert np.linalg.norm(rig.world.tool_position()[:2] - CONFIG.control.home_tool_m[:2]) > 0.05
        rig.home()
        assert np.linalg.norm(rig.world.tool_position() - CONFIG.control.home_tool_m) < 0.005
        assert np.abs(rig.world.joint_velocity()).max() < 1e-3
        act(rig, (0.1, 0.0))


def test_rest_ends_motion_and_takes_time(rig: SimRig) -> None:
    for _ in range(4):
        act(rig, (0.0, 1.0))
    assert np.abs(rig.world.joint_velocity()).max() > 0.05
    before = rig.now()
    rig.rest()
    assert rig.now() > before
    place = rig.world.tool_position()
    assert np.abs(rig.world.joint_velocity()).max() < 0.01
    rig.rest()
    assert np.linalg.norm(rig.world.tool_position() - place) < 5e-4


@pytest.mark.parametrize("value", [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), None])
def test_nothing_a_policy_asks_for_leaves_the_box_by_5_mm(rig: SimRig, value: tuple[float, float] | None) -> None:
    low, high = np.array(CONFIG.guard.box_low_m), np.array(CONFIG.guard.box_high_m)
    policy = RandomPolicy(CONFIG.collect.ou_theta, 2.0, 2, seed=5)
    walls = 0
    for _ in range(40 if value else 150):
        wish = value or tuple(float(x) for x in policy.act(rig.look()))
        walls += any(code.startswith("box") for code in act(rig, wish).reasons)
        tool = rig.world.tool_position()
        assert (tool > low - 0.005).all(), tool
        assert (tool < high + 0.005).all(), tool
    # Not vacuous: the walls were met, and the arm had gone where they are.
    nearest = np.minimum(tool - low, high - tool)[:2].min()
    assert walls > 5 or nearest < 0.02


def test_the_executed_action_explains_where_the_tool_went(rig: SimRig) -> None:
    """Step by step but for the arm's lag, and without drift over the whole of the play."""
    places: list[Floats] = [rig.world.tool_position()]
    policy = RandomPolicy(CONFIG.collect.ou_theta, CONFIG.collect.ou_sigma, 2, seed=6)
    done = []
    for _ in range(60):
        done.append(act(rig, tuple(float(x) for x in policy.act(rig.look()))))
        places.append(rig.world.tool_position())
    rig.rest()
    moved = np.diff(np.stack(places)[:, :2], axis=0)
    said = CONFIG.control.action_scale_m * np.stack([executed.value for executed in done])
    assert np.linalg.norm(moved, axis=1).max() > 0.008
    apart = np.linalg.norm(moved - said, axis=1)
    assert apart.max() < LAG_M
    assert np.median(apart) < 0.0015
    total = rig.world.tool_position()[:2] - places[0][:2]
    assert np.linalg.norm(total - said.sum(axis=0)) < 0.005
    assert max(executed.residual for executed in done) * PERIOD < LAG_M


def test_a_fixture_brings_the_puck_to_its_mark_when_the_arm_is_out_of_its_way(rig: SimRig) -> None:
    now = rig.now()
    assert (rig.put_back(), rig.now()) == (0, now), "without one nothing happens, and nothing is waited for"
    pushing = SimRig(load_config(["push"], []), 0)
    for _ in range(20):
        act(pushing, (1.0, 0.0))
    assert np.linalg.norm(pushing.world.puck_position()[:2] - PUCK_START_M) > 0.05
    before = pushing.now()
    steps = pushing.put_back()
    assert np.linalg.norm(pushing.world.puck_position()[:2] - PUCK_START_M) < 0.001
    assert np.linalg.norm(pushing.world.tool_position()[:2] - (0.5, 0.0)) < 0.003
    assert 0 <= steps * PERIOD - (pushing.now() - before) < PERIOD + 1e-6
    act(pushing, (0.0, 0.1))
    pushing.close()


def test_the_policy_side_shows_no_joints() -> None:
    """R17: pictures and normalised actions only. `Executed.position` goes to the log's diagnosis channel."""
    offered = {
        name: get_type_hints(method).get("return") for name, method in vars(Plant).items() if not name.startswith("_")
    }
    assert set(offered) == {"now", "look", "act", "rest", "home", "put_back", "state", "load_state"}
    assert (offered["now"], offered["look"], offered["act"], offered["put_back"]) == (float, Frame, Executed, int)
    nothing = type(None)
    assert (offered["rest"], offered["home"], offered["load_state"]) == (nothing, nothing, nothing)


def test_what_a_rig_answers_holds_no_joint_array_but_the_logged_one(rig: SimRig) -> None:
    executed, frame = act(rig, (0.3, 0.2)), rig.look()
    answers = [*((name, getattr(executed, name)) for name in Executed.__slots__)]
    answers += [(name, getattr(frame, name)) for name in Frame.__slots__]
    joint_like = [name for name, value in answers if isinstance(value, np.ndarray) and JOINTS in value.shape]
    assert joint_like == ["position"]


def test_the_logged_joints_reach_no_learner(rig: SimRig, tmp_path: Path) -> None:
    """Two logs that differ in the joint positions alone are the same episode."""
    steps = randomly(rig, 6, 3, policy_loop())
    read = []
    for name, shift in (("true", 0.0), ("false", 1.0)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "collect-000000.mcap"
        writer = EpisodeWriter(path, 2, None, {"stage": "collect"}, clock_offset=0.0, room=NO_LIMIT)
        for step in steps:
            done = step.executed
            false = Executed(done.value, done.residual, done.outcome, done.reasons, done.position + shift)
            writer.append(Step(step.frame, step.action, false))
        writer.finish(steps[-1].frame)
        read.append((path.read_bytes(), read_episode(path)))
    (first_bytes, first), (second_bytes, second) = read
    assert first_bytes != second_bytes
    for field in first.__slots__:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_the_seed_draws_the_arm_and_nothing_else() -> None:
    config = Config(sim=SimConfig(velocity_bias_rad_s=0.02))
    seen = []
    for seed in (0, 0, 1):
        rig = SimRig(config, seed)
        seen.append(everything(randomly(rig, 5, 3, policy_loop())))
        rig.close()
    assert seen[0] == seen[1] != seen[2]
