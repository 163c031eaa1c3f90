"""The arm in the ROS graph, led from posture to posture through the guard. Called by `calibrate_poses`.

Speaks only while its caller waits: whoever hangs, is stopped or dies falls silent, and the guard then holds the arm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from robot_rig.cli.orders import standing
from robot_rig.datatypes import ArmState, Floats, Mode
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
SILENT_S, REPORTED_S = 1.0, 0.3
THERE_RAD, RESTING_RAD_S, RESTED_S = 0.008, 0.02, 0.3
"""The arm has arrived once it has been this near and this slow for so long; the guard's own bound is 0.005 rad."""

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
        self._number, self._posture = self._number + 1, posture
        refused, asked = self._wait_for(self._order), time.monotonic()
        if refused:
            # The next report says whether it was this posture or all of them.
            self._wait_for(lambda: self._pause.wait(REPORTED_S))
            if self._mode() is not (Mode.HOMING if self._led else Mode.ACTIVE):
                raise self._ended()
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
        if self._led and self._mode() is not Mode.HOMING:
            raise self._ended()
        return done

    def close(self) -> None:
        """The lead ends: hold, rather than leave it to the guard to notice."""
        try:
            if self._led and self._mode() is Mode.HOMING:
                self._tell(give_order("hold"))
        finally:
            for link in (self._publisher, *self._hearing):
                link.unregister()

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
        return UserError(
            f"the arm is led no more: {why}", next_step="see to it, then the same command goes on where it was"
        )


def _keep(record: T | Refused, box: Mailbox[T]) -> None:
    if not isinstance(record, Refused):
        box.put(record)
