"""Keyboard teleop over ssh: keys on a terminal become a person's actions on /rig/teleop, 20 a second while one is held.

    rig teleop --config reach --box box.yaml

A key counts as let go when it has not repeated for 0.15 s. Started by hand or by
teleop.launch, which must itself be started in a terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import rospy
import tyro

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.loops.key_strokes import Stroke, StrokeReader
from robot_rig.loops.teleop_loop import RATE_HZ, TeleopLoop
from robot_rig.nodes.corners import Corners
from robot_rig.nodes.raw_terminal import RawTerminal
from robot_rig.ros.arm_report import read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import action_message
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.node import Node, run
from robot_rig.ros.orders import give_order
from robot_rig.ros.stamps import Refused
from robot_rig.ros.topics import ARM_STATUS, TELEOP

NODE = "rig_teleop"
SHOW_PERIOD_S = 0.2
STALE_S = 1.0
LAST_WORDS_S = 0.5
ORDERS = {Stroke.ENABLE: "enable", Stroke.HOLD: "hold", Stroke.HOME: "home", Stroke.STOP: "stop"}

LESSON = """\
arrows or w s a d   move along x and y in base (w away from the robot, a to its left)   r f   up, down
+ -   speed    space   rest    e  enable    h  hold    o  home    x  STOP    b  mark a corner    q  quit
Motion lasts while the key repeats. The red button is the only stop that is safe."""


@dataclass(frozen=True)
class TeleopOptions:
    """Move the arm with the keys of this terminal."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set control.axes="[x, y, z]"; may be given more than once."""

    box: Path = Path("box.yaml")
    """Where the box around the marked corners goes, as an overlay for --config."""


class TeleopNode:
    """Three threads: one reads keys, one sends actions, one carries orders out; the first is the least important."""

    def __init__(self, config: Config, box: Path, terminal: RawTerminal, node: Node) -> None:
        self._node, self._terminal = node, terminal
        self._loop = TeleopLoop(config.control.axes)
        self._corners = Corners(config, box)
        self._meaning = config.control.meaning
        self._scale = config.control.action_scale_m * config.control.policy_rate_hz
        self._publisher = advertise(TELEOP)
        self._report: Mailbox[Any] = Mailbox()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._ending(self._send), daemon=True, name="send")
        node.closing(self._finish)
        subscribe(ARM_STATUS, self._report.put)

    def start(self) -> None:
        """Begin to read and to send."""
        self._terminal.say(LESSON)
        self._sender.start()
        for work in (self._read, self._show):
            threading.Thread(target=self._ending(work), daemon=True, name=work.__name__).start()

    def _ending(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work`, with which the node ends: without its keys or its sender a teleop is of no use."""

        def run_work() -> None:
            try:
                work()
            finally:
                rospy.signal_shutdown("teleop has ended")

        return run_work

    def _finish(self) -> None:
        """Let the sender say zero before the topic closes."""
        self._closing.set()
        if self._sender.is_alive() and threading.current_thread() is not self._sender:
            self._sender.join(LAST_WORDS_S)

    def _read(self) -> None:
        strokes = StrokeReader()
        while not self._closing.is_set():
            data = self._terminal.read(0.1)
            if data is None:
                return
            for stroke in strokes.feed(data):
                with self._lock:
                    self._loop.press(time.monotonic(), stroke)
                if stroke is Stroke.QUIT:
                    return
                self._obey(stroke)

    def _obey(self, stroke: Stroke) -> None:
        if stroke in ORDERS:
            order = ORDERS[stroke]
            threading.Thread(target=lambda: self._order(order), daemon=True, name=order).start()
        elif stroke is Stroke.CORNER:
            tool = self._tool()
            self._terminal.say("no corner: the arm does not report" if tool is None else self._corners.mark(tool))

    def _order(self, word: str) -> None:
        try:
            self._terminal.say(give_order(word))
        except UserError as error:
            self._terminal.say(str(error))

    def _send(self) -> None:
        due = time.monotonic()
        while not self._closing.wait(due - time.monotonic()):
            self._send_one()
            due = max(due + 1.0 / RATE_HZ, time.monotonic())
        with self._lock:
            self._loop.press(time.monotonic(), Stroke.REST)
        while self._send_one():
            pass

    def _send_one(self) -> bool:
        """Send what the keys ask for now, if anything."""
        with self._lock:
            action = self._loop.tick(time.monotonic())
        if action is not None and not self._misunderstood():
            self._publisher.publish(action_message(action, self._node.stamps))
        return action is not None

    def _misunderstood(self) -> str:
        """How the arm process takes an action, where that is not how the keys give it; else empty."""
        letter = self._report.newest()
        report = None if letter is None else read_report(letter.value, self._node.stamps)
        if report is None or isinstance(report, Refused) or report.meaning in ("", self._meaning):
            return ""
        return report.meaning

    def _tool(self) -> Floats | None:
        """Where the tool tip is, (3,) m in base, or None while the arm does not report."""
        letter = self._report.newest()
        if letter is None or self._report.age() > STALE_S:
            return None
        report = read_report(letter.value, self._node.stamps)
        return None if isinstance(report, Refused) else report.tool

    def _show(self) -> None:
        while not self._closing.wait(SHOW_PERIOD_S):
            self._terminal.show(self._status())

    def _status(self) -> str:
        letter, tool = self._report.newest(), self._tool()
        report = None if letter is None else read_report(letter.value, self._node.stamps)
        mode = "no arm process" if report is None or self._report.age() > STALE_S else "?"
        if mode == "?" and report is not None and not isinstance(report, Refused):
            mode = " ".join([report.mode.value.upper(), *report.why, *report.verdict.reasons])
        if meaning := self._misunderstood():
            mode = f"NOT SENT: the arm takes it as {meaning}, the keys as {self._meaning}: use one config"
        where = (
            "-" if tool is None else " ".join(f"{axis} {value:.3f}" for axis, value in zip("xyz", tool, strict=True))
        )
        return f"{mode}   tool {where} m   {100 * self._loop.speed * self._scale:.0f} cm/s"[:110]


def wire(options: TeleopOptions, node: Node) -> None:
    """Begin to teleoperate; a person ends it."""
    config = load_config(options.config, options.set)
    terminal = RawTerminal(sys.stdin.fileno())
    node.closing(terminal.close)
    TeleopNode(config, options.box, terminal, node).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node with `arguments` (the process's own by default); returns the exit code."""
    return run(NODE, TeleopOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
