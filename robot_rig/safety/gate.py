"""The only door to the arm. `Gate.admit` takes a wish for motion through eight stages and makes the SafeCommand.

Called by `loops.arm_loop` once a tick, for policy, person and homing alike. It is the last software before the driver
and trusts nobody above it: it starts closed, every doubt is zero velocity, and a broken bound latches until `reset`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from robot_rig.compiled import NUMBER, READ_1, WRITE_1, WRITE_2, compiled
from robot_rig.datatypes import (
    GATE_MINT,
    JOINTS,
    Action,
    ArmState,
    Floats,
    JointCommand,
    Mode,
    Outcome,
    SafeCommand,
    Source,
    Verdict,
)
from robot_rig.kinematics import ArmPose
from robot_rig.safety import arithmetic, stages
from robot_rig.safety.barriers import Barriers
from robot_rig.safety.lease import Lease
from robot_rig.safety.limits import STOP_TIME_S, Limits
from robot_rig.safety.stages import Codes

ROBOT_TIMEOUT_S = 0.2
"""The robot's own controller stops following a velocity that has not been renewed for this long."""

PROJECTION_ROOM = 1.5
"""How much faster some joint may become when stage 5 takes one direction away and keeps the others."""

ROUNDING_S = 1e-9
"""Spans that sum up to this much less than a delay cover it."""

STILL = np.zeros(JOINTS)
STILL.setflags(write=False)
NEVER = (-1, 0.0)


@compiled(WRITE_2, WRITE_1, READ_1, NUMBER, NUMBER, WRITE_1)
def _remember(moves: Floats, spans: Floats, velocity: Floats, span: float, delay: float, under_way: Floats) -> None:
    """Put `velocity` (7,) over `span` s behind the `moves` (N, 7) rad and `spans` (N,) s, whose first row goes.

    `under_way` (7,) rad is then the sum of the last moves that it takes to cover `delay` s. Time counts, not ticks: an
    action may bring a tick before its time. Summed anew each tick: a running total would round differently after a
    resume, and for ever.
    """
    first = spans.shape[0] - 1
    for i in range(first):
        spans[i] = spans[i + 1]
        for j in range(JOINTS):
            moves[i, j] = moves[i + 1, j]
    spans[first] = span
    for j in range(JOINTS):
        moves[first, j] = velocity[j] * span
        under_way[j] = 0.0
    covered = span
    while first > 0 and covered < delay - ROUNDING_S:
        first -= 1
        covered += spans[first]
    for i in range(first, spans.shape[0]):
        for j in range(JOINTS):
            under_way[j] += moves[i, j]


class Gate:
    """Holds what safety must remember between ticks: the last sent velocity, the lease, the newest action, a latch."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._barriers = Barriers(limits)
        self._lease = Lease(limits.action_age)
        self._newest: dict[Source, tuple[int, float]] = {}
        self._latch: Codes = ()
        self._last = STILL
        self._last_time: float | None = None
        self._halted = False
        self._cap = limits.slow_speed
        longest = 2 * math.ceil((limits.reaction + limits.state_age) / limits.period)
        self._moves = np.zeros((longest, JOINTS))
        self._spans: Floats = np.full(longest, limits.period)
        self._under_way: Floats = np.zeros(JOINTS)

    @property
    def latched(self) -> Codes:
        """The broken bounds that closed the gate; empty while none has."""
        return self._latch

    @property
    def source(self) -> Source | None:
        """Who holds the lease."""
        return self._lease.holder

    def renew(self, keeper: Source | None = None) -> None:
        """On a person's order to move: free the lease, or keep it for `keeper`, and forget which actions were seen."""
        self._lease.release(keeper)
        self._newest.clear()

    def reset(self) -> None:
        """On a person's order to clear a fault: open the latch. It does not start motion."""
        self._latch = ()
        self.renew()

    def halt(self) -> None:
        """What is sent next begins at zero, without stage 7's ramp: ticks that come late would draw a ramp out."""
        self._halted = True

    def admit(
        self,
        now: float,
        mode: Mode,
        action: Action | None,
        state: ArmState,
        pose: ArmPose,
        wish: Callable[[], Floats],
    ) -> SafeCommand:
        """What may be sent to the arm at `now` (s), and why.

        `wish` gives the wanted joint velocity (7,) rad/s. It is asked only when stages 1 to 3 have passed, so a refused
        action never reaches the controller. `pose` belongs to `state.position`. Never raises for bad values.
        """
        delay = self._limits.reaction + max(0.0, now - state.stamp)
        step = self._limits.acceleration * self._elapsed(now, delay)
        stop = self._must_stop(mode, state)
        if stop:
            return self._send(now, STILL, Outcome.HELD if stop == ("disabled",) else Outcome.LATCHED, stop)
        source = Source.HOMING if mode is Mode.HOMING else action.source if action is not None else None
        refused = self._refusals(now, mode, action, state, source)
        target = STILL
        if not refused:
            target = wish()
            refused = () if stages.wish_is_sane(target) else ("wish_garbled",)
            self._cap = self._limits.tool_speed if source in (Source.POLICY, Source.RANDOM) else self._limits.slow_speed
        self._barriers.measure(pose, self._last)
        velocity, reasons = self._shape(STILL if refused else target, mode, pose, delay, step)
        broken = self._broken(velocity, pose, delay, step)
        if broken:
            self._latch = broken
            return self._send(now, STILL, Outcome.LATCHED, broken)
        if refused:
            return self._send(now, velocity, Outcome.HELD, refused)
        return self._send(now, velocity, Outcome.SCALED if reasons else Outcome.PASSED, reasons)

    def _elapsed(self, now: float, delay: float) -> float:
        """Seconds that stage 7 may use: never more than one period, and none for a clock that stood still.

        Also takes stock of what was sent within `delay` s and is still under way.
        """
        since = self._limits.period if self._last_time is None else now - self._last_time
        if math.isfinite(now):
            self._last_time = now
        # Not max(): a time that is no number counts as none.
        since = since if since > 0.0 else 0.0
        span = min(since, ROBOT_TIMEOUT_S)
        _remember(self._moves, self._spans, self._last, span, delay, self._under_way)
        if since > ROBOT_TIMEOUT_S or self._halted:
            self._last, self._halted = STILL, False
        return min(since, self._limits.period)

    def _must_stop(self, mode: Mode, state: ArmState) -> Codes:
        """Reasons to send zero at once, past stage 7: the arm is off, a fault is latched, or its position unknown."""
        if not stages.state_is_finite(state):
            self._latch = self._latch or ("state_garbled",)
        if self._latch:
            return self._latch
        return stages.refuse_mode(mode) if mode in (Mode.DISABLED, Mode.FAULT) else ()

    def _refusals(self, now: float, mode: Mode, action: Action | None, state: ArmState, source: Source | None) -> Codes:
        """Stages 1 to 3. The lease is asked last, so that only a good and fresh action can take it."""
        limits = self._limits
        refused = stages.refuse_mode(mode) or stages.refuse_age(now, state.stamp, limits.state_age, "state_stale")
        if refused:
            return refused
        if source is None:
            return ("no_action",)
        if mode is Mode.HOMING or action is None:
            return self._lease.claim(now, source, now, self._still())
        refused = (
            stages.refuse_form(action, limits.action_dim, self._newest.get(source, NEVER))
            or stages.refuse_age(now, action.stamp, limits.action_age, "action_stale")
            or stages.refuse_age(now, action.frame_stamp, limits.image_age, "image_stale")
        )
        if refused:
            return refused
        self._newest[source] = (action.seq, action.stamp)
        return self._lease.claim(now, source, action.stamp, self._still())

    def _still(self) -> bool:
        return not any(self._last.tolist())

    def _shape(self, target: Floats, mode: Mode, pose: ArmPose, delay: float, step: Floats) -> tuple[Floats, Codes]:
        """Stages 4 to 7 on a sane `target`. The speed scale of stage 6 is taken first and again last: a wish that is
        only too fast must not be bent by walls that it would reach too late at its allowed speed."""
        limits, last = self._limits, self._last
        paced, reasons = stages.limit_speed(target, pose.jacobian, limits, self._cap)
        stop_time = arithmetic.longest_stop(last, paced, limits.acceleration, PROJECTION_ROOM, STOP_TIME_S)
        allowed, exceeded = self._barriers.allowed(delay, stop_time, self._under_way, paced)
        inside = paced
        # Stages 4 and 5 change nothing where no row is over; far from everything one comparison says so for both.
        if exceeded:
            braked, joint_codes = stages.brake_joints(paced, allowed)
            inside, space_codes = stages.keep_inside(braked, pose, self._barriers, allowed)
            reasons += joint_codes + space_codes
        if inside is not paced:
            inside = inside * min(1.0, stop_time / max(self._time_to_stop(inside), 1e-9))
            inside, speed_codes = stages.limit_speed(inside, pose.jacobian, limits, self._cap)
            reasons += speed_codes
        if mode is Mode.ACTIVE and any(inside.tolist()):
            inside, singular_codes = stages.slow_near_singularity(inside, stages.condition(pose.jacobian))
            reasons += singular_codes
        velocity, slew_codes = stages.slew(last, inside, step)
        if slew_codes:
            brake = stages.full_brake(last, step)
            velocity, brake_codes = stages.brake_if_needed(
                velocity, brake, self._barriers, allowed, pose.jacobian, self._cap
            )
            reasons += slew_codes + brake_codes
        return velocity, tuple(dict.fromkeys(reasons)) if reasons else ()

    def _broken(self, velocity: Floats, pose: ArmPose, delay: float, step: Floats) -> Codes:
        """Stage 8: every bound once more, on what is about to be sent."""
        broken = stages.broken_bounds(velocity, self._last, step, self._limits, pose.jacobian, self._cap)
        if broken or not self._barriers.overshoots(velocity, delay, self._time_to_stop(velocity)):
            return broken
        return ("bound_space",)

    def _time_to_stop(self, velocity: Floats) -> float:
        return arithmetic.seconds(velocity, self._limits.acceleration)

    def _send(self, now: float, velocity: Floats, outcome: Outcome, reasons: Codes) -> SafeCommand:
        command = JointCommand(now, velocity)
        self._last = command.velocity
        return SafeCommand(command, Verdict(outcome, reasons), GATE_MINT)
