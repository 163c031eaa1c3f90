"""The log gives back what was put in: bit for bit, for us, for mcap's own reader and for any ROS 1 tool."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from robot_rig.data import episode as schema
from robot_rig.data.disk_room import DiskRoom
from robot_rig.data.durable_file import DurableFile, being_written
from robot_rig.data.log import QUEUE_STEPS, EpisodeWriter, read_episode
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Action, Executed, Frame, Outcome, Source, Step
from robot_rig.errors import UserError
from tests.data.episodes import (
    ACTION_DIM,
    NO_LIMIT,
    assert_same_step,
    make_frame,
    make_step,
    picture,
    write_log,
)


def test_a_finished_episode_comes_back_whole(tmp_path: Path) -> None:
    goal = picture(999)
    meta = {"stage": "practice", "policy": "ab12", "config": "0f", "note": "köln\n"}
    path = write_log(tmp_path / "practice-000003.mcap", 7, goal, meta)
    episode = read_episode(path)
    assert (episode.id, len(episode), episode.truncated, dict(episode.meta)) == ("practice-000003", 7, False, meta)
    np.testing.assert_array_equal(episode.goal, goal)
    np.testing.assert_array_equal(episode.frames, np.stack([picture(n) for n in range(8)]))
    np.testing.assert_array_equal(episode.action, np.stack([make_step(n).action.value for n in range(7)]))
    np.testing.assert_array_equal(episode.executed_action, np.stack([make_step(n).executed.value for n in range(7)]))
    np.testing.assert_allclose(episode.stamps, [make_frame(n).stamp for n in range(8)], rtol=0, atol=1e-9)
    log = salvage(path)
    assert log.damage == ""
    for number, step in enumerate(log.steps):
        assert_same_step(step, number)


def test_goalless_and_stepless_episodes(tmp_path: Path) -> None:
    assert read_episode(write_log(tmp_path / "a.mcap", 3)).goal is None
    empty = read_episode(write_log(tmp_path / "b.mcap", 0, picture(5)))
    assert (len(empty), empty.frames.shape, empty.action.shape) == (0, (1, 84, 84, 3), (0, ACTION_DIM))
    np.testing.assert_array_equal(empty.goal, picture(5))


FLOAT32 = st.floats(width=32, allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    seq = draw(st.integers(0, 2**31 - 1))
    stamp = draw(st.floats(0, 1e6))
    dim = 3
    frame = Frame(seq, stamp, np.full((84, 84, 3), draw(st.integers(0, 255)), np.uint8))
    vectors = hnp.arrays(np.float32, dim, elements=FLOAT32)
    action = Action(
        draw(st.integers(0, 2**32 - 1)), stamp, draw(vectors), draw(st.sampled_from(Source)), seq, frame.stamp
    )
    reasons = tuple(draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=4)))
    position = draw(hnp.arrays(np.float64, 7, elements=FINITE))
    return Step(frame, action, Executed(draw(vectors), draw(FINITE), draw(st.sampled_from(Outcome)), reasons, position))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step=steps(), offset=st.floats(0, 2e9))
def test_any_step_comes_back_bit_for_bit(step: Step, offset: float, tmp_path: Path) -> None:
    path = tmp_path / "any.mcap"
    path.unlink(missing_ok=True)
    writer = EpisodeWriter(path, 3, None, {}, clock_offset=offset, room=NO_LIMIT)
    writer.append(step)
    writer.finish(step.frame)
    (read,) = salvage(path).steps
    assert read.action.value.tobytes() == step.action.value.tobytes()
    assert read.executed.value.tobytes() == step.executed.value.tobytes()
    assert read.executed.position.tobytes() == step.executed.position.tobytes()
    assert read.executed.residual == step.executed.residual
    assert (read.executed.outcome, read.executed.reasons) == (step.executed.outcome, step.executed.reasons)
    assert (read.action.seq, read.action.source, read.frame.seq) == (
        step.action.seq,
        step.action.source,
        step.frame.seq,
    )
    assert abs(read.frame.stamp - step.frame.stamp) <= 1e-9
    assert abs(read.action.stamp - step.action.stamp) <= 1e-9


def test_mcaps_own_reader_and_ros_definitions_read_a_finished_file(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.mcap", 4, picture(77))
    reference = get_typestore(Stores.ROS1_NOETIC)
    counts: dict[str, int] = {}
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "ros1"
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.chunk_count == 5
        for described, channel, message in reader.iter_messages():
            assert described is not None
            assert (described.encoding, channel.message_encoding) == ("ros1msg", "ros1")
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
            # Only what the file itself says, as a tool without our code would read it.
            own = get_typestore(Stores.EMPTY)
            package, name = described.name.split("/")
            own.register(get_types_from_msg(described.data.decode(), f"{package}/msg/{name}"))
            ros = own.deserialize_ros1(message.data, f"{package}/msg/{name}")
            assert ros.header.stamp.sec >= 1_700_000_000
            assert reference.generate_msgdef(f"{package}/msg/{name}", ros_version=1)[1] == channel.metadata["md5sum"]
    assert counts == {
        "/rig/camera/frame": 5,
        "/rig/action": 4,
        "/rig/arm/executed": 4,
        "/rig/arm/state": 4,
        "/rig/arm/status": 4,
        "/rig/goal": 1,
    }
    assert reference.generate_msgdef("sensor_msgs/msg/Image", ros_version=1)[1] == "060021388200f6f0f447d0fcd9c64743"


def test_what_the_agent_reads_has_no_place_for_joints(tmp_path: Path) -> None:
    episode = read_episode(write_log(tmp_path / "a.mcap", 3))
    fields = {name: np.asarray(getattr(episode, name)).shape for name in episode.__slots__}
    assert not [name for name, shape in fields.items() if shape and shape[-1] == 7]
    assert "position" not in fields


def test_acknowledged_counts_up_to_every_step(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    seen = [writer.acknowledged]
    for number in range(20):
        writer.append(make_step(number))
        seen.append(writer.acknowledged)
        assert seen[-1] <= number + 1
    writer.finish(make_frame(20))
    assert seen == sorted(seen)
    assert writer.acknowledged == 20


def test_each_step_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on disk at each fdatasync is what a power cut would leave."""
    path = tmp_path / "a.mcap"
    synced: list[tuple[int, bytes]] = []
    real_sync = os.fdatasync

    def watched_sync(handle: int) -> None:
        real_sync(handle)
        synced.append((writer.acknowledged, path.read_bytes()))

    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)
    monkeypatch.setattr(os, "fdatasync", watched_sync)
    for number in range(6):
        writer.append(make_step(number))
    writer.finish(make_frame(6))
    assert [acknowledged for acknowledged, _ in synced[:6]] == list(range(6))
    for number, (_, content) in enumerate(synced[:6]):
        path.write_bytes(content)
        log = salvage(path)
        assert len(log.steps) == number + 1
        assert_same_step(log.steps[-1], number)


def test_an_aborted_episode_keeps_its_steps_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = EpisodeWriter(path, ACTION_DIM, None, {"stage": "x"}, room=NO_LIMIT)
    for number in range(5):
        writer.append(make_step(number))
    writer.abort("KeyboardInterrupt")
    writer.abort("again")
    episode = read_episode(path)
    assert episode.truncated
    assert len(episode) == 4
    assert episode.meta["lost"] == "aborted after 5 steps: KeyboardInterrupt"
    with pytest.raises(RuntimeError, match="closed"):
        writer.append(make_step(5))
    with pytest.raises(RuntimeError, match="closed"):
        writer.finish(make_frame(5))
    with path.open("rb") as file:
        assert make_reader(file).get_summary() is not None


def test_closing_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    write_log(tmp_path / "a.mcap", 3)
    EpisodeWriter(tmp_path / "b.mcap", ACTION_DIM, None, {}, room=NO_LIMIT).abort("done")
    assert threading.active_count() == before


def test_a_log_is_never_overwritten_nor_started_where_it_cannot_be(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.mcap", 2)
    content = path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)
    assert path.read_bytes() == content
    with pytest.raises(UserError, match="no folder"):
        EpisodeWriter(tmp_path / "missing" / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)


def test_a_nearly_full_disk_starts_nothing_and_stops_what_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MiB are free.*Free some space"):
        EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=DiskRoom(start=2**62, stop=0))
    assert not list(tmp_path.iterdir())
    path = tmp_path / "b.mcap"
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=DiskRoom(start=0, stop=2**62))
    writer.append(make_step(0))
    with pytest.raises(UserError, match=r"MiB are free.*0 steps on disk are safe"):
        writer.finish(make_frame(1))
    assert writer.acknowledged == 0


def test_steps_that_the_file_cannot_hold_are_refused_and_the_next_is_taken(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    good = make_step(0)
    frame = Frame(2**31, 1.0, good.frame.rgb)
    with pytest.raises(ValueError, match=r"Frame\.seq"):
        writer.append(Step(frame, Action(1, 1.0, good.action.value, Source.RANDOM, 2**31, 1.0), good.executed))
    early = Frame(100, -5.0, good.frame.rgb)
    with pytest.raises(ValueError, match="1970"):
        writer.append(Step(early, good.action, good.executed))
    executed = Executed(np.zeros(3), 0.0, Outcome.PASSED, (), np.zeros(7))
    with pytest.raises(ValueError, match="action has shape"):
        writer.append(Step(good.frame, Action(1, 1.0, np.zeros(3), Source.RANDOM, 100, 1.0), executed))
    writer.append(good)
    writer.finish(make_frame(1))
    assert len(read_episode(tmp_path / "a.mcap")) == 1
    for meta in ({"format": "9"}, {"long": "x" * 100_000}):
        with pytest.raises(ValueError, match="meta"):
            EpisodeWriter(tmp_path / "b.mcap", ACTION_DIM, None, meta, room=NO_LIMIT)


def test_an_episode_has_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MAX_STEPS", 3)
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    for number in range(3):
        writer.append(make_step(number))
    with pytest.raises(UserError, match="at most 3 steps"):
        writer.append(make_step(3))
    writer.finish(make_frame(3))
    assert len(read_episode(tmp_path / "a.mcap")) == 3


class Hang:
    """A disk whose syncs of a log's thread wait from `begin` to `end`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._well = threading.Event()
        self._well.set()
        sync = DurableFile.sync

        def slow_sync(file: DurableFile) -> None:
            if threading.current_thread().name.startswith("log "):
                assert self._well.wait(20)
            sync(file)

        monkeypatch.setattr(DurableFile, "sync", slow_sync)
        self.begin, self.end = self._well.clear, self._well.set


def ended_logs() -> bool:
    """Whether within some seconds no log's thread is left."""
    logs = [thread for thread in threading.enumerate() if thread.name.startswith("log ")]
    for thread in logs:
        thread.join(10)
    return not any(thread.is_alive() for thread in logs)


def test_a_hanging_disk_is_noticed_and_whole_again_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, step, hang = tmp_path / "a.mcap", make_step(0), Hang(monkeypatch)
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT, patience=0.05)
    hang.begin()
    with pytest.raises(UserError, match=r"taken no step.*0 steps on disk are safe"):
        deque(map(writer.append, [step] * 200), maxlen=0)
    with pytest.raises(UserError, match="does not answer"):
        writer.finish(make_frame(1))
    assert (writer.acknowledged, being_written(path)) == (0, True)
    hang.end()
    assert ended_logs()
    assert not being_written(path)
    assert len(read_episode(path)) == writer.acknowledged > QUEUE_STEPS


def test_a_disk_that_hung_at_a_close_leaves_no_locked_file_and_takes_no_step_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the trainer waits for ever before the first such file."""
    store, hang, handles = EpisodeStore(tmp_path), Hang(monkeypatch), len(os.listdir("/proc/self/fd"))
    written = []
    for steps in (0, 1, 3):
        writer = EpisodeWriter(store.next_path("practice"), ACTION_DIM, None, {}, room=NO_LIMIT, patience=0.05)
        for number in range(steps):
            writer.append(make_step(number))
        while writer.acknowledged < steps:
            time.sleep(0.001)
        hang.begin()
        writer.append(make_step(steps))
        writer.abort("hold")
        assert store.paths()  # The writer still works on it.
        hang.end()
        assert ended_logs()
        written.append(writer.acknowledged)
    writer = EpisodeWriter(store.next_path("practice"), ACTION_DIM, None, {}, room=NO_LIMIT, patience=0.05)
    hang.begin()
    writer.abort("hold")
    hang.end()
    assert ended_logs()
    assert [len(salvage(path).steps) for path in store.paths()] == written == [1, 2, 4]
    assert [len(episode) for episode in store.read_new(())] == [0, 1, 3]
    assert len(os.listdir("/proc/self/fd")) == handles


FULL_DISK_CHILD = """
import resource, sys
from tests.data.episodes import *
from robot_rig.errors import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
writer = EpisodeWriter(sys.argv[1], ACTION_DIM, picture(3), {"stage": "x"}, room=NO_LIMIT)
try:
    for number in range(40):
        writer.append(make_step(number))
    writer.finish(make_frame(40))
except UserError as error:
    writer.abort("disk")
    print(writer.acknowledged, error)
"""


@pytest.mark.parametrize("limit", [100_000, 333_333, 640_000])
def test_a_full_disk_surfaces_and_keeps_every_acknowledged_step(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "a.mcap"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FULL_DISK_CHILD, str(path), str(limit)]
    child = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    count, _, message = child.stdout.partition(" ")
    assert "File too large" in message
    assert "Free some space" in message
    log = salvage(path)
    assert 0 < int(count) == len(log.steps) < 40
    assert path.stat().st_size <= limit
    for number, step in enumerate(log.steps):
        assert_same_step(step, number)


def failing_sync(after: int) -> Callable[[DurableFile], None]:
    """A `sync` that runs out of disk on every call but the first `after`."""
    calls = itertools.count()
    real = DurableFile.sync

    def sync(file: DurableFile) -> None:
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    return sync


def test_a_log_that_cannot_be_opened_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DurableFile, "sync", failing_sync(0))
    with pytest.raises(UserError, match="No space left"):
        EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="File name too long"):
        EpisodeWriter(tmp_path / ("a" * 300 + ".mcap"), ACTION_DIM, None, {}, room=NO_LIMIT)


@pytest.mark.parametrize(("syncs", "intact"), [(2, 1), (3, 2), (5, 4), (6, 5), (7, 5)])
def test_whatever_sync_fails_the_steps_before_it_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncs: int, intact: int
) -> None:
    """One sync opens the file, then one for each of five steps, one for the closing frame and one for the index."""
    path = tmp_path / "a.mcap"
    monkeypatch.setattr(DurableFile, "sync", failing_sync(syncs))
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)

    def write() -> None:
        for number in range(5):
            writer.append(make_step(number))
        writer.finish(make_frame(5))

    with pytest.raises(UserError, match=f"No space left.*the {intact} steps on disk are safe"):
        write()
    writer.abort("disk")
    log = salvage(path)
    assert (len(log.steps), writer.acknowledged) == (intact, intact)
    assert (log.closing is not None) == (syncs == 7)
    assert log.damage
    for number, step in enumerate(log.steps):
        assert_same_step(step, number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_writer_thread_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    monkeypatch.setattr(DurableFile, "sync", lambda file: 1 // 0)
    writer.append(make_step(0))
    with pytest.raises(UserError, match="broke off: ZeroDivisionError"):
        writer.finish(make_frame(1))
