"""An episode goes into a rosbag and comes back bit for bit; another's comes in as it was recorded, or not at all."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.rosbag1 import Reader, Writer

from robot_rig.data import bag_import
from robot_rig.data.bag import open_bag
from robot_rig.data.bag_export import ABOUT, write_bag
from robot_rig.data.bag_import import log_episode, own_episode
from robot_rig.data.episode import STEP_TOPICS, store
from robot_rig.data.foreign_bag import Sought, foreign_episode, paired
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Frame, Source
from robot_rig.errors import UserError
from sim.strangers.bag_bombs import waiting_frames
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_step, picture, write_log

GOAL = picture(99)


@pytest.fixture(autouse=True)
def _any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """However full the disk of this machine is."""
    monkeypatch.setattr("robot_rig.data.log.DiskRoom", lambda: NO_LIMIT)


def imported(bag: Path, log: Path) -> int:
    """Import `bag` as the file `log`, or into the folder `log` under a name of its own."""
    with open_bag(bag) as opened:
        episode = own_episode(opened)
        assert episode is not None
        path = log if log.suffix else EpisodeStore(log).next_path(episode.stage)
        return log_episode(episode, path, lambda _: None)


def logged_messages(path: Path) -> list[tuple[str, int, bytes]]:
    with path.open("rb") as file:
        found = make_reader(file).iter_messages(log_time_order=False)
        return [(channel.topic, message.log_time, message.data) for _, channel, message in found]


def bag_messages(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(connection.topic, time, bytes(data)) for connection, time, data in reader.messages()]


@pytest.mark.parametrize("goal", [None, GOAL], ids=["play", "goal"])
def test_a_bag_holds_the_very_messages_of_the_log(tmp_path: Path, goal: Any) -> None:
    log = write_log(tmp_path / "collect-000000.mcap", 7, goal)
    assert write_bag(salvage(log), tmp_path / "a.bag") == 7
    in_bag = [message for message in bag_messages(tmp_path / "a.bag") if message[0] != ABOUT.name]
    # The library's reader gives a bag sorted by time.
    assert sorted(in_bag) == sorted(logged_messages(log))
    assert len(in_bag) == 5 * 7 + 1 + (goal is not None)


@pytest.mark.parametrize("goal", [None, GOAL], ids=["play", "goal"])
def test_an_episode_comes_back_bit_for_bit(tmp_path: Path, goal: Any) -> None:
    meta = {"stage": "practice", "policy": "updates-7", "note": "ümläut"}
    first = write_log(tmp_path / "first.mcap", 6, goal, meta)
    write_bag(salvage(first), tmp_path / "a.bag")
    assert imported(tmp_path / "a.bag", tmp_path / "second.mcap") == 6
    assert first.read_bytes() == (tmp_path / "second.mcap").read_bytes()
    old, new = read_episode(first), read_episode(tmp_path / "second.mcap")
    for name in ("frames", "action", "executed_action", "stamps"):
        assert getattr(old, name).tobytes() == getattr(new, name).tobytes(), name
    assert (old.goal is None) == (new.goal is None)


def test_an_episode_cut_short_stays_one(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "first.mcap", ACTION_DIM, GOAL, {"stage": "collect"}, room=NO_LIMIT)
    for number in range(4):
        writer.append(make_step(number))
    writer.abort("the camera went away")
    write_bag(salvage(tmp_path / "first.mcap"), tmp_path / "a.bag")
    assert imported(tmp_path / "a.bag", tmp_path / "second.mcap") == 4
    old, new = read_episode(tmp_path / "first.mcap"), read_episode(tmp_path / "second.mcap")
    assert new.truncated
    assert len(new) == len(old) == 3
    assert new.frames.tobytes() == old.frames.tobytes()
    assert "the camera went away" in new.meta["lost"]


def test_no_bag_is_overwritten_and_nothing_else_is_left(tmp_path: Path) -> None:
    log = salvage(write_log(tmp_path / "a.mcap", 2))
    write_bag(log, tmp_path / "out" / "a.bag")
    whole = (tmp_path / "out" / "a.bag").read_bytes()
    with pytest.raises(UserError, match=r"a\.bag exists already"):
        write_bag(log, tmp_path / "out" / "a.bag")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.bag"]
    assert (tmp_path / "out" / "a.bag").read_bytes() == whole


def again(source: Path, target: Path, change: Any) -> Path:
    """The bag `source` with its messages passed through `change`, as a tool that filters bags would write it."""
    with Reader(source) as reader, Writer(target) as writer:
        opened: dict[str, Any] = {}
        for connection, time, data in change(list(reader.messages())):
            if connection.topic not in opened:
                opened[connection.topic] = writer.add_connection(
                    connection.topic, connection.msgtype, typestore=store()
                )
            writer.write(opened[connection.topic], time, bytes(data))
    return target


def test_a_bag_that_was_sorted_by_time_is_the_same_episode(tmp_path: Path) -> None:
    log = write_log(tmp_path / "first.mcap", 9, GOAL)
    write_bag(salvage(log), tmp_path / "a.bag")
    again(tmp_path / "a.bag", tmp_path / "b.bag", lambda messages: sorted(messages, key=lambda m: (m[1], m[0].topic)))
    imported(tmp_path / "b.bag", tmp_path / "second.mcap")
    assert logged_messages(log) == logged_messages(tmp_path / "second.mcap")


@pytest.mark.parametrize("topic", [topic.name for topic in STEP_TOPICS])
def test_a_bag_that_lost_a_message_is_refused_and_leaves_nothing(tmp_path: Path, topic: str) -> None:
    write_bag(salvage(write_log(tmp_path / "first.mcap", 5)), tmp_path / "a.bag")

    def without_one(messages: list[Any]) -> list[Any]:
        lost = [message for message in messages if message[0].topic == topic][2]
        return [message for message in messages if message is not lost]

    again(tmp_path / "a.bag", tmp_path / "b.bag", without_one)
    with pytest.raises(UserError, match="damaged or hostile"):
        imported(tmp_path / "b.bag", tmp_path / "second.mcap")
    assert not (tmp_path / "second.mcap").exists()


HOSTILE: dict[str, Any] = {
    "no object": "[]",
    "another format": {"format": 2},
    "no meta": {"meta": ["stage"]},
    "numbers": {"meta": {"stage": 3}},
    "a path": {"meta": {"stage": "../../x"}},
    "reserved": {"meta": {"stage": "collect", "crc32": "0"}},
    "no clock": {"clock_offset_ns": 1.5},
    "far clock": {"clock_offset_ns": 10**400},
    "no size": {"action_dim": True},
    "wrong size": {"action_dim": 3},
    "more steps": {"steps": 4},
    "no steps": {"steps": "3"},
    "a long story": {"meta": {"stage": "collect", "x": "y" * 60_000 + "\x01" * 5000}},
}


@pytest.mark.parametrize("lie", HOSTILE)
def test_a_bag_that_lies_about_itself_is_refused(tmp_path: Path, lie: str) -> None:
    write_bag(salvage(write_log(tmp_path / "first.mcap", 3)), tmp_path / "a.bag")

    def lying(messages: list[Any]) -> list[Any]:
        changed = []
        for connection, time, data in messages:
            told = data
            if connection.topic == ABOUT.name:
                said = json.loads(store().deserialize_ros1(data, ABOUT.store_type).data)
                text = HOSTILE[lie] if isinstance(HOSTILE[lie], str) else json.dumps(said | HOSTILE[lie])
                told = store().serialize_ros1(store().types[ABOUT.store_type](text), ABOUT.store_type)
            changed.append((connection, time, told))
        return changed

    again(tmp_path / "a.bag", tmp_path / "b.bag", lying)
    folder = tmp_path / "episodes"
    with pytest.raises(UserError):
        imported(tmp_path / "b.bag", folder)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_bag_whose_topics_lie_far_apart_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bag_import, "MAX_WAITING", 4)
    write_bag(salvage(write_log(tmp_path / "first.mcap", 9)), tmp_path / "a.bag")
    again(tmp_path / "a.bag", tmp_path / "b.bag", lambda messages: sorted(messages, key=lambda m: m[0].topic))
    with pytest.raises(UserError, match="more than 4 steps apart"):
        imported(tmp_path / "b.bag", tmp_path / "second.mcap")


def test_frames_that_wait_are_no_larger_than_a_picture(tmp_path: Path) -> None:
    """How many may wait is bounded; so must be what each of them holds."""
    path, size = tmp_path / "a.bag", 2**20
    path.write_bytes(waiting_frames(20, size))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="no picture of a rig"):
            imported(path, tmp_path / "second.mcap")
        assert tracemalloc.get_traced_memory()[1] < 10 * size
    finally:
        tracemalloc.stop()


def test_texts_that_wait_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bag(salvage(write_log(tmp_path / "first.mcap", 9)), tmp_path / "a.bag")
    again(tmp_path / "a.bag", tmp_path / "b.bag", lambda messages: sorted(messages, key=lambda m: m[0].topic))
    monkeypatch.setattr(bag_import, "MAX_WAITING_BYTES", 500)
    with pytest.raises(UserError, match="are too large"):
        imported(tmp_path / "b.bag", tmp_path / "second.mcap")


# --- another's bag ----------------------------------------------------------------------------------------------------

START_NS = 1_700_000_000_123_456_789
MS = 1_000_000


def header(time_ns: int) -> Any:
    stamp = store().types["builtin_interfaces/msg/Time"](*divmod(time_ns, 10**9))
    return store().types["std_msgs/msg/Header"](0, stamp, "")


def record(path: Path, pictures: list[int], actions: list[int], axes: int = 2, offset: int = 0) -> Path:
    """A bag of 84x84 pictures and of Joy messages at these ms; the headers say `offset` ms more, or nothing if < 0."""
    kinds = {"/cam": "sensor_msgs/msg/Image", "/joy": "sensor_msgs/msg/Joy", "/note": "std_msgs/msg/String"}
    with Writer(path) as writer:
        opened = {topic: writer.add_connection(topic, kind, typestore=store()) for topic, kind in kinds.items()}
        times = {"/cam": pictures, "/joy": actions}
        events = sorted((at, topic, n) for topic, each in times.items() for n, at in enumerate(each))
        for at, topic, number in events:
            time_ns = START_NS + at * MS
            said = header(0 if offset < 0 else time_ns + offset * MS)
            make = store().types[kinds[topic]]
            if topic == "/cam":
                message = make(said, 84, 84, "rgb8", 0, 252, picture(number).reshape(-1))
            else:
                message = make(said, np.full(axes, number / 100, np.float32), np.zeros(1, np.int32))
            writer.write(opened[topic], time_ns, bytes(store().serialize_ros1(message, kinds[topic])))
    return path


def look(topic: str, message: Any, number: int, stamp: float) -> Frame:
    assert topic == "/cam"
    return Frame(number, stamp, message.data.reshape(84, 84, 3))


def sought(**changes: Any) -> Sought:
    return Sought(None, None, 2, 0.05, 10.0, "collect")._replace(**changes)


def foreign(bag: Path, log: Path, **changes: Any) -> int:
    with open_bag(bag) as opened:
        assert own_episode(opened) is None
        return log_episode(foreign_episode(opened, sought(**changes), look, bag.name), log, lambda _: None)


@pytest.mark.parametrize("offset", [-1, 0, 250], ids=["unstamped", "stamped", "stamped otherwise"])
def test_each_action_meets_the_picture_nearest_in_time(tmp_path: Path, offset: int) -> None:
    """Pictures at 30 Hz, actions at 10 Hz that begin before them and end behind them."""
    pictures, actions = [33 * n for n in range(40)], [100 * n - 250 + 3 for n in range(18)]
    bag = record(tmp_path / "a.bag", pictures, actions, offset=offset)
    steps = foreign(bag, tmp_path / "a.mcap")
    kept = [(n, at) for n, at in enumerate(actions) if min(abs(at - p) for p in pictures) <= 50]
    assert steps == len(kept) - 1 >= 10
    log, episode = salvage(tmp_path / "a.mcap"), read_episode(tmp_path / "a.mcap")
    assert not episode.truncated
    shift = max(offset, 0)
    for (number, at), step in zip(kept, log.steps, strict=False):
        near = min(range(len(pictures)), key=lambda n: abs(pictures[n] - at))
        np.testing.assert_array_equal(step.frame.rgb, picture(near))
        assert step.action.value.tolist() == np.full(2, number / 100, np.float32).tolist()
        assert step.executed.value.tolist() == step.action.value.tolist()
        assert np.isnan(step.executed.position).all()
        assert step.action.source == Source.HUMAN
        for stamp, time in ((step.frame.stamp, pictures[near]), (step.action.stamp, at)):
            assert round(stamp * 10**9) + log.offset_ns == START_NS + (time + shift) * MS
    assert episode.meta["picture_topic"] == "/cam"


def steady(count: int) -> list[int]:
    return [100 * n for n in range(count)]


@pytest.mark.parametrize(
    ("pictures", "actions", "changes", "said"),
    [
        (steady(9), steady(9), {"picture": "/front"}, "has no camera topic /front.*Valid: /cam"),
        (steady(9), steady(9), {"action": "/cam"}, "has no action topic /cam.*Valid: /joy"),
        (steady(9), steady(9), {"action_dim": 3}, "/joy has 2 axes and an action of this run 3"),
        (steady(9), steady(9), {"rate_hz": 20.0}, r"/joy comes at 10\.0 Hz"),
        (steady(9), [at + 5000 for at in steady(9)], {}, "hardly a picture of /cam"),
        ([at for at in steady(30) if not 900 < at < 1300], steady(30), {}, r"/joy 1\.00 s after .* no picture of /cam"),
        ([at for at in steady(30) if at % 200 == 0], steady(30), {"limit_s": 0.2}, "share one picture of /cam"),
        ([], steady(9), {}, "hardly a picture"),
        (steady(9), [], {}, "hardly a picture"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, pictures: list[int], actions: list[int], changes: dict[str, Any], said: str
) -> None:
    bag = record(tmp_path / "a.bag", pictures, actions)
    with pytest.raises(UserError, match=said):
        foreign(bag, tmp_path / "a.mcap", **changes)
    assert not (tmp_path / "a.mcap").exists()


def test_a_bag_without_a_camera_is_told_what_it_has(tmp_path: Path) -> None:
    with Writer(tmp_path / "a.bag") as writer:
        writer.add_connection("/note", "std_msgs/msg/String", typestore=store())
    with pytest.raises(UserError, match=r"no camera topic .*it holds /note \(std_msgs/String\)"):
        foreign(tmp_path / "a.bag", tmp_path / "a.mcap")


def test_an_action_that_is_no_number_is_refused(tmp_path: Path) -> None:
    bag = record(tmp_path / "a.bag", steady(130), steady(130))
    with pytest.raises(UserError, match="outside -1"):
        foreign(bag, tmp_path / "a.mcap")


def test_pairing_is_nearest_or_nothing() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        seen, asked = (np.sort(rng.choice(1000, rng.integers(0, 30), replace=False)) for _ in range(2))
        limit = int(rng.integers(0, 60))
        for time, chosen in zip(asked, paired(seen, asked, limit), strict=True):
            distance = np.abs(seen - time)
            if len(seen) and distance.min() <= limit:
                assert distance[chosen] == distance.min()
            else:
                assert chosen == -1


def test_a_flipped_bit_is_refused_or_leaves_an_episode(tmp_path: Path) -> None:
    write_bag(salvage(write_log(tmp_path / "first.mcap", 2, GOAL)), tmp_path / "a.bag")
    whole, random, refused = (tmp_path / "a.bag").read_bytes(), np.random.default_rng(8), 0
    # What the bag says of itself, and the records behind a step's action: elsewhere lie pixels and long definitions.
    begins = [at for mark in (b'{"format"', b"random") for at in range(len(whole)) if whole.startswith(mark, at)]
    places = [at + after for at in begins for after in range(160)]
    for trial in range(60):
        damaged = bytearray(whole)
        damaged[random.choice(places)] ^= 1 << random.integers(8)
        (tmp_path / "b.bag").write_bytes(damaged)
        log = tmp_path / f"{trial}.mcap"
        try:
            with open_bag(tmp_path / "b.bag") as opened:
                episode = own_episode(opened)
                if episode is not None:
                    log_episode(episode, log, lambda _: None)
                    read_episode(log)
        except UserError:
            refused += 1
            assert not log.exists()
    assert refused >= 10
