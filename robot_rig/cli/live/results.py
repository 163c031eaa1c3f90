"""What the live demo leaves: rollouts, a film, and a page with both and the latency table. Called by `live.demo`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.attempts import Attempts
from robot_rig.cli.latency import Timing, rows
from robot_rig.cli.live.attempt import Watched
from robot_rig.evaluation import Evaluation, Summary, summarise
from robot_rig.evaluation_files import save_evaluation
from robot_rig.learning.views import reconstruct
from robot_rig.report_film import Film, thirds, write_film
from robot_rig.report_live import LiveData, write_live_report
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import checkpoints, load_policy
from robot_rig.versions import versions

SUCCESS_M = 0.02


@dataclass(frozen=True, slots=True)
class LiveResult:
    """All valid attempts: what came of each goal, timing, voids, and the simulator's real-time factor."""

    outcomes: Mapping[str, Watched]
    timing: Timing
    attempts: Attempts
    factor: float

    @property
    def evaluation(self) -> Evaluation:
        """The rollouts."""
        return Evaluation(tuple(self.outcomes), tuple(outcome.rollout for outcome in self.outcomes.values()))

    @property
    def summary(self) -> Summary:
        """Of the final distances."""
        return summarise(self.evaluation.final_m, SUCCESS_M)

    @property
    def nothing_m(self) -> float:
        """Median distance (m) of an arm that stays at home."""
        return float(np.median(self.evaluation.distance_m[:, 0]))


def write_results(out: Path, run: RunFolder, result: LiveResult, console: Console) -> None:
    """Write OUT/evaluation, OUT/film.gif and OUT/report.html."""
    evaluation, config = result.evaluation, run.config
    save_evaluation(out / "evaluation", evaluation)
    shipped = list(checkpoints(run).values())[-1]
    decoded = reconstruct(load_policy(shipped).encoder, np.stack([rollout.goal for rollout in evaluation.rollouts]))
    films = [Film.of(rollout, picture) for rollout, picture in zip(evaluation.rollouts, decoded, strict=True)]
    film, page = out / "film.gif", out / "report.html"
    write_film(film, [films[i] for i in thirds(evaluation)], config.control.policy_rate_hz)
    data = LiveData(
        checkpoint=f"{run.path.name}, {shipped.name}",
        revision=versions()["git"],
        config_hash=config.hash(),
        rate_hz=config.control.policy_rate_hz,
        evaluation=evaluation,
        films=films,
        summary=result.summary,
        nothing_m=result.nothing_m,
        latency=rows(result.timing),
        missed=result.timing.missed,
        blind=result.timing.blind,
        timer_missed=result.timing.timer_missed,
        attempts=str(result.attempts),
        voids=result.attempts.voids,
        factor=result.factor,
        endings=["" if outcome.complete else outcome.reason for outcome in result.outcomes.values()],
    )
    write_live_report(page, data)
    console.print(f"report: {page}, film: {film}", highlight=False, soft_wrap=True)
