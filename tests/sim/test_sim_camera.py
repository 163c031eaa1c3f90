"""The simulated camera and the simulator's own eye: geometry, equality with the one eye, and staying in the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from robot_rig.clock import ManualClock
from robot_rig.config import CameraConfig, Config, SimConfig
from robot_rig.datatypes import JOINTS, Bytes, Floats, Ints
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.vision import preprocess
from sim.sim_camera import SimCamera, SimEye
from sim.world import World
from tests.contracts.camera_contract import CameraBench, CameraContract
from tests.test_kinematics import reach_keeping_rotation

OFF_CENTRE = CameraConfig(focal_px=606.0, center_u_px=314.8, center_v_px=247.6, crop_left_px=90, crop_top_px=45)
PUSH = Config(sim=SimConfig(scene="push"))
CORNERS = ((0.55, -0.2), (0.55, 0.2), (0.75, -0.2), (0.75, 0.2))


@dataclass
class Room:
    """A world with both of its eyes."""

    world: World
    camera: SimCamera
    eye: SimEye


def room_of(config: Config) -> Iterator[Room]:
    world, clock = World(config, seed=0), ManualClock()
    room = Room(world, SimCamera(world, clock, config), SimEye(world, clock))
    yield room
    room.camera.close()
    room.eye.close()


@pytest.fixture(scope="module")
def push_room() -> Iterator[Room]:
    yield from room_of(PUSH)


@pytest.fixture(scope="module")
def off_centre_room() -> Iterator[Room]:
    yield from room_of(Config(camera=OFF_CENTRE, sim=SimConfig(scene="push")))


class TestSimCamera(CameraContract):
    def make(self) -> CameraBench:
        world, clock = World(Config(), seed=0), ManualClock()
        red = world.model.geom("floor").id
        world.model.geom_rgba[red] = (1.0, 0.0, 0.0, 1.0)
        return CameraBench(SimCamera(world, clock, world.config), world.config.camera, clock.advance, red=(130, 20))


def random_scene(world: World, random: np.random.Generator) -> None:
    """Any arm posture near home, and the puck anywhere on the table."""
    world.teleport(np.array(world.config.control.home_posture_rad) + random.uniform(-0.35, 0.35, JOINTS))
    world.place_puck(random.uniform(0.5, 0.8), random.uniform(-0.2, 0.2))


def mean_difference(a: Bytes, b: Bytes) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize(
    ("room_name", "poses"),
    [("push_room", 60), ("off_centre_room", 40), pytest.param("push_room", 200, marks=pytest.mark.proof)],
)
def test_own_eye_sees_what_the_one_eye_makes_of_the_camera(
    room_name: str, poses: int, request: pytest.FixtureRequest
) -> None:
    room: Room = request.getfixturevalue(room_name)
    random, differences, moving = np.random.default_rng(11), [], []
    first = room.eye.look().rgb
    for _ in range(poses):
        random_scene(room.world, random)
        direct = room.eye.look().rgb
        differences.append(mean_difference(direct, preprocess(room.camera.read(), room.world.config.camera).rgb))
        moving.append(mean_difference(direct, first))
    assert max(differences) <= 2.0
    # So that two blank or frozen pictures could not pass: poses differ far more than the two eyes do.
    assert np.mean(moving) > 5 * np.mean(differences)


def projected(config: Config, point: Floats) -> Floats:
    """(u, v) px of `point` in the raw picture, by the pinhole formula."""
    position, target = np.array(config.sim.camera_position_m), np.array(config.sim.camera_target_m)
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    ray = point - position
    centre = np.array([config.camera.center_u_px, config.camera.center_v_px])
    offset: Floats = config.camera.focal_px * np.array([ray @ right, ray @ down]) / (ray @ forward)
    return centre + offset


@pytest.mark.parametrize("room_name", ["push_room", "off_centre_room"])
def test_a_known_point_lies_where_the_pinhole_puts_it(room_name: str, request: pytest.FixtureRequest) -> None:
    """The centre of a small ball in the air, found by its colour, lies within 1 px of its projection."""
    room: Room = request.getfixturevalue(room_name)
    model = room.world.model
    puck = model.geom("puck").id
    size, rgba, kind = model.geom_size[puck].copy(), model.geom_rgba[puck].copy(), model.geom_type[puck].item()
    model.geom_type[puck], model.geom_size[puck], model.geom_rgba[puck] = 2, 0.01, (1, 0, 1, 1)
    try:
        for x, y in ((0.6, 0.0), (0.75, 0.2), (0.55, -0.25), (0.8, -0.1)):
            room.world.teleport(np.array([1.5, -1.0, 0, 1.0, 0, 0.5, 3.3]))
            room.world.place_puck(x, y)
            rgb = room.camera.read().rgb.astype(int)
            rows, columns = np.nonzero((rgb[..., 0] > 60) & (rgb[..., 1] < 40) & (rgb[..., 2] > 60))
            assert len(rows) > 50
            found = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
            expected = projected(room.world.config, room.world.puck_position())
            assert np.abs(found - expected).max() < 1.0
    finally:
        model.geom_type[puck], model.geom_size[puck], model.geom_rgba[puck] = kind, size, rgba


def hand_pixels(world: World, eye: SimEye) -> tuple[Ints, Ints]:
    """Rows and columns of the hand and fingers in the policy's picture: those that blacking them changes."""
    lit = eye.look().rgb.astype(int)
    hand = world.model.geom_bodyid == world.model.body("right_hand").id
    colours = world.model.geom_rgba[hand].copy()
    world.model.geom_rgba[hand] = (0.0, 0.0, 0.0, 1.0)
    dark = eye.look().rgb
    world.model.geom_rgba[hand] = colours
    rows, columns = np.nonzero(np.abs(lit - dark).max(axis=2) > 30)
    return rows, columns


@pytest.mark.parametrize("corner", [(0.65, 0.0), *CORNERS])
@pytest.mark.parametrize("height", [0.025, 0.06])
def test_hand_is_whole_and_bright_all_over_the_box(push_room: Room, corner: tuple[float, float], height: float) -> None:
    world = push_room.world
    control = world.config.control
    kinematics, home = Kinematics(control.tool_offset_m), np.array(control.home_posture_rad)
    target = np.array([*corner, height])
    world.teleport(reach_keeping_rotation(kinematics, home, target, kinematics.pose(home).rotation))
    world.place_puck(0.9, 0.6)
    rows, columns = hand_pixels(world, push_room.eye)
    assert len(rows) > 80, "the hand is too small or too dark to be learned from"
    assert rows.min() >= 2
    assert rows.max() <= 81
    assert columns.min() >= 2
    assert columns.max() <= 81


def test_background_is_dark(push_room: Room) -> None:
    """A bright constant background drowns the hand under a Bernoulli decoder."""
    push_room.world.teleport(np.array(push_room.world.config.control.home_posture_rad))
    picture = push_room.eye.look().rgb
    assert 20 < np.median(picture) < 90
    assert np.percentile(picture, 99.5) > 180


def test_the_two_eyes_are_interchangeable(push_room: Room) -> None:
    before, after = (preprocess(push_room.camera.read(), PUSH.camera) for _ in range(2))
    assert after.seq == before.seq + 1
    assert after.rgb.shape == push_room.eye.look().rgb.shape


def test_looking_does_not_disturb_the_physics() -> None:
    worlds = [World(Config(), seed=0) for _ in range(2)]
    eye = SimEye(worlds[0], ManualClock())
    for world in worlds:
        for _ in range(20):
            world.set_joint_velocity_target(np.full(JOINTS, 0.2), 0.2)
            world.advance(0.1)
            if world is worlds[0]:
                eye.look()
    eye.close()
    assert np.array_equal(worlds[0].save_state(), worlds[1].save_state())


def test_a_resumed_world_looks_the_same() -> None:
    world = World(PUSH, seed=0)
    eye = SimEye(world, ManualClock())
    world.set_joint_velocity_target(np.full(JOINTS, 0.3), 0.2)
    world.advance(0.1)
    seen, saved = eye.look().rgb, world.save_state()
    eye.close()
    resumed = World(PUSH, seed=0)
    resumed.load_state(saved)
    other_eye = SimEye(resumed, ManualClock())
    assert np.array_equal(other_eye.look().rgb, seen)
    other_eye.close()


def test_a_closed_eye_says_so() -> None:
    world = World(Config(), seed=0)
    eye = SimEye(world, ManualClock())
    eye.close()
    eye.close()
    with pytest.raises(UserError, match="closed"):
        eye.look()
