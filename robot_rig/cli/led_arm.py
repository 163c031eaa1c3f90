"""The arm in the ROS graph, led from posture to posture through the guard. Called by `calibrate_poses`.

Speaks only while its caller waits: whoever hangs, is stopped or dies falls silent, and the guard then holds the arm.
In mode HOMING the guard's report does not say whose way it is, a program's or the one home on which a person has sent
the arm. So who leads is read from the arm: one that this leads rests when it is refused, and leaves no posture unasked.
And at the end nothing is ordered, for that would hold a person's way too: the guard itself knows whom it follows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from robot_rig.cli.orders import standing
from robot_rig.datatypes import ArmState, Floats, Mode, Source
from robot_rig.errors import UserError
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import AskedPosture, posture_message, read_state
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.orders import give_order
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ARM_STATE, ARM_STATUS, POSTURE

T = TypeVar("T")

BEAT_S = 1.0 / (POSTURE.rate_hz or 1.0)
SILENT_S, REPORTED_S = 1.0, 0.5
THERE_RAD, RESTING_RAD_S, RESTED_S = 0.008, 0.02, 0.3
"""The arm has arrived once it has been this near and this slow for so long; the guard's own bound is 0.005 rad."""

AWAY_RAD = 0.02
"""So far from where it rested an arm has been moved by somebody else; more than its servo and encoders wander there."""

PARTED_S = 2.0
"""How long the guard may take to let the arm go that this has led; its own bound on silence is 0.3 s."""

WORK_LIMIT_S = 30.0
"""How long the work at a pose may take; what hangs must not keep an arm under its lead."""

REMIND_S = 10.0
"""A person who is waited for is told so this often."""


class PostedArm:
    """Leads the arm while it lives; be a node already. `tell` takes what a person should know."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._stamps, self._tell = HostStamps(), tell
        self._states: Mailbox[ArmState] = Mailbox()
        self._reports: Mailbox[ArmReport] = Mailbox()
        self._publisher = advertise(POSTURE)
        self._number, self._posture = 0, np.zeros(7)
        self._pause = threading.Event()
        self._led = False
        self._hearing = [
            subscribe(ARM_STATE, lambda message: _keep(read_state(message, self._stamps), self._states)),
            subscribe(ARM_STATUS, lambda message: _keep(read_report(message, self._stamps), self._reports)),
        ]

    def await_enable(self) -> None:
        """Until a person has enabled the arm; says now and then what is waited for."""
        told = -REMIND_S
        while self._mode() is not Mode.ACTIVE:
            if time.monotonic() - told > REMIND_S:
                told = time.monotonic()
                self._tell("waiting for a person to enable the arm: rig enable, in another terminal")
            self._pause.wait(BEAT_S)

    def position(self) -> Floats:
        """(7,) rad that the arm reports now. Raises UserError where it is silent."""
        return self._state().position

    def go(self, posture: Floats) -> str:
        """Lead it to `posture` (7,) rad until it rests there, or say why the guard refuses. UserError: it was ended."""
        here = self.position()
        self._number, self._posture = self._number + 1, posture
        refused, asked = self._wait_for(self._order), time.monotonic()
        if refused:
            # A moment later it is clear whether it was this posture or all of them.
            while time.monotonic() - asked < REPORTED_S:
                self._beat()
                if self._taken(here):
                    raise self._ended()
            self._posture = here
            return refused
        self._led = True
        rested = asked
        while time.monotonic() - rested < RESTED_S:
            self._beat()
            state = self._state()
            there = np.abs(state.position - posture).max() <= THERE_RAD
            if not there or np.abs(state.velocity).max() > RESTING_RAD_S:
                rested = time.monotonic()
            report = self._reports.newest()
            if report is not None and report.value.stamp > asked and report.value.mode is not Mode.HOMING:
                raise self._ended()
        return ""

    def stay(self, work: Callable[[], T]) -> T:
        """Let it rest where it is until `work` is done. UserError: its lead was ended, or the work hangs."""
        done = self._wait_for(work)
        if self._led and self._taken(self._posture):
            raise self._ended()
        return done

    def close(self) -> None:
        """The lead ends, and the guard sees it end: it holds an arm that this leads, and no other."""
        self._publisher.unregister()
        try:
            if self._led and self._mode() in (Mode.HOMING, Mode.HOLD):
                self._tell(self._parting())
        finally:
            for link in self._hearing:
                link.unregister()

    def _parting(self) -> str:
        """What becomes of the arm, as soon as that is clear."""
        deadline = time.monotonic() + PARTED_S
        while (mode := self._mode()) is Mode.HOMING and time.monotonic() < deadline:
            self._pause.wait(BEAT_S)
        if mode is not Mode.HOMING:
            return "the arm holds" if mode is Mode.HOLD else "the arm is led no more"
        if self._reports.age() > SILENT_S:
            return "the arm process is silent: see `rig doctor`"
        return "the arm goes on: somebody else has sent it home"

    def _taken(self, rested: Floats) -> bool:
        """Whether an arm that should rest at `rested` (7,) rad is led by somebody else, or may not be led any more."""
        state = self._state()
        moves = np.abs(state.velocity).max() > RESTING_RAD_S or np.abs(state.position - rested).max() > AWAY_RAD
        mode = Mode.HOMING if self._led else Mode.ACTIVE
        return self._mode() is not mode or self._a_persons() or bool(moves)

    def _a_persons(self) -> bool:
        """Whether the guard follows a person alone, by teleop or after `e` in it."""
        newest = self._reports.newest()
        return newest is not None and newest.value.source is Source.HUMAN

    def _order(self) -> str:
        try:
            give_order("visit")
        except UserError as error:
            return error.problem
        return ""

    def _wait_for(self, work: Callable[[], T]) -> T:
        """What `work` gives, on a thread of its own, while this one goes on speaking to the guard."""
        pool = ThreadPoolExecutor(1)
        try:
            future: Future[T] = pool.submit(work)
            deadline = time.monotonic() + WORK_LIMIT_S
            while not future.done():
                if time.monotonic() > deadline:
                    raise UserError(
                        f"what is done at a pose hangs for {WORK_LIMIT_S:.0f} s", next_step="see `rig doctor`"
                    )
                self._beat()
            return future.result()
        finally:
            pool.shutdown(wait=False)

    def _beat(self) -> None:
        if self._number:
            asked = AskedPosture(self._number, time.monotonic(), self._posture)
            self._publisher.publish(posture_message(asked, self._stamps))
        self._pause.wait(BEAT_S)

    def _state(self) -> ArmState:
        newest = self._states.newest()
        if newest is None:
            self._pause.wait(SILENT_S)
            newest = self._states.newest()
        if newest is None or time.monotonic() - newest.arrival > SILENT_S:
            raise UserError("the arm process is silent", next_step="see `rig doctor`; the same command goes on")
        return newest.value

    def _mode(self) -> Mode | None:
        newest = self._reports.newest()
        return None if newest is None else newest.value.mode

    def _ended(self) -> UserError:
        newest = self._reports.newest()
        why = " ".join(line.strip() for line in standing(None if newest is None else newest.value))
        if self._mode() is Mode.HOMING:
            why = "it goes home, where somebody has sent it"
        elif self._mode() is Mode.ACTIVE and self._a_persons():
            why = "a person has it"
        return UserError(
            f"the arm is led no more: {why}", next_step="see to it, then the same command goes on where it was"
        )


def _keep(record: T | Refused, box: Mailbox[T]) -> None:
    if not isinstance(record, Refused):
        box.put(record)
