"""What an exam over the live graph tells beside its distances: time, misses, a person's verdict, and their sum.

Called by `rig eval --backend ros`, the exam's folder and its page. On a robot nobody knows where the tool should be, so
that distances are between pictures and latents; whether a goal was reached is then what a person at the arm says of it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation import wilson
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of one live attempt: how long it took (s), why it was cut short (empty when it was not), the
    policy's steps, the periods missed, `blind` of them for want of a picture, those that a bare timer missed, the
    slowest step from frame to joint command (ms, -1 without one), what a person said of it (None: nobody was asked),
    and why earlier attempts at this goal do not count.
    """

    seconds: float
    reason: str
    steps: int
    missed: int
    blind: int
    timer_missed: int
    slowest_ms: float
    reached: bool | None
    repeats: tuple[str, ...] = ()


class LiveScore(NamedTuple):
    """All sightings together. `reached` of `asked` goals by a person's word, `low` and `high` the 95 % Wilson interval
    of that; nobody was asked where `asked` is 0.
    """

    n: int
    complete: int
    seconds_median: float
    seconds_p90: float
    missed: int
    blind: int
    timer_missed: int
    slowest_ms: float
    repeats: int
    asked: int
    reached: int
    low: float
    high: float


def live_score(sightings: Sequence[Sighting]) -> LiveScore:
    """The sum of one sighting or more."""
    said = [one.reached for one in sightings if one.reached is not None]
    low, high = wilson(sum(said), len(said)) if said else (0.0, 1.0)
    seconds = [one.seconds for one in sightings]
    return LiveScore(
        n=len(sightings),
        complete=sum(not one.reason for one in sightings),
        seconds_median=float(np.median(seconds)),
        seconds_p90=float(np.percentile(seconds, 90)),
        missed=sum(one.missed for one in sightings),
        blind=sum(one.blind for one in sightings),
        timer_missed=sum(one.timer_missed for one in sightings),
        slowest_ms=max(one.slowest_ms for one in sightings),
        repeats=sum(len(one.repeats) for one in sightings),
        asked=len(said),
        reached=sum(said),
        low=low,
        high=high,
    )


def verdict_sentence(score: LiveScore) -> str:
    """How many goals were reached by a person's word, said as such."""
    return (
        f"A person who watched the arm said of {score.reached} of {score.asked} goals that they were reached (95 % "
        f"Wilson interval {score.low:.0%} to {score.high:.0%}). That is a judgement by eye and no measurement."
    )


def write_sighting(path: Path, sighting: Sighting) -> None:
    """Put `sighting` into `path`. Raises UserError when the disk refuses."""
    write_atomically(path, json.dumps(dataclasses.asdict(sighting)).encode())


def read_sighting(path: Path) -> Sighting:
    """What `write_sighting` wrote. Raises UserError when it is missing or damaged."""
    kinds = {
        "seconds": (float, int), "reason": (str,), "steps": (int,), "missed": (int,), "blind": (int,),
        "timer_missed": (int,), "slowest_ms": (float, int), "reached": (bool, type(None)), "repeats": (list,),
    }  # fmt: skip
    try:
        said = parse_object(read_regular(path, "sighting", INDEX_LIMIT))
        if said.keys() != kinds.keys() or any(type(said[name]) not in kinds[name] for name in kinds):
            raise ValueError("it is none")
        return Sighting(**{**said, "repeats": tuple(map(str, said["repeats"]))})
    except ValueError as error:
        raise UserError(
            f"the sighting {path} is damaged: {error}", next_step="examine again with `rig eval --backend ros`"
        ) from error
