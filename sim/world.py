"""The simulated room: owns MuJoCo's model and data and is the only place that steps them. Used by everything in `sim`.

What a network would separate is separated here too: `SimArm` and the cameras are the robot's cables, and the methods
marked evaluator-only are what a person with a ruler would know. No agent may be given those (R17).
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot_rig.compiled import NUMBER, READ_1, WRITE_1, WRITE_2, compiled
from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, Bytes, Floats
from sim.fingers import Fingers
from sim.model import ROBOT_BIT, STIFFNESS_RATE
from sim.scenes import PUCK_HALF_HEIGHT_M, PUCK_START_M, TIMESTEP_S, build

STATE = mujoco.mjtState.mjSTATE_INTEGRATION

PATH_LEAD_LIMIT_RAD = 0.05
"""Furthest the servo's path may run ahead of a joint that cannot follow."""

_WHOLE = 1e-6
"""How far from a whole number of physics steps a duration may be."""


@compiled(READ_1, READ_1, READ_1, NUMBER, WRITE_1, WRITE_2)
def _drive(
    velocity: Floats, speed_error: Floats, position: Floats, feed_forward: float, path: Floats, drives: Floats
) -> None:
    """Draw `path` (7,) rad near to `position` (7,) rad; fill `drives` (7, 2), the speeds of path and speed servos."""
    for j in range(JOINTS):
        path[j] = min(max(path[j], position[j] - PATH_LEAD_LIMIT_RAD), position[j] + PATH_LEAD_LIMIT_RAD)
        # What the speed servo is not told the path servo makes up for: the joints trail by 1 / its rate for each share.
        drives[j, 0] = velocity[j] + speed_error[j]
        drives[j, 1] = feed_forward * drives[j, 0]


class World:
    """One scene, the arm in its home posture and held there. `seed` draws the signs of the joints' speed errors."""

    def __init__(self, config: Config, seed: int) -> None:
        self.config = config
        self.model = build(config)
        self.data = mujoco.MjData(self.model)
        signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=JOINTS)
        self._speed_error = config.sim.velocity_bias_rad_s * signs
        self._feed_forward = 1.0 - config.flaws.servo_lag_s * STIFFNESS_RATE
        # MuJoCo's arrays stay where they are; asking it for one costs as much as reading it.
        self._position, self._velocity = self.data.qpos[:JOINTS], self.data.qvel[:JOINTS]
        self._force, self._path = self.data.qfrc_actuator[:JOINTS], self.data.act
        self._drives = self.data.ctrl.reshape(JOINTS, 2)
        self._servo_gain, self._servo_bias = self.model.actuator_gainprm.copy(), self.model.actuator_biasprm.copy()
        self._servos_are_on = True
        self._compensation = self.model.body_gravcomp.copy()
        self._tool = self.model.site("tool").id
        self._hand, self._head = self.model.body("right_hand").id, self.model.body("head").id
        self._head_pan = 0.0
        self.fingers = Fingers(self.model, self.data)
        self._has_puck = config.sim.scene == "push"
        self._party = np.where(self.model.geom_contype == ROBOT_BIT, 2, 0)
        self._party[self.model.geom("table").id] = 1
        self._steps_to_hold = 0
        self._geometry_is_fresh = False
        self._touches_table = False
        self.teleport(np.array(config.control.home_posture_rad))

    def now(self) -> float:
        """Seconds of simulated time since the world was made."""
        return float(self.data.time)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: a whole number of physics steps of 2 ms.

        Raises ValueError for any other duration and RuntimeError when the physics diverges.
        """
        data = self.data
        steps = round(seconds / TIMESTEP_S)
        if steps < 1 or abs(steps - seconds / TIMESTEP_S) > _WHOLE * steps:
            raise ValueError(f"{seconds} s is not a whole number of steps of {TIMESTEP_S} s")
        then = data.time + seconds
        streaming = min(steps, self._steps_to_hold)
        if streaming:
            mujoco.mj_step(self.model, data, streaming)
            self._steps_to_hold -= streaming
            if not self._steps_to_hold:
                self.hold()
        if steps > streaming:
            mujoco.mj_step(self.model, data, steps - streaming)
        # MuJoCo sets everything, its time too, back to the start when it meets a NaN.
        if abs(data.time - then) > TIMESTEP_S / 2:
            raise RuntimeError("the simulated physics diverged")
        self._report()

    def _report(self) -> None:
        self._geometry_is_fresh = False
        # Robot 2 and table 1: only where those two meet does a contact sum to 3.
        self._touches_table = self.data.ncon > 0 and 3 in self._party[self.data.contact.geom].sum(axis=1)

    def report(self) -> tuple[Floats, Floats, Floats]:
        """Joint position, velocity and effort (7,) each, as views for a record to copy."""
        return self._position, self._velocity, self._force

    def joint_position(self) -> Floats:
        """(7,) rad."""
        return np.array(self._position)

    def joint_velocity(self) -> Floats:
        """(7,) rad/s."""
        return np.array(self._velocity)

    def joint_effort(self) -> Floats:
        """(7,) N·m that the motors gave in the last physics step, gravity compensation included."""
        return np.array(self._force)

    def touches_table(self) -> bool:
        """Whether any part of the arm or gripper touched the table in the last physics step."""
        return self._touches_table

    def joint_path(self) -> Floats:
        """(7,) rad where the servos want the joints now; what is measured while the servos are off."""
        return np.array(self._path if self._servos_are_on else self._position)

    def compensation_torque(self) -> Floats:
        """(7,) N·m that the motors gave against gravity in the last physics step."""
        return np.array(self.data.qfrc_gravcomp[:JOINTS])

    def set_joint_velocity_target(self, velocity: Floats, lasting_s: float) -> None:
        """Drive the joints at `velocity` (7,) rad/s for `lasting_s`, then hold, unless another target comes first."""
        if velocity.shape != (JOINTS,):
            raise ValueError(f"a velocity of shape {velocity.shape} is not of {JOINTS} joints")
        self._switch_servos_on()
        _drive(velocity, self._speed_error, self._position, self._feed_forward, self._path, self._drives)
        self._steps_to_hold = max(1, round(lasting_s / TIMESTEP_S))

    def set_joint_path(self, position: Floats, velocity: Floats) -> None:
        """Pull the joints to `position` (7,) rad with `velocity` (7,) rad/s fed forward, until another target comes.

        The path may lead a joint by 0.05 rad, as in velocity; no speed error, because the position is what is tracked.
        """
        self._switch_servos_on()
        measured = self._position
        self._path[:] = np.minimum(np.maximum(position, measured - PATH_LEAD_LIMIT_RAD), measured + PATH_LEAD_LIMIT_RAD)
        self._drives[:, 0], self._drives[:, 1] = 0.0, velocity
        self._steps_to_hold = 0

    def set_joint_torque(self, effort: Floats) -> None:
        """Switch the servos off: motors give `effort` (7,) N·m and gravity compensation, clamped to their limits."""
        self._servos_are_on = False
        self._steps_to_hold = 0
        self.data.ctrl[:] = 0.0
        self.model.actuator_gainprm[:] = 0.0
        self.model.actuator_biasprm[:] = 0.0
        # A constant force; the actuator's own limits are speeds and angles and would clamp it wrongly.
        self.model.actuator_biasprm[1::2, 0] = effort

    def _switch_servos_on(self) -> None:
        if not self._servos_are_on:
            self._servos_are_on = True
            self.model.actuator_gainprm[:], self.model.actuator_biasprm[:] = self._servo_gain, self._servo_bias
            self._path[:] = self._position

    def compensate_gravity(self, share: float) -> None:
        """Let the motors carry `share` (0 none, 1 all) of the weight that the robot believes to have."""
        self.model.body_gravcomp[:] = share * self._compensation

    def hold(self) -> None:
        """End the motion and keep the position that was commanded last; no speed error, so no creep."""
        self._switch_servos_on()
        self.data.ctrl[:] = 0.0
        self._steps_to_hold = 0

    def brake(self) -> None:
        """Keep the joints where they are measured now: what brakes do."""
        self.hold()
        self.data.act[:] = self.data.qpos[:JOINTS]

    def teleport(self, position: Floats) -> None:
        """Put the arm at joint `position` (7,) rad, at rest and held. For tests and the evaluator's goal pictures."""
        self.data.qpos[:JOINTS] = position
        self.data.qvel[:JOINTS] = 0.0
        self.data.qacc_warmstart[:JOINTS] = 0.0
        self.brake()
        self._force[:] = 0.0
        self._touches_table = False
        self._geometry_is_fresh = False

    def positions(self) -> Floats:
        """(N,) where everything that can move is, for `mirror`."""
        return np.append(self.data.qpos, (self.fingers.opening, self._head_pan))

    def mirror(self, positions: Floats) -> None:
        """Look like another world of the same config whose `positions()` these are: to draw it in another thread."""
        self.data.qpos[:] = positions[:-2]
        self.fingers.place(float(positions[-2]))
        self.turn_head(float(positions[-1]))
        self._geometry_is_fresh = False

    def turn_head(self, pan: float) -> None:
        """Let the head look `pan` rad to the left of the arm's first link, at once and without a jolt."""
        self._head_pan = pan
        self.model.body_quat[self._head] = (np.cos(pan / 2), 0.0, 0.0, np.sin(pan / 2))

    def push_hand(self, force: Floats) -> None:
        """Push the hand with `force` (3,) N in base from now on, as a person does who drags the arm; zeros let go."""
        self.data.xfrc_applied[self._hand, :3] = force

    def place_puck(self, x: float, y: float) -> None:
        """Put the puck at rest at (x, y) m in base, as a person does. Raises ValueError in a scene without one."""
        address = self._puck_address()
        height = self.config.guard.table_height_m + PUCK_HALF_HEIGHT_M
        self.data.qpos[address : address + 7] = (x, y, height, 1.0, 0.0, 0.0, 0.0)
        self.data.qvel[JOINTS:] = 0.0
        self._geometry_is_fresh = False

    def place_puck_at_start(self) -> None:
        """Put the puck on its mark."""
        self.place_puck(*PUCK_START_M)

    def _puck_address(self) -> int:
        if not self._has_puck:
            raise ValueError(f"scene {self.config.sim.scene} has no puck")
        return JOINTS

    def refresh_geometry(self) -> None:
        """Bring body, camera and light poses up to the joints; a physics step leaves them 2 ms behind."""
        if not self._geometry_is_fresh:
            mujoco.mj_kinematics(self.model, self.data)
            mujoco.mj_comPos(self.model, self.data)
            mujoco.mj_camlight(self.model, self.data)
            self._geometry_is_fresh = True

    def tool_position(self) -> Floats:
        """(3,) m in base: where the tool tip truly is. Evaluator only."""
        self.refresh_geometry()
        return np.array(self.data.site_xpos[self._tool])

    def puck_position(self) -> Floats:
        """(3,) m in base: where the puck's centre truly is. Evaluator only. Raises ValueError without a puck."""
        address = self._puck_address()
        return np.array(self.data.qpos[address : address + 3])

    def save_state(self) -> Bytes:
        """Everything that decides what happens next, as uint8 (N,): the physics continue from it bit for bit.

        Raises RuntimeError while the servos are off or the gripper is open: neither is a part of MuJoCo's state.
        """
        if not self._servos_are_on:
            raise RuntimeError("a world under a torque drive cannot be saved; hold it first")
        if self.fingers.opening:
            raise RuntimeError("a world with an open gripper cannot be saved; close it first")
        size = mujoco.mj_stateSize(self.model, STATE)
        state = np.empty(size + JOINTS + 2)
        physics = np.empty(size)
        mujoco.mj_getState(self.model, self.data, physics, STATE)
        state[:size] = physics
        state[size : size + JOINTS] = self._force
        state[size + JOINTS :] = (self._steps_to_hold, self._touches_table)
        return state.view(np.uint8)

    def load_state(self, state: Bytes) -> None:
        """Continue from `save_state()` of a world with the same config. Raises ValueError for a state of another."""
        size = mujoco.mj_stateSize(self.model, STATE)
        values = np.frombuffer(state.tobytes(), np.float64) if state.nbytes % 8 == 0 else np.empty(0)
        if values.shape != (size + JOINTS + 2,):
            raise ValueError(f"a state of {state.nbytes} bytes does not belong to scene {self.config.sim.scene}")
        self._switch_servos_on()
        mujoco.mj_setState(self.model, self.data, values[:size].copy(), STATE)
        self._force[:] = values[size : size + JOINTS]
        self._steps_to_hold, self._touches_table = int(values[-2]), bool(values[-1])
        self._geometry_is_fresh = False
