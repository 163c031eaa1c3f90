"""Every flaw has the size that the configuration states, and without flaws nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from robot_rig.clock import ManualClock
from robot_rig.config import Config, FlawsConfig
from robot_rig.config_files import load_config
from robot_rig.datatypes import JOINTS, Action, Bytes, Float32s, Floats, Source
from robot_rig.errors import UserError
from robot_rig.learning.policy import RandomPolicy
from sim.flawed_eye import FlawedEye, blur_kernel, spoilt
from sim.rig import SimRig
from sim.sim_camera import SimEye
from sim.world import World

REALISTIC = load_config(["realistic"], [])
TICK_S = 0.01
GREY = np.full((84, 84, 3), 128, np.uint8)


def sharp(flaws: FlawsConfig, rgb: Bytes = GREY, seed: int = 0) -> Bytes:
    return spoilt(rgb, flaws, blur_kernel(flaws.blur_px), np.random.default_rng(seed))


@contextmanager
def eye_on(flaws: FlawsConfig, seed: int = 0) -> Iterator[tuple[World, ManualClock, FlawedEye]]:
    config = Config(flaws=flaws)
    world, clock = World(config, seed=0), ManualClock()
    eye = FlawedEye(world, clock, config, seed)
    yield world, clock, eye
    eye.close()


def wander(rig: SimRig, steps: int, seed: int = 3) -> list[tuple[Bytes, float, Float32s, Floats]]:
    """Picture, its exposure, what was executed and the joints of each of `steps` steps of random play."""
    policy, seen = RandomPolicy(0.15, 0.6, 2, seed), []
    for _ in range(steps):
        frame = rig.look()
        action = Action(frame.seq, rig.now(), policy.act(frame), Source.RANDOM, frame.seq, frame.stamp)
        done = rig.act(action)
        seen.append((frame.rgb, frame.stamp, done.value, done.position))
    return seen


def same(a: list[tuple[Bytes, float, Float32s, Floats]], b: list[tuple[Bytes, float, Float32s, Floats]]) -> bool:
    return len(a) == len(b) and all(
        one[1] == other[1] and all(np.array_equal(one[i], other[i]) for i in (0, 2, 3))
        for one, other in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("noise", [0.5, 3.0, 8.0])
def test_noise_has_the_stated_deviation_in_every_channel(noise: float) -> None:
    error = sharp(FlawsConfig(noise=noise)).astype(float) - 128.0
    rounding = 1.0 / 12.0
    # 7056 pixels: a deviation scatters by .8 %.
    assert error.std(axis=(0, 1)) == pytest.approx(np.full(3, np.sqrt(noise**2 + rounding)), rel=0.05)
    assert abs(error.mean()) < 0.2
    neighbours = (error[1:] * error[:-1]).mean() / error.var()
    assert abs(neighbours) < 0.05, "noise of neighbouring pixels must not be alike"


@pytest.mark.parametrize("deviation", [0.5, 1.0, 2.5])
def test_blur_spreads_a_point_by_its_deviation_and_keeps_its_light(deviation: float) -> None:
    kernel = blur_kernel(deviation).astype(float)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    apart = np.arange(len(kernel)) - len(kernel) // 2
    # Sampled at whole pixels, a Gaussian of half a pixel is a little narrower than it says.
    assert kernel @ apart**2 == pytest.approx(deviation**2, rel=0.15 if deviation < 1 else 0.01)
    np.testing.assert_array_equal(sharp(FlawsConfig(blur_px=deviation)), GREY)
    rgb = np.zeros((84, 84, 3), np.uint8)
    rgb[30, 50] = (255, 128, 0)
    seen = sharp(FlawsConfig(blur_px=deviation), rgb).astype(float)
    assert seen[30, 50, 0] == seen[..., 0].max()
    np.testing.assert_allclose(seen[30 - 3 : 31 + 3, 50, 0], seen[30, 50 - 3 : 51 + 3, 0], atol=1.0)
    assert (seen[..., 2] == 0).all()


def test_exposure_flickers_by_the_stated_share() -> None:
    flaws = FlawsConfig(exposure_flicker=0.05)
    means = np.array([sharp(flaws, seed=seed).mean() for seed in range(600)]) / 128.0
    assert means.std() == pytest.approx(0.05, rel=0.1)
    assert means.mean() == pytest.approx(1.0, abs=0.01)


def test_no_flaw_leaves_the_picture_alone() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (84, 84, 3), np.uint8)
    np.testing.assert_array_equal(sharp(FlawsConfig(), rgb), rgb)


def test_a_picture_shows_the_room_as_it_was_at_its_stamp() -> None:
    with eye_on(FlawsConfig(image_age_low_s=0.1, image_age_high_s=0.14)) as (world, clock, eye):
        present = SimEye(world, clock)
        home, then, ages = np.array(world.config.control.home_posture_rad), {}, []
        for tick in range(200):
            world.teleport(home + 0.002 * tick)
            then[clock.now()] = present.look().rgb.copy()
            eye.watch()
            if tick % 10 == 9 and tick > 30:
                frame = eye.look()
                ages.append(clock.now() - frame.stamp)
                np.testing.assert_array_equal(frame.rgb, then[frame.stamp])
            clock.advance(TICK_S)
        present.close()
        assert min(ages) >= 0.1 - 1e-9
        assert max(ages) <= 0.14 + 1e-9
        assert max(ages) - min(ages) > 0.02
        assert len({picture.tobytes() for picture in then.values()}) > 150, "the room must have moved"


def test_pictures_are_lost_at_the_stated_rate_and_the_one_before_is_seen() -> None:
    dropped = 0.1
    with eye_on(FlawsConfig(dropped=dropped, image_age_low_s=0.1, image_age_high_s=0.1)) as (_, clock, eye):
        stamps, numbers = [], [0]
        for _ in range(500):
            for _ in range(10):
                clock.advance(TICK_S)
                eye.watch()
            frame = eye.look()
            stamps.append(clock.now() - frame.stamp)
            numbers.append(frame.seq)
    lost = np.diff(numbers) - 1
    share = lost.sum() / np.diff(numbers).sum()
    assert share == pytest.approx(dropped, abs=4 * np.sqrt(dropped * (1 - dropped) / 500))
    # A moment is remembered every 10 ms, so an age is met to 5 ms.
    assert np.abs(np.array(stamps) - (0.1 + lost / 30)).max() < 0.005 + 1e-9
    assert set(lost.tolist()) == {0, 1, 2}


def test_a_picture_is_never_older_than_the_one_before() -> None:
    flaws = FlawsConfig(dropped=0.2, image_age_low_s=0.0, image_age_high_s=0.3)
    with eye_on(flaws) as (_, clock, eye):
        stamps = []
        for _ in range(300):
            clock.advance(TICK_S)
            clock.advance(TICK_S)
            eye.watch()
            stamps.append(eye.look().stamp)
    assert (np.diff(stamps) >= 0).all()


def test_flawed_pictures_come_by_seed_and_take_alone() -> None:
    def pictures(seed: int, take: int) -> bytes:
        with eye_on(REALISTIC.flaws, seed) as (_, clock, eye):
            eye.retake(take)
            seen = b""
            for _ in range(3):
                clock.advance(0.1)
                eye.watch()
                seen += eye.look().rgb.tobytes()
        return seen

    assert pictures(0, 0) == pictures(0, 0)
    assert len({pictures(0, 0), pictures(1, 0), pictures(0, 1)}) == 3


def test_a_realistic_rig_goes_on_from_its_saved_state_bit_for_bit() -> None:
    rig = SimRig(REALISTIC, seed=0)
    wander(rig, 4)
    rig.rest()
    state = rig.state()
    first = wander(rig, 8)
    other = SimRig(REALISTIC, seed=0)
    other.load_state(state)
    again = wander(other, 8)
    rig.close()
    other.close()
    assert same(first, again)


def test_the_default_rig_has_the_ideal_eye_and_servo() -> None:
    assert Config().flaws == FlawsConfig()
    assert not Config().flaws.spoil_pictures()
    rig, world = SimRig(Config(), seed=0), World(Config(), seed=0)
    assert isinstance(rig._eye, SimEye)
    rig.close()
    velocity = np.random.default_rng(0).uniform(-0.3, 0.3, JOINTS)
    world.set_joint_velocity_target(velocity, 0.2)
    drives = world.data.ctrl.reshape(JOINTS, 2)
    # Bit for bit what both servos were given before there were flaws.
    np.testing.assert_array_equal(drives, np.column_stack([velocity, velocity]))


def test_flawed_pictures_move_nothing() -> None:
    """The same actions: the same joints, whatever the pictures look like."""
    pictures_only = FlawsConfig(noise=3.0, blur_px=0.5, exposure_flicker=0.03, dropped=0.02)
    seen = []
    for flaws in (FlawsConfig(), pictures_only):
        rig = SimRig(Config(flaws=flaws), seed=0)
        seen.append(wander(rig, 12))
        rig.close()
    (ideal, flawed) = seen
    assert all(np.array_equal(a[3], b[3]) and np.array_equal(a[2], b[2]) for a, b in zip(ideal, flawed, strict=True))
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(ideal, flawed, strict=True))


def trail_s(servo_lag_s: float) -> Floats:
    """By how many seconds each joint trails a path of constant speed, (7,)."""
    world = World(Config(flaws=FlawsConfig(servo_lag_s=servo_lag_s)), seed=0)
    velocity, start = np.array([0.2, -0.2, 0.2, -0.2, 0.2, 0.2, 0.2]), world.joint_position()
    for _ in range(100):
        world.set_joint_velocity_target(velocity, 0.2)
        world.advance(TICK_S)
    trail: Floats = 1.0 - (world.joint_position() - start) / velocity
    return trail


@pytest.mark.parametrize("servo_lag_s", [0.02, 0.05, 0.1])
def test_joints_trail_their_path_by_the_stated_lag(servo_lag_s: float) -> None:
    np.testing.assert_allclose(trail_s(servo_lag_s) - trail_s(0.0), servo_lag_s, atol=0.003)


def test_ages_out_of_order_are_refused() -> None:
    with pytest.raises(UserError, match="image_age_low_s must be at most image_age_high_s"):
        load_config([], ["flaws.image_age_low_s=0.2"])
