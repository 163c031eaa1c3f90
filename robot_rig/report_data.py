"""What a report is made of: plain records, checked when made. Filled by the CLI, read by `robot_rig.report`.

Distances are metres, times seconds. Whatever is None or empty leaves its section out; nothing else does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot_rig.arrays import read_only
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Floats
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, Summary


def _pictures(name: str, value: Any, shape: tuple[int | None, ...]) -> Bytes:
    if np.asarray(value).dtype != np.uint8:
        raise ValueError(f"{name} must be uint8, got {np.asarray(value).dtype}")
    return read_only(name, value, shape, np.uint8)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One evaluation on the way: after `practice_steps` of practice and `env_steps` of experience in all."""

    practice_steps: int
    env_steps: int
    median_m: float
    p90_m: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0 for value in (self.median_m, self.p90_m)):
            raise UserError(
                f"the evaluation after {self.practice_steps} practice steps has a distance that is not a number",
                next_step="look for the fault in the exam",
            )


@dataclass(frozen=True, slots=True)
class EncoderStretch:
    """The policies of one encoder in their order: after how many practice steps each, and its exam summed up.

    Where a stretch ends and the next begins the encoder was tuned: the last point is of right before, the first of
    right after.
    """

    encoder_id: str
    points: Sequence[tuple[int, Summary]]


@dataclass(frozen=True, slots=True)
class Series:
    """A training curve: `points` (step, value) over `steps_of`, e.g. "VAE update". Not-a-number values leave a gap."""

    name: str
    unit: str
    steps_of: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class HealthScore:
    """One score of the VAE's check: its value, the limit as words (">= .35"), and what it means in a sentence."""

    name: str
    value: float
    limit: str
    passed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Reconstructions:
    """Frames and what the encoder makes of them, both uint8 (N, 84, 84, 3).

    keypoints_px: column and row of each keypoint, (N, K, 2); None of an encoder without any.
    """

    frames: Bytes
    decoded: Bytes
    keypoints_px: Floats | None = None

    def __post_init__(self) -> None:
        frames = _pictures("Reconstructions.frames", self.frames, (None, *IMAGE_SHAPE))
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "decoded", _pictures("Reconstructions.decoded", self.decoded, frames.shape))
        if self.keypoints_px is not None:
            places = read_only("Reconstructions.keypoints_px", self.keypoints_px, (len(frames), None, 2), np.float64)
            object.__setattr__(self, "keypoints_px", places)


@dataclass(frozen=True, slots=True)
class Traversal:
    """Each latent moved alone: pictures uint8 (Z, K, 84, 84, 3) for its values (K,) in standard deviations."""

    values: Floats
    pictures: Bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only("Traversal.values", self.values, (None,), np.float64))
        shape = (None, len(self.values), *IMAGE_SHAPE)
        object.__setattr__(self, "pictures", _pictures("Traversal.pictures", self.pictures, shape))


@dataclass(frozen=True, slots=True)
class ImaginedEpisode:
    """A practice episode (R19): its imagined goal, decoded, uint8 (84, 84, 3), and frames uint8 (T+1, 84, 84, 3)."""

    practice_steps: int
    goal: Bytes
    frames: Bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "goal", _pictures("ImaginedEpisode.goal", self.goal, IMAGE_SHAPE))
        object.__setattr__(self, "frames", _pictures("ImaginedEpisode.frames", self.frames, (None, *IMAGE_SHAPE)))


@dataclass(frozen=True, slots=True)
class ReportData:
    """One run, as the report tells it.

    env_steps: every environment step the learner consumed, by purpose ("random play", "held out", "practice");
    evaluations are counted by the report itself, apart. wall_s: seconds by stage. box_low_xy_m, box_high_xy_m (2,):
    where goals may lie. decoded_goals: goal id -> uint8 (84, 84, 3). limits_of_proof: sentences on what this run does
    not show, e.g. that it ran in a simulator. Raises UserError when a picture or an evaluation is of the wrong kind.
    """

    title: str
    preset: str
    seed: int
    goal_seed: int
    config_hash: str
    config_text: str
    git_revision: str
    versions: Mapping[str, str]
    wall_s: Mapping[str, float]
    env_steps: Mapping[str, int]
    rate_hz: float
    success_m: float
    box_low_xy_m: Floats
    box_high_xy_m: Floats
    after_practice: Evaluation
    before_practice: Evaluation | None = None
    random_policy: Evaluation | None = None
    do_nothing: Evaluation | None = None
    decoded_goals: Mapping[str, Bytes] = field(default_factory=dict)
    learning_curve: Sequence[CurvePoint] = ()
    encoders: Sequence[EncoderStretch] = ()
    metrics: Sequence[Series] = ()
    reconstructions: Reconstructions | None = None
    traversal: Traversal | None = None
    imagined: Sequence[ImaginedEpisode] = ()
    health: Sequence[HealthScore] = ()
    health_findings: Sequence[str] = ()
    limits_of_proof: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise UserError(f"a policy rate of {self.rate_hz} Hz is none", next_step="set control.policy_rate_hz")
        for name, evaluation in self.evaluations.items():
            if evaluation.ids != self.after_practice.ids or evaluation.steps != self.after_practice.steps:
                raise UserError(
                    f"the evaluation '{name}' is of other goals than 'after practice'",
                    next_step="evaluate both with the same goal seed and number of steps",
                )
        for id, picture in self.decoded_goals.items():
            _pictures(f"decoded goal {id}", picture, IMAGE_SHAPE)

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Name -> evaluation, those there are, the one that counts first."""
        named = {
            "after practice": self.after_practice,
            "0 practice steps": self.before_practice,
            "random policy": self.random_policy,
            "do nothing": self.do_nothing,
        }
        return {name: evaluation for name, evaluation in named.items() if evaluation is not None}

    @property
    def steps_in_all(self) -> int:
        """Environment steps that the learner consumed."""
        return sum(self.env_steps.values())

    def robot_minutes(self, steps: int) -> float:
        """Minutes that `steps` take a robot at the policy's rate."""
        return steps / self.rate_hz / 60
