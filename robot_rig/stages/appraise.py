"""One checkpoint's exam on a goal set, with do-nothing and random play beside it, each attempt kept when it is over.

Called by the command line with an examiner that the simulator holds. An attempt depends on its goal alone, not on those
before it, so an exam that was interrupted goes on where it stopped and comes out the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from zlib import crc32

from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing
from robot_rig.evaluation_attempts import LATENT, PIXEL, TOOL, Attempt, Question, Score, Walk, pixel_distances, score
from robot_rig.evaluation_folder import CHECKPOINT, DO_NOTHING, RANDOM, ExamFolder
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import LatentPolicy, RandomPolicy
from robot_rig.learning.views import goal_distances

Progress = Callable[[int, str], None]
"""(attempts done, who made the last)."""


class Examiner(Protocol):
    """Something to try goals on that sees what came of it. `sim.exam` holds one, `cli.live.exam` another."""

    def attempt(self, policy: Policy, question: Question, steps: int) -> Walk:
        """Home, show `question.image` to the policy, let it act for `steps`, and say what was seen."""
        ...


def appraise(
    folder: ExamFolder, policy: LatentPolicy, config: Config, examiner: Examiner, progress: Progress
) -> dict[str, Score]:
    """The score of the checkpoint's `policy` and of each baseline, by name as in `folder.policies`.

    What lies in `folder` already is read, not repeated, unless it cannot be read. The latent distance is of the
    checkpoint's own metric for the baselines too.
    """
    questions, steps = folder.questions, folder.paper.steps
    makers = _makers(policy, config)
    found, done = {}, 0
    for name in folder.policies:
        attempts = []
        for number, question in enumerate(questions):
            try:
                attempts.append(folder.load(name, number))
            except UserError:
                walk = examiner.attempt(makers[name](question), question, steps)
                attempts.append(_measured(walk, question, policy))
                folder.save(name, number, walk.frames, attempts[-1], walk.sighting)
            done += 1
            progress(done, name)
        found[name] = score(attempts, folder.paper.success_m)
    return found


def _makers(policy: LatentPolicy, config: Config) -> Mapping[str, Callable[[Question], Policy]]:
    """Who tries each question: the same for a question whatever was asked before."""
    action_dim, play = policy.action_dim, config.collect

    def randomly(question: Question) -> Policy:
        seed = crc32(f"random play at {question.id}".encode())
        return RandomPolicy(play.ou_theta, play.ou_sigma, action_dim, seed)

    return {CHECKPOINT: lambda _: policy, DO_NOTHING: lambda _: DoNothing(action_dim), RANDOM: randomly}


def _measured(walk: Walk, question: Question, judge: LatentPolicy) -> Attempt:
    taken = {
        LATENT: goal_distances(judge, walk.frames, question.image),
        PIXEL: pixel_distances(walk.frames, question.image),
    }
    return Attempt(walk.outcomes, taken if walk.tool_m is None else {TOOL: walk.tool_m, **taken})


def told(found: Mapping[str, Score]) -> dict[str, Any]:
    """The scores as plain values for results.json, tool distances in m."""
    return {
        name: {
            "n": one.n,
            "distances": {ruler: spread._asdict() for ruler, spread in one.spreads.items()},
            "success": None if one.success is None else one.success._asdict(),
            "steps": one.steps,
            "held_steps": one.held,
            "scaled_steps": one.scaled,
        }
        for name, one in found.items()
    }
