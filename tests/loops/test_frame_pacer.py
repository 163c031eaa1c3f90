"""Frames nearest to the policy's grid, at the policy's rate, whatever the camera's is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.loops.frame_pacer import FramePacer

PERIOD = 0.1


def chosen(stamps: list[float], pacer: FramePacer | None = None) -> list[float]:
    pacer = pacer or FramePacer(PERIOD)
    return [stamp for stamp in stamps if pacer.due(stamp)]


def camera(rate: float, seconds: float, jitter: float = 0.0, seed: int = 0) -> list[float]:
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, int(rate * seconds))
    return list(5.0 + np.arange(len(noise)) / rate + noise)


@pytest.mark.parametrize("rate", [30.0, 29.97, 30.03, 60.0, 90.0])
@pytest.mark.parametrize("jitter", [0.0, 0.001])
def test_a_multiple_of_the_rate_never_slips_a_frame(rate: float, jitter: float) -> None:
    gaps = np.diff(chosen(camera(rate, 300, jitter)))
    assert len(gaps) > 2900
    assert np.abs(gaps - PERIOD).max() < 0.6 / rate, "a slip is a whole camera period"


@given(st.floats(11.0, 120.0))
@settings(max_examples=60)
def test_any_faster_camera_gives_the_policys_rate_on_average(rate: float) -> None:
    taken = chosen(camera(rate, 60))
    # The grid follows a camera that is nearly in step with it: at 19.5 pictures a second by 2.5 %, the most there is.
    assert (taken[-1] - taken[0]) / (len(taken) - 1) == pytest.approx(PERIOD, rel=0.03)
    assert np.abs(np.diff(taken) - PERIOD).max() <= 1.0 / rate + 1e-6


@pytest.mark.parametrize("rate", [3.0, 6.0, 9.0])
def test_every_frame_of_a_slower_camera_is_answered(rate: float) -> None:
    stamps = camera(rate, 20)
    assert chosen(stamps) == stamps


def test_after_a_gap_the_grid_begins_anew_and_the_missing_periods_are_counted() -> None:
    pacer = FramePacer(PERIOD)
    before, after = camera(30.0, 1.0), [stamp + 1.5 for stamp in camera(30.0, 1.0)]
    taken = chosen(before + after, pacer)
    assert taken[10] == after[0]
    assert np.allclose(np.diff(taken[10:]), PERIOD)
    assert pacer.missed == 5  # 0.9 to 1.5: at 1.0, 1.1, 1.2, 1.3, 1.4


def test_a_lost_frame_costs_one_camera_period_and_no_more() -> None:
    stamps = camera(30.0, 2.0)
    del stamps[15]
    gaps = np.diff(chosen(stamps))
    assert gaps.max() < 0.15
    assert gaps.sum() / len(gaps) == pytest.approx(PERIOD, rel=0.02)


def test_a_restart_takes_the_next_frame() -> None:
    pacer = FramePacer(PERIOD)
    assert pacer.due(1.0)
    assert not pacer.due(1.03)
    pacer.restart()
    assert pacer.due(1.06)
