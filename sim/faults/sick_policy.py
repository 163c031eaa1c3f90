"""The policy process with a policy that falls ill when told to: for the rows of NaN and of a GPU without memory.

    python -m sim.faults.sick_policy

All but the illness is real: encoder, engines, episodes and wires. As long as its networks answer with numbers, it moves
the tool in circles, which an untrained actor would not. Started by `rig faults`.
"""

from __future__ import annotations

import functools
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import rospy
import torch
import tyro
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import String

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal, Source
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.runtime import use_one_core
from robot_rig.learning.td3 import Actor as ActorNet
from robot_rig.learning.tick_spare import SparedPolicy
from robot_rig.learning.vae import Vae, encoder_from_weights
from robot_rig.loops.live_episodes import LiveEpisodes, Rules
from robot_rig.nodes.policy_wiring import Actor, Scheduling, session_name, start
from robot_rig.ros import topics
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import goal_message
from robot_rig.ros.node import Node, run
from sim.faults.puppet import LAP_S, ORDER
from sim.faults.rows_processes import NO_MEMORY

NODE = "rig_policy"
STEPS = 30
GOAL_PERIOD_S = 0.5
PRIORITY = 15


@dataclass(frozen=True)
class SickPolicyOptions:
    """A policy process that falls ill when told to."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set control.axes=[x, y, z]; may be given more than once."""


class SickPolicy:
    """A policy with real networks; `policy` is one whose weights may be spoilt. Implements `interfaces.Policy`.

    `tell` is called whenever there is no memory.
    """

    def __init__(self, policy: LatentPolicy, tell: Callable[[], None]) -> None:
        self._policy, self._tell = policy, tell
        self.action_dim = policy.action_dim
        self._failures = 0

    def fall_ill(self, kind: str) -> None:
        """`latent` and `action`: a NaN in a weight of encoder or actor; `memory` fails once, `no_memory` for good."""
        if kind == "latent":
            weights = self._policy.encoder.weights()
            weights["net.mean.bias"] = torch.full_like(weights["net.mean.bias"], math.nan)
            self._policy.encoder = encoder_from_weights(weights)
        elif kind == "action":
            self._policy.actor.get_parameter("layers.0.bias")[0] = math.nan
        self._failures = {"memory": 1, "no_memory": sys.maxsize}.get(kind, 0)

    def begin(self, goal: Goal) -> None:
        """Encode the goal."""
        self._use_memory()
        self._policy.begin(goal)

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """A circle, if the networks answer."""
        self._use_memory()
        self._policy.act(frame, under_way)
        return circle(time.monotonic(), self.action_dim)

    def _use_memory(self) -> None:
        if self._failures:
            self._failures -= 1
            self._tell()
            raise torch.OutOfMemoryError("tried to allocate what another process has")


class Spare(SickPolicy):
    """The engine on the CPU, which nothing befalls."""

    def fall_ill(self, kind: str) -> None:
        """Stay well."""


def circle(now: float, axes: int) -> Float32s:
    """What the puppet sends too."""
    angle = 2 * math.pi * now / LAP_S
    return np.array([0.5 * math.sin(angle), 0.5 * math.cos(angle), 0.0][:axes], np.float32)


def untrained(config: Config) -> LatentPolicy:
    """Networks as training makes them, before any."""
    vae = Vae.of(config.vae, 0)
    pictures = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), np.uint8)
    space = LatentSpace.fit("identity", *vae.encode(pictures))
    axes = len(config.control.axes)
    return LatentPolicy(vae, space, ActorNet(space.feature_dim, axes, (16, 16)), MotionNet(space.feature_dim, axes))


def ask(node: Node) -> None:
    """Ask for a goal again and again: each one is an episode."""
    goals, image = advertise(topics.GOAL), np.full(IMAGE_SHAPE, 127, np.uint8)
    numbers = iter(range(sys.maxsize))
    closing = threading.Event()
    node.closing(closing.set)

    def work() -> None:
        while not closing.wait(GOAL_PERIOD_S):
            goal = Goal(image, f"sick-{next(numbers)}", time.monotonic(), calibration_id="", source="imagined")
            goals.publish(goal_message(goal, node.stamps))

    threading.Thread(target=work, name="goals", daemon=True).start()


def wire(options: SickPolicyOptions, node: Node) -> None:
    """Act, and listen to what is to go wrong."""
    use_one_core()
    config = load_config([], options.set)
    words = advertise(topics.CAMERA_STATUS)

    def tell() -> None:
        values = [KeyValue(key="code", value=json.dumps(NO_MEMORY))]
        words.publish(DiagnosticArray(status=[DiagnosticStatus(name="sick", message=NO_MEMORY, values=values)]))

    sick, spare = SickPolicy(untrained(config), tell), Spare(untrained(config), tell)
    actor = Actor(SparedPolicy(sick, spare, torch.OutOfMemoryError, lambda: None), "torch eager", "sick", None)
    rules = Rules(steps=STEPS, source=Source.POLICY, start="anywhere", recording="off", session=session_name(), meta={})
    control = config.control
    live = LiveEpisodes(
        actor.policy, rules, config.guard.image_age_limit_s, 1.0 / control.policy_rate_hz, control.lag_s
    )

    def obey(message: Any) -> None:
        order = json.loads(message.data)
        if order.get("to") == "sick":
            sick.fall_ill(order["kind"])

    start(node, live, actor, control.meaning, Scheduling(PRIORITY, ()))
    rospy.Subscriber(ORDER, String, obey, queue_size=10, tcp_nodelay=True)
    ask(node)


main = functools.partial(run, NODE, SickPolicyOptions, wire)

if __name__ == "__main__":
    sys.exit(main())
