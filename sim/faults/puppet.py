"""A stand-in for the policy, or for a person's teleop, whose every action is known: for attempts that need one.

    python -m sim.faults.puppet --source POLICY

`ORDER` takes, as JSON, what it is to do: see `Script`. Started by `rig faults`.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rospy
from std_msgs.msg import String

from robot_rig.clock import WallClock
from robot_rig.datatypes import Action, Source
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import action_message, read_frame
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import prepare_process
from robot_rig.ros.stamps import Refused
from robot_rig.ros.topics import ACTION, CAMERA_FRAME, TELEOP

NODE = "puppet"
ORDER = "/puppet/order"
LAP_S = 2.5
HOSTILE = (math.nan, math.inf, -math.inf, 1e9, -1e9, 5e-324, 3e38, 1.0001, -7.0)


@dataclass(frozen=True)
class PuppetOptions:
    """A sender of actions that does as it is told."""

    source: Source = Source.POLICY
    """In whose name it sends; a person's actions go to the teleop topic."""

    axes: int = 3
    """Numbers in an action."""

    image_age_limit: float = 0.25
    """As a policy does, it is silent when its newest picture is older, s."""

    seed: int = 0
    """Seed of random scripts."""

    priority: int = 15
    """SCHED_FIFO priority of this process; 0: normal scheduling."""

    begin: bool = True
    """Send at once, or only when told to."""


class Script:
    """What to send at `now`, as (A,) values or None for silence. Pure."""

    def __init__(self, axes: int, seed: int) -> None:
        self._axes, self._random = axes, np.random.default_rng(seed)
        self._order: Mapping[str, Any] = {"kind": "circle"}

    def set(self, order: Mapping[str, Any]) -> None:
        """`kind`: circle, push (`value`), rest, hostile (numbers that no policy may send), storm (random extremes)."""
        self._order = order

    @property
    def rate_hz(self) -> float:
        """Actions a second."""
        return float(self._order.get("rate_hz", 10.0))

    def value(self, now: float) -> list[float] | None:
        """The action at `now` (s)."""
        kind = self._order["kind"]
        if kind == "circle":
            angle = 2 * math.pi * now / LAP_S
            return [0.5 * math.sin(angle), 0.5 * math.cos(angle), 0.0][: self._axes]
        if kind == "push":
            return list(self._order["value"])[: self._axes]
        if kind == "hostile":
            size = self._axes if self._random.random() < 0.8 else int(self._random.integers(9))
            return [float(self._random.choice(HOSTILE)) if self._random.random() < 0.7 else 0.5 for _ in range(size)]
        if kind == "storm":
            return [float(self._random.choice((-1.0, 1.0))) for _ in range(self._axes)]
        return None


class Puppet:
    """Sends on a thread of its own until closed."""

    def __init__(self, options: PuppetOptions, node: Node) -> None:
        self._options, self._node = options, node
        self._script = Script(options.axes, options.seed)
        if not options.begin:
            self._script.set({"kind": "rest"})
        self._frames: Mailbox[Any] = Mailbox()
        self._seq = 0
        self._closing = threading.Event()
        self._actions = advertise(TELEOP if options.source is Source.HUMAN else ACTION)
        subscribe(CAMERA_FRAME, self._frames.put)
        rospy.Subscriber(ORDER, String, self._obey, queue_size=10, tcp_nodelay=True)
        threading.Thread(target=self._run, name="send", daemon=True).start()

    def _obey(self, message: String) -> None:
        order = json.loads(message.data)
        if order.get("to") == self._options.source.value:
            self._script.set(order)

    def _run(self) -> None:
        clock = WallClock()
        due = clock.now()
        while not self._closing.is_set():
            self._send(clock.now())
            due = max(due + 1.0 / self._script.rate_hz, clock.now())
            clock.sleep_until(due)

    def _send(self, now: float) -> None:
        value, letter = self._script.value(now), self._frames.newest()
        if value is None or letter is None:
            return
        frame = read_frame(letter.value, self._node.stamps)
        if isinstance(frame, Refused) or now - frame.stamp > self._options.image_age_limit:
            return
        self._seq += 1
        with np.errstate(over="ignore"):
            array = np.array(value, dtype=np.float32)
        action = Action(self._seq, time.monotonic(), array, self._options.source, frame.seq, frame.stamp)
        self._actions.publish(action_message(action, self._node.stamps))

    def close(self) -> None:
        """Send no more."""
        self._closing.set()


def wire(options: PuppetOptions, node: Node) -> None:
    """Begin to send."""
    prepare_process(options.priority)
    node.closing(Puppet(options, node).close)


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, PuppetOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
