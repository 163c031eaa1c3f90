"""A program that a launch file has started anew does not lead the arm on where the dead one ended."""

from __future__ import annotations

import pytest

from robot_rig.clock import ManualClock
from robot_rig.datatypes import Mode, Source
from robot_rig.errors import UserError
from tests.drivers.test_guard_process import PERIOD, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench(ManualClock())


def test_a_program_that_was_started_anew_does_not_go_on_by_itself(bench: Bench) -> None:
    old, new = object(), object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.3, x=-1.0)
    bench.process.heard(Source.POLICY, old)
    assert bench.process.mode is Mode.ACTIVE
    bench.process.heard(Source.POLICY, new)
    bench.pass_time(1.0, x=-1.0)
    assert bench.process.mode is Mode.HOLD
    assert bench.reports[-1].why == ("new_sender",)
    assert bench.arm.speeds[-1] == 0.0
    bench.process.enable()
    bench.process.heard(Source.POLICY, new)
    bench.pass_time(0.3, x=-1.0)
    assert bench.process.mode is Mode.ACTIVE


def test_one_who_does_not_lead_may_come_and_go(bench: Bench) -> None:
    bench.process.heard(Source.RANDOM, object())
    bench.process.enable()
    bench.pass_time(0.3, x=-1.0)
    for _ in range(3):
        bench.process.heard(Source.RANDOM, object())
    bench.pass_time(0.3, x=-1.0)
    assert bench.process.mode is Mode.ACTIVE


def test_not_even_after_the_way_home_that_the_dead_one_asked_for(bench: Bench) -> None:
    bench.process.heard(Source.POLICY, object())
    bench.process.enable()
    bench.pass_time(0.5, x=-1.0)
    bench.process.return_home("policy", bench.process.moment())
    for _ in range(2000):
        bench.pass_time(PERIOD)
        if bench.process.mode is not Mode.HOMING:
            break
    assert bench.process.mode is Mode.ACTIVE
    bench.process.heard(Source.POLICY, object())
    assert bench.process.mode is Mode.HOLD


def test_a_person_who_leads_is_not_disturbed_by_a_policy_that_comes_back(bench: Bench) -> None:
    bench.process.heard(Source.POLICY, object())
    bench.process.enable()
    bench.pass_time(0.3, x=-1.0)
    bench.ask(1.0, Source.HUMAN)
    bench.pass_time(0.1)
    bench.process.heard(Source.POLICY, object())
    bench.ask(1.0, Source.HUMAN)
    bench.pass_time(0.1)
    assert bench.process.mode is Mode.ACTIVE
    assert bench.reports[-1].status.source is Source.HUMAN


def test_no_program_takes_the_arm_home_after_the_one_that_led_it_has_died(bench: Bench) -> None:
    old = object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.5, x=-1.0)
    bench.links.dead.append(old)
    with pytest.raises(UserError, match="no program may move it"):
        bench.process.return_home("policy", bench.process.moment())
    bench.pass_time(0.5)
    assert bench.process.mode is not Mode.HOMING
    bench.process.enable()
    bench.process.return_home("policy", bench.process.moment())
    assert bench.process.mode is Mode.HOMING


def test_a_program_that_dies_on_the_way_home_leaves_the_arm_where_it_is(bench: Bench) -> None:
    old = object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.5, x=-1.0)
    bench.process.return_home("policy", bench.process.moment())
    bench.pass_time(0.2)
    assert bench.process.mode is Mode.HOMING
    bench.links.dead.append(old)
    bench.pass_time(0.5)
    assert bench.process.mode is Mode.HOLD
    assert bench.reports[-1].why == ("new_sender",)
    assert bench.arm.speeds[-1] == 0.0


def test_a_person_s_way_home_does_not_end_with_a_program(bench: Bench) -> None:
    old = object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.5, x=-1.0)
    bench.links.dead.append(old)
    bench.process.home()
    bench.pass_time(0.2)
    assert bench.process.mode is Mode.HOMING


def test_a_way_home_ends_with_its_program_though_it_had_not_acted_yet(bench: Bench) -> None:
    bench.process.enable()
    for _ in range(5):
        bench.ask(1.0, Source.HUMAN)
        bench.pass_time(0.1)
    bench.pass_time(0.2)
    bench.process.enable()
    bench.pass_time(0.02)
    bench.process.return_home("policy", bench.process.moment())
    bench.pass_time(0.2)
    assert bench.process.mode is Mode.HOMING
    bench.links.dead.append(bench.links.named["policy"])
    bench.pass_time(0.5)
    assert bench.process.mode is Mode.HOLD
    assert bench.reports[-1].why == ("new_sender",)


def test_who_cannot_lead_cannot_send_the_arm_home_either(bench: Bench) -> None:
    bench.process.enable()
    with pytest.raises(UserError, match="/somebody is not connected"):
        bench.process.return_home("/somebody", bench.process.moment())
    assert bench.process.mode is Mode.ACTIVE


@pytest.mark.parametrize("newcomer", [Source.POLICY, Source.RANDOM])
def test_no_other_program_goes_on_where_a_dead_one_has_ended(bench: Bench, newcomer: Source) -> None:
    old, new = object(), object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.5, x=-1.0)
    bench.links.dead.append(old)
    bench.process.heard(newcomer, new)
    for _ in range(50):
        bench.ask(-1.0, newcomer)
        bench.pass_time(0.05)
    assert bench.process.mode is Mode.HOLD
    assert bench.arm.speeds[-1] == 0.0
    bench.process.enable()
    bench.process.heard(newcomer, new)
    bench.ask(-1.0, newcomer)
    bench.pass_time(0.05)
    assert bench.process.mode is Mode.ACTIVE


def test_a_person_may_take_the_arm_from_a_program_that_has_died(bench: Bench) -> None:
    old = object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.5, x=-1.0)
    bench.links.dead.append(old)
    bench.ask(1.0, Source.HUMAN)
    bench.pass_time(0.1)
    assert bench.process.mode is Mode.ACTIVE
    assert bench.reports[-1].status.source is Source.HUMAN
