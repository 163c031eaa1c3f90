"""The arm loop servos to an integrated tool set-point: open-loop velocity lets height and tilt creep on an arm.

Called by `loops.arm_loop` each tick with an action that the guard has accepted; its answer is still only a wish.
"""

from __future__ import annotations

import math

import numpy as np

from robot_rig.compiled import NUMBER, READ_1, READ_2, SINGLES_READ_1, WRITE_1, compiled
from robot_rig.config import ControlConfig
from robot_rig.control.action_map import ActionMap
from robot_rig.control.ik import TOOL_DOWN, rotation_error
from robot_rig.datatypes import Float32s, Floats
from robot_rig.kinematics import ArmPose

ACCELERATION_M_S2 = 2.5
"""How fast the set-point changes its speed; a step of the action would only meet the guard's slew limit."""


EARLY_SHARE, SHORTEST_S = 0.95, 1e-4
"""From which share of a period on a tick is on time, and the least time that motion is divided by."""

TRIM_RATE_HZ = 0.4
TRIM_LIMIT = np.array([0.01, 0.01, 0.01, 0.03, 0.03, 0.03])
"""How fast height and orientation learn what the joints' own speed errors need (1/s), and how much it may be, m/s and
rad/s. A servo without it stands a bias divided by its gain away: 3 mm for 0.01 rad/s."""


@compiled(READ_1, NUMBER, returns=NUMBER)
def _share(vector: Floats, longest: float) -> float:
    """The greatest share of `vector` (3,), at most all, that is no longer than `longest`."""
    length = math.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    return 1.0 if length <= longest else longest / length


@compiled(READ_1, READ_2, READ_1, NUMBER, NUMBER, NUMBER, WRITE_1, WRITE_1, WRITE_1)
def _move(
    tool: Floats,
    axes: Floats,
    wanted: Floats,
    period: float,
    reach: float,
    gain: float,
    speed: Floats,
    point: Floats,
    twist: Floats,
) -> None:
    """Slew `speed` (3,) towards `wanted` (3,), move `point` (3,) by it inside the box, and fill the linear `twist`.

    `axes` (3, 3): per axis the low face, the high face and the fixed coordinate, NaN where the policy commands it.
    """
    change, lead, ahead = np.empty(3), np.empty(3), np.empty(3)
    for i in range(3):
        change[i] = wanted[i] - speed[i]
    share = _share(change, ACCELERATION_M_S2 * period)
    for i in range(3):
        speed[i] += share * change[i]
        start = point[i] if math.isnan(axes[i, 2]) else axes[i, 2]
        start = min(max(start, axes[i, 0]), axes[i, 1])
        end = min(max(start + speed[i] * period, axes[i, 0]), axes[i, 1])
        lead[i], ahead[i] = start - tool[i], end - tool[i]
        twist[i] = (end - start) / period
    led, drawn = _share(lead, reach), _share(ahead, reach)
    for i in range(3):
        twist[i] += gain * led * lead[i]
        point[i] = tool[i] + drawn * ahead[i]


@compiled(READ_1, NUMBER, WRITE_1, WRITE_1)
def _learn_trim(held: Floats, rate: float, trim: Floats, twist: Floats) -> None:
    """Add to `trim` (6,) a share `rate` of each small `twist` (6,) that is `held`, and then `trim` to `twist`.

    A large error is being mended already and says nothing about the joints.
    """
    for i in range(6):
        limit = TRIM_LIMIT[i]
        if held[i] > 0.0 and abs(twist[i]) <= 2.0 * limit:
            trim[i] = max(min(trim[i] + rate * twist[i], limit), -limit)
        twist[i] += trim[i]


@compiled(
    READ_1, READ_2, READ_1, READ_2, SINGLES_READ_1, NUMBER, NUMBER, NUMBER, NUMBER, WRITE_1, WRITE_1, WRITE_1, WRITE_1
)
def _follow(
    tool: Floats,
    axes: Floats,
    held: Floats,
    spread: Floats,
    action: Float32s,
    period: float,
    reach: float,
    position_gain: float,
    rotation_gain: float,
    speed: Floats,
    point: Floats,
    trim: Floats,
    twist: Floats,
) -> None:
    """Make a `twist` (6,) whose last three are the rotation error into the one that follows `action` (A,), trimmed.

    `spread` (3, A) is the action map's; the rest is as in `_move` and `_learn_trim`.
    """
    wanted = np.zeros(3)
    for i in range(3):
        for k in range(action.shape[0]):
            wanted[i] += spread[i, k] * action[k]
        twist[3 + i] *= rotation_gain
    _move(tool, axes, wanted, period, reach, position_gain, speed, point, twist)
    _learn_trim(held, TRIM_RATE_HZ * period, trim, twist)


class SetPointServo:
    """Integrates action velocity into a set-point inside the box, and asks for the twist that follows it.

    `box_low` and `box_high` (3,) m are the guard's box. Axes that the policy does not command stay at the home point,
    z at `tool_height_m`; the tool points down. The set-point never leads the measured tool by more than
    `set_point_reach_m`, so that a blocked arm is not wound up; after a hold it starts from the tool again. On what is
    fixed it also learns the standing error away (`TRIM_RATE_HZ`).
    """

    def __init__(self, control: ControlConfig, box_low: Floats, box_high: Floats) -> None:
        self._map = ActionMap(control)
        fixed = np.array([control.home_tool_m[0], control.home_tool_m[1], control.tool_height_m])
        fixed[self._map.axes] = np.nan
        self._axes = np.column_stack([box_low, box_high, fixed])
        self._reach = control.set_point_reach_m
        self._position_gain = control.position_gain_hz
        self._rotation_gain = control.rotation_gain_hz
        self._period = 1.0 / control.arm_rate_hz
        self._point: Floats | None = None
        self._speed: Floats = np.zeros(3)
        # Only what the policy does not command has a fixed place, against which a standing error can be told.
        self._held = np.array([*np.isfinite(fixed), True, True, True], dtype=np.float64)
        self._trim: Floats = np.zeros(6)

    @property
    def point(self) -> Floats | None:
        """The set-point (3,) m, or None until the next tick seeds it."""
        return None if self._point is None else self._point.copy()

    def release(self) -> None:
        """Forget the set-point: the next tick starts from the measured tool."""
        self._point = None
        self._speed[:] = 0.0
        self._trim[:] = 0.0

    def twist(self, pose: ArmPose, action: Float32s, elapsed: float) -> Floats:
        """Wanted tool twist (6,) m/s and rad/s for the normalised `action` (A,) at the measured `pose`.

        `elapsed` s is the time since the tick before: an action may bring a tick early, and the set-point must not gain
        a whole period's way by that; what is longer than a period counts as one.

        The feed-forward is the set-point's own motion along the box, not what the lead limit drags it by: an arm that
        is pushed aside must not help the push. Raises ValueError for an action of another length.
        """
        if len(action) != len(self._map.axes):
            raise ValueError(f"an action of {len(action)} numbers for {len(self._map.axes)} axes")
        if self._point is None:
            self._point = pose.tool.copy()
        # On the grid the period itself, which no clock's rounding touches.
        step = self._period if elapsed > EARLY_SHARE * self._period else max(elapsed, SHORTEST_S)
        twist: Floats = np.empty(6)
        rotation_error(TOOL_DOWN, pose.rotation, twist[3:])
        _follow(
            pose.tool,
            self._axes,
            self._held,
            self._map.spread,
            action,
            step,
            self._reach,
            self._position_gain,
            self._rotation_gain,
            self._speed,
            self._point,
            self._trim,
            twist,
        )
        return twist
