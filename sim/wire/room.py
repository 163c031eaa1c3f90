"""What a person with a ruler and two hands could do in the simulated room: topics under /sim. Called by `sim_node`.

For tests and the evaluator only (R17): no agent and no driver may listen here. What an operator does at the robot
itself, the red button, is here too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import genpy
import rospy
from geometry_msgs.msg import Point, PointStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float64, Header

from robot_rig.datatypes import JOINT_NAMES, Floats
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS
from sim.wire.outbox import Outbox
from sim.wire.reports import BASE
from sim.wire.robot import STEPS_PER_REPORT
from sim.wire.sawyer import Sawyer

log = logging.getLogger(__name__)

TOOL, PUCK, FACTOR = "/sim/tool", "/sim/puck", "/sim/real_time_factor"
TRUTH = "/sim/truth"
TOUCHES = "touches the table"
PLACE_ARM, PLACE_PUCK = "/sim/place_arm", "/sim/place_puck"
BUTTON, FAULT = "/sim/estop_button", "/sim/fault"
STEPS_PER_FACTOR = 500


class Room:
    """Publishes the truth about `sawyer`'s room and takes the hands' orders; rospy.init_node must have been called.

    /sim/truth sensor_msgs/JointState at 100 Hz: the joints, whatever the robot reports, and in frame_id whether the arm
    touches the table. /sim/tool, /sim/puck geometry_msgs/PointStamped in base at 100 Hz; /sim/real_time_factor
    std_msgs/Float64 at 1 Hz. /sim/place_arm sensor_msgs/JointState (names and positions), /sim/place_puck
    geometry_msgs/Point (x and y), /sim/estop_button std_msgs/Bool (true = pressed), /sim/fault std_msgs/Empty.
    """

    def __init__(
        self, sawyer: Sawyer, outbox: Outbox, wall_time: Callable[[float], float], factor: Callable[[], float]
    ) -> None:
        self._sawyer, self._outbox, self._wall_time, self._factor = sawyer, outbox, wall_time, factor
        self._steps = 0
        self._truth = rospy.Publisher(TRUTH, JointState, queue_size=10)
        self._tool = rospy.Publisher(TOOL, PointStamped, queue_size=10)
        self._puck = rospy.Publisher(PUCK, PointStamped, queue_size=10) if sawyer.has_puck else None
        self._real_time = rospy.Publisher(FACTOR, Float64, queue_size=1, latch=True)
        self._subscribers = [
            rospy.Subscriber(PLACE_ARM, JointState, self._place_arm, queue_size=10),
            rospy.Subscriber(PLACE_PUCK, Point, self._place_puck, queue_size=10),
            rospy.Subscriber(BUTTON, Bool, self._push_button, queue_size=10),
            rospy.Subscriber(FAULT, Empty, lambda _: sawyer.post(sawyer.fault), queue_size=10),
        ]

    def after_step(self, stamp: float) -> None:
        """Publish what is due after the step that stands for `stamp` (monotonic s); called by the stepping thread."""
        self._steps += 1
        if self._steps % STEPS_PER_REPORT == 0:
            self._tell_joints(stamp)
            self._tell(self._tool, self._sawyer.world.tool_position, stamp)
            if self._puck is not None:
                self._tell(self._puck, self._sawyer.world.puck_position, stamp)
        if self._steps % STEPS_PER_FACTOR == 0:
            self._outbox.put(partial(self._real_time.publish, self._factor()))

    def _tell(self, publisher: rospy.Publisher, where: Callable[[], Floats], stamp: float) -> None:
        if publisher.get_num_connections():
            header = Header(stamp=genpy.Time.from_sec(self._wall_time(stamp)), frame_id=BASE)
            self._outbox.put(partial(publisher.publish, PointStamped(header, Point(*where().tolist()))))

    def _tell_joints(self, stamp: float) -> None:
        if self._truth.get_num_connections():
            world = self._sawyer.world
            header = Header(stamp=genpy.Time.from_sec(self._wall_time(stamp)))
            header.frame_id = TOUCHES if world.touches_table() else ""
            position, velocity, effort = (column.tolist() for column in world.report())
            joints = JointState(header, list(JOINT_NAMES), position, velocity, effort)
            self._outbox.put(partial(self._truth.publish, joints))

    def _place_arm(self, message: JointState) -> None:
        wanted = dict(zip(message.name, message.position, strict=False))
        if len(wanted) != len(message.name) or not wanted or not set(wanted) <= set(JOINT_NAMES):
            log.warning("%s takes positions of %s, not of %s", PLACE_ARM, ", ".join(JOINT_NAMES), message.name)
            return
        for name, angle in wanted.items():
            index = JOINT_NAMES.index(name)
            if not LOWER_LIMITS[index] <= angle <= UPPER_LIMITS[index]:
                log.warning("%s: %s cannot be at %s rad", PLACE_ARM, name, angle)
                return
        self._sawyer.post(partial(self._put_arm, wanted))

    def _put_arm(self, wanted: dict[str, float]) -> None:
        position = self._sawyer.world.joint_position()
        for name, angle in wanted.items():
            position[JOINT_NAMES.index(name)] = angle
        self._sawyer.place_arm(position)

    def _place_puck(self, message: Point) -> None:
        if self._puck is None or not (math.isfinite(message.x) and math.isfinite(message.y)):
            log.warning("%s: there is no puck in this room, or no such place", PLACE_PUCK)
            return
        self._sawyer.post(partial(self._sawyer.world.place_puck, message.x, message.y))

    def _push_button(self, message: Any) -> None:
        self._sawyer.post(self._sawyer.press_button if message.data else self._sawyer.release_button)

    def close(self) -> None:
        """Leave the network."""
        for connection in (
            *self._subscribers,
            self._truth,
            self._tool,
            self._real_time,
            *([self._puck] if self._puck else []),
        ):
            connection.unregister()
