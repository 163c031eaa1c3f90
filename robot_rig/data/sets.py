"""Which runs may be learnt from together, in which order their episodes then stand, and how one run is drawn apart.

Called by `rig data merge` and `split`. Pure: it reads no file and writes none; `data.set_copy` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robot_rig.config import Config
from robot_rig.data.outline import Outline
from robot_rig.data.store import number_of, stage_of
from robot_rig.errors import UserError

ORIGIN_FORMAT = 1
"""Version of the note that says what a run was put together from."""

DECISIVE: Mapping[str, tuple[str, ...]] = {
    "camera": (),
    "control": ("axes", "action_scale_m", "policy_rate_hz"),
    "tool": ("kind",),
    "sim": ("scene", "camera_position_m", "camera_target_m"),
}
"""Settings, by section (none named: all of it), that say what a logged picture or action means: an encoder that has
seen two cameras, or a critic that has met two sizes of action 1, has learnt nothing of either. Others only say how the
arm was guarded and how it was learnt from.
"""


class Placement(NamedTuple):
    """An episode file of a run and the name that its copy gets."""

    source: Path
    name: str


class LeftOut(NamedTuple):
    """A file that is in no new run, because it is no episode, and the sentence that says so."""

    source: Path
    why: str


class Origin(NamedTuple):
    """Where the episodes of a new run are from. `how`: the word of `rig data` and its options, as JSON can say them."""

    how: Mapping[str, Any]
    runs: tuple[Path, ...]
    placements: tuple[Placement, ...]
    left_out: tuple[LeftOut, ...]

    def plan(self) -> str:
        """16 hex digits that tell a repetition of this from anything else."""
        text = json.dumps([dict(self.how), self._runs(), *self._episodes({})], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def note(self, sha256: Mapping[str, str]) -> dict[str, Any]:
        """What is kept beside the copies. `sha256`: that of each copy by its name, of those that are made."""
        return {
            "format": ORIGIN_FORMAT,
            "plan": self.plan(),
            "complete": len(sha256) == len(self.placements),
            "how": dict(self.how),
            "runs": self._runs(),
            "episodes": list(self._episodes(sha256)),
            "left_out": [{"was": str(source.resolve()), "why": why} for source, why in self.left_out],
        }

    def _runs(self) -> list[str]:
        return [str(run.resolve()) for run in self.runs]

    def _episodes(self, sha256: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        for source, name in self.placements:
            yield {"file": name, "was": str(source.resolve()), "sha256": sha256.get(name)}


def refuse_differences(first: tuple[Path, Config], other: tuple[Path, Config]) -> None:
    """Raise UserError, naming each setting with both values, unless two runs can be learnt from together."""
    ours, theirs = _decisive(first[1]), _decisive(other[1])
    differing = [f"{key} is {_said(ours[key])} and {_said(theirs[key])}" for key in ours if ours[key] != theirs[key]]
    if differing:
        raise UserError(
            f"{first[0]} and {other[0]} cannot be learnt from together: {'; '.join(differing)}",
            next_step="merge only runs of one camera and one meaning of an action",
        )


def refuse_other_actions(config: Config, episodes: Sequence[Outline]) -> None:
    """Raise UserError for an episode whose actions have not one number for each of the run's axes."""
    for episode in episodes:
        if episode.action_dim != len(config.control.axes):
            raise UserError(
                f"{episode.path} has actions of {episode.action_dim} numbers, and control.axes of its run names "
                f"{len(config.control.axes)}",
                next_step="move it out of the run: it is of another rig",
            )


def in_one_row(runs: Sequence[Sequence[Outline]]) -> list[Placement]:
    """The episodes of all `runs` in order of time, named <stage>-<number> with the numbers from 0.

    Where one of them has no date (the simulator's clock in process begins at 0 each time), the runs follow on one
    another in the order given.
    """
    episodes = [episode for run in runs for episode in run]
    dated = [(episode.begun.timestamp(), at) for at, episode in enumerate(episodes) if episode.begun is not None]
    if len(dated) == len(episodes):
        episodes = [episodes[at] for _, at in sorted(dated)]
    return [
        Placement(episode.path, f"{stage_of(episode.path)}-{number:06d}.mcap")
        for number, episode in enumerate(episodes)
    ]


def twins(runs: Sequence[Sequence[Outline]]) -> Iterator[tuple[Path, Path]]:
    """Pairs of episodes that look like one and the same, of which the bytes decide."""
    seen: dict[tuple[object, ...], Path] = {}
    for episode in (episode for run in runs for episode in run):
        looks = (episode.size, episode.steps, episode.seconds, episode.begun, *sorted(episode.meta.items()))
        if looks in seen:
            yield seen[looks], episode.path
        seen.setdefault(looks, episode.path)


def draw(paths: Sequence[Path], share: float, seed: int) -> tuple[list[Placement], list[Placement]]:
    """Draw `share` (0 .. 1) of the episodes of each stage, the same for the same `seed`, and the rest; names stay.

    Raises UserError for a share or a seed that is none, and for a share that leaves one of the two without an episode.
    """
    if not 0.0 < share < 1.0:
        raise UserError(f"--share {share:g} leaves one side empty", next_step="give a number between 0 and 1")
    if seed < 0:
        raise UserError(f"--seed {seed} is negative", next_step="give 0 or more")
    drawn: set[Path] = set()
    for stage in sorted({stage_of(path) for path in paths}):
        of_stage = [path for path in paths if stage_of(path) == stage]
        # A generator for each stage: what is drawn of one does not change with the number of another.
        order = np.random.default_rng([seed, *stage.encode()]).permutation(len(of_stage))
        drawn |= {of_stage[at] for at in order[: round(share * len(of_stage))]}
    sides = ([path for path in paths if path in drawn], [path for path in paths if path not in drawn])
    if not all(sides):
        raise UserError(
            f"--share {share:g} of {len(paths)} episodes leaves one side empty",
            next_step="choose a share nearer to a half, or collect more episodes",
        )
    first, rest = ([Placement(path, path.name) for path in sorted(side, key=number_of)] for side in sides)
    return first, rest


def _decisive(config: Config) -> dict[str, object]:
    tree = config.model_dump(mode="json")
    return {
        f"{section}.{key}": tree[section][key] for section, keys in DECISIVE.items() for key in keys or tree[section]
    }


def _said(value: object) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
