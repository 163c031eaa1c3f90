"""What policy and recorder tell each other comes back the same; anything else is refused and never raises."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import Source
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand
from robot_rig.ros.episode_reports import (
    PolicyReport,
    episode_message,
    policy_message,
    read_episode_message,
    read_policy,
    read_recorder,
    recorder_message,
)
from robot_rig.ros.stamps import HostStamps, Refused

STAMPS = HostStamps()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
WHOLE = st.integers(-1, 2**31 - 1)
READERS = (read_episode_message, read_recorder, read_policy)


def over_the_wire(message: DiagnosticArray) -> DiagnosticArray:
    buffer = io.BytesIO()
    message.serialize(buffer)
    copy = DiagnosticArray()
    copy.deserialize(buffer.getvalue())
    return copy


def now() -> float:
    return time.monotonic()


EPISODES = st.builds(
    EpisodeState, TEXT, WHOLE, st.sampled_from(Stand), st.sampled_from(Source), TEXT, WHOLE, WHOLE, WHOLE, TEXT,
    st.dictionaries(TEXT, TEXT, max_size=4),
)  # fmt: skip


@given(EPISODES, st.floats(0.0, 60.0))
def test_an_episode_comes_back(episode: EpisodeState, ago: float) -> None:
    said = dataclasses.replace(episode, last_stamp=now() - ago)
    heard = read_episode_message(over_the_wire(episode_message(said, STAMPS, now())), STAMPS)
    assert isinstance(heard, EpisodeState)
    assert abs(heard.last_stamp - said.last_stamp) < 0.01
    assert dataclasses.replace(heard, last_stamp=said.last_stamp) == said


def test_a_closing_frame_of_a_time_that_cannot_be_is_no_frames_and_the_word_still_counts() -> None:
    said = EpisodeState("s", 1, Stand.COMPLETE, Source.POLICY, "g", 1, 9, 300, last_stamp=now() + 5.0)
    heard = read_episode_message(over_the_wire(episode_message(said, STAMPS, now())), STAMPS)
    assert isinstance(heard, EpisodeState)
    assert (heard.stand, heard.last_frame) == (Stand.COMPLETE, 300)
    assert math.isnan(heard.last_stamp)


@given(st.sampled_from(Recording), TEXT, WHOLE, WHOLE, TEXT)
def test_the_recorders_word_comes_back(stand: Recording, session: str, number: int, steps: int, reason: str) -> None:
    said = RecorderState(now(), stand, session, number, steps, reason)
    heard = read_recorder(over_the_wire(recorder_message(said, STAMPS)), STAMPS)
    assert isinstance(heard, RecorderState)
    assert abs(heard.stamp - said.stamp) < 0.01
    assert (heard.stand, heard.key, heard.steps, heard.reason) == (stand, (session, number), steps, reason)


@pytest.mark.parametrize("age", [0.12, float("inf")])
def test_the_policys_report_comes_back(age: float) -> None:
    said = PolicyReport(now(), "running", "", "onnxruntime cpu", 3, 7, age, 1)
    heard = read_policy(over_the_wire(policy_message(said, STAMPS)), STAMPS)
    assert isinstance(heard, PolicyReport)
    assert dataclasses.replace(heard, stamp=said.stamp) == said


@given(st.integers(0, 10), st.one_of(TEXT, st.recursive(st.none() | st.floats() | TEXT, st.lists).map(json.dumps)))
def test_a_value_of_another_kind_is_refused_or_read_and_never_raises(place: int, text: str) -> None:
    episode = EpisodeState("s", 1, Stand.RUNNING, Source.POLICY, "g", 1, 0)
    message = episode_message(episode, STAMPS, now())
    message.status[0].values[place].value = text
    assert isinstance(read_episode_message(message, STAMPS), EpisodeState | Refused)


@pytest.mark.parametrize("read", READERS)
def test_a_foreign_or_empty_report_is_refused(read: type) -> None:
    empty = DiagnosticArray()
    empty.header.stamp.secs = int(STAMPS.wall(now()))
    assert isinstance(read(empty, STAMPS), Refused)
    foreign = recorder_message(RecorderState(now(), Recording.IDLE), STAMPS)
    foreign.status[0].name = "somebody"
    assert isinstance(read(foreign, STAMPS), Refused)
    crippled = recorder_message(RecorderState(now(), Recording.IDLE), STAMPS)
    crippled.status[0].values.pop()
    assert isinstance(read(crippled, STAMPS), Refused)


def test_a_code_stands_beside_what_is_said_in_words() -> None:
    def code(message: DiagnosticArray) -> str:
        (said,) = [json.loads(pair.value) for pair in message.status[0].values if pair.key == "code"]
        return str(said)

    def silent(why: str) -> str:
        return code(policy_message(PolicyReport(now(), "waiting", why, "", 0, 0, 0.0, 0), STAMPS))

    def ended(why: str) -> str:
        episode = EpisodeState("s", 1, Stand.CUT_SHORT, Source.POLICY, "g", 1, 9, 3, reason=why)
        return code(episode_message(episode, STAMPS, now()))

    assert silent("") == silent("no goal is asked for") == ""
    assert silent("the arm process is silent") == "arm_silent"
    assert ended("the recorder has failed: cannot log to a.mcap: No space left on device") == "recorder_failed"
    assert code(recorder_message(RecorderState(now(), Recording.FAILED, "s", 1, 2, "?"), STAMPS)) == "recorder_failed"
    assert code(recorder_message(RecorderState(now(), Recording.OPEN, "s", 1, 2, ""), STAMPS)) == ""
