"""What the robot keeps on the parameter server, where the vendor's SDK reads it. Called by `sim.wire.robot`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES
from robot_rig.kinematics import NEUTRAL
from sim.wire.controller import DEFAULT_TIMEOUT_S
from sim.wire.head import HEAD_PAN, RATED_ACCELERATION_RAD_S2
from sim.wire.tips import CAMERA, TipFrames
from sim.wire.urdf import robot_description

ACCELERATION_LIMITS = (10.0, 8.0, 10.0, 10.0, 12.0, 12.0, 12.0)
"""rad/s² per joint."""

SHIPPING = (0.0, -1.57, 0.0, 2.79, 0.0, -2.79, 3.3161)


def robot_parameters(config: Config, release: str) -> Mapping[str, Any]:
    """Name to value, as `rospy.set_param` takes them; `release` is the robot's software, as in 5.5.2."""
    acceleration = dict(zip(JOINT_NAMES, ACCELERATION_LIMITS, strict=True)) | {HEAD_PAN: RATED_ACCELERATION_RAD_S2}
    tip = TipFrames(config).active
    return {
        "/robot_config/assembly_names": ["head", "right", "torso"],
        "/robot_config/right_config": {
            "accelerometer_names": ["right_accelerometer"],
            "end_effector_names": ["right_gripper"],
            "joint_names": list(JOINT_NAMES),
            "type": "limb",
        },
        "/robot_config/head_config": {"joint_names": [HEAD_PAN], "type": "head"},
        "/robot_config/torso_config": {"joint_names": ["torso_t0"], "type": "torso"},
        "/robot_config/camera_config": {
            "head_camera": {"cameraType": "ienso_ethernet", "power": "torso_camera_power"},
            "right_hand_camera": {"cameraType": "cognex", "power": "right_hand_camera_power"},
        },
        "/robot_config/joint_config/joint_acceleration_limit": acceleration,
        "/manifest/robot_class": "sawyer",
        "/manifest/robot_software/version/HLR_VERSION_STRING": f"{release}.0",
        "/named_poses/right/joint_names": list(JOINT_NAMES),
        "/named_poses/right/poses/neutral": NEUTRAL.tolist(),
        "/named_poses/right/poses/shipping": list(SHIPPING),
        "/named_poses/head/joint_names": [HEAD_PAN],
        "/named_poses/head/poses/neutral": [0.0],
        "/named_poses/head/poses/shipping": [-3.14],
        "/robot/limb/right/root_name": "base",
        "/robot/limb/right/tip_name": tip,
        "/robot/limb/right/gravity_tip_name": tip,
        "/robot/limb/right/camera_name": CAMERA,
        "/robot/command_timeout": DEFAULT_TIMEOUT_S,
        "/robot_description": robot_description(config),
    }
