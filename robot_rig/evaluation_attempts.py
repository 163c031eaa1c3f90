"""One checkpoint's exam, goal by goal: what is asked, what came of each attempt, and what the attempts come to.

Called by `stages.appraise`, the pages and `rig compare`. A goal may be a bare picture: then nobody knows where the tool
should be, and the distance is told in latents and in pixels, by those names, never in metres. See `RULERS`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from robot_rig.arrays import picture, read_only
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Floats, Outcome
from robot_rig.errors import UserError
from robot_rig.evaluation import GoalCase, summarise
from robot_rig.evaluation_compare import Unit
from robot_rig.evaluation_live import Sighting

TOOL, LATENT, PIXEL = "tool", "latent", "pixel"

RULERS: Mapping[str, Unit] = {
    TOOL: Unit("cm", 100.0, 2),
    LATENT: Unit("latent units", 1.0, 2),
    PIXEL: Unit("grey levels", 1.0, 2),
}
"""What a distance is measured with: the tool's true place in xy (kept in m), where the goal's is known; the latent
metric of the checkpoint, which no other encoder shares; the mean absolute difference of the pictures, of 255."""

OUTCOMES = (Outcome.PASSED, Outcome.SCALED, Outcome.HELD, Outcome.LATCHED)
"""What the guard made of a step, by the number it is kept under."""


@dataclass(frozen=True, slots=True)
class Question:
    """A goal to reach: a picture uint8 (84, 84, 3), and where the tool was, xy_m (2,) m in base, if anybody knows."""

    id: str
    image: Bytes
    xy_m: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", picture("Question.image", self.image, IMAGE_SHAPE))
        if self.xy_m is not None:
            object.__setattr__(self, "xy_m", read_only("Question.xy_m", self.xy_m, (2,), np.float64))

    @classmethod
    def of(cls, case: GoalCase) -> Question:
        """The question of a seeded goal, whose place is known."""
        return cls(case.id, case.image, case.xy_m)


@dataclass(frozen=True, slots=True)
class Walk:
    """What an examiner saw of one attempt of T steps, from home towards a goal.

    frames uint8 (T+1, 84, 84, 3); outcomes uint8 (T,), the most severe of each step as an index of `OUTCOMES`; tool_m
    (T+1,) m, tool tip to goal in xy at each frame, None where the goal's place is not known; `sighting` where it was
    over the live graph.
    """

    frames: Bytes
    outcomes: Bytes
    tool_m: Floats | None
    sighting: Sighting | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a walk, in numbers: `outcomes` as there, and every distance that could be taken, ruler -> (T+1,).

    Raises ValueError where the parts do not fit or one is no number.
    """

    outcomes: Bytes
    distances: Mapping[str, Floats]

    def __post_init__(self) -> None:
        outcomes = read_only("Attempt.outcomes", self.outcomes, (None,), np.uint8)
        if (outcomes >= len(OUTCOMES)).any():
            raise ValueError("Attempt.outcomes has one that the guard does not know")
        object.__setattr__(self, "outcomes", outcomes)
        taken = {}
        for ruler, values in self.distances.items():
            taken[ruler] = read_only(f"Attempt.distances {ruler}", values, (len(outcomes) + 1,), np.float64)
            if ruler not in RULERS or not np.isfinite(taken[ruler]).all() or (taken[ruler] < 0).any():
                raise ValueError(f"Attempt.distances has a {ruler} distance that is none")
        object.__setattr__(self, "distances", taken)

    def count(self, outcome: Outcome) -> int:
        """Steps that ended in `outcome`."""
        return int((self.outcomes == OUTCOMES.index(outcome)).sum())

    def steps_to(self, within_m: float) -> int | None:
        """Steps until the tool is within `within_m` of the goal and stays to the end; None if it does not end so."""
        outside = np.flatnonzero(self.distances[TOOL] > within_m)
        first = int(outside[-1]) + 1 if len(outside) else 0
        return first if first <= len(self.outcomes) else None


class Spread(NamedTuple):
    """How far N attempts ended, in one ruler's own unit; `start` is the median at home. See `evaluation.summarise`."""

    start: float
    median: float
    mean: float
    p90: float
    worst_decile: float
    worst: float


class Success(NamedTuple):
    """How many of N ended within the radius (m), with a Wilson interval at 95 %, and the steps that those took.

    `steps_median` and `steps_p90` count until the tool is within it for good; None when there was no success.
    """

    within_m: float
    reached: int
    low: float
    high: float
    steps_median: float | None
    steps_p90: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """What the attempts of one policy come to. `held` and `scaled` count steps of `steps` in all that the guard stopped
    or slowed; `success` is None where nobody knows where the goals are.
    """

    n: int
    spreads: Mapping[str, Spread]
    success: Success | None
    steps: int
    held: int
    scaled: int


def score(attempts: Sequence[Attempt], success_m: float) -> Score:
    """The score of one attempt or more, with success within `success_m` m."""
    spreads = {ruler: _spread(attempts, ruler) for ruler in RULERS if ruler in attempts[0].distances}
    return Score(
        n=len(attempts),
        spreads=spreads,
        success=_success(attempts, success_m) if TOOL in spreads else None,
        steps=sum(len(attempt.outcomes) for attempt in attempts),
        held=sum(attempt.count(Outcome.HELD) + attempt.count(Outcome.LATCHED) for attempt in attempts),
        scaled=sum(attempt.count(Outcome.SCALED) for attempt in attempts),
    )


def finals(attempts: Sequence[Attempt], ruler: str) -> Floats:
    """(N,) final distances by `ruler`, in its unit (the tool's in m)."""
    return np.array([attempt.distances[ruler][-1] for attempt in attempts])


def pixel_distances(frames: Bytes, goal: Bytes) -> Floats:
    """(N,) mean absolute difference, in grey levels of 255, of `frames` (N, 84, 84, 3) and `goal`, both uint8."""
    apart = np.abs(frames.astype(np.int16) - goal.astype(np.int16))
    distances: Floats = apart.mean(axis=(1, 2, 3), dtype=np.float64)
    return distances


def digest(questions: Sequence[Question]) -> str:
    """SHA-256 over ids, pictures and places, in their order: equal for the same questions only."""
    total = hashlib.sha256()
    for question in questions:
        place = b"" if question.xy_m is None else question.xy_m.tobytes()
        for part in (question.id.encode(), question.image.tobytes(), place):
            total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def require_unlike(questions: Sequence[Question]) -> None:
    """Raise UserError unless there is a question, no id comes twice, and all places are known or none is."""
    ids = [question.id for question in questions]
    if not ids:
        raise UserError("there is no goal to reach", next_step="name a folder with goal pictures, or a --goal-seed")
    if twice := sorted({id for id in ids if ids.count(id) > 1}):
        raise UserError(f"two goals are called {', '.join(twice[:3])}", next_step="rename one of the pictures")
    if len({question.xy_m is None for question in questions}) > 1:
        raise ValueError("a goal set has places or has none")


def _spread(attempts: Sequence[Attempt], ruler: str) -> Spread:
    ended = np.sort(finals(attempts, ruler))
    return Spread(
        start=float(np.median([attempt.distances[ruler][0] for attempt in attempts])),
        median=float(np.median(ended)),
        mean=float(ended.mean()),
        p90=float(np.percentile(ended, 90)),
        worst_decile=float(ended[-math.ceil(len(ended) / 10) :].mean()),
        worst=float(ended[-1]),
    )


def _success(attempts: Sequence[Attempt], success_m: float) -> Success:
    summary = summarise(finals(attempts, TOOL), success_m)
    steps = [taken for attempt in attempts if (taken := attempt.steps_to(success_m)) is not None]
    return Success(
        within_m=success_m,
        reached=summary.successes,
        low=summary.wilson_low,
        high=summary.wilson_high,
        steps_median=float(np.median(steps)) if steps else None,
        steps_p90=float(np.percentile(steps, 90)) if steps else None,
    )
