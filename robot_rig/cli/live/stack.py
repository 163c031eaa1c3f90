"""The programs of a live reach and what watches them, around a simulated robot of one's own or in a robot's graph.

Called by `cli.live.demo` and `cli.live.exam`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple

from benchmarks.attempts import void_reason
from benchmarks.heartbeat import ABOVE_ALL, Heartbeat, Pulse
from drivers.sawyer import JOINT_COMMAND
from robot_rig.cli.latency import PRIORITY
from robot_rig.cli.live.attempt import MOVING, Attempt, Watched
from robot_rig.cli.live.graph import LiveGraph, Processes
from robot_rig.config import Config
from robot_rig.datatypes import Mode
from robot_rig.ros.orders import give_order
from robot_rig.ros.step_listener import StepListener
from robot_rig.ros.visitor import visit
from sim.wire.ruler import SILENT_S, Ruler

NODE = "rig_live"
IMAGE_AGE_MS = (100, 140)
SLOWEST = 3.0
"""An episode that takes this many times its own length is stuck."""


class Instruments(NamedTuple):
    """What watches the graph during an attempt; the ruler is there in simulation only."""

    ruler: Ruler | None
    heart: Heartbeat
    timer: Pulse
    listener: StepListener


def bring_up(
    graph: LiveGraph, settings: Sequence[str], policy: Sequence[str], config: Config, stack: ExitStack
) -> tuple[Attempt, Instruments]:
    """Start the simulated Sawyer of the configured seed, camera and guard with the words `settings`, the policy with
    `policy`, and what watches them; return when all of it is there.
    """
    ages = [str(age) for age in IMAGE_AGE_MS]
    stack.enter_context(visit(NODE))
    graph.start("sim", ["-m", "sim.sim_node", *settings, "--image-age-ms", *ages, "--seed", str(config.seed)])
    ruler = Ruler()
    graph.wait("the simulator reports", lambda: ruler.latest > 0)
    graph.start("camera", ["-m", "drivers.camera_node", *settings])
    graph.start("arm", ["-m", "drivers.arm_node", *settings])
    attempt = Attempt(ruler, config.evaluation.episode_steps, enable_simulated)
    return attempt, begin_policy(graph, policy, attempt, ruler, config, stack)


def begin_policy(
    graph: Processes, policy: Sequence[str], attempt: Attempt, ruler: Ruler | None, config: Config, stack: ExitStack
) -> Instruments:
    """Start the policy with the words `policy` in a graph that has everything else, and what watches it."""
    graph.start("policy", ["-m", "robot_rig.nodes.policy_node", *policy])
    graph.wait("camera, guard and policy are there", lambda: attempt.ready)
    listener = stack.enter_context(closing(StepListener(JOINT_COMMAND)))
    heart = stack.enter_context(Heartbeat(ABOVE_ALL))
    timer = stack.enter_context(Pulse(PRIORITY, 1.0 / config.control.policy_rate_hz, 0.0))
    return Instruments(ruler, heart, timer, listener)


def enable_simulated(mode: Mode) -> None:
    """Let an arm that rests in `mode` move: a simulated one of this program's own, so nobody is in its reach."""
    if mode is Mode.FAULT:
        give_order("reset")
    if mode not in MOVING:
        give_order("enable")


def voided(watched: Watched, watch: Instruments) -> str:
    """Why the attempt does not count, or nothing."""
    reason = void_reason(watch.heart.worst_gap(watched.begin, watched.end))
    if reason or watch.ruler is None:
        return reason
    hole = watch.ruler.worst_hole(watched.begin, watched.end)
    return f"the simulator was silent for {1e3 * hole:.0f} ms" if hole > SILENT_S else ""


def patience_s(config: Config) -> float:
    """How long an episode may take once it has begun, s."""
    return SLOWEST * config.evaluation.episode_steps / config.control.policy_rate_hz


def load() -> str:
    """What else this machine does."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
