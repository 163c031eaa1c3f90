"""People before machines, the holder before the others, and never an action whose sender claims to be somebody else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from drivers.action_choice import MACHINES, PEOPLE, ActionChoice
from robot_rig.datatypes import Action, Source

FRESH_S = 0.15
NOW = 100.0


def action(source: Source, age: float, seq: int = 1) -> Action:
    return Action(seq, NOW - age, np.zeros(2, np.float32), source, seq, NOW - age)


def shown(holder: Source | None, *actions: Action) -> Action | None:
    choice = ActionChoice(FRESH_S)
    for one in actions:
        assert choice.offer(one, MACHINES | PEOPLE)
    return choice.choose(NOW, holder)


def test_nothing_before_the_first() -> None:
    assert shown(None) is None


@pytest.mark.parametrize("holder", [None, *Source])
def test_a_single_action_is_shown_whatever_its_age(holder: Source | None) -> None:
    for source, age in itertools.product((Source.POLICY, Source.RANDOM, Source.HUMAN), (0.0, 9.0)):
        one = action(source, age)
        assert shown(holder, one) is one


@pytest.mark.parametrize("holder", [None, *Source])
def test_a_fresh_person_comes_before_every_machine(holder: Source | None) -> None:
    human = action(Source.HUMAN, 0.14)
    assert shown(holder, action(Source.POLICY, 0.0), human, action(Source.RANDOM, 0.0)) is human


def test_a_person_who_has_the_arm_keeps_it_in_silence() -> None:
    human = action(Source.HUMAN, 30.0)
    assert shown(Source.HUMAN, action(Source.POLICY, 0.0), human) is human


def test_a_person_who_has_let_go_is_not_in_the_way() -> None:
    policy = action(Source.POLICY, 0.0)
    assert shown(None, policy, action(Source.HUMAN, 0.2)) is policy


def test_the_machine_that_has_the_arm_is_not_interrupted_by_another() -> None:
    policy, random = action(Source.POLICY, 0.1), action(Source.RANDOM, 0.0)
    assert shown(Source.POLICY, policy, random) is policy
    assert shown(Source.RANDOM, policy, random) is random
    assert shown(None, policy, random) is random
    assert shown(Source.POLICY, action(Source.POLICY, 0.2), random) is random


def test_the_newest_of_a_source_replaces_the_one_before() -> None:
    old, new = action(Source.POLICY, 0.1, seq=1), action(Source.POLICY, 0.0, seq=2)
    assert shown(Source.POLICY, old, new) is new


def test_a_sender_cannot_claim_another_source() -> None:
    choice = ActionChoice(FRESH_S)
    assert not choice.offer(action(Source.HUMAN, 0.0), MACHINES)
    assert not choice.offer(action(Source.POLICY, 0.0), PEOPLE)
    for channel in (MACHINES, PEOPLE):
        assert not choice.offer(action(Source.HOMING, 0.0), channel)
    assert choice.choose(NOW, None) is None
