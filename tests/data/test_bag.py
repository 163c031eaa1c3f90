"""A stranger's rosbag: what is in it comes out, in order and in little memory, or it is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag1 import Writer

from robot_rig.data import bag
from robot_rig.data.bag import open_bag
from robot_rig.data.episode import store
from robot_rig.errors import UserError
from sim.strangers.bag_bombs import chunks_of

FORMATS = [None, Writer.CompressionFormat.BZ2, Writer.CompressionFormat.LZ4]


def make(name: str, *fields: Any) -> Any:
    return store().types[name](*fields)


def picture(seq: int, side: int = 8) -> Any:
    header = make("std_msgs/msg/Header", seq, make("builtin_interfaces/msg/Time", seq, 7), "camera")
    data = np.full(3 * side * side, seq, np.uint8)
    return make("sensor_msgs/msg/Image", header, side, side, "rgb8", 0, 3 * side, data)


def write(path: Path, packing: Any = None, count: int = 30) -> Path:
    writer = Writer(path)
    if packing is not None:
        writer.set_compression(packing)
    with writer:
        seen = writer.add_connection("/camera/image", "sensor_msgs/msg/Image", typestore=store())
        said = writer.add_connection("/note", "std_msgs/msg/String", typestore=store())
        foreign = writer.add_connection("/own", "their_msgs/msg/Thing", msgdef="uint8 x\n", md5sum="0" * 32)
        for n in range(count):
            image = store().serialize_ros1(picture(n), "sensor_msgs/msg/Image")
            writer.write(seen, n * 10**9, bytes(image))
            text = store().serialize_ros1(make("std_msgs/msg/String", f"note {n}"), "std_msgs/msg/String")
            writer.write(said, n * 10**9 + 5, bytes(text))
            writer.write(foreign, n * 10**9 + 6, b"\x01")
    return path


@pytest.mark.parametrize("packing", FORMATS)
def test_what_was_recorded_comes_out_in_order(tmp_path: Path, packing: Any) -> None:
    with open_bag(write(tmp_path / "a.bag", packing)) as found:
        kinds = {name: (topic.type, topic.is_readable) for name, topic in found.topics.items()}
        assert kinds == {
            "/camera/image": ("sensor_msgs/Image", True),
            "/note": ("std_msgs/String", True),
            "/own": ("their_msgs/Thing", False),
        }
        both = list(found.messages(["/camera/image", "/note"]))
        notes = list(found.messages(["/note"]))
    assert [message.time_ns for message in both] == sorted(n * 10**9 + k for n in range(30) for k in (0, 5))
    assert [message.message.data for message in notes] == [f"note {n}" for n in range(30)]
    pictures = [message.message for message in both if message.topic == "/camera/image"]
    assert [image.header.seq for image in pictures] == list(range(30))
    assert all((image.data == n).all() for n, image in enumerate(pictures))


def test_a_topic_that_cannot_be_read_is_refused_with_those_that_can(tmp_path: Path) -> None:
    with open_bag(write(tmp_path / "a.bag")) as found:
        for name in ("/own", "/nowhere"):
            with pytest.raises(UserError, match=f"no readable topic {name}.*/camera/image, /note"):
                next(found.messages([name]))


def test_a_definition_of_the_bags_own_is_never_compiled(tmp_path: Path) -> None:
    """A type that we know under a definition that we do not know is another type."""
    path = tmp_path / "a.bag"
    with Writer(path) as writer:
        writer.add_connection("/camera/image", "sensor_msgs/msg/Image", msgdef="uint8[] data\n", md5sum="1" * 32)
    with open_bag(path) as found:
        assert not found.topics["/camera/image"].is_readable


def test_others_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.bag"
    whole = write(path).read_bytes()
    path.write_bytes(b"#ROSBAG V1.2\n" + whole[13:])
    with pytest.raises(UserError, match=r"no rosbag of version 2\.0"), open_bag(path):
        pass
    at = whole.index(b"index_pos=") + 10
    path.write_bytes(whole[:at] + bytes(8) + whole[at + 8 :])
    with pytest.raises(UserError, match=r"never finished.*rosbag reindex"), open_bag(path):
        pass


@pytest.mark.parametrize("packing", FORMATS)
def test_a_cut_or_flipped_bag_is_refused_or_gives_messages_of_its_types(tmp_path: Path, packing: Any) -> None:
    path = tmp_path / "a.bag"
    whole, random = write(path, packing, count=4).read_bytes(), np.random.default_rng(5)
    refused = 0
    for trial in range(120):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << random.integers(8)
        path.write_bytes(whole[: random.integers(len(whole))] if trial % 3 == 0 else bytes(damaged))
        try:
            with open_bag(path) as found:
                readable = [name for name, topic in found.topics.items() if topic.is_readable]
                for message in found.messages(readable):
                    assert message.topic in readable
        except UserError:
            refused += 1
    assert refused >= 40


def test_a_packed_bomb_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bag"
    monkeypatch.setattr(bag, "MAX_CHUNK_BYTES", 4096)
    with pytest.raises(UserError, match="larger than"), open_bag(write(path, FORMATS[1])) as found:
        list(found.messages(["/note"]))


@pytest.mark.parametrize(
    ("kind", "chunks", "match"),
    [
        ("zeros", 20, "declare 20 MiB of"),
        ("zeros", 1, "kind 4 stands in a chunk"),
        ("crumbs", 1, "kind 4 stands in a chunk"),
        ("fields", 1, "a header of"),
        ("texts", 2, "bytes of messages and more"),
        ("empty", 1, "all that it has an index of"),
    ],
)
def test_a_small_bag_that_would_take_long_is_refused_early(tmp_path: Path, kind: str, chunks: int, match: str) -> None:
    path = tmp_path / "a.bag"
    path.write_bytes(chunks_of(kind, chunks, 2**20))
    with pytest.raises(UserError, match=match), open_bag(path) as found:
        list(found.messages(["/note"]))


def test_many_small_messages_that_an_index_knows_come_out(tmp_path: Path) -> None:
    path, count = tmp_path / "a.bag", 6000
    writer = Writer(path)
    writer.set_compression(Writer.CompressionFormat.BZ2)
    with writer:
        topic = writer.add_connection("/note", "std_msgs/msg/Empty", typestore=store())
        for n in range(count):
            writer.write(topic, n * 1000, b"")
    with open_bag(path) as found:
        assert sum(1 for _ in found.messages(["/note"])) == count
