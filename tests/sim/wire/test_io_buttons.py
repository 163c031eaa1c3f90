"""Buttons as the robot's firmware counts them: clicks, long presses, double clicks; and wheels that run over."""

from __future__ import annotations

import pytest

from sim.scenes import TIMESTEP_S
from sim.wire.io_buttons import DOUBLE_CLICK_S, LONG_HOLD_S, SHOWN_S, Button, Press, Wheel
from sim.wire.io_panels import Panels


def values(button: Button, seconds: float) -> list[Press]:
    """What it reports while `seconds` pass."""
    reported = []
    for _ in range(round(seconds / TIMESTEP_S)):
        button.tick(TIMESTEP_S)
        reported.append(button.value)
    return reported


def test_a_click_is_shown_long_enough_for_whoever_looks_ten_times_a_second() -> None:
    button = Button()
    button.push(down=True)
    values(button, 0.02)
    button.push(down=False)
    shown = values(button, 1.0)
    assert set(shown) == {Press.CLICK, Press.OFF}
    assert shown.count(Press.CLICK) * TIMESTEP_S == pytest.approx(SHOWN_S - 0.02, abs=2 * TIMESTEP_S)
    assert shown[-1] is Press.OFF


def test_a_press_that_lasts_becomes_a_long_one_until_it_ends() -> None:
    button = Button()
    button.push(down=True)
    shown = values(button, 1.0)
    assert shown.count(Press.CLICK) * TIMESTEP_S == pytest.approx(LONG_HOLD_S, abs=2 * TIMESTEP_S)
    assert shown[-1] is Press.LONG_PRESS
    button.push(down=False)
    button.tick(TIMESTEP_S)
    assert button.value is Press.OFF


def test_a_long_press_is_shown_too_when_it_ends_as_soon_as_it_is_long() -> None:
    button = Button()
    button.push(down=True)
    values(button, LONG_HOLD_S + 0.01)
    button.push(down=False)
    assert values(button, 1.0).count(Press.LONG_PRESS) * TIMESTEP_S == pytest.approx(SHOWN_S, abs=0.02)


@pytest.mark.parametrize(("apart", "second"), [(DOUBLE_CLICK_S - 0.05, Press.DOUBLE_CLICK), (0.5, Press.CLICK)])
def test_two_presses_close_together_are_a_double_click(apart: float, second: Press) -> None:
    button = Button()
    button.push(down=True)
    values(button, 0.05)
    button.push(down=False)
    values(button, apart - 0.05)
    button.push(down=True)
    assert button.value is second
    assert set(values(button, 0.4)) == {second}


def test_a_finger_that_stays_is_one_press() -> None:
    panels = Panels()
    for _ in range(20):
        panels.hold(frozenset({"right_button_ok", "right_cuff"}))
        panels.tick(TIMESTEP_S)
    assert panels.navigator["right_button_ok"] == Press.CLICK
    assert panels.cuff["right_cuff"] == Press.CLICK
    assert panels.is_squeezed
    assert not any(panels.navigator[name] for name in panels.navigator.signals if name != "right_button_ok")
    panels.hold(frozenset())
    assert not panels.is_squeezed


@pytest.mark.parametrize(("clicks", "value"), [(5, 5), (-1, 255), (256, 0), (-257, 255)])
def test_a_wheel_runs_over(clicks: int, value: int) -> None:
    wheel = Wheel()
    wheel.turn(clicks)
    assert wheel.value == value
