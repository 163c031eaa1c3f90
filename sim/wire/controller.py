"""The robot's own joint controller, one physics step at a time. Called by `sim.wire.sawyer`.

What it does with commands is the vendor's: position moves end for all joints together, velocity and torque fall back
to holding the position when commands stop coming, torque is added to gravity compensation, the last position or
trajectory target stays in force for ever. A joint that a command does not name keeps what it was told in that mode;
position and trajectory are one controller, so there it keeps it in both.
"""

from __future__ import annotations

import numpy as np

from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import LOWER_LIMITS, RATED_SPEEDS, UPPER_LIMITS
from sim.scenes import TIMESTEP_S
from sim.wire.joint_command import CommandMode, JointTargets
from sim.world import PATH_LEAD_LIMIT_RAD, World

DEFAULT_TIMEOUT_S, LONGEST_TIMEOUT_S = 0.2, 1.0
DEFAULT_SPEED_RATIO = 0.3
DEADBAND_RAD = 0.01
"""Within it no speed is commanded; the last bit is left to the servo's stiffness."""

SUPPRESSION_S = 0.2
"""How long one message suspends gravity compensation."""

HALF_STEP_S = 0.5 * TIMESTEP_S

MODES_WITH_TARGETS = frozenset({CommandMode.POSITION, CommandMode.TRAJECTORY})


class JointController:
    """Turns joint commands into a drive of `world`. Braked until `release`; call `tick` before every physics step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timeout_s = DEFAULT_TIMEOUT_S
        self._speed_ratio = DEFAULT_SPEED_RATIO
        self._suppressed_s = 0.0
        self._paused_s = 0.0
        self._moves = False
        self._pace = np.zeros(JOINTS)
        self.brake()

    @property
    def mode(self) -> CommandMode:
        """The mode in force; POSITION while nothing else was commanded or after a timeout."""
        return self._mode

    def wanted_velocity(self) -> Floats:
        """(7,) rad/s that the joints are told to move at now, within the rated speeds; the measured ones in torque."""
        if self._mode is CommandMode.TORQUE and not self.paused:
            return self._world.joint_velocity()
        # The servo's own share of it is not what was commanded.
        wanted: Floats = np.clip(self._pace, -RATED_SPEEDS, RATED_SPEEDS)
        return wanted

    def wanted_acceleration(self) -> Floats:
        """(7,) rad/s² that came with the trajectory targets in force: told, and used for nothing."""
        return np.array(self._acceleration)

    def set_timeout(self, seconds: float) -> None:
        """Silence after which velocity and torque end; clamped to [0, 1] s."""
        self._timeout_s = min(max(seconds, 0.0), LONGEST_TIMEOUT_S)

    def set_speed_ratio(self, ratio: float) -> None:
        """Share of the rated speeds that the next position command moves at; clamped to [0, 1]."""
        self._speed_ratio = min(max(ratio, 0.0), 1.0)

    def suppress_gravity_compensation(self) -> None:
        """Carry no weight for the next 0.2 s. Without effect while braked: brakes hold what no motor carries."""
        if self._moves:
            self._suppressed_s = SUPPRESSION_S

    @property
    def paused(self) -> bool:
        """Whether it holds still, see `pause`."""
        return self._paused_s > HALF_STEP_S

    def pause(self, seconds: float) -> None:
        """Hold the joints where they are for `seconds`; what is commanded, before or meanwhile, goes on afterwards."""
        self._world.brake()
        self._paused_s = seconds

    def yield_to_hand(self) -> None:
        """Carry the weight and no more until `command`, `release` or `brake`; it outlasts silence and pauses."""
        if not self._moves:
            return
        if self._mode is not CommandMode.TORQUE:
            self._enter(CommandMode.TORQUE)
        self._given[:] = 0.0
        self._paused_s = 0.0
        self._yields = True

    def brake(self) -> None:
        """Motors off and brakes on: keep the joints where they are, whatever is commanded."""
        self._world.brake()
        self._moves = False
        self._paused_s = self._suppressed_s = 0.0
        self._hold()

    def release(self) -> None:
        """Brakes off: hold the present position until a command comes."""
        self.brake()
        self._moves = True

    def _hold(self) -> None:
        """Position mode with the present path as its target."""
        self._mode = CommandMode.POSITION
        self._silent_s = 0.0
        self._yields = False
        self._target = self._world.joint_path()
        self._speed = np.array(RATED_SPEEDS)
        self._given: Floats = np.zeros(JOINTS)
        self._follows = np.zeros(JOINTS, dtype=bool)
        self._acceleration: Floats = np.zeros(JOINTS)

    def command(self, targets: JointTargets) -> None:
        """Carry out `targets` from the next tick on. Ignored while braked."""
        if not self._moves:
            return
        if targets.mode is not self._mode:
            self._enter(targets.mode)
        self._silent_s = 0.0
        self._yields = False
        joints, values = targets.joints, targets.values
        if targets.mode is CommandMode.VELOCITY:
            self._given[joints] = values["velocity"]
        elif targets.mode is CommandMode.TORQUE:
            self._given[joints] = values["effort"]
        else:
            self._target[joints] = np.clip(values["position"], LOWER_LIMITS[joints], UPPER_LIMITS[joints])
            self._follows[joints] = targets.mode is CommandMode.TRAJECTORY
            if targets.mode is CommandMode.TRAJECTORY:
                self._speed[joints] = RATED_SPEEDS[joints]
                self._given[joints] = values["velocity"]
                self._acceleration[joints] = values["acceleration"]
            else:
                self._speed[joints] = self._arriving_together(targets)
                self._acceleration[joints] = 0.0

    def _enter(self, mode: CommandMode) -> None:
        """Start `mode`; what other joints were told to reach stays in force while the modes are those of targets."""
        if not {self._mode, mode} <= MODES_WITH_TARGETS:
            if self._mode is CommandMode.TORQUE:
                self._world.brake()
            self._hold()
        self._mode = mode

    def _arriving_together(self, targets: JointTargets) -> Floats:
        """(N,) rad/s at which the named joints reach their targets at the same time."""
        joints = targets.joints
        times = np.abs(self._target[joints] - self._world.joint_path()[joints]) / RATED_SPEEDS[joints]
        longest = float(times.max())
        share = times / longest if longest > 0.0 else np.zeros(len(joints))
        speeds: Floats = self._speed_ratio * RATED_SPEEDS[joints] * share
        return speeds

    def tick(self) -> None:
        """Drive the world for the next physics step."""
        self._pace = np.zeros(JOINTS)
        self._world.compensate_gravity(0.0 if self._suppressed_s > HALF_STEP_S else 1.0)
        self._suppressed_s = max(0.0, self._suppressed_s - TIMESTEP_S)
        if not self._moves:
            return
        if self._mode not in MODES_WITH_TARGETS and not self._yields:
            if self._silent_s > self._timeout_s - HALF_STEP_S:
                self._time_out()
            self._silent_s += TIMESTEP_S
        if self.paused:
            self._paused_s -= TIMESTEP_S
            return
        if self._mode is CommandMode.VELOCITY:
            self._pace = self._given.copy()
            self._world.set_joint_velocity_target(self._pace, 2 * TIMESTEP_S)
        elif self._mode is CommandMode.TORQUE:
            self._world.set_joint_torque(self._given)
        else:
            self._approach()

    def _time_out(self) -> None:
        if self._mode is CommandMode.TORQUE:
            self._world.brake()
        self._world.hold()
        self._hold()

    def _approach(self) -> None:
        """Move the path one step towards the target and feed its speed forward."""
        path = self._world.joint_path()
        remaining = self._target - path
        far = np.abs(remaining) > DEADBAND_RAD
        pace = np.where(far, np.sign(remaining) * self._speed, 0.0)
        step = np.where(far, pace * TIMESTEP_S, remaining)
        # What a trajectory feeds forward belongs to its own position; on a long way there the speed of the way counts.
        pace = np.where(self._follows & (np.abs(remaining) <= PATH_LEAD_LIMIT_RAD), self._given, pace)
        self._pace = pace
        self._world.set_joint_path(path + step, pace)
