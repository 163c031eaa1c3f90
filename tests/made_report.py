"""A made-up but plausible run to report of, and how its films are read back. Used by the tests of report and films."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Floats
from robot_rig.evaluation import Evaluation, Rollout, summarise
from robot_rig.report_data import (
    CurvePoint,
    EncoderStretch,
    HealthScore,
    ImaginedEpisode,
    Reconstructions,
    ReportData,
    Series,
    Traversal,
)

LOW, HIGH, HOME = np.array([0.55, -0.20]), np.array([0.75, 0.20]), np.array([0.65, 0.0])


def picture(tool_xy: Floats) -> Bytes:
    """A table seen from the front and an arm that ends at `tool_xy`: drawn, not simulated."""
    rows, columns = np.mgrid[0:84, 0:84]
    image = np.empty(IMAGE_SHAPE)
    image[:] = np.stack([168 - 0.3 * rows, 150 - 0.2 * rows, 128 + 0.1 * columns], axis=-1)
    row = 74 - (HIGH[0] - tool_xy[0]) * 200
    column = 42 + tool_xy[1] * 170
    reach = np.clip((row - rows) / row, 0, 1)
    middle = 42 * reach + column * (1 - reach)
    image[(np.abs(columns - middle) < 4 + 5 * reach) & (rows < row)] = (150, 28, 34)
    image[(np.abs(columns - column) < 4) & (np.abs(rows - row) < 4)] = (38, 40, 46)
    return image.clip(0, 255).astype(np.uint8)


def rollout(goal_xy: Floats, end_xy: Floats, steps: int) -> Rollout:
    share = 1 - np.exp(-np.arange(steps + 1) / (steps / 6))
    share[-1] = 1
    path = HOME + share[:, None] * (end_xy - HOME)
    distance = np.hypot(*(path - goal_xy).T)
    return Rollout(picture(goal_xy), np.stack([picture(xy) for xy in path]), distance, goal_xy, path[-1])


def exam(error_m: float, goals: int, steps: int, seed: int = 0) -> Evaluation:
    """Rollouts that end about `error_m` from their goals, heavy-tailed; infinite: they never leave home."""
    places = np.random.default_rng(7).uniform(LOW, HIGH, (goals, 2))
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(goals, 2)) * error_m * rng.lognormal(sigma=0.7, size=(goals, 1))
    ends = np.clip(places + errors, LOW, HIGH) if np.isfinite(error_m) else np.tile(HOME, (goals, 1))
    rollouts = tuple(rollout(goal, end, steps) for goal, end in zip(places, ends, strict=True))
    return Evaluation(tuple(f"goal-{i:02d}" for i in range(goals)), rollouts)


def bare(goals: int = 11, steps: int = 6) -> ReportData:
    """The least a report can be made of."""
    return ReportData(
        title="Reaching pictures",
        preset="rig",
        seed=3,
        goal_seed=12345,
        config_hash="0123456789abcdef",
        config_text="preset: rig\nseed: 3\n",
        git_revision="abc1234",
        versions={"torch": "2.13.0", "numpy": "2.4.6"},
        wall_s={"collect": 3.2, "VAE": 41.0, "practice": 80.5, "evaluation": 18.0},
        env_steps={"random play": 1000, "random play, held out": 200, "practice": 1000},
        rate_hz=10.0,
        success_m=0.03,
        box_low_xy_m=LOW,
        box_high_xy_m=HIGH,
        after_practice=exam(0.008, goals, steps),
    )


def full(goals: int = 11, steps: int = 6) -> ReportData:
    """A report with every section."""
    rng = np.random.default_rng(1)
    data = bare(goals, steps)
    after = data.after_practice
    frames = np.stack([picture(xy) for xy in rng.uniform(LOW, HIGH, (8, 2))])
    values = np.linspace(-2, 2, 7)
    line = [[picture(HOME + np.array([0.04 * v * (z == 1), 0.08 * v * (z == 0)])) for v in values] for z in range(4)]
    curve = [(1000, exam(0.013, goals, steps, 2)), (1500, exam(0.01, goals, steps, 3)), (2000, after)]
    finals = [(steps, summarise(evaluation.final_m, 0.03)) for steps, evaluation in curve]
    updates = np.arange(1, 901)
    return replace(
        data,
        before_practice=curve[0][1],
        random_policy=exam(0.15, goals, steps, 4),
        do_nothing=exam(float("inf"), goals, steps),
        decoded_goals={id: r.frames[-1] // 4 * 3 + 40 for id, r in zip(after.ids, after.rollouts, strict=True)},
        learning_curve=[CurvePoint(s - 1000, s + 200, score.median_m, score.p90_m) for s, score in finals],
        encoders=[
            EncoderStretch("a" * 16, finals[:2]),
            EncoderStretch("b" * 16, [(1500, summarise(curve[0][1].final_m, 0.03)), finals[2]]),
        ],
        metrics=[
            Series("VAE loss", "nats", "VAE update", [(u, 900 + 4000 / u + 20 * rng.normal()) for u in updates]),
            Series(
                "critic loss", "squared return", "TD3 update", [(u, 2 / u**0.5 + 0.05 * rng.random()) for u in updates]
            ),
            Series("Q", "return", "TD3 update", [(u, -40 + 25 * u / 900) for u in updates]),
            Series(
                "latent distance",
                "whitened units",
                "practice step",
                [(s, 3 * 0.9**k) for k, s in enumerate(range(0, 1000, 50))],
            ),
        ],
        reconstructions=Reconstructions(frames, frames // 4 * 3 + 40, rng.uniform(0.0, 83.0, (len(frames), 16, 2))),
        traversal=Traversal(values, np.array(line)),
        imagined=[
            ImaginedEpisode(step, r.goal // 4 * 3 + 40, r.frames)
            for step, r in zip((0, 500, 950), after.rollouts, strict=False)
        ],
        health=[
            HealthScore("rank", 0.0158, "≤ .025", True, "How often a far frame looks closer than the next one."),
            HealthScore("inv1", 0.31, "≥ .35", False, "How well one action can be told from two latents."),
        ],
        health_findings=["Collect more frames: actions are hard to tell from pictures."],
        limits_of_proof=["The arm is simulated; nothing here was measured on a robot."],
    )


def decoded(film: bytes | Path) -> list[Bytes]:
    source = io.BytesIO(film) if isinstance(film, bytes) else str(film)
    with av.open(source) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
