"""A Sawyer's reports off the network, and the first look at it: what both Sawyer drivers begin with."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
import rospy
from sensor_msgs.msg import JointState

from drivers.arm_description import PUBLISHED, ArmTable, read_arm_table
from drivers.sawyer import (
    COLLISION_STATE,
    ENDPOINT_STATE,
    GRAVITY_MODEL,
    JOINT_STATES,
    ROBOT_STATE,
    Flags,
    SawyerReports,
    Tip,
)
from drivers.sawyer_tool import check_tool
from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.ros.intera_messages import InteraTypes, load
from robot_rig.ros.intera_release import robot_release
from robot_rig.ros.master import Master, MasterSilent, master_uri
from robot_rig.ros.node import end_if_told
from robot_rig.ros.stamps import LowerEnvelope, Refused

FIRST_REPORT_S = 20.0
"""How long the robot may take to be heard: a connection, and then a second to learn its clock."""

ASK_S = 3.0
"""How long the master and each of the robot's nodes may take to answer at the start, when nothing moves."""

BUTTON_PRESSED = 1
OTHER_DEVICES = 4
"""joint_states also carries the reports of head and gripper; a queue of one could keep just those."""

COLLISIONS = 100
"""Reports that may wait: a queue of one would drop a yes behind which a no has come."""

log = logging.getLogger(__name__)


class SawyerTopics:
    """Keeps `reports` up to date until `close`; `table` is this arm's kinematics.

    `state_type` is the name of the class that /robot/state has in `types`. Raises UserError for a robot that does not
    report, is no Sawyer, or has another tool than `config` says.
    """

    def __init__(self, config: Config, types: InteraTypes, state_type: str) -> None:
        self.reports = SawyerReports(config.guard.collision_reports)
        self._clock = LowerEnvelope()
        self._distrust = ""
        self._subscribers = [
            _subscribe(JOINT_STATES, JointState, self._take_joints, OTHER_DEVICES),
            _subscribe(ROBOT_STATE, getattr(types, state_type), self._take_state),
            _subscribe(COLLISION_STATE, types.CollisionDetectionState, self._take_collision, COLLISIONS),
            _subscribe(GRAVITY_MODEL, types.SEAJointState, self._take_model),
        ]
        endpoint = _subscribe(ENDPOINT_STATE, types.EndpointState, self._take_endpoint)
        try:
            self._wait()
            self.table = _arm_table()
            offset = config.control.tool_offset_m
            check_tool(self.reports, Kinematics(offset, self.table.origins, self.table.hand), config.tool, offset)
        except UserError:
            self.close()
            raise
        finally:
            if not self.reports.tells_push:
                log.warning(
                    "nothing comes on %s: what the arm pushes against is noticed by its lag alone", GRAVITY_MODEL
                )
            # Where the robot's tip is is wanted at the start only.
            endpoint.unregister()

    def _take_joints(self, message: Any) -> None:
        arrival = time.monotonic()
        if JOINT_NAMES[0] not in message.name:
            # Of a gripper or the like, which may have another clock: the arm's must not be measured on it.
            return
        robot_stamp = message.header.stamp.to_sec()
        stamp = self._clock.local(robot_stamp, arrival)
        if isinstance(stamp, Refused):
            self._doubt(stamp.reason)
            return
        self._distrust = ""
        self.reports.take_joints(stamp, robot_stamp, message.name, message.position, message.velocity, message.effort)

    def _doubt(self, reason: str) -> None:
        # Reasons carry changing numbers; what is new is the kind of doubt.
        if self.reports.joints is not None and not self._distrust:
            log.warning("the robot's joint reports are not used: %s", reason)
        self._distrust = reason

    def _take_state(self, message: Any) -> None:
        self.reports.flags = Flags(
            enabled=message.enabled,
            stopped=message.stopped,
            error=message.error,
            ready=message.ready,
            button=message.estop_button == BUTTON_PRESSED,
            arrived=time.monotonic(),
        )

    def _take_collision(self, message: Any) -> None:
        self.reports.take_collision(message.collision_state)

    def _take_model(self, message: Any) -> None:
        self.reports.take_model(time.monotonic(), message.name, message.actual_effort, message.gravity_model_effort)

    def _take_endpoint(self, message: Any) -> None:
        at, force = message.pose.position, message.wrench.force
        self.reports.tip = Tip(
            message.header.stamp.to_sec(), np.array([at.x, at.y, at.z]), np.array([force.x, force.y, force.z])
        )

    def _wait(self) -> None:
        reports = self.reports
        deadline = time.monotonic() + FIRST_REPORT_S
        while not reports.complete():
            end_if_told()
            if time.monotonic() > deadline:
                heard = {JOINT_STATES: reports.joints, ROBOT_STATE: reports.flags, ENDPOINT_STATE: reports.tip}
                missing = [topic for topic, report in heard.items() if report is None]
                because = f" ({self._distrust})" if self._distrust and reports.joints is None else ""
                raise UserError(
                    f"the robot does not report {', '.join(missing)}{because}",
                    next_step="see whether it has started, and whether ROS_IP is this machine's address beside it",
                )
            time.sleep(0.02)

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        for subscriber in self._subscribers:
            subscriber.unregister()


def released_types() -> tuple[InteraTypes, str]:
    """The message classes of the robot's release, told by md5 sums, and the name of the type of /robot/state.

    Raises UserError when no robot is there, or one of an unknown release.
    """
    try:
        master = Master(master_uri(), timeout=ASK_S)
        release = robot_release(master)
        state_type = master.topic_types()[ROBOT_STATE].rpartition("/")[2]
    except MasterSilent as error:
        raise UserError(f"the robot cannot be found: {error}", next_step="see `rosnode list` and ROS_IP") from error
    except KeyError as error:
        raise UserError(f"nobody has ever published {ROBOT_STATE}", next_step="start the robot") from error
    log.info("the robot speaks Intera %s", release)
    return load(release), state_type


def _arm_table() -> ArmTable:
    """The robot's own kinematic table from /robot_description; the published one, with a warning, where there is none.

    Raises UserError for a description that is not a Sawyer's.
    """
    urdf = rospy.get_param("/robot_description", "")
    if not isinstance(urdf, str) or not urdf.strip():
        log.warning("no /robot_description: the published kinematic table is used instead of this arm's own")
        return PUBLISHED
    return read_arm_table(urdf)


def _subscribe(topic: str, message: Any, take: Any, queue_size: int = 1) -> Any:
    return rospy.Subscriber(topic, message, take, queue_size=queue_size, tcp_nodelay=True)
