"""The tree of frames on /tf is the robot's kinematics, and its message is everybody's TFMessage."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, Floats
from sim.scenes import build
from sim.wire.head import HEAD_PAN
from sim.wire.tips import TipFrames
from sim.wire.transforms import joints_of, tf_message
from sim.wire.urdf import robot_description
from sim.world import World

POSITION = np.array([0.3, -0.9, 0.2, 1.5, -0.4, 0.8, 2.9])
PAN = -0.6


def frames() -> dict[str, Floats]:
    """(4, 4) in base of every frame, link by link down the published tree."""
    angles = dict(zip(JOINT_NAMES, POSITION, strict=True)) | {HEAD_PAN: PAN}
    places = {"base": np.eye(4)}
    for joint in joints_of(robot_description(Config())):
        angle = angles.get(joint.name, 0.0)
        assert joint.moves == (joint.name in angles)
        turn, place = np.eye(4), np.eye(4)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        place[:3, :3], place[:3, 3] = joint.rotation, joint.position
        places[joint.child] = places[joint.parent] @ place @ turn
    return places


def test_the_tips_hang_where_the_robot_reports_them() -> None:
    found = frames()
    for name, pose in TipFrames(Config()).poses(POSITION).items():
        assert found[name][:3, 3] == pytest.approx(pose.position, abs=1e-9)
        assert found[name][:3, :3] == pytest.approx(pose.rotation, abs=1e-9)


def test_the_cameras_draw_from_the_frames_they_are_called_by() -> None:
    world, found = World(Config(), seed=0), frames()
    world.teleport(POSITION)
    world.turn_head(PAN)
    world.refresh_geometry()
    for name in ("head_camera", "right_hand_camera"):
        index = build(Config()).camera(name).id
        assert world.data.cam_xpos[index] == pytest.approx(found[name][:3, 3], abs=1e-6)
        # MuJoCo's cameras look along -z with y up; the published frames are optical.
        drawn = world.data.cam_xmat[index].reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
        assert drawn == pytest.approx(found[name][:3, :3], abs=1e-6)


def test_a_message_made_without_the_package_is_the_packages() -> None:
    assert tf_message()["tf2_msgs/TFMessage"]._md5sum == "94810edda583a504dfda3829e70d7eec"
