"""An onlooker that hears a policy step pass through the ROS graph. Called by `rig latency` and the live demo.

Works on any live graph, of any robot software: of the joint command only the header is read.

While it listens, Python looks for no garbage in this process. One look at all that a long measurement has gathered, and
at the libraries beside it, takes 70 to 100 ms, in which nothing is heard: once in half an hour the onlooker would be
late, and call it the policy's missed deadline.
"""

from __future__ import annotations

import gc
import struct
import time
from typing import Any

import genpy
import rospy

from robot_rig.datatypes import Source
from robot_rig.loops.episode_state import Stand
from robot_rig.loops.step_trace import StepTrace
from robot_rig.ros.connect import OVERHEARD, overhear
from robot_rig.ros.convert import read_action, read_frame, read_sent
from robot_rig.ros.episode_reports import read_episode_message
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ACTION, ARM_EXECUTED, CAMERA_FRAME, EPISODE

STAMP = struct.Struct("<4xII")
"""Where a message that begins with a header has its stamp: after the sequence number."""


class StepListener:
    """Fills `trace` from now on until `close`; the process must be a node. `command_topic` is the robot's."""

    def __init__(self, command_topic: str) -> None:
        self.trace = StepTrace()
        self.refused = 0
        """Messages that could not be read."""
        self._stamps = HostStamps()
        gc.collect()
        gc.disable()
        self._subscribers = [
            overhear(CAMERA_FRAME, self._frame),
            overhear(ACTION, self._action),
            overhear(ARM_EXECUTED, self._tick),
            overhear(EPISODE, self._episode),
            rospy.Subscriber(command_topic, rospy.AnyMsg, self._command, queue_size=OVERHEARD, tcp_nodelay=True),
        ]

    def close(self) -> None:
        """Hear no more; may be called twice."""
        gc.enable()
        for subscriber in self._subscribers:
            subscriber.unregister()

    def _frame(self, message: Any) -> None:
        arrival = time.monotonic()
        frame = read_frame(message, self._stamps)
        if isinstance(frame, Refused):
            self.refused += 1
        else:
            self.trace.add_frame(frame.seq, frame.stamp, arrival)

    def _action(self, message: Any) -> None:
        arrival = time.monotonic()
        action = read_action(message, self._stamps)
        if isinstance(action, Refused):
            self.refused += 1
        else:
            self.trace.add_action(action.seq, action.frame_seq, action.frame_stamp, action.stamp, arrival)

    def _tick(self, message: Any) -> None:
        sent = read_sent(message, self._stamps)
        if isinstance(sent, Refused):
            self.refused += 1
        elif sent.source in (Source.POLICY, Source.RANDOM):
            self.trace.add_tick(sent.action_seq, sent.stamp)

    def _episode(self, message: Any) -> None:
        episode = read_episode_message(message, self._stamps)
        if isinstance(episode, Refused):
            self.refused += 1
        elif episode.stand is Stand.RUNNING and episode.source is not Source.HUMAN:
            self.trace.begin_episode(episode.first_action)

    def _command(self, message: Any) -> None:
        stamp = self._stamps.local(genpy.Time(*STAMP.unpack_from(message._buff)).to_sec())
        if isinstance(stamp, Refused):
            self.refused += 1
        else:
            self.trace.add_command(stamp)
