"""The electric gripper's two fingers in the simulated room: where they stand and what presses on them.

They are no joints: a motor that cannot be pushed back moves them, so their place is given and not integrated, and the
arm's physics are the same with and without a gripper that is used. What they press on is felt through their contacts.
Called by `sim.world` and, through it, by `sim.wire.io_gripper`.
"""

from __future__ import annotations

import mujoco
import numpy as np

from sim.model import FINGER_GEOMS

TRAVEL_M = 0.020833
"""Of each finger, from closed to open."""

OPEN_M = 2 * TRAVEL_M


class Fingers:
    """The fingers of the gripper in `model`, closed. `opening` is the travel of both together, m.

    In a model whose hand is bare nothing moves and nothing is felt.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model, self._data = model, data
        self._hand = model.body("right_hand").id
        found = (mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, name) for name in FINGER_GEOMS)
        self._geoms = np.array([geom for geom in found if geom >= 0], dtype=int)
        self._closed = model.geom_pos[self._geoms].copy()
        self._outwards = np.sign(self._closed[:, 1])
        self._side = np.zeros(model.ngeom)
        self._side[self._geoms] = self._outwards
        first, count = model.body_bvhadr[self._hand], model.body_bvhnum[self._hand]
        # The boxes that MuJoCo looks for contacts in were made for closed fingers.
        model.bvh_aabb[first : first + count, 3:] += TRAVEL_M
        self.opening = 0.0

    def place(self, opening: float) -> None:
        """Put both fingers `opening` / 2 m, within their travel, from where they meet."""
        self.opening = min(max(opening, 0.0), OPEN_M)
        self._model.geom_pos[self._geoms, 1] = self._closed[:, 1] + self._outwards * self.opening / 2

    def pressure(self) -> float:
        """N that one finger feels pushing it open, the mean of both, in the last physics step; negative: shut."""
        data, total = self._data, 0.0
        if not data.ncon:
            return total
        outwards = data.xmat[self._hand].reshape(3, 3)[:, 1]
        force = np.empty(6)
        sides = self._side[data.contact.geom]
        for index in np.flatnonzero(sides.any(axis=1)):
            mujoco.mj_contactForce(self._model, data, index, force)
            on_second = data.contact.frame[index].reshape(3, 3).T @ force[:3]
            total += float(outwards @ on_second) * (sides[index, 1] - sides[index, 0])
        return float(total) / 2
