"""The gripper on a person's orders, against the simulated gripper's own electronics: fingers move in an order only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.gripper import ARRIVED_M, CALIBRATE_S, OFF, FingerRule, Gripper, GripperState, read_gripper, set_signals
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Mode
from robot_rig.errors import UserError
from sim.fingers import OPEN_M
from sim.scenes import TIMESTEP_S
from sim.wire.io_device import read_command
from sim.wire.io_gripper import Gripper as SimulatedGripper
from sim.world import World

WORLD = World(Config(), seed=0)


class Jaws:
    """Fingers with something between them that is `thick` (m) and does not yield; else as those in the physics."""

    def __init__(self, opening: float, thick: float) -> None:
        self.opening, self.thick = opening, thick

    def place(self, opening: float) -> None:
        self.opening = max(opening, self.thick)

    def pressure(self) -> float:
        return 10.0 if self.thick > 0.0 and self.opening <= self.thick else 0.0


class Bench:
    """A gripper on the table, its motors under the guard's `mode`. It is its own link and its own clock."""

    def __init__(self, rule: FingerRule = "free", jaws: Jaws | None = None) -> None:
        self.fingers: Any = jaws if jaws is not None else WORLD.fingers
        if jaws is None:
            self.fingers.place(0.0)
        self.device = SimulatedGripper(self.fingers)
        self.mode_now = Mode.ACTIVE
        self.powered = True
        self.ordered = False
        self.refusal = ""
        self.moved_unasked = 0.0
        self.numbers = itertools.count(1)
        self.happens: dict[int, Callable[[], None]] = {}
        """What happens at the n-th wait from now."""
        self.gripper = Gripper(self, self.standing, lambda: self.mode_now, rule, self.wait)

    # --- the link -----------------------------------------------------------------------------------------------------

    def state(self) -> GripperState:
        values = self.device.device.state().values
        return read_gripper([(name, json.dumps([value])) for name, value in values.items()])

    def set(self, values: Mapping[str, bool | float]) -> None:
        self.device.device.apply(read_command((next(self.numbers), 0), "set", set_signals(values)))
        if refusal := self.device.device.state().responses[-1]:
            raise UserError(refusal)

    # --- the guard ----------------------------------------------------------------------------------------------------

    @contextmanager
    def standing(self) -> Iterator[None]:
        if self.mode_now not in (Mode.ACTIVE, Mode.HOLD):
            raise UserError(f"the arm is in mode {self.mode_now.value}")
        self.ordered = True
        try:
            yield
        finally:
            self.ordered = False

    # --- time ---------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        self.happens = {count - 1: event for count, event in self.happens.items()}
        self.happens.pop(0, lambda: None)()
        before = self.fingers.opening
        for _ in range(round(seconds / TIMESTEP_S)):
            self.device.tick(self.powered and self.mode_now not in OFF, TIMESTEP_S)
        if not self.ordered or self.mode_now in OFF:
            self.moved_unasked = max(self.moved_unasked, abs(self.fingers.opening - before))

    def live(self, seconds: float) -> None:
        """Time without an order, in which the arm process looks after the gripper."""
        for _ in range(round(seconds / 0.1)):
            self.gripper.watch()
            self.wait(0.1)

    def turn_off(self) -> None:
        self.mode_now = Mode.FAULT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_asking_how_it_stands_sends_it_nothing(bench: Bench) -> None:
    version = bench.device.device.version
    assert bench.gripper.status() == "gripper 0.0 mm open, calibrated"
    bench.live(1.0)
    assert bench.device.device.version == version


def test_it_opens_and_closes_and_says_where_it_is(bench: Bench) -> None:
    assert bench.gripper.open() == f"gripper {1000 * OPEN_M:.1f} mm open, calibrated"
    assert bench.fingers.opening == pytest.approx(OPEN_M, abs=ARRIVED_M)
    assert bench.gripper.close().startswith("gripper 0.0 mm")
    assert bench.moved_unasked == 0.0


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.FAULT, Mode.HOMING])
def test_without_the_guards_leave_nothing_is_sent(bench: Bench, mode: Mode) -> None:
    bench.mode_now = mode
    version = bench.device.device.version
    for order in (bench.gripper.open, bench.gripper.close, bench.gripper.calibrate):
        with pytest.raises(UserError, match=mode.value):
            order()
    assert bench.device.device.version == version


def test_it_is_calibrated_on_request_only(bench: Bench) -> None:
    bench.set({"reboot": True})
    bench.wait(0.1)
    for order in (bench.gripper.open, bench.gripper.close):
        with pytest.raises(UserError, match="rig gripper calibrate"):
            order()
    assert "not calibrated" in bench.gripper.status()
    bench.live(1.0)
    assert bench.fingers.opening == 0.0
    bench.happens = {4: lambda: seen.append(bench.fingers.opening)}
    seen: list[float] = []
    assert bench.gripper.calibrate() == "gripper 0.0 mm open, calibrated"
    assert seen[0] > 0.02, "it opens first"
    bench.gripper.open()
    assert bench.moved_unasked == 0.0


def test_fingers_that_push_stay_closed() -> None:
    push = load_config(["push"], [])
    assert push.tool.fingers == "closed"
    bench = Bench(push.tool.fingers)
    with pytest.raises(UserError, match="stay closed"):
        bench.gripper.open()
    assert bench.fingers.opening == 0.0
    assert "kept closed" in bench.gripper.close()
    bench.gripper.calibrate()
    assert bench.fingers.opening == 0.0
    assert Config().tool.fingers == "free"


@pytest.mark.parametrize("waits", [1, 3, 5])
def test_a_stop_on_the_way_halts_the_fingers_and_the_power_does_not_bring_the_order_back(
    bench: Bench, waits: int
) -> None:
    bench.happens = {waits: bench.turn_off}
    with pytest.raises(UserError, match="halted"):
        bench.gripper.open()
    stopped = bench.fingers.opening
    assert stopped < OPEN_M - ARRIVED_M
    bench.live(0.5)
    bench.mode_now = Mode.ACTIVE
    bench.live(1.0)
    assert bench.fingers.opening == stopped
    assert bench.moved_unasked == 0.0
    bench.gripper.close()
    assert bench.fingers.opening == pytest.approx(0.0, abs=ARRIVED_M), "and not where the order before wanted them"
    bench.gripper.open()
    assert bench.fingers.opening == pytest.approx(OPEN_M, abs=ARRIVED_M)


def test_fingers_that_were_held_up_do_not_go_on_when_the_way_is_free(bench: Bench) -> None:
    bench.gripper.open()
    bench.powered = False  # something is in the way, and takes all the motor's force
    with pytest.raises(UserError, match="Look what is in their way"):
        bench.gripper.close()
    bench.powered = True
    bench.live(1.0)
    assert bench.fingers.opening == pytest.approx(OPEN_M, abs=ARRIVED_M)
    assert bench.moved_unasked == 0.0


def test_what_it_gripped_when_the_arm_went_off_is_not_gripped_further_when_the_power_is_back() -> None:
    jaws = Jaws(OPEN_M, thick=0.02)
    bench = Bench(jaws=jaws)
    assert bench.gripper.close() == "gripper 20.0 mm open, calibrated, gripping"
    bench.live(1.0)
    assert bench.state().go, "it holds what it has for as long as the arm is on"
    bench.turn_off()
    bench.live(0.3)
    jaws.thick = 0.0  # taken out by hand
    bench.mode_now = Mode.ACTIVE
    bench.live(1.0)
    assert jaws.opening == 0.02
    bench.gripper.close()
    assert jaws.opening == pytest.approx(0.0, abs=ARRIVED_M)


def test_a_calibration_that_does_not_end_is_given_up(bench: Bench) -> None:
    bench.powered = False
    with pytest.raises(UserError, match=f"not calibrated after {CALIBRATE_S:g} s"):
        bench.gripper.calibrate()
    assert bench.state().go is False


def test_a_refusal_of_the_gripper_is_told(bench: Bench) -> None:
    with pytest.raises(UserError, match="no signal"):
        bench.set({"fly": True})


orders = st.sampled_from(["open", "close", "calibrate", "off", "on", "wait", "off soon"])


@settings(max_examples=25)
@given(st.lists(orders, max_size=8))
def test_whatever_is_ordered_and_however_the_power_goes_fingers_move_in_an_order_only(steps: list[str]) -> None:
    bench = Bench()
    for step in steps:
        if step in ("off", "on"):
            bench.mode_now = Mode.FAULT if step == "off" else Mode.ACTIVE
        elif step == "off soon":
            bench.happens = {3: bench.turn_off}
        elif step != "wait":
            with suppress(UserError):
                getattr(bench.gripper, step)()
        # The watch is to look before the power comes back.
        bench.live(0.2)
    assert bench.moved_unasked == 0.0


@pytest.mark.parametrize(
    "signals",
    [
        [],
        [("is_calibrated", "[true]")],
        [("is_calibrated", "[1]"), ("position_response_m", "[0.1]")],
        [("position_response_m", "[NaN]")],
        [("position_response_m", "nonsense")],
    ],
)
def test_a_word_that_is_garbled_is_no_state(signals: list[tuple[str, str]]) -> None:
    whole = [(name, "[false]") for name in ("has_error", "is_moving", "is_gripping", "go")]
    with pytest.raises(ValueError, match=r"."):
        read_gripper([*whole, *signals])
