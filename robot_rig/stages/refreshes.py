"""What a tuning of the encoder in mid-practice does to success: policies of right before and right after each (R14).

`rig bench refresh` has them kept during practice; `examine` then takes them with the checkpoints, and the report draws
the curve. An encoder's version is its place in the order in which the run had them: 1 before the first tuning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from robot_rig.config import Config
from robot_rig.evaluation import Evaluation, summarise
from robot_rig.learning.checkpoint import read_checkpoint
from robot_rig.report_data import EncoderStretch
from robot_rig.runs import RunFolder
from robot_rig.stages.practice import Moment
from robot_rig.stages.shipping import checkpoints, ship_into
from robot_rig.trainer import Trainer

NAME = re.compile(r"refresh-([0-9]{6,})-(before|after)")
ORDER = ("before", "after", "checkpoint")
"""Of those after equally many steps: a checkpoint is shipped after the tuning that is due then."""


def keep(run: RunFolder, config: Config, trainer: Trainer, moment: Moment, steps: int) -> None:
    """Keep the averaged policy of this `moment` of a tuning after `steps` practice steps, as a checkpoint.

    It stands already only after a kill, and a resumed run learns the same again.
    """
    ship_into(run.path / "refreshes" / f"refresh-{steps:06d}-{moment}", run, config, trainer)


def kept(run: RunFolder) -> dict[tuple[int, str], Path]:
    """(practice steps, "before" or "after") -> policy, those that `run` holds, in the order of events."""
    found = {}
    for path in (run.path / "refreshes").glob("refresh-*"):
        if match := NAME.fullmatch(path.name):
            found[int(match[1]), match[2]] = path
    return dict(sorted(found.items(), key=lambda item: (item[0][0], ORDER.index(item[0][1]))))


def stretches(run: RunFolder, config: Config, found: Mapping[str, Evaluation]) -> list[EncoderStretch]:
    """Of each encoder that the run had, in their order: how its policies did in the exams `found`, by name.

    Empty where no policy around a tuning was kept and examined.
    """
    around = kept(run)
    if not any(path.name in found for path in around.values()):
        return []
    everyone = around | {(steps, ORDER[-1]): path for steps, path in checkpoints(run).items()}
    made: list[EncoderStretch] = []
    for (steps, _), path in sorted(everyone.items(), key=lambda item: (item[0][0], ORDER.index(item[0][1]))):
        if path.name not in found:
            continue
        encoder = read_checkpoint(path, ())[1].encoder_id
        point = (steps, summarise(found[path.name].final_m, config.evaluation.success_m))
        if made and made[-1].encoder_id == encoder:
            made[-1] = EncoderStretch(encoder, (*made[-1].points, point))
        else:
            made.append(EncoderStretch(encoder, (point,)))
    return made
