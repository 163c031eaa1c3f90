"""The plan of a soak: everything in its time, as much as fits, and the same again for whoever resumes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from robot_rig.cli.soak.kinds import KINDS, NEEDS_S, Rescue
from robot_rig.cli.soak.schedule import FIRST_S, plan

OF = {name: kind.rescue for name, kind in KINDS.items()}
HOUR_S = 3600.0
lengths = st.floats(1.0, 10 * HOUR_S)
seeds = st.integers(0, 2**32)


@given(lengths, st.integers(0, 5), seeds)
def test_every_fault_has_its_time_and_the_last_is_over_at_the_end(length_s: float, each: int, seed: int) -> None:
    planned = plan(OF, each, length_s, seed)
    assert all(fault.at_s >= FIRST_S for fault in planned)
    for fault, following in pairwise(planned):
        assert following.at_s >= fault.at_s + NEEDS_S[OF[fault.kind]] - 1e-6
    if planned:
        assert planned[-1].at_s + NEEDS_S[OF[planned[-1].kind]] <= length_s + 1e-6


@given(lengths, st.integers(0, 5), seeds)
def test_there_are_never_more_than_wanted_and_nothing_that_fits_is_left_out(
    length_s: float, each: int, seed: int
) -> None:
    planned = plan(OF, each, length_s, seed)
    counts = Counter(fault.kind for fault in planned)
    assert all(count <= each for count in counts.values())
    taken_s = sum(NEEDS_S[OF[fault.kind]] for fault in planned)
    left_out = [OF[kind] for kind in KINDS if counts[kind] < each]
    assert all(NEEDS_S[rescue] > length_s - FIRST_S - taken_s - 1e-6 for rescue in left_out)


@given(seeds)
def test_an_hour_has_three_of_each_and_its_second_half_no_restart(seed: int) -> None:
    planned = plan(OF, 3, HOUR_S, seed)
    assert Counter(fault.kind for fault in planned) == dict.fromkeys(KINDS, 3)
    restarts = [fault.at_s for fault in planned if OF[fault.kind] is Rescue.RESTART]
    assert max(restarts) < 0.62 * HOUR_S


@given(seeds)
def test_three_minutes_have_something_of_each_rescue(seed: int) -> None:
    assert {OF[fault.kind] for fault in plan(OF, 3, 0.05 * HOUR_S, seed)} == set(Rescue)


@given(lengths, seeds)
def test_a_resumed_soak_has_the_same_plan_and_another_seed_another(length_s: float, seed: int) -> None:
    planned = plan(OF, 3, length_s, seed)
    assert plan(OF, 3, length_s, seed) == planned
    assert plan(OF, 3, HOUR_S, seed) != plan(OF, 3, HOUR_S, seed + 1)
