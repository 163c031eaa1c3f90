"""The recorder's thread does not end unnoticed: a recorder that is there and logs nothing would let the arm move on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from robot_rig.data.log import EpisodeWriter
from robot_rig.datatypes import Goal
from robot_rig.loops.episode_state import RecorderState, Recording
from robot_rig.loops.live_recorder import LiveRecorder
from robot_rig.nodes.recorder_node import RecorderProcess
from tests.ros_graph import eventually


class Bench:
    def __init__(self, folder: Path) -> None:
        def open_log(goal: Goal | None, meta: Mapping[str, str]) -> EpisodeWriter:
            return EpisodeWriter(folder / "one.mcap", 2, None, meta, clock_offset=0.0)

        self.said: list[RecorderState] = []
        self.deaths = threading.Semaphore(0)
        self.process = RecorderProcess(LiveRecorder(open_log), self.said.append, self.deaths.release)
        self.process.start()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_that_nobody_foresaw_ends_the_node(bench: Bench) -> None:
    assert eventually(lambda: bench.said)
    assert bench.said[-1].stand is Recording.IDLE

    def fail() -> None:
        raise ZeroDivisionError("nobody thought of this")

    bench.process.put(fail)
    assert bench.deaths.acquire(timeout=10.0)
    bench.process.close()
    count = len(bench.said)
    bench.process.put(lambda: None)
    assert len(bench.said) == count


def test_a_recorder_that_is_closed_has_not_died(bench: Bench) -> None:
    assert eventually(lambda: bench.said)
    bench.process.close()
    bench.process.close()
    assert not bench.deaths.acquire(blocking=False)
