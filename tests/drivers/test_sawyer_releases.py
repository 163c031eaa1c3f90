"""Which robot is there is told by its messages: none, an older one, and one whose state has another type."""

from __future__ import annotations

import pytest
import rospy

from drivers.sawyer import Flags
from drivers.sawyer_topics import released_types
from drivers.sawyer_wire import SawyerWire
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import load
from tests.live_robot import live_robot
from tests.ros_graph import Master


def test_a_missing_robot_is_said_to_be_missing(ros_master: Master, ros_node: str) -> None:
    with pytest.raises(UserError, match="no robot publishes"):
        SawyerWire(Config())


def test_an_older_robot_is_driven_with_its_own_messages(ros_master: Master, ros_node: str) -> None:
    with live_robot(ros_master, "--release", "5.3.0"):
        types, _ = released_types()
        assert types.release == "5.3.0"
        arm = SawyerWire(Config())
        arm.enable()
        assert arm.state().enabled
        arm.close()


def test_a_robot_before_5_3_has_another_type_of_state(ros_master: Master, ros_node: str) -> None:
    old = load("5.2.0").AssemblyState
    publisher = rospy.Publisher("/robot/state", old, queue_size=1)
    try:
        types, state_type = released_types()
    finally:
        publisher.unregister()
    assert (types.release, state_type) == ("5.2.0", "AssemblyState")
    assert set(Flags._fields) - {"arrived", "button"} <= set(old.__slots__)
