"""`rig calibrate wiggle`: the tool wiggles before the camera while a rosbag is recorded, for `rig calibrate latency`.

Imports ROS, so it is itself imported only once that word is said. It moves the arm as a policy does, by actions that
answer fresh pictures through the guard, after a person's `rig enable`; a person takes it at any time.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from calibration.latency import wiggle_action, wiggle_seconds
from calibration.recording import SENT_TOPIC, STATE_TOPIC
from robot_rig.cli.calibrate import say
from robot_rig.cli.calibrate_capture import no_picture
from robot_rig.cli.orders import standing
from robot_rig.cli.progress import Advance, stage_bar
from robot_rig.config import Config
from robot_rig.datatypes import Action, Frame, Mode, Source
from robot_rig.errors import UserError
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import action_message, read_frame
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.orders import give_order
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ACTION, ARM_STATUS, CAMERA_FRAME
from robot_rig.ros.visitor import check_topic, how_often, speaks, visit

NODE = "rig_wiggle"
LOOK_S, TELL_S, PICTURE_S = 0.1, 10.0, 2.0
RECORDER_STARTS_S, TOPICS_OPEN_S, RECORDER_ENDS_S = 20.0, 1.0, 20.0
PICTURES = 11
"""How often pictures come is told from so many, or from those of `PICTURE_S`."""

TAKEN_S = 0.5
"""After so long without being followed it is somebody else who has the arm, or it is held."""


def wiggle(bag: Path, topic: str, along: str, seconds: float | None, config: Config, console: Console) -> int:
    """Wiggle for `seconds` along the axis `along`, and record it into `bag`; by default for enough pictures."""
    if along not in config.control.axes:
        raise UserError(
            f"actions do not move the tool along {along}", choices=config.control.axes, next_step="name another --along"
        )
    check_topic(topic)
    _refuse_bag(bag)
    with visit(NODE):
        if not speaks(topic, PICTURE_S):
            raise no_picture(topic)
        lasting = enough(topic, console) if seconds is None else seconds
        hand = _Hand(config, along)
        say(
            console, "The tool will wiggle by up to 5 cm. Nobody in its reach, the red button at hand; Ctrl-C holds it."
        )
        _await_enable(hand, console)
        try:
            with _recorded(bag, topic), stage_bar(console, "wiggling", round(lasting)) as advance:
                hand.play(lasting, advance)
        finally:
            if hand.may_hold:
                say(console, give_order("hold"))
    if not bag.exists():
        raise UserError(f"rosbag has left no {bag}", next_step="see what it says above")
    say(console, f"{bag}: next, rig calibrate latency {bag} --serial SERIAL --picture {topic}")
    return 0


def enough(topic: str, console: Console) -> float:
    """How long (s) to wiggle for enough pictures of `topic`. Raises UserError where they come too seldom."""
    rate = how_often(topic, PICTURE_S, PICTURES)
    seconds = float(math.ceil(wiggle_seconds(rate)))
    say(console, f"{rate:.1f} pictures a second on {topic}: it will take {seconds:.0f} s")
    return seconds


def _refuse_bag(bag: Path) -> None:
    """Raise UserError, while the arm is still off, for what `rosbag record` would not write or give another name."""
    if bag.exists():
        raise UserError(f"{bag} exists already", next_step="move it away, or name another --bag")
    if bag.suffix != ".bag":
        raise UserError(f"{bag} is no name for a rosbag", next_step="call it FILE.bag")
    if not bag.parent.is_dir() or not os.access(bag.parent, os.W_OK):
        raise UserError(
            f"nothing can be written into {bag.parent}", next_step="make that folder, or name another --bag"
        )
    if _under_way(bag).exists():
        raise UserError(f"{_under_way(bag)} is being recorded, or was left half done", next_step="move it away")


def _under_way(bag: Path) -> Path:
    """What `rosbag record` calls `bag` until it is whole."""
    return bag.with_name(f"{bag.name}.active")


def _await_enable(hand: _Hand, console: Console) -> None:
    told = -TELL_S
    while hand.mode is not Mode.ACTIVE:
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            say(console, "waiting for a person to enable the arm: rig enable, in another terminal")
        hand.pause.wait(LOOK_S)


class _Hand:
    """What sends the actions. Be a node already."""

    def __init__(self, config: Config, along: str) -> None:
        self._config, self._along, self._stamps = config, along, HostStamps()
        self._frames: Mailbox[Frame] = Mailbox()
        self._reports: Mailbox[ArmReport] = Mailbox()
        self._publisher = advertise(ACTION)
        self.pause = threading.Event()
        subscribe(CAMERA_FRAME, self._take_frame)
        subscribe(ARM_STATUS, self._take_report)

    def _take_frame(self, message: Any) -> None:
        if not isinstance(frame := read_frame(message, self._stamps), Refused):
            self._frames.put(frame)

    def _take_report(self, message: Any) -> None:
        if not isinstance(report := read_report(message, self._stamps), Refused):
            self._reports.put(report)

    @property
    def mode(self) -> Mode | None:
        newest = self._reports.newest()
        return None if newest is None else newest.value.mode

    @property
    def may_hold(self) -> bool:
        """Whether nobody has taken the arm: a person who leads it, or has sent it home, is not to be stopped."""
        newest = self._reports.newest()
        return newest is None or (newest.value.mode is Mode.ACTIVE and newest.value.source is not Source.HUMAN)

    def play(self, seconds: float, advance: Advance) -> None:
        """Send the wiggle for `seconds`. Raises UserError where the arm does not follow it."""
        period, begin = 1.0 / self._config.control.policy_rate_hz, time.monotonic()
        followed = begin
        for number in range(round(seconds / period)):
            self.pause.wait(max(0.0, begin + number * period - time.monotonic()))
            now = time.monotonic()
            self._send(number + 1, now, now - begin)
            report = self._reports.newest()
            if report is not None and report.value.source is Source.RANDOM and report.value.mode is Mode.ACTIVE:
                followed = now
            if now - followed > TAKEN_S:
                why = " ".join(line.strip() for line in standing(None if report is None else report.value))
                raise UserError(f"the arm does not follow the wiggle: {why}", next_step="see to it, then try again")
            advance(int(now - begin), "")

    def _send(self, number: int, now: float, since: float) -> None:
        frame = self._frames.newest()
        if frame is None:
            raise UserError(
                f"no picture on {CAMERA_FRAME.name}", next_step="start the camera's node with a launch file"
            )
        value = wiggle_action(self._config.control, self._along, since)
        action = Action(number, now, value, Source.RANDOM, frame.value.seq, frame.value.stamp)
        self._publisher.publish(action_message(action, self._stamps))


@contextmanager
def _recorded(bag: Path, topic: str) -> Iterator[None]:
    """`rosbag record` into `bag` until the block ends."""
    if shutil.which("rosbag") is None:
        raise UserError("rosbag is not installed here", next_step="apt-get install python3-rosbag rosbag")
    command = ["rosbag", "record", "--quiet", "-O", str(bag), topic, STATE_TOPIC, SENT_TOPIC]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        _await_recorder(process, bag)
        yield
    finally:
        process.terminate()
        try:
            process.wait(RECORDER_ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _await_whole(bag)


def _await_whole(bag: Path) -> None:
    """Until the bag has its name: `rosbag` may end a moment before the program that writes for it."""
    deadline, pause = time.monotonic() + RECORDER_ENDS_S, threading.Event()
    while not bag.exists() and _under_way(bag).exists() and time.monotonic() < deadline:
        pause.wait(LOOK_S)


def _await_recorder(process: subprocess.Popen[bytes], bag: Path) -> None:
    """Until `rosbag record` has opened its file, and the topics a moment later. Raises UserError where it does not."""
    deadline, pause = time.monotonic() + RECORDER_STARTS_S, threading.Event()
    while not _under_way(bag).exists():
        if process.poll() is not None:
            raise UserError(f"rosbag record has ended with {process.returncode}", next_step="see what it says above")
        if time.monotonic() > deadline:
            raise UserError(f"rosbag record has not begun after {RECORDER_STARTS_S:g} s", next_step="try again")
        pause.wait(LOOK_S)
    pause.wait(TOPICS_OPEN_S)
