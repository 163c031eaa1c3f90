"""What both Sawyer drivers share: the arm behind a link, its reports, and the check of its tool. No ROS in here.

A `SawyerLink` carries orders to the robot (`sawyer_wire` by itself, `sawyer_intera` through the vendor's SDK);
`SawyerReports` holds what the robot said last; `Sawyer` is the `interfaces.Arm` made of both.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from drivers.arm_description import ArmTable
from robot_rig.arrays import read_only
from robot_rig.datatypes import JOINT_NAMES, JOINTS, NO_PUSH, ArmState, Floats, SafeCommand
from robot_rig.errors import UserError

JOINT_STATES = "/robot/joint_states"
ROBOT_STATE = "/robot/state"
ENDPOINT_STATE = "/robot/limb/right/endpoint_state"
COLLISION_STATE = "/robot/limb/right/collision_detection_state"
GRAVITY_MODEL = "/robot/limb/right/gravity_compensation_torques"
JOINT_COMMAND = "/robot/limb/right/joint_command"

SWITCH_LIMIT_S = 5.0
"""How long an order is repeated until the robot's state agrees; the vendor's own value."""

SWITCH_PERIOD_S = 0.01

COLLISION_REPORT_S = 5.0
"""How long after the start a robot may take to say for the first time whether it collides."""

PUSH_AGE_S = 0.1

FLAGS_GRACE_S = 0.15
"""How much older than the joint report the robot's state may be: with the age limit of 0.15 s it is unsafe after 0.3 s.
It carries no stamp of the robot's, so its age is that of its arrival."""


class Flags(NamedTuple):
    """The robot's state machine. `button` says that the red button is pressed; `arrived` is local monotonic s."""

    enabled: bool
    stopped: bool
    error: bool
    ready: bool
    button: bool
    arrived: float


class Joints(NamedTuple):
    """The seven joints, `stamp` in local monotonic s and `robot_stamp` on the robot's clock; arrays (7,), read-only."""

    stamp: float
    robot_stamp: float
    position: Floats
    velocity: Floats
    effort: Floats


class Tip(NamedTuple):
    """Where the robot says its tip is: xyz (3,) m in base, and the force (3,) N that it feels there."""

    robot_stamp: float
    position: Floats
    force: Floats


class SawyerReports:
    """The newest of everything the robot reports. Written by the subscribers' threads, read by the tick.

    `collision_reports` says whether the robot must say that it does not collide before it is enabled.
    """

    def __init__(self, collision_reports: Literal["required", "absent"] = "required") -> None:
        self.joints: Joints | None = None
        self.flags: Flags | None = None
        self.tip: Tip | None = None
        self._push, self._pushed_at = NO_PUSH, -math.inf
        self._collided = False
        # Each counted by one thread only, so that neither overwrites what the other has just seen.
        self._hits, self._hits_told = 0, 0
        self._silence_ends = time.monotonic() + COLLISION_REPORT_S
        self._collisions_known = collision_reports == "absent"
        self._names: Sequence[str] = ()
        self._order: list[int] = []

    def take_joints(
        self,
        stamp: float,
        robot_stamp: float,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> None:
        """Take a joint report, which may hold head and gripper too; one without the whole arm is another device's."""
        if names != self._names:
            if not set(JOINT_NAMES) <= set(names):
                return
            self._order, self._names = [list(names).index(name) for name in JOINT_NAMES], list(names)
        if not len(position) == len(velocity) == len(effort) == len(names):
            return
        arrays = (
            read_only(JOINT_STATES, [v[i] for i in self._order], (JOINTS,), np.float64)
            for v in (position, velocity, effort)
        )
        self.joints = Joints(stamp, robot_stamp, *arrays)

    def take_model(
        self, arrived: float, names: Sequence[str], actual: Sequence[float], explained: Sequence[float]
    ) -> None:
        """Take the `actual` efforts (N·m) beside those that the robot's model of its own weight explains.

        `arrived` is local monotonic s: what is older than the joints' report by more than `PUSH_AGE_S` says nothing.
        """
        if list(names) == list(JOINT_NAMES) and len(actual) == len(explained) == JOINTS:
            self._pushed_at = arrived
            self._push = read_only(GRAVITY_MODEL, np.subtract(actual, explained), (JOINTS,), np.float64)

    def take_collision(self, collided: bool) -> None:
        """Take whether the robot collides now; a yes stays until the tick has heard it, however short it was."""
        self._collided = collided
        self._hits += collided
        self._collisions_known = True

    def require_collision_reports(self) -> None:
        """Return once the robot has said whether it collides; raises UserError when it stays silent about it."""
        while not self._collisions_known:
            if time.monotonic() > self._silence_ends:
                raise UserError(
                    f"the robot has never said on {COLLISION_STATE} whether it collides",
                    next_step="restart it; a robot that has no such report needs guard.collision_reports absent, and "
                    "then nothing stops the arm when it hits something",
                )
            time.sleep(SWITCH_PERIOD_S)

    @property
    def tells_push(self) -> bool:
        """Whether the robot has ever told what its model of its own weight explains."""
        return self._pushed_at > -math.inf

    def complete(self) -> bool:
        """Whether joints, state and tip have been heard of."""
        return self.joints is not None and self.flags is not None and self.tip is not None

    def hear(self, latched: bool) -> ArmState:
        """`arm_state` for the tick: a collision since the last call counts as one of now, and is told once."""
        hits = self._hits
        state = self.arm_state(latched)
        if hits != self._hits_told and not state.collided:
            state = dataclasses.replace(state, collided=True)
        self._hits_told = hits
        return state

    def arm_state(self, latched: bool) -> ArmState:
        """Everything as one record, as old as the oldest part that counts; a `latched` stop overrides the robot's word.

        Raises UserError before the first report.
        """
        joints, flags = self.joints, self.flags
        if joints is None or flags is None:
            raise UserError("the robot has not reported yet", next_step="see `rostopic hz /robot/joint_states`")
        return ArmState(
            stamp=min(joints.stamp, flags.arrived + FLAGS_GRACE_S),
            position=joints.position,
            velocity=joints.velocity,
            effort=joints.effort,
            enabled=flags.enabled and not latched,
            stopped=flags.stopped or flags.button or latched,
            error=flags.error,
            collided=self._collided,
            push=self._push if joints.stamp - self._pushed_at <= PUSH_AGE_S else NO_PUSH,
        )


class SawyerLink(Protocol):
    """How orders reach the robot. `switch` and `clear` block until the robot's state agrees, and raise UserError."""

    def velocity(self, values: Floats) -> None:
        """Send a joint velocity (7,) rad/s; never blocks."""
        ...

    def switch(self, on: bool, give_up: Callable[[], bool]) -> None:
        """Motors on or off; end early without an error when `give_up()` turns true."""
        ...

    def halt(self) -> None:
        """Stop the robot: the first order leaves now (< 10 ms), repetitions follow until the robot says so."""
        ...

    def clear(self) -> None:
        """Clear a stop or an error."""
        ...

    def close(self) -> None:
        """Unsubscribe and unadvertise."""
        ...


class Sawyer:
    """A Sawyer as an arm; implements `interfaces.Arm`. `table` is its own kinematic table.

    `reports` must be complete when it is made.
    """

    def __init__(self, link: SawyerLink, reports: SawyerReports, table: ArmTable) -> None:
        self._link, self._reports = link, reports
        self.table = table
        self._latched = threading.Event()
        self._closed = False
        self._commanded = False
        reports.arm_state(latched=False)

    def state(self) -> ArmState:
        """The newest report, for the one that ticks: a collision between two calls is in the second.

        `stopped` from the moment of `stop` on, whether or not the robot has answered.
        """
        return self._reports.hear(self._latched.is_set())

    def send(self, command: SafeCommand) -> None:
        """Stream one velocity command; zero while stopped, whatever is asked.

        Raises TypeError for anything but a SafeCommand and RuntimeError after `close`.
        """
        if not isinstance(command, SafeCommand):
            raise TypeError(f"an arm takes a SafeCommand only, not {type(command).__name__}")
        if self._closed:
            raise RuntimeError("this arm is closed")
        self._commanded = True
        self._link.velocity(np.zeros(JOINTS) if self._latched.is_set() else command.command.velocity)

    def stop(self) -> None:
        """Zero velocity and the robot's own stop, at once and without waiting; latched until `reset`."""
        self._latched.set()
        try:
            self._link.velocity(np.zeros(JOINTS))
        finally:
            self._link.halt()

    def enable(self) -> None:
        """Motors on. Raises UserError while stopped, in error or not homed, and when the robot does not obey."""
        state = self._reports.arm_state(self._latched.is_set())
        if state.stopped:
            raise UserError("the arm is stopped", next_step="make sure that nobody is in reach, then reset it")
        if state.error:
            raise UserError("the arm reports an error", next_step="read the robot's own message, then reset it")
        flags = self._reports.flags
        if flags is not None and not flags.ready:
            raise UserError("the robot is not homed", next_step="press the cuff once, or restart the robot")
        self._reports.require_collision_reports()
        self._link.switch(True, self._latched.is_set)
        if self._latched.is_set():
            raise UserError("the arm was stopped while it was switched on", next_step="reset it, then enable it")

    def disable(self) -> None:
        """Motors off. Raises UserError when the robot does not obey."""
        self._link.switch(False, lambda: False)

    def reset(self) -> None:
        """Clear a stop or an error; the arm is disabled then. Raises UserError for a pressed button, or no success."""
        flags = self._reports.flags
        if flags is not None and flags.button:
            raise UserError("the red button is pressed", next_step="turn it until it springs out, then reset")
        if self._latched.is_set() or (flags is not None and (flags.stopped or flags.error)):
            self._link.clear()
        self.disable()
        self._latched.clear()

    def close(self) -> None:
        """Come to rest where the arm is and let go of the robot; may be called twice."""
        if not self._closed:
            self._closed = True
            if self._commanded:
                self._link.velocity(np.zeros(JOINTS))
            self._link.close()


def insist(order: Callable[[], None], agreed: Callable[[], bool], give_up: Callable[[], bool]) -> bool:
    """Repeat `order` until the robot's state has `agreed`; whether it did so before `give_up` or the limit.

    One message is not enough: what is published right after a connection was made can be lost.
    """
    deadline = time.monotonic() + SWITCH_LIMIT_S
    while not agreed():
        if give_up() or time.monotonic() > deadline:
            return False
        order()
        time.sleep(SWITCH_PERIOD_S)
    return True
