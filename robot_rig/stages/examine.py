"""The exam of a run: frozen checkpoints and the baselines on the same goals, kept so that a report can be rebuilt.

Called by the command line with an exam that the simulator (or a person with a ruler) holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing, Evaluation, Exam, evaluate
from robot_rig.evaluation_files import load_evaluation, save_evaluation
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import RandomPolicy
from robot_rig.runs import RunFolder
from robot_rig.stages.refreshes import kept
from robot_rig.stages.shipping import checkpoints, load_policy

INDEX = "evaluation.json"
"""Written last, so that it marks a whole evaluation."""

DO_NOTHING = "do-nothing"
RANDOM = "random-policy"
"""Names of the baselines; every other evaluation bears the name of its checkpoint."""

Progress = Callable[[str, int, int], None]
"""(name, goals done, goals in all)."""


def results(run: RunFolder, config: Config) -> Path:
    """Where evaluations on this goal set lie."""
    exam = config.evaluation
    return run.evaluation / f"goals-{exam.goal_seed}-{exam.goals}x{exam.episode_steps}"


def candidates(run: RunFolder, config: Config) -> dict[str, Callable[[], Policy]]:
    """What is to be examined, by name: the baselines, every checkpoint of the run, policies kept around a tuning.

    Raises UserError when nothing has been practised yet.
    """
    shipped = checkpoints(run)
    if not shipped:
        raise UserError(f"the run in {run.path} has no checkpoint", next_step="run `rig practice` on it first")
    action_dim = len(config.control.axes)
    play = config.collect
    made: dict[str, Callable[[], Policy]] = {
        DO_NOTHING: lambda: DoNothing(action_dim),
        RANDOM: lambda: RandomPolicy(play.ou_theta, play.ou_sigma, action_dim, config.seed + 1),
    }
    for path in (*shipped.values(), *kept(run).values()):
        made[path.name] = partial(load_policy, path)
    return made


def examine(run: RunFolder, config: Config, exam: Exam, progress: Progress) -> dict[str, Evaluation]:
    """Evaluations by name, in the order of `candidates`.

    What was examined before is read, not repeated, unless it cannot be read.
    """
    folder = results(run, config)
    found = {}
    for name, make in candidates(run, config).items():
        try:
            found[name] = load_evaluation(folder / name)
        except UserError:
            steps = config.evaluation.episode_steps
            evaluation = evaluate(make(), exam, steps, partial(progress, name))
            save_evaluation(folder / name, evaluation)
            found[name] = evaluation
    return found
