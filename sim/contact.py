"""How hard the simulated arm presses on the table: what the robot's contact sensing is told. Called by `sim.wire`."""

from __future__ import annotations

import mujoco
import numpy as np

from sim.model import ROBOT_BIT
from sim.world import World


class TablePressure:
    """Reads `world` between two of its steps, in the thread that steps it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_robot = world.model.geom_contype == ROBOT_BIT
        self._table = world.model.geom("table").id
        self._wrench = np.zeros(6)

    def newtons(self) -> float:
        """Sum of the normal forces between robot and table in the last physics step, N."""
        if not self._world.touches_table():
            return 0.0
        model, data = self._world.model, self._world.data
        total = 0.0
        for index, pair in enumerate(data.contact.geom):
            if self._table in pair and self._is_robot[pair].any():
                mujoco.mj_contactForce(model, data, index, self._wrench)
                total += float(self._wrench[0])
        return total
