"""The table of topics agrees with the rest of the house."""

from __future__ import annotations

import pytest

from robot_rig.config import Config
from robot_rig.ros import topics
from robot_rig.ros.topics import TOPICS

CONFIG = Config()


def test_names_are_unique_and_ours() -> None:
    named = [value for value in vars(topics).values() if isinstance(value, topics.Topic)]
    assert len(named) == len(TOPICS) == 17
    assert all(name == topic.name and name.startswith("/rig/") for name, topic in TOPICS.items())


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_what_has_a_rate_goes_stale_after_some_periods(topic: topics.Topic) -> None:
    assert (topic.rate_hz is None) == (topic.stale_after_s is None)
    if topic.rate_hz is not None and topic.stale_after_s is not None:
        assert topic.stale_after_s >= 2 / topic.rate_hz
    assert topic.queue_size >= 1


def test_rates_and_ages_are_those_of_the_default_configuration() -> None:
    assert topics.ACTION.rate_hz == topics.TELEOP.rate_hz == CONFIG.control.policy_rate_hz
    assert topics.ARM_STATE.rate_hz == topics.ARM_EXECUTED.rate_hz == CONFIG.control.arm_rate_hz
    assert topics.CAMERA_FRAME.stale_after_s == CONFIG.guard.image_age_limit_s
    assert topics.ARM_STATE.stale_after_s == CONFIG.guard.state_age_limit_s


def test_services_of_the_arm_node() -> None:
    assert topics.arm_service("enable") == "/rig_arm/enable"
    with pytest.raises(ValueError, match="fly"):
        topics.arm_service("fly")
