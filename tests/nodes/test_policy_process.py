"""The policy process without ROS: it ticks when a frame comes, and when it ends nothing more comes out of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from robot_rig.clock import WallClock
from robot_rig.datatypes import IMAGE_SHAPE, Action, Bytes, Frame, Goal, Mode, Source
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Rules
from robot_rig.nodes.policy_process import Inbox, Outlets, PolicyProcess
from robot_rig.nodes.policy_views import Eyes, PolicyViews, Screens
from robot_rig.ros.episode_reports import PolicyReport
from tests.loops.test_live_episodes import Echo
from tests.ros_graph import eventually

CLOCK = WallClock()
DARK = np.zeros(IMAGE_SHAPE, np.uint8)


class Bench:
    def __init__(self) -> None:
        rules = Rules(steps=1000, source=Source.RANDOM, start="anywhere", recording="off", session="s")
        self.policy = Echo()
        self.inbox = Inbox(CLOCK.now)
        self.actions: list[Action] = []
        self.episodes: list[EpisodeState] = []
        self.died = threading.Event()
        outlets = Outlets(self.actions.append, self.episodes.append, lambda: None)
        live = LiveEpisodes(self.policy, rules, 0.25, 0.01, 0.0)
        self.process = PolicyProcess(live, self.inbox, outlets, CLOCK, self.died.set)
        self.thread = threading.Thread(target=self.process.run, daemon=True)
        self.seq = 0

    def frame(self) -> None:
        self.seq += 1
        self.inbox.arms.put(ArmView(CLOCK.now(), Mode.ACTIVE, None, True, -1, None))
        self.inbox.frames.put(Frame(self.seq, CLOCK.now(), DARK))
        self.process.new_frame()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.process.close("the test is over")
    if bench.thread.ident is not None:
        bench.thread.join(5)


def test_frames_wake_it_and_closing_is_the_last_word(bench: Bench) -> None:
    bench.thread.start()
    assert eventually(lambda: bench.frame() or len(bench.actions) >= 5)
    bench.process.close("bye")
    sent = len(bench.actions)
    for _ in range(20):
        bench.frame()
        bench.process.tick()
    bench.thread.join(5)
    assert len(bench.actions) == sent
    assert [state.stand for state in bench.episodes] == [Stand.RUNNING, Stand.CUT_SHORT]
    assert bench.episodes[-1].reason == "bye"
    assert bench.episodes[-1].last_action == sent
    assert not bench.died.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_tick_that_dies_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.policy, "act", broken)
    bench.thread.start()
    assert eventually(lambda: bench.frame() or bench.died.is_set())
    assert not bench.actions


def test_each_step_has_its_times(bench: Bench) -> None:
    bench.thread.start()
    assert eventually(lambda: bench.frame() or len(bench.process.steps) >= 5)
    for step in bench.process.steps:
        assert 0.0 <= step.camera_age_s <= 0.25
        assert step.arrival_to_action_s >= 0.0


def test_people_are_shown_each_new_picture_and_goal_once(bench: Bench) -> None:
    goals: list[Bytes] = []
    pictures: list[int] = []
    distances: list[float] = []
    reports: list[PolicyReport] = []
    eyes = Eyes(
        lambda: "engine", lambda picture: picture + 1, lambda picture, goal: float(picture.max()) - float(goal.max())
    )
    screens = Screens(
        lambda goal, picture: goals.append(picture),
        lambda frame, picture: pictures.append(frame.seq),
        distances.append,
        reports.append,
    )
    views = PolicyViews(bench.process, bench.inbox, CLOCK, eyes, screens)
    views.work()
    assert (goals, pictures, distances) == ([], [], [])
    assert reports[-1].camera_age_s == float("inf")
    bench.inbox.goals.put(Goal(DARK + 9, "cup", 0.0, "", "captured"))
    bench.frame()
    views.work()
    views.work()
    assert len(goals) == 1
    assert int(goals[0].max()) == 10
    assert pictures == [1]
    bench.frame()
    views.work()
    assert pictures == [1, 2]
    assert distances == [-9.0, -9.0]
    views.eyes = Eyes(lambda: "another", None, None)
    bench.frame()
    views.work()
    assert pictures == [1, 2], "random play sees nothing"
    assert reports[-1].runtime == "another"


def test_a_policy_steps_in_between_episodes_only(bench: Bench) -> None:
    """Twenty swaps at any moment of five-step episodes: whoever acts acts to the end, and no number is left out."""
    rules = Rules(steps=5, source=Source.RANDOM, start="anywhere", recording="off", session="s")
    actors = [Echo() for _ in range(20)]
    bench.process.recast(bench.policy, rules)
    for number, actor in enumerate(actors):
        for i in range(7 + number % 5):
            if i == number % 5:
                bench.process.recast(actor, rules)
            bench.frame()
            bench.process.tick()
            CLOCK.sleep_until(CLOCK.now() + 0.011)
    assert all(0 < actor.acts <= 10 for actor in actors)
    assert all(actor.acts % 5 == 0 for actor in actors[:-1]), "never within an episode"
    whole = [state for state in bench.episodes if state.stand is not Stand.RUNNING]
    assert all(state.stand is Stand.COMPLETE for state in whole)
    assert [action.seq for action in bench.actions] == list(range(1, len(bench.actions) + 1))


def test_a_goal_is_wanted_when_none_is_served_and_none_waits(bench: Bench) -> None:
    rules = Rules(steps=2, source=Source.POLICY, start="anywhere", recording="off", session="s")
    assert not bench.process.wants_goal(), "random play wants none"
    bench.process.recast(bench.policy, rules)
    bench.frame()
    bench.process.tick()
    assert bench.process.wants_goal()
    bench.inbox.goals.put(Goal(DARK, "cup", CLOCK.now(), "", "imagined"))
    assert not bench.process.wants_goal()
    heard = []
    while not bench.process.wants_goal():
        heard.append(bench.process.live.episode_runs)
        bench.frame()
        bench.process.tick()
        CLOCK.sleep_until(CLOCK.now() + 0.011)
    assert any(heard), "it was served"
    assert bench.policy.goals == ["cup"]
