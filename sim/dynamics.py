"""What the robot's own software knows of its body: the torque of its weight, and where it would touch itself.

Called by `sim.wire`, from threads of their own: everything here works on a private copy and never on the world's data.
"""

from __future__ import annotations

import threading

import mujoco
import numpy as np

from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import RATED_EFFORTS
from sim.scenes import build

FAR_END = ("right_l4", "right_l5", "right_l6", "right_hand")
NEAR_END = ("base", "pedestal", "head", "right_l0", "right_l1")
"""Bodies of which no two are neighbours; those of the one end can be folded into those of the other."""

ELBOW_END, STAND = ("right_l2", "right_l3"), ("base", "pedestal")
"""Upper arm and elbow can be lowered into the stand. The head is not theirs to meet: the upper arm passes its side at
1 mm in the shipping pose, which is nearer than our primitives are true.
"""

TOUCHING_M = 1e-4


class BodyModel:
    """The arm as its maker describes it: without the payload error that the simulated arm may have.

    Several threads may ask at a time.
    """

    def __init__(self, config: Config) -> None:
        believed = config.model_copy(update={"sim": config.sim.model_copy(update={"payload_error_kg": 0.0})})
        self._model = build(believed)
        self._data = mujoco.MjData(self._model)
        self._self_pairs = [
            (one, other)
            for part, rest in ((FAR_END, NEAR_END), (ELBOW_END, STAND))
            for one in self._shapes(part)
            for other in self._shapes(rest)
        ]
        self._placed = threading.Lock()

    def _shapes(self, bodies: tuple[str, ...]) -> list[int]:
        """The primitives of `bodies`; meshes only dress them."""
        ids = {self._model.body(name).id for name in bodies}
        shapes = range(self._model.ngeom)
        mesh = mujoco.mjtGeom.mjGEOM_MESH
        return [i for i in shapes if self._model.geom_bodyid[i] in ids and self._model.geom_type[i] != mesh]

    def _place(self, position: Floats, velocity: Floats) -> None:
        self._data.qpos[:JOINTS], self._data.qvel[:JOINTS] = position, velocity
        mujoco.mj_fwdPosition(self._model, self._data)

    def gravity_torque(self, position: Floats) -> Floats:
        """(7,) N·m that keep the arm at rest at joint `position` (7,) rad, within the motors' limits."""
        return self.model_torque(position, np.zeros(JOINTS))

    def model_torque(self, position: Floats, velocity: Floats) -> Floats:
        """(7,) N·m that keep it moving at `velocity` (7,) rad/s, within the motors' limits: gravity and Coriolis."""
        with self._placed:
            self._place(position, velocity)
            mujoco.mj_fwdVelocity(self._model, self._data)
            torque: Floats = np.clip(self._data.qfrc_bias[:JOINTS], -RATED_EFFORTS, RATED_EFFORTS)
        return torque

    def collides(self, position: Floats) -> bool:
        """Whether the arm would touch the robot itself at joint `position` (7,) rad.

        Elbow, forearm, wrist and hand against shoulder, head and pedestal; of the room around it a robot knows nothing.
        """
        with self._placed:
            self._place(position, np.zeros(JOINTS))
            return any(
                mujoco.mj_geomDistance(self._model, self._data, one, other, TOUCHING_M, None) < 0.0
                for one, other in self._self_pairs
            )
