"""An episode in process: each step is the frame, the action that answers it and what the plant made of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from robot_rig.datatypes import IMAGE_SHAPE, Action, Bytes, Executed, Float32s, Frame, Goal, Outcome, Source
from robot_rig.errors import UserError
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop

PERIOD = 0.1


class PaperPlant:
    """Executes half of every action, and its pictures show how far it has come; `lag` s between exposure and look."""

    def __init__(self, lag: float = 0.0) -> None:
        self.place, self.ticks, self.lag = 0.0, 0, lag
        self.calls: list[str] = []

    def now(self) -> float:
        return PERIOD * self.ticks

    def look(self) -> Frame:
        self.calls.append("look")
        return Frame(self.ticks + 1, self.now() - self.lag, np.full(IMAGE_SHAPE, round(self.place), np.uint8))

    def act(self, action: Action) -> Executed:
        self.calls.append("act")
        self.ticks += 1
        self.place += 5.0 * float(action.value[0])
        return Executed(action.value / 2, 0.0, Outcome.SCALED, ("speed",), np.zeros(7))

    def rest(self) -> None:
        self.calls.append("rest")

    def home(self) -> None:
        self.calls.append("home")

    def put_back(self) -> int:
        return 0

    def state(self) -> Mapping[str, Bytes]:
        return {}

    def load_state(self, state: Mapping[str, Bytes]) -> None:
        pass


class Onward:
    """Always action 1, after as many steps as it likes an error."""

    action_dim = 1

    def __init__(self, breaks_after: int = 10**6) -> None:
        self.left = breaks_after

    def begin(self, goal: Goal) -> None:
        pass

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        self.left -= 1
        if self.left < 0:
            raise ZeroDivisionError
        return np.ones(1, np.float32)


def test_each_step_pairs_the_frame_before_with_what_came_of_it() -> None:
    plant, loop = PaperPlant(), PolicyLoop(0.25, 0.1, 0.06)
    steps = list(play(plant, loop, Onward(), None, Source.RANDOM, 4))
    assert [int(step.frame.rgb[0, 0, 0]) for step in steps] == [0, 5, 10, 15]
    assert [step.executed.value.tolist() for step in steps] == [[0.5]] * 4
    assert [step.action.frame_seq for step in steps] == [step.frame.seq for step in steps] == [1, 2, 3, 4]
    assert plant.calls == ["look", "act"] * 4
    assert not loop.running


def test_old_pictures_are_moved_ahead_by_what_was_executed_and_not_by_what_was_wished() -> None:
    told: list[Float32s | None] = []

    class Listening(Onward):
        def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
            told.append(under_way)
            return super().act(frame, under_way)

    for _ in play(PaperPlant(0.2), PolicyLoop(0.25, PERIOD, 0.0), Listening(), None, Source.RANDOM, 5):
        pass
    assert told[0] is None
    last = told[-1]
    assert last is not None
    moved = last[last[:, 0] > 1e-3]
    # Two periods old: the two actions before, of which the plant executes half.
    assert moved[:, 1].tolist() == [0.5, 0.5]
    assert moved[:, 0].sum() == pytest.approx(2.0)


def test_a_step_is_yielded_when_it_is_carried_out_and_no_sooner_than_asked() -> None:
    plant, loop = PaperPlant(), PolicyLoop(0.25, 0.1, 0.06)
    episode = play(plant, loop, Onward(), None, Source.RANDOM, 3)
    assert plant.calls == []
    next(episode)
    assert plant.calls == ["look", "act"]
    assert loop.running
    episode.close()
    assert not loop.running
    assert plant.calls == ["look", "act"]


@pytest.mark.parametrize("lag", [0.3, 5.0])
def test_a_policy_that_falls_silent_ends_the_episode_in_words(lag: float) -> None:
    plant, loop = PaperPlant(lag), PolicyLoop(0.25, 0.1, 0.06)
    with pytest.raises(UserError, match=rf"{lag:.3f} s old.*image_age_limit_s"):
        list(play(plant, loop, Onward(), None, Source.RANDOM, 3))
    assert "act" not in plant.calls
    assert not loop.running


def test_an_error_in_the_policy_frees_the_loop_for_the_next_episode() -> None:
    plant, loop = PaperPlant(), PolicyLoop(0.25, 0.1, 0.06)
    with pytest.raises(ZeroDivisionError):
        list(play(plant, loop, Onward(breaks_after=2), None, Source.RANDOM, 5))
    assert plant.calls.count("act") == 2
    assert len(list(play(plant, loop, Onward(), None, Source.RANDOM, 2))) == 2
