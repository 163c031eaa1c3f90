"""The age of pictures is found within 5 ms, from signals and the twin's own pictures; else it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from calibration.alignment import delay_between
from calibration.latency import SURE, camera_latency, picture_motion, wiggle, wiggle_action, wiggle_seconds
from robot_rig.clock import ManualClock
from robot_rig.config import Config, FlawsConfig
from robot_rig.datatypes import Action, Bytes, Floats, Source
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from sim.rig import SimRig
from sim.sim_camera import SimCamera
from sim.world import World
from tests.calibration.twin import spoilt

WITHIN_S = 0.005
FAST_M_S, ARM_S, PICTURE_TICKS = 0.1, 0.01, 5
SECONDS = 5.0
ALONG_Y = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])


@dataclass
class Wiggled:
    """What arm and camera of the twin saw of a wiggle: times s, tool (M, 3) m, pictures and their exposures s."""

    at: Floats
    tool: Floats
    pictures: list[Bytes]
    exposed: Floats


def wiggled(config: Config, seconds: float = SECONDS, picture_ticks: int = PICTURE_TICKS) -> Iterator[Wiggled]:
    world, arm = World(config, seed=0), Kinematics(config.control.tool_offset_m)
    camera = SimCamera(world, ManualClock(), config)
    at, tool, pictures, exposed = [], [], [], []
    for tick in range(round(seconds / ARM_S)):
        pose = arm.pose(world.joint_position())
        at.append(world.now())
        tool.append(pose.tool)
        if tick % picture_ticks == 0:
            pictures.append(np.array(camera.read().rgb))
            exposed.append(world.now())
        speed = FAST_M_S * wiggle(tick * ARM_S)
        world.set_joint_velocity_target(np.linalg.lstsq(pose.jacobian, speed * ALONG_Y, rcond=None)[0], 0.2)
        world.advance(ARM_S)
    yield Wiggled(np.array(at), np.array(tool), pictures, np.array(exposed))
    camera.close()


@pytest.fixture(scope="module")
def seen() -> Iterator[Wiggled]:
    yield from wiggled(Config(flaws=FlawsConfig(servo_lag_s=0.03)))


@pytest.mark.parametrize(("age", "jitter", "noise"), [(0.04, 0.0, 0.0), (0.117, 0.01, 4.0)])
def test_the_age_of_pictures_is_found_on_the_twins_own(seen: Wiggled, age: float, jitter: float, noise: float) -> None:
    random = np.random.default_rng(7)
    pictures = [spoilt(one, random, noise, 0.8) for one in seen.pictures] if noise else seen.pictures
    motion = picture_motion(pictures)
    arrived = seen.exposed + age + random.uniform(-jitter, jitter, len(motion))
    late = 0.008
    found = camera_latency(seen.at, seen.tool, arrived, seen.exposed + late, motion)
    assert found.camera_s == pytest.approx(float(np.median(arrived - seen.exposed)), abs=WITHIN_S)
    assert found.stamp_error_s == pytest.approx(late, abs=WITHIN_S)
    assert found.low_s == pytest.approx(age - 0.8 * jitter, abs=WITHIN_S)
    assert found.high_s == pytest.approx(age + 0.8 * jitter, abs=WITHIN_S)
    assert found.match > 0.95


def signals(age: float, seconds: float = 12.0, speed: object = wiggle) -> tuple[Floats, Floats, Floats, Floats]:
    """(arm times, tool, exposures, motion in px) of an ideal wiggle."""
    at = np.arange(0.0, seconds, ARM_S)
    assert callable(speed)
    path = np.cumsum([FAST_M_S * ARM_S * speed(time) for time in at.tolist()])
    exposed = np.arange(0.5, seconds - 0.5, 1 / 30)
    tool = np.stack([0.3 * path, path, np.zeros_like(path)], axis=1)
    return at, tool, exposed, -700.0 * np.interp(exposed, at, path)


@pytest.mark.parametrize("age", [0.0, 0.0333, 0.1, 0.21, 0.4])
def test_the_age_is_found_from_signals_with_noise(age: float) -> None:
    at, tool, exposed, motion = signals(age)
    random = np.random.default_rng(int(1000 * age))
    noisy = motion + 0.3 * random.standard_normal(len(motion))
    # Stamped on arrival: then all of the age is the stamps' error.
    arrived = exposed + age
    found = camera_latency(at, tool + 2e-4 * random.standard_normal(tool.shape), arrived, arrived, noisy)
    assert found.camera_s == pytest.approx(age, abs=WITHIN_S)


def sampled(rate_hz: float, seconds: float, noise_px: float, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """(arm times, tool, exposures, motion in px) of a wiggle of that length: a camera of 30 Hz of which a node shows
    `rate_hz` at most, as /rig/camera/raw does, so that they come unevenly.
    """
    at, tool, _, _ = signals(0.0, seconds + 1.0)
    random = np.random.default_rng(seed)
    exposed, due = [], 0.0
    for seen_at in np.arange(random.uniform(0.3, 0.4), seconds + 0.7, 1 / 30).tolist():
        if seen_at + (late := random.uniform(0.0, 0.01)) >= due:
            exposed.append(seen_at)
            due = seen_at + late + 1 / rate_hz
    shown = np.array(exposed)
    motion = -700.0 * np.interp(shown, at, tool[:, 1]) + noise_px * random.standard_normal(len(shown))
    return at, tool + 1e-4 * random.standard_normal(tool.shape), shown, motion


@pytest.mark.parametrize("rate_hz", [3.0, 5.0, 10.0, 30.0])
def test_however_seldom_pictures_come_a_wiggle_for_enough_of_them_tells_the_age(rate_hz: float) -> None:
    errors, sure = [], []
    for seed in range(4):
        at, tool, exposed, motion = sampled(rate_hz, wiggle_seconds(rate_hz), 0.15, seed)
        found = camera_latency(at, tool, exposed + 0.12, exposed + 0.12, motion)
        errors.append(found.camera_s - 0.12)
        sure.append(found.sure_s)
    assert np.abs(errors).max() < WITHIN_S
    assert max(sure) <= WITHIN_S
    # What is said of the error is neither too much nor nothing.
    assert 0.2 < np.sqrt(np.mean(np.square(errors))) / (np.mean(sure) / SURE) < 3.0


@pytest.mark.parametrize(("rate_hz", "noise_px", "says"), [
    (5.0, 0.6, r"pictures, [45]\.\d a second, tell the age to within \d+ ms, and 5 are wanted. Wiggle for \d\d s"),
    (5.0, 3.0, r"[45]\.\d a second.* more pictures a second"),
    (30.0, 4.0, r"[12]\d\.\d a second.* more pictures a second"),
])  # fmt: skip
def test_too_few_or_too_noisy_pictures_are_refused_with_their_rate(rate_hz: float, noise_px: float, says: str) -> None:
    at, tool, exposed, motion = sampled(rate_hz, 12.0, noise_px, 1)
    with pytest.raises(UserError, match=says):
        camera_latency(at, tool, exposed + 0.12, exposed + 0.12, motion)


def test_pictures_that_hardly_come_are_refused_before_the_arm_moves() -> None:
    assert (wiggle_seconds(30.0), wiggle_seconds(5.0)) == (12.0, 30.0)
    with pytest.raises(UserError, match="2 pictures a second are too few, 3 are needed"):
        wiggle_seconds(2.0)


@pytest.mark.parametrize("late", [-0.5, -0.3, 0.55, 0.6, 0.65])
def test_a_delay_beyond_those_that_are_sought_is_refused(late: float) -> None:
    at, tool, exposed, motion = signals(0.0)
    with pytest.raises(UserError, match=r"or 0\.5 s after|do not show the same motion"):
        camera_latency(at, tool, exposed + late, exposed + late, motion)


@pytest.mark.parametrize("age", [-3600.0, -0.2, -0.03, 1.1, 3600.0])
def test_pictures_that_arrive_before_their_exposure_or_long_after_are_refused(age: float) -> None:
    at, tool, exposed, motion = signals(0.0)
    with pytest.raises(UserError, match="0 to 1 s can be"):
        camera_latency(at, tool, exposed + age, exposed, motion)


def test_a_regular_swing_is_refused_because_it_repeats_itself() -> None:
    at, tool, exposed, motion = signals(0.1, speed=lambda time: np.sin(2 * np.pi * 2.0 * time))
    with pytest.raises(UserError, match=r"two delays nearly as well.*regular swing"):
        camera_latency(at, tool, exposed + 0.1, exposed + 0.1, motion)


def test_pictures_of_something_else_are_refused() -> None:
    at, tool, exposed, _ = signals(0.1)
    other = np.cumsum(np.random.default_rng(1).standard_normal(len(exposed)))
    with pytest.raises(UserError, match="do not show the same motion"):
        camera_latency(at, tool, exposed, exposed, other)
    with pytest.raises(UserError, match="nothing moves"):
        camera_latency(at, np.ones_like(tool), exposed, exposed, other)


def test_a_scene_at_rest_and_too_few_pictures_are_refused(seen: Wiggled) -> None:
    with pytest.raises(UserError, match="nothing moves in the pictures"):
        picture_motion([seen.pictures[0]] * 50)
    with pytest.raises(UserError, match="10 pictures are too few"):
        picture_motion(seen.pictures[:10])


def test_the_wiggle_stays_near_and_slow_and_never_looks_like_itself() -> None:
    times = np.arange(0.0, 30.0, ARM_S)
    speed = np.array([wiggle(time) for time in times.tolist()])
    assert np.abs(speed).max() <= 1.0
    assert np.abs(np.diff(speed)).max() / ARM_S * FAST_M_S < 1.0, "m/s^2, far from the guard's slew limit"
    path = np.cumsum(FAST_M_S * ARM_S * speed)
    assert np.abs(path).max() <= 0.05
    own = delay_between(times, path, times[200:], path[200:], (-0.25, 0.5))
    assert own.seconds == pytest.approx(0.0, abs=1e-4)
    assert not own.is_ambiguous


@pytest.mark.parametrize("along", ["x", "y"])
def test_the_wiggle_s_actions_go_through_the_guard_along_their_line_and_show_the_age(along: str) -> None:
    config = Config()
    rig, arm = SimRig(config, 0), Kinematics(config.control.tool_offset_m)
    begin = rig.now()
    at, tool = [], []
    while (now := rig.now()) - begin < 8.0:
        value = wiggle_action(config.control, along, now - begin)
        rig.act(Action(len(at) + 1, now, value, Source.RANDOM, len(at), now))
        at.append(rig.now())
        tool.append(arm.pose(rig.world.joint_position()).tool)
    rig.close()
    times, path = np.array(at), np.array(tool) - tool[0]
    line, across = path[:, "xyz".index(along)], np.delete(path, "xyz".index(along), axis=1)
    assert 0.02 < np.ptp(line) < 0.10
    assert np.abs(line).max() < 0.06
    assert np.abs(across).max() < 0.004
    exposed = times[20:-10]
    motion = -700.0 * np.interp(exposed - 0.117, times, line)
    found = camera_latency(times, np.array(tool), exposed, exposed, motion)
    assert found.camera_s == pytest.approx(0.117, abs=0.01)
