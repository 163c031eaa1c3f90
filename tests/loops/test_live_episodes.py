"""The policy process's episodes: silent in every doubt, exactly as many steps as asked for, and no motion unlogged."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.datatypes import Mode, Source
from robot_rig.loops.episode_state import Stand, goal_key
from robot_rig.loops.live_episodes import Phase, Rules
from tests.loops.episode_world import AGE_LIMIT, CAMERA_DELAY, PERIOD, TICK, Echo, World, asked, goal


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
