"""A node that hears what a launched stack does, and is the person beside it where a busy machine needs one.

The truth about the arm is the simulator's /sim/tool and what goes over the wire, never a node's word about itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rospy
from geometry_msgs.msg import PointStamped

from drivers.sawyer import JOINT_COMMAND
from robot_rig.datatypes import ArmState, Mode
from robot_rig.loops.episode_state import EpisodeState
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import read_state
from robot_rig.ros.episode_reports import read_episode_message
from robot_rig.ros.orders import give_order
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.topics import ARM_STATE, ARM_STATUS, CAMERA_FRAME, EPISODE, GOAL

LIMIT_S = 150.0
"""Nothing takes so long; a machine that is ten times too busy may."""


class Witness:
    """Hears everything from its making on. Be made once a process."""

    def __init__(self) -> None:
        rospy.init_node("launch_check")
        self._stamps = HostStamps()
        self.reports: list[ArmReport] = []
        self.episodes: list[EpisodeState] = []
        self.tools: list[np.ndarray] = []
        self.rests: list[np.ndarray] = []
        """Joint positions at which the arm reported to stand still."""
        self.commands = 0
        self.frames = 0
        self.enables = 0
        """How often it had to enable the arm anew."""
        self._goal: Any = None
        self._goals = advertise(GOAL)
        self._hearing = [
            subscribe(ARM_STATUS, lambda message: self._keep(read_report(message, self._stamps), self.reports)),
            subscribe(EPISODE, lambda message: self._keep(read_episode_message(message, self._stamps), self.episodes)),
            subscribe(CAMERA_FRAME, self._count_frame),
            subscribe(ARM_STATE, self._see_joints),
            subscribe(GOAL, self._keep_goal),
            rospy.Subscriber("/sim/tool", PointStamped, self._see_tool, queue_size=100),
            rospy.Subscriber(JOINT_COMMAND, rospy.AnyMsg, self._count_command, queue_size=100),
        ]

    def _keep(self, record: Any, records: list[Any]) -> None:
        if isinstance(record, ArmReport | EpisodeState):
            records.append(record)

    def _see_joints(self, message: Any) -> None:
        state = read_state(message, self._stamps)
        if isinstance(state, ArmState) and np.abs(state.velocity).max() < 0.01:
            self.rests.append(state.position)

    def _count_frame(self, _: Any) -> None:
        self.frames += 1

    def _count_command(self, _: Any) -> None:
        self.commands += 1

    def _keep_goal(self, message: Any) -> None:
        self._goal = message

    def _see_tool(self, message: Any) -> None:
        self.tools.append(np.array([message.point.x, message.point.y, message.point.z]))

    @property
    def mode(self) -> Mode | None:
        return self.reports[-1].mode if self.reports else None

    @property
    def modes(self) -> set[Mode]:
        return {report.mode for report in self.reports}

    def travel(self) -> float:
        """How far the tool has been from where it was seen first, m."""
        places = np.array(self.tools)
        return float(np.linalg.norm(places - places[0], axis=1).max()) if len(places) else 0.0

    def wait_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end, self.story()
            time.sleep(0.05)

    def wait_as_a_person_until(self, condition: Callable[[], object]) -> None:
        """The same; an arm that overruns or silence of a busy machine have brought to HOLD is enabled anew."""
        self.wait_until(lambda: condition() or Mode.ACTIVE in self.modes)
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end, self.story()
            if self.mode is Mode.HOLD:
                self.enables += 1
                give_order("enable")
                self.wait_until(lambda: self.mode is not Mode.HOLD)
                if self._goal is not None:
                    self._goals.publish(self._goal)
            time.sleep(0.05)

    def story(self) -> str:
        """What was heard, for whoever reads of a failure."""
        last = self.reports[-1] if self.reports else None
        modes = [one.value for one, before in zip(self._modes(), [None, *self._modes()], strict=False) if one != before]
        return (
            f"modes {modes}, {len(self.reports)} reports, the last {last}; episodes {self.episodes[-3:]}; "
            f"{self.frames} frames, {self.commands} commands, {len(self.tools)} places, travel {self.travel():.4f} m"
        )

    def _modes(self) -> list[Mode]:
        return [report.mode for report in self.reports]
