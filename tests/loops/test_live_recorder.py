"""Whatever the order in which the parts arrive, the file holds whole steps in the order of the actions, or ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import Frame, Goal, Source, Step
from robot_rig.errors import UserError
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand, goal_key
from robot_rig.loops.live_recorder import LATE_S, LiveRecorder
from robot_rig.loops.recorder import StepLog
from tests.data.episodes import ACTION_DIM, NO_LIMIT, START, make_frame, make_step, picture

STEPS = 6
GOAL = Goal(picture(40), "cup", 0.0, "", "captured")
BEGUN = EpisodeState("s", 1, Stand.RUNNING, Source.RANDOM, goal_key(GOAL), 1, 0, meta={"stage": "reach"})
LAST = make_frame(STEPS)
DONE = dataclasses.replace(BEGUN, stand=Stand.COMPLETE, last_action=STEPS, last_frame=LAST.seq, last_stamp=LAST.stamp)


class Log:
    def __init__(self, broken_after: int = 10_000) -> None:
        self.steps: list[Step] = []
        self.ended: list[object] = []
        self.closing: Frame | None = None
        self.goal: Goal | None = None
        self.meta: Mapping[str, str] = {}
        self._broken_after = broken_after

    @property
    def acknowledged(self) -> int:
        return len(self.steps)

    def append(self, step: Step) -> None:
        if len(self.steps) >= self._broken_after:
            raise UserError("the disk is full")
        self.steps.append(step)

    def finish(self, last_frame: Frame) -> None:
        self.closing = last_frame
        self.ended.append(last_frame.seq)

    def abort(self, reason: str) -> None:
        self.ended.append(reason)


class Desk:
    """A recorder and the files that it has opened."""

    def __init__(self, broken_after: int = 10_000) -> None:
        self.logs: list[Log] = []

        def open_log(goal: Goal | None, meta: Mapping[str, str]) -> StepLog:
            self.logs.append(Log(broken_after))
            self.logs[-1].goal, self.logs[-1].meta = goal, meta
            return self.logs[-1]

        self.live = LiveRecorder(open_log)

    def begin(self) -> None:
        self.live.aim(GOAL)
        self.live.follow(START, BEGUN)
        assert self.live.tick(START).stand is Recording.OPEN

    def give(self, part: str, number: int) -> None:
        step = make_step(number)
        if part == "frame":
            self.live.observe(make_frame(number))
        elif part == "action":
            self.live.act(step.action)
        else:
            self.live.report(step.action.stamp + 0.1, step.action.seq, step.executed)

    def tick(self, seconds: float = 0.0) -> RecorderState:
        return self.live.tick(START + seconds)


def parts() -> list[tuple[str, int]]:
    steps = [(part, number) for number in range(STEPS) for part in ("frame", "action", "executed")]
    return [*steps, ("frame", STEPS), ("done", 0)]


@given(st.permutations(parts()))
@settings(max_examples=60)
def test_any_order_of_arrival_gives_the_same_file(order: list[tuple[str, int]]) -> None:
    desk = Desk()
    desk.begin()
    for part, number in order:
        if part == "done":
            desk.live.follow(START, DONE)
        else:
            desk.give(part, number)
        desk.tick()
    (log,) = desk.logs
    assert [step.action.seq for step in log.steps] == list(range(1, STEPS + 1))
    for number, step in enumerate(log.steps):
        assert step.frame.seq == 100 + number
        np.testing.assert_array_equal(step.frame.rgb, make_frame(number).rgb)
        assert step.executed.value.tobytes() == make_step(number).executed.value.tobytes()
    assert log.ended == [100 + STEPS]
    assert (log.goal, log.meta) == (GOAL, {"stage": "reach"})
    assert desk.tick().stand is Recording.IDLE


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        (("frame", 2), "frame 102"),
        (("action", 2), "action 3"),
        (("executed", 2), "action 3"),
        (("frame", 6), "closing"),
    ],
)
def test_a_lost_part_ends_the_file_before_the_gap_and_names_it(lost: tuple[str, int], named: str) -> None:
    desk = Desk()
    desk.begin()
    for part, number in parts():
        if (part, number) != lost and part != "done":
            desk.give(part, number)
    desk.live.follow(START, DONE)
    desk.tick()
    assert desk.tick(LATE_S / 2).stand is Recording.OPEN
    state = desk.tick(LATE_S + 0.1)
    assert state.stand is Recording.FAILED
    assert state.key == ("s", 1)
    assert named in state.reason
    (log,) = desk.logs
    assert len(log.steps) == min(lost[1], STEPS)
    assert log.ended == [state.reason]


def test_the_next_episode_waits_for_the_account_of_the_last_action() -> None:
    desk = Desk()
    desk.begin()
    late = ("executed", STEPS - 1)
    for part, number in parts():
        if part != "done" and (part, number) != late:
            desk.give(part, number)
    following = dataclasses.replace(BEGUN, number=2, first_action=STEPS + 1, last_action=STEPS)
    desk.live.follow(START + 0.1, DONE)
    assert desk.tick(0.1).number == 1
    desk.live.follow(START + 0.2, following)
    assert desk.tick(0.2).number == 1
    desk.give(*late)
    desk.tick(0.3)
    assert desk.tick(0.31).number == 2
    assert desk.tick(0.32).stand is Recording.OPEN
    assert [len(log.steps) for log in desk.logs] == [STEPS, 0]
    assert desk.logs[0].ended == [100 + STEPS]


def test_one_of_another_session_that_waited_and_has_ended_meanwhile_is_not_taken_up() -> None:
    desk = Desk()
    desk.begin()
    late = ("executed", STEPS - 1)
    for part, number in parts():
        if part != "done" and (part, number) != late:
            desk.give(part, number)
    desk.live.follow(START + 0.1, DONE)
    desk.tick(0.1)
    persons = dataclasses.replace(BEGUN, session="teleop", source=Source.HUMAN, goal="")
    desk.live.follow(START + 0.2, persons)
    desk.live.follow(START + 0.3, dataclasses.replace(persons, stand=Stand.CUT_SHORT, reason="let go"))
    desk.give(*late)
    for seconds in (0.4, 0.5, 0.6):
        assert desk.tick(seconds).stand is Recording.IDLE
    (log,) = desk.logs
    assert log.ended == [100 + STEPS]


def test_a_policy_process_that_dies_leaves_a_closed_file() -> None:
    desk = Desk()
    desk.begin()
    for part, number in parts()[:9]:
        desk.give(part, number)
    desk.tick(0.5)
    assert desk.tick(0.5 + LATE_S + 0.1).stand is Recording.FAILED
    assert len(desk.logs[0].steps) == 3
    assert len(desk.logs[0].ended) == 1


def test_a_new_process_numbers_its_actions_anew_and_the_parts_do_not_meet() -> None:
    desk = Desk()
    desk.begin()
    for part, number in parts()[:9]:
        desk.give(part, number)
    desk.tick()
    desk.live.follow(START, dataclasses.replace(BEGUN, session="t"))
    assert desk.tick(0.1).key == ("t", 1)
    assert desk.logs[0].ended == ["another episode began"]
    # Action 1 of the new process comes later than what was said of the old one's.
    late = dataclasses.replace(make_step(0).action, stamp=START + 5.0)
    desk.live.act(late)
    desk.tick(0.2)
    assert not desk.logs[1].steps
    desk.live.report(START + 5.1, 1, make_step(3).executed)
    desk.tick(0.3)
    assert desk.logs[1].steps[0].executed.value.tobytes() == make_step(3).executed.value.tobytes()


def test_an_episode_cut_short_keeps_its_steps_and_its_reason() -> None:
    desk = Desk()
    desk.begin()
    for part, number in parts()[:9]:
        desk.give(part, number)
    desk.live.follow(START, dataclasses.replace(BEGUN, stand=Stand.CUT_SHORT, last_action=3, reason="hold"))
    assert desk.tick().stand is Recording.IDLE
    assert len(desk.logs[0].steps) == 3
    assert desk.logs[0].ended == ["hold"]


def test_an_episode_whose_beginning_was_missed_is_not_logged() -> None:
    desk = Desk()
    desk.live.aim(GOAL)
    desk.live.follow(START, dataclasses.replace(BEGUN, last_action=2))
    assert desk.tick().stand is Recording.IDLE
    desk.live.follow(START, dataclasses.replace(DONE, number=2))
    assert desk.tick().stand is Recording.IDLE
    assert not desk.logs


def test_the_file_waits_for_its_goal_picture_and_takes_no_other() -> None:
    desk = Desk()
    other = Goal(picture(41), "cup", 0.0, "", "captured")
    desk.live.aim(other)
    desk.live.follow(START, BEGUN)
    assert desk.tick(0.1).stand is Recording.IDLE
    desk.live.aim(GOAL)
    assert desk.tick(0.2).stand is Recording.OPEN
    assert desk.logs[0].goal == GOAL


def test_a_goal_picture_that_never_comes_is_said() -> None:
    desk = Desk()
    desk.live.follow(START, BEGUN)
    assert desk.tick(0.1).stand is Recording.IDLE
    state = desk.tick(LATE_S + 0.1)
    assert (state.stand, state.reason) == (Recording.FAILED, "the goal picture has not arrived")
    assert not desk.logs


def test_it_tells_the_steps_on_disk_of_the_episode_at_hand_and_no_other() -> None:
    desk = Desk()
    desk.begin()
    for number, told in enumerate((1, 2, 3)):
        for part in ("frame", "action", "executed"):
            desk.give(part, number)
        assert desk.tick().steps == told
    later = dataclasses.replace(BEGUN, number=2, goal="box:0", first_action=4, last_action=3)
    desk.live.follow(START, later)
    state = desk.tick(LATE_S + 0.1)
    assert (state.number, state.stand, state.steps) == (2, Recording.FAILED, 0), "its goal has not come"


def test_goalless_play_needs_none() -> None:
    desk = Desk()
    desk.live.follow(START, dataclasses.replace(BEGUN, goal=""))
    assert desk.tick().stand is Recording.OPEN
    assert desk.logs[0].goal is None


def test_a_full_disk_is_said_and_the_next_episode_is_tried() -> None:
    desk = Desk(broken_after=2)
    desk.begin()
    for part, number in parts()[:9]:
        desk.give(part, number)
    state = desk.tick()
    assert (state.stand, state.steps, state.reason) == (Recording.FAILED, 2, "the disk is full.")
    assert desk.logs[0].ended == ["the recorder failed"]
    desk.live.follow(START, dataclasses.replace(BEGUN, number=2, first_action=4, last_action=3))
    assert desk.tick().stand is Recording.OPEN


def test_a_file_that_cannot_be_opened_is_said() -> None:
    def refuse(goal: Goal | None, meta: Mapping[str, str]) -> StepLog:
        raise UserError("no folder")

    live = LiveRecorder(refuse)
    live.aim(GOAL)
    live.follow(START, BEGUN)
    state = live.tick(START)
    assert (state.stand, state.reason) == (Recording.FAILED, "no folder.")


def test_closing_ends_the_open_file() -> None:
    desk = Desk()
    desk.begin()
    desk.live.close("bye")
    assert desk.logs[0].ended == ["bye"]
    assert desk.tick().stand is Recording.IDLE


def test_it_writes_a_log_that_the_trainer_reads(tmp_path: Path) -> None:
    def open_log(goal: Goal | None, meta: Mapping[str, str]) -> StepLog:
        image = None if goal is None else goal.image
        return EpisodeWriter(tmp_path / "reach-000000.mcap", ACTION_DIM, image, meta, room=NO_LIMIT)

    desk = Desk()
    desk.live = LiveRecorder(open_log)
    give: Callable[[str, int], None] = desk.give
    desk.begin()
    for part, number in parts()[:-1]:
        give(part, number)
    desk.live.follow(START, DONE)
    desk.tick()
    assert desk.tick().steps == 0, "no episode is at hand"
    episode = read_episode(tmp_path / "reach-000000.mcap")
    assert (len(episode), episode.truncated, episode.meta["stage"]) == (STEPS, False, "reach")
    np.testing.assert_array_equal(episode.goal, GOAL.image)
    np.testing.assert_array_equal(episode.frames[-1], make_frame(STEPS).rgb)


def test_an_old_frame_under_the_number_of_the_answered_one_is_not_taken_for_it() -> None:
    """A camera that is started anew counts from the beginning."""
    desk, step = Desk(), make_step(0)
    desk.begin()
    desk.live.observe(dataclasses.replace(step.frame, stamp=step.frame.stamp - 3.0, rgb=picture(77)))
    desk.give("action", 0)
    desk.give("report", 0)
    assert desk.live.tick(START).steps == 0
    assert f"frame {step.frame.seq}, which action" in desk.live.tick(START + LATE_S + 0.1).reason
    other = Desk()
    other.begin()
    other.live.observe(dataclasses.replace(step.frame, stamp=step.frame.stamp - 3.0, rgb=picture(77)))
    for part in ("action", "report", "frame"):
        other.give(part, 0)
    assert other.live.tick(START).steps == 1
    np.testing.assert_array_equal(other.logs[0].steps[0].frame.rgb, step.frame.rgb)


@pytest.mark.parametrize("off_s", [-3.0, 3.0])
def test_a_frame_of_another_time_under_the_number_of_the_closing_one_is_not_taken_for_it(off_s: float) -> None:
    """Before it, one of the camera's life before; behind it, one of the life after."""
    desk = Desk()
    desk.begin()
    for part, number in parts()[:-2]:
        desk.give(part, number)
    desk.live.observe(dataclasses.replace(LAST, stamp=LAST.stamp + off_s, rgb=picture(77)))
    desk.live.follow(START, DONE)
    assert desk.tick().stand is Recording.OPEN
    (log,) = desk.logs
    assert (len(log.steps), log.ended) == (STEPS, [])
    late = desk.tick(LATE_S + 0.1)
    assert (late.stand, log.ended) == (Recording.FAILED, [f"frame {LAST.seq}, the closing one, has not arrived"])


def test_the_closing_frame_that_comes_behind_its_namesake_closes_the_file() -> None:
    desk = Desk()
    desk.begin()
    for part, number in parts()[:-2]:
        desk.give(part, number)
    desk.live.observe(dataclasses.replace(LAST, stamp=LAST.stamp - 3.0, rgb=picture(77)))
    desk.live.follow(START, DONE)
    desk.tick()
    desk.give("frame", STEPS)
    assert desk.tick().stand is Recording.IDLE
    assert desk.logs[0].closing is not None
    np.testing.assert_array_equal(desk.logs[0].closing.rgb, LAST.rgb)
