"""An arm and a camera made of arithmetic: the smallest things that keep the contracts. For tests and dry runs.

`FakeArm` does exactly what it is told, so a test that uses it says nothing about tracking; `sim.sim_arm` does.
"""

from __future__ import annotations

import numpy as np

from robot_rig.clock import Clock
from robot_rig.config import CameraConfig
from robot_rig.datatypes import JOINTS, ArmState, Floats, RawFrame, SafeCommand
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL, UPPER_LIMITS

COMMAND_TIMEOUT_S = 0.2
"""How long a velocity that is not renewed is followed; the Sawyer's own value."""


class FakeArm:
    """A perfect integrator of the commanded velocity on `clock`, between the joint limits. Comes up disabled.

    It begins at joint `position` (7,) rad.
    """

    def __init__(self, clock: Clock, position: Floats = NEUTRAL) -> None:
        self._clock = clock
        self._position = position.copy()
        self._velocity: Floats = np.zeros(JOINTS)
        self._followed_to = clock.now()
        self._hold_at = clock.now()
        self._enabled = False
        self._stopped = False
        self._closed = False

    def _follow(self) -> None:
        """Bring the joints up to now: the velocity lasts until its timeout, then the arm holds."""
        now = self._clock.now()
        moving = max(0.0, min(now, self._hold_at) - self._followed_to)
        self._position = np.clip(self._position + self._velocity * moving, LOWER_LIMITS, UPPER_LIMITS)
        if now >= self._hold_at:
            self._velocity = np.zeros(JOINTS)
        self._followed_to = now

    def _hold(self) -> None:
        self._follow()
        self._velocity = np.zeros(JOINTS)

    def state(self) -> ArmState:
        """What the arm reports now; its effort is zero."""
        self._follow()
        return ArmState(
            stamp=self._clock.now(),
            position=self._position,
            velocity=self._velocity,
            effort=np.zeros(JOINTS),
            enabled=self._enabled,
            stopped=self._stopped,
            error=False,
            collided=False,
        )

    def send(self, command: SafeCommand) -> None:
        """Follow the command's velocity for 0.2 s at most. A disabled arm ignores it.

        Raises TypeError for anything but a SafeCommand and RuntimeError after `close`.
        """
        if not isinstance(command, SafeCommand):
            raise TypeError(f"an arm takes a SafeCommand only, not {type(command).__name__}")
        if self._closed:
            raise RuntimeError("this arm is closed")
        if self._enabled:
            self._follow()
            self._velocity = command.command.velocity
            self._hold_at = self._clock.now() + COMMAND_TIMEOUT_S

    def stop(self) -> None:
        """Stand still at once and stay stopped until `reset`."""
        self._stopped = True
        self.disable()

    def enable(self) -> None:
        """Switch on. Raises UserError while stopped."""
        if self._stopped:
            raise UserError("the arm is stopped", next_step="make sure that nobody is in reach, then reset it")
        self._enabled = True

    def disable(self) -> None:
        """Stand still and switch off."""
        self._enabled = False
        self._hold()

    def reset(self) -> None:
        """Clear a stop; the arm stays disabled."""
        self._stopped = False
        self.disable()

    def close(self) -> None:
        """End the motion; may be called twice."""
        self._closed = True
        self._hold()


class FakeCamera:
    """A drifting colour ramp: red grows to the right, green downwards, blue by one a picture."""

    def __init__(self, clock: Clock, camera_config: CameraConfig) -> None:
        self._clock = clock
        self._seq = 0
        self._closed = False
        height, width = camera_config.height_px, camera_config.width_px
        self._rgb = np.zeros((height, width, 3), np.uint8)
        self._rgb[..., 0] = (np.arange(width) * 256 // width)[None, :]
        self._rgb[..., 1] = (np.arange(height) * 256 // height)[:, None]

    def read(self) -> RawFrame:
        """The picture of now. Raises UserError after `close`."""
        if self._closed:
            raise UserError("the camera is closed", next_step="open it again")
        self._seq += 1
        self._rgb[..., 2] = self._seq % 256
        return RawFrame(self._seq, self._clock.now(), self._rgb)

    def close(self) -> None:
        """Stop giving pictures; may be called twice."""
        self._closed = True
