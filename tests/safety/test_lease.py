"""One source at a time: a human preempts, a machine never preempts a human, and every change passes through rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import Source
from robot_rig.safety.lease import Lease

MACHINES = (Source.POLICY, Source.RANDOM)


def test_a_free_lease_goes_to_the_first_who_asks_at_rest() -> None:
    lease = Lease(0.15)
    assert lease.holder is None
    assert lease.claim(0.0, Source.POLICY, 0.0, still=True) == ()
    assert lease.holder is Source.POLICY


def test_a_human_preempts_a_machine_and_waits_for_rest() -> None:
    lease = Lease(0.15)
    lease.claim(0.0, Source.POLICY, 0.0, still=True)
    assert lease.claim(0.01, Source.HUMAN, 0.01, still=False) == ("source_change",)
    assert lease.claim(0.02, Source.POLICY, 0.02, still=False) == ("human_has_arm",)
    assert lease.claim(0.03, Source.HUMAN, 0.03, still=True) == ()
    assert lease.claim(0.04, Source.HUMAN, 0.04, still=False) == ()


def test_a_machine_never_gets_it_back_from_a_human_without_a_person() -> None:
    lease = Lease(0.15)
    lease.claim(0.0, Source.HUMAN, 0.0, still=True)
    assert lease.claim(3600.0, Source.POLICY, 3600.0, still=True) == ("human_has_arm",)
    lease.release()
    assert lease.claim(3600.0, Source.POLICY, 3600.0, still=True) == ()


def test_one_machine_follows_another_only_after_silence() -> None:
    lease = Lease(0.15)
    lease.claim(0.0, Source.RANDOM, 0.0, still=True)
    assert lease.claim(0.1, Source.POLICY, 0.1, still=True) == ("other_source",)
    assert lease.claim(0.16, Source.POLICY, 0.16, still=True) == ()
    assert lease.claim(0.17, Source.RANDOM, 0.17, still=True) == ("other_source",)


def test_a_machine_is_silent_only_beyond_the_time_it_has() -> None:
    lease = Lease(0.25)
    lease.claim(0.0, Source.RANDOM, 0.0, still=True)
    assert lease.claim(0.25, Source.POLICY, 0.25, still=True) == ("other_source",)
    assert lease.claim(0.2500001, Source.POLICY, 0.2500001, still=True) == ()


def test_an_older_action_that_comes_late_shortens_no_lease() -> None:
    lease = Lease(0.15)
    lease.claim(0.0, Source.RANDOM, 0.0, still=True)
    lease.claim(0.1, Source.RANDOM, 0.1, still=True)
    lease.claim(0.11, Source.RANDOM, 0.05, still=True)
    assert lease.claim(0.22, Source.POLICY, 0.22, still=True) == ("other_source",)


def test_an_old_action_of_a_new_holder_keeps_nothing_of_the_last_one() -> None:
    lease = Lease(0.15)
    lease.claim(1.0, Source.RANDOM, 1.0, still=True)
    lease.release()
    lease.claim(1.0, Source.RANDOM, 0.8, still=True)
    assert lease.claim(1.01, Source.POLICY, 1.01, still=True) == ()


def test_after_a_release_rest_is_asked_for_anew() -> None:
    lease = Lease(0.15)
    lease.claim(0.0, Source.POLICY, 0.0, still=True)
    lease.release()
    assert lease.holder is None
    assert lease.claim(0.01, Source.POLICY, 0.01, still=False) == ("source_change",)


def test_an_action_repeated_by_a_mailbox_keeps_no_lease() -> None:
    lease = Lease(0.15)
    for tick in range(16):
        lease.claim(0.01 * tick, Source.RANDOM, 0.0, still=True)
    assert lease.claim(0.16, Source.POLICY, 0.16, still=True) == ()


@given(st.lists(st.tuples(st.sampled_from((Source.HUMAN, *MACHINES)), st.booleans()), max_size=40))
def test_nobody_moves_next_to_another_and_every_change_passes_through_rest(asks: list[tuple[Source, bool]]) -> None:
    lease = Lease(0.15)
    moving: Source | None = None
    human_seen = False
    for tick, (source, still) in enumerate(asks):
        reasons = lease.claim(0.01 * tick, source, 0.01 * tick, still)
        if not reasons:
            assert source is lease.holder
            assert source is moving or still
            assert not (human_seen and source is not Source.HUMAN)
            moving = source
        human_seen = human_seen or source is Source.HUMAN
