"""Which pictures a live attempt is judged by: those that were answered, whatever number they bear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from robot_rig.cli.live.attempt import Attempt, Watched
from robot_rig.datatypes import Action, Bytes, Floats, Frame, Source
from robot_rig.evaluation_attempts import Question
from robot_rig.loops.episode_state import EpisodeState, Stand
from sim.wire.ruler import Ruler

BEGIN, PERIOD_S, STEPS = 100.0, 0.1, 4
OLD, LATER = 200, 250
"""Shades of pictures of the camera's life before, and of the one after the attempt."""


def grey(shade: int) -> Bytes:
    return np.full((84, 84, 3), shade, np.uint8)


def frame(seq: int, stamp: float, shade: int) -> Frame:
    return Frame(seq, stamp, grey(shade))


def exposure(number: int) -> float:
    return BEGIN + PERIOD_S * number


class Slide:
    """A ruler at a tool that moves 1 m/s along x from `BEGIN` on."""

    latest = 1.0

    def tool_xy(self, stamp: float) -> Floats:
        return np.array([stamp - BEGIN, 0.0])


def watched(
    frames: list[Frame],
    last_stamp: float = exposure(STEPS),
    actions: Sequence[int] = range(STEPS),
    ruler: Ruler | None = None,
) -> Watched:
    """An attempt whose action i answers frame i, of shade i; the clocks of those who say so differ by 20 ms.

    Of its actions `actions` are heard here.
    """
    attempt = Attempt(ruler, STEPS, lambda mode: None)
    try:
        attempt._frames.extend(frames)
        for i in actions:
            stamp = exposure(i) + 0.02
            attempt._answered[i] = Action(i, stamp + 0.03, np.zeros(2, np.float32), Source.POLICY, i, stamp)
        state = EpisodeState("s", 1, Stand.COMPLETE, Source.POLICY, "g", 0, STEPS - 1, STEPS, last_stamp=last_stamp)
        # That was long ago, so nothing is waited for.
        return attempt._judge(Question("goal", grey(0), None), state, BEGIN, exposure(STEPS))
    finally:
        attempt.close()


MINE = [frame(i, exposure(i), i) for i in range(STEPS + 1)]


@pytest.mark.usefixtures("ros_node")
def test_a_camera_that_is_started_anew_and_counts_from_the_beginning_changes_no_picture() -> None:
    before = [frame(i, BEGIN - 5.0 + PERIOD_S * i, OLD) for i in range(20)]
    after = [frame(i, BEGIN + 5.0 + PERIOD_S * i, LATER) for i in range(20)]
    for kept in (MINE, [*before, *MINE, *after]):
        one = watched(kept)
        assert one.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
        assert one.complete


@pytest.mark.usefixtures("ros_node")
@pytest.mark.parametrize("last_stamp", [exposure(STEPS) + 1.0, math.nan])
def test_a_closing_picture_that_is_not_at_hand_is_the_newest_there_is(last_stamp: float) -> None:
    after = frame(STEPS + 1, exposure(STEPS + 1), 9)
    assert watched([*MINE, after], last_stamp).frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 9]


@pytest.mark.usefixtures("ros_node")
@pytest.mark.parametrize(
    ("missing", "shades"),
    [
        ({1}, [0, 0, 2, 3, 4]),
        ({0}, [1, 1, 2, 3, 4]),
        ({1, 2}, [0, 0, 0, 3, 4]),
        ({3}, [0, 1, 2, 2, 4]),
        ({0, 1, 2, 3}, [4, 4, 4, 4, 4]),
    ],
)
def test_a_picture_that_is_not_at_hand_moves_no_other_to_its_step(missing: set[int], shades: list[int]) -> None:
    kept = [one for one in MINE if one.seq not in missing]
    assert watched(kept).frames[:, 0, 0, 0].tolist() == shades


@pytest.mark.usefixtures("ros_node")
def test_an_action_that_was_not_heard_moves_neither_pictures_nor_places() -> None:
    slide = cast(Ruler, Slide())
    whole = watched(MINE, ruler=slide)
    for missing in range(1, STEPS - 1):
        one = watched(MINE, actions=[i for i in range(STEPS) if i != missing], ruler=slide)
        shades = [i - (i == missing) for i in range(STEPS + 1)]
        assert one.frames[:, 0, 0, 0].tolist() == shades
        assert one.places is not None
        assert whole.places is not None
        np.testing.assert_allclose(one.places, whole.places, atol=1e-9)
