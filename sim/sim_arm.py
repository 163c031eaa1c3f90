"""The simulated Sawyer as an arm: what a robot's controller does with commands. Called by `sim.rig` and the tests.

Like the real one it holds its position when commands stop coming for 0.2 s, ignores them while disabled, and stays
stopped until a person resets it.
"""

from __future__ import annotations

import numpy as np

from robot_rig.clock import Clock
from robot_rig.datatypes import ArmState, Bytes, SafeCommand
from robot_rig.errors import UserError
from sim.world import World

COMMAND_TIMEOUT_S = 0.2
"""How long the robot's own controller follows a velocity that is not renewed."""


class SimArm:
    """The arm of `world`; implements `interfaces.Arm`. `clock` stamps its reports. Comes up disabled."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._enabled = False
        self._stopped = False
        self._closed = False

    def state(self) -> ArmState:
        """What the arm reports now."""
        world = self._world
        position, velocity, effort = world.report()
        return ArmState(
            stamp=self._clock.now(),
            position=position,
            velocity=velocity,
            effort=effort,
            enabled=self._enabled,
            stopped=self._stopped,
            error=False,
            collided=world.touches_table(),
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
            self._world.set_joint_velocity_target(command.command.velocity, COMMAND_TIMEOUT_S)

    def stop(self) -> None:
        """Brake at once and stay stopped until `reset`."""
        self._stopped = True
        self.disable()

    def enable(self) -> None:
        """Release the brakes. Raises UserError while stopped."""
        if self._stopped:
            raise UserError("the arm is stopped", next_step="make sure that nobody is in reach, then reset it")
        self._enabled = True

    def disable(self) -> None:
        """Brake and switch the motors off."""
        self._enabled = False
        self._world.brake()

    def reset(self) -> None:
        """Clear a stop; the arm stays disabled."""
        self._stopped = False
        self.disable()

    def close(self) -> None:
        """End the motion; the arm keeps its position. May be called twice."""
        if not self._closed:
            self._closed = True
            self._world.hold()

    def save_state(self) -> Bytes:
        """uint8 (2,): enabled, stopped. What moves is saved by the world."""
        return np.array([self._enabled, self._stopped], np.uint8)

    def load_state(self, state: Bytes) -> None:
        """Continue from `save_state()`."""
        self._enabled, self._stopped = (bool(flag) for flag in state)
