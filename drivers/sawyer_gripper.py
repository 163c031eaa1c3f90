"""The Sawyer's electric gripper over its IO topics; implements `drivers.gripper.GripperLink`. Called by arm_node.

A command is repeated until the gripper lists its time among those that it has carried out, and is carried out once.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

import genpy
import rospy

from drivers.gripper import GripperState, read_gripper, set_signals
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import InteraTypes

DEVICE = "/io/end_effector/right_gripper"
ANSWER_S, REPEAT_S, LOOK_S = 5.0, 0.1, 0.005
"""How long an acknowledgement may take, how often it is asked for, how often looked for."""

FIRST_WORD_S = 2.0
SILENT = UserError(
    f"nothing comes on {DEVICE}/state: the robot has no electric gripper, or does not know it",
    next_step="attach it in the robot's settings, restart the robot",
)


class SawyerGripper:
    """Must be made in a ROS node. Whether there is a gripper shows when it is first asked."""

    def __init__(self, types: InteraTypes) -> None:
        self._message = types.IOComponentCommand
        self._newest: Any = None
        self._numbers = itertools.count()
        self._commands = rospy.Publisher(f"{DEVICE}/command", self._message, queue_size=10)
        self._states = rospy.Subscriber(f"{DEVICE}/state", types.IODeviceStatus, self._take, tcp_nodelay=True)

    def _take(self, message: Any) -> None:
        # One without a stamp is from before the robot was up.
        if message.time.secs:
            self._newest = message

    def state(self) -> GripperState:
        """Its newest word. Raises UserError when it has not said any, or nothing that can be read."""
        message = self._heard()
        try:
            return read_gripper((signal.name, signal.data) for signal in message.signals)
        except ValueError as error:
            raise UserError(f"the gripper's word cannot be read: {error}", next_step="restart the robot") from error

    def _heard(self) -> Any:
        deadline = time.monotonic() + FIRST_WORD_S
        while self._newest is None:
            if time.monotonic() > deadline:
                raise SILENT
            time.sleep(LOOK_S)
        return self._newest

    def set(self, values: Mapping[str, bool | float]) -> None:
        """Set signals; returns when the gripper has acknowledged. Raises UserError when it refuses, or never does."""
        self._heard()
        command = self._message(self._time(), "set", set_signals(values))
        deadline, due = time.monotonic() + ANSWER_S, 0.0
        while command.time not in self._newest.commands:
            now = time.monotonic()
            if now > deadline:
                raise UserError(
                    f"the gripper has not acknowledged {', '.join(values)}", next_step="see `rig gripper status`"
                )
            if now >= due:
                self._commands.publish(command)
                due = now + REPEAT_S
            time.sleep(LOOK_S)
        answered = dict(zip(self._newest.commands, self._newest.responses, strict=False))
        if refusal := str(answered.get(command.time, "")):
            raise UserError(f"the gripper refuses: {refusal}", next_step="see `rig gripper status`")

    def _time(self) -> Any:
        """What names a command, new each time, be two within one reading of the clock."""
        return genpy.Time.from_sec(time.time()) + genpy.Duration(0, next(self._numbers) % 1000)

    def close(self) -> None:
        """Leave the network; may be called twice."""
        self._states.unregister()
        self._commands.unregister()
