"""The gripper's electronics: calibration, power, hold, speed and what it refuses; in air, tests/sim/test_fingers.py
grips."""

from __future__ import annotations

import pytest

from robot_rig.config import Config
from sim.fingers import OPEN_M
from sim.scenes import TIMESTEP_S
from sim.wire.io_device import READY, UNREADY, Command
from sim.wire.io_gripper import FASTEST_M_S, SLOWEST_M_S, Gripper
from sim.world import World


class Bench:
    """A gripper alone on the table, without an arm that moves."""

    def __init__(self) -> None:
        self.fingers = World(Config(), seed=0).fingers
        self.gripper = Gripper(self.fingers)
        self.device = self.gripper.device
        self._commands = 0

    def tell(self, **signals: object) -> str:
        self._commands += 1
        self.device.apply(Command((self._commands, 0), signals))
        return self.device.state().responses[-1]

    def run(self, seconds: float, *, powered: bool = True) -> list[float]:
        places = []
        for _ in range(round(seconds / TIMESTEP_S)):
            self.gripper.tick(powered, TIMESTEP_S)
            places.append(self.fingers.opening)
        return places


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_moves_at_the_speed_it_is_told(bench: Bench) -> None:
    bench.tell(speed_mps=0.2)
    bench.tell(position_m=OPEN_M)
    places = bench.run(0.1)
    assert places[-1] - places[0] == pytest.approx(0.2 * (len(places) - 1) * TIMESTEP_S)
    assert bench.device["is_moving"]
    bench.run(0.2)
    assert not bench.device["is_moving"]
    assert bench.device["position_response_m"] == pytest.approx(OPEN_M, abs=1e-6)


@pytest.mark.parametrize(("told", "taken"), [(99.0, FASTEST_M_S), (0.0, SLOWEST_M_S), (-1.0, SLOWEST_M_S)])
def test_speeds_and_places_are_clamped(bench: Bench, told: float, taken: float) -> None:
    bench.tell(speed_mps=told)
    assert bench.device["speed_mps"] == taken
    bench.tell(position_m=told)
    assert bench.device["position_m"] == min(max(told, 0.0), OPEN_M)


def test_a_calibration_opens_closes_and_is_told_at_its_end(bench: Bench) -> None:
    bench.tell(calibrate=True)
    places = bench.run(0.1)
    assert not bench.device["is_calibrated"]
    places += bench.run(1.0)
    assert bench.device["is_calibrated"]
    assert max(places) == pytest.approx(OPEN_M)
    assert places[-1] == 0.0
    assert bench.device["calibrate"] is False


def test_a_reboot_forgets_the_calibration_and_nothing_moves_before_the_next(bench: Bench) -> None:
    bench.tell(position_m=0.02)
    bench.run(0.3)
    bench.tell(reboot=True)
    bench.tell(position_m=OPEN_M)
    bench.run(0.3)
    assert bench.fingers.opening == pytest.approx(0.02)
    assert (bench.device["is_calibrated"], bench.device["reboot"], bench.device.tag) == (False, False, UNREADY)
    bench.gripper.activate()
    bench.run(1.5)
    assert bench.device["is_calibrated"]
    assert bench.device.tag == READY
    bench.gripper.activate()
    bench.run(0.01)
    assert bench.device["is_calibrated"], "what is ready stays so"


def test_without_power_or_go_it_stays_and_goes_on_later(bench: Bench) -> None:
    bench.tell(position_m=OPEN_M)
    assert set(bench.run(0.2, powered=False)) == {0.0}
    bench.tell(go=False)
    assert set(bench.run(0.2)) == {0.0}
    bench.tell(go=True)
    assert bench.run(0.2)[-1] == pytest.approx(OPEN_M)


def test_stopping_does_not_end_a_calibration_early(bench: Bench) -> None:
    bench.tell(calibrate=True)
    bench.run(0.05)
    bench.tell(go=False)
    bench.run(1.0)
    assert not bench.device["is_calibrated"]
    bench.tell(go=True)
    bench.run(1.5)
    assert bench.device["is_calibrated"]


def test_within_the_dead_zone_it_does_not_stir(bench: Bench) -> None:
    bench.tell(position_m=0.001)
    assert set(bench.run(0.1)) == {0.0}
    bench.tell(dead_zone_m=0.0005)
    bench.tell(position_m=0.0011)
    assert bench.run(0.1)[-1] == pytest.approx(0.0011)


def test_cmd_grip_closes_and_opens(bench: Bench) -> None:
    bench.tell(cmd_grip=False)
    assert bench.run(0.2)[-1] == pytest.approx(OPEN_M)
    bench.tell(cmd_grip=True)
    assert bench.run(0.2)[-1] == 0.0
    assert not bench.device["is_gripping"], "there is nothing between the fingers"


def test_the_last_place_counts_even_where_the_fingers_have_not_left_it_yet(bench: Bench) -> None:
    bench.tell(position_m=OPEN_M)
    bench.tell(position_m=0.0)
    assert set(bench.run(0.1)) == {0.0}


def test_it_stops_where_it_is_told_to_while_it_moves(bench: Bench) -> None:
    bench.tell(speed_mps=SLOWEST_M_S)
    bench.tell(position_m=OPEN_M)
    bench.run(0.1)
    here = bench.device["position_response_m"]
    assert 0.005 < here < OPEN_M - 0.005
    bench.tell(position_m=here)
    assert bench.run(0.3)[-1] == pytest.approx(here)
    assert not bench.device["is_moving"]


def test_a_calibration_moves_a_gripper_that_was_told_to_stay(bench: Bench) -> None:
    bench.tell(go=False)
    bench.tell(calibrate=True)
    assert bench.device["go"]
    bench.run(1.5)
    assert bench.device["is_calibrated"]


def test_a_place_told_in_the_middle_of_a_calibration_is_forgotten(bench: Bench) -> None:
    bench.tell(calibrate=True)
    places = bench.run(0.05)
    bench.tell(position_m=0.02)
    places += bench.run(1.5)
    assert max(places) == pytest.approx(OPEN_M)
    assert (places[-1], bench.device["position_m"]) == (0.0, 0.0)
