"""How a live episode begins and ends: at home where that is asked for, and never without its recorder."""

from __future__ import annotations

import pytest

from robot_rig.datatypes import Mode, Source
from robot_rig.loops.episode_state import Recording, Stand
from robot_rig.loops.live_episodes import Move, Phase
from tests.loops.episode_world import World, asked

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
