"""The one table of this rig's own ROS topics and services. Called by every node, by the doctor and by the launch files.

Headers: `stamp` is wall time (exposure of a picture, making of an action or report) and is mapped to the local
monotonic clock on arrival; numbers that must arrive travel in `frame_id` and `buttons`, because rospy rewrites
`header.seq`. See `robot_rig.ros.convert` for what each message carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image, JointState, Joy
from std_msgs.msg import Bool, Float32


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    rate_hz: nominal rate, None where it is sent on an event. stale_after_s: silence after which whoever shows or checks
    the topic calls it dead (the guard has its own, configured limits), None where silence says nothing.
    queue_size: of a subscriber, 1 where only the newest counts; of a publisher too, where it is above `connect.SENT`.
    """

    name: str
    message: Any
    rate_hz: float | None
    stale_after_s: float | None
    latched: bool = False
    queue_size: int = 1


CAMERA_FRAME = Topic("/rig/camera/frame", Image, 30.0, 0.25)
# Says when a camera does not show what is there: frozen, dark, over-exposed.
CAMERA_STATUS = Topic("/rig/camera/status", DiagnosticArray, 2.0, 2.0, queue_size=20)
CAMERA_RAW = Topic("/rig/camera/raw", Image, 5.0, 2.0)
ACTION = Topic("/rig/action", Joy, 10.0, 0.25)
TELEOP = Topic("/rig/teleop", Joy, 10.0, 0.25)
# Where a program that visits postures wants the arm: its pulse while it does.
POSTURE = Topic("/rig/posture", JointState, 20.0, 0.3)
ARM_STATE = Topic("/rig/arm/state", JointState, 100.0, 0.15)
ARM_EXECUTED = Topic("/rig/arm/executed", JointState, 100.0, 0.15)
# A recorder must not lose a policy period's report while it writes to disk.
ARM_STATUS = Topic("/rig/arm/status", DiagnosticArray, 10.0, 0.5, queue_size=20)
GOAL = Topic("/rig/goal", Image, None, None, latched=True)
GOAL_DECODED = Topic("/rig/goal/decoded", Image, None, None, latched=True)
RECONSTRUCTION = Topic("/rig/view/reconstruction", Image, 2.0, 5.0)
# Of the newest picture to the goal, in the policy's own metric: as a number, so that any plotter can draw it.
GOAL_DISTANCE = Topic("/rig/view/goal_distance", Float32, 2.0, 5.0)
# An episode's beginning and end must not be lost to a recorder that writes to disk.
EPISODE = Topic("/rig/episode", DiagnosticArray, None, None, latched=True, queue_size=20)
RECORDER_STATUS = Topic("/rig/recorder/status", DiagnosticArray, 20.0, 0.3)
POLICY_STATUS = Topic("/rig/policy/status", DiagnosticArray, 2.0, 2.0)
# Never one press lost behind another.
ESTOP = Topic("/rig/estop", Bool, None, None, queue_size=20)

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        CAMERA_FRAME,
        CAMERA_RAW,
        CAMERA_STATUS,
        ACTION,
        TELEOP,
        POSTURE,
        ARM_STATE,
        ARM_EXECUTED,
        ARM_STATUS,
        GOAL,
        GOAL_DECODED,
        RECONSTRUCTION,
        GOAL_DISTANCE,
        EPISODE,
        RECORDER_STATUS,
        POLICY_STATUS,
        ESTOP,
    )
}

ARM_NODE = "rig_arm"
ARM_SERVICES = ("enable", "take", "home", "return_home", "visit", "hand_back", "hold", "reset", "stop")
GRIPPER_SERVICES = ("gripper_calibrate", "gripper_open", "gripper_close", "gripper_status")
"""Private services of the arm node, all std_srvs/Trigger."""


def arm_service(name: str) -> str:
    """The full name of one of `ARM_SERVICES` or `GRIPPER_SERVICES`: /rig_arm/enable and so on."""
    if name not in ARM_SERVICES + GRIPPER_SERVICES:
        raise ValueError(f"the arm node has no service {name!r}")
    return f"/{ARM_NODE}/{name}"
