"""A Sawyer over its own topics, without the vendor's SDK: velocity commands, enable, reset and stop.

Called by arm_node. Needs an initialised ROS node and a robot, real or simulated, that runs Intera 5.1, 5.2, 5.3 or 5.5.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import rospy
from std_msgs.msg import Bool, Empty, Float64

from drivers.sawyer import JOINT_COMMAND, Sawyer, insist
from drivers.sawyer_topics import SawyerTopics, released_types
from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, Floats
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import InteraTypes
from robot_rig.ros.node import end_if_told
from robot_rig.safety.gate import ROBOT_TIMEOUT_S

SET_ENABLE = "/robot/set_super_enable"
SET_RESET = "/robot/set_super_reset"
SET_STOP = "/robot/set_super_stop"
COMMAND_TIMEOUT = "/robot/limb/right/joint_command_timeout"
CONNECT_S = 5.0


class WireLink:
    """Orders as messages; implements `drivers.sawyer.SawyerLink`. Raises UserError when the robot does not listen."""

    def __init__(self, types: InteraTypes, topics: SawyerTopics) -> None:
        self._message, self._topics, self._reports = types.JointCommand, topics, topics.reports
        self._command = rospy.Publisher(JOINT_COMMAND, types.JointCommand, queue_size=1, tcp_nodelay=True)
        self._enable = rospy.Publisher(SET_ENABLE, Bool, queue_size=1, tcp_nodelay=True)
        self._reset = rospy.Publisher(SET_RESET, Empty, queue_size=1, tcp_nodelay=True)
        self._stop = rospy.Publisher(SET_STOP, Empty, queue_size=1, tcp_nodelay=True)
        self._timeout = rospy.Publisher(COMMAND_TIMEOUT, Float64, queue_size=1, tcp_nodelay=True)
        self._publishers = (self._command, self._enable, self._reset, self._stop, self._timeout)
        self._halting: threading.Thread | None = None
        try:
            self._wait()
        except UserError:
            self.close()
            raise

    def _wait(self) -> None:
        """Return when the robot listens to all of it: a stop must not be the message that is lost while connecting."""
        deadline = time.monotonic() + CONNECT_S
        while deaf := [one.name for one in self._publishers if one.get_num_connections() == 0]:
            end_if_told()
            if time.monotonic() > deadline:
                raise UserError(
                    f"the robot does not listen to {', '.join(deaf)}",
                    next_step="see whether it has started, and whether ROS_IP is this machine's address beside it",
                )
            time.sleep(0.02)

    def velocity(self, values: Floats) -> None:
        """Publish a velocity command (7,) rad/s; another thread writes it to the network."""
        message: Any = self._message(
            mode=self._message.VELOCITY_MODE, names=list(JOINT_NAMES), velocity=values.tolist()
        )
        message.header.stamp = rospy.Time.from_sec(time.time())
        self._command.publish(message)

    def switch(self, on: bool, give_up: Callable[[], bool]) -> None:
        """Motors on or off. Raises UserError when the robot's state does not follow.

        Any program may have lengthened the robot's own dead-man; before motion it is put back.
        """
        if on:
            self._timeout.publish(ROBOT_TIMEOUT_S)
        if not insist(lambda: self._enable.publish(on), lambda: self._flag("enabled") is on, give_up) and not give_up():
            raise UserError(
                f"the robot does not switch its motors {'on' if on else 'off'}",
                next_step="see `rostopic echo /robot/state`; press the red button if it does not obey",
            )

    def halt(self) -> None:
        """Publish a stop now, and again until the robot says that it has stopped."""
        self._stop.publish()
        if self._halting is None or not self._halting.is_alive():
            self._halting = threading.Thread(target=self._keep_stopping, name="stop", daemon=True)
            self._halting.start()

    def _keep_stopping(self) -> None:
        insist(self._stop.publish, lambda: self._flag("stopped"), rospy.is_shutdown)

    def clear(self) -> None:
        """Reset. Raises UserError when the robot stays stopped or in error."""
        if self._halting is not None:
            self._halting.join()
        well = insist(
            self._reset.publish, lambda: not self._flag("stopped") and not self._flag("error"), rospy.is_shutdown
        )
        if not well:
            raise UserError(
                "the robot stays stopped or in error after a reset",
                next_step="see `rostopic echo /robot/state`; release the red button or restart the robot",
            )

    def _flag(self, name: str) -> bool:
        flag: bool = getattr(self._reports.flags, name)
        return flag

    def close(self) -> None:
        """Let what was published last leave, then take all topics back."""
        time.sleep(0.05)
        self._topics.close()
        for publisher in self._publishers:
            publisher.unregister()


class SawyerWire(Sawyer):
    """The robot of this ROS graph as an arm; implements `interfaces.Arm`.

    Raises UserError when there is no robot, when it is of an unknown release, or has another tool than `config` says.
    """

    def __init__(self, config: Config) -> None:
        types, state_type = released_types()
        topics = SawyerTopics(config, types, state_type)
        super().__init__(WireLink(types, topics), topics.reports, topics.table)
