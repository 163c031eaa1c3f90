"""What a person does is logged in whole steps, as theirs, beside a policy's episodes; and logging costs no stop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from robot_rig.datatypes import Action, Executed, Float32s, Frame, Outcome, Source
from robot_rig.loops.episode_state import EpisodeState, Recording, Stand
from robot_rig.loops.hand_loop import RATE_HZ, HandLoop, HandReport, Speech
from robot_rig.loops.live_recorder import LiveRecorder
from robot_rig.loops.person_episodes import PersonEpisodes, PersonMove, PersonView, Phase
from tests.data.episodes import picture
from tests.loops.test_live_recorder import Log

PERIOD, CAMERA, TICK = 0.1, 1 / 30, 1 / RATE_HZ
LIMIT_S = 0.25
META = {"stage": "teleop"}
FORWARD = HandReport((1.0, 0.0, 0.0), held=True)
EXECUTED = Executed(np.zeros(2, np.float32), 0.0, Outcome.PASSED, (), np.zeros(7))
THEIRS = EpisodeState("p", 1, Stand.RUNNING, Source.POLICY, "", 1, 0, meta={"stage": "practice"})


class Desk:
    """A teleop and a recorder between which words take no time, a camera, and a guard that follows whoever is first."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.recorder = LiveRecorder(lambda goal, meta: self._open(dict(meta)))
        self.loop = HandLoop(("x", "y"))
        self.person = PersonEpisodes("t", META, PERIOD, LIMIT_S)
        self.now = 100.0
        self.frame: Frame | None = None
        self.frames_come = self.recorder_lives = self.follows = True
        self.next_frame = self.next_tick = self.now
        self.seq = 0
        self.sent: list[Action] = []
        self.announced: list[EpisodeState] = []
        self.state = self.recorder.tick(self.now)
        self.report = HandReport()
        self.leads = False
        self.loop.begin(self.now, self.report)

    def _open(self, meta: dict[str, str]) -> Log:
        log = Log()
        log.meta = meta
        self.logs.append(log)
        return log

    def view(self) -> PersonView:
        return PersonView(self.frame, self.leads and self.follows, self.state)

    def take(self, move: PersonMove) -> None:
        if move.announce is not None:
            self.announced.append(move.announce)
            self.recorder.follow(self.now, move.announce)
        if move.action is not None:
            if self.sent:
                self.recorder.report(self.now, self.sent[-1].seq, EXECUTED)
            self.sent.append(move.action)
            self.recorder.act(move.action)
            self.leads = True

    def hasten(self) -> None:
        action, wish = self.loop.tick(self.now), self.loop.wish(self.now)
        self.take(self.person.carry(self.now, action, wish, self.view()))

    def live(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += 1 / 240
            self.loop.look(self.now, Speech.REPEATS)
            if self.report.deflected:
                self.loop.feel(self.now, self.report)
            if self.now >= self.next_frame and self.frames_come:
                self.next_frame += CAMERA
                self.seq += 1
                self.frame = Frame(self.seq, self.now - 0.05, picture(self.seq % 200))
                self.recorder.observe(self.frame)
                self.take(self.person.answer(self.now, self.loop.wish(self.now), self.view()))
            if self.now >= self.next_tick:
                self.next_tick += TICK
                self.hasten()
            if self.recorder_lives:
                self.state = self.recorder.tick(self.now)

    def say(self, report: HandReport) -> None:
        self.report = report
        self.loop.feel(self.now, report)

    def push(self, seconds: float) -> None:
        self.say(HandReport(held=True))
        self.live(0.05)
        self.say(FORWARD)
        self.live(seconds)

    def let_go(self) -> None:
        self.say(HandReport())
        self.hasten()


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.live(0.5)
    return desk


def test_a_stretch_of_motion_is_one_episode_of_whole_steps_that_are_the_persons(desk: Desk) -> None:
    desk.push(3.0)
    assert desk.person.phase is Phase.RUNNING
    desk.let_go()
    desk.live(0.5)
    (log,) = desk.logs
    assert log.meta == META
    assert len(log.steps) >= 25
    assert {step.action.source for step in log.steps} == {Source.HUMAN}
    stamps = np.array([step.frame.stamp for step in log.steps])
    assert np.diff(stamps) == pytest.approx(np.full(len(stamps) - 1, PERIOD), abs=0.02)
    assert all(np.diff([step.action.seq for step in log.steps]) == 1)
    (closing,) = log.ended
    assert isinstance(closing, int)
    assert closing > log.steps[-1].frame.seq
    assert desk.announced[-1].stand is Stand.COMPLETE


def test_the_goodbye_waits_for_no_frame_and_numbers_rise_throughout(desk: Desk) -> None:
    for _ in range(3):
        desk.push(0.7)
        before = len(desk.sent)
        desk.let_go()
        assert not desk.sent[before].value.any()
        assert desk.sent[before].stamp == desk.now
        desk.live(0.4)
    assert all(one.seq < other.seq for one, other in zip(desk.sent, desk.sent[1:], strict=False))
    assert len(desk.logs) == 3
    assert all(isinstance(log.ended[0], int) for log in desk.logs)


def test_actions_come_no_rarer_than_the_guard_needs_them(desk: Desk) -> None:
    desk.push(3.0)
    stamps = np.array([action.stamp for action in desk.sent])
    assert np.diff(stamps).max() < 0.15


def test_without_a_recorder_the_arm_is_moved_all_the_same(desk: Desk) -> None:
    desk.recorder_lives = False
    desk.live(0.5)
    desk.push(1.0)
    assert not desk.logs
    assert len(desk.sent) == pytest.approx(1.05 / TICK, abs=2)


def test_a_policys_episode_is_closed_before_the_persons_begins_and_neither_ends_the_other(desk: Desk) -> None:
    desk.recorder.follow(desk.now, THEIRS)
    desk.live(0.05)
    assert desk.state.stand is Recording.OPEN
    desk.push(0.2)
    assert not desk.announced, "the recorder is not free yet"
    over = dataclasses.replace(THEIRS, stand=Stand.CUT_SHORT, reason="a person has the arm")
    desk.recorder.follow(desk.now, over)
    desk.live(1.0)
    assert [log.meta["stage"] for log in desk.logs] == ["practice", "teleop"]
    desk.recorder.follow(desk.now, over)  # latched words are heard twice
    desk.live(0.5)
    assert desk.person.phase is Phase.RUNNING
    desk.let_go()
    desk.recorder.follow(desk.now, dataclasses.replace(THEIRS, number=2))
    desk.live(0.3)
    assert isinstance(desk.logs[1].ended[0], int)
    assert desk.state.key == ("p", 2)
    assert desk.state.stand is Recording.OPEN


def stop_the_camera(desk: Desk) -> None:
    desk.frames_come = False


def stop_the_recorder(desk: Desk) -> None:
    desk.recorder_lives = False


def lose_the_arm(desk: Desk) -> None:
    desk.follows = False


@pytest.mark.parametrize("trouble", [stop_the_camera, stop_the_recorder, lose_the_arm])
def test_what_keeps_it_from_being_logged_ends_the_episode_and_not_the_motion(desk: Desk, trouble: object) -> None:
    desk.push(1.0)
    assert callable(trouble)
    trouble(desk)
    desk.live(1.0)
    assert desk.announced[-1].stand is Stand.CUT_SHORT
    assert desk.announced[-1].reason
    assert desk.now - desk.sent[-1].stamp <= 2 * TICK
    assert desk.sent[-1].value[0] > 0.0


def test_a_tap_leaves_no_episode_that_could_be_learnt_from(desk: Desk) -> None:
    desk.push(0.03)
    desk.let_go()
    desk.live(0.5)
    assert all(state.stand is not Stand.COMPLETE for state in desk.announced)


def wish_of(value: float) -> Float32s:
    return np.full(2, value, np.float32)


def test_a_recorder_that_never_opens_is_left_alone_for_a_while() -> None:
    person, now, asked = PersonEpisodes("t", META, PERIOD, LIMIT_S), 100.0, 0
    desk = Desk()
    idle = desk.state
    for k in range(round(6.0 / TICK)):
        now += TICK
        view = PersonView(Frame(k + 1, now, picture(1)), True, dataclasses.replace(idle, stamp=now))
        action = Action(k + 1, now, wish_of(0.1), Source.HUMAN, 0, now)
        move = person.carry(now, action, action.value, view)
        assert move.action is action
        asked += move.announce is not None and move.announce.stand is Stand.RUNNING
    assert asked == 1
