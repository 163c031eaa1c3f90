"""What the robot's own software knows of its body: the torque of its weight, and where it would touch the table.

Called by `sim.wire`, from threads of their own: everything here works on a private copy and never on the world's data.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, Floats
from sim.model import EFFORT_LIMITS, ROBOT_BIT
from sim.scenes import build


class BodyModel:
    """The arm as its maker describes it: without the payload error that the simulated arm may have."""

    def __init__(self, config: Config) -> None:
        believed = config.model_copy(update={"sim": config.sim.model_copy(update={"payload_error_kg": 0.0})})
        self._model = build(believed)
        self._data = mujoco.MjData(self._model)
        self._robot = np.flatnonzero(self._model.geom_contype == ROBOT_BIT)
        self._table = self._model.geom("table").id

    def _place(self, position: Floats, velocity: Floats) -> None:
        self._data.qpos[:JOINTS], self._data.qvel[:JOINTS] = position, velocity
        mujoco.mj_fwdPosition(self._model, self._data)

    def gravity_torque(self, position: Floats) -> Floats:
        """(7,) N·m that keep the arm at rest at joint `position` (7,) rad, within the motors' limits."""
        return self.model_torque(position, np.zeros(JOINTS))

    def model_torque(self, position: Floats, velocity: Floats) -> Floats:
        """(7,) N·m that keep it moving at `velocity` (7,) rad/s, within the motors' limits: gravity and Coriolis."""
        self._place(position, velocity)
        mujoco.mj_fwdVelocity(self._model, self._data)
        torque: Floats = np.clip(self._data.qfrc_bias[:JOINTS], -EFFORT_LIMITS, EFFORT_LIMITS)
        return torque

    def touches_table(self, position: Floats) -> bool:
        """Whether any part of arm or gripper would touch the table at joint `position` (7,) rad."""
        self._place(position, np.zeros(JOINTS))
        pairs = self._data.contact.geom
        with_table = (pairs == self._table).any(axis=1)
        return bool((with_table & np.isin(pairs, self._robot).any(axis=1)).any())
