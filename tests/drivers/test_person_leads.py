"""A person and the policy at one arm: taken at once, handed back by a key, always through rest.

The guard process is the real one over an arm that does as it is told; device and policy are played on a manual clock.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from drivers.action_choice import PEOPLE
from robot_rig.datatypes import Mode, Outcome, Source
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandLoop
from robot_rig.loops.human_actions import GOODBYES
from robot_rig.loops.key_strokes import Stroke
from robot_rig.loops.teleop_loop import TeleopLoop
from robot_rig.safety.modes import HELD_LIMIT_S
from tests.drivers.shared_arm import BACK, REST, STOPPED_WITHIN_S, TICKS, WIRE, Table, with_policy_acting
from tests.drivers.test_guard_process import CONFIG, PERIOD
from tests.ros_graph import eventually


@pytest.fixture
def table() -> Table:
    return with_policy_acting()


def change_of(table: Table, to: Source, since: int) -> int:
    """The tick, from `since` on, at which the arm became `to`'s; asserts that it stood before it moved for them."""
    change = next(i for i in range(since, len(table.sources)) if table.sources[i] is to)
    moves = [bool(report.status.executed.any()) for report in table.reports[change - 1 :]]
    refused = ["source_change" in report.status.verdict.reasons for report in table.reports[change - 1 :]]
    follows = next(i for i in range(1, len(moves)) if not refused[i])
    assert not moves[follows - 1], "the source changed in motion"
    return change


def test_gripping_the_dead_man_takes_the_arm_within_a_tick_and_the_policy_gets_nothing_more(table: Table) -> None:
    gripped = len(table.reports)
    table.say(REST, held=True)
    table.live(1.0)
    assert change_of(table, Source.HUMAN, gripped) - gripped <= TICKS + 1
    assert set(table.sources[gripped + TICKS + 1 :]) == {Source.HUMAN}
    stood = next(i for i in range(gripped, len(table.along)) if not table.reports[i].status.executed.any())
    assert (stood - gripped) * PERIOD <= STOPPED_WITHIN_S
    table.say(BACK, held=True)
    table.live(0.5)
    assert table.along[-1] < -0.01
    assert min(table.along[gripped + 20 :]) < 0.0 < max(table.along[:gripped])


def test_a_persons_motion_is_never_mixed_with_the_policys(table: Table) -> None:
    table.push()
    began = len(table.reports)
    table.live(1.0)
    after_rest = table.along[began + 10 :]
    assert max(after_rest) <= 1e-3, "the policy still pushes away, and is not heard"
    assert min(after_rest) < -0.01


@pytest.mark.parametrize("silence", [0.2, 2.0])
def test_in_a_persons_silence_the_policy_does_not_get_the_arm_back(table: Table, silence: float) -> None:
    table.push()
    table.live(0.5)
    table.say(REST)
    table.live(0.2)
    before = len(table.reports)
    table.live(silence)
    assert not any(report.status.executed.any() for report in table.reports[before:])
    assert table.sources[-1] is Source.HUMAN


def test_a_key_hands_the_arm_back_through_rest(table: Table) -> None:
    table.push()
    table.live(0.5)
    table.loop.press(table.clock.now(), Stroke.HAND_BACK)
    while not table.loop.silent:
        table.live(PERIOD)
    table.process.hand_back()
    handed = len(table.reports)
    table.live(1.0)
    assert change_of(table, Source.POLICY, handed) >= handed
    assert set(table.sources[handed + 15 :]) == {Source.POLICY}
    assert max(table.along[handed:]) > 0.05
    assert table.process.mode is Mode.ACTIVE


@pytest.mark.parametrize("late", [0.0, PERIOD, 0.1])
def test_the_last_words_of_who_handed_back_do_not_take_the_arm_again(table: Table, late: float) -> None:
    table.push()
    table.live(0.5)
    # A client that is not as polite as ours: it hands back while its goodbyes are on their way.
    table.reading = False
    table.loop.lose()
    words = [table.loop.tick(table.clock.now()) for _ in range(GOODBYES)]
    table.process.hand_back()
    table.next_send = math.inf
    handed = len(table.reports)
    table.live(late)
    for word in words:
        assert word is not None
        assert table.choice.offer(word, PEOPLE)
    table.live(1.0)
    assert table.sources[-1] is Source.POLICY
    # None of them, not even for a tick: the policy's turn comes as if they were not.
    change_of(table, Source.POLICY, handed)
    begun = next(i for i in range(handed, len(table.sources)) if table.sources[i] is Source.POLICY)
    assert set(table.sources[begun:]) == {Source.POLICY}


def test_who_moves_after_handing_back_takes_the_arm_again(table: Table) -> None:
    table.push()
    table.live(0.5)
    table.process.hand_back()
    table.live(0.2)
    assert table.sources[-1] is Source.HUMAN, "the dead-man was held throughout"


def test_who_enables_from_the_teleop_leads_until_the_arm_is_handed_over() -> None:
    table = Table(HandLoop(("x", "y")))
    table.process.heard(Source.POLICY, WIRE)
    table.policy = 1.0
    table.process.enable(Source.HUMAN)
    table.live(1.0)
    assert set(table.sources) == {Source.HUMAN}
    assert not any(report.status.executed.any() for report in table.reports)
    assert "human_has_arm" in table.reports[-1].status.verdict.reasons
    table.process.hand_back()
    table.live(0.3)
    assert table.along[-1] > 0.05
    table.process.enable(Source.HUMAN)
    table.live(0.3)
    assert not table.reports[-1].status.executed.any(), "also out of the policy's hands"


def test_only_a_person_who_has_the_arm_can_hand_it_back(table: Table) -> None:
    with pytest.raises(UserError, match="no person leads"):
        table.process.hand_back()
    table.push()
    table.live(0.5)
    table.process.hold()
    table.live(0.5)
    with pytest.raises(UserError, match="in mode hold"):
        table.process.hand_back()
    assert table.process.mode is Mode.HOLD
    table.live(1.0)
    assert not table.reports[-1].status.executed.any()


def test_the_arm_is_not_handed_to_a_program_that_has_died(table: Table) -> None:
    table.push()
    table.live(0.5)
    table.links.dead.append(WIRE)
    with pytest.raises(UserError, match="has ended"):
        table.process.hand_back()
    table.process.heard(Source.POLICY, object())
    with pytest.raises(UserError, match="has ended"):
        table.process.hand_back()
    table.say(REST)
    table.live(0.3)
    table.process.enable()
    table.live(0.3)
    assert table.sources[-1] is Source.POLICY


def test_a_program_whose_time_is_over_leaves_a_persons_arm_to_the_person(table: Table) -> None:
    table.push()
    table.live(0.5)
    table.policy = None
    table.links.dead.append(WIRE)
    for axes, seconds in ((REST, 1.0), (BACK, 0.2), (REST, 1.0), (BACK, 0.2)):
        table.say(axes, held=True)
        table.live(seconds)
        assert table.process.mode is Mode.ACTIVE
        assert table.sources[-1] is Source.HUMAN
    assert table.along[-1] < -0.01
    table.say(BACK, held=True)
    table.live(HELD_LIMIT_S)
    assert table.process.mode is Mode.ACTIVE


def test_a_program_whose_time_is_over_leaves_an_arm_that_stands_and_then_holds(table: Table) -> None:
    table.policy = None
    table.links.dead.append(WIRE)
    ended = len(table.reports)
    table.live(HELD_LIMIT_S + 1.0)
    stood = round((CONFIG.guard.action_age_limit_s + STOPPED_WITHIN_S) / PERIOD)
    assert not any(report.status.executed.any() for report in table.reports[ended + stood :])
    assert table.process.mode is Mode.HOLD
    assert table.reports[-1].why[0] == "lapsed"


def test_who_is_handed_the_arm_has_time_to_begin(table: Table) -> None:
    table.push()
    table.live(0.5)
    table.say(REST)
    table.policy = None
    table.live(HELD_LIMIT_S - 1.0)
    table.process.hand_back()
    table.live(HELD_LIMIT_S - 1.0)
    assert table.process.mode is Mode.ACTIVE
    table.policy = 1.0
    table.live(0.3)
    assert table.along[-1] > 0.01


def test_who_enables_an_arm_on_its_way_home_has_it_when_it_is_there(table: Table) -> None:
    table.process.home()
    table.live(0.1)
    table.process.enable(Source.HUMAN)
    table.live(3.0)
    assert table.reports[-1].at_home
    assert table.process.mode is Mode.ACTIVE
    home = next(i for i in range(len(table.reports) - 1, -1, -1) if table.reports[i].status.mode is Mode.HOMING)
    assert set(table.sources[home + 2 :]) == {Source.HUMAN}
    assert not table.reports[-1].status.executed.any()


@contextmanager
def ticking(table: Table) -> Iterator[None]:
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(PERIOD / 4):
            table.live(PERIOD)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("person", [False, True])
def test_what_the_arm_carries_is_moved_while_the_arm_stands_and_nobody_is_heard(table: Table, person: bool) -> None:
    if person:
        table.push()
        table.live(0.5)
    with ticking(table), table.process.standing():
        begun = len(table.reports)
        assert eventually(lambda: len(table.reports) > begun + 50)
    assert not any(report.status.executed.any() for report in table.reports[begun : begun + 50])
    assert set(table.sources[begun : begun + 50]) == {Source.HUMAN}
    if person:
        table.live(0.3)
        assert table.along[-1] < -0.01, "they have it as before"
        return
    table.process.hand_back()
    table.live(0.3)
    assert max(table.along[-20:]) > 0.0


def frame_of(thread: threading.Thread) -> str:
    """The function in which `thread` is now."""
    return sys._current_frames()[thread.ident or 0].f_code.co_name


def test_a_stop_on_the_way_to_rest_lets_nothing_be_moved(table: Table) -> None:
    refusals: list[str] = []

    def stand() -> None:
        try:
            with table.process.standing():
                refusals.append("it was let in")
        except UserError as error:
            refusals.append(str(error))

    standing = threading.Thread(target=stand)
    standing.start()
    assert eventually(lambda: frame_of(standing) == "wait")
    table.process.stop()
    table.live(PERIOD)
    standing.join()
    assert ["in mode fault" in refusal for refusal in refusals] == [True]


@pytest.mark.parametrize("order", ["enable", "home", "hand_back"])
def test_an_order_that_had_to_wait_does_not_undo_the_hold_that_came_meanwhile(table: Table, order: str) -> None:
    table.policy = None
    table.live(1.0)
    refusals: list[str] = []

    def give() -> None:
        try:
            getattr(table.process, order)()
        except UserError as error:
            refusals.append(str(error))

    giving = threading.Thread(target=give)
    with table.process.standing():
        giving.start()
        assert eventually(lambda: frame_of(giving) == "_take")
        table.process.hold()
    giving.join()
    table.policy = 1.0
    table.live(0.5)
    assert table.process.mode is Mode.HOLD
    assert not table.reports[-1].status.executed.any()
    assert "held or stopped meanwhile" in refusals[0]


@pytest.mark.parametrize("order", ["disarm", "stop", "home"])
def test_nothing_is_moved_by_an_arm_that_is_off_or_on_its_way(table: Table, order: str) -> None:
    getattr(table.process, order)()
    table.live(PERIOD)
    with pytest.raises(UserError, match="in mode"), table.process.standing():
        pytest.fail("it was let in")


def test_the_keys_take_over_from_a_gamepad_that_counted_faster(table: Table) -> None:
    table.push()
    table.live(2.0)
    table.loop.lose()
    table.live(0.5)
    keys, began = TeleopLoop(("x", "y")), len(table.reports)
    keys.press(table.clock.now(), Stroke.X_UP)
    for _ in range(3):
        action = keys.tick(table.clock.now())
        assert action is not None
        assert table.choice.offer(action, PEOPLE)
        table.live(0.05)
    assert max(table.along[began:]) > 0.005
    assert not any("out_of_order" in report.status.verdict.reasons for report in table.reports[began:])


def test_a_key_is_a_person_too(table: Table) -> None:
    keys = TeleopLoop(("x", "y"))
    keys.press(table.clock.now(), Stroke.X_DOWN)
    for _ in range(6):
        if (action := keys.tick(table.clock.now())) is not None:
            assert table.choice.offer(action, PEOPLE)
        table.live(0.05)
    assert table.sources[-1] is Source.HUMAN
    held = [r.status.verdict for r in table.reports if "source_change" in r.status.verdict.reasons]
    assert held
    assert all(verdict.outcome is Outcome.HELD for verdict in held)
