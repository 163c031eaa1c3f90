"""The robot's position kinematics service: tip poses to joint angles and back. Called by `kinematics_services`.

`robot_rig.control.ik.solve_position` knows one tool and keeps off the joint limits, as our own arm loop wants it; the
robot's service must also solve for the hand and the camera, up to the limits, with goals in the null space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from robot_rig.control.ik import DampedLeastSquares
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL, UPPER_LIMITS
from sim.wire.tips import TipFrames, TipPose, rotation_vector

DAMPING = 1e-3
SEED_PULL = 0.1
"""Per iteration, towards the seed and in the null space only: the posture stays near it."""

DEFAULT_NULLSPACE_GAIN = 0.4
TOLERANCE = 1e-8
"""m and rad."""

NEAR = 1e-3
PULLED_ITERATIONS, ITERATIONS, LARGEST_STEP_RAD = 75, 60, 0.3
MAP_SEEDS = 24

InCollision = Callable[[Floats], bool]


class SeedMode(IntEnum):
    """SolvePositionIKRequest.seed_mode."""

    AUTO = 0
    USER = 1
    CURRENT = 2
    MAP = 3


class Result(IntEnum):
    """SolvePositionIKResponse.result_type: the seed that led to a solution, or what is wrong."""

    USER = 1
    CURRENT = 2
    MAP = 3
    FAILED = -1
    IN_COLLISION = -2
    UNKNOWN_TIP = -3


@dataclass(frozen=True, slots=True)
class NullspaceGoal:
    """Where the joints should go as far as the tip permits: (7,) rad, NaN for a joint that is free; gain in [0, 1]."""

    position: Floats
    gain: float = DEFAULT_NULLSPACE_GAIN


@dataclass(frozen=True, slots=True)
class PoseQuery:
    """One pose to solve for: `tip` at `position` (3,) m and `rotation` (3, 3) in base. `seed` (7,) rad: the user's."""

    tip: str
    position: Floats
    rotation: Floats
    seed_mode: SeedMode
    seed: Floats | None = None
    nullspace_goal: NullspaceGoal | None = None


@dataclass(frozen=True, slots=True)
class PoseAnswer:
    """`joints` (7,) rad, on failure the nearest that was found; None for an unknown tip."""

    result: Result
    joints: Floats | None


class PositionKinematics:
    """Solves for the tips of `frames`; `in_collision` judges joint positions (7,) rad."""

    def __init__(self, frames: TipFrames, in_collision: InCollision) -> None:
        self._frames = frames
        self._in_collision = in_collision
        drawn = np.random.default_rng(0).uniform(0.8 * LOWER_LIMITS, 0.8 * UPPER_LIMITS, (MAP_SEEDS, JOINTS))
        self._map_seeds = (NEUTRAL, *drawn)

    def forward(self, tip: str, position: Floats) -> TipPose | None:
        """Tip `tip` at joint `position` (7,) rad; None for a tip that the robot does not have."""
        return self._frames.pose(tip, position) if tip in self._frames.tips else None

    def in_collision(self, position: Floats) -> bool:
        """Whether the arm collides with something at joint `position` (7,) rad."""
        return self._in_collision(position)

    def solve(self, query: PoseQuery, current: Floats) -> PoseAnswer:
        """Joint angles for `query`; `current` (7,) rad is where the arm is. The mode orders the seeds."""
        if query.tip not in self._frames.tips:
            return PoseAnswer(Result.UNKNOWN_TIP, None)
        nearest, least = current, np.inf
        colliding: Floats | None = None
        for kind, seed in self._seeds(query, current):
            joints, error = self._descend(query, seed)
            if error > 0.0:
                if error < least:
                    nearest, least = joints, error
            elif self._in_collision(joints):
                colliding = joints if colliding is None else colliding
            else:
                return PoseAnswer(kind, joints)
        if colliding is not None:
            return PoseAnswer(Result.IN_COLLISION, colliding)
        return PoseAnswer(Result.FAILED, nearest)

    def _seeds(self, query: PoseQuery, current: Floats) -> Sequence[tuple[Result, Floats]]:
        mode = query.seed_mode
        seeds: list[tuple[Result, Floats]] = []
        if mode in (SeedMode.AUTO, SeedMode.USER) and query.seed is not None:
            seeds.append((Result.USER, query.seed))
        if mode in (SeedMode.AUTO, SeedMode.CURRENT):
            seeds.append((Result.CURRENT, current))
        if mode in (SeedMode.AUTO, SeedMode.MAP):
            seeds += [(Result.MAP, seed) for seed in self._map_seeds]
        return seeds

    def _descend(self, query: PoseQuery, seed: Floats) -> tuple[Floats, float]:
        """Joint angles (7,) rad from `seed` on, and 0.0 if they solve `query`, else the error that remains."""
        goal = query.nullspace_goal
        pull, pulled_iterations = (SEED_PULL, 0) if goal is None else (goal.gain, PULLED_ITERATIONS)
        joints: Floats = np.clip(seed, LOWER_LIMITS, UPPER_LIMITS)
        size = np.inf
        for iteration in range(pulled_iterations + ITERATIONS):
            pose = self._frames.pose(query.tip, joints)
            error = np.concatenate([query.position - pose.position, rotation_vector(query.rotation @ pose.rotation.T)])
            size = float(np.abs(error).max())
            # Damping lets a pull leak into the tip, so it ends before the last digits are settled.
            pulled = iteration < pulled_iterations if goal is not None else size > NEAR
            if size < TOLERANCE and not pulled:
                return joints, 0.0
            posture = joints
            if pulled:
                posture = seed if goal is None else np.where(np.isnan(goal.position), joints, goal.position)
            step = DampedLeastSquares(DAMPING, posture, pull).velocity(pose.jacobian, joints, error)
            step *= min(1.0, LARGEST_STEP_RAD / max(float(np.abs(step).max()), 1e-12))
            joints = np.clip(joints + step, LOWER_LIMITS, UPPER_LIMITS)
        return joints, size
