"""Planned poses are inside the box and the limits, on the way too, see the board, and turn it enough."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from calibration.board import Board
from calibration.lens import Lens
from calibration.poses import RoughView, plan_poses
from calibration.rigid import angle_between, rigid
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics
from robot_rig.safety.limits import SLOW_CONDITION
from sim.scenes import looking_at
from tests.calibration.twin import held_board

BELOW_M, COUNT = 0.10, 15
CONFIG, BOARD = Config(), Board()
ARM = Kinematics(CONFIG.control.tool_offset_m)
KEEP_OUT = ((0.60, 0.08, 0.0), (0.80, 0.30, 0.60))


def camera() -> Floats:
    """The twin's, from its settings."""
    w, x, y, z = looking_at(np.array(CONFIG.sim.camera_position_m), np.array(CONFIG.sim.camera_target_m))
    angle = 2 * np.arctan2(np.linalg.norm([x, y, z]), w)
    axis = np.array([x, y, z]) / np.linalg.norm([x, y, z])
    upright = rigid(angle * axis, np.array(CONFIG.sim.camera_position_m))
    return upright @ np.diag([1.0, -1.0, -1.0, 1.0])


ROUGH = RoughView(Lens.configured(CONFIG.camera), camera(), held_board(BOARD), BOARD)


def sees(position: Floats) -> bool:
    return ROUGH.sees(ARM, position)


def on_the_way(poses: list[Floats]) -> list[Floats]:
    return [start + share * (end - start) for start, end in itertools.pairwise(poses) for share in np.linspace(0, 1, 8)]


@pytest.mark.parametrize("seed", [0, 2])
def test_every_pose_and_every_way_keeps_to_box_limits_and_table(seed: int) -> None:
    poses = plan_poses(CONFIG, COUNT, BELOW_M, sees, seed)
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
    hands = [ARM.hand(position) for position in plan_poses(CONFIG, COUNT, BELOW_M, sees, 0)]
    angles = [np.degrees(angle_between(a, b)) for a in hands for b in hands]
    assert max(angles) > 40
    tools = np.array([hand[:3, 2] for hand in hands])
    assert np.degrees(np.arccos(np.clip(tools @ tools.T, -1, 1))).max() > 30


def test_no_part_of_the_arm_enters_a_keep_out() -> None:
    config = CONFIG.model_copy(update={"guard": CONFIG.guard.model_copy(update={"keep_outs": (KEEP_OUT,)})})
    low, high = (np.array(corner) for corner in KEEP_OUT)
    poses = plan_poses(config, 10, BELOW_M, lambda _: True, 0)
    free = plan_poses(CONFIG, 10, BELOW_M, lambda _: True, 0)

    def nearest(position: Floats) -> float:
        pose = ARM.pose(position)
        outside = np.maximum(np.maximum(low - pose.spheres, pose.spheres - high), 0.0)
        return float((np.linalg.norm(outside, axis=1) - pose.radii).min())

    assert min(map(nearest, poses)) >= 0.0
    assert min(map(nearest, free)) < 0.0, "the keep-out lies where nothing goes anyway"


def test_where_there_is_no_room_it_says_what_to_change() -> None:
    flat = load_config([], ["guard.box_high_m=[0.75, 0.2, 0.11]"])
    with pytest.raises(UserError, match="do not fit between the table"):
        plan_poses(flat, COUNT, BELOW_M, sees, 0)
    with pytest.raises(UserError, match="0 poses of 15 fit"):
        plan_poses(CONFIG, COUNT, BELOW_M, lambda _: False, 0)
