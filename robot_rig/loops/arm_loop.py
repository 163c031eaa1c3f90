"""The arm process's tick: report and action in, admitted command and status out. Called by arm_node and `sim.rig`.

The only commander of the arm: policy, person and homing all pass this one gate. Pure: time is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.control.homing import HOME_TOLERANCE_RAD, ViaPoses
from robot_rig.control.ik import DampedLeastSquares
from robot_rig.control.set_point import SetPointServo
from robot_rig.datatypes import JOINTS, Action, ArmState, ArmStatus, Floats, Mode, Outcome, SafeCommand, Source, Verdict
from robot_rig.errors import UserError
from robot_rig.kinematics import ArmPose, Kinematics
from robot_rig.safety.gate import Gate
from robot_rig.safety.limits import Limits
from robot_rig.safety.modes import HELD_LIMIT_S, Event, after
from robot_rig.safety.motion_watch import MotionWatch
from robot_rig.safety.ways import Way, Ways

HOMING_LIMIT_S = 60.0
"""Homing that takes longer is stuck at a wall and ends in HOLD; so does a visit that nothing follows."""

STREAM_AFTER_HOLD_S = 0.5
"""How long zero velocity is streamed once motion has ended; then the robot's own position hold takes over."""


class ArmLoop:
    """Mode machine, set-point servo and gate of one arm. Comes up DISABLED.

    The caller switches the arm's motors; `enable` here only opens the guard, after the arm reports itself enabled.
    Raises UserError for limits looser than the hard ceilings.
    """

    def __init__(self, control: ControlConfig, guard: GuardConfig, kinematics: Kinematics) -> None:
        limits = Limits.from_config(guard, control)
        posture = np.array(control.home_posture_rad)
        self._kinematics = kinematics
        self._gate = Gate(limits)
        self._servo = SetPointServo(control, limits.box_low, limits.box_high)
        self._inverse = DampedLeastSquares(control.damping, posture, control.posture_gain_hz)
        self._mode = Mode.DISABLED
        self._why: tuple[str, ...] = ()
        self._vias: ViaPoses | None = None
        self._on_arrival: Event | None = None
        self._ways = Ways(limits, kinematics)
        self._keeper: Source | None = None
        self._home_goal = posture
        self._state: ArmState | None = None
        self._tool: Floats = np.zeros(3)
        self._motion = MotionWatch(limits)
        self._sent: Floats = np.zeros(JOINTS)
        self._ticked = -math.inf
        self._held_since: float | None = None
        self._homing_since: float | None = None
        self._closed_since: float | None = None

    @property
    def mode(self) -> Mode:
        """The guard's mode now."""
        return self._mode

    @property
    def why(self) -> tuple[str, ...]:
        """The codes that ended motion last (`safety.reasons`); empty while the arm may move."""
        return self._why

    @property
    def at_home(self) -> bool:
        """Whether the last reported position is the pose of the last `home`, or the home posture before any."""
        state = self._state
        return state is not None and bool((np.abs(state.position - self._home_goal) <= HOME_TOLERANCE_RAD).all())

    @property
    def tool(self) -> Floats:
        """Where the tool tip was at the last tick, (3,) m in base, by the arm's own table; zeros before the first."""
        return self._tool

    @property
    def resting(self) -> bool:
        """Whether the velocity sent last was zero."""
        return not self._sent.any()

    @property
    def leader(self) -> Source | None:
        """Who has the lease now, orders since the last tick included."""
        return self._gate.source

    @property
    def visiting(self) -> bool:
        """Whether a program leads the arm from posture to posture; so it stays where it has arrived at one."""
        return self._mode is Mode.HOMING and self._on_arrival is None

    def hand_over(self, to: Source | None) -> None:
        """On a person's order, `to` is the only one who may lead, or whoever comes next; the arm rests in between."""
        self._gate.renew(to)
        # Who is handed the arm has the whole time to begin, however long the one before has been silent.
        self._held_since = None

    def enable(self, leader: Source | None = None) -> None:
        """A person lets the arm move, for `leader` alone or whoever comes; on its way home it goes there first.

        A program's visits end with it. Raises UserError in FAULT, which needs a reset first.
        """
        if self._mode is Mode.FAULT:
            raise UserError(f"a fault is latched: {', '.join(self._why)}", next_step="clear its cause, then reset")
        if self.visiting:
            self.hold()
        self._keeper = leader
        self._renew(Event.ENABLE, None if self._mode is Mode.HOMING else leader)

    def hold(self) -> None:
        """A person lets the arm come to rest and stay there."""
        self._raise(Event.HOLD, ("hold",))

    def overrun(self) -> None:
        """The machine is too busy to tick on time: rest at once, without a ramp, until a person has seen to it."""
        self._gate.halt()
        self._raise(Event.LAPSED, ("overrun",))

    def change_sender(self) -> None:
        """The program that led has ended, is silent or was started anew: come to rest until a person lets one lead."""
        self._raise(Event.LAPSED, ("new_sender",))

    def give_way(self) -> None:
        """Somebody else wants to lead while a program visits postures: come to rest until a person has chosen."""
        self._raise(Event.LAPSED, ("visit_ended",))

    def home(self, via_poses: Sequence[Floats]) -> None:
        """A person sends the arm through `via_poses`, each (7,) rad; out of ACTIVE it then goes on, else it holds.

        Raises UserError while disabled or in FAULT, and for poses that are not seven finite joint angles.
        """
        if self._mode in (Mode.DISABLED, Mode.FAULT):
            raise UserError(
                f"the arm is in mode {self._mode.value}", next_step="reset and enable it, then send it home"
            )
        poses = [np.array(pose, dtype=np.float64) for pose in via_poses]
        if not poses or any(pose.shape != (JOINTS,) or not np.isfinite(pose).all() for pose in poses):
            raise UserError("homing needs at least one pose", next_step="give seven finite joint angles (rad) for each")
        returns = self._mode is Mode.ACTIVE or (self._mode is Mode.HOMING and self._on_arrival is Event.RETURNED)
        self._on_arrival = Event.RETURNED if returns else Event.HOMED
        if self._mode is not Mode.HOMING:
            # A person who leads the arm and sends it home has not given it to the policy.
            self._keeper = Source.HUMAN if self._gate.source is Source.HUMAN else None
        self._vias = ViaPoses(poses)
        self._home_goal = self._vias.goal
        self._renew(Event.HOME)

    def way_to(self, posture: Floats) -> Way:
        """The straight way from where the arm is to `posture` (7,) rad, all of it looked at; takes milliseconds.

        Changes nothing, and so may be asked beside the tick. Raises UserError where the arm may not go it.
        """
        if self._state is None:
            raise UserError("the arm has not reported where it is yet", next_step="try again")
        return self._ways.straight(self._state.position, posture)

    def visit(self, way: Way) -> None:
        """A program leads the arm along `way`, at homing's speed, and leaves it there until it asks for another one.

        Raises UserError unless ACTIVE or visiting already, at rest where the way begins.
        """
        if not (self._mode is Mode.ACTIVE or self.visiting):
            raise UserError(f"the arm is in mode {self._mode.value}", next_step="let a person enable it")
        state = self._state
        if state is None or not self.resting or not (np.abs(state.position - way.start) <= HOME_TOLERANCE_RAD).all():
            raise UserError("the arm is not at rest where that way begins", next_step="ask again once it rests")
        self._vias, self._on_arrival = ViaPoses([way.goal]), None
        self._renew(Event.HOME)

    def stop(self, why: str = "stop") -> None:
        """Zero at once, latched until `reset`, because of the code `why`."""
        self._raise(Event.STOP, (why,))

    def reset(self) -> None:
        """A person clears a fault; the guard is then DISABLED."""
        if self._mode is Mode.FAULT:
            self._gate.reset()
        self._raise(Event.RESET, ())

    def tick(self, now: float, state: ArmState, action: Action | None) -> tuple[SafeCommand, ArmStatus]:
        """What to send at `now` (s), given the newest report and the newest action known (None before the first).

        Call it at the arm rate, whatever happens; a late call is safe.
        """
        self._watch(state)
        self._watch_motion(now, state)
        self._state = state
        elapsed = now - self._ticked
        self._ticked = now
        pose = self._kinematics.pose(state.position)
        self._tool = pose.tool
        command = self._gate.admit(now, self._mode, action, state, pose, lambda: self._wish(pose, action, elapsed))
        self._follow_up(now, state, command)
        sent = self._sent = command.command.velocity
        status = ArmStatus(
            stamp=now,
            mode=self._mode,
            state=state,
            executed=sent,
            tool_velocity=pose.jacobian.dot(sent) if any(sent.tolist()) else np.zeros(6),
            verdict=command.verdict,
            source=self._gate.source,
            action_seq=-1 if action is None else action.seq,
        )
        return command, status

    def streaming(self, now: float) -> bool:
        """Whether commands should still be sent at `now` (s): not when motion ended more than half a second ago."""
        return self._closed_since is None or now - self._closed_since <= STREAM_AFTER_HOLD_S

    def _wish(self, pose: ArmPose, action: Action | None, elapsed: float) -> Floats:
        if self._mode is Mode.HOMING and self._vias is not None:
            velocity = self._vias.velocity(pose.position)
            return self._ways.slowly(velocity, pose) if self.visiting else velocity
        if action is None or (action.source is Source.HUMAN and not action.value.any()):
            # A person who lets go wants it to stand where it is, not where its set-point has got to.
            self._servo.release()
            return np.zeros(JOINTS)
        twist = self._servo.twist(pose, action.value, elapsed)
        return self._inverse.velocity(pose.jacobian, pose.position, twist)

    def _watch(self, state: ArmState) -> None:
        """The arm's own report as events. A collision counts when it begins, so that a person can lead out of one."""
        before = self._state
        if state.stopped:
            # A robot in error has stopped as well, and which of the two it is decides what to do.
            self._raise(Event.ARM_STOPPED, ("arm_error", "arm_stopped") if state.error else ("arm_stopped",))
        elif state.error:
            self._raise(Event.ARM_ERROR, ("arm_error",))
        if state.collided and not (before is not None and before.collided):
            self._raise(Event.COLLISION, ("collision",))
        if not state.enabled:
            self._raise(Event.ARM_DISABLED, ("arm_disabled",))

    def _watch_motion(self, now: float, state: ArmState) -> None:
        """What the arm does not tell, as events: who holds it may lead it on; what it pushes against is a collision."""
        if self._mode not in (Mode.ACTIVE, Mode.HOMING):
            self._motion.rest()
        elif doubt := self._motion.look(now, state, self._sent):
            self._raise(Event.COLLISION if doubt == ("pushed",) else Event.LAPSED, doubt)

    def _follow_up(self, now: float, state: ArmState, command: SafeCommand) -> None:
        """What this tick means for the next: a latch, a lapse of stale data, home reached."""
        verdict = command.verdict
        if self._gate.latched:
            self._raise(Event.BROKEN, self._gate.latched)
        if verdict.outcome in (Outcome.HELD, Outcome.LATCHED) or self._mode is Mode.HOMING:
            self._servo.release()
        if self._mode is Mode.HOMING:
            self._homing_progress(now, state, not any(command.command.velocity.tolist()))
        if self._mode in (Mode.ACTIVE, Mode.HOMING):
            self._closed_since = None
            self._held(now, verdict)
        elif self._closed_since is None:
            self._closed_since = now

    def _homing_progress(self, now: float, state: ArmState, resting: bool) -> None:
        self._homing_since = now if self._homing_since is None else self._homing_since
        arrived = resting and self._vias is not None and self._vias.reached(state.position)
        if arrived and self._on_arrival is Event.RETURNED:
            self._renew(Event.RETURNED, self._keeper)
        elif arrived and self._on_arrival is Event.HOMED:
            self._raise(Event.HOMED, ("hold",))
        elif now - self._homing_since > HOMING_LIMIT_S:
            self._raise(Event.LAPSED, ("new_sender",) if arrived else ("homing_late",))

    def _held(self, now: float, verdict: Verdict) -> None:
        if verdict.outcome is not Outcome.HELD:
            self._held_since = None
            return
        self._held_since = now if self._held_since is None else self._held_since
        if now - self._held_since > HELD_LIMIT_S:
            self._raise(Event.LAPSED, ("lapsed", *verdict.reasons))

    def _renew(self, event: Event, keeper: Source | None = None) -> None:
        self._gate.renew(keeper)
        self._held_since, self._homing_since = None, None
        self._raise(event, ())

    def _raise(self, event: Event, why: tuple[str, ...]) -> None:
        mode = after(self._mode, event)
        if mode is not self._mode:
            self._mode, self._why = mode, why
            self._held_since, self._homing_since = None, None
