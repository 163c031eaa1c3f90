"""The mode table, walked in full: every mode with every event."""

from __future__ import annotations

import itertools

import pytest

from robot_rig.datatypes import Mode
from robot_rig.safety.modes import HELD_LIMIT_S, PERSON, TRANSITIONS, Event, after

MOVING = {Mode.ACTIVE, Mode.HOMING}
FAULTS = {Event.STOP, Event.ARM_STOPPED, Event.ARM_ERROR, Event.COLLISION, Event.BROKEN}
ALL = list(itertools.product(Mode, Event))

# The whole table once more, by hand: mode -> one letter per event, in the order of Event.
#   enable hold home stop reset homed returned lapsed arm_disabled arm_stopped arm_error collision broken
EXPECTED = {
    Mode.DISABLED: "A D D F D D D D D F F F F",
    Mode.HOLD: "A H M F H H H H D F F F F",
    Mode.HOMING: "M H M F M H A H D F F F F",
    Mode.ACTIVE: "A H M F A A A H D F F F F",
    Mode.FAULT: "F F F F D F F F F F F F F",
}
LETTER = {"A": Mode.ACTIVE, "D": Mode.DISABLED, "F": Mode.FAULT, "H": Mode.HOLD, "M": Mode.HOMING}


def test_the_table_is_complete() -> None:
    assert set(TRANSITIONS) == set(Mode)
    for row in TRANSITIONS.values():
        assert set(row) == set(Event)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_event_leads_where_the_hand_written_table_says(mode: Mode) -> None:
    letters = EXPECTED[mode].split()
    assert len(letters) == len(Event)
    for event, letter in zip(Event, letters, strict=True):
        assert after(mode, event) is LETTER[letter], event


@pytest.mark.parametrize(("mode", "event"), ALL)
def test_only_a_person_leads_from_rest_to_motion(mode: Mode, event: Event) -> None:
    if mode not in MOVING and after(mode, event) in MOVING:
        assert event in PERSON


@pytest.mark.parametrize(("mode", "event"), ALL)
def test_a_fault_event_latches_from_everywhere(mode: Mode, event: Event) -> None:
    if event in FAULTS:
        assert after(mode, event) is Mode.FAULT


@pytest.mark.parametrize("event", list(Event))
def test_out_of_fault_leads_reset_alone_and_only_to_disabled(event: Event) -> None:
    assert after(Mode.FAULT, event) is (Mode.DISABLED if event is Event.RESET else Mode.FAULT)


@pytest.mark.parametrize(("mode", "event"), ALL)
def test_a_reset_never_starts_motion(mode: Mode, event: Event) -> None:
    if event is Event.RESET and mode not in MOVING:
        assert after(mode, event) not in MOVING


def test_stale_data_is_borne_for_five_seconds() -> None:
    assert HELD_LIMIT_S == 5.0


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[Mode.FAULT] = {}  # type: ignore[index]
