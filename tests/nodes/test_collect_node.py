"""Collection hands on what the play is for, and both kinds are what training looks for in the log."""

from __future__ import annotations

import math
import threading
import typing
from collections.abc import Callable
from typing import Any

import pytest
import rospy
from std_srvs.srv import Trigger, TriggerResponse

from robot_rig.config import Config
from robot_rig.datatypes import Mode, Source
from robot_rig.errors import UserError
from robot_rig.learning.policy import RandomPolicy
from robot_rig.nodes import collect_node, policy_node
from robot_rig.nodes.collect_node import Collection, CollectNodeOptions
from robot_rig.ros.topics import ARM_SERVICES, arm_service
from robot_rig.stages.collect import HELD_OUT, PLAY


class FakeNode:
    """Takes what is to be closed, and closes it."""

    def __init__(self) -> None:
        self.ends: list[Callable[[], object]] = []

    def closing(self, end: Callable[[], object]) -> None:
        self.ends.append(end)


def test_the_stages_are_those_that_training_reads() -> None:
    kinds = typing.get_args(typing.get_type_hints(CollectNodeOptions)["stage"])
    assert set(kinds) == {PLAY, HELD_OUT}
    assert CollectNodeOptions().stage == PLAY


@pytest.mark.parametrize("stage", [PLAY, HELD_OUT])
def test_episodes_are_logged_as_what_they_are_for(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node: Any = FakeNode()
    wired: list[policy_node.PolicyNodeOptions] = []

    def wire(options: policy_node.PolicyNodeOptions, _: object) -> None:
        wired.append(options)
        for end in node.ends:
            end()

    monkeypatch.setattr(collect_node.policy_node, "wire", wire)
    options = CollectNodeOptions(stage=stage, minutes=3.0, set=("collect.ou_sigma=0.3",))
    play = threading.Thread(target=Collection(options, node)._play, daemon=True)
    play.start()
    play.join(20)
    assert not play.is_alive()
    (given,) = wired
    assert (given.source, given.record, given.minutes, given.set) == ("random", True, 3.0, options.set)
    actor = policy_node.Actor(RandomPolicy(0.15, 0.6, 2, 0), "random play", "random-0", None)
    assert policy_node.rules(given, Config(), actor).meta["stage"] == stage


@pytest.mark.parametrize("leader", [Source.RANDOM, Source.HUMAN])
@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.HOMING])
def test_when_its_time_is_over_it_orders_nothing(
    ros_node: str, monkeypatch: pytest.MonkeyPatch, mode: Mode, leader: Source
) -> None:
    # What was reported a moment ago may be somebody else's arm by now, so no order is right for whoever has it.
    ordered: list[str] = []

    def answer(word: str) -> Callable[[object], object]:
        def take(_: object) -> object:
            ordered.append(word)
            return TriggerResponse(success=True)

        return take

    monkeypatch.setattr(collect_node.policy_node, "wire", lambda options, node: None)
    services = [rospy.Service(arm_service(word), Trigger, answer(word)) for word in ARM_SERVICES]
    try:
        collection = Collection(CollectNodeOptions(minutes=1e-4), typing.cast(Any, FakeNode()))
        collection._watch.report(-math.inf, Mode.DISABLED, None)
        collection._watch.report(0.0, mode, leader)
        play = threading.Thread(target=collection._play, daemon=True)
        play.start()
        play.join(20)
        assert not play.is_alive()
        assert ordered == []
    finally:
        for service in services:
            service.shutdown()


def test_no_time_is_refused() -> None:
    with pytest.raises(UserError, match="--minutes 0 is no time"):
        collect_node.wire(CollectNodeOptions(minutes=0.0), typing.cast(Any, FakeNode()))
