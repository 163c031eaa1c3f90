"""A log that was killed, cut short, flipped or forged gives every intact step, never a wrong one, and little memory."""

from __future__ import annotations

import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard
from mcap.writer import Writer

from robot_rig.data.durable_file import being_written
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.salvage import meta_checksum, salvage
from robot_rig.errors import UserError
from tests.data.episodes import ACTION_DIM, NO_LIMIT, assert_same_step, make_frame, make_step, picture, write_log

STEPS = 6


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_log(tmp_path_factory.mktemp("whole") / "a.mcap", STEPS, picture(50)).read_bytes()


def read_damaged(path: Path, content: bytes) -> int:
    """Steps that come out of `content`, each compared with what was written; -1 when it is refused in plain words."""
    path.write_bytes(content)
    try:
        log = salvage(path)
    except UserError:
        return -1
    assert log.damage
    for number, step in enumerate(log.steps):
        assert_same_step(step, number)
    if log.goal is not None:
        np.testing.assert_array_equal(log.goal, picture(50))
    if log.closing is not None:
        assert len(log.steps) == STEPS
        np.testing.assert_array_equal(log.closing.rgb, picture(STEPS))
    assert dict(log.meta) == {"stage": "collect"}
    return len(log.steps)


def test_a_file_cut_anywhere_gives_every_step_before_the_cut(tmp_path: Path, whole: bytes) -> None:
    cuts = sorted({0, 1, 7, 8, 9, *range(0, len(whole), 611), *range(len(whole) - 60, len(whole), 7)})
    counts = [read_damaged(tmp_path / "cut.mcap", whole[:cut]) for cut in cuts]
    assert counts == sorted(counts)
    assert set(counts) == {-1, *range(STEPS + 1)}
    # Behind the definitions and the goal, a cut costs at most the step it falls into.
    size = len(whole) // (STEPS + 2)
    assert all(count >= cut // (size * 1.6) - 2 for cut, count in zip(cuts, counts, strict=True))


def test_a_flipped_bit_is_never_a_wrong_step(tmp_path: Path, whole: bytes) -> None:
    rng = np.random.default_rng(3)
    # Everywhere, and densely where the framing, the metadata and the index lie.
    places = {*range(0, 400, 3), *rng.integers(0, len(whole), 150).tolist(), *range(len(whole) - 3000, len(whole), 19)}
    counts = []
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        counts.append(read_damaged(tmp_path / "flip.mcap", bytes(damaged)))
    assert {0, 1, 2, 3, 4, 5, STEPS} <= set(counts)


def test_garbage_after_and_inside_is_reported(tmp_path: Path, whole: bytes) -> None:
    rng = np.random.default_rng(4)
    assert read_damaged(tmp_path / "a.mcap", whole + b"\0") == STEPS
    assert read_damaged(tmp_path / "a.mcap", whole + whole) == STEPS
    for _ in range(60):
        start, length = rng.integers(len(whole) // 8, len(whole)), rng.integers(1, 5000)
        assert read_damaged(tmp_path / "a.mcap", whole[:start] + rng.bytes(length) + whole[start:]) >= 0
        assert read_damaged(tmp_path / "a.mcap", whole[:start] + whole[start + length :]) >= 0


def test_the_loss_is_told_in_the_episode(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(whole[: len(whole) // 2])
    episode = read_episode(path)
    assert episode.truncated
    assert f"the first {len(episode) + 1} steps are intact" in episode.meta["lost"]
    assert "cut short" in episode.meta["lost"]


def test_a_file_without_one_frame_is_refused(tmp_path: Path) -> None:
    path, killed = tmp_path / "a.mcap", tmp_path / "killed.mcap"
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)
    killed.write_bytes(path.read_bytes())
    writer.abort("nothing came")
    assert not path.exists(), "an aborted episode without a step leaves no file"
    with pytest.raises(UserError, match="no whole step"):
        read_episode(killed)


def forged(path: Path, meta: dict[str, str], name: str = "robot_rig.episode", profile: str = "ros1") -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile=profile)
        writer.add_metadata(name, {**meta, "crc32": meta_checksum(meta)})
        writer.finish()
    return path


def test_strangers_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    good = {"format": "1", "action_dim": "2", "clock_offset_ns": "0"}
    path.write_bytes(b"not an episode at all" * 100)
    with pytest.raises(UserError, match=r"a\.mcap is not an MCAP file"):
        read_episode(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="cut short before its first step"):
        read_episode(path)
    with pytest.raises(UserError, match=r"format '7'.*Valid: 1.*Update"):
        read_episode(forged(path, {**good, "format": "7"}))
    with pytest.raises(UserError, match="not an episode of robot_rig"):
        read_episode(forged(path, good, name="someone.else"))
    with pytest.raises(UserError, match="not of ROS 1"):
        read_episode(forged(path, good, profile="ros2"))
    with pytest.raises(UserError, match="neither its action size"):
        read_episode(forged(path, {"format": "1"}))
    with pytest.raises(UserError, match="no whole step"):
        read_episode(forged(path, good))
    with pytest.raises(UserError, match="cannot open"):
        read_episode(tmp_path / "missing.mcap")
    with pytest.raises(UserError, match="is a folder"):
        read_episode(tmp_path)


def chunk_record(compression: bytes, declared: int, data: bytes, crc: int, data_length: int | None = None) -> bytes:
    length = len(data) if data_length is None else data_length
    body = struct.pack("<QQQI", 0, 0, declared, crc) + struct.pack("<I", len(compression)) + compression
    body += struct.pack("<Q", length) + data
    return struct.pack("<BQ", 6, len(body)) + body


BOMB_BYTES = 3 << 30


def bombs() -> dict[str, bytes]:
    """Records that declare gigabytes: in the record, the chunk, the zstd frame, and one that really holds them."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    zeros = bytes(1 << 20)
    real = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    framed = zstandard.compress(b"x" * 1000)
    lying = bytearray(zstandard.ZstdCompressor().compress(bytes(5 << 20)))
    return {
        "record": struct.pack("<BQ", 6, BOMB_BYTES) + b"abc",
        "unknown record": struct.pack("<BQ", 0x70, 1 << 62),
        "data length": chunk_record(b"zstd", 1000, framed, 0, BOMB_BYTES),
        "negative": chunk_record(b"zstd", 1000, framed, 0, (1 << 64) - 5),
        "chunk": chunk_record(b"zstd", BOMB_BYTES, framed, 0),
        "frame": chunk_record(b"zstd", 1000, bytes(lying), 0),
        "unsized frame": chunk_record(b"zstd", 64 << 20, real, zlib.crc32(b"")),
        "lz4": chunk_record(b"lz4", 1000, b"\x04\x22\x4d\x18" + b"\xff" * 20, 0),
        "compression name": struct.pack("<BQ", 6, 40) + struct.pack("<QQQI", 0, 0, 0, 0) + b"\xff\xff\xff\x7f" + b"ab",
    }


@pytest.mark.parametrize("name", sorted(bombs()))
def test_a_declared_size_takes_no_memory(tmp_path: Path, whole: bytes, name: str) -> None:
    path = tmp_path / "bomb.mcap"
    path.write_bytes(first_steps(whole, 2) + bombs()[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log = salvage(path)
    assert len(log.steps) == 2
    assert log.damage
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


def first_steps(content: bytes, steps: int) -> bytes:
    """The file as it was after `steps` steps: records up to and with the message index of that chunk."""
    at, chunks = 8, 0
    while True:
        opcode, length = struct.unpack_from("<BQ", content, at)
        chunks += opcode == 6
        if chunks > steps:
            return content[:at]
        at += 9 + length


def test_a_missing_or_repeated_step_is_noticed(tmp_path: Path, whole: bytes) -> None:
    ends = [len(first_steps(whole, steps)) for steps in range(STEPS + 1)]
    without_third = whole[: ends[2]] + whole[ends[3] :]
    assert read_damaged(tmp_path / "a.mcap", without_third) == 2
    twice = whole[: ends[3]] + whole[ends[2] :]
    assert read_damaged(tmp_path / "a.mcap", twice) == 3


def test_a_running_episode_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)
    writer.append(make_step(0))
    assert being_written(path)
    writer.finish(make_frame(1))
    assert not being_written(path)


def test_steps_of_another_size_and_messages_outside_chunks_end_the_reading(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.mcap"
    message = struct.pack("<BQHIQQ", 5, 22 + 4, 1, 0, 0, 0) + b"abcd"
    path.write_bytes(first_steps(whole, 2) + message)
    assert "outside a chunk" in salvage(path).damage
    other = EpisodeWriter(tmp_path / "b.mcap", 3, None, {"stage": "collect"}, room=NO_LIMIT)
    other.finish(make_frame(0))
    opening = first_steps((tmp_path / "b.mcap").read_bytes(), 0)
    steps = whole[len(first_steps(whole, 0)) :]
    path.write_bytes(opening + steps)
    log = salvage(path)
    assert (len(log.steps), log.action_dim) == (0, 3)
    assert "action of shape" in log.damage


def test_a_file_whose_end_of_data_is_missing_is_damaged(tmp_path: Path, whole: bytes) -> None:
    marker = struct.pack("<BQ", 15, 4)
    at = whole.rindex(marker)
    assert read_damaged(tmp_path / "a.mcap", whole[:at] + whole[at + 13 :]) == STEPS
