"""The arm visits planned poses, and a view of the board is kept at each. Called by `rig calibrate poses`.

Knows no ROS: who leads the arm and who takes the picture are handed in. The plan lies beside the views, so that a tour
that was ended goes on where it was, also from another place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from calibration.poses import Room
from calibration.views import SUFFIXES, make_place, read_joints
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.strict_yaml import Entry, read_strict

T = TypeVar("T")

PLAN, POSES_KEY, BELOW_KEY = "plan.yaml", "poses_rad", "below_m"
MOST_POSES = 100
SAME_RAD = 0.02
"""How far the joints of a view may be from those of the pose that it was taken at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Joint positions to visit, each (7,) rad, with `below_m` of board hanging below the tool tip."""

    poses: tuple[Floats, ...]
    below_m: float


class LedArm(Protocol):
    """An arm that a program leads from posture to posture; each method raises UserError once that has been ended."""

    def position(self) -> Floats:
        """(7,) rad that it reports."""
        ...

    def go(self, posture: Floats) -> str:
        """Lead it to `posture` (7,) rad and return once it rests there; or why the guard refuses that way."""
        ...

    def stay(self, work: Callable[[], T]) -> T:
        """Let it rest where it is until `work` is done, and return what that gave."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What came of looking: whether a view was `kept`, and what was seen, for a person."""

    kept: bool
    words: str


def tour(room: Room, plan: Plan, folder: Path, arm: LedArm, look: Callable[[], Sight]) -> Iterator[Sight]:
    """Lead `arm` to each pose of `plan` that has no view in `folder` yet and `look` there; what came of each.

    A board that hangs too low is lifted straight up first. A pose that the guard refuses, or that no free way leads to,
    is left out and told of.
    """
    left = unseen(plan, folder)
    here = arm.position()
    if left and (above := room.lifted(here)) is not None and (refused := arm.go(above)):
        raise UserError(
            f"the board hangs too low here to be moved about, and cannot be lifted: {refused}",
            next_step="lead the tool up by its cuff, to the middle of the guard's box",
        )
    while left:
        here = arm.position()
        number = arm.stay(partial(room.nearest, here, left))
        if number is None:
            yield Sight(False, f"left out: {len(left)} poses to which no free way leads from here")
            return
        pose = left.pop(number)
        refused = arm.go(pose)
        yield Sight(False, f"left out: {refused}") if refused else arm.stay(look)


def unseen(plan: Plan, folder: Path) -> list[Floats]:
    """The poses of `plan` at which no view in `folder` was taken. Raises UserError for joints that cannot be read."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    taken = [read_joints(path) for path in pictures if path.with_suffix(".yaml").exists()]
    return [pose for pose in plan.poses if not any(np.abs(joints - pose).max() <= SAME_RAD for joints in taken)]


def keep_plan(folder: Path, plan: Plan) -> None:
    """Write `plan` beside the views that will be taken."""
    make_place(folder)
    poses = [[round(float(value), 6) for value in pose] for pose in plan.poses]
    lines = [f"{BELOW_KEY}: {plan.below_m:.4f}", f"{POSES_KEY}:", *(f"  - {json.dumps(pose)}" for pose in poses)]
    write_atomically(folder / PLAN, ("\n".join(lines) + "\n").encode())


def read_plan(folder: Path) -> Plan | None:
    """The plan in `folder`; None where there is none yet. Raises UserError for one that is none."""
    path = folder / PLAN
    if not path.exists():
        return None
    values = read_strict(path).value
    found = values if isinstance(values, dict) else {}
    poses = [_numbers(row) for row in _items(found.get(POSES_KEY))]
    below = _number(found.get(BELOW_KEY))
    if not 0 < len(poses) <= MOST_POSES or any(len(pose) != JOINTS for pose in poses) or below is None or below < 0.0:
        raise UserError(
            f"{path} is no plan of {BELOW_KEY} and {POSES_KEY}",
            next_step="move it away, and a new one is made; the views that were kept stay",
        )
    return Plan(tuple(np.array(pose) for pose in poses), below)


def _items(entry: Entry | None) -> Sequence[Entry]:
    return entry.value if entry is not None and isinstance(entry.value, list) else ()


def _numbers(row: Entry) -> list[float]:
    numbers = [_number(one) for one in _items(row)]
    return [] if None in numbers else [number for number in numbers if number is not None]


def _number(entry: Entry | None) -> float | None:
    value = entry.value if entry is not None else None
    # To Python, yes and no are numbers too.
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
