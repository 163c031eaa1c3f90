"""From a run folder to its report: reads what the stages left, draws nothing itself. Called by `rig report`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from robot_rig.config import Config
from robot_rig.config_files import dump_config
from robot_rig.data.log import read_episode
from robot_rig.data.outline import outline
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Bytes
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, summarise
from robot_rig.evaluation_files import load_evaluation
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.health import INVERSE_LIMIT, NOVELTY_LIMIT, RANK_LIMIT, HealthReport
from robot_rig.learning.metric import LEAST_DIMENSIONS
from robot_rig.learning.views import keypoints_px, reconstruct, traverse
from robot_rig.report_data import (
    CurvePoint,
    HealthScore,
    ImaginedEpisode,
    Reconstructions,
    ReportData,
    Series,
    Traversal,
)
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import HELD_OUT, PLAY
from robot_rig.stages.curves import read_curves
from robot_rig.stages.demonstrations import DEMONSTRATED, HELD_BACK
from robot_rig.stages.episode import PUT_BACK
from robot_rig.stages.examine import DO_NOTHING, INDEX, RANDOM, results
from robot_rig.stages.practice import PRACTICE
from robot_rig.stages.refreshes import stretches
from robot_rig.stages.shipping import checkpoints, load_policy
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular

PURPOSES = {
    "random play": PLAY,
    "held-out play": HELD_OUT,
    "demonstrations": DEMONSTRATED,
    "held-back demonstrations": HELD_BACK,
    "practice": PRACTICE,
}
SHOWN_BY_PEOPLE = (DEMONSTRATED, HELD_BACK)
SHOWN_RECONSTRUCTIONS = 12
SHOWN_IMAGINED = 3
TRAVERSAL = np.linspace(-2.0, 2.0, 9)
"""Standard deviations."""

SCORES = {
    "active_dimensions": (f"≥ {LEAST_DIMENSIONS}", "latent numbers that carry information"),
    "rank": (f"≤ {RANK_LIMIT}", "share of far frames that look nearer than the next frame"),
    "inverse_1": (f"≥ {INVERSE_LIMIT}", "how much of an action one latent step explains (R²)"),
    "novelty": (f"≤ {NOVELTY_LIMIT}", "share of new frames far from every training frame"),
}
"""Scores that decide: limit and meaning. The others are shown only."""

SHOWN_SCORES = {
    "lag": "steps by which pictures trail the actions, as found; the scores are of pictures and actions so aligned",
    "inverse_5": "how much of five actions five latent steps explain (R²)",
    "pictures": "share of lively pixels' variation that decoded held-out frames explain",
    "pictures_worst_decile": "the same for the worst tenth of frames",
    "kl": "information in a latent, nats",
}


def count_steps(run: RunFolder) -> dict[str, int]:
    """Environment steps by purpose: every step in the log, those of interrupted attempts included.

    A file that was killed before its first step counts none. Demonstrations are told of where there are any.
    """
    store = EpisodeStore(run.episodes)
    counted = {purpose: sum(map(len, store.read_new((), stage))) for purpose, stage in PURPOSES.items()}
    return {purpose: steps for purpose, steps in counted.items() if steps or PURPOSES[purpose] not in SHOWN_BY_PEOPLE}


def count_put_back(run: RunFolder) -> tuple[int, int]:
    """(turns, policy steps) that a fixture took before the episodes of the log; they are no steps of any episode."""
    told = [outline(path).meta.get(PUT_BACK) for path in EpisodeStore(run.episodes).paths()]
    turns = [int(steps) for steps in told if steps is not None]
    return len(turns), sum(turns)


def save_health(run: RunFolder, health: HealthReport) -> None:
    """Keep the verdict of the VAE's check in the run folder."""
    text = json.dumps({"passed": health.passed, "findings": health.findings, "scores": dict(health.scores)}, indent=1)
    write_atomically(_health_path(run), text.encode())


def load_health(run: RunFolder) -> HealthReport:
    """The verdict of the last check. Raises UserError when the VAE has not been checked."""
    if not _health_path(run).exists():
        raise UserError(f"the VAE in {run.path} has not been checked", next_step="run `rig train` on it first")
    try:
        saved = parse_object(read_regular(_health_path(run), "verdict", INDEX_LIMIT))
        return HealthReport(bool(saved["passed"]), tuple(saved["findings"]), dict(saved["scores"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{_health_path(run)} is damaged", next_step="delete it and run `rig train`") from error


def _health_path(run: RunFolder) -> Path:
    return run.path / "health.json"


def load_results(run: RunFolder, config: Config) -> dict[str, Evaluation]:
    """What has been examined on the configured goals, by name. Raises UserError when the final policy has not."""
    folder = results(run, config)
    found = {path.parent.name: load_evaluation(path.parent) for path in sorted(folder.glob(f"*/{INDEX}"))}
    shipped = list(checkpoints(run).values())
    if not shipped or shipped[-1].name not in found:
        raise UserError(
            f"the run in {run.path} has not been examined on goal seed {config.evaluation.goal_seed}",
            next_step="run `rig eval` on it first",
        )
    return found


def gather(run: RunFolder, config: Config, wall_s: Mapping[str, float]) -> ReportData:
    """Everything the report tells. Raises UserError when a stage before it is missing."""
    found = load_results(run, config)
    shipped = checkpoints(run)
    names = [path.name for path in shipped.values()]
    policy = load_policy(list(shipped.values())[-1])
    after = found[names[-1]]
    steps = count_steps(run)
    play_steps = sum(count for purpose, count in steps.items() if PURPOSES[purpose] != PRACTICE)
    goals = np.stack([rollout.goal for rollout in after.rollouts])
    health = load_health(run)
    return ReportData(
        title="Reaching pictures",
        preset=config.preset,
        seed=config.seed,
        goal_seed=config.evaluation.goal_seed,
        config_hash=config.hash(),
        config_text=dump_config(config),
        git_revision=run.versions["git"],
        versions={name: version for name, version in run.versions.items() if name != "git"},
        wall_s=wall_s,
        env_steps=steps,
        rate_hz=config.control.policy_rate_hz,
        success_m=config.evaluation.success_m,
        box_low_xy_m=np.array(config.guard.box_low_m[:2]),
        box_high_xy_m=np.array(config.guard.box_high_m[:2]),
        after_practice=after,
        before_practice=found.get(names[0]) if len(names) > 1 else None,
        random_policy=found.get(RANDOM),
        do_nothing=found.get(DO_NOTHING),
        decoded_goals=dict(zip(after.ids, reconstruct(policy.encoder, goals), strict=True)),
        learning_curve=_curve(found, shipped, play_steps),
        encoders=stretches(run, config, found),
        metrics=_series(run),
        # The encoder as it was before practice: afterwards it has been tuned on the held-out frames too.
        reconstructions=_reconstructions(run, load_policy(next(iter(shipped.values()))).encoder),
        traversal=Traversal(TRAVERSAL, traverse(policy, _frames(run, PLAY, DEMONSTRATED), TRAVERSAL)),
        imagined=_imagined(run, config),
        health=_health_scores(health),
        health_findings=health.findings,
        limits_of_proof=(
            "The arm, its camera and its servo are simulated; nothing here was measured on a robot.",
            "One seed each of training and goals: run others before you believe a difference.",
        ),
    )


def _curve(found: Mapping[str, Evaluation], shipped: Mapping[int, Path], play_steps: int) -> list[CurvePoint]:
    points = []
    for practice_steps, path in shipped.items():
        if path.name in found:
            summary = summarise(found[path.name].final_m, 1.0)
            points.append(CurvePoint(practice_steps, play_steps + practice_steps, summary.median_m, summary.p90_m))
    return points


def _series(run: RunFolder) -> list[Series]:
    curves_of = read_curves(run.metrics, ("vae", "td3"))
    vae, agent = curves_of["vae"], curves_of["td3"]
    shown = (
        (agent, "imitation_loss", "Imitation loss", "squared action", "update"),
        (vae, "reconstruction", "VAE reconstruction", "nats a picture", "VAE update"),
        (vae, "kl", "VAE information", "nats a picture", "VAE update"),
        (agent, "critic_loss", "Critic loss", "squared value", "TD3 update"),
        (agent, "value", "Mean value", "discounted latent distance", "TD3 update"),
    )
    return [Series(title, unit, of, curves[name]) for curves, name, title, unit, of in shown if name in curves]


def _frames(run: RunFolder, *stages: str) -> Bytes:
    store = EpisodeStore(run.episodes)
    return np.concatenate([episode.frames for stage in stages for episode in store.read_new((), stage)])


def _reconstructions(run: RunFolder, encoder: Encoder) -> Reconstructions:
    frames = _frames(run, HELD_OUT, HELD_BACK)
    frames = frames[np.linspace(0, len(frames) - 1, SHOWN_RECONSTRUCTIONS).astype(int)]
    return Reconstructions(frames, reconstruct(encoder, frames), keypoints_px(encoder, frames))


def _imagined(run: RunFolder, config: Config) -> list[ImaginedEpisode]:
    """Practice episodes from the first to the last (R19)."""
    store = EpisodeStore(run.episodes)
    whole = [episode.id for episode in store.read_new((), PRACTICE) if not episode.truncated]
    shown = []
    for index in np.unique(np.linspace(0, len(whole) - 1, SHOWN_IMAGINED).astype(int)) if whole else ():
        episode = read_episode(run.episodes / f"{whole[index]}.mcap")
        if episode.goal is not None:
            shown.append(ImaginedEpisode(int(index) * config.practice.episode_steps, episode.goal, episode.frames))
    return shown


def _health_scores(health: HealthReport) -> list[HealthScore]:
    scores = []
    for name, (limit, meaning) in SCORES.items():
        if name in health.scores:
            value, bound = health.scores[name], float(limit[2:])
            passed = value >= bound if limit.startswith("≥") else value <= bound
            scores.append(HealthScore(name, value, limit, passed, meaning))
    shown = [
        HealthScore(n, health.scores[n], "shown only", True, m) for n, m in SHOWN_SCORES.items() if n in health.scores
    ]
    return scores + shown
