"""The episode folder: names in order of events, and only what is finished or dead is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_rig.data.durable_file import DurableFile
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.errors import UserError
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_step, write_log


def test_names_rise_over_all_stages_and_list_in_order(tmp_path: Path) -> None:
    store = EpisodeStore(tmp_path / "episodes")
    assert store.next_path("collect").name == "collect-000000.mcap"
    for stage in ("collect", "practice", "heldout", "collect"):
        store.next_path(stage).touch()
    store.folder.joinpath("notes.txt").touch()
    store.folder.joinpath("Foreign-1.mcap").touch()
    names = ["collect-000000.mcap", "practice-000001.mcap", "heldout-000002.mcap", "collect-000003.mcap"]
    assert [path.name for path in store.paths()] == names
    assert [path.name for path in store.paths("collect")] == [names[0], names[3]]
    store.folder.joinpath("collect-999999.mcap").touch()
    assert store.next_path("collect").name == "collect-1000000.mcap"
    store.next_path("collect").touch()
    assert store.paths()[-1].name == "collect-1000000.mcap"
    for stage in ("", "../x", "a-b", "Ä"):
        with pytest.raises(UserError, match="cannot name a stage"):
            store.next_path(stage)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot make the episode folder"):
        EpisodeStore(tmp_path / "file")


def test_only_new_whole_episodes_are_read_in_order(tmp_path: Path) -> None:
    store = EpisodeStore(tmp_path)
    for stage in ("collect", "collect", "heldout"):
        write_log(store.next_path(stage), 2)
    tmp_path.joinpath("collect-000003.mcap").write_bytes(b"rubbish " * 9)
    write_log(tmp_path / "collect-000004.mcap", 3)
    assert [episode.id for episode in store.read_new({"collect-000000"}, "collect")] == [
        "collect-000001",
        "collect-000004",
    ]
    assert list(store.refused) == ["collect-000003"]
    assert "not an MCAP file" in store.refused["collect-000003"]
    assert [episode.id for episode in store.read_new([], "heldout")] == ["heldout-000002"]


def test_reading_stops_before_an_episode_that_is_being_written(tmp_path: Path) -> None:
    store = EpisodeStore(tmp_path)
    write_log(store.next_path("collect"), 2)
    writer = EpisodeWriter(store.next_path("collect"), ACTION_DIM, None, {}, room=NO_LIMIT)
    write_log(store.next_path("collect"), 2)
    for number in range(3):
        writer.append(make_step(number))
    assert [episode.id for episode in store.read_new([])] == ["collect-000000"]
    writer.abort("enough")
    assert [episode.id for episode in store.read_new(["collect-000000"])] == ["collect-000001", "collect-000002"]


def test_an_episode_that_goes_while_it_is_looked_at_is_still_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of one that is aborted without a step is that of the next one, which must not be refused."""
    store = EpisodeStore(tmp_path)
    for _ in range(2):
        write_log(store.next_path("practice"), 2)
    gone = store.paths()[1]

    def removed_first(path: Path) -> Episode:
        path.unlink()
        return read_episode(path)

    with monkeypatch.context() as patch:
        patch.setattr("robot_rig.data.store.read_episode", removed_first)
        assert list(store.read_new(["practice-000000"])) == []
    assert not store.refused
    assert write_log(store.next_path("practice"), 3) == gone
    assert [len(episode) for episode in store.read_new(["practice-000000"])] == [3]


def test_one_without_a_step_is_gone_before_anybody_may_take_it_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, close = list[bool](), DurableFile.close

    def look_and_close(file: DurableFile) -> None:
        there.append(path.exists())
        close(file)

    path = tmp_path / "practice-000000.mcap"
    monkeypatch.setattr(DurableFile, "close", look_and_close)
    EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT).abort("hold")
    assert there == [False]


def test_a_file_made_this_moment_is_waited_for_and_an_empty_one_of_before_is_passed_over(tmp_path: Path) -> None:
    store = EpisodeStore(tmp_path)
    for _ in range(2):
        write_log(store.next_path("collect"), 2)
    newest = store.next_path("collect")
    newest.touch()
    assert [episode.id for episode in store.read_new([])] == ["collect-000000", "collect-000001"]
    assert not store.refused
    write_log(store.next_path("collect"), 2)
    assert [episode.id for episode in store.read_new(["collect-000000"])] == ["collect-000001", "collect-000003"]
    assert list(store.refused) == ["collect-000002"]
    assert newest.stat().st_size == 0
