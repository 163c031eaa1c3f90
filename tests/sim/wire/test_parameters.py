"""What the simulated robot keeps on the parameter server, against the vendor's values in plain literals."""

from __future__ import annotations

from typing import Any

import pytest

from robot_rig.config import Config
from sim.wire.parameters import robot_parameters

ARM = ["right_j0", "right_j1", "right_j2", "right_j3", "right_j4", "right_j5", "right_j6"]
PARAMETERS: dict[str, Any] = {
    "/robot_config/assembly_names": ["head", "right", "torso"],
    "/robot_config/right_config": {
        "accelerometer_names": ["right_accelerometer"],
        "end_effector_names": ["right_gripper"],
        "joint_names": ARM,
        "type": "limb",
    },
    "/robot_config/head_config": {"joint_names": ["head_pan"], "type": "head"},
    "/robot_config/torso_config": {"joint_names": ["torso_t0"], "type": "torso"},
    "/robot_config/camera_config": {
        "head_camera": {"cameraType": "ienso_ethernet", "power": "torso_camera_power"},
        "right_hand_camera": {"cameraType": "cognex", "power": "right_hand_camera_power"},
    },
    "/robot_config/joint_config/joint_acceleration_limit": {
        "head_pan": 10.0,
        "right_j0": 10.0,
        "right_j1": 8.0,
        "right_j2": 10.0,
        "right_j3": 10.0,
        "right_j4": 12.0,
        "right_j5": 12.0,
        "right_j6": 12.0,
    },
    "/manifest/robot_class": "sawyer",
    "/named_poses/right/joint_names": ARM,
    "/named_poses/right/poses/neutral": [0.00, -1.18, 0.00, 2.18, 0.00, 0.57, 3.3161],
    "/named_poses/right/poses/shipping": [0.00, -1.57, 0.00, 2.79, 0.00, -2.79, 3.3161],
    # One angle for each joint, as in the vendor's named_poses.yaml.
    "/named_poses/head/joint_names": ["head_pan"],
    "/named_poses/head/poses/neutral": [0.00],
    "/named_poses/head/poses/shipping": [-3.14],
    "/robot/limb/right/root_name": "base",
    "/robot/limb/right/tip_name": "right_gripper_tip",
    "/robot/limb/right/gravity_tip_name": "right_gripper_tip",
    "/robot/limb/right/camera_name": "right_hand_camera",
    "/robot/command_timeout": 0.2,
}


@pytest.mark.parametrize("release", ["5.5.2", "5.3.0"])
def test_the_parameters_are_the_vendors(release: str) -> None:
    told = dict(robot_parameters(Config(), release))
    assert told.pop("/robot_description").startswith("<robot")
    assert told.pop("/manifest/robot_software/version/HLR_VERSION_STRING") == f"{release}.0"
    assert told == PARAMETERS


def test_without_a_gripper_the_hand_is_the_tip() -> None:
    bare = Config.model_validate({"tool": {"kind": "none", "mass_kg": 0}, "control": {"tool_offset_m": 0}})
    told = robot_parameters(bare, "5.5.2")
    assert told["/robot/limb/right/tip_name"] == told["/robot/limb/right/gravity_tip_name"] == "right_hand"
