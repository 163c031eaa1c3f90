"""The policy process's episodes: silent in every doubt, exactly as many steps as asked for, and no motion unlogged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from robot_rig.datatypes import IMAGE_SHAPE, Action, Float32s, Frame, Goal, Mode, Source
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand, goal_key
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Move, Phase, Rules, View

AGE_LIMIT, PERIOD = 0.25, 0.1
CAMERA_PERIOD, CAMERA_DELAY = 1 / 30, 0.12
TICK = 0.005


class Echo:
    """Acts with its count of actions; remembers goals and what was under way."""

    action_dim = 2

    def __init__(self) -> None:
        self.goals: list[str] = []
        self.acts = 0
        self.under_way: list[Float32s | None] = []

    def begin(self, goal: Goal) -> None:
        self.goals.append(goal.id)

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        self.acts += 1
        self.under_way.append(under_way)
        return np.array([self.acts, 0.0], np.float32)


def goal(name: str, arrival: float) -> Goal:
    return Goal(np.full(IMAGE_SHAPE, len(name), np.uint8), name, arrival, "", "captured")


class World:
    """A camera of 30 frames/s, an arm process and a recorder around `LiveEpisodes`, on one clock."""

    def __init__(self, **rules: object) -> None:
        self.policy = Echo()
        chosen = Rules(steps=5, source=Source.POLICY, start="anywhere", recording="off", session="s")
        self.live = LiveEpisodes(self.policy, dataclasses.replace(chosen, **rules), AGE_LIMIT, PERIOD, 0.0)  # type: ignore[arg-type]
        self.now = 10.0
        self.camera_runs = self.arm_speaks = self.recorder_runs = True
        self.mode, self.holder, self.at_home = Mode.ACTIVE, None, True
        self.goal: Goal | None = None
        self.frame: Frame | None = None
        self.arm: ArmView | None = None
        self.recorder: RecorderState | None = None
        self.executed: tuple[int, Float32s | None] = (-1, None)
        self.recording = Recording.IDLE
        self.key = ("", 0)
        self.actions: list[Action] = []
        self.objection = ""
        self.said: list[EpisodeState] = []
        self.homes: list[float] = []

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.step()

    def step(self) -> None:
        self.now += TICK
        seq = int((self.now - CAMERA_DELAY) / CAMERA_PERIOD)
        if self.camera_runs and (self.frame is None or seq > self.frame.seq):
            self.frame = Frame(seq, seq * CAMERA_PERIOD, np.zeros(IMAGE_SHAPE, np.uint8))
        if self.arm_speaks:
            self.arm = ArmView(self.now, self.mode, self.holder, self.at_home, *self.executed, self.objection)
        if self.recorder_runs:
            self.recorder = RecorderState(self.now, self.recording, *self.key)
        self.take(self.live.tick(self.now, View(self.frame, self.goal, self.arm, self.recorder)))

    def take(self, move: Move) -> None:
        if move.action is not None:
            self.actions.append(move.action)
        if move.announce is not None:
            self.said.append(move.announce)
        if move.go_home:
            self.homes.append(self.now)

    def open_file(self) -> None:
        self.key, self.recording = self.said[-1].key, Recording.OPEN


def asked(**rules: object) -> World:
    world = World(**rules)
    world.goal = goal("cup", world.now)
    return world


def test_a_goal_gets_one_episode_of_its_steps_at_the_policys_rate() -> None:
    world = asked()
    world.run(3.0)
    assert len(world.actions) == 5
    assert world.policy.goals == ["cup"]
    begun, ended = world.said
    assert (begun.stand, begun.goal, begun.first_action) == (Stand.RUNNING, goal_key(world.goal), 1)
    assert (ended.stand, ended.first_action, ended.last_action) == (Stand.COMPLETE, 1, 5)
    stamps = np.array([action.frame_stamp for action in world.actions])
    np.testing.assert_allclose(np.diff(stamps), PERIOD, atol=1e-6)
    # The closing frame lies one period behind the last action's.
    assert ended.last_frame == world.actions[-1].frame_seq + 3
    assert world.live.phase is Phase.WAITING
    assert world.live.silence == "no goal is asked for"


@pytest.mark.parametrize("ticks", range(4))
def test_a_frame_is_answered_when_it_arrives_and_the_first_of_an_episode_too(ticks: int) -> None:
    world = World()
    world.run(1.0 + ticks * TICK)
    world.goal = goal("cup", world.now)
    world.run(3.0)
    assert len(world.actions) == 5
    ages = [action.stamp - action.frame_stamp for action in world.actions]
    assert max(ages) <= CAMERA_DELAY + TICK + 1e-6


def test_every_arrival_of_a_goal_asks_once_and_actions_are_numbered_on() -> None:
    world = asked()
    world.run(2.0)
    world.goal = goal("cup", world.now)
    world.run(2.0)
    world.goal = goal("box", world.now)
    world.run(2.0)
    assert world.policy.goals == ["cup", "cup", "box"]
    assert [action.seq for action in world.actions] == list(range(1, 16))
    assert [(state.number, state.stand) for state in world.said] == [
        (number, stand) for number in (1, 2, 3) for stand in (Stand.RUNNING, Stand.COMPLETE)
    ]


def test_a_goal_that_comes_during_an_episode_waits_for_its_end() -> None:
    world = asked()
    world.run(0.3)
    world.goal = goal("box", world.now)
    world.run(0.1)
    assert world.policy.goals == ["cup"]
    world.run(3.0)
    assert world.policy.goals == ["cup", "box"]
    assert len(world.actions) == 10


def test_random_play_needs_no_goal_and_goes_on_until_its_time_is_up() -> None:
    world = World(source=Source.RANDOM, until=12.0)
    world.goal = goal("cup", world.now)
    world.run(4.0)
    assert world.policy.goals == []
    assert {action.source for action in world.actions} == {Source.RANDOM}
    assert world.said[-1].stand is Stand.COMPLETE
    assert len(world.actions) % 5 == 0
    assert 10.0 < world.actions[-1].stamp < 12.0 + 5 * PERIOD + 0.1
    assert world.live.silence == "time is up"


def test_another_policy_acts_from_the_next_episode_on_and_never_within_one() -> None:
    world = asked()
    world.run(0.3)
    other = Echo()
    rules = Rules(steps=3, source=Source.RANDOM, start="anywhere", recording="off", session="s", meta={"stage": "play"})
    with pytest.raises(RuntimeError, match="between episodes"):
        world.live.recast(other, rules)
    world.run(2.0)
    assert (len(world.actions), world.policy.acts) == (5, 5)
    world.live.recast(other, rules)
    world.run(0.3)
    assert world.policy.acts == 5
    assert world.actions[-1].source is Source.RANDOM
    begun = world.said[2]
    assert (begun.number, begun.first_action, begun.meta) == (2, 6, {"stage": "play"})
    world.run(1.0)
    assert world.said[3].last_action - world.said[3].first_action == 2


def test_no_goal_no_action() -> None:
    world = World()
    world.run(2.0)
    assert not world.actions
    assert not world.said


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.ACTIVE])
def test_nothing_begins_unless_the_guard_is_active(mode: Mode) -> None:
    world = asked(start="home")
    world.mode, world.at_home = mode, False
    world.run(2.0)
    assert not world.actions
    assert not world.said
    assert not world.homes, "out of HOLD and DISABLED only a person leads"
    assert mode.value in world.live.silence


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.ACTIVE])
def test_an_episode_ends_when_the_guard_leaves_active(mode: Mode) -> None:
    world = asked(steps=100)
    world.run(1.0)
    sent = len(world.actions)
    world.mode = mode
    world.run(1.0)
    assert len(world.actions) == sent
    ended = world.said[-1]
    assert (ended.stand, ended.last_action, ended.last_frame) == (Stand.CUT_SHORT, sent, -1)
    assert mode.value in ended.reason
    world.mode = Mode.ACTIVE
    world.run(1.0)
    assert len(world.actions) == sent, "a goal is served once"


def test_an_arm_process_that_falls_silent_ends_the_episode() -> None:
    world = asked(steps=100)
    world.run(1.0)
    world.arm_speaks = False
    world.run(0.5)
    sent = len(world.actions)
    world.run(1.0)
    assert len(world.actions) == sent
    assert world.said[-1].reason == "the arm process is silent"


def test_no_episode_begins_against_an_objection_and_one_that_runs_goes_on() -> None:
    world = asked()
    world.run(0.3)
    world.objection = "the ROS master does not answer"
    world.run(3.0)
    assert world.said[-1].stand is Stand.COMPLETE
    world.goal = goal("plate", world.now)
    world.run(3.0)
    assert len(world.said) == 2
    assert world.live.silence == "the ROS master does not answer, so no episode begins"
    world.objection = ""
    world.run(0.3)
    assert world.said[-1].stand is Stand.RUNNING


def test_a_person_who_takes_the_arm_ends_the_episode() -> None:
    world = asked(steps=100)
    world.run(1.0)
    world.holder = Source.HUMAN
    world.step()
    sent = len(world.actions)
    world.run(1.0)
    assert len(world.actions) == sent
    assert world.said[-1].reason == "a person has the arm"


@pytest.mark.parametrize("source", [Source.POLICY, Source.RANDOM])
def test_a_policy_that_is_handed_the_arm_back_begins_the_interrupted_episode_anew(source: Source) -> None:
    world = asked(steps=20, source=source)
    world.run(1.0)
    world.holder = Source.HUMAN
    world.run(10.0)
    assert len(world.said) == 2, "a person may take all the time there is"
    world.holder = None
    world.run(2.5)
    assert [state.stand for state in world.said[:4]] == [
        Stand.RUNNING, Stand.CUT_SHORT, Stand.RUNNING, Stand.COMPLETE,
    ]  # fmt: skip
    begun = world.said[2]
    assert begun.number == 2
    assert begun.goal == world.said[0].goal
    if source is Source.POLICY:
        world.run(3.0)
        assert len(world.said) == 4, "and is served once"


def test_a_camera_that_stops_silences_the_policy_and_may_come_back() -> None:
    world = asked(steps=100)
    world.run(1.0)
    world.camera_runs = False
    world.run(AGE_LIMIT)
    sent = len(world.actions)
    world.run(3.0)
    assert len(world.actions) == sent
    assert "old" in world.live.silence
    assert world.live.phase is Phase.RUNNING
    world.camera_runs = True
    world.run(1.0)
    assert len(world.actions) == pytest.approx(sent + 10, abs=1)
    assert world.live.missed > 20
    world.camera_runs = False
    world.run(6.0)
    assert world.said[-1].stand is Stand.CUT_SHORT


def test_no_action_answers_a_picture_older_than_the_limit() -> None:
    world = asked(steps=100)
    rng = np.random.default_rng(4)
    for _ in range(80):
        world.camera_runs = bool(rng.integers(2))
        world.run(0.11)
    assert len(world.actions) > 20
    assert max(action.stamp - action.frame_stamp for action in world.actions) <= AGE_LIMIT
    assert len({action.frame_seq for action in world.actions}) == len(world.actions)


def test_the_policy_hears_what_became_of_its_actions() -> None:
    world = asked(steps=100)
    world.run(0.5)
    world.executed = (world.actions[-1].seq, np.array([0.125, 0.0], np.float32))
    asks = len(world.policy.under_way)
    world.run(0.2)
    told = world.policy.under_way[asks]
    assert told is not None
    assert 0.125 in told[:, 1], "the executed action, not the one wished for"


# --- home ---------------------------------------------------------------------------------------------------------


def test_an_episode_begins_at_home_and_the_arm_is_sent_there_once() -> None:
    world = asked(start="home")
    world.at_home = False
    world.run(0.5)
    assert len(world.homes) == 1
    assert not world.actions
    world.mode = Mode.HOMING
    world.run(20.0)
    assert len(world.homes) == 1
    assert world.live.phase is Phase.HOMING
    world.mode, world.at_home = Mode.ACTIVE, True
    world.run(0.3)
    assert world.actions
    world.at_home = False
    world.run(1.0)
    assert len(world.actions) == 5
    assert len(world.homes) == 2, "after the episode it goes home again"
    world.mode = Mode.HOMING
    world.run(1.0)
    world.mode, world.at_home = Mode.ACTIVE, True
    world.run(3.0)
    assert len(world.actions) == 5, "a goal is served once"
    assert len(world.homes) == 2


def test_an_order_that_is_not_followed_is_given_again_and_a_person_who_interrupts_it_is_not_argued_with() -> None:
    world = asked(start="home")
    world.at_home = False
    world.run(5.0)
    assert 2 <= len(world.homes) <= 3
    world.mode = Mode.HOLD
    given = len(world.homes)
    world.run(10.0)
    assert len(world.homes) == given
    assert not world.actions


# --- the recorder -------------------------------------------------------------------------------------------------


def test_no_motion_before_the_recorder_has_opened_this_episodes_file() -> None:
    world = asked(recording="required")
    world.run(1.0)
    assert [state.stand for state in world.said] == [Stand.RUNNING]
    assert not world.actions
    world.key, world.recording = ("another process", 1), Recording.OPEN
    world.run(1.0)
    assert not world.actions
    world.open_file()
    world.run(1.0)
    assert len(world.actions) == 5


def test_without_a_recorder_nothing_begins() -> None:
    world = asked(recording="required")
    world.recorder_runs = False
    world.run(2.0)
    assert not world.said
    assert world.live.silence == "the recorder is silent"


def test_a_recorder_that_does_not_answer_is_given_up_and_asked_again_later_for_the_next_goal() -> None:
    world = World(recording="required", source=Source.RANDOM)
    world.run(4.0)
    assert [state.stand for state in world.said] == [Stand.RUNNING, Stand.CUT_SHORT]
    world.run(5.0)
    assert (world.said[-1].number, world.said[-1].stand) == (2, Stand.RUNNING)
    world.open_file()
    world.run(1.0)
    assert len(world.actions) == 5


@pytest.mark.parametrize("failure", ["silent", "failed", "closed"])
def test_a_recorder_that_dies_stops_the_policy(failure: str) -> None:
    world = asked(recording="required", steps=100)
    world.run(0.1)
    world.open_file()
    world.run(1.0)
    sent = len(world.actions)
    assert sent > 8
    if failure == "silent":
        world.recorder_runs = False
    else:
        world.recording = Recording.FAILED if failure == "failed" else Recording.IDLE
    world.run(0.3)
    assert len(world.actions) <= sent + 3
    stopped = len(world.actions)
    world.run(2.0)
    assert len(world.actions) == stopped
    assert world.said[-1].stand is Stand.CUT_SHORT
    assert "recorder" in world.said[-1].reason


def test_a_logged_episode_does_not_outlast_a_missing_picture() -> None:
    world = asked(recording="required", steps=100)
    world.run(0.1)
    world.open_file()
    world.run(1.0)
    world.camera_runs = False
    world.run(1.0)
    assert world.said[-1].stand is Stand.CUT_SHORT


def test_ending_the_process_ends_the_episode() -> None:
    world = asked(steps=100)
    assert world.live.cut_short("bye") == Move()
    world.run(1.0)
    world.take(world.live.cut_short("bye"))
    assert (world.said[-1].stand, world.said[-1].reason) == (Stand.CUT_SHORT, "bye")
    assert world.live.cut_short("bye") == Move()


@pytest.mark.parametrize("source", [Source.POLICY, Source.RANDOM])
def test_one_who_comes_anew_neither_acts_nor_goes_home_where_another_has_led(source: Source) -> None:
    world = asked(start="home")
    world.at_home, world.holder = False, source
    world.run(3.0)
    assert not world.actions
    assert not world.homes
    assert "another program" in world.live.silence
    # A person enables: the guard's lease is free again.
    world.holder = None
    world.run(0.1)
    assert len(world.homes) == 1
    world.at_home = True
    world.run(0.5)
    world.holder = Source.POLICY
    world.run(3.0)
    assert world.said[-1].stand is Stand.COMPLETE
