"""What every arm must do, whatever it is made of. Inherit `ArmContract` and implement `make`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from robot_rig.datatypes import JOINTS, JointCommand
from robot_rig.errors import UserError
from robot_rig.interfaces import Arm
from tests.contracts.commands import admitted, one_joint

SPEED = 0.2
TICK_S = 0.01
TIMEOUT_S = 0.2
STOP_LIMIT_S = 0.010


@dataclass
class ArmBench:
    """An arm and the way to let time pass around it; `still_rad` is what a joint at rest may differ by.

    `attempts`: how often a motion is measured where a busy machine may take the processor from the robot meanwhile.
    """

    arm: Arm
    let_pass: Callable[[float], None]
    still_rad: float
    attempts: int = 1

    def stream(self, joint: int, seconds: float) -> None:
        """Send the same velocity every tick."""
        for _ in range(round(seconds / TICK_S)):
            self.arm.send(one_joint(joint, SPEED))
            self.let_pass(TICK_S)


class ArmContract:
    """The laws of `interfaces.Arm`."""

    def make(self) -> ArmBench:
        """A fresh, disabled arm."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self) -> Iterator[ArmBench]:
        bench = self.make()
        yield bench
        bench.arm.close()

    def test_comes_up_disabled_and_enable_switches_on(self, bench: ArmBench) -> None:
        assert not bench.arm.state().enabled
        bench.arm.enable()
        assert bench.arm.state().enabled

    def test_state_is_read_only(self, bench: ArmBench) -> None:
        state = bench.arm.state()
        for array in (state.position, state.velocity, state.effort):
            assert array.shape == (JOINTS,)
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1.0

    def test_a_state_does_not_change_after_it_was_given(self, bench: ArmBench) -> None:
        bench.arm.enable()
        before = bench.arm.state()
        kept = before.position.copy()
        bench.stream(0, 0.2)
        assert np.array_equal(before.position, kept)
        assert bench.arm.state().stamp > before.stamp

    @pytest.mark.parametrize("joint", range(JOINTS))
    def test_each_joint_moves_alone(self, bench: ArmBench, joint: int) -> None:
        bench.arm.enable()
        for _ in range(bench.attempts):
            before = bench.arm.state()
            bench.stream(joint, 0.5)
            after = bench.arm.state()
            moved, took = after.position - before.position, after.stamp - before.stamp
            if took > 0.45 and moved[joint] == pytest.approx(SPEED * took, rel=0.25):
                break
        # By the arm's own stamps: half a second may have lasted longer.
        assert took > 0.45
        assert moved[joint] == pytest.approx(SPEED * took, rel=0.25)
        others = np.delete(moved, joint)
        assert np.abs(others).max() < 0.05 * moved[joint]

    def test_reports_the_velocity_it_moves_with(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.stream(3, 0.5)
        assert bench.arm.state().velocity[3] == pytest.approx(SPEED, rel=0.1)

    @pytest.mark.parametrize("wish", [JointCommand(0.0, np.full(JOINTS, SPEED)), np.zeros(JOINTS), None])
    def test_takes_nothing_but_a_safe_command(self, bench: ArmBench, wish: object) -> None:
        bench.arm.enable()
        before = bench.arm.state().position
        with pytest.raises(TypeError):
            bench.arm.send(wish)  # type: ignore[arg-type]
        bench.let_pass(0.1)
        assert np.abs(bench.arm.state().position - before).max() <= bench.still_rad

    def test_stands_still_without_commands(self, bench: ArmBench) -> None:
        bench.arm.enable()
        before = bench.arm.state().position
        bench.let_pass(2.0)
        assert np.abs(bench.arm.state().position - before).max() <= bench.still_rad

    def test_disabled_it_does_not_move(self, bench: ArmBench) -> None:
        before = bench.arm.state().position
        bench.stream(1, 0.3)
        assert np.abs(bench.arm.state().position - before).max() <= bench.still_rad

    def test_disable_ends_a_motion(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.stream(0, 0.2)
        bench.arm.disable()
        self.assert_comes_to_rest(bench)

    def test_silence_leads_to_hold(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.stream(0, 0.3)
        at_last_command = bench.arm.state().position
        bench.let_pass(TIMEOUT_S / 2)
        assert bench.arm.state().position[0] - at_last_command[0] > 0.5 * SPEED * TIMEOUT_S / 2
        bench.let_pass(TIMEOUT_S)
        self.assert_comes_to_rest(bench)
        assert bench.arm.state().position[0] - at_last_command[0] <= 1.25 * SPEED * TIMEOUT_S
        assert bench.arm.state().enabled

    def assert_comes_to_rest(self, bench: ArmBench) -> None:
        """Within 0.3 s the arm stands, and it stays where it stands."""
        bench.let_pass(0.3)
        rest = bench.arm.state().position
        bench.let_pass(2.0)
        assert np.abs(bench.arm.state().position - rest).max() <= max(bench.still_rad, 1e-3)

    def test_stop_returns_at_once_and_may_be_repeated(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.stream(0, 0.2)
        # The best of a few: a busy machine may take the processor away in any one of them.
        best = np.inf
        for _ in range(5):
            start = time.perf_counter()
            bench.arm.stop()
            best = min(best, time.perf_counter() - start)
        assert best < STOP_LIMIT_S
        self.assert_comes_to_rest(bench)

    def test_stop_latches_until_reset(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.arm.stop()
        state = bench.arm.state()
        assert state.stopped
        assert not state.enabled
        with pytest.raises(UserError, match="reset"):
            bench.arm.enable()
        before = bench.arm.state().position
        bench.stream(0, 0.2)
        assert np.abs(bench.arm.state().position - before).max() <= bench.still_rad
        bench.arm.reset()
        state = bench.arm.state()
        assert not state.stopped
        assert not state.enabled
        bench.arm.enable()
        bench.stream(0, 0.2)
        assert bench.arm.state().position[0] - before[0] > 0.5 * SPEED * 0.2

    def test_a_stop_of_a_disabled_arm_latches_too_and_may_be_reset_twice(self, bench: ArmBench) -> None:
        bench.arm.stop()
        assert bench.arm.state().stopped
        with pytest.raises(UserError, match="reset"):
            bench.arm.enable()
        bench.arm.reset()
        bench.arm.reset()
        assert not bench.arm.state().stopped
        bench.arm.enable()
        assert bench.arm.state().enabled

    def test_reset_leaves_an_enabled_arm_disabled(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.arm.reset()
        assert not bench.arm.state().enabled

    def test_close_may_be_repeated_and_ends_commanding(self, bench: ArmBench) -> None:
        bench.arm.enable()
        bench.stream(0, 0.2)
        bench.arm.close()
        bench.arm.close()
        self.assert_comes_to_rest(bench)
        with pytest.raises(RuntimeError):
            bench.arm.send(admitted(np.zeros(JOINTS)))
