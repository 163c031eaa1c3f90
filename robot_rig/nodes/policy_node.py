"""The policy as a ROS node: pictures and a goal in, normalised actions out at 10 Hz.

    python -m robot_rig.nodes.policy_node --run runs/demo-000
    python -m robot_rig.nodes.policy_node --source random --minutes 20 --record --start home_first

Each goal on /rig/goal gets one episode. The arm moves only while a person has enabled it; this node never enables.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import rospy
import tyro
from std_srvs.srv import Trigger

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Bytes, Frame, Goal, Source
from robot_rig.errors import UserError
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import LatentPolicy, RandomPolicy
from robot_rig.learning.runtime import pick_runtime, use_one_core
from robot_rig.learning.views import reconstruct
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Rules
from robot_rig.nodes.intake import listen
from robot_rig.nodes.policy_process import Inbox, Outlets, PolicyProcess
from robot_rig.nodes.policy_views import PolicyViews
from robot_rig.ros import topics
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import action_message, frame_message, goal_message, read_frame, read_goal
from robot_rig.ros.episode_reports import episode_message, policy_message, read_recorder
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import prepare_process, prepare_tick_thread
from robot_rig.ros.stamps import Refused
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.shipping import checkpoints, load_checkpoint

NODE = "rig_policy"
SERVICE_LIMIT_S = 2.0
LAST_WORD_S = 0.1
"""How long a process that ends stays, so that its last word gets out."""

log = logging.getLogger("robot_rig.nodes.policy_node")


@dataclass(frozen=True)
class PolicyNodeOptions:
    """The policy: pictures and a goal in, actions out. The arm moves only while a person has enabled it."""

    run: Path | None = None
    """Run folder whose newest checkpoint acts, with the settings that it was trained with."""

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


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `policy` in the engine `runtime`; `latent` is the same in torch, where it is a learnt one."""

    policy: Policy
    runtime: str
    name: str
    latent: LatentPolicy | None


def load_actor(options: PolicyNodeOptions, config: Config) -> Actor:
    """The newest checkpoint of the run in its fastest engine, or random play. Raises UserError when there is none."""
    collect = config.collect
    if options.source == "random":
        # Not the seed of a run in process: on a robot every session is to play something else.
        seed = time.time_ns() % 2**31
        policy = RandomPolicy(collect.ou_theta, collect.ou_sigma, len(config.control.axes), seed)
        return Actor(policy, "random play", f"random-{seed}", None)
    if options.run is None:
        raise UserError("a policy comes from a run", next_step="name one with --run, or use --source random")
    shipped = list(checkpoints(RunFolder.open(options.run)).values())
    if not shipped:
        raise UserError(f"the run in {options.run} has no checkpoint", next_step="run `rig practice` or `rig demo`")
    latent, manifest = load_checkpoint(shipped[-1])
    if latent.action_dim != len(config.control.axes):
        raise UserError(
            f"{shipped[-1]} acts along {latent.action_dim} axes, control.axes names {len(config.control.axes)}",
            next_step="leave out --set control.axes, or choose another run",
        )
    chosen = pick_runtime(latent, manifest)
    log.info("%s: %s", shipped[-1].name, chosen.describe())
    return Actor(chosen.policy, chosen.name, shipped[-1].name, latent)


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
        session=f"{os.getpid()}-{time.time_ns():x}",
        meta=meta,
        until=float("inf") if options.minutes is None else time.monotonic() + 60.0 * options.minutes,
    )


def arm_view(report: ArmReport) -> ArmView:
    """What the policy takes from the arm process's report."""
    executed = None if report.executed is None else report.executed.value
    return ArmView(report.stamp, report.mode, report.source, report.at_home, report.executed_seq, executed)


class HomeService:
    """Asks the arm process to go home, on a thread of its own: a service call may take its time."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        threading.Thread(target=self._run, name="go home", daemon=True).start()

    def ask(self) -> None:
        """Ask soon."""
        self._asked.set()

    def _run(self) -> None:
        name = topics.arm_service("return_home")
        while not rospy.is_shutdown():
            if not self._asked.wait(SERVICE_LIMIT_S):
                continue
            self._asked.clear()
            try:
                rospy.wait_for_service(name, SERVICE_LIMIT_S)
                answer = rospy.ServiceProxy(name, Trigger)()
            except (rospy.ROSException, rospy.ServiceException) as error:
                log.warning("%s does not answer: %s", name, error)
            else:
                log.log(logging.INFO if answer.success else logging.WARNING, "%s: %s", name, answer.message or "goes")


def wire(options: PolicyNodeOptions, node: Node) -> None:
    """Load the policy, measure its engines, connect everything and let it tick."""
    use_one_core()
    config = options.load()
    actor = load_actor(options, config)
    clock = WallClock()
    inbox = Inbox(clock.now)
    actions, episodes = advertise(topics.ACTION), advertise(topics.EPISODE)
    home = HomeService()
    live = LiveEpisodes(
        actor.policy,
        rules(options, config, actor),
        config.guard.image_age_limit_s,
        1.0 / config.control.policy_rate_hz,
        config.control.lag_s,
    )
    outlets = Outlets(
        lambda action: actions.publish(action_message(action, node.stamps)),
        lambda episode: episodes.publish(episode_message(episode, node.stamps, clock.now())),
        home.ask,
    )
    dead = UserError("the policy's tick has died; the arm stands still", next_step="see the traceback above")
    process = PolicyProcess(live, inbox, outlets, clock, lambda: node.fail(dead))

    def end() -> None:
        process.close("the policy process ends")
        # ROS sends on a thread of its own and does not wait for it.
        clock.sleep_until(clock.now() + LAST_WORD_S)

    node.closing(end)
    connect(node, inbox, process, options.record)
    views = show(node, actor, inbox, process, clock)

    def tick() -> None:
        for line in prepare_tick_thread(options.priority, options.cpus):
            log.info(line)
        process.run()

    for line in prepare_process(max(0, options.priority - 1)):
        log.info(line)
    for target, name in ((views.run, "views"), (tick, "tick")):
        threading.Thread(target=target, name=name, daemon=True).start()
    log.info("%s, %d steps an episode; an arm that is not enabled stays where it is", options.source, live.steps)


def connect(node: Node, inbox: Inbox, process: PolicyProcess, record: bool) -> None:
    """Subscribe to what the policy hears."""
    stamps = node.stamps

    def take_frame(frame: Frame) -> None:
        inbox.frames.put(frame)
        process.new_frame()

    def take_arm(report: ArmReport) -> None:
        inbox.arms.put(arm_view(report))

    def read_arrived_goal(message: object) -> Goal | Refused:
        return read_goal(message, time.monotonic())

    listen(topics.CAMERA_FRAME, lambda message: read_frame(message, stamps), take_frame)
    listen(topics.GOAL, read_arrived_goal, inbox.goals.put)
    listen(topics.ARM_STATUS, lambda message: read_report(message, stamps), take_arm)
    if record:
        listen(topics.RECORDER_STATUS, lambda message: read_recorder(message, stamps), inbox.recorders.put)


def show(node: Node, actor: Actor, inbox: Inbox, process: PolicyProcess, clock: WallClock) -> PolicyViews:
    """What people see, connected to its topics."""
    latent, stamps = actor.latent, node.stamps
    decoded, pictures = advertise(topics.GOAL_DECODED), advertise(topics.RECONSTRUCTION)
    reports = advertise(topics.POLICY_STATUS)

    def decode(picture: Bytes) -> Bytes:
        assert latent is not None
        seen: Bytes = reconstruct(latent.encoder, picture[None])[0]
        return seen

    def show_goal(goal: Goal, picture: Bytes) -> None:
        decoded.publish(goal_message(Goal(picture, goal.id, goal.stamp, goal.calibration_id, goal.source), stamps))

    def show_picture(frame: Frame, picture: Bytes) -> None:
        if pictures.get_num_connections():
            pictures.publish(frame_message(Frame(frame.seq, frame.stamp, picture), stamps))

    views = PolicyViews(
        process,
        inbox,
        clock,
        actor.runtime,
        None if latent is None else decode,
        show_goal,
        show_picture,
        lambda report: reports.publish(policy_message(report, stamps)),
    )
    node.closing(views.close)
    return views


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the policy node; returns the exit code."""
    return run(NODE, PolicyNodeOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
