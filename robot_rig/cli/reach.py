"""`rig reach`: show the simulated arm a picture and watch it go there (R20). Called by `robot_rig.cli.commands`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from robot_rig.cli.progress import stage_bar
from robot_rig.datatypes import Goal, Source
from robot_rig.errors import UserError
from robot_rig.learning.views import reconstruct
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.report_film import Film, require_film_name, write_film
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import checkpoints, load_policy
from robot_rig.vision import load_goal_picture
from sim.rig import SimRig


def run_reach(run: Path, goal: Path, film: Path, console: Console) -> None:
    """Let the newest policy of `run` act from home towards the picture `goal`, and write the `film` of it.

    Raises UserError for a picture that is not one, a run without a checkpoint, or a film that cannot be written.
    """
    require_film_name(film)
    picture = load_goal_picture(goal)
    folder = RunFolder.open(run)
    shipped = list(checkpoints(folder).values())
    if not shipped:
        raise UserError(f"the run in {run} has no checkpoint", next_step="run `rig practice` or `rig demo` first")
    config, policy = folder.config, load_policy(shipped[-1])
    rig = SimRig(config, config.seed)
    try:
        rig.home()
        shown = Goal(picture, goal.stem, rig.now(), calibration_id="", source="imported")
        frames, distances = [], []
        steps = config.evaluation.episode_steps
        with stage_bar(console, f"reach {goal.name}", steps) as advance:
            loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / config.control.policy_rate_hz, config.control.lag_s)
            for step in play(rig, loop, policy, shown, Source.POLICY, steps):
                frames.append(step.frame.rgb)
                distances.append(policy.goal_distance(step.frame))
                advance(len(frames), f"latent distance {distances[-1]:.2f}")
        last = rig.look()
    finally:
        rig.close()
    away = np.array([*distances, policy.goal_distance(last)])
    decoded = reconstruct(policy.encoder, picture[None])[0]
    write_film(film, [Film(picture, decoded, np.stack([*frames, last.rgb]), away)], config.control.policy_rate_hz, 1)
    console.print(
        f"latent distance {away[0]:.2f} at home, {away[-1]:.2f} after {steps} steps; nobody measured the true one. "
        f"film: {film}",
        highlight=False,
        soft_wrap=True,
    )
