"""What an exam came to: a table and a count for people, one line for programs. Called by `rig demo` and `rig eval`."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from robot_rig.cli.tables import narrow_table
from robot_rig.config import Config
from robot_rig.evaluation import Evaluation, Summary, in_cm, summarise
from robot_rig.runs import RunFolder
from robot_rig.stages.examine import DO_NOTHING
from robot_rig.stages.reporting import count_steps
from robot_rig.stages.shipping import checkpoints


class Verdict:
    """The evaluations `found` of a run, summed up. `final` is the last checkpoint's, `nothing` doing nothing."""

    def __init__(self, run: RunFolder, config: Config, found: Mapping[str, Evaluation]) -> None:
        self._config = config
        success_m = config.evaluation.success_m
        self.summaries = {name: summarise(evaluation.final_m, success_m) for name, evaluation in found.items()}
        self.final: Summary = self.summaries[list(checkpoints(run).values())[-1].name]
        self.nothing: Summary = self.summaries[DO_NOTHING]
        self.steps = count_steps(run)

    def show(self, console: Console) -> None:
        """Print the table and the experience that it took."""
        success_cm = 100 * self._config.evaluation.success_m
        headings = ("policy", "median", "mean", "p90", "worst 10 %", f"in {success_cm:g} cm", "95 %")
        rows = []
        for name, s in self.summaries.items():
            distances = [in_cm(value) for value in (s.median_m, s.mean_m, s.p90_m, s.worst_decile_m)]
            interval = f"{s.wilson_low:.0%}–{s.wilson_high:.0%}"
            rows.append((name, *distances, f"{s.successes} of {s.n}", interval))
        console.print(narrow_table("Tool tip to goal in xy at the last step, cm", headings, rows))
        total = sum(self.steps.values())
        minutes = total / self._config.control.policy_rate_hz / 60
        counted = ", ".join(f"{purpose} {count}" for purpose, count in self.steps.items())
        console.print(f"environment steps in all: {total} ({counted}) = {minutes:.1f} robot minutes", highlight=False)

    def line(self, word: str, wall_s: float) -> str:
        """The last line of `word`: names and numbers that a program can read."""
        final = self.final
        return (
            f"{word} median_cm={in_cm(final.median_m)} p90_cm={in_cm(final.p90_m)}"
            f" worst_decile_cm={in_cm(final.worst_decile_m)} donothing_cm={in_cm(self.nothing.median_m)}"
            f" env_steps={sum(self.steps.values())} wall_s={wall_s:.0f}"
            f" seed={self._config.seed} goal_seed={self._config.evaluation.goal_seed}"
        )
