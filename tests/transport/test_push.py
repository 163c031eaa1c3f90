"""Checkpoints on the robot's disk: whole or not there, once, in order, and byte for byte what was signed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rig.errors import UserError
from robot_rig.keys import Pin, TrainerKey
from robot_rig.learning.checkpoint import Manifest, read_checkpoint, write_checkpoint
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import shipped_in
from robot_rig.transport.push import STALE_MIN, Push
from robot_rig.transport.ssh import LinkError, Ssh
from sim.faults.bad_line import Relay
from tests.ros_graph import eventually
from tests.tiny_run import tiny_config
from tests.transport.ssh_server import SshServer

NUMBERS = 50_000
"""Weights of a checkpoint: 200 kB."""


@pytest.fixture
def key(tmp_path: Path) -> TrainerKey:
    return TrainerKey.own(tmp_path / "keys")


def ship(run: Path, steps: int, key: TrainerKey) -> Path:
    """A checkpoint of noise, which no transfer can shorten."""
    picture = np.zeros((84, 84, 3), np.uint8)
    manifest = Manifest("0" * 16, "a" * 16, 4, 2, steps, picture, picture, np.zeros(2, np.float32))
    weights = torch.rand(NUMBERS, generator=torch.Generator().manual_seed(steps))
    path = run / "checkpoints" / f"practice-{steps:06d}"
    write_checkpoint(path, {"actor": {"w": weights}}, manifest, key.sign)
    return path


@pytest.fixture
def learnt(tmp_path: Path) -> Path:
    """The trainer's run, without checkpoints yet."""
    RunFolder.claim(tmp_path / "learnt", tiny_config()).close()
    return tmp_path / "learnt"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where they are to lie on the robot; not made yet."""
    return tmp_path / "robot" / "runs" / "NAME-of-ARRIVED"


def bring(push: Push) -> None:
    """A round of the carrier's."""
    push.look()
    while push.carry():
        pass


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def assert_same(one: Path, other: Path) -> None:
    files = {path.name: path.read_bytes() for path in one.iterdir()}
    assert {path.name: path.read_bytes() for path in other.iterdir()} == files


def test_a_checkpoint_arrives_as_it_was_signed(server: SshServer, learnt: Path, there: Path, key: TrainerKey) -> None:
    told: list[str] = []
    push = Push(server.ssh(), server.address(there), learnt, told.append)
    bring(push)
    assert RunFolder.open(there).config == tiny_config()
    assert names(there) == []
    for steps in (0, 50):
        ship(learnt, steps, key)
        bring(push)
    assert names(there) == names(learnt) == ["practice-000000", "practice-000050"]
    for name in names(learnt):
        assert_same(learnt / "checkpoints" / name, there / "checkpoints" / name)
        read_checkpoint(there / "checkpoints" / name, accepts=Pin.load(key_file(key, there)).accepts)
    assert [sentence.split()[1] for sentence in told] == names(learnt)


def key_file(key: TrainerKey, folder: Path) -> Path:
    key.public.save(folder.parent / "trainer.pub")
    return folder.parent / "trainer.pub"


def test_checkpoints_of_a_million_steps_are_newer_than_those_of_fewer(
    server: SshServer, learnt: Path, there: Path, key: TrainerKey
) -> None:
    """A robot that practises at 10 Hz has made so many after 28 hours."""
    told: list[str] = []
    for steps in (999_900, 1_000_000, 1_000_060):
        ship(learnt, steps, key)
    bring(Push(server.ssh(), server.address(there), learnt, told.append))
    assert list(shipped_in(there / "checkpoints")) == [999_900, 1_000_000, 1_000_060]
    assert [sentence.split()[1] for sentence in told] == ["practice-999900", "practice-1000000", "practice-1000060"]
    again = Push(server.ssh(), server.address(there), learnt, told.append)
    again.look()
    assert again.behind == 0


def test_of_two_trainers_that_begin_at_once_one_waits(
    server: SshServer, learnt: Path, there: Path, tmp_path: Path
) -> None:
    there.mkdir(parents=True)
    handle, pool = os.open(there, os.O_RDONLY), ThreadPoolExecutor()
    try:
        # As the other one, while it begins the run there.
        fcntl.flock(handle, fcntl.LOCK_EX)
        push = Push(server.ssh(), server.address(there), learnt, lambda sentence: None)
        push.look()
        beginning = pool.submit(push.carry)
        assert eventually(lambda: any(there.glob(".run.*.incoming/run.json")), 20.0)
        time.sleep(0.5)
        assert not (there / "run.json").exists()
        RunFolder.claim(tmp_path / "other", tiny_config()).close()
        for name in ("config.yaml", "run.json"):
            shutil.copy(tmp_path / "other" / name, there)
    finally:
        os.close(handle)
    with pytest.raises(UserError, match="another run than"):
        beginning.result(20.0)
    assert (there / "run.json").read_bytes() == (tmp_path / "other" / "run.json").read_bytes()


def test_nothing_is_there_before_the_learner_has_begun(server: SshServer, tmp_path: Path, there: Path) -> None:
    push = Push(server.ssh(), server.address(there), tmp_path / "not yet", lambda sentence: None)
    bring(push)
    assert push.behind == 0
    assert list(there.iterdir()) == []


def test_nothing_older_ever_follows(server: SshServer, learnt: Path, there: Path, key: TrainerKey) -> None:
    told: list[str] = []
    for steps in (0, 50, 100):
        ship(learnt, steps, key)
    bring(Push(server.ssh(), server.address(there), learnt, told.append))
    shutil.rmtree(there / "checkpoints" / "practice-000050")
    before = (there / "checkpoints" / "practice-000100").stat().st_ino
    ship(learnt, 70, key)
    bring(Push(server.ssh(), server.address(there), learnt, told.append))
    assert names(there) == ["practice-000000", "practice-000100"]
    ship(learnt, 150, key)
    bring(Push(server.ssh(), server.address(there), learnt, told.append))
    assert names(there) == ["practice-000000", "practice-000100", "practice-000150"]
    assert (there / "checkpoints" / "practice-000100").stat().st_ino == before
    shutil.rmtree(learnt / "checkpoints" / "practice-000150")
    for push in [Push(server.ssh(), server.address(there), learnt, told.append)] * 2:
        bring(push)
    assert [sentence for sentence in told if "newer than all" in sentence] == told[-1:]


class Reader(threading.Thread):
    """The robot: reads every checkpoint that it sees, all the time, and believes none that is not whole."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder, self._over = folder, threading.Event()
        self.read, self.refused = 0, list[str]()

    def run(self) -> None:
        while not self._over.wait(0.005):
            for path in shipped_in(self._folder).values():
                try:
                    read_checkpoint(path)
                    self.read += 1
                except UserError as error:
                    self.refused.append(str(error))

    def end(self) -> None:
        self._over.set()
        self.join()


@pytest.mark.proof
def test_a_link_that_breaks_all_the_time_shows_no_half_checkpoint(
    server: SshServer, learnt: Path, there: Path, key: TrainerKey
) -> None:
    for steps in (0, 50):
        ship(learnt, steps, key)
    relay = Relay(server.port, delay_s=0.001, drop_after=150_000)
    push = Push(server.ssh(relay.port), server.address(there, relay.port), learnt, lambda sentence: None)
    reader, tries = Reader(there / "checkpoints"), 0
    reader.start()
    while True:
        tries += 1
        assert tries < 30
        try:
            bring(push)
        except LinkError:
            continue
        break
    reader.end()
    relay.cut()
    assert relay.dropped > 2
    assert tries > 2
    assert reader.refused == []
    assert reader.read > 0
    assert names(there) == ["practice-000000", "practice-000050"]
    for name in names(learnt):
        assert_same(learnt / "checkpoints" / name, there / "checkpoints" / name)


def test_what_a_killed_transfer_left_does_no_damage(
    server: SshServer, learnt: Path, there: Path, key: TrainerKey
) -> None:
    push = Push(server.ssh(), server.address(there), learnt, lambda sentence: None)
    bring(push)
    shipped = ship(learnt, 0, key)
    left = [there / "checkpoints" / f".{shipped.name}.{token}incoming" for token in ("", "0a.", "0b.")]
    for arrived in left:
        arrived.mkdir()
        (arrived / ".actor.safetensors.Ab12Cd").write_bytes(b"half")
        (arrived / "actor.safetensors").write_bytes((shipped / "actor.safetensors").read_bytes()[:1000] + b"x" * 10)
    long_ago = time.time() - 2 * 60 * STALE_MIN
    for arrived in left[:2]:
        os.utime(arrived, (long_ago, long_ago))
    bring(push)
    assert names(there) == sorted([left[2].name, shipped.name]), "what may be another's work stays, what is old goes"
    assert_same(shipped, there / "checkpoints" / shipped.name)


class Meddling(Ssh):
    """Calls `before` once, when all of a checkpoint has arrived and is to appear."""

    def __init__(self, server: SshServer, before: Callable[[], object]) -> None:
        super().__init__(server.machine(), server.options)
        self._before = [before]

    def run(self, script: str) -> list[str]:
        if "mv -T" in script and self._before:
            self._before.pop()()
        return super().run(script)


def test_what_arrived_otherwise_than_it_is_here_does_not_appear(
    server: SshServer, learnt: Path, there: Path, key: TrainerKey
) -> None:
    shipped = ship(learnt, 0, key)

    def flip() -> None:
        (arrived,) = (there / "checkpoints").glob(".practice*/actor.safetensors")
        before = arrived.stat()
        content = arrived.read_bytes()
        arrived.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(arrived, ns=(before.st_atime_ns, before.st_mtime_ns))

    push = Push(Meddling(server, flip), server.address(there), learnt, lambda sentence: None)
    with pytest.raises(LinkError, match="did not arrive there as it is here"):
        bring(push)
    assert names(there) == []
    bring(push)
    assert names(there) == [shipped.name]
    assert_same(shipped, there / "checkpoints" / shipped.name)


def test_two_processes_that_bring_the_same_do_not_meet(
    server: SshServer, learnt: Path, there: Path, key: TrainerKey
) -> None:
    shipped = ship(learnt, 0, key)
    one, other = (
        Push(ssh, server.address(there), learnt, lambda sentence: None)
        for ssh in (Meddling(server, lambda: bring(other)), server.ssh())
    )
    bring(one)
    assert names(there) == [shipped.name]
    assert_same(shipped, there / "checkpoints" / shipped.name)


def test_a_second_trainer_with_the_same_settings_is_refused(
    server: SshServer, learnt: Path, there: Path, tmp_path: Path, key: TrainerKey
) -> None:
    ship(learnt, 0, key)
    bring(Push(server.ssh(), server.address(there), learnt, lambda sentence: None))
    RunFolder.claim(tmp_path / "second", tiny_config()).close()
    ship(tmp_path / "second", 50, key)
    with pytest.raises(UserError, match="holds another run than"):
        bring(Push(server.ssh(), server.address(there), tmp_path / "second", lambda sentence: None))
    assert names(there) == ["practice-000000"]


def test_runs_of_before_there_were_identities_go_on(
    server: SshServer, learnt: Path, there: Path, key: TrainerKey
) -> None:
    mark = json.loads((learnt / "run.json").read_text())
    del mark["id"]
    (learnt / "run.json").write_text(json.dumps(mark))
    for steps in (0, 50):
        ship(learnt, steps, key)
        bring(Push(server.ssh(), server.address(there), learnt, lambda sentence: None))
    assert RunFolder.open(there).config == tiny_config()
    assert names(there) == ["practice-000000", "practice-000050"]


def test_a_folder_of_something_else_is_left_alone(server: SshServer, learnt: Path, there: Path) -> None:
    there.mkdir(parents=True)
    (there / "thesis.txt").write_text("mine")
    push = Push(server.ssh(), server.address(there), learnt, lambda sentence: None)
    with pytest.raises(UserError, match=r"is not empty and is no run of robot-rig \(it holds thesis\.txt\)"):
        push.look()
    assert [path.name for path in there.iterdir()] == ["thesis.txt"]


def test_a_run_with_other_settings_is_left_alone(server: SshServer, learnt: Path, there: Path) -> None:
    RunFolder.claim(there, tiny_config("vae.beta=3")).close()
    push = Push(server.ssh(), server.address(there), learnt, lambda sentence: None)
    with pytest.raises(UserError, match="another configuration"):
        push.look()


def test_a_place_that_cannot_be_written_is_said_at_once(server: SshServer, learnt: Path, there: Path) -> None:
    there.parent.parent.mkdir(parents=True)
    there.parent.write_text("a file")
    with pytest.raises(UserError, match="cannot be written to"):
        Push(server.ssh(), server.address(there), learnt, lambda sentence: None).look()
