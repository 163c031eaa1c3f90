"""The short look at an episode says what a whole reading says, reads little, and believes no index that is wrong."""

from __future__ import annotations

import datetime
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.outline import FOOTER_BYTES, Outline, outline
from robot_rig.errors import UserError
from tests.data.episodes import ACTION_DIM, NO_LIMIT, START, make_frame, make_step, picture, write_log

META = {"stage": "practice", "policy": "practice-000600"}


def agrees(short: Outline) -> None:
    """What `outline` says is what a whole reading gives."""
    episode = read_episode(short.path)
    assert (short.steps, short.truncated, short.has_goal) == (len(episode), episode.truncated, episode.goal is not None)
    assert short.seconds == pytest.approx(episode.stamps[-1] - episode.stamps[0], abs=1e-9)
    assert dict(short.meta) == {key: value for key, value in episode.meta.items() if key != "lost"}
    assert short.size == short.path.stat().st_size


@pytest.mark.parametrize("goal", [None, picture(3)], ids=["goalless", "goal"])
@pytest.mark.parametrize("steps", [0, 1, 40])
def test_the_index_says_what_the_whole_file_says(tmp_path: Path, steps: int, goal: object) -> None:
    short = outline(write_log(tmp_path / "practice-000001.mcap", steps, goal, META))  # type: ignore[arg-type]
    agrees(short)
    assert (short.stage, short.actor, short.action_dim) == ("practice", "practice-000600", ACTION_DIM)
    assert short.begun == datetime.datetime.fromtimestamp(1.7e9 + START, datetime.timezone.utc)
    assert not short.is_being_written


def test_a_clock_without_a_date_gives_none(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    writer.append(make_step(0))
    writer.finish(make_frame(1))
    short = outline(tmp_path / "a.mcap")
    assert (short.begun, short.stage, short.actor) == (None, "", "")


@pytest.mark.parametrize("after", [1, 5])
def test_an_episode_that_was_aborted_or_killed_is_told_as_truncated(tmp_path: Path, after: int) -> None:
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, META, clock_offset=1.7e9, room=NO_LIMIT)
    for number in range(after):
        writer.append(make_step(number))
    writer.abort("the picture is too old")
    whole = write_log(tmp_path / "b.mcap", 6, None, META)
    cut = tmp_path / "c.mcap"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    for path in (tmp_path / "a.mcap", cut):
        short = outline(path)
        assert short.truncated
        agrees(short)


def test_an_episode_that_is_being_written_says_so(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "a.mcap", ACTION_DIM, None, META, clock_offset=1.7e9, room=NO_LIMIT)
    try:
        with pytest.raises(UserError, match=r"cut short before its first step|no whole step"):
            outline(tmp_path / "a.mcap")
        for number in range(3):
            writer.append(make_step(number))
        deadline = time.monotonic() + 10.0
        while writer.acknowledged < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        short = outline(tmp_path / "a.mcap")
        assert (short.is_being_written, short.truncated, short.steps) == (True, True, 2)
    finally:
        writer.finish(make_frame(3))
    assert not outline(tmp_path / "a.mcap").is_being_written


def test_what_lies_between_the_ends_is_not_read(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.mcap", 100, None, META)
    before, content = outline(path), path.read_bytes()
    kept = len(content) // 100, len(content) // 50
    path.write_bytes(content[: kept[0]] + bytes(len(content) - sum(kept)) + content[-kept[1] :])
    with pytest.raises(UserError, match="no whole step"):
        read_episode(path)
    assert outline(path) == before


def damaged(content: bytes) -> Iterator[bytes]:
    """`content` with one bit flipped, in each of its last bytes in turn, where index and footer lie."""
    for back in range(1, 1400, 13):
        changed = bytearray(content)
        changed[-back] ^= 0x10
        yield bytes(changed)


def test_an_index_with_a_flipped_bit_is_not_believed(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.mcap", 3, picture(1), META)
    content = path.read_bytes()
    for changed in damaged(content):
        path.write_bytes(changed)
        agrees(outline(path))


def test_an_index_of_a_million_crumbs_costs_no_time(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.mcap", 3, picture(1), META)
    content = path.read_bytes()
    (start,) = struct.unpack_from("<Q", content, len(content) - 8 - FOOTER_BYTES + 9)
    crumbs = struct.pack("<BQ", 0x80, 0) * 1_000_000
    footer = struct.pack("<BQQQ", 0x02, 20, start, 0)
    checksum = struct.pack("<I", zlib.crc32(crumbs + footer))
    path.write_bytes(content[:start] + crumbs + footer + checksum + content[-8:])
    began = time.process_time()
    agrees(outline(path))
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89MCAP0\r\n" * 40])
def test_what_is_no_episode_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mcap").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mcap"):
        outline(tmp_path / "a.mcap")
    with pytest.raises(UserError, match="cannot open"):
        outline(tmp_path / "absent.mcap")
