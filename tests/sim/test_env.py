"""The rig as a Gymnasium environment: what the checkers ask, the same episodes again, and no truth in what is seen."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.seeding import np_random

from robot_rig.config_files import load_config
from robot_rig.datatypes import IMAGE_SHAPE
from robot_rig.errors import GuardStoppedError
from sim.env import PUSH, REACH, SCENES, STEPS, SawyerEnv
from sim.push_exam import draw_places
from sim.scenes import PUCK_START_M
from tests.house import ROOT

Env = gymnasium.Env[Any, Any]

REACH_HOME_M = (0.65, 0.0)
"""The tool's tip when the arm is home, xy in base."""


@pytest.fixture(scope="module", params=[REACH, PUSH])
def env(request: pytest.FixtureRequest) -> Iterator[Env]:
    made = gymnasium.make(request.param)
    yield made
    made.close()


def test_gymnasiums_checker_has_nothing_to_say(env: Env) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


@pytest.mark.proof
@pytest.mark.parametrize("name", [REACH, PUSH])
def test_stable_baselines3s_checker_has_nothing_to_say_and_its_agent_learns_on(name: str) -> None:
    import torch
    from stable_baselines3 import SAC, HerReplayBuffer
    from stable_baselines3.common.env_checker import check_env as check_for_baselines

    made = gymnasium.make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_for_baselines(made.unwrapped)
    torch.set_num_threads(1)
    agent = SAC(
        "MultiInputPolicy", made, replay_buffer_class=HerReplayBuffer, learning_starts=STEPS[name] + 10,
        buffer_size=500, batch_size=16, device="cpu", seed=0,
    )  # fmt: skip
    agent.learn(STEPS[name] + 20)
    assert agent.num_timesteps == STEPS[name] + 20
    made.close()


def episode(env: Env, seed: int, steps: int = 8) -> list[Any]:
    """Everything that comes out of an episode of drawn actions."""
    rng = np.random.default_rng(seed)
    seen: list[Any] = list(env.reset(seed=seed))
    for _ in range(steps):
        seen += env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
    return seen


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    else:
        np.testing.assert_array_equal(one, other)


def test_a_seed_decides_an_episode_bit_for_bit_whatever_came_before(env: Env) -> None:
    first = episode(env, 7)
    episode(env, 8, steps=3)
    for one, other in zip(first, episode(env, 7), strict=True):
        assert_same(one, other)
    fresh = gymnasium.make(env.spec.id if env.spec else "")
    for one, other in zip(first, episode(fresh, 7), strict=True):
        assert_same(one, other)
    fresh.close()


def test_arms_differ_where_the_configuration_says_so_and_only_there(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("sim: {velocity_bias_rad_s: 0.01}\n")
    for presets, alike in ((("rig", "reach"), True), (("rig", "reach", str(own)), False)):
        ends = []
        for arm_seed in (0, 3):
            made = gymnasium.make(REACH, presets=presets, arm_seed=arm_seed)
            ends.append(episode(made, 7, steps=3)[-1]["tool_m"])
            made.close()
        assert np.array_equal(*ends) is alike


def test_another_seed_and_the_next_episode_have_other_goals(env: Env) -> None:
    goals = [env.reset(seed=seed)[1]["goal_m"] for seed in (1, 2)] + [env.reset()[1]["goal_m"] for _ in range(2)]
    assert len({tuple(goal) for goal in goals}) == 4


def test_nothing_is_pushed_home_before_anything_was_done() -> None:
    made = SawyerEnv(SCENES[PUSH])
    for seed in range(8):
        _, info = made.reset(seed=seed)
        puck, _ = next(draw_places(np_random(seed)[0]))
        np.testing.assert_allclose(info["goal_m"], puck, atol=0.001)
        np.testing.assert_allclose(info["puck_m"][:2], PUCK_START_M, atol=0.001)
        assert not info["is_success"]
    made.close()


def test_what_doing_nothing_comes_to_is_what_the_document_says() -> None:
    """Distances from the start to the goals of seeds 0 to 999, drawn as `reset` draws them."""
    reach = SawyerEnv()
    _, info = reach.reset(seed=0)
    np.testing.assert_allclose(info["tool_m"][:2], REACH_HOME_M, atol=0.002)
    reach.close()
    configs = {name: load_config(list(presets), []) for name, presets in SCENES.items()}
    low, high = configs[REACH].guard.box_low_m[:2], configs[REACH].guard.box_high_m[:2]
    drawn = {
        REACH: [np_random(seed)[0].uniform(low, high) - REACH_HOME_M for seed in range(1000)],
        PUSH: [next(draw_places(np_random(seed)[0]))[0] - PUCK_START_M for seed in range(1000)],
    }
    for name, short in ((REACH, "reach"), (PUSH, "push")):
        away = np.linalg.norm(drawn[name], axis=1)
        share = np.mean(away <= configs[name].evaluation.success_m)
        said = f"{short} on {share:.1%} of 1000 seeds, median {100 * np.median(away):.1f} cm"
        assert said in (ROOT / "docs/gymnasium.md").read_text(), said


def test_the_agent_sees_pictures_and_nothing_else(env: Env) -> None:
    observation, info = env.reset(seed=0)
    assert set(observation) == {"observation", "achieved_goal", "desired_goal"}
    for picture in observation.values():
        assert picture.shape == IMAGE_SHAPE
        assert picture.dtype == np.uint8
        assert picture.std() > 5
    np.testing.assert_array_equal(observation["observation"], observation["achieved_goal"])
    assert not np.array_equal(observation["observation"], observation["desired_goal"])
    assert {"distance_m", "is_success", "tool_m", "goal_m", "executed_action"} <= set(info)


@pytest.fixture(scope="module")
def flawed() -> Iterator[SawyerEnv]:
    """Through an old, noisy camera, in the words of the document."""
    made = gymnasium.make(REACH, presets=("rig", "reach", "realistic"))
    assert isinstance(made.unwrapped, SawyerEnv)
    yield made.unwrapped
    made.close()


def test_a_flawed_camera_has_another_chance_in_every_episode_and_the_same_for_the_same_seed(flawed: SawyerEnv) -> None:
    by_seed = [flawed.reset(seed=seed)[0]["observation"] for seed in (1, 2, 3)]
    by_turn = [flawed.reset()[0]["observation"] for _ in range(3)]
    assert len({picture.tobytes() for picture in by_seed + by_turn}) == 6
    for one, other in zip(episode(flawed, 2, steps=3), episode(flawed, 2, steps=3), strict=True):
        assert_same(one, other)
    np.testing.assert_array_equal(flawed.reset(seed=2)[0]["observation"], by_seed[1])


def test_the_noise_of_the_goal_picture_says_nothing_about_that_of_the_first(flawed: SawyerEnv) -> None:
    clean = SawyerEnv(SCENES[REACH])
    seen, there = flawed.reset(seed=4)
    ideal, where = clean.reset(seed=4)
    np.testing.assert_allclose(there["goal_m"], where["goal_m"], atol=0.002)
    # What both ideal pictures show alike, away from the blurred rims of what moved.
    alike = (ideal["observation"] == ideal["desired_goal"]).all(axis=2)
    assert alike.mean() > 0.5
    noise = [(seen[key][alike].astype(float) - ideal[key][alike]).ravel() for key in ("observation", "desired_goal")]
    noise = [values - values.mean() for values in noise]
    shared = np.mean(noise[0] * noise[1]) / np.mean(noise[0] ** 2)
    clean.close()
    assert abs(shared) < 0.1


def test_an_action_moves_the_tool_as_it_does_for_every_other_policy(env: Env) -> None:
    config = load_config(list(SCENES[env.spec.id if env.spec else REACH]), [])
    _, before = env.reset(seed=0)
    # Away from the table's far edge and, where there is one, from the puck.
    action = np.array([0.0, 1.0], np.float32)
    for _ in range(5):
        *_, info = env.step(action)
    moved = info["tool_m"] - before["tool_m"]
    assert 0.6 < moved[1] / (5 * config.control.action_scale_m) < 1.1
    assert abs(moved[0]) < 0.01
    np.testing.assert_allclose(info["executed_action"], action, atol=0.25)


def test_the_episode_is_truncated_after_as_many_steps_as_an_exam_has(env: Env) -> None:
    name = env.spec.id if env.spec else ""
    assert load_config(list(SCENES[name]), []).evaluation.episode_steps == STEPS[name]
    env.reset(seed=0)
    ends = []
    for _ in range(STEPS[name]):
        _, _, terminated, truncated, _ = env.step(np.zeros(2, np.float32))
        assert not terminated
        ends.append(truncated)
    assert ends == [False] * (STEPS[name] - 1) + [True]


def test_the_reward_is_the_difference_of_the_pictures(env: Env) -> None:
    made = env.unwrapped
    assert isinstance(made, SawyerEnv)
    black, white = np.zeros(IMAGE_SHAPE, np.uint8), np.full(IMAGE_SHAPE, 255, np.uint8)
    half = black.copy()
    half[:42] = 255
    rewards = made.compute_reward(np.stack([black, white, half]), np.stack([black, black, black]), None)
    np.testing.assert_allclose(rewards, [0.0, -1.0, -np.sqrt(0.5)])
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 256, (2, 5, *IMAGE_SHAPE), dtype=np.uint8)
    assert made.compute_reward(pairs[0], pairs[1], None).tolist() == [
        float(made.compute_reward(a, b, {})) for a, b in zip(*pairs, strict=True)
    ]


def test_before_the_first_reset_a_plain_sentence_says_what_is_missing() -> None:
    made = SawyerEnv(render_mode="rgb_array")
    with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
        made.step(np.zeros(2, np.float32))
    with pytest.raises(ResetNeeded, match=r"call reset\(\) before render\(\)"):
        made.render()
    observation, _ = made.reset(seed=0)
    picture = made.render()
    assert picture is not None
    np.testing.assert_array_equal(picture, observation["observation"])
    made.close()


def test_after_the_guard_ended_all_motion_a_reset_sets_the_arm_free() -> None:
    made = SawyerEnv()
    made.reset(seed=0)
    # A jump that no arm makes.
    made._rig.world.teleport(made._rig.world.joint_position() + 0.2)
    for _ in range(2):
        with pytest.raises(GuardStoppedError):
            made.step(np.zeros(2, np.float32))
    _, before = made.reset(seed=0)
    *_, after = made.step(np.array([0.0, 1.0], np.float32))
    assert after["tool_m"][1] - before["tool_m"][1] > 0.005
    made.close()


def test_an_action_that_is_no_number_moves_nothing(env: Env) -> None:
    _, before = env.reset(seed=0)
    *_, after = env.step(np.array([np.nan, 1.0], np.float32))
    np.testing.assert_allclose(after["tool_m"], before["tool_m"], atol=1e-4)
    np.testing.assert_allclose(after["executed_action"], 0.0, atol=0.01)


def test_the_entry_point_registers_both() -> None:
    (found,) = (point for point in importlib.metadata.entry_points(group="gymnasium.envs") if point.name == "robot_rig")
    for name in SCENES:
        gymnasium.registry.pop(name, None)
    found.load()()
    assert set(SCENES) <= set(gymnasium.registry)


def documented(blocks: int) -> str:
    """What the first so many examples of the document print, in a process of their own."""
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs/gymnasium.md").read_text(), re.DOTALL)
    assert len(examples) == 3
    lines = [sys.executable, "-W", "error::UserWarning", "-c", "\n".join(examples[:blocks])]
    ran = subprocess.run(lines, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_examples_in_the_document_run_word_by_word() -> None:
    assert re.fullmatch(r"True 0\.\d+ (True|False)\n\[-0\.\d+ +-?0\. *\]\n", documented(2))


@pytest.mark.proof
def test_the_example_with_stable_baselines3_runs_too() -> None:
    assert documented(3)
