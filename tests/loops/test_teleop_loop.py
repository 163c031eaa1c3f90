"""The dead man's switch: motion lasts as long as a key repeats; the zero goes out within 0.2 s, 0.1 s are the arm's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import Action, Source
from robot_rig.loops.human_actions import GOODBYES, SPEEDS
from robot_rig.loops.key_strokes import KEYS, Stroke, StrokeReader
from robot_rig.loops.teleop_loop import DIRECTIONS, RATE_HZ, TeleopLoop

SENT_S = 0.2
PERIOD_S = 1 / RATE_HZ


def played(loop: TeleopLoop, presses: dict[float, Stroke], until: float) -> list[Action]:
    """All actions of a loop that ticks at its rate while keys come at their times (s)."""
    actions, left = [], sorted(presses.items())
    for k in range(round(until / PERIOD_S)):
        now = 100.0 + k * PERIOD_S
        while left and 100.0 + left[0][0] <= now:
            loop.press(100.0 + left[0][0], left[0][1])
            left.pop(0)
        if (action := loop.tick(now)) is not None:
            actions.append(action)
    return actions


def moving(actions: list[Action]) -> list[Action]:
    return [action for action in actions if action.value.any()]


@given(
    st.lists(
        st.tuples(st.floats(0.0, 3.0), st.sampled_from(list(DIRECTIONS))), min_size=1, unique_by=lambda press: press[0]
    )
)
def test_motion_ends_within_the_limit_of_the_last_key_and_with_a_zero(presses: list[tuple[float, Stroke]]) -> None:
    actions = played(TeleopLoop(("x", "y", "z")), dict(presses), until=4.0)
    last = 100.0 + max(time for time, _ in presses)
    assert moving(actions)
    first_zero = next(a.stamp for a in actions if not a.value.any() and a.stamp > moving(actions)[-1].stamp)
    assert first_zero - last <= SENT_S + 1e-9
    assert moving(actions)[-1].stamp - last <= SENT_S + 1e-9
    assert not actions[-1].value.any()


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.sampled_from(list(Stroke))), unique_by=lambda press: press[0]))
def test_whatever_is_typed_actions_are_small_rising_and_a_persons(presses: list[tuple[float, Stroke]]) -> None:
    actions = played(TeleopLoop(("x", "y")), dict(presses), until=4.0)
    assert all(np.abs(action.value).max() <= max(SPEEDS) and action.source is Source.HUMAN for action in actions)
    assert all(np.count_nonzero(action.value) <= 1 for action in actions)
    assert all(one.seq < other.seq for one, other in itertools.pairwise(actions))


def test_a_held_key_moves_without_a_gap_and_nothing_is_sent_without_a_key() -> None:
    held = {0.5 + 0.033 * k: Stroke.Y_DOWN for k in range(30)}
    actions = played(TeleopLoop(("x", "y")), held, until=4.0)
    stamps = np.array([action.stamp for action in moving(actions)])
    assert np.diff(stamps).max() < 1.5 * PERIOD_S
    assert all(action.value[0] == 0 and action.value[1] < 0 for action in moving(actions))
    assert len(actions) - len(moving(actions)) == GOODBYES
    assert actions[0].stamp >= 100.5
    assert actions[-1].stamp <= 100.5 + 0.033 * 29 + SENT_S + GOODBYES * PERIOD_S


@pytest.mark.parametrize(
    "stroke", [Stroke.REST, Stroke.STOP, Stroke.HOLD, Stroke.HOME, Stroke.CORNER, Stroke.QUIT, Stroke.Z_UP]
)
def test_any_other_key_ends_motion_at_the_next_tick(stroke: Stroke) -> None:
    loop = TeleopLoop(("x", "y"))
    loop.press(100.0, Stroke.X_UP)
    first, _ = loop.tick(100.0), loop.press(100.01, stroke)
    second = loop.tick(100.05)
    assert first is not None
    assert second is not None
    assert first.value[0] > 0
    assert not second.value.any()


def test_speed_goes_in_steps_between_the_slowest_and_the_fastest() -> None:
    loop = TeleopLoop(("x",))
    seen = []
    for stroke in [Stroke.SLOWER] * 6 + [Stroke.FASTER] * 6:
        loop.press(0.0, stroke)
        seen.append(loop.speed)
    assert seen[5] == min(SPEEDS)
    assert seen[-1] == max(SPEEDS)
    assert sorted(set(seen)) == sorted(SPEEDS)


def test_a_new_loop_numbers_on_behind_the_one_before() -> None:
    before = played(TeleopLoop(("x",)), {0.1 * k: Stroke.X_UP for k in range(30)}, until=4.0)
    again = TeleopLoop(("x",))
    again.press(105.0, Stroke.X_UP)
    action = again.tick(105.0)
    assert action is not None
    assert action.seq > before[-1].seq


@given(st.lists(st.sampled_from(list(KEYS)), max_size=20), st.lists(st.integers(1, 5), max_size=60))
def test_keys_are_read_however_their_bytes_are_cut(keys: list[bytes], cuts: list[int]) -> None:
    reader, data, strokes = StrokeReader(), b"".join(keys), []
    for cut in cuts:
        strokes += reader.feed(data[:cut])
        data = data[cut:]
    strokes += reader.feed(data)
    assert strokes == [KEYS[key] for key in keys]


@given(st.binary(max_size=60))
def test_no_bytes_are_a_direction_but_those_of_its_keys(data: bytes) -> None:
    strokes = StrokeReader().feed(data)
    wanted = sum(data.count(key) for key, stroke in KEYS.items() if stroke in DIRECTIONS)
    assert sum(stroke in DIRECTIONS for stroke in strokes) <= wanted


@pytest.mark.parametrize(
    "typed", [[b"\x1b", b"x"], [b"\x1b", b"[", b"x"], [b"\x1bO", b"x"], [b"\x1b[1", b"x"], [b"\x1b[11", b"x"]]
)
@pytest.mark.parametrize("pause", [[], [b""]])
def test_an_escape_before_it_does_not_swallow_a_stop(typed: list[bytes], pause: list[bytes]) -> None:
    reader = StrokeReader()
    strokes = [stroke for data in typed for part in (data, *pause) for stroke in reader.feed(part)]
    assert strokes[-1] is Stroke.STOP
    assert set(strokes[:-1]) <= {Stroke.REST}


def test_a_lone_escape_is_rest_as_soon_as_nothing_follows() -> None:
    reader = StrokeReader()
    assert reader.feed(b"\x1b") == []
    assert reader.feed(b"") == [Stroke.REST]
    assert reader.feed(b"") == []
    assert reader.feed(b"\x1b[A") == [Stroke.X_UP]


def test_an_unknown_key_means_rest() -> None:
    assert StrokeReader().feed(b"y") == [Stroke.REST]
    assert StrokeReader().feed(b"\x1b[15~") == [Stroke.REST]
    assert StrokeReader().feed(b"\x1bw") == [Stroke.REST, Stroke.X_UP]
