"""What can go wrong in the simulated robot itself, told on one topic by `rig faults`. Called by `sim_node`.

`TROUBLE` takes JSON: `mute`: names of topics that the robot no longer publishes; `clock_s`: by how much its clock was
set; `collision`: it reports one; `grip`: how hard a person holds the arm where it is (N·m/rad, 0: not at all).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import rospy
from std_msgs.msg import String

from robot_rig.datatypes import Floats
from sim.wire.sawyer import Sawyer

TROUBLE = "/sim/trouble"
GRIP_DAMPING_S = 0.1
"""A hand that holds with a stiffness also brakes, with this times as much."""


class RobotTroubles:
    """The troubles of `sawyer` now; `mute` is told which topics are silent. The process must be a node."""

    def __init__(self, sawyer: Sawyer, mute: Callable[[frozenset[str]], None]) -> None:
        self._sawyer, self._mute = sawyer, mute
        self._grip = 0.0
        self._held: Floats = np.zeros(0)
        self._collides = False
        self.clock_s = 0.0
        """By how much the robot's clock was set."""
        self._subscriber = rospy.Subscriber(TROUBLE, String, self._take, queue_size=10, tcp_nodelay=True)

    def _take(self, message: String) -> None:
        trouble = json.loads(message.data)
        self._mute(frozenset(trouble.get("mute", ())))
        self.clock_s = float(trouble.get("clock_s", 0.0))
        self._sawyer.post(partial(self._enter, trouble))

    def _enter(self, trouble: dict[str, Any]) -> None:
        self._collides = bool(trouble.get("collision"))
        self._grip = float(trouble.get("grip", 0.0))
        self._held = self._sawyer.world.joint_position()
        if not self._grip:
            self._push(np.zeros_like(self._held))

    def before_step(self) -> None:
        """What acts on the arm in the next physics step; called by the stepping thread."""
        if self._collides:
            self._sawyer.feel_contact()
        if self._grip:
            world = self._sawyer.world
            pull = self._held - world.joint_position() - GRIP_DAMPING_S * world.joint_velocity()
            self._push(self._grip * pull)

    def _push(self, torque: Floats) -> None:
        self._sawyer.world.data.qfrc_applied[: len(torque)] = torque

    def close(self) -> None:
        """Hear no more."""
        self._subscriber.unregister()
