"""That the engine on the GPU has failed is told while the one on the CPU acts, though nothing else shows it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from robot_rig.config import Config
from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal
from robot_rig.learning.tick_spare import SparedPolicy
from robot_rig.nodes.policy_wiring import eyes_of, random_actor
from robot_rig.ros.episode_reports import PolicyReport, policy_message
from robot_rig.ros.stamps import HostStamps


class Full:
    """An engine that finds no memory."""

    action_dim = 2

    def begin(self, goal: Goal) -> None:
        raise MemoryError(goal.id)

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        raise MemoryError(frame.seq)


def test_an_engine_that_has_failed_is_told_while_its_spare_acts() -> None:
    plain = random_actor(Config())
    policy = SparedPolicy(Full(), plain.policy, MemoryError, lambda: None)
    eyes = eyes_of(dataclasses.replace(plain, policy=policy, runtime="cuda graph"))

    def said() -> dict[str, object]:
        report = PolicyReport(1.0, "running", "", eyes.runtime(), 1, 0, 0.1, 0)
        return {pair.key: json.loads(pair.value) for pair in policy_message(report, HostStamps()).status[0].values}

    assert (said()["runtime"], said()["code"]) == ("cuda graph", "")
    policy.begin(Goal(np.zeros(IMAGE_SHAPE, np.uint8), "g", 0.0, "", "captured"))
    assert (said()["silence"], said()["code"]) == ("", "engine_failed")
    assert eyes_of(plain).runtime() == "random play"
