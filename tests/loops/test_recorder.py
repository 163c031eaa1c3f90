"""The recorder pairs by frame number and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import Action, Frame, Goal, Source, Step
from robot_rig.loops.recorder import KEPT_FRAMES, Recorder
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_frame, make_step, picture


class FakeLog:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.ended: list[object] = []

    @property
    def acknowledged(self) -> int:
        return len(self.steps)

    def append(self, step: Step) -> None:
        self.steps.append(step)

    def finish(self, last_frame: Frame) -> None:
        self.ended.append(last_frame)

    def abort(self, reason: str) -> None:
        self.ended.append(reason)


def recorder() -> tuple[Recorder, FakeLog]:
    log = FakeLog()
    return Recorder(lambda goal, meta: log), log


def test_an_action_meets_its_own_frame_though_newer_ones_have_come() -> None:
    pairing, log = recorder()
    pairing.begin(None, {})
    for number in range(0, 12, 3):
        for newer in range(3):
            pairing.observe(make_frame(number + newer))
        step = make_step(number)
        pairing.record(step.action, step.executed)
    assert [step.frame.seq for step in log.steps] == [100, 103, 106, 109]
    for step in log.steps:
        assert step.action.frame_seq == step.frame.seq
        np.testing.assert_array_equal(step.frame.rgb, make_frame(step.frame.seq - 100).rgb)
    last = make_frame(12)
    pairing.finish(last)
    assert log.ended == [last]
    assert not pairing.recording


def test_a_frame_that_is_not_at_hand_or_answered_already_is_refused() -> None:
    pairing, log = recorder()
    pairing.begin(None, {})
    step = make_step(0)
    with pytest.raises(ValueError, match="answers frame 100, which is not at hand"):
        pairing.record(step.action, step.executed)
    pairing.observe(make_frame(0))
    pairing.record(step.action, step.executed)
    with pytest.raises(ValueError, match="not at hand"):
        pairing.record(step.action, step.executed)
    assert len(log.steps) == 1


def test_frames_are_forgotten_in_order_and_between_episodes() -> None:
    pairing, log = recorder()
    blank = np.zeros((84, 84, 3), np.uint8)
    step = make_step(0)
    pairing.begin(None, {})
    for number in range(KEPT_FRAMES + 1):
        pairing.observe(Frame(number, float(number), blank))
    for seq in (0, 1):
        action = Action(1, 1.0, step.action.value, Source.POLICY, seq, float(seq))
        if seq == 0:
            with pytest.raises(ValueError, match="not at hand"):
                pairing.record(action, step.executed)
        else:
            pairing.record(action, step.executed)
    pairing.abort("stop")
    pairing.abort("again")
    assert log.ended == ["stop"]
    pairing.begin(None, {})
    with pytest.raises(ValueError, match="not at hand"):
        pairing.record(Action(1, 1.0, step.action.value, Source.POLICY, 2, 2.0), step.executed)


def test_nothing_is_recorded_outside_an_episode_and_none_is_opened_inside_another() -> None:
    pairing, _ = recorder()
    step = make_step(0)
    pairing.observe(make_frame(0))
    with pytest.raises(RuntimeError, match="no episode"):
        pairing.record(step.action, step.executed)
    with pytest.raises(RuntimeError, match="no episode"):
        pairing.finish(make_frame(1))
    pairing.begin(None, {})
    with pytest.raises(RuntimeError, match="being recorded"):
        pairing.begin(None, {})


def test_it_writes_a_real_log_with_its_goal_and_meta(tmp_path: Path) -> None:
    def open_log(goal: Goal | None, meta: Mapping[str, str]) -> EpisodeWriter:
        image = None if goal is None else goal.image
        return EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, image, meta, room=NO_LIMIT)

    pairing = Recorder(open_log)
    pairing.begin(Goal(picture(40), "g", 0.0, "", "captured"), {"stage": "reach"})
    for number in range(3):
        step = make_step(number)
        pairing.observe(step.frame)
        pairing.record(step.action, step.executed)
    pairing.finish(make_frame(3))
    episode = read_episode(tmp_path / "a.mcap")
    assert (len(episode), dict(episode.meta)) == (3, {"stage": "reach"})
    np.testing.assert_array_equal(episode.goal, picture(40))
