"""A log followed for weeks: in order, late ones as well, and the folder is not listed all the time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from robot_rig.clock import ManualClock
from robot_rig.data import growing_log
from robot_rig.data.episode_ids import EpisodeIds
from robot_rig.data.growing_log import REST, GrowingLog
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_frame, make_step, write_log


class Reader:
    """Follows the folder and takes all that it is given."""

    def __init__(self, folder: Path) -> None:
        self.store, self.taken, self.clock = EpisodeStore(folder), EpisodeIds(), ManualClock()
        self.told: list[str] = []
        self.log = GrowingLog(self.store, self.taken, self.clock, self.told.append)

    def read(self) -> list[str]:
        """Ids of all that there is by now."""
        ids = []
        while (episode := self.log.next()) is not None:
            self.taken.add(episode.id)
            ids.append(episode.id)
        return ids


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "episodes")


@pytest.fixture
def log(reader: Reader) -> Path:
    return reader.store.folder


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_log(tmp_path_factory.mktemp("one") / "one.mcap", 1).read_bytes()


def fill(log: Path, content: bytes, names: list[str]) -> list[str]:
    for name in names:
        (log / f"{name}.mcap").write_bytes(content)
    return names


def test_what_comes_is_given_once_and_what_comes_late_next(reader: Reader, log: Path, content: bytes) -> None:
    assert reader.read() == []
    first = fill(log, content, ["collect-000000", "heldout-000001", "practice-000004", "practice-1000000"])
    assert reader.read() == first
    late = fill(log, content, ["practice-000003", "teleop-000004"])
    new = fill(log, content, ["practice-1000001"])
    assert reader.read() == late + new
    assert reader.read() == []


def test_a_late_one_does_not_wait_for_those_that_a_listing_has_named(
    reader: Reader, log: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_log, "AHEAD", 2)
    names = fill(log, content, [f"practice-{number:06d}" for number in range(1, 8)])
    episode = reader.log.next()
    assert episode is not None
    reader.taken.add(episode.id)
    late = fill(log, content, ["practice-000000"])
    # What stands in the listing comes first, and no more.
    assert [episode.id, *reader.read()] == [*names[:2], *late, *names[2:]]


def test_all_of_a_log_comes_in_order_though_few_names_are_kept(
    reader: Reader, log: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_log, "AHEAD", 3)
    monkeypatch.setattr(growing_log, "SHORT", 0)
    stages = ("practice", "collect", "a")
    names = fill(log, content, [f"{stages[number % 3]}-{number:06d}" for number in range(10)])
    # As many as are kept cannot be read: what stands behind them is asked for at once.
    for name in names[3:6]:
        (log / f"{name}.mcap").write_bytes(b"rubbish " * 9)
    assert reader.read() == names[:3] + names[6:]
    assert [sentence.split()[2].rpartition("/")[2] for sentence in reader.told] == [f"{one}.mcap" for one in names[3:6]]
    fill(log, content, ["practice-000010"])
    assert reader.read() == ["practice-000010"]
    assert len(reader.told) == 3, "said once"


def test_it_waits_for_one_that_is_being_written_and_for_one_that_goes_and_comes_again(
    reader: Reader, log: Path, content: bytes
) -> None:
    writer = EpisodeWriter(log / "practice-000000.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    writer.append(make_step(0))
    fill(log, content, ["practice-000001"])
    assert reader.read() == reader.read() == []
    writer.finish(make_frame(1))
    assert reader.read() == ["practice-000000", "practice-000001"]
    aborted = EpisodeWriter(log / "practice-000002.mcap", ACTION_DIM, None, {}, room=NO_LIMIT)
    assert reader.read() == []
    aborted.abort("nothing came")
    assert reader.read() == []
    fill(log, content, ["teleop-000002", "practice-000003"])
    assert reader.read() == ["teleop-000002", "practice-000003"]
    (log / "practice-000004.mcap").touch()
    assert reader.read() == []
    fill(log, content, ["practice-000005"])
    assert reader.read() == ["practice-000005"]
    assert len(reader.told) == 1
    assert "practice-000004" in reader.told[0]


def test_a_long_log_is_listed_for_a_twentieth_of_the_time(
    reader: Reader, log: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_log, "SHORT", 3)
    scan, took_s, listed = os.scandir, 0.5, list[float]()

    @contextmanager
    def slow_scan(folder: Path) -> Iterator[Any]:
        listed.append(reader.clock.now())
        with scan(folder) as entries:
            yield entries
        reader.clock.advance(took_s)

    monkeypatch.setattr("robot_rig.data.store.os.scandir", slow_scan)
    given = []
    for number in range(100):
        given += fill(log, content, [f"practice-{number:06d}"])
        before = reader.clock.now()
        reader.read()
        reader.clock.advance(max(0.0, 5.0 - (reader.clock.now() - before)))
    reader.clock.advance(REST * took_s)
    reader.read()
    assert len(reader.taken) == len(given) == 100
    # Few at first, for which nobody has to wait.
    assert len(listed) <= 10 + reader.clock.now() / (took_s * (1 + REST))
    # Nothing new is no reason to look again.
    count = len(listed)
    for _ in range(20):
        assert reader.read() == []
    assert len(listed) == count
