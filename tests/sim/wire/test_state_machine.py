"""Every event in every reachable state: the table of the vendor's simulator, with its two traps taken out."""

from __future__ import annotations

from collections.abc import Callable

from sim.wire.state_machine import Button, RobotState, StopSource

EVENTS: tuple[Callable[[RobotState], RobotState], ...] = (
    RobotState.enable,
    RobotState.disable,
    RobotState.stop,
    RobotState.reset,
    RobotState.press_button,
    RobotState.release_button,
    RobotState.fault,
)


def reachable() -> set[RobotState]:
    found, todo = set[RobotState](), [RobotState()]
    while todo:
        state = todo.pop()
        if state not in found:
            found.add(state)
            todo += [event(state) for event in EVENTS]
    return found


def test_it_comes_up_disabled_and_ready() -> None:
    assert RobotState() == RobotState(homed=True, ready=True, enabled=False, stopped=False, error=False)


def test_enabled_excludes_stopped_and_error() -> None:
    states = reachable()
    assert len(states) > 5
    for state in states:
        assert not (state.enabled and (state.stopped or state.error))
        assert state.ready is not state.stopped
        assert (state.estop_source is StopSource.NONE) is not state.stopped
        assert state.error is (state.estop_source is StopSource.FAULT) or state.estop_button is not Button.UNPRESSED


def test_only_an_enable_enables() -> None:
    for state in reachable():
        for event in EVENTS:
            if event(state).enabled and not state.enabled:
                assert event is RobotState.enable
        assert not state.reset().enabled
        assert state.enable().enabled is not (state.stopped or state.error)


def test_a_stop_is_lifted_by_a_reset_alone() -> None:
    for state in reachable():
        for event in EVENTS:
            if state.stopped and not event(state).stopped:
                assert event is RobotState.reset
                assert event(state) == RobotState()


def test_a_stop_over_the_network_reads_as_the_vendors() -> None:
    stopped = RobotState().enable().stop()
    assert stopped == RobotState(ready=False, stopped=True, estop_source=StopSource.UNKNOWN)


def test_a_pressed_button_cannot_be_reset_until_it_is_up() -> None:
    pressed = RobotState().enable().press_button()
    assert (pressed.estop_button, pressed.estop_source) == (Button.PRESSED, StopSource.USER)
    assert pressed.reset() == pressed
    up = pressed.release_button()
    assert up.stopped
    assert up.estop_button is Button.RELEASED
    assert up.reset() == RobotState()


def test_a_fault_shows_as_error_until_reset() -> None:
    broken = RobotState().enable().fault()
    assert broken.error
    assert broken.estop_source is StopSource.FAULT
    assert broken.enable() == broken
    assert broken.reset() == RobotState()
