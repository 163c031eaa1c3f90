"""Teleop over ssh: a person's keys, gamepad or 3D mouse become actions on /rig/teleop, while a dead-man is held.

    rig teleop --device gamepad --config reach --box box.yaml

A key counts as let go when it has not repeated for 0.15 s; `loops.hand_loop` says what holds for the other devices.
The keys of the terminal give the orders, whatever moves the arm. Started by hand or by teleop.launch, which must itself
be started in a terminal.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import rospy
import tyro

from drivers.hand_watch import HandWatch
from drivers.hands import Hand, open_hand
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Action, Floats, Mode, Source
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandLoop
from robot_rig.loops.human_actions import GOODBYES, PersonLoop
from robot_rig.loops.key_strokes import Stroke, StrokeReader
from robot_rig.loops.teleop_loop import TeleopLoop
from robot_rig.nodes.corners import Corners
from robot_rig.nodes.intake import listen
from robot_rig.nodes.person_log import PersonLog
from robot_rig.nodes.person_orders import PersonOrders
from robot_rig.nodes.raw_terminal import RawTerminal
from robot_rig.nodes.teleop_screen import Explained, Hands, codes_of, line
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import action_message
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.node import Node, run
from robot_rig.ros.orders import give_order
from robot_rig.ros.topics import ARM_STATUS, TELEOP

NODE = "rig_teleop"
SHOW_PERIOD_S = 0.2
STALE_S = 1.0
LAST_WORDS_S = 0.5
GOODBYES_S = 0.4
"""How long the last words of who hands the arm back may take."""

ORDERS = {
    Stroke.ENABLE: "take",
    Stroke.HOLD: "hold",
    Stroke.HOME: "home",
    Stroke.STOP: "stop",
    Stroke.HAND_BACK: "hand_back",
}

KEYS = """\
arrows or w s a d   move along x and y in base (w away from the robot, a to its left)   r f   up, down
Motion lasts while the key repeats."""
LESSON = """\
+ -   speed   space   rest   e  enable   h  hold   o  home   x  STOP   p  hand back to the policy   b  corner   q  quit
The red button is the only stop that is safe."""


@dataclass(frozen=True)
class TeleopOptions:
    """Move the arm by hand: with the keys of this terminal, a gamepad or a 3D mouse."""

    device: Literal["keyboard", "gamepad", "spacemouse"] = "keyboard"
    """What moves the arm. The keys of this terminal give the orders in any case."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set control.axes="[x, y, z]"; may be given more than once."""

    box: Path = Path("box.yaml")
    """Where the box around the marked corners goes, as an overlay for --config."""


class TeleopNode:
    """Threads: one reads keys, one sends actions, one shows, one carries orders out (and one each STOP and HOLD), one
    writes corners down, and one reads a device.

    `loop` makes actions of what moves the arm. `lock` is its lock.
    """

    def __init__(self, config: Config, box: Path, terminal: RawTerminal, node: Node, loop: PersonLoop) -> None:
        self._node, self._terminal, self._loop = node, terminal, loop
        self._control = config.control
        self._corners = Corners(config, box)
        self._orders = PersonOrders(self._order)
        self._writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="corners")
        self._publisher = advertise(TELEOP)
        self._report: Mailbox[ArmReport] = Mailbox()
        self.lock = threading.Lock()
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._ending(self._send), daemon=True, name="send")
        node.closing(self._finish)
        self._log = PersonLog(config, node.stamps, self._leads, self._wake.set)
        listen(ARM_STATUS, lambda message: read_report(message, node.stamps), self._report.put)

    def start(self) -> None:
        """Begin to read and to send."""
        self._terminal.say(LESSON)
        self._sender.start()
        for work in (self._read, self._show):
            threading.Thread(target=self._ending(work), daemon=True, name=work.__name__).start()

    def follow(self, hand: Hand, open_again: Callable[[], Hand], loop: HandLoop) -> None:
        """Let `hand` move the arm, through `loop`."""
        watch = HandWatch(hand, open_again, loop, self.lock, self._hasten, self._obey, self._terminal.say)
        self._node.closing(watch.close)
        threading.Thread(target=self._ending(watch.run), daemon=True, name="hand").start()

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
        self._hasten()
        if self._sender.is_alive() and threading.current_thread() is not self._sender:
            self._sender.join(LAST_WORDS_S)

    def _read(self) -> None:
        strokes = StrokeReader()
        while not self._closing.is_set():
            data = self._terminal.read(0.1)
            if data is None or self._closing.is_set():
                return
            for stroke in strokes.feed(data):
                with self.lock:
                    self._loop.press(time.monotonic(), stroke)
                if stroke is Stroke.QUIT:
                    return
                self._obey(stroke)

    def _obey(self, stroke: Stroke) -> None:
        if stroke in ORDERS:
            self._orders.give(stroke)
        elif stroke is Stroke.CORNER:
            report = self._fresh_report()
            tool = None if report is None else report.tool
            # A disk may take its time, and the next key may be STOP.
            self._writing.submit(self._mark, tool)

    def _mark(self, tool: Floats | None) -> None:
        self._terminal.say("no corner: the arm does not report" if tool is None else self._corners.mark(tool))

    def _order(self, stroke: Stroke) -> None:
        if stroke is Stroke.HAND_BACK and not self._silent_soon():
            self._terminal.say("not handed back: you still move the arm; let go, then press p")
            return
        try:
            self._terminal.say(give_order(ORDERS[stroke]))
        except UserError as error:
            self._terminal.say(str(error))

    def _silent_soon(self) -> bool:
        """Whether the last goodbye is out: one that came after the arm was handed back would take it again."""
        deadline = time.monotonic() + GOODBYES_S
        while time.monotonic() < deadline and not self._closing.wait(GOODBYES_S / 20):
            with self.lock:
                if self._loop.silent:
                    return True
        return False

    def _send(self) -> None:
        due = time.monotonic()
        while not self._closing.is_set():
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            self._answer_frame()
            if time.monotonic() >= due or self._hurry.is_set():
                self._hurry.clear()
                self._send_one()
                due = max(due + 1.0 / self._loop.rate_hz, time.monotonic())
        with self.lock:
            self._loop.press(time.monotonic(), Stroke.REST)
        for _ in range(GOODBYES):
            self._send_one()

    def _hasten(self) -> None:
        """Let the sender say what there is to say now: a zero must not wait for the next tick."""
        self._hurry.set()
        self._wake.set()

    def _send_one(self) -> None:
        """Send what a person asks for now, if anything."""
        now = time.monotonic()
        with self.lock:
            action, wish = self._loop.tick(now), self._loop.wish(now)
        self._publish(self._log.carry(now, action, wish))

    def _answer_frame(self) -> None:
        now = time.monotonic()
        with self.lock:
            wish = self._loop.wish(now)
        self._publish(self._log.answer(now, wish))

    def _publish(self, action: Action | None) -> None:
        if action is not None and not self._misunderstood():
            self._publisher.publish(action_message(action, self._node.stamps))

    def _newest_report(self) -> ArmReport | None:
        letter = self._report.newest()
        return None if letter is None else letter.value

    def _leads(self) -> bool:
        """Whether the guard follows a person."""
        report = self._fresh_report()
        return report is not None and report.mode is Mode.ACTIVE and report.source is Source.HUMAN

    def _fresh_report(self) -> ArmReport | None:
        """How the arm process stands, or None while it does not report."""
        return self._newest_report() if self._report.age() <= STALE_S else None

    def _misunderstood(self) -> str:
        """Why no action is sent: who takes it may take it for another motion; empty where it is understood."""
        report = self._newest_report()
        if report is None:
            return "no arm process"
        if report.meaning == self._control.meaning:
            return ""
        taken = f"takes it as {report.meaning}" if report.meaning else "does not say how it takes it"
        return f"NOT SENT: the arm {taken}, this as {self._control.meaning}: use one config"

    def _show(self) -> None:
        explained, advised = Explained(), ""
        while not self._closing.wait(SHOW_PERIOD_S):
            now, report = time.monotonic(), self._fresh_report()
            with self.lock:
                advice, hands = self._loop.advice, self._hands(now)
            if advice and advice != advised:
                self._terminal.say(advice)
            advised = advice
            for sentence in explained.news(now, codes_of(report) if report is not None else ()):
                self._terminal.say(sentence)
            self._terminal.show(self._line(report, hands))

    def _hands(self, now: float) -> Hands:
        scale = self._control.action_scale_m * self._control.policy_rate_hz
        return Hands(self._loop.speed * scale, self._loop.moving(now), self._log.logging)

    def _line(self, report: ArmReport | None, hands: Hands) -> str:
        if report is None:
            return "no arm process"
        return self._misunderstood() or line(report, hands, self._control.axes)


def wire(options: TeleopOptions, node: Node) -> None:
    """Begin to teleoperate; a person ends it."""
    config = load_config(options.config, options.set)
    axes = config.control.axes
    device = options.device
    # Before the terminal is changed: what a person should mend is said in a usual line.
    hand = None if device == "keyboard" else open_hand(device)
    terminal = RawTerminal(sys.stdin.fileno())
    node.closing(terminal.close)
    if hand is None or device == "keyboard":
        terminal.say(KEYS)
        TeleopNode(config, options.box, terminal, node, TeleopLoop(axes)).start()
        return
    terminal.say(f"{hand.name}: {hand.lesson}")
    loop = HandLoop(axes)
    teleop = TeleopNode(config, options.box, terminal, node, loop)
    teleop.start()
    teleop.follow(hand, functools.partial(open_hand, device), loop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node with `arguments` (the process's own by default); returns the exit code."""
    return run(NODE, TeleopOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
