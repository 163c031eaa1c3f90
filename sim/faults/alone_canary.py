"""Row 20: a checkpoint that is sound in every byte, signed by the trainer that is believed, and bad. Needs no graph.

Random weights are held before the canary in the simulator; and a bad one that acts all the same is taken back, as by
`rig rollback`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.config import Config, EvalConfig
from robot_rig.evaluation_attempts import Question
from robot_rig.keys import FOLDER_VARIABLE, TrainerKey, key_folder
from robot_rig.learning.checkpoint import write_checkpoint
from robot_rig.stages.acceptance import Acceptance, roll_back
from robot_rig.stages.canary import Canary
from robot_rig.stages.shipping import load_checkpoint, load_trusted
from sim.exam import SimExam
from sim.faults.judges import Verdict
from sim.strangers.originals import originals, untrained

GOALS, STEPS = 10, 25
ROLLBACK_S = 1.0


@cache
def canary() -> Canary:
    """One for all attempts of this process."""
    config = Config(evaluation=EvalConfig(goals=GOALS, goal_seed=20, episode_steps=STEPS))
    exam = SimExam(config, 0)
    return Canary(exam, [Question.of(case) for case in exam.goals], STEPS)


def ship_bad_policy(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 20: random weights are not promoted, and one that acts is taken back within a second."""
    verdict = Verdict()
    objection = canary().objection(untrained(int(random.integers(2**31))), None)
    verdict.add([] if objection else ["random weights passed the canary"])
    with keys_in(folder / "keys"):
        accepted_one_after_the_other(folder, (100, 200))
        clock = WallClock()
        began = clock.now()
        older = roll_back(folder)
        took = clock.now() - began
    verdict.figure("rollback", took)
    verdict.add([f"the rollback took {took:.1f} s"] if took > ROLLBACK_S else [])
    newest = Acceptance.of(folder / "played").newest
    wrong = (older, newest) != ("practice-000100", 100)
    return verdict.add([f"{older} and {newest} updates act, not those before"] if wrong else [])


@contextmanager
def keys_in(folder: Path) -> Iterator[None]:
    """Keys that are thrown away, not those of whoever causes faults."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before


def accepted_one_after_the_other(run: Path, updates: tuple[int, ...]) -> None:
    """Signed checkpoints of a practice run, that have all acted."""
    shipment = load_checkpoint(originals().checkpoint)
    (run / "played").mkdir(parents=True)
    for count in updates:
        path = run / "learnt" / "checkpoints" / f"practice-{count:06d}"
        manifest = replace(shipment.manifest, train_steps=count, sha256={})
        write_checkpoint(path, shipment.groups, manifest, TrainerKey.own(key_folder()).sign)
        Acceptance.of(run / "played").accept(run / "played", load_trusted(path).manifest)
