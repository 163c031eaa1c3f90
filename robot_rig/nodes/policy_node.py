"""The policy as a ROS node: pictures and a goal in, normalised actions out at 10 Hz.

    python -m robot_rig.nodes.policy_node --run runs/demo-1
    python -m robot_rig.nodes.policy_node --source random --minutes 20 --record --start home_first

Each goal on /rig/goal gets one episode. The arm moves only while a person has enabled it; this node never enables.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Source
from robot_rig.errors import UserError
from robot_rig.learning.runtime import pick_runtime, use_one_core
from robot_rig.loops.live_episodes import LiveEpisodes, Rules
from robot_rig.nodes.policy_wiring import Actor, Scheduling, random_actor, require_axes, session_name, start
from robot_rig.ros.node import Node, run
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.acceptance import Acceptance
from robot_rig.stages.shipping import Shipment, checkpoints, load_trusted

NODE = "rig_policy"
PLAYED = "played"
"""Beside what practice.launch has learnt lies what the robot has played, and has accepted."""

log = logging.getLogger("robot_rig.nodes.policy_node")


@dataclass(frozen=True)
class PolicyNodeOptions:
    """The policy: pictures and a goal in, actions out. The arm moves only while a person has enabled it."""

    run: Path | None = None
    """Run folder whose newest checkpoint acts, with the settings that it was trained with."""

    checkpoint: Path | None = None
    """This checkpoint folder, whatever else there is; its settings are those of --run, or of --config without one."""

    source: Literal["policy", "random"] = "policy"
    """Reach goals with a checkpoint, or play at random without goals."""

    start: Literal["home", "home_first", "anywhere"] = "home"
    """Episodes begin at the home posture, only the first one does, or none."""

    steps: int | None = None
    """Policy steps in an episode; by default those of the exam, or of random play."""

    minutes: float | None = None
    """No episode begins after this time; by default that never comes."""

    record: bool = False
    """No motion without a recorder: wait for recorder_node, and stop when it stops."""

    stage: str | None = None
    """What recorded episodes are called; by default reach or collect."""

    priority: int = 15
    """SCHED_FIFO priority of the tick, the rest of the process one below it; 0: normal scheduling. Below the arm's."""

    cpus: tuple[int, ...] = ()
    """Processors that the tick runs on; empty: any."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the run's settings; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set guard.image_age_limit_s=0.2; may be given more than once."""

    def load(self) -> Config:
        """The run's settings, or the defaults without one, with the options laid over them."""
        own = [] if self.run is None else [self.run / CONFIG_FILE]
        return load_config([*own, *self.config], self.set)


def load_actor(options: PolicyNodeOptions, config: Config) -> Actor:
    """The named checkpoint, or the newest of the run, in its fastest engine; or random play.

    Raises UserError when there is none, or the robot does not believe who shipped it.
    """
    if options.source == "random":
        return random_actor(config)
    path, shipment = _shipped(options)
    require_axes(path, shipment.policy, config)
    chosen = pick_runtime(shipment.policy, shipment.manifest)
    log.info("%s, learnt in %s: %s", path.name, shipment.number_format, chosen.describe())
    return Actor(chosen.policy, chosen.name, path.name, shipment.policy)


def _shipped(options: PolicyNodeOptions) -> tuple[Path, Shipment]:
    if options.checkpoint is not None:
        # A person has named it, so it may be older than what has acted.
        return options.checkpoint, load_trusted(options.checkpoint)
    if options.run is None:
        raise UserError("a policy comes from a run", next_step="name one with --run, or use --source random")
    shipped = list(checkpoints(RunFolder.open(options.run)).values())
    if not shipped:
        raise UserError(f"the run in {options.run} has no checkpoint", next_step="run `rig practice` or `rig demo`")
    return newest_acceptable(shipped, Acceptance.of(options.run.with_name(PLAYED)))


def newest_acceptable(shipped: Sequence[Path], accepted: Acceptance) -> tuple[Path, Shipment]:
    """The last of the checkpoints `shipped` that the robot may follow. Raises UserError when there is none."""
    for path in reversed(shipped):
        shipment = load_trusted(path)
        try:
            accepted.require(shipment.manifest)
        except UserError as error:
            log.warning("%s is passed over: %s", path.name, error)
        else:
            return path, shipment
    raise UserError("no checkpoint of the run may act", next_step="see the lines above")


def rules(options: PolicyNodeOptions, config: Config, actor: Actor) -> Rules:
    """How this node's episodes go."""
    plays = options.source == "random"
    steps = config.collect.episode_steps if plays else config.evaluation.episode_steps
    meta = {"stage": options.stage or ("collect" if plays else "reach"), "policy": actor.name, "config": config.hash()}
    if actor.latent is not None:
        meta["encoder"] = actor.latent.encoder.encoder_id
    return Rules(
        steps=options.steps or steps,
        source=Source.RANDOM if plays else Source.POLICY,
        start=options.start,
        recording="required" if options.record else "off",
        session=session_name(),
        meta=meta,
        until=float("inf") if options.minutes is None else time.monotonic() + 60.0 * options.minutes,
    )


def wire(options: PolicyNodeOptions, node: Node) -> None:
    """Load the policy, measure its engines, connect everything and let it tick."""
    use_one_core()
    config = options.load()
    actor = load_actor(options, config)
    control = config.control
    period_s, lag_s = 1.0 / control.policy_rate_hz, control.lag_s
    live = LiveEpisodes(actor.policy, rules(options, config, actor), config.guard.image_age_limit_s, period_s, lag_s)
    start(node, live, actor, config.control.meaning, Scheduling(options.priority, options.cpus))
    log.info("%s, %d steps an episode; an arm that is not enabled stays where it is", options.source, live.steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the policy node; returns the exit code."""
    return run(NODE, PolicyNodeOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
