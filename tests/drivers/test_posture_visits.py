"""A program leads the arm from posture to posture while all is as a person left it; nothing resumes by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.posture_visits import SILENT_S, PostureWish
from robot_rig.clock import ManualClock
from robot_rig.control.homing import HOME_TOLERANCE_RAD
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import JOINTS, Floats, Mode, Source
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import HOMING_LIMIT_S
from robot_rig.ros.topics import POSTURE
from tests.drivers.test_guard_process import CONFIG, HOME, PERIOD, Bench

ARM = Kinematics(CONFIG.control.tool_offset_m)
LOW, HIGH = np.array(CONFIG.guard.box_low_m), np.array(CONFIG.guard.box_high_m)
BEAT_S = 0.05
STOPPED_S = 0.15
"""From the tick that ends visits until the last moving command; from homing's speed."""


def at(x: float, y: float, z: float) -> Floats:
    return solve_position(ARM, np.array([x, y, z]), TOOL_DOWN, HOME)


A, B = at(0.65, 0.10, 0.20), at(0.60, -0.10, 0.15)


class Guide:
    """A program that asks for postures, twenty times a second while time passes; and the bench that it leads."""

    def __init__(self, name: str = "guide") -> None:
        self.bench = Bench(ManualClock())
        self.name = name
        self.link = object()
        self.bench.links.named[name] = self.link
        self.wanted: tuple[int, Floats] | None = None
        self.speaks = True

    def ask(self, posture: Floats) -> None:
        self.wanted = (self.wanted[0] + 1 if self.wanted else 1, posture)
        self.beat()

    def beat(self) -> None:
        if self.wanted is not None and self.speaks:
            number, posture = self.wanted
            self.bench.visits.offer(PostureWish(number, self.bench.clock.now(), posture, self.link))

    def pass_time(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / BEAT_S))):
            self.beat()
            self.bench.pass_time(BEAT_S)

    def visit(self, posture: Floats) -> None:
        self.ask(posture)
        self.bench.process.visit(self.name, self.bench.process.moment())

    def arrive(self, posture: Floats, within_s: float = 20.0) -> None:
        self.visit(posture)
        for _ in range(round(within_s / BEAT_S)):
            self.pass_time(BEAT_S)
            if np.abs(self.position - posture).max() <= HOME_TOLERANCE_RAD and self.bench.arm.speeds[-1] == 0.0:
                return
        raise AssertionError(f"{posture} was not reached in {within_s} s: {self.bench.reports[-1]}")

    @property
    def position(self) -> Floats:
        return self.bench.arm.state().position

    @property
    def mode(self) -> Mode:
        return self.bench.process.mode

    @property
    def why(self) -> tuple[str, ...]:
        return self.bench.reports[-1].why


@pytest.fixture
def guide() -> Guide:
    guide = Guide()
    guide.bench.pass_time(0.1)
    guide.bench.process.enable()
    guide.bench.pass_time(0.1)
    return guide


def rests_for_good(guide: Guide, code: str) -> None:
    """It has ended in HOLD by `code`, is at rest within a moment, and stays so whatever the program goes on to say."""
    assert guide.mode is Mode.HOLD
    assert guide.why == (code,)
    guide.bench.pass_time(STOPPED_S)
    where = guide.position
    guide.speaks = True
    guide.pass_time(2.0)
    # A program that has died is known no more.
    with pytest.raises(UserError, match=r"mode hold, and no program may move it|does not say which posture"):
        guide.visit(B)
    guide.pass_time(2.0)
    assert (guide.position == where).all()
    assert guide.mode is Mode.HOLD


def test_it_goes_where_it_is_asked_to_stays_and_goes_on(guide: Guide) -> None:
    for posture in (A, B, A):
        guide.arrive(posture)
        guide.pass_time(8.0)  # longer than ACTIVE would wait
        assert guide.mode is Mode.HOMING
        assert np.abs(guide.position - posture).max() <= HOME_TOLERANCE_RAD
    speeds = [float(np.linalg.norm(report.status.tool_velocity[:3])) for report in guide.bench.reports]
    assert 0.05 < max(speeds) <= CONFIG.guard.slow_speed_m_s + 1e-6
    assert {report.status.source for report in guide.bench.reports} == {None, Source.HOMING}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.56, 0.74), st.floats(-0.19, 0.19), st.floats(0.04, 0.29)), min_size=1, max_size=2)
)
def test_whatever_is_asked_for_the_tool_stays_in_its_box_on_all_ways(tools: list[tuple[float, float, float]]) -> None:
    guide = Guide()
    guide.bench.pass_time(0.1)
    guide.bench.process.enable()
    for tool in tools:
        guide.arrive(at(*tool))
    places = np.array([report.tool for report in guide.bench.reports])
    assert (places >= LOW - 1e-6).all()
    assert (places <= HIGH + 1e-6).all()


@pytest.mark.parametrize(
    ("posture", "says"),
    [
        (at(0.80, 0.0, 0.20), "leave its box"),
        (at(0.65, 0.0, 0.031), "close to a wall"),
        (A + 4.0 * np.eye(JOINTS)[6], "near its limit"),
        (np.full(JOINTS, np.nan), "near its limit"),
    ],
)
def test_a_way_that_is_not_free_is_refused_and_nothing_moves(guide: Guide, posture: Floats, says: str) -> None:
    with pytest.raises(UserError, match=says):
        guide.visit(posture)
    guide.pass_time(1.0)
    assert guide.mode is Mode.ACTIVE
    assert not any(guide.bench.arm.speeds)
    guide.arrive(A)
    with pytest.raises(UserError, match=says):
        guide.visit(posture)
    guide.pass_time(1.0)
    assert guide.mode is Mode.HOMING
    assert np.abs(guide.position - A).max() <= HOME_TOLERANCE_RAD


def test_only_a_person_who_enables_lets_it_begin(guide: Guide) -> None:
    guide.bench.process.hold()
    guide.pass_time(0.1)
    for _ in range(3):
        with pytest.raises(UserError, match="mode hold, and no program"):
            guide.visit(A)
        guide.pass_time(1.0)
    guide.bench.process.enable()
    guide.arrive(A)


def silence(guide: Guide) -> None:
    guide.speaks = False


def death(guide: Guide) -> None:
    guide.bench.links.dead.append(guide.link)


def another_program(guide: Guide) -> None:
    guide.bench.visits.offer(PostureWish(7, guide.bench.clock.now(), A, object()))


TROUBLES: list[tuple[Callable[[Guide], Any], str, float]] = [
    (silence, "new_sender", SILENT_S + BEAT_S),
    (death, "new_sender", 0.0),
    (another_program, "visit_ended", 0.0),
    (lambda guide: guide.bench.ask(0.5, Source.POLICY), "visit_ended", 0.0),
    (lambda guide: guide.bench.ask(0.0, Source.RANDOM), "visit_ended", 0.0),
    (lambda guide: guide.bench.ask(0.5, Source.HUMAN), "visit_ended", 0.0),
    (lambda guide: guide.bench.process.hold(), "hold", 0.0),
]


@pytest.mark.parametrize("resting", [False, True])
@pytest.mark.parametrize(("trouble", "code", "after_s"), TROUBLES)
def test_whatever_comes_between_ends_it_in_hold_at_once(
    guide: Guide, trouble: Callable[[Guide], Any], code: str, after_s: float, resting: bool
) -> None:
    if resting:
        guide.arrive(A)
    else:
        guide.visit(A)
        guide.pass_time(0.5)
        assert guide.bench.arm.speeds[-1] > 0.0
    trouble(guide)
    ticks = 0
    while guide.mode is Mode.HOMING:
        guide.bench.pass_time(PERIOD)
        ticks += 1
        assert (ticks - 1) * PERIOD <= after_s
    guide.bench.pass_time(PERIOD)
    rests_for_good(guide, code)


@pytest.mark.parametrize("word", ["stop", "disarm", "overrun"])
def test_a_stop_and_all_that_ends_motion_elsewhere_ends_this_too(guide: Guide, word: str) -> None:
    guide.visit(A)
    guide.pass_time(0.5)
    process: Any = guide.bench.process
    process._rest_overrun() if word == "overrun" else getattr(process, word)()
    guide.pass_time(STOPPED_S)
    where = guide.position
    ended = {"stop": Mode.FAULT, "disarm": Mode.DISABLED, "overrun": Mode.HOLD}[word]
    for _ in range(3):
        guide.pass_time(1.0)
        with pytest.raises(UserError):
            guide.visit(B)
        assert guide.mode is ended
    assert (guide.position == where).all()


def test_a_second_commander_takes_the_motors_power_away(guide: Guide) -> None:
    guide.visit(A)
    guide.pass_time(0.5)
    guide.bench.process.see_commanders(["/rig_arm", "/rogue"])
    guide.pass_time(0.1)
    assert guide.mode is Mode.DISABLED
    assert not guide.bench.arm.state().enabled


def test_nobody_else_s_visits_are_taken_over(guide: Guide) -> None:
    guide.arrive(A)
    other = object()
    guide.bench.links.named["other"] = other
    guide.bench.visits.offer(PostureWish(1, guide.bench.clock.now(), B, other))
    with pytest.raises(UserError, match="somebody else leads"):
        guide.bench.process.visit("other", guide.bench.process.moment())
    guide.pass_time(BEAT_S)
    assert guide.mode is Mode.HOLD


def test_it_does_not_begin_beside_a_policy_nor_with_an_arm_that_a_person_has(guide: Guide) -> None:
    guide.bench.ask(0.0, Source.POLICY)
    with pytest.raises(UserError, match="somebody else leads"):
        guide.visit(A)
    guide.bench.pass_time(0.3, x=None)
    guide.bench.ask(0.0, Source.HUMAN)
    guide.bench.pass_time(0.1)
    with pytest.raises(UserError, match="a person has the arm"):
        guide.visit(A)


def test_a_person_s_order_counts_before_the_next_tick_has_seen_it(guide: Guide) -> None:
    guide.bench.process.enable(Source.HUMAN)
    with pytest.raises(UserError, match="a person has the arm"):
        guide.visit(A)
    with pytest.raises(UserError, match="a person has the arm"):
        guide.bench.process.return_home("policy", guide.bench.process.moment())
    guide.pass_time(0.3)
    assert guide.bench.reports[-1].status.source is Source.HUMAN
    assert max(guide.bench.arm.speeds, default=0.0) == 0.0


def test_a_program_waits_for_no_person_s_order_and_the_order_ends_its_visits_first(guide: Guide) -> None:
    guide.visit(A)
    guide.pass_time(0.5)
    refused: list[str] = []

    def meanwhile() -> None:
        guide.bench.pass_time(PERIOD)
        refused.append(guide.mode.value)
        for order in ("visit", "return_home"):
            with pytest.raises(UserError, match="another order"):
                getattr(guide.bench.process, order)(guide.name, guide.bench.process.moment())
        raise UserError("the motors do not come on")

    guide.bench.arm.meanwhile = meanwhile
    with pytest.raises(UserError, match="motors do not"):
        guide.bench.process.enable()
    assert refused == ["hold"]
    rests_for_good(guide, "hold")


def test_an_order_from_before_a_hold_moves_nothing_after_the_enable_that_follows(guide: Guide) -> None:
    process = guide.bench.process
    guide.ask(A)
    given = process.moment()
    process.hold()
    process.enable()
    with pytest.raises(UserError, match="held or stopped meanwhile"):
        process.visit(guide.name, given)
    with pytest.raises(UserError, match="held or stopped meanwhile"):
        process.return_home(guide.name, given)


def test_it_does_not_begin_where_the_program_that_led_has_ended(guide: Guide) -> None:
    policy = object()
    guide.bench.process.heard(Source.POLICY, policy)
    guide.bench.pass_time(0.2, x=0.2)
    guide.bench.links.dead.append(policy)
    guide.pass_time(0.3)
    with pytest.raises(UserError, match="has ended"):
        guide.visit(A)


def test_each_posture_is_ordered_by_a_number_of_its_own_and_said_freshly(guide: Guide) -> None:
    with pytest.raises(UserError, match="does not say which posture"):
        guide.bench.process.visit(guide.name, guide.bench.process.moment())
    with pytest.raises(UserError, match="does not say which posture"):
        guide.bench.process.visit("nobody", guide.bench.process.moment())
    guide.ask(A)
    guide.bench.pass_time(SILENT_S + 2 * PERIOD)
    with pytest.raises(UserError, match="does not say which posture"):
        guide.bench.process.visit(guide.name, guide.bench.process.moment())
    guide.arrive(A)
    with pytest.raises(UserError, match="no other posture"):
        guide.bench.process.visit(guide.name, guide.bench.process.moment())


def test_it_is_led_on_from_rest_only(guide: Guide) -> None:
    guide.visit(A)
    guide.pass_time(0.5)
    with pytest.raises(UserError, match="not at rest"):
        guide.visit(B)
    guide.pass_time(0.1)
    assert guide.mode is Mode.HOMING


def test_a_posture_that_nothing_follows_is_not_kept_for_ever(guide: Guide) -> None:
    guide.arrive(A)
    guide.pass_time(HOMING_LIMIT_S + 1.0)
    rests_for_good(guide, "new_sender")


@pytest.mark.parametrize("leader", [None, Source.HUMAN])
def test_an_enable_ends_it_and_whoever_comes_leads(guide: Guide, leader: Source | None) -> None:
    guide.visit(A)
    guide.pass_time(0.5)
    guide.bench.process.enable(leader)
    guide.pass_time(0.3)
    assert guide.mode is Mode.ACTIVE
    assert guide.bench.arm.speeds[-1] == 0.0
    guide.bench.ask(-0.5, Source.HUMAN)
    guide.bench.pass_time(0.1)
    assert guide.bench.reports[-1].status.source is Source.HUMAN


def test_a_person_s_way_home_out_of_it_goes_on_without_the_program_and_holds(guide: Guide) -> None:
    guide.arrive(A)
    guide.bench.process.home()
    guide.speaks = False
    guide.bench.pass_time(1.0)
    assert guide.mode is Mode.HOMING
    guide.speaks = True
    with pytest.raises(UserError, match="mode homing, and no program"):
        guide.visit(B)
    guide.speaks = False
    guide.bench.pass_time(10.0)
    assert guide.bench.reports[-1].at_home
    assert guide.mode is Mode.HOLD


def test_a_posture_is_not_home(guide: Guide) -> None:
    guide.arrive(A)
    assert not guide.bench.reports[-1].at_home


def test_nothing_is_visited_before_the_arm_has_said_where_it_is() -> None:
    guide = Guide()
    guide.bench.process.enable()
    guide.ask(A)
    with pytest.raises(UserError, match="has not reported where it is"):
        guide.bench.process.visit(guide.name, guide.bench.process.moment())


def test_a_program_that_was_started_anew_is_not_crowded_by_its_dead_self(guide: Guide) -> None:
    guide.arrive(A)
    guide.bench.links.dead.append(guide.link)
    guide.bench.pass_time(2 * PERIOD)
    assert guide.mode is Mode.HOLD
    guide.bench.process.enable()
    guide.link = guide.bench.links.named[guide.name] = object()
    guide.wanted = None
    guide.arrive(B)


def test_a_pulse_is_six_beats_long() -> None:
    assert POSTURE.stale_after_s == SILENT_S
    assert POSTURE.rate_hz == 1 / BEAT_S
