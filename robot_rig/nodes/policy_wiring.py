"""What every node that runs a policy is wired to: pictures, goals and the arm's word in; actions and views out.

Called by policy_node and practice_node.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import rospy
from std_msgs.msg import Float32
from std_srvs.srv import Trigger

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.datatypes import Bytes, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import LatentPolicy, RandomPolicy
from robot_rig.learning.tick_spare import SparedPolicy
from robot_rig.learning.views import goal_distance, reconstruct
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes
from robot_rig.nodes.computer_watch import ComputerWatch
from robot_rig.nodes.intake import listen
from robot_rig.nodes.policy_process import Inbox, Outlets, PolicyProcess
from robot_rig.nodes.policy_views import Eyes, PolicyViews, Screens
from robot_rig.ros import topics
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import action_message, frame_message, goal_message, read_frame, read_goal
from robot_rig.ros.episode_reports import episode_message, policy_message, read_recorder
from robot_rig.ros.node import Node
from robot_rig.ros.real_time import prepare_process, prepare_tick_thread
from robot_rig.ros.stamps import Refused

SERVICE_LIMIT_S = 2.0
LAST_WORD_S = 0.1
"""How long a process that ends stays, so that its last word gets out."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `policy` in the engine `runtime`; `latent` is the same in torch, where it is a learnt one."""

    policy: Policy
    runtime: str
    name: str
    latent: LatentPolicy | None

    def engine(self) -> str:
        """`runtime`, and whether it has failed since, in the words that `safety.reasons` knows."""
        spared = isinstance(self.policy, SparedPolicy) and self.policy.spared
        return f"{self.runtime} has failed, its spare acts" if spared else self.runtime


def random_actor(config: Config) -> Actor:
    """Random play by `config.collect`."""
    # Not the seed of a run in process: on a robot every session is to play something else.
    seed = time.time_ns() % 2**31
    collect = config.collect
    policy = RandomPolicy(collect.ou_theta, collect.ou_sigma, len(config.control.axes), seed)
    return Actor(policy, "random play", f"random-{seed}", None)


def require_axes(checkpoint: Path, policy: LatentPolicy, config: Config) -> None:
    """Raise UserError unless `policy`, read from `checkpoint`, acts along the configured axes."""
    if policy.action_dim != len(config.control.axes):
        raise UserError(
            f"{checkpoint} acts along {policy.action_dim} axes, control.axes names {len(config.control.axes)}",
            next_step="leave out --set control.axes, or choose another run",
        )


def session_name() -> str:
    """A name that no other process has, now or later."""
    return f"{os.getpid()}-{time.time_ns():x}"


@dataclass(frozen=True, slots=True)
class Scheduling:
    """SCHED_FIFO `priority` of the tick, the rest of the process one below it (0: normal scheduling), and the `cpus`
    that it may run on (empty: any).
    """

    priority: int
    cpus: tuple[int, ...]


def arm_view(report: ArmReport, meaning: str, worry: str) -> ArmView:
    """What a policy whose actions have this `meaning` takes from the arm process's report.

    `worry` is the objection of `ComputerWatch`.
    """
    executed = None if report.executed is None else report.executed.value
    return ArmView(
        report.stamp,
        report.mode,
        report.source,
        report.at_home,
        report.executed_seq,
        executed,
        _objection(report, meaning, worry),
    )


def _objection(report: ArmReport, meaning: str, worry: str) -> str:
    if {"second_commander", "other_commander_seen"} & set(report.why):
        return "another node can command the arm"
    if report.master != "ok":
        return "the ROS master does not answer"
    if report.meaning != meaning:
        return (
            f"the arm process takes an action as {report.meaning or 'something that it does not say'}, and this policy "
            f"gives it as {meaning}: start both with the same config"
        )
    return worry


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


@dataclass(frozen=True, slots=True)
class Running:
    """A policy process that ticks, and the views on it."""

    process: PolicyProcess
    views: PolicyViews


def start(node: Node, live: LiveEpisodes, actor: Actor, meaning: str, scheduling: Scheduling) -> Running:
    """Connect everything and let it tick. `meaning` is what the policy's actions mean (`ControlConfig.meaning`)."""
    clock = WallClock()
    inbox = Inbox(clock.now)
    actions, episodes = advertise(topics.ACTION), advertise(topics.EPISODE)
    home = HomeService()
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
    computer = ComputerWatch()
    computer.start()
    node.closing(computer.close)
    connect(node, inbox, process, meaning, computer)
    views = show(node, actor, inbox, process, clock)

    def tick() -> None:
        for line in prepare_tick_thread(scheduling.priority, scheduling.cpus):
            log.info(line)
        process.run()

    for line in prepare_process(max(0, scheduling.priority - 1)):
        log.info(line)
    for target, name in ((views.run, "views"), (tick, "tick")):
        threading.Thread(target=target, name=name, daemon=True).start()
    return Running(process, views)


def connect(node: Node, inbox: Inbox, process: PolicyProcess, meaning: str, computer: ComputerWatch) -> None:
    """Subscribe to what the policy, whose actions have this `meaning`, hears; `computer` may object to an episode."""
    stamps = node.stamps

    def take_frame(frame: Frame) -> None:
        inbox.frames.put(frame)
        process.new_frame()

    told = ""

    def take_arm(report: ArmReport) -> None:
        nonlocal told
        view = arm_view(report, meaning, computer.objection)
        if view.objection and view.objection != told:
            log.error("no episode begins: %s", view.objection)
        told = view.objection
        inbox.arms.put(view)

    def read_arrived_goal(message: object) -> Goal | Refused:
        return read_goal(message, time.monotonic())

    listen(topics.CAMERA_FRAME, lambda message: read_frame(message, stamps), take_frame)
    listen(topics.GOAL, read_arrived_goal, inbox.goals.put)
    listen(topics.ARM_STATUS, lambda message: read_report(message, stamps), take_arm)
    listen(topics.RECORDER_STATUS, lambda message: read_recorder(message, stamps), inbox.recorders.put)


def show(node: Node, actor: Actor, inbox: Inbox, process: PolicyProcess, clock: WallClock) -> PolicyViews:
    """What people see, connected to its topics."""
    stamps = node.stamps
    decoded, pictures = advertise(topics.GOAL_DECODED), advertise(topics.RECONSTRUCTION)
    distances, reports = advertise(topics.GOAL_DISTANCE), advertise(topics.POLICY_STATUS)

    def show_goal(goal: Goal, picture: Bytes) -> None:
        decoded.publish(goal_message(Goal(picture, goal.id, goal.stamp, goal.calibration_id, goal.source), stamps))

    def show_picture(frame: Frame, picture: Bytes) -> None:
        if pictures.get_num_connections():
            pictures.publish(frame_message(Frame(frame.seq, frame.stamp, picture), stamps))

    screens = Screens(
        show_goal,
        show_picture,
        lambda distance: distances.publish(Float32(distance)),
        lambda report: reports.publish(policy_message(report, stamps)),
    )
    views = PolicyViews(process, inbox, clock, eyes_of(actor), screens)
    node.closing(views.close)
    return views


def eyes_of(actor: Actor) -> Eyes:
    """How `actor` sees, for people."""
    latent = actor.latent
    if latent is None:
        return Eyes(actor.engine, None, None)
    return Eyes(
        actor.engine,
        lambda picture: reconstruct(latent.encoder, picture[None])[0],
        lambda picture, goal: goal_distance(latent, picture, goal),
    )
