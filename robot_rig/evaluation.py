"""The exam: how far from each goal the arm ends, and what that says in numbers. Called by the CLI and the trainer.

It knows no simulator: an `Exam` runs a policy towards a goal picture and reads the true distance, which no policy ever
sees (R17); the library only counts. Distances are tool tip to goal in xy of the base frame, metres. A goal picture is
reached without further training (R20), so an evaluation learns nothing and is no environment step of the learner.
`robot_rig.evaluation_files` keeps an evaluation on disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from robot_rig.arrays import read_only
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Float32s, Floats, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.interfaces import Policy

XY_TOLERANCE_M = 1e-6


def _picture(name: str, value: Any, shape: tuple[int | None, ...]) -> Bytes:
    if np.asarray(value).dtype != np.uint8:
        raise ValueError(f"{name} must be uint8, got {np.asarray(value).dtype}")
    return read_only(name, value, shape, np.uint8)


def _finite(name: str, value: Any, shape: tuple[int | None, ...]) -> Floats:
    array: Floats = read_only(name, value, shape, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array}")
    return array


@dataclass(frozen=True, slots=True)
class GoalCase:
    """One question of the exam: a picture uint8 (84, 84, 3) and where the tool tip was, xy_m (2,) m in base."""

    id: str
    image: Bytes
    xy_m: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", _picture("GoalCase.image", self.image, IMAGE_SHAPE))
        object.__setattr__(self, "xy_m", _finite("GoalCase.xy_m", self.xy_m, (2,)))


@dataclass(frozen=True, slots=True)
class Rollout:
    """One answer: T steps from home towards a goal picture, with the truth that only the evaluator knows.

    goal uint8 (84, 84, 3); frames uint8 (T+1, 84, 84, 3); distance_m (T+1,) m, tool tip to goal in xy at each frame;
    goal_xy_m (2,) and the final tool_xy_m (2,), m in base. Raises ValueError when they contradict each other.
    """

    goal: Bytes
    frames: Bytes
    distance_m: Floats
    goal_xy_m: Floats
    tool_xy_m: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "goal", _picture("Rollout.goal", self.goal, IMAGE_SHAPE))
        object.__setattr__(self, "frames", _picture("Rollout.frames", self.frames, (None, *IMAGE_SHAPE)))
        distance = _finite("Rollout.distance_m", self.distance_m, (len(self.frames),))
        object.__setattr__(self, "distance_m", distance)
        object.__setattr__(self, "goal_xy_m", _finite("Rollout.goal_xy_m", self.goal_xy_m, (2,)))
        object.__setattr__(self, "tool_xy_m", _finite("Rollout.tool_xy_m", self.tool_xy_m, (2,)))
        if not len(distance):
            raise ValueError("a rollout has at least the frame it starts with")
        if (distance < 0).any():
            raise ValueError(f"Rollout.distance_m must not be negative, got {distance.min()}")
        apart = math.dist(self.tool_xy_m, self.goal_xy_m)
        if abs(apart - distance[-1]) > XY_TOLERANCE_M:
            raise ValueError(f"final distance is {distance[-1]} m, but tool and goal lie {apart} m apart")

    @property
    def final_m(self) -> float:
        """Distance at the last frame, m: the number that counts."""
        return float(self.distance_m[-1])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A whole exam: one rollout for each goal, all of the same length, under unique goal ids."""

    ids: tuple[str, ...]
    rollouts: tuple[Rollout, ...]

    def __post_init__(self) -> None:
        if not self.rollouts or len(self.ids) != len(self.rollouts):
            raise ValueError(f"{len(self.ids)} ids for {len(self.rollouts)} rollouts; both must be one or more")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("goal ids must be unique")
        if len({len(rollout.frames) for rollout in self.rollouts}) != 1:
            raise ValueError("all rollouts of an evaluation must have the same number of steps")

    def __len__(self) -> int:
        return len(self.rollouts)

    @property
    def steps(self) -> int:
        """Steps T of each rollout."""
        return len(self.rollouts[0].frames) - 1

    @property
    def distance_m(self) -> Floats:
        """(N, T+1) m: distance of every rollout at every frame."""
        return np.stack([rollout.distance_m for rollout in self.rollouts])

    @property
    def final_m(self) -> Floats:
        """(N,) m: final distance of every rollout."""
        return self.distance_m[:, -1]


class Exam(Protocol):
    """A fixed set of goals and something to try them on. `sim.exam` is one; a table with a ruler could be another."""

    @property
    def goals(self) -> Sequence[GoalCase]:
        """The questions, always the same in the same order for the same goal seed."""
        ...

    def run(self, policy: Policy, case: GoalCase, steps: int) -> Rollout:
        """Home, show `case.image` to the policy, let it act for `steps`, and say how far off it was all along."""
        ...


class DoNothing:
    """The baseline beside every result: a policy that never moves."""

    def __init__(self, action_dim: int) -> None:
        self.action_dim = action_dim

    def begin(self, goal: Goal) -> None:
        """Take no notice."""

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """Zero, float32 (A,)."""
        return np.zeros(self.action_dim, np.float32)


def ignore_progress(done: int, total: int) -> None:
    """The progress callback of a caller who does not want to know."""


def evaluate(
    policy: Policy, exam: Exam, steps: int, progress: Callable[[int, int], None] = ignore_progress
) -> Evaluation:
    """Put `policy` through every goal of `exam`, `steps` steps each; `progress(done, total)` after each goal."""
    if steps < 1:
        raise UserError(f"an evaluation of {steps} steps moves nothing", next_step="set evaluation.episode_steps >= 1")
    cases = exam.goals
    rollouts = []
    for case in cases:
        rollout = exam.run(policy, case, steps)
        if len(rollout.frames) != steps + 1:
            raise ValueError(f"goal {case.id}: asked for {steps} steps, the exam ran {len(rollout.frames) - 1}")
        rollouts.append(rollout)
        progress(len(rollouts), len(cases))
    return Evaluation(ids=tuple(case.id for case in cases), rollouts=tuple(rollouts))


@dataclass(frozen=True, slots=True)
class Summary:
    """What N final distances come to. Metres; `wilson_low` and `wilson_high` bound the success rate at 95 %.

    p90 interpolates linearly between order statistics; the worst decile is the mean of the worst ceil(N / 10).
    """

    n: int
    median_m: float
    mean_m: float
    p90_m: float
    worst_decile_m: float
    worst_m: float
    success_m: float
    successes: int
    wilson_low: float
    wilson_high: float

    def __str__(self) -> str:
        return (
            f"median {in_cm(self.median_m)} cm, mean {in_cm(self.mean_m)}, p90 {in_cm(self.p90_m)}, "
            f"worst decile {in_cm(self.worst_decile_m)}; within {self.success_m * 100:g} cm: "
            f"{self.successes}/{self.n} (95 % Wilson interval {self.wilson_low:.0%} to {self.wilson_high:.0%})"
        )


def in_cm(metres: float) -> str:
    """Centimetres with two decimals: 0.01234 -> '1.23'."""
    return f"{metres * 100:.2f}"


def summarise(final_distances: ArrayLike, success_m: float) -> Summary:
    """The summary of final distances (N,) m, counting those of at most `success_m` m as successes.

    Raises UserError when there are none or one is not a distance.
    """
    distances = np.sort(np.asarray(final_distances, dtype=np.float64).ravel())
    if not len(distances):
        raise UserError("there are no distances to summarise", next_step="evaluate at least one goal")
    if not np.isfinite(distances).all() or distances[0] < 0:
        raise UserError("a final distance is negative or not a number", next_step="look for the fault in the exam")
    if not (math.isfinite(success_m) and success_m > 0):
        raise UserError(f"success within {success_m} m means nothing", next_step="set evaluation.success_m > 0")
    n = len(distances)
    successes = int((distances <= success_m).sum())
    low, high = wilson(successes, n)
    return Summary(
        n=n,
        median_m=float(np.median(distances)),
        mean_m=float(distances.mean()),
        p90_m=float(np.percentile(distances, 90)),
        worst_decile_m=float(distances[-math.ceil(n / 10) :].mean()),
        worst_m=float(distances[-1]),
        success_m=float(success_m),
        successes=successes,
        wilson_low=low,
        wilson_high=high,
    )


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a success rate, `successes` of `n` >= 1."""
    interval = stats.binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
