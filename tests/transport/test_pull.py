"""The log on another machine as a local folder: final episodes only, whole, in order, whoever was killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rig.clock import ManualClock
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.errors import UserError
from robot_rig.runs import RunFolder
from robot_rig.transport import carrier as carrying
from robot_rig.transport import pull as pulling
from robot_rig.transport.carrier import Carrier
from robot_rig.transport.pull import MAGIC, WHOLE_EVERY_S, Pull
from robot_rig.transport.ssh import LinkError
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_frame, make_step, write_log
from tests.ros_graph import eventually
from tests.tiny_run import tiny_config
from tests.transport.ssh_server import SshServer, program


def under_way(path: Path, steps: int = 3) -> EpisodeWriter:
    """A log that is still written; its first `steps` steps are on disk."""
    writer = EpisodeWriter(path, ACTION_DIM, None, {"stage": "collect"}, clock_offset=1.7e9, room=NO_LIMIT)
    for number in range(steps):
        writer.append(make_step(number))
    while writer.acknowledged < steps:
        pass
    return writer


def bring(pull: Pull) -> None:
    """A round of the carrier's."""
    pull.look()
    while pull.carry():
        pass


@pytest.fixture
def pull(server: SshServer, played: Path, tmp_path: Path) -> Pull:
    """From the robot's run into tmp_path/mirror; what it says is in `told`."""
    return Pull(server.ssh(), server.address(played), tmp_path / "mirror", lambda sentence: None)


def held(folder: Path) -> list[str]:
    return [path.name for path in EpisodeStore(folder / "episodes").paths()]


def assert_same(played: Path, mirror: Path) -> None:
    for name in held(mirror):
        assert (mirror / "episodes" / name).read_bytes() == (played / "episodes" / name).read_bytes()


def test_an_episode_appears_when_it_is_finished_and_not_before(pull: Pull, played: Path, tmp_path: Path) -> None:
    mirror, log = tmp_path / "mirror", played / "episodes"
    write_log(log / "collect-000000.mcap", 3)
    writer = under_way(log / "heldout-000001.mcap")
    bring(pull)
    assert held(mirror) == ["collect-000000.mcap"]
    assert RunFolder.open(mirror).config == tiny_config()
    assert [len(episode) for episode in EpisodeStore(mirror / "episodes").read_new(())] == [3]
    writer.finish(make_frame(3))
    bring(pull)
    assert held(mirror) == held(played) == ["collect-000000.mcap", "heldout-000001.mcap"]
    assert_same(played, mirror)


def test_what_a_killed_writer_left_is_final_when_the_next_has_begun(pull: Pull, played: Path, tmp_path: Path) -> None:
    mirror, log = tmp_path / "mirror", played / "episodes"
    whole = write_log(tmp_path / "whole.mcap", 3).read_bytes()
    (log / "collect-000000.mcap").write_bytes(whole[:-100])
    bring(pull)
    assert held(mirror) == []
    writer = under_way(log / "collect-000001.mcap")
    bring(pull)
    assert held(mirror) == ["collect-000000.mcap"]
    assert_same(played, mirror)
    writer.abort("the test is over")
    bring(pull)
    assert held(mirror) == ["collect-000000.mcap", "collect-000001.mcap"]


@pytest.mark.parametrize("kept", [0, 8, 200, -1, -8, -20, -37])
def test_a_file_that_may_still_grow_is_not_fetched(pull: Pull, played: Path, tmp_path: Path, kept: int) -> None:
    content = write_log(tmp_path / "whole.mcap", 2).read_bytes()
    assert content.startswith(MAGIC)
    path = played / "episodes" / "collect-000000.mcap"
    path.write_bytes(content[:kept])
    bring(pull)
    assert held(tmp_path / "mirror") == []
    path.write_bytes(content)
    bring(pull)
    assert held(tmp_path / "mirror") == [path.name]


def test_a_name_that_is_used_again_while_it_is_fetched_shows_nothing_half(
    pull: Pull, played: Path, tmp_path: Path
) -> None:
    path = played / "episodes" / "collect-000000.mcap"
    write_log(path, 2)
    pull.look()
    path.unlink()
    writer = under_way(path)
    while pull.carry():
        pass
    assert held(tmp_path / "mirror") == []
    writer.finish(make_frame(3))
    bring(pull)
    assert_same(played, tmp_path / "mirror")
    assert held(tmp_path / "mirror") == [path.name]


def test_there_is_no_run_before_the_robot_has_begun_one(server: SshServer, tmp_path: Path) -> None:
    robot, mirror = tmp_path / "later", tmp_path / "mirror"
    pull = Pull(server.ssh(), server.address(robot), mirror, lambda sentence: None)
    for _ in range(2):
        bring(pull)
        with pytest.raises(UserError, match="there is no run"):
            RunFolder.open(mirror)
        (robot / "episodes").mkdir(parents=True, exist_ok=True)
        write_log(robot / "episodes" / f"collect-{len(held(robot)):06d}.mcap", 1)
    shutil.rmtree(robot)
    RunFolder.claim(robot, tiny_config()).close()
    write_log(robot / "episodes" / "collect-000000.mcap", 1)
    bring(pull)
    assert RunFolder.open(mirror).config == tiny_config()
    assert held(mirror) == ["collect-000000.mcap"]


def test_more_than_a_batch_comes_in_the_order_of_the_log(
    pull: Pull, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "BATCH", 4)
    stages = ("practice", "collect", "heldout")
    content = write_log(tmp_path / "whole.mcap", 1).read_bytes()
    names = [f"{stages[number % 3]}-{number:06d}.mcap" for number in range(10)]
    for name in names:
        (played / "episodes" / name).write_bytes(content)
    pull.look()
    assert pull.behind == 10
    for count in (4, 8, 10):
        assert pull.carry()
        assert held(tmp_path / "mirror") == names[:count]
        assert pull.behind == 10 - count
    assert not pull.carry()


def test_links_and_other_files_stay_where_they_are(server: SshServer, played: Path, tmp_path: Path) -> None:
    told: list[str] = []
    pull = Pull(server.ssh(), server.address(played), tmp_path / "mirror", told.append)
    log = played / "episodes"
    (tmp_path / "secret").write_bytes(b"not yours")
    (log / "collect-000000.mcap").symlink_to(tmp_path / "secret")
    (log / "notes.txt").write_text("a")
    (log / "collect-1.mcap").write_text("b")
    (log / "collect-000002.mcap\n").write_text("c")
    write_log(log / "collect-000003.mcap", 1)
    for _ in range(2):
        bring(pull)
    assert sorted(path.name for path in (tmp_path / "mirror" / "episodes").iterdir()) == ["collect-000003.mcap"]
    assert [sentence.split()[2] for sentence in told] == ["collect-000000.mcap"]


def test_of_a_long_log_the_newest_is_asked_for_and_now_and_then_all(
    server: SshServer, played: Path, tmp_path: Path
) -> None:
    content = write_log(tmp_path / "whole.mcap", 1)
    there, here = played / "episodes", tmp_path / "mirror" / "episodes"
    here.mkdir(parents=True)
    numbers = [number for number in range(300) if number != 7]
    for folder in (there, here):
        for number in numbers:
            os.link(content, folder / f"practice-{number:06d}.mcap")
    answers, told = list[str](), list[str]()
    ssh, clock = server.ssh(), ManualClock()
    run = ssh.run

    def listening(script: str) -> list[str]:
        said = run(script)
        answers.append(said[1])
        return said

    ssh.run = listening  # type: ignore[method-assign]
    pull = Pull(ssh, server.address(played), here.parent, told.append)
    pull._clock = clock
    for _ in range(2):
        bring(pull)
    assert [len(answer.splitlines()) for answer in answers] == [299, 17]
    # One that comes late, and two that come in their turn.
    for number in (7, 300, 301):
        os.link(content, there / f"practice-{number:06d}.mcap")
    bring(pull)
    assert held(here.parent)[-2:] == ["practice-000300.mcap", "practice-000301.mcap"]
    assert "practice-000007.mcap" not in held(here.parent)
    clock.advance(WHOLE_EVERY_S)
    bring(pull)
    assert held(here.parent) == held(played)
    # What is not final yet is asked for until it is.
    for number in range(302, 340):
        os.link(content, there / f"practice-{number:06d}.mcap")
    last = there / "teleop-000340.mcap"
    last.touch()
    for _ in range(3):
        bring(pull)
    assert held(here.parent) == held(played)[:-1]
    assert len(answers[-1].splitlines()) == 17
    last.write_bytes(content.read_bytes())
    bring(pull)
    assert held(here.parent) == held(played)
    assert told == []


def test_another_run_under_the_old_name_is_refused(pull: Pull, played: Path, tmp_path: Path) -> None:
    bring(pull)
    shutil.rmtree(played)
    RunFolder.claim(played, tiny_config("vae.beta=3")).close()
    with pytest.raises(UserError, match="another run than the one that was fetched"):
        pull.look()
    assert RunFolder.open(tmp_path / "mirror").config == tiny_config()


def test_a_run_that_was_begun_anew_with_the_same_settings_is_refused(pull: Pull, played: Path, tmp_path: Path) -> None:
    write_log(played / "episodes" / "collect-000000.mcap", 2)
    bring(pull)
    shutil.rmtree(played)
    RunFolder.claim(played, tiny_config()).close()
    with pytest.raises(UserError, match="another run than the one that was fetched"):
        bring(pull)


def test_a_number_that_was_used_again_is_refused(pull: Pull, played: Path, tmp_path: Path) -> None:
    path = played / "episodes" / "collect-000000.mcap"
    before = write_log(path, 2).read_bytes()
    bring(pull)
    path.unlink()
    bring(pull)
    write_log(path, 3)
    with pytest.raises(UserError, match=rf"{path.name} of .* was used again\. Move .*mirror away"):
        bring(pull)
    assert (tmp_path / "mirror" / "episodes" / path.name).read_bytes() == before


def test_one_process_works_on_a_mirror(pull: Pull, server: SshServer, played: Path, tmp_path: Path) -> None:
    again = (server.ssh(), server.address(played), tmp_path / "mirror", lambda sentence: None)
    with pytest.raises(UserError, match="another process fetches"):
        Pull(*again)
    pull.close()
    Pull(*again).close()


def test_what_a_power_cut_left_is_looked_at_again(pull: Pull, server: SshServer, played: Path, tmp_path: Path) -> None:
    mirror, name = tmp_path / "mirror", "collect-000000.mcap"
    write_log(played / "episodes" / name, 2)
    pull.close()
    there = (played / "episodes" / name).stat()
    (mirror / ".incoming" / ".partial").mkdir(exist_ok=True)
    for scrap in (name, f".{name}.Ab12Cd", f".partial/{name}"):
        # The names and sizes were on the disk, the content was not.
        (mirror / ".incoming" / scrap).write_bytes(bytes(there.st_size))
        os.utime(mirror / ".incoming" / scrap, ns=(there.st_atime_ns, there.st_mtime_ns))
    again = Pull(server.ssh(), server.address(played), mirror, lambda sentence: None)
    bring(again)
    assert_same(played, mirror)
    assert held(mirror) == [name]
    assert [path.name for path in (mirror / ".incoming").rglob("*") if path.is_file()] == []


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A machine on which even root must have the right to read a file."""
    folder = tmp_path_factory.mktemp("strict")
    meek = f"{program('setpriv')} --bounding-set=-dac_override,-dac_read_search" if os.geteuid() == 0 else ""
    (folder / "bin").mkdir()
    (folder / "bin" / "nice").write_text(f'#!/bin/sh\nexec {meek} {program("nice")} "$@"\n')
    (folder / "bin" / "nice").chmod(0o755)
    made = SshServer(folder, f"SetEnv PATH={folder}/bin:{os.environ['PATH']} HOME={folder}")
    made.start()
    yield made
    made.kill()


def test_an_episode_that_cannot_be_read_there_holds_up_nothing_for_ever(
    strict: SshServer, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "FIRST_RETRY_S", 0.1)
    names = [f"collect-{number:06d}.mcap" for number in range(4)]
    for name in names:
        write_log(played / "episodes" / name, 1)
    (played / "episodes" / names[1]).chmod(0)
    told: list[str] = []
    ssh = strict.ssh()
    pull = Pull(ssh, strict.address(played), tmp_path / "mirror", told.append)
    pull.look()
    with pytest.raises(LinkError, match="Permission denied"):
        pull.carry()
    assert held(tmp_path / "mirror") == names[:1], "what comes after it waits a while"
    carrier = Carrier(ssh, [pull], told.append)
    try:
        carrier.start()
        assert eventually(carrier.ask(), 20.0)
    finally:
        carrier.close()
    assert held(tmp_path / "mirror") == [names[0], *names[2:]]
    (sentence,) = told
    assert sentence.startswith(f"passed over: {names[1]} of ")
    assert "3 times" in sentence
