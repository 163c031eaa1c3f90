"""The whole rig in one process: simulated arm, guard, eye, and a clock that moves only when the arm does.

Implements `interfaces.Plant`. The same `ArmLoop`, guard and records run on a network robot; only the wires are missing.
Called by the command line, `sim.exam`, the benchmarks and the tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from robot_rig.clock import ManualClock
from robot_rig.config import Config
from robot_rig.datatypes import Action, ArmStatus, Bytes, Executed, Floats, Frame, Mode
from robot_rig.errors import GuardStoppedError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import HOMING_LIMIT_S, ArmLoop
from robot_rig.loops.step_accounting import StepAccount
from sim.flawed_eye import FlawedEye
from sim.sim_arm import SimArm
from sim.sim_camera import SimEye
from sim.world import World

REST_S = 0.3
"""Time the arm is given to come to rest; from full speed it needs less than 0.1 s."""


FIXTURE_S = 2.0
"""Time a fixture takes to bring the puck to its mark: an assumption, there is none yet."""


class SimRig:
    """A simulated Sawyer behind its guard, enabled once at the start as a person would.

    `seed` draws what differs between simulated arms (see `World`) and the chance in the camera's flaws, nothing else.
    """

    def __init__(self, config: Config, seed: int) -> None:
        self.world = World(config, seed)
        self.kinematics = Kinematics(config.control.tool_offset_m)
        self._config = config
        self._clock = ManualClock()
        self._arm = SimArm(self.world, self._clock)
        self._eye = self._open_eye(seed)
        self._account = StepAccount(config.control)
        self._period = 1.0 / config.control.arm_rate_hz
        self._ticks = round(config.control.arm_rate_hz / config.control.policy_rate_hz)
        self._home = np.array(config.control.home_posture_rad)
        self._enable()

    def _open_eye(self, seed: int) -> SimEye | FlawedEye:
        if self._config.flaws.spoil_pictures():
            return FlawedEye(self.world, self._clock, self._config, seed)
        return SimEye(self.world, self._clock)

    def retake(self, take: int) -> None:
        """Let the camera's chance be that of `take` from now on. For an examiner, who puts the room's state back."""
        self._eye.retake(take)

    def _enable(self) -> None:
        """What a person does once: motors on, guard open."""
        self._arm.enable()
        self._loop = ArmLoop(self._config.control, self._config.guard, self.kinematics)
        self._loop.enable()

    def now(self) -> float:
        """Seconds on the rig's own clock."""
        return self._clock.now()

    def look(self) -> Frame:
        """The newest frame: of now, unless `config.flaws` says otherwise."""
        return self._eye.look()

    def act(self, action: Action) -> Executed:
        """Stream `action` through the guard for one policy period. Raises GuardStoppedError when that ends motion."""
        for _ in range(self._ticks):
            self._account.add(self._tick(action))
        if self._loop.mode is not Mode.ACTIVE:
            raise self._stopped()
        return self._account.close()

    def _stopped(self) -> GuardStoppedError:
        return GuardStoppedError(
            f"the guard went to {self._loop.mode.value}: {', '.join(self._loop.why)}",
            next_step="see the last episode with `rig data check`; after a reset the same command goes on",
        )

    def rest(self) -> None:
        """Stay still for a moment where the arm is; the next action starts from zero speed."""
        for _ in range(round(REST_S / self._period)):
            self._tick(None)

    def home(self) -> None:
        """Drive to the home posture through the guard, slowly, as on the real arm."""
        self.drive([self._home])

    def put_back(self) -> int:
        """The arm goes home, and the fixture of `config.sim.fixture` brings the puck to its mark; the steps it took.

        An ideal one: `FIXTURE_S` after the arm is out of the way, the puck lies there.
        """
        if self._config.sim.fixture == "none":
            return 0
        begun = self.now()
        self.home()
        self.world.place_puck_at_start()
        for _ in range(round(FIXTURE_S / self._period)):
            self._tick(None)
        return math.ceil((self.now() - begun) * self._config.control.policy_rate_hz)

    def drive(self, poses: list[Floats]) -> None:
        """Home through joint-space `poses`, each (7,) rad, and rest. Raises GuardStoppedError when it is cut short.

        The same when the guard has ended motion before, while the arm rested.
        """
        if self._loop.mode is Mode.FAULT:
            raise self._stopped()
        self._loop.home(poses)
        deadline = self.now() + HOMING_LIMIT_S
        while self._loop.mode is Mode.HOMING and self.now() < deadline:
            self._tick(None)
        if self._loop.mode is not Mode.ACTIVE:
            raise GuardStoppedError(f"homing ended in {self._loop.mode.value}: {', '.join(self._loop.why)}")
        self.rest()

    def _tick(self, action: Action | None) -> ArmStatus:
        command, status = self._loop.tick(self._clock.now(), self._arm.state(), action)
        self._arm.send(command)
        self.world.advance(self._period)
        self._clock.advance(self._period)
        self._eye.watch()
        return status

    def state(self) -> Mapping[str, Bytes]:
        """The physics, the arm's switches, the clock and the eye of a rig at rest."""
        return {
            "world": self.world.save_state(),
            "arm": self._arm.save_state(),
            "clock": np.array([self.now()]).view(np.uint8),
            "eye": self._eye.save_state(),
        }

    def load_state(self, state: Mapping[str, Bytes]) -> None:
        """Continue from `state()`. The guard opens anew: whoever loads a state is the person who enables the arm."""
        self.world.load_state(state["world"])
        self._arm.load_state(state["arm"])
        self._clock.set_now(float(np.frombuffer(state["clock"].tobytes(), np.float64)[0]))
        self._eye.load_state(state["eye"])
        self._enable()

    def close(self) -> None:
        """Release arm and eye; may be called twice."""
        self._arm.close()
        self._eye.close()
