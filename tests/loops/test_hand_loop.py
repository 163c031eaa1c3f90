"""The dead-man of gamepads and 3D mice: what must have happened before anything moves, and after what nothing does."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.datatypes import Action, Source
from robot_rig.loops.hand_loop import DEAD_ZONE, LOOK_S, RATE_HZ, STILL_S, STUCK_S, HandLoop, HandReport, Speech
from robot_rig.loops.human_actions import GOODBYES, SPEEDS
from robot_rig.loops.key_strokes import Stroke

PERIOD = 1.0 / RATE_HZ
REST, PUSHED = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)
BEGUN = 100.0


class Hand:
    """A device in a person's hand, played over time. It repeats itself, unless `speech` says that it does not."""

    def __init__(self, loop: HandLoop, speech: Speech = Speech.REPEATS) -> None:
        self.loop, self.speech = loop, speech
        self.now = BEGUN
        self.report = HandReport()
        self.actions: list[Action] = []
        loop.begin(self.now, self.report)

    def say(self, axes: tuple[float, float, float] = REST, held: bool = False) -> None:
        self.report = HandReport(axes, held)
        self.loop.feel(self.now, self.report)

    def go_on(self, seconds: float, *, alive: bool = True, read: bool = True) -> None:
        """Let time pass with the device as it is; not `alive`: it says nothing more; not `read`: nobody listens."""
        for _ in range(round(seconds / PERIOD)):
            self.now += PERIOD
            if read:
                self.loop.look(self.now, self.speech)
            if read and alive and self.speech is Speech.REPEATS and self.report.deflected:
                self.loop.feel(self.now, self.report)
            if (action := self.loop.tick(self.now)) is not None:
                self.actions.append(action)

    def grip_and_push(self) -> None:
        self.say(REST, held=True)
        self.go_on(PERIOD)
        self.say(PUSHED, held=True)
        self.go_on(0.3)

    @property
    def moving(self) -> list[Action]:
        return [action for action in self.actions if action.value.any()]


@pytest.fixture
def hand() -> Hand:
    return Hand(HandLoop(("x", "y")))


def test_a_held_dead_man_moves_and_a_release_is_zero_at_the_next_tick(hand: Hand) -> None:
    hand.grip_and_push()
    assert hand.moving
    assert all(action.source is Source.HUMAN and action.value[0] > 0 == action.value[1] for action in hand.moving)
    hand.say(PUSHED, held=False)
    before = len(hand.moving)
    hand.go_on(1.0)
    assert len(hand.moving) == before
    zeros = hand.actions[-GOODBYES:]
    assert not any(action.value.any() for action in zeros)
    assert zeros[0].stamp == pytest.approx(hand.moving[-1].stamp + PERIOD)
    assert hand.loop.silent


def test_it_is_silent_only_once_the_last_zero_has_gone_to_who_asked_and_was_sent(hand: Hand) -> None:
    hand.grip_and_push()
    hand.say(PUSHED, held=False)
    asked = 0
    while hand.loop.tick(hand.now) is not None:
        asked += 1
        # Whoever hands the arm back looks from another thread, before this zero is sent.
        assert not hand.loop.silent
    assert asked == GOODBYES
    assert hand.loop.silent


@pytest.mark.parametrize("axes", [PUSHED, (0.0, -1.0, 0.0), (0.0, 0.0, 0.3)])
def test_a_cap_or_a_stick_alone_moves_nothing(hand: Hand, axes: tuple[float, float, float]) -> None:
    hand.say(axes)
    hand.go_on(1.0)
    assert not hand.actions


def test_a_dead_man_that_is_pressed_while_the_stick_is_out_is_of_no_use_until_it_is_let_go(hand: Hand) -> None:
    hand.say(PUSHED)
    hand.say(PUSHED, held=True)
    hand.go_on(0.5)
    assert "let go of both" in hand.loop.advice
    hand.say(REST, held=True)
    hand.say(PUSHED, held=True)
    hand.go_on(0.5)
    assert not hand.moving
    hand.say(REST)
    hand.grip_and_push()
    assert hand.moving
    assert hand.loop.advice == ""


def test_a_dead_man_that_was_held_when_the_device_was_opened_does_not_count(hand: Hand) -> None:
    hand.loop.begin(hand.now, HandReport(REST, held=True))
    hand.grip_and_push()
    assert not hand.actions
    hand.say(REST)
    hand.grip_and_push()
    assert hand.moving


def stop_talking(hand: Hand) -> None:
    hand.go_on(1.0, alive=False)


def stop_reading(hand: Hand) -> None:
    hand.go_on(1.0, read=False)


def unplug(hand: Hand) -> None:
    hand.loop.lose()
    hand.go_on(1.0, read=False)


def hit_a_key(hand: Hand) -> None:
    hand.loop.press(hand.now, Stroke.REST)
    hand.go_on(1.0)


@pytest.mark.parametrize(
    ("trouble", "limit"),
    [(stop_talking, STUCK_S + PERIOD), (stop_reading, LOOK_S + PERIOD), (unplug, 0.0), (hit_a_key, 0.0)],
)
def test_what_goes_wrong_with_a_pushed_stick_ends_motion_in_time_and_nothing_goes_on_by_itself(
    hand: Hand, trouble: Callable[[Hand], None], limit: float
) -> None:
    hand.grip_and_push()
    began = hand.now
    trouble(hand)
    assert hand.moving[-1].stamp - began <= limit + 1e-9
    assert not any(action.value.any() for action in hand.actions[-GOODBYES:])
    assert hand.loop.advice
    before = len(hand.moving)
    hand.say(PUSHED, held=True)
    hand.go_on(0.5)
    assert len(hand.moving) == before, "the device came back to life, not the person"
    hand.loop.begin(hand.now, HandReport())
    hand.grip_and_push()
    assert len(hand.moving) > before


@pytest.fixture
def pad() -> Hand:
    """One that speaks of changes only, as the kernel does of a gamepad."""
    return Hand(HandLoop(("x", "y")), Speech.CHANGES)


def trembling(number: int) -> tuple[float, float, float]:
    """A stick that a hand holds: never quite the same."""
    return (0.9 + 0.001 * (number % 3), 0.0, 0.0)


def test_a_stick_that_trembles_in_a_hand_moves_on(pad: Hand) -> None:
    pad.say(REST, held=True)
    for number in range(100):
        pad.say(trembling(number), held=True)
        pad.go_on(STUCK_S - PERIOD)
    assert len(pad.moving) > 150
    assert all(action.value.any() for action in pad.actions)


def test_a_stick_of_one_value_pauses_at_once_and_goes_on_with_its_next_word(pad: Hand) -> None:
    pad.grip_and_push()
    spoke = pad.now - 0.3
    assert pad.moving[-1].stamp - spoke <= STUCK_S + 1e-9
    assert not pad.loop.moving(pad.now)
    assert not pad.actions[-1].value.any(), "it is told to stand, not let go of"
    assert not pad.loop.silent
    before = len(pad.moving)
    pad.go_on(0.2)
    assert "move it a little" in pad.loop.advice
    pad.say(trembling(1), held=True)
    pad.go_on(2 * PERIOD)
    assert len(pad.moving) == before + 2
    assert pad.loop.advice == ""


def test_a_stick_of_one_value_for_two_seconds_wants_the_dead_man_anew(pad: Hand) -> None:
    pad.grip_and_push()
    moved = len(pad.moving)
    pad.go_on(STILL_S)
    assert "anew" in pad.loop.advice
    assert pad.loop.silent
    pad.say(trembling(1), held=True)
    pad.go_on(0.5)
    assert len(pad.moving) == moved, "the device came back to life, not the person"


def test_a_little_of_two_axes_is_deflected_too() -> None:
    a_little = 0.9 * DEAD_ZONE
    assert HandReport((a_little, a_little, 0.0)).deflected, "for that is what moves"
    assert not HandReport((a_little, 0.0, 0.0)).deflected
    assert HandReport((float("nan"), 0.0, 0.0)).deflected


def test_a_process_that_was_frozen_with_a_pushed_stick_does_not_go_on_when_it_thaws(hand: Hand) -> None:
    hand.grip_and_push()
    before = len(hand.moving)
    hand.now += 1.0
    hand.go_on(1.0)
    assert len(hand.moving) == before


def test_a_dead_man_held_at_rest_takes_the_arm_and_moves_nothing(hand: Hand) -> None:
    hand.say(REST, held=True)
    hand.go_on(0.5)
    assert len(hand.actions) == pytest.approx(0.5 / PERIOD, abs=1)
    assert not hand.moving
    hand.go_on(5.0)
    assert hand.actions[-1].stamp < BEGUN + STILL_S + 5 * PERIOD, "a mouse that has died at rest holds no dead-man"


def test_a_change_of_speed_does_not_end_motion(hand: Hand) -> None:
    hand.grip_and_push()
    for stroke in (Stroke.FASTER,) * 6 + (Stroke.SLOWER,) * 6:
        hand.loop.press(hand.now, stroke)
        hand.go_on(PERIOD)
    assert [round(float(action.value[0]), 6) for action in hand.moving[-12:]] == [
        *SPEEDS[2:], *[SPEEDS[-1]] * 4, *SPEEDS[-2::-1], *[SPEEDS[0]] * 3,
    ]  # fmt: skip


unit = st.floats(-1.0, 1.0)


@given(st.tuples(unit, unit, unit), st.sampled_from([("x",), ("x", "y"), ("y", "x"), ("x", "y", "z")]))
def test_deflection_becomes_a_vector_of_the_same_direction_along_the_configured_axes(
    axes: tuple[float, float, float], names: tuple[str, ...]
) -> None:
    hand = Hand(HandLoop(names))
    hand.say(REST, held=True)
    hand.say(axes, held=True)
    action = hand.loop.tick(hand.now)
    assert action is not None
    wanted = np.array([dict(zip("xyz", axes, strict=True))[name] for name in names])
    length, got = np.linalg.norm(wanted), float(np.linalg.norm(action.value))
    assert got <= hand.loop.speed + 1e-6
    if length <= DEAD_ZONE:
        assert got == 0.0
    else:
        assert float(action.value @ wanted) == pytest.approx(got * length, rel=1e-4, abs=1e-6)
    if length >= 1.0:
        assert got == pytest.approx(hand.loop.speed, rel=1e-4)


events = st.one_of(
    st.tuples(st.just("say"), st.sampled_from([REST, PUSHED, (0.05, 0.0, 0.0)]), st.booleans()),
    st.tuples(st.just("wait"), st.floats(0.0, 0.3)),
    st.tuples(st.just("look"), st.sampled_from(list(Speech))),
    st.tuples(st.just("lose")),
    st.tuples(st.just("begin"), st.booleans()),
    st.tuples(st.just("press"), st.sampled_from(list(Stroke))),
)


@settings(max_examples=300)
@given(st.lists(events, max_size=60))
def test_whatever_happens_motion_has_a_fresh_press_behind_it(happenings: list[tuple[object, ...]]) -> None:
    """The judge knows only what happened: a press out of rest and release, and nothing but held words since."""
    loop, now = HandLoop(("x", "y")), BEGUN
    armed, valid, spoke = False, False, -np.inf
    sent: list[Action] = []
    for what, *rest in happenings:
        if what == "wait":
            now += rest[0]
            valid = valid and rest[0] <= LOOK_S + 1e-9
        elif what == "say":
            axes, held = rest
            deflected = max(map(abs, axes)) > DEAD_ZONE
            valid = held and (valid or (armed and not deflected))
            armed, spoke = not held, now
            loop.feel(now, HandReport(axes, held))
        elif what == "look":
            loop.look(now, rest[0])
        elif what == "press":
            valid = valid and rest[0] in (Stroke.FASTER, Stroke.SLOWER)
            loop.press(now, rest[0])
        elif what == "begin":
            valid, armed, spoke = False, not rest[0], now
            loop.begin(now, HandReport(held=rest[0]))
        else:
            valid, armed = False, False
            loop.lose()
        if (action := loop.tick(now)) is not None:
            sent.append(action)
            assert not action.value.any() or (valid and now - spoke <= STUCK_S + 1e-9)
    assert all(one.seq < other.seq for one, other in itertools.pairwise(sent))
