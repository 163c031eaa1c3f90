"""Where every frame of the simulated robot is, on /tf and /tf_static, from the robot's own description.

The vendor's Head asks for base to head when it keeps the screen turned to a place. Called by `sim.sim_node`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

import genpy
import genpy.dynamic
import numpy as np
import rospy
from geometry_msgs.msg import TransformStamped

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, Floats
from robot_rig.kinematics import rotation_from_rpy
from sim.scenes import TIMESTEP_S
from sim.wire.head import HEAD_PAN
from sim.wire.outbox import Outbox
from sim.wire.sawyer import Sawyer
from sim.wire.tips import quaternion
from sim.wire.urdf import robot_description

RATE_HZ = 50.0
STEPS_PER_REPORT = round(1.0 / (RATE_HZ * TIMESTEP_S))


class Joint(NamedTuple):
    """A joint of the description: `rotation` (3, 3) and `position` m of the child in the parent at angle 0."""

    name: str
    parent: str
    child: str
    position: tuple[float, float, float]
    rotation: Floats
    moves: bool


def joints_of(description: str) -> list[Joint]:
    """All joints of a URDF text whose axes are z."""

    def numbers(text: str) -> tuple[float, float, float]:
        x, y, z = map(float, text.split())
        return x, y, z

    found = []
    for joint in ElementTree.fromstring(description).iter("joint"):
        places = {child.tag: child.attrib for child in joint}
        origin = places["origin"]
        found.append(
            Joint(
                joint.attrib["name"],
                places["parent"]["link"],
                places["child"]["link"],
                numbers(origin["xyz"]),
                rotation_from_rpy(numbers(origin["rpy"])),
                joint.attrib["type"] != "fixed",
            )
        )
    return found


def tf_message() -> Mapping[str, Any]:
    """The classes of tf2_msgs/TFMessage and of its parts, by full name; made here, so that no package must be there."""
    separator = "=" * 80
    part = f"MSG: geometry_msgs/TransformStamped\n{TransformStamped._full_text}"
    text = f"geometry_msgs/TransformStamped[] transforms\n{separator}\n{part}"
    classes: Mapping[str, Any] = genpy.dynamic.generate_dynamic("tf2_msgs/TFMessage", text)
    return classes


class TransformsOnNetwork:
    """Publishes the frames of `sawyer`; rospy.init_node must have been called.

    `wall_time` maps monotonic stamps to seconds since 1970 on the robot's clock.
    """

    def __init__(self, sawyer: Sawyer, config: Config, outbox: Outbox, wall_time: Callable[[float], float]) -> None:
        self._sawyer, self._outbox, self._wall_time = sawyer, outbox, wall_time
        joints = joints_of(robot_description(config))
        self._moving = [joint for joint in joints if joint.moves]
        self._steps = 0
        self._types = tf_message()
        kind = self._types["tf2_msgs/TFMessage"]
        self._publisher = rospy.Publisher("/tf", kind, queue_size=10)
        self._fixed = rospy.Publisher("/tf_static", kind, queue_size=1, latch=True)
        begin = self._robot_time(WallClock().now())
        self._fixed.publish(self._message([joint for joint in joints if not joint.moves], {}, begin))

    def after_step(self, stamp: float) -> None:
        """Report what is due after the step that stands for `stamp` (monotonic s); called by the stepping thread."""
        self._steps += 1
        if self._steps % STEPS_PER_REPORT or not self._publisher.get_num_connections():
            return
        angles = dict(zip(JOINT_NAMES, self._sawyer.world.joint_position().tolist(), strict=True))
        angles[HEAD_PAN] = self._sawyer.head.pan
        time = self._robot_time(stamp)
        self._outbox.put(lambda: self._publisher.publish(self._message(self._moving, angles, time)))

    def _robot_time(self, stamp: float) -> genpy.Time:
        return genpy.Time.from_sec(self._wall_time(stamp))

    def _message(self, joints: Sequence[Joint], angles: Mapping[str, float], stamp: genpy.Time) -> Any:
        types, transforms = self._types, []
        for joint in joints:
            angle = angles.get(joint.name, 0.0)
            turn = np.array(
                [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0], [0.0, 0.0, 1.0]]
            )
            w, x, y, z = quaternion(joint.rotation @ turn)
            transforms.append(
                types["geometry_msgs/TransformStamped"](
                    types["std_msgs/Header"](0, stamp, joint.parent),
                    joint.child,
                    types["geometry_msgs/Transform"](
                        types["geometry_msgs/Vector3"](*joint.position),
                        types["geometry_msgs/Quaternion"](x, y, z, w),
                    ),
                )
            )
        return types["tf2_msgs/TFMessage"](transforms)

    def close(self) -> None:
        """Leave the network."""
        self._publisher.unregister()
        self._fixed.unregister()
