"""20 demonstrations beat random play on 20 goals (paired test, p < .05). The operator is scripted, and no person."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.demonstrations import DEMONSTRATIONS, GOALS, Outcome, run
from robot_rig.cli.options import RunOptions
from robot_rig.datatypes import Floats
from robot_rig.evaluation_compare import pair


@pytest.mark.proof
def test_twenty_demonstrations_beat_random_play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shorter VAE training than the bench's, so that it takes half a minute; the bar is the same."""
    assert (DEMONSTRATIONS, GOALS) == (20, 20)
    assert run(RunOptions(tmp_path, set=("vae.updates=400",)), (0,), DEMONSTRATIONS) == 0
    said = capsys.readouterr().out
    assert re.search(r"^bench demos seeds=1 met=1 median_cm=\d+\.\d+$", said, re.MULTILINE)
    # Nothing done is repeated: a second call only reads.
    assert run(RunOptions(tmp_path, set=("vae.updates=400",)), (0,), DEMONSTRATIONS) == 0
    assert said.splitlines()[-1] == capsys.readouterr().out.splitlines()[-1]


def outcome(imitator_m: Floats, random_m: Floats) -> Outcome:
    return Outcome(0, imitator_m, random_m, pair(random_m, imitator_m))


def test_the_bar_can_be_missed() -> None:
    rng = np.random.default_rng(0)
    randomly = rng.uniform(0.05, 0.2, GOALS)
    assert outcome(0.3 * randomly, randomly).met
    assert not outcome(3.0 * randomly, randomly).met
    assert not outcome(randomly + rng.normal(0.0, 0.001, GOALS), randomly).met
    assert not outcome(randomly, randomly).met
