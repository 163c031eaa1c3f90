"""Own motion since a picture: shares that add up, in order, corrected by what the guard let through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import Float32s
from robot_rig.interfaces import UNDER_WAY_ROWS
from robot_rig.loops.own_motion import OwnMotion

PERIOD_S = 0.1
LAG_S = 0.06


def value(number: float) -> Float32s:
    return np.array([number, -number], np.float32)


def walked(count: int, lag: float = LAG_S) -> OwnMotion:
    """Actions 0, 1, .. at 0.0, 0.1, .. s, each worth its number."""
    motion = OwnMotion(PERIOD_S, 2, lag)
    for seq in range(count):
        motion.add(seq, seq * PERIOD_S, value(seq))
    return motion


def rows(under_way: Float32s | None) -> list[tuple[float, float]]:
    assert under_way is not None
    return [(pytest.approx(share, abs=1e-6), first) for share, first, _ in under_way.tolist() if share]


def test_a_picture_of_now_has_nothing_under_way() -> None:
    assert walked(4).since(0.4, 0.4) is None
    assert OwnMotion(PERIOD_S, 2, LAG_S).since(0.0, 0.3) is None


def test_a_picture_shows_nothing_of_what_was_sent_a_lag_before_it_and_since() -> None:
    assert rows(walked(4).since(0.28 + LAG_S, 0.4)) == [(0.2, 2.0), (1.0, 3.0)]


def test_rows_are_filled_from_the_end() -> None:
    under_way = walked(4).since(0.28 + LAG_S, 0.4)
    assert under_way is not None
    assert under_way.shape == (UNDER_WAY_ROWS, 3)
    assert not under_way[:-2].any()


def test_an_action_without_a_successor_ends_after_its_period() -> None:
    assert rows(walked(1).since(0.05 + LAG_S, 0.5)) == [(0.5, 0.0)]


def test_what_the_guard_made_of_an_action_replaces_what_was_asked() -> None:
    motion = walked(4)
    motion.correct(2, value(0.25))
    motion.correct(99, value(7.0))
    assert rows(motion.since(0.2 + LAG_S, 0.4)) == [(1.0, 0.25), (1.0, 3.0)]


def test_too_old_a_picture_keeps_the_newest_motion() -> None:
    found = rows(walked(30).since(0.0, 3.0))
    assert [first for _, first in found] == [24.0, 25.0, 26.0, 27.0, 28.0, 29.0]


@given(age=st.floats(0.001, 0.35), late=st.floats(0.0, 0.1), lag=st.floats(0.0, 0.15))
def test_shares_add_up_to_age_and_lag(age: float, late: float, lag: float) -> None:
    """Between the first action and the end of the last one no time is lost or counted twice."""
    motion, now = walked(10, lag), 0.9 + late
    under_way = motion.since(now - age, now)
    total = 0.0 if under_way is None else float(under_way[:, 0].sum())
    assert total * PERIOD_S == pytest.approx(age + lag, abs=2 * UNDER_WAY_ROWS * 1e-3 * PERIOD_S)
