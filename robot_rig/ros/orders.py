"""A person's orders to the arm process, over its Trigger services. Called by the command line and the teleop node.

The process must be a node already (`visitor` or `node`). An order is given once and never repeated by itself.
"""

from __future__ import annotations

from typing import Any

import rospy
from std_srvs.srv import Trigger

from robot_rig.errors import UserError
from robot_rig.ros.master import MasterSilent, answer_within
from robot_rig.ros.topics import ARM_NODE, arm_service

FIND_S = 1.5
"""How long to look for the service; a node that was killed leaves its name behind, and nobody answers there."""

ANSWER_S = 15.0
"""How long the arm process may take; switching motors on takes the robot up to 5 s."""


def give_order(word: str) -> str:
    """Tell the arm process to `word` (one of topics.ARM_SERVICES) and return its answer.

    Raises UserError when it is not there, refuses, or does not answer in time.
    """
    service = arm_service(word)
    try:
        rospy.wait_for_service(service, timeout=FIND_S)
        response: Any = answer_within(ANSWER_S, lambda: _call(service))
    except rospy.ROSException as error:
        raise UserError(
            f"the arm process is not there: nobody serves {service}",
            next_step=f"start {ARM_NODE} with a launch file, or see `rig doctor --network`",
        ) from error
    except MasterSilent as error:
        raise UserError(
            f"{service} did not answer: {error}", next_step="keep clear of the arm; it may still follow the order"
        ) from error
    if not response.success:
        raise UserError(f"the arm process refuses to {word}: {response.message}")
    return str(response.message)


def _call(service: str) -> Any:
    try:
        return rospy.ServiceProxy(service, Trigger)()
    except (rospy.ServiceException, rospy.ROSException) as error:
        raise MasterSilent(str(error)) from error
