"""An arm process in the test's own node: the guard around an arm of arithmetic at wall clock, and a picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rospy
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger, TriggerResponse

from drivers.action_choice import MACHINES, ActionChoice
from drivers.commander_watch import CommanderWatch
from drivers.fake import FakeArm
from drivers.guard_process import GuardProcess
from drivers.posture_visits import PostureVisits, PostureWish
from drivers.senders import Senders
from drivers.tick_report import TickReport
from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.datatypes import Action, Bytes, Floats, Mode, RawFrame, Source
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import ArmLoop
from robot_rig.ros.arm_report import ArmReport, report_message
from robot_rig.ros.connect import Links, advertise, subscribe
from robot_rig.ros.convert import (
    AskedPosture,
    frame_message,
    read_action,
    read_posture,
    ros_time,
    sent_message,
    state_message,
)
from robot_rig.ros.images import image
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.topics import ACTION, ARM_EXECUTED, ARM_STATE, ARM_STATUS, CAMERA_FRAME, POSTURE, arm_service
from robot_rig.vision import preprocess

CONFIG, STAMPS = Config(), HostStamps()
ARM = Kinematics(CONFIG.control.tool_offset_m)
TOPIC = "/camera/color/image_raw"
FASTER = 5
"""Of the arm's reports, one in so many is published."""


class Robot:
    """An arm process in this very node: the guard around an arm that does what it is told, and a camera's picture."""

    def __init__(self, start: Floats, home: Floats, rgb: Bytes) -> None:
        self.links, self.rgb = Links(), rgb
        self.arm = FakeArm(WallClock(), start)
        self.visits, self.choice = PostureVisits(self.links), ActionChoice(CONFIG.guard.action_age_limit_s)
        self.process = GuardProcess(
            arm=self.arm,
            loop=ArmLoop(CONFIG.control, CONFIG.guard, ARM),
            choice=self.choice,
            commanders=CommanderWatch("rig_arm", [], "/joint_command", lambda: 0.0),
            senders=Senders(Links()),
            visits=self.visits,
            clock=WallClock(),
            home_poses=[home],
            period_s=0.01,
            take=self.report,
        )
        self.process.see_commanders([])
        self.states, self.sent, self.reports = advertise(ARM_STATE), advertise(ARM_EXECUTED), advertise(ARM_STATUS)
        self.frames, self.seen = advertise(CAMERA_FRAME), 0
        self.pictures = rospy.Publisher(TOPIC, Image, queue_size=1)
        self.hearing = subscribe(POSTURE, self.hear)
        self.links.watch(self.hearing)
        self.following = subscribe(ACTION, self.follow)
        orders = {"visit": self.visit, "hold": lambda _: self.process.hold()}
        self.services = [rospy.Service(arm_service(name), Trigger, self.answer(orders[name])) for name in orders]
        self.ticks, self.closing = 0, threading.Event()
        self.modes: list[Mode] = []
        self.sources: set[Source | None] = set()
        self.tools: list[Floats] = []
        self.leading = 0
        """How many ticks somebody has led the arm."""
        self.ticking = threading.Thread(target=self.run)
        self.ticking.start()

    def run(self) -> None:
        while not self.closing.wait(0.01):
            self.process.tick(time.monotonic())

    def report(self, tick: TickReport) -> None:
        self.ticks += 1
        self.modes.append(tick.status.mode)
        self.sources.add(tick.status.source)
        self.tools.append(tick.tool)
        # On hold the lease is still that of who led last.
        self.leading += tick.status.mode in (Mode.ACTIVE, Mode.HOMING) and tick.status.source is not None
        if self.ticks % FASTER == 0:
            status = tick.status
            self.states.publish(state_message(status.state, STAMPS))
            self.sent.publish(sent_message(status, STAMPS))
            self.seen += 1
            now = time.monotonic()
            self.frames.publish(frame_message(preprocess(RawFrame(self.seen, now, self.rgb), CONFIG.camera), STAMPS))
            report = ArmReport(
                status.stamp, status.mode, tick.why, status.verdict, status.source, -1, None, -1, tick.at_home, "ok"
            )
            self.reports.publish(report_message(report, STAMPS))
        if self.ticks % 20 == 0:
            message = image(self.rgb)
            message.header.stamp = ros_time(time.time() - 0.05)
            self.pictures.publish(message)

    def hear(self, message: Any) -> None:
        asked = read_posture(message, STAMPS)
        assert isinstance(asked, AskedPosture)
        self.visits.offer(PostureWish(asked.number, asked.stamp, asked.position, message._connection_header))

    def follow(self, message: Any) -> None:
        action = read_action(message, STAMPS)
        assert isinstance(action, Action)
        self.choice.offer(action, MACHINES)

    def visit(self, request: Any) -> None:
        program = request._connection_header["callerid"]
        deadline = time.monotonic() + 5.0
        while not self.visits.has_new(program, time.monotonic()) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.process.visit(program, self.process.moment())

    def answer(self, order: Callable[[Any], None]) -> Callable[[Any], Any]:
        def give(request: Any) -> Any:
            try:
                order(request)
            except UserError as error:
                return TriggerResponse(success=False, message=str(error))
            return TriggerResponse(success=True, message=self.process.mode.value)

        return give

    def close(self) -> None:
        self.closing.set()
        self.ticking.join()
        for service in self.services:
            service.shutdown()
        for link in (self.states, self.sent, self.reports, self.frames, self.pictures, self.hearing, self.following):
            link.unregister()


class Person:
    """Enables the arm until somebody leads it, and then does `then` once there are `views` in the folder."""

    def __init__(self, robot: Robot, folder: Path, views: int, then: Callable[[], None]) -> None:
        self.robot, self.folder, self.views, self.then = robot, folder, views, then
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def run(self) -> None:
        led = self.robot.leading
        while not self.ended.wait(0.1) and self.robot.leading == led:
            if self.robot.process.mode in (Mode.DISABLED, Mode.HOLD):
                self.robot.process.enable()
        while not self.ended.wait(0.02):
            if len(list(self.folder.glob("view-*.png"))) >= self.views:
                self.then()
                return
