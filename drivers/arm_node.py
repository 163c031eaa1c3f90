"""The guard process as a ROS node: the only owner of the arm and the only publisher of joint commands.

    python -m drivers.arm_node --config reach

Comes up DISABLED; a person enables it (`rig enable`, or the service /rig_arm/enable). Started by launch files.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import rospy
import tyro
from std_srvs.srv import Trigger, TriggerResponse

from drivers.action_choice import MACHINES, PEOPLE, ActionChoice
from drivers.arm_reporting import ArmReporting
from drivers.commander_watch import CommanderWatch
from drivers.gripper_service import GripperService
from drivers.guard_process import GuardProcess
from drivers.look_around import LookAround
from drivers.posture_visits import PostureVisits, PostureWish
from drivers.sawyer import JOINT_COMMAND
from drivers.sawyer_intera import SawyerIntera
from drivers.sawyer_wire import SawyerWire
from drivers.senders import Senders
from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Source
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import ArmLoop
from robot_rig.ros.connect import Links, subscribe
from robot_rig.ros.convert import read_action, read_posture
from robot_rig.ros.master import MasterWatch, master_uri
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import fetch_code, prepare_process, prepare_tick_thread
from robot_rig.ros.stamps import Refused
from robot_rig.ros.topics import ACTION, ARM_NODE, ARM_SERVICES, ESTOP, POSTURE, TELEOP

DRIVERS = {"wire": SawyerWire, "intera": SawyerIntera}

CONNECT_S = 1.0
"""How long a program that asks for the way home, or to a posture, may take until this node hears what it sends."""

TOLD_EVERY_S = 5.0
"""How often it is said that actions are not followed."""

log = logging.getLogger("drivers.arm_node")


@dataclass(frozen=True)
class ArmNodeOptions:
    """The arm behind its guard as a ROS node."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set guard.slow_speed_m_s=0.05; may be given more than once."""

    driver: Literal["wire", "intera"] = "wire"
    """How the Sawyer is spoken to: over its topics, or through the vendor's SDK."""

    confirm_publisher: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A node that may also publish joint commands; without it the arm is not enabled while such a node is there."""

    priority: int = 20
    """SCHED_FIFO priority of the tick, the rest of the process one below it; 0: normal scheduling."""

    cpus: tuple[int, ...] = ()
    """Processors that the tick runs on; empty: any."""


class ArmNode:
    """Connects a GuardProcess to topics, services and the master. Made by `wire`."""

    def __init__(self, config: Config, options: ArmNodeOptions, node: Node) -> None:
        self._node, self._options = node, options
        arm = DRIVERS[options.driver](config)
        node.closing(arm.close)
        control = config.control
        kinematics = Kinematics(control.tool_offset_m, arm.table.origins, arm.table.hand)
        self._links, self._visitors = Links(), Links()
        self._visits = PostureVisits(self._visitors)
        self._choice = ActionChoice(config.guard.action_age_limit_s)
        commanders = CommanderWatch(node.name, options.confirm_publisher, JOINT_COMMAND)
        master = MasterWatch(master_uri(), node.name, first=node.master)
        self._reporting = ArmReporting(config, node.stamps, lambda: self._around.word(), lambda: self._around.codes)
        self.process = GuardProcess(
            arm=arm,
            loop=ArmLoop(control, config.guard, kinematics),
            choice=self._choice,
            commanders=commanders,
            senders=Senders(self._links),
            visits=self._visits,
            clock=WallClock(),
            home_poses=[np.array(control.home_posture_rad)],
            period_s=1.0 / control.arm_rate_hz,
            take=self._reporting.put,
        )
        self._around = LookAround(self.process, commanders, master, JOINT_COMMAND, node.fail)
        self._gripper = GripperService(config.tool, self.process)
        node.closing(self._gripper.close)
        for close in (master.close, self._reporting.close, self.process.close, self._around.close):
            node.closing(close)

    def start(self) -> None:
        """Start the threads, then let actions and orders in."""
        # Now, because the watchdog counts as soon as it runs.
        log.info(fetch_code())
        work = {
            "report": self._report,
            "watchdog": self.process.watch,
            "look around": self._around.run,
            "tick": self._tick,
        }
        for name, target in work.items():
            threading.Thread(target=target, name=name, daemon=True).start()
        self._links.watch(subscribe(ACTION, lambda message: self._take(message, MACHINES)))
        self._visitors.watch(subscribe(POSTURE, self._take_posture))
        subscribe(TELEOP, lambda message: self._take(message, PEOPLE))
        subscribe(ESTOP, self._estop)
        process = self.process
        orders = {
            "enable": lambda _: process.enable(),
            "take": lambda _: process.enable(Source.HUMAN),
            "home": lambda _: process.home(),
            "return_home": self._return_home,
            "visit": self._visit,
            "hand_back": lambda _: process.hand_back(),
            "hold": lambda _: process.hold(),
            "reset": lambda _: process.reset(),
            "stop": lambda _: process.stop(),
        }
        for name in ARM_SERVICES:
            rospy.Service(f"~{name}", Trigger, self._answer(name, orders[name]))
        self._gripper.start()

    def _tick(self) -> None:
        for line in prepare_tick_thread(self._options.priority, self._options.cpus):
            log.info(line)
        self.process.run()

    def _report(self) -> None:
        try:
            self._reporting.run()
        except Exception:
            if not rospy.is_shutdown():
                self._node.fail(UserError("the arm's reports have ended", next_step="see the traceback above"))
            raise

    def _take(self, message: Any, allowed: frozenset[Source]) -> None:
        action = read_action(message, self._node.stamps)
        if isinstance(action, Refused):
            # A flood of them must not become a flood of lines.
            rospy.logwarn_throttle(TOLD_EVERY_S, "an action is not followed: %s", action.reason)
            return
        # One for each TCP connection, and the same one for all of its messages.
        if action.source in allowed & MACHINES:
            self.process.heard(action.source, message._connection_header)
        if self._choice.offer(action, allowed):
            self.process.new_action()
        else:
            source = action.source.value
            rospy.logwarn_throttle(TOLD_EVERY_S, "an action is not followed: %s may not send on this topic", source)

    def _take_posture(self, message: Any) -> None:
        asked = read_posture(message, self._node.stamps)
        if isinstance(asked, Refused):
            rospy.logwarn_throttle(TOLD_EVERY_S, "a posture is not visited: %s", asked.reason)
            return
        self._visits.offer(PostureWish(asked.number, asked.stamp, asked.position, message._connection_header))

    def _estop(self, message: Any) -> None:
        if message.data:
            self.process.stop()

    def _return_home(self, request: Any) -> None:
        program, given = request._connection_header["callerid"], self.process.moment()
        _await(lambda: self._links.of(program) is not None)
        self.process.return_home(program, given)

    def _visit(self, request: Any) -> None:
        program, given = request._connection_header["callerid"], self.process.moment()
        # An order may overtake the posture that it is about.
        _await(lambda: self._visits.has_new(program, time.monotonic()))
        self.process.visit(program, given)

    def _answer(self, name: str, order: Callable[[Any], None]) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            try:
                order(request)
            except UserError as error:
                return TriggerResponse(success=False, message=str(error))
            return TriggerResponse(success=True, message=f"{name}: the guard is in mode {self.process.mode.value}")

        return answer


def _await(condition: Callable[[], bool]) -> None:
    """Until `condition` holds, or a program has had its time; whoever asked judges then."""
    deadline = time.monotonic() + CONNECT_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(CONNECT_S / 50)


def wire(options: ArmNodeOptions, node: Node) -> None:
    """Build the node and let it run."""
    config = load_config(options.config, options.set)
    for line in prepare_process(max(0, options.priority - 1)):
        log.info(line)
    ArmNode(config, options, node).start()


def main() -> int:
    """Run the node; returns the exit code."""
    return run(ARM_NODE, ArmNodeOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
