"""What can go wrong in the simulated robot itself, told on one topic by `rig faults`. Called by `sim_node`.

`TROUBLE` takes JSON: `mute`: names of topics that the robot no longer publishes; `unplugged`: its network cable is out;
`clock_s`: by how much its clock was set; `collision`: it reports one; `grip`: how hard a person holds the arm where it
is (N·m/rad, 0: not at all); `wall`: [axis, sign, place], a springy plane that the tool cannot pass, in base.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Protocol

import numpy as np
import rospy
from std_msgs.msg import String

from robot_rig.datatypes import Floats
from robot_rig.kinematics import Kinematics
from sim.faults.evidence import WALL_N_M
from sim.wire.sawyer import Sawyer

TROUBLE = "/sim/trouble"
GRIP_DAMPING_S = 0.1
"""A hand that holds with a stiffness also brakes, with this times as much."""


class Network(Protocol):
    """What a robot's place on the network can suffer."""

    def mute(self, topics: frozenset[str]) -> None:
        """No longer publish `topics`, and all the others."""
        ...

    def unplug(self, out: bool) -> None:
        """Pull the cable, or put it back."""
        ...


class RobotTroubles:
    """The troubles of `sawyer` now: none before `listen`. `kinematics` are those of its tool."""

    def __init__(self, sawyer: Sawyer, kinematics: Kinematics) -> None:
        self._sawyer, self._kinematics = sawyer, kinematics
        self._wall: tuple[int, float, float] | None = None
        self._grip = 0.0
        self._held: Floats = np.zeros(0)
        self._collides = False
        self.clock_s = 0.0
        """By how much the robot's clock was set."""
        self._subscribers: list[rospy.Subscriber] = []

    def listen(self, network: Network) -> None:
        """Hear of troubles from now on; `network` is told what of it is cut off. The process must be a node."""
        take = partial(self._take, network)
        self._subscribers = [rospy.Subscriber(TROUBLE, String, take, queue_size=10, tcp_nodelay=True)]

    def _take(self, network: Network, message: String) -> None:
        trouble = json.loads(message.data)
        network.mute(frozenset(trouble.get("mute", ())))
        network.unplug(bool(trouble.get("unplugged")))
        self.clock_s = float(trouble.get("clock_s", 0.0))
        self._sawyer.post(partial(self._enter, trouble))

    def _enter(self, trouble: dict[str, Any]) -> None:
        self._collides = bool(trouble.get("collision"))
        self._grip = float(trouble.get("grip", 0.0))
        self._held = self._sawyer.world.joint_position()
        axis, sign, place = trouble.get("wall", (0, 0.0, 0.0))
        self._wall = (int(axis), float(sign), float(place)) if sign else None
        if not (self._grip or self._wall):
            self._push(np.zeros_like(self._held))

    def before_step(self) -> None:
        """What acts on the arm in the next physics step; called by the stepping thread."""
        if self._collides:
            self._sawyer.feel_contact()
        if self._grip:
            world = self._sawyer.world
            pull = self._held - world.joint_position() - GRIP_DAMPING_S * world.joint_velocity()
            self._push(self._grip * pull)
        elif self._wall is not None:
            axis, sign, place = self._wall
            pose = self._kinematics.pose(self._sawyer.world.joint_position())
            depth = max(0.0, sign * (pose.tool[axis] - place))
            self._push(-sign * WALL_N_M * depth * pose.jacobian[axis])

    def _push(self, torque: Floats) -> None:
        self._sawyer.world.data.qfrc_applied[: len(torque)] = torque

    def close(self) -> None:
        """Hear no more."""
        for subscriber in self._subscribers:
            subscriber.unregister()
