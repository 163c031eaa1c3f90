"""A Sawyer through the vendor's Python SDK, intera_interface, for labs that want its code between them and the arm.

Called by arm_node. Velocity commands go through the SDK's Limb. Enable, reset and stop do not go through its
RobotEnable: that resets a stopped robot on an enable, without being asked, and blocks for seconds on a stop.
"""

from __future__ import annotations

from typing import Any

import rospy

from drivers.sawyer import Sawyer
from drivers.sawyer_topics import SawyerTopics, released_types
from drivers.sawyer_wire import WireLink
from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, Floats
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import InteraTypes


class SdkLink(WireLink):
    """A `WireLink` whose velocities the SDK's `limb` sends; implements `drivers.sawyer.SawyerLink`."""

    def __init__(self, types: InteraTypes, topics: SawyerTopics, limb: Any) -> None:
        self._limb = limb
        super().__init__(types, topics)

    def velocity(self, values: Floats) -> None:
        """Send a velocity command (7,) rad/s by the SDK, whose publisher writes on a thread of its own."""
        self._limb.set_joint_velocities(dict(zip(JOINT_NAMES, values.tolist(), strict=True)))


class SawyerIntera(Sawyer):
    """The robot of this ROS graph as an arm; implements `interfaces.Arm`.

    Raises UserError without intera_interface, and for what `SawyerWire` refuses.
    """

    def __init__(self, config: Config) -> None:
        types, state_type = released_types()
        limb = _limb(types)
        topics = SawyerTopics(config, types, state_type)
        super().__init__(SdkLink(types, topics, limb), topics.reports, topics.table)


def _limb(types: InteraTypes) -> Any:
    """The SDK's Limb, over the message classes of the robot's release."""
    types.make_importable()
    try:
        import intera_interface
    except ImportError as error:
        raise UserError(
            f"the vendor's SDK cannot be imported: {error}",
            next_step="install intera_sdk into this Python, or use --driver wire, which needs none of it",
        ) from error
    try:
        return intera_interface.Limb("right")
    except (OSError, AttributeError, rospy.ROSException) as error:
        raise UserError(
            f"the vendor's SDK does not get hold of the arm: {error}", next_step="or use --driver wire"
        ) from error
