"""A Sawyer's reports become one honest record, its orders insist, and its tool is the configured one or refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import numpy as np
import pytest

from drivers import sawyer
from drivers.arm_description import PUBLISHED
from drivers.sawyer import FLAGS_GRACE_S, Flags, Sawyer, SawyerReports, Tip, insist
from drivers.sawyer_tool import check_tool
from robot_rig.config import ToolConfig
from robot_rig.datatypes import JOINT_NAMES, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import NEUTRAL, Kinematics
from tests.contracts.commands import one_joint

WELL = Flags(enabled=True, stopped=False, error=False, ready=True, button=False, arrived=10.0)


def reports(flags: Flags = WELL, position: Floats = NEUTRAL) -> SawyerReports:
    made = SawyerReports()
    made.flags = flags
    made.take_collision(False)
    made.take_joints(10.0, 500.0, JOINT_NAMES, list(position), [0.0] * 7, [0.0] * 7)
    return made


class FakeLink:
    """Writes down orders; the robot behind it obeys at once."""

    def __init__(self, reports: SawyerReports) -> None:
        self.reports = reports
        self.told: list[object] = []

    def velocity(self, values: Floats) -> None:
        self.told.append(values.tolist())

    def _say(self, **changes: bool) -> None:
        assert self.reports.flags is not None
        self.reports.flags = self.reports.flags._replace(**changes)

    def switch(self, on: bool, give_up: Callable[[], bool]) -> None:
        self.told.append(on)
        self._say(enabled=on)

    def halt(self) -> None:
        self.told.append("halt")

    def clear(self) -> None:
        self.told.append("clear")
        self._say(stopped=False, error=False)

    def close(self) -> None:
        self.told.append("close")


def arm(flags: Flags = WELL) -> tuple[Sawyer, FakeLink]:
    link = FakeLink(reports(flags))
    return Sawyer(link, link.reports, PUBLISHED), link


# --- reports ----------------------------------------------------------------------------------------------------------


def test_joints_are_sorted_by_name_and_other_joints_left_out() -> None:
    names = ["head_pan", *reversed(JOINT_NAMES), "torso_t0"]
    made = reports()
    made.take_joints(11.0, 501.0, names, [float(i) for i in range(9)], [10.0 * i for i in range(9)], [0.5] * 9)
    state = made.arm_state(latched=False)
    assert state.position.tolist() == [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert state.velocity.tolist() == [70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0]


@pytest.mark.parametrize(
    ("names", "position"),
    [(["right_gripper_l_finger_joint"], [0.0]), (JOINT_NAMES[:6], [0.0] * 6), (JOINT_NAMES, [0.0] * 6)],
)
def test_a_report_without_the_whole_arm_changes_nothing(names: list[str], position: list[float]) -> None:
    made = reports()
    before = made.joints
    made.take_joints(11.0, 501.0, names, position, position, position)
    assert made.joints is before


def test_a_report_is_as_old_as_the_oldest_part_that_counts() -> None:
    assert reports(WELL._replace(arrived=10.0)).arm_state(latched=False).stamp == 10.0
    assert reports(WELL._replace(arrived=9.9)).arm_state(latched=False).stamp == 10.0
    silent = reports(WELL._replace(arrived=3.0)).arm_state(latched=False)
    assert silent.stamp == 3.0 + FLAGS_GRACE_S


def test_a_latched_stop_overrides_what_the_robot_says() -> None:
    state = reports().arm_state(latched=True)
    assert state.stopped
    assert not state.enabled
    assert reports(WELL._replace(button=True)).arm_state(latched=False).stopped


def test_before_the_first_report_there_is_nothing_to_say() -> None:
    with pytest.raises(UserError, match="not reported"):
        SawyerReports().arm_state(latched=False)
    with pytest.raises(UserError, match="not reported"):
        Sawyer(FakeLink(SawyerReports()), SawyerReports(), PUBLISHED)


@pytest.mark.parametrize(
    ("reported", "heard"),
    [
        ([[True, False], [], []], [True, False, False]),
        ([[True], [], [False]], [True, True, False]),
        ([[True, False], [True, False], [False]], [True, True, False]),
        ([[], [False], [False, True]], [False, False, True]),
    ],
)
def test_a_collision_shorter_than_a_tick_is_heard_once(reported: list[list[bool]], heard: list[bool]) -> None:
    made, link = arm()
    states = []
    for since_the_last_tick in reported:
        for collided in since_the_last_tick:
            link.reports.take_collision(collided)
        states.append(made.state().collided)
    assert states == heard


def test_an_order_does_not_take_a_collision_from_the_tick() -> None:
    made, link = arm(WELL._replace(enabled=False))
    link.reports.take_collision(True)
    link.reports.take_collision(False)
    made.enable()
    assert made.state().collided


def test_a_robot_that_never_says_whether_it_collides_is_not_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sawyer, "COLLISION_REPORT_S", 0.05)
    silent = SawyerReports()
    silent.flags = WELL._replace(enabled=False)
    silent.take_joints(10.0, 500.0, JOINT_NAMES, list(NEUTRAL), [0.0] * 7, [0.0] * 7)
    link = FakeLink(silent)
    made = Sawyer(link, silent, PUBLISHED)
    with pytest.raises(UserError, match=r"collision_detection_state.*guard\.collision_reports"):
        made.enable()
    assert link.told == []
    silent.take_collision(False)
    made.enable()
    assert link.told == [True]


def test_a_robot_without_collision_reports_is_enabled_when_a_person_has_said_so() -> None:
    known = SawyerReports("absent")
    known.flags = WELL._replace(enabled=False)
    known.take_joints(10.0, 500.0, JOINT_NAMES, list(NEUTRAL), [0.0] * 7, [0.0] * 7)
    link = FakeLink(known)
    Sawyer(link, known, PUBLISHED).enable()
    assert link.told == [True]


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_stopped_arm_sends_zero_whatever_it_is_asked() -> None:
    made, link = arm()
    made.send(one_joint(2, 0.3))
    made.stop()
    made.send(one_joint(2, 0.3))
    assert link.told == [[0, 0, 0.3, 0, 0, 0, 0], [0] * 7, "halt", [0] * 7]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"stopped": True}, "reset"),
        ({"button": True}, "reset"),
        ({"error": True}, "error"),
        ({"ready": False}, "not homed"),
    ],
)
def test_an_arm_that_is_not_well_is_not_enabled(flags: dict[str, bool], said: str) -> None:
    made, link = arm(WELL._replace(enabled=False, **flags))
    with pytest.raises(UserError, match=said):
        made.enable()
    assert link.told == []


def test_a_stop_while_it_is_switched_on_wins() -> None:
    made, link = arm(WELL._replace(enabled=False))
    obey = link.switch

    def stopped_meanwhile(on: bool, give_up: Callable[[], bool]) -> None:
        assert not give_up()
        made.stop()
        assert give_up()
        obey(on, give_up)

    link.switch = stopped_meanwhile  # type: ignore[method-assign]
    with pytest.raises(UserError, match="while it was switched on"):
        made.enable()
    assert not made.state().enabled


def test_a_pressed_button_is_not_reset() -> None:
    made, link = arm(WELL._replace(enabled=False, stopped=True, button=True))
    with pytest.raises(UserError, match="red button"):
        made.reset()
    assert link.told == []


def test_closing_an_arm_that_was_never_moved_sends_no_velocity() -> None:
    made, link = arm()
    made.close()
    made.close()
    assert link.told == ["close"]


def test_an_order_is_repeated_until_the_robot_agrees_and_no_longer() -> None:
    sent: list[float] = []
    assert insist(lambda: sent.append(1.0), lambda: len(sent) == 4, lambda: False)
    assert len(sent) == 4
    assert insist(lambda: sent.append(1.0), lambda: True, lambda: False)
    assert len(sent) == 4
    assert not insist(lambda: sent.append(1.0), lambda: False, lambda: len(sent) == 9)
    assert len(sent) == 9


def test_an_order_that_nobody_obeys_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sawyer, "SWITCH_LIMIT_S", 0.1)
    assert not insist(lambda: None, lambda: False, lambda: False)


# --- the tool ---------------------------------------------------------------------------------------------------------

POSE = np.array([0.3, -0.7, 0.2, 1.4, -0.3, 0.9, 2.9])


def with_tip(
    offset: tuple[float, float, float], force: float = 0.0, later: float = 0.0, speed: float = 0.0
) -> SawyerReports:
    made = reports(position=POSE)
    made.take_joints(10.0, 500.0, JOINT_NAMES, list(POSE), [speed] * 7, [0.0] * 7)
    hand = Kinematics(0.0).hand(POSE)
    made.tip = Tip(500.0 + later, hand[:3, 3] + hand[:3, :3] @ np.array(offset), np.array([0.0, 0.0, force]))
    return made


@pytest.mark.parametrize("error", [0.0, 0.0049, -0.0049])
def test_a_tip_within_five_millimetres_is_the_same_tool(error: float) -> None:
    check_tool(with_tip((0.0, 0.0, 0.13562 + error)), Kinematics(0.1), ToolConfig(), 0.13562)


@pytest.mark.parametrize(
    ("robot", "kind", "offset", "advice"),
    [
        ((0.0, 0.0, 0.0), "electric", 0.13562, "tool.kind none, tool.mass_kg 0 and control.tool_offset_m 0"),
        ((0.0, 0.0, 0.13562), "none", 0.0, "tool.kind electric and control.tool_offset_m 0.13562"),
        ((0.0, 0.0, 0.2), "electric", 0.13562, "tool.kind custom and control.tool_offset_m 0.20000"),
        ((0.0, 0.0, 0.1408), "custom", 0.13562, "control.tool_offset_m 0.14080"),
        ((0.006, 0.0, 0.13562), "electric", 0.13562, "beside the hand's axis"),
    ],
)
def test_another_tip_is_refused_with_what_to_set(
    robot: tuple[float, float, float], kind: str, offset: float, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.sawyer_tool.PATIENCE_S", 0.05)
    tool = ToolConfig.model_validate({"kind": kind, "mass_kg": 0.0})
    with pytest.raises(UserError, match=re.escape(advice)):
        check_tool(with_tip(robot), Kinematics(offset), tool, offset)


def test_reports_of_different_moments_are_compared_only_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.sawyer_tool.PATIENCE_S", 0.05)
    tip = (0.0, 0.0, 0.13562)
    with pytest.raises(UserError, match="never of one moment"):
        check_tool(with_tip(tip, later=0.5, speed=0.1), Kinematics(0.1), ToolConfig(), 0.13562)
    check_tool(with_tip(tip, later=0.5), Kinematics(0.1), ToolConfig(), 0.13562)
    check_tool(with_tip(tip, speed=0.1), Kinematics(0.1), ToolConfig(), 0.13562)


def test_a_moving_arm_is_given_a_moment() -> None:
    made = with_tip((0.0, 0.0, 0.3))
    good = with_tip((0.0, 0.0, 0.13562)).tip
    sleep = time.sleep

    def settle(seconds: float) -> None:
        sleep(seconds)
        made.tip = good

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drivers.sawyer_tool.time.sleep", settle)
        check_tool(made, Kinematics(0.1), ToolConfig(), 0.13562)
    assert made.tip is good


@pytest.mark.parametrize(("force", "warned"), [(0.0, False), (-1.0, False), (-4.5, True), (4.6, True)])
def test_a_tool_whose_weight_the_robot_feels_is_told(
    force: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    check_tool(with_tip((0.0, 0.0, 0.13562), force), Kinematics(0.1), ToolConfig(), 0.13562)
    assert ("may not know the tool's mass" in caplog.text) == warned


def test_effort_beyond_the_robots_own_model_is_a_push() -> None:
    made = reports()
    assert not made.arm_state(latched=False).push.any()
    made.take_model(10.0, JOINT_NAMES, [5.0, -3.0, 0.0, 0.0, 0.0, 0.0, 1.0], [4.0, -5.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert made.arm_state(latched=False).push.tolist() == [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    made.take_joints(10.2, 500.2, JOINT_NAMES, list(NEUTRAL), [0.0] * 7, [0.0] * 7)
    assert not made.arm_state(latched=False).push.any(), "what the robot no longer tells is not judged for ever"
    made.take_joints(10.0, 500.0, JOINT_NAMES, list(NEUTRAL), [0.0] * 7, [0.0] * 7)
    made.take_model(10.0, ["head_pan", *JOINT_NAMES[1:]], [9.0] * 7, [0.0] * 7)
    made.take_model(10.0, JOINT_NAMES, [9.0] * 6, [0.0] * 7)
    assert made.arm_state(latched=False).push.tolist() == [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
