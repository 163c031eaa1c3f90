"""What counts in a JointCommand, and what is refused with a reason."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.wire.joint_command import ARRAYS, JOINT_NAMES, CommandMode, RefusedCommandError, read_joint_command
from tests.sim.wire.messages import Message

ALL_ARRAYS = ("position", "velocity", "acceleration", "effort")


@given(st.sampled_from(CommandMode), st.lists(st.sampled_from(JOINT_NAMES), min_size=1, unique=True), st.randoms())
def test_only_the_arrays_of_the_mode_are_looked_at(mode: CommandMode, names: list[str], luck: random.Random) -> None:
    arrays = {}
    for array in ALL_ARRAYS:
        length = len(names) if array in ARRAYS[mode] else luck.randrange(12)
        arrays[array] = [luck.uniform(-1, 1) if array in ARRAYS[mode] else float("nan") for _ in range(length)]
    targets = read_joint_command(Message(int(mode), names, **arrays))
    assert [JOINT_NAMES[joint] for joint in targets.joints] == names
    assert {array: values.tolist() for array, values in targets.values.items()} == {
        array: arrays[array] for array in ARRAYS[mode]
    }


@pytest.mark.parametrize("mode", CommandMode)
@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_wrong_length_is_refused_and_said(mode: CommandMode, length: int) -> None:
    for array in ARRAYS[mode]:
        arrays = {name: [0.0] * (length if name == array else 2) for name in ALL_ARRAYS}
        with pytest.raises(RefusedCommandError, match=f"{mode.name} names 2 joints and gives {array} for {length}"):
            read_joint_command(Message(int(mode), ["right_j0", "right_j5"], **arrays))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(RefusedCommandError, match="not finite"):
        read_joint_command(Message(2, ["right_j0"], velocity=[value]))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(5, ["right_j0"], [0.0]), "no mode 5"),
        (Message(0, ["right_j0"], [0.0]), "no mode 0"),
        (Message(1, ["right_j0", "right_j7"], [0.0, 0.0]), "called right_j7"),
        (Message(1, ["left_w1"], [0.0]), "called left_w1"),
        (Message(1, [], []), "names no joint"),
        (Message(1, ["right_j0", "right_j0"], [0.0, 1.0]), "twice"),
    ],
)
def test_nonsense_is_refused_with_its_reason(message: Message, reason: str) -> None:
    with pytest.raises(RefusedCommandError, match=reason):
        read_joint_command(message)
