"""What a recovery is complained of, and which steps count as lost, held against logs that were made by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.cli.soak.account import EFFECT_S, Logged, Seen, complaints, losses
from robot_rig.cli.soak.kinds import KINDS, Rescue
from robot_rig.cli.soak.watch import Told
from robot_rig.safety.reasons import REASONS

AS_IT_SHOULD = {
    Rescue.ALONE: Seen(2.0, True, 0, False, True, True),
    Rescue.OPERATOR: Seen(9.0, False, 2, False, True, True),
    Rescue.RESTART: Seen(60.0, False, 0, True, True, True),
}


@pytest.mark.parametrize("rescue", Rescue)
def test_a_recovery_as_its_kind_should_be_is_not_complained_of(rescue: Rescue) -> None:
    assert complaints(rescue, AS_IT_SHOULD[rescue]) == []


@pytest.mark.parametrize("rescue", Rescue)
def test_each_part_of_it_can_fail(rescue: Rescue) -> None:
    good = AS_IT_SHOULD[rescue]
    assert "stopped nothing" in complaints(rescue, good._replace(pause_s=EFFECT_S / 2))[0]
    assert "neither guard nor camera told" in complaints(rescue, good._replace(told=False))[0]
    assert "did not go on at all" in complaints(rescue, good._replace(back=False))[0]
    assert "the launch" in complaints(rescue, good._replace(launch_ended=not good.launch_ended))[0]
    if rescue is not Rescue.RESTART:
        assert len(complaints(rescue, good._replace(alone=not good.alone))) == 1


def test_every_rescue_has_kinds() -> None:
    assert {kind.rescue for kind in KINDS.values()} == set(Rescue)
    assert all(name == kind.name for name, kind in KINDS.items())
    for kind in KINDS.values():
        assert bool(kind.codes) == (kind.rescue is not Rescue.RESTART)
        assert set(kind.codes) <= set(REASONS), "codes that nobody says prove nothing"


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=30)


def log(steps: list[int], begun_late: float) -> tuple[list[Told], list[Logged]]:
    """Episodes one after the other, told and on disk alike."""
    told, files, now = [], [], 1e9
    for count in steps:
        told.append(Told(now, now + 0.1 * count, count))
        files.append(Logged(now + begun_late, count))
        now += 0.1 * count + 0.7
    return told, files


@given(lengths, st.floats(-0.15, 0.05), st.randoms())
def test_nothing_is_lost_of_what_is_on_disk_in_whatever_order_it_is_read(
    steps: list[int], late: float, order: random.Random
) -> None:
    told, files = log(steps, late)
    order.shuffle(files)
    found = losses(told, files)
    assert (found.logged, found.lost, found.episodes) == (sum(steps), 0, [])


@given(lengths, st.data())
def test_what_a_file_lacks_is_lost_and_no_other_file_makes_up_for_it(steps: list[int], data: st.DataObject) -> None:
    told, files = log(steps, -0.1)
    which = data.draw(st.integers(0, len(steps) - 1))
    missing = data.draw(st.integers(1, steps[which]))
    files[which] = Logged(files[which].begun, steps[which] - missing)
    longer = [Logged(file.begun, file.steps + (3 if i != which else 0)) for i, file in enumerate(files)]
    found = losses(told, longer)
    assert found.lost == missing
    assert found.episodes == [told[which]]
    del longer[which]
    assert losses(told, longer).lost == steps[which]


@given(lengths)
def test_episodes_that_nobody_told_of_are_counted_and_nothing_is_lost_by_them(steps: list[int]) -> None:
    told, files = log(steps, -0.1)
    assert losses(told[::2], files).lost == 0
    assert losses([], files).logged == sum(steps)
