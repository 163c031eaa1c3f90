"""One logged episode: play into a writer, and leave nothing half-said. Called by collect and practice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_rig.data.log import EpisodeWriter
from robot_rig.data.outline import outline
from robot_rig.datatypes import Goal, Source
from robot_rig.interfaces import Plant, Policy
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop

PUT_BACK = "put_back"
"""Key of an episode's metadata: policy steps that a fixture took before it. Absent where there was none."""


def put_back(plant: Plant) -> Mapping[str, str]:
    """Let the fixture put back what it puts back, and say so for the episode that begins now."""
    steps = plant.put_back()
    return {PUT_BACK: str(steps)} if steps else {}


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """What an episode is to be: who acts, towards what (None: goalless), in whose name, for how many steps."""

    policy: Policy
    goal: Goal | None
    source: Source
    steps: int


def log_episode(
    plant: Plant, loop: PolicyLoop, plan: EpisodePlan, writer: EpisodeWriter, on_step: Callable[[], None]
) -> None:
    """Play `plan` into `writer` and let the arm rest.

    On any interruption what was acknowledged stays readable, marked as cut short.
    """
    try:
        for step in play(plant, loop, plan.policy, plan.goal, plan.source, plan.steps):
            writer.append(step)
            on_step()
        writer.finish(plant.look())
        plant.rest()
    except BaseException as error:
        writer.abort(type(error).__name__)
        raise


def played_in(path: Path) -> int:
    """Steps that the log at `path` tells of; 0 where there is no file, because there was nothing to tell."""
    return outline(path).steps if path.exists() else 0


def lengths(steps: int, episode_steps: int) -> list[int]:
    """Episode lengths that add up to `steps`, each `episode_steps` but the last."""
    whole, rest = divmod(steps, episode_steps)
    return [episode_steps] * whole + ([rest] if rest else [])
