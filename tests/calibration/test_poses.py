"""Planned poses are inside the box and the limits, on the way too, see the board, and turn it enough."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from calibration.board import Board
from calibration.lens import Lens
from calibration.poses import Room, RoughView, hangs_below, plan_poses, upright_camera
from calibration.rigid import angle_between, distance_between, rigid
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics
from robot_rig.safety.limits import SLOW_CONDITION, Limits
from robot_rig.safety.ways import Ways
from tests.calibration.twin import Twin, held_board

BELOW_M, COUNT = 0.10, 15
CONFIG, BOARD = Config(), Board()
ARM = Kinematics(CONFIG.control.tool_offset_m)
KEEP_OUT = ((0.60, 0.08, 0.0), (0.80, 0.30, 0.60))


ROOM = Room(CONFIG, BELOW_M, ARM)
CAMERA = upright_camera(np.array(CONFIG.sim.camera_position_m), np.array(CONFIG.sim.camera_target_m))
ROUGH = RoughView(Lens.configured(CONFIG.camera), CAMERA, held_board(BOARD), BOARD)


def sees(position: Floats) -> bool:
    return ROUGH.sees(ARM, position)


def on_the_way(poses: list[Floats]) -> list[Floats]:
    return [start + share * (end - start) for start, end in itertools.pairwise(poses) for share in np.linspace(0, 1, 8)]


@pytest.mark.parametrize("seed", [0, 2])
def test_every_pose_and_every_way_keeps_to_box_limits_and_table(seed: int) -> None:
    poses = plan_poses(ROOM, COUNT, sees, seed)
    assert len(poses) == COUNT
    low, high = np.array(CONFIG.guard.box_low_m), np.array(CONFIG.guard.box_high_m)
    floor = CONFIG.guard.table_height_m + CONFIG.guard.table_clearance_m
    for position in [*poses, *on_the_way(poses)]:
        pose = ARM.pose(position)
        assert (pose.tool >= low).all()
        assert (pose.tool <= high).all()
        assert (position >= LOWER_LIMITS + CONFIG.guard.soft_ring_rad).all()
        assert (position <= UPPER_LIMITS - CONFIG.guard.soft_ring_rad).all()
        assert (pose.spheres[:, 2] - pose.radii > floor - 1e-3).all()
        assert np.linalg.cond(pose.jacobian) < SLOW_CONDITION + 1
    assert min(ARM.pose(position).tool[2] for position in poses) >= floor + BELOW_M
    assert all(sees(position) for position in poses)


def test_the_hand_is_turned_about_more_than_one_axis() -> None:
    hands = [ARM.hand(position) for position in plan_poses(ROOM, COUNT, sees, 0)]
    angles = [np.degrees(angle_between(a, b)) for a in hands for b in hands]
    assert max(angles) > 40
    tools = np.array([hand[:3, 2] for hand in hands])
    assert np.degrees(np.arccos(np.clip(tools @ tools.T, -1, 1))).max() > 30


def test_no_part_of_the_arm_enters_a_keep_out() -> None:
    config = CONFIG.model_copy(update={"guard": CONFIG.guard.model_copy(update={"keep_outs": (KEEP_OUT,)})})
    low, high = (np.array(corner) for corner in KEEP_OUT)
    poses = plan_poses(Room(config, BELOW_M, ARM), 10, lambda _: True, 0)
    free = plan_poses(ROOM, 10, lambda _: True, 0)

    def nearest(position: Floats) -> float:
        pose = ARM.pose(position)
        outside = np.maximum(np.maximum(low - pose.spheres, pose.spheres - high), 0.0)
        return float((np.linalg.norm(outside, axis=1) - pose.radii).min())

    assert min(map(nearest, poses)) >= 0.0
    assert min(map(nearest, free)) < 0.0, "the keep-out lies where nothing goes anyway"


def test_where_there_is_no_room_it_says_what_to_change() -> None:
    flat = load_config([], ["guard.box_high_m=[0.75, 0.2, 0.11]"])
    with pytest.raises(UserError, match="do not fit between the table"):
        Room(flat, BELOW_M, ARM)
    with pytest.raises(UserError, match="0 poses of 15 fit"):
        plan_poses(ROOM, COUNT, lambda _: False, 0)


def test_the_guard_has_no_reason_to_refuse_a_planned_way() -> None:
    guard = Ways(Limits.from_config(CONFIG.guard, CONFIG.control), ARM)
    poses = plan_poses(ROOM, COUNT, sees, 0)
    random = np.random.default_rng(0)
    for start, end in itertools.pairwise(poses):
        # An arm arrives where it was sent within a few milliradians.
        assert guard.refuse(start + random.uniform(-0.004, 0.004, 7), end) == ()


def test_an_arm_that_stands_too_low_for_the_board_is_lifted_straight_up() -> None:
    home = np.array(CONFIG.control.home_posture_rad)
    lifted = ROOM.lifted(home)
    assert lifted is not None
    low, high = ARM.pose(home), ARM.pose(lifted)
    assert high.tool[2] > CONFIG.guard.table_height_m + BELOW_M
    assert np.allclose(high.tool[:2], low.tool[:2], atol=1e-4)
    assert np.allclose(high.rotation, low.rotation, atol=1e-4)
    assert ROOM.lifted(lifted) is None
    poses = plan_poses(ROOM, COUNT, sees, 0)
    assert ROOM.nearest(lifted, poses) is not None
    assert ROOM.nearest(home, poses) is None


@pytest.mark.parametrize("place", [(1.3, 0.0, 0.7), (0.4, -0.9, 0.5), (0.65, 0.0, 1.5)])
def test_a_camera_by_a_tape_measure_is_the_twin_s(place: tuple[float, float, float]) -> None:
    config = load_config([], [f"sim.camera_position_m={list(place)}"])
    twin = Twin(config, BOARD)
    truth = twin.base_from_camera
    twin.close()
    made = upright_camera(np.array(place), np.array(config.sim.camera_target_m))
    assert distance_between(made, truth) < 1e-6
    assert angle_between(made, truth) < 1e-4


def test_a_board_hangs_as_far_below_the_tool_as_its_lowest_corner_in_the_widest_tilt() -> None:
    # Straight below the tip, facing down, so that a tilt lowers one edge by what it is wide.
    offset = CONFIG.control.tool_offset_m
    width, height = BOARD.size_m
    flat = rigid(np.eye(3), np.array([-width / 2, -height / 2, offset + 0.05]))
    assert 0.05 < hangs_below(flat, BOARD, offset) < 0.05 + np.hypot(width, height) / 2 + 0.05
    behind = rigid(np.eye(3), np.array([-width / 2, -height / 2, offset - 0.5]))
    assert hangs_below(behind, BOARD, offset) == 0.0
