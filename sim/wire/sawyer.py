"""The simulated robot without its cables: world, joint controller, head and state machine, one physics step at a time.

One thread steps it and nobody else touches it. Other threads `post` what they want done before the next step, and get
`Snapshot`s back, which nothing changes any more. Called by `sim.wire.robot`, `sim.wire.room` and `sim.sim_node`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, Floats
from sim.contact import TablePressure
from sim.scenes import TIMESTEP_S
from sim.wire.contact_safety import ContactSafety
from sim.wire.controller import JointController
from sim.wire.head import HeadPan, PanMode
from sim.wire.io_robot import RobotIo
from sim.wire.joint_command import JointTargets
from sim.wire.state_machine import RobotState
from sim.wire.zero_g import ZeroG
from sim.world import World

CONTACT_STEPS = 5
"""A contact is told of for this long, so that none falls between two reports."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The robot at one moment. Joint arrays are (7,), rad, rad/s, rad/s² and N·m; `stamp` is monotonic seconds.

    `wanted_position` is where the servos want the joints, `wanted_velocity` what the joints are told, not the servos.
    """

    stamp: float
    state: RobotState
    position: Floats
    velocity: Floats
    effort: Floats
    wanted_position: Floats
    wanted_velocity: Floats
    wanted_acceleration: Floats
    collided: bool
    head_pan: float
    head_speed: float
    head_is_turning: bool
    head_is_blocked: bool
    head_mode: PanMode


class Sawyer:
    """The robot of `config` in its room, disabled. `seed` draws the signs of the joints' speed errors."""

    def __init__(self, config: Config, seed: int) -> None:
        self.world = World(config, seed)
        self.head = HeadPan()
        self.controller = JointController(self.world)
        self.contact_safety = ContactSafety(self.controller)
        self._pressure = TablePressure(self.world)
        self.zero_g = ZeroG(self.controller)
        self.io = RobotIo(config, self.world)
        self.state = RobotState()
        self.has_puck = config.sim.scene == "push"
        self._posted: deque[Callable[[], None]] = deque()
        self._steps_since_contact = CONTACT_STEPS

    def post(self, change: Callable[[], None]) -> None:
        """Have the stepping thread call `change` before the next step; in the order of posting, from any thread."""
        self._posted.append(change)

    def step(self) -> None:
        """One physics step of 2 ms, after everything that was posted before it."""
        while self._posted:
            self._posted.popleft()()
        self.zero_g.tick(self.io.panels.is_squeezed, self.state.enabled)
        self.controller.tick()
        self.io.tick(self.state.enabled)
        self.world.advance(TIMESTEP_S)
        self.head.tick(TIMESTEP_S, float(self.world.report()[0][0]))
        self.world.turn_head(self.head.pan)
        self._steps_since_contact = 0 if self.world.touches_table() else self._steps_since_contact + 1
        # A reflex would hold the arm against the hand that lifts it off.
        feels = self.state.enabled and not self.zero_g.floats
        self.contact_safety.tick(self._pressure.newtons() if feels else 0.0)

    def enter(self, state: RobotState) -> None:
        """Take on `state`: brakes on or off as it says."""
        if state.enabled and not self.state.enabled:
            self.controller.release()
        elif not state.enabled and self.state.enabled:
            self.controller.brake()
            self.head.halt()
        self.state = state

    def enable(self) -> None:
        """See `RobotState.enable`; the same for the events below."""
        self.enter(self.state.enable())

    def disable(self) -> None:
        """Motors off."""
        self.enter(self.state.disable())

    def stop(self) -> None:
        """Stop over the network."""
        self.enter(self.state.stop())

    def reset(self) -> None:
        """Clear stop and error, motors off."""
        self.enter(self.state.reset())

    def press_button(self) -> None:
        """The red button."""
        self.enter(self.state.press_button())

    def release_button(self) -> None:
        """The red button springs up."""
        self.enter(self.state.release_button())

    def fault(self) -> None:
        """The robot's own fault."""
        self.enter(self.state.fault())

    def command(self, targets: JointTargets) -> None:
        """A joint command; ignored while disabled, and while a person moves the arm by its cuff."""
        if not self.zero_g.floats:
            self.controller.command(targets)

    def turn_head(self, target: float, speed_ratio: float, mode: PanMode = PanMode.ACTIVE) -> None:
        """A head command; ignored while disabled."""
        if self.state.enabled:
            self.head.command(target, speed_ratio, mode)

    def feel_contact(self) -> None:
        """Report a collision for the next 10 ms, whatever touches what."""
        self._steps_since_contact = -1

    def place_arm(self, position: Floats) -> None:
        """Put the arm at joint `position` (7,) rad, at rest and held: the evaluator's hand, not the robot's."""
        self.world.teleport(position)
        if self.state.enabled:
            self.controller.release()
        else:
            self.controller.brake()

    def snapshot(self, stamp: float) -> Snapshot:
        """The robot now; `collided` if it touched the table in the last 10 ms."""
        world, enabled = self.world, self.state.enabled
        return Snapshot(
            stamp=stamp,
            state=self.state,
            position=world.joint_position(),
            velocity=world.joint_velocity(),
            # Brakes hold without the motors.
            effort=world.joint_effort() if enabled else np.zeros(JOINTS),
            wanted_position=world.joint_path(),
            wanted_velocity=self.controller.wanted_velocity(),
            wanted_acceleration=self.controller.wanted_acceleration(),
            collided=self._steps_since_contact < CONTACT_STEPS,
            head_pan=self.head.pan,
            head_speed=self.head.speed,
            head_is_turning=self.head.is_turning,
            head_is_blocked=self.head.blocked,
            head_mode=self.head.mode,
        )
