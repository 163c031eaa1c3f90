"""On the robot's machine the same checkpoints go as here, by the robot's own record, and nobody sees half of one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from robot_rig.errors import UserError
from robot_rig.keys import TrainerKey
from robot_rig.runs import RunFolder
from robot_rig.stages.acceptance import ACCEPTED, TAKEN_BACK
from robot_rig.stages.retention import KEPT, Retention
from robot_rig.stages.shipping import shipped_in
from robot_rig.transport.push import Push
from robot_rig.transport.ssh import LinkError
from robot_rig.transport.thin import Thin
from tests.stages.test_retention import checkpoint, left, whole
from tests.tiny_run import tiny_config
from tests.transport.ssh_server import SshServer, program
from tests.transport.test_push import bring, ship

EVERY = tiny_config().practice.snapshot_every_steps
NUMBERS = range(24)
BY_RULE = [EVERY * number for number in NUMBERS if number in (0, 8, 12, 16, 18, 19, 20, 21, 22, 23)]
NEWEST = 4


@pytest.fixture
def learnt(tmp_path: Path) -> Path:
    """The trainer's run."""
    RunFolder.claim(tmp_path / "here" / "learnt", tiny_config()).close()
    return tmp_path / "here" / "learnt"


@pytest.fixture
def there(tmp_path: Path, learnt: Path) -> Path:
    """The same run on the robot, with a long row of checkpoints, beside the robot's own."""
    folder = tmp_path / "robot" / "learnt-NAMES"
    shutil.copytree(learnt, folder)
    for number in NUMBERS:
        checkpoint(folder, EVERY * number, 100 * number)
    (folder.with_name("played")).mkdir()
    return folder


def thin(server: SshServer, there: Path, learnt: Path, told: list[str], *robots: Path) -> Thin:
    address = server.address(there)
    return Thin(server.ssh(), address, learnt, NEWEST, [str(robot) for robot in robots], told.append)


def test_the_same_ones_stay_there_as_here(server: SshServer, learnt: Path, there: Path) -> None:
    told: list[str] = []
    errand = thin(server, there, learnt, told)
    assert errand.carry() is False
    assert left(there) == BY_RULE
    gone = Retention(NEWEST, EVERY).superfluous([EVERY * number for number in NUMBERS])
    assert left(there) == sorted({EVERY * number for number in NUMBERS} - set(gone))
    assert all(whole(path) for path in shipped_in(there / "checkpoints").values())
    assert list((there / "checkpoints").glob(".*")) == []
    checkpoint(there, EVERY * 40)
    errand.carry()
    assert left(there) == [*BY_RULE, EVERY * 40], "it is not due again at once"
    thin(server, there, learnt, told).carry()
    assert len(left(there)) < len(BY_RULE)
    assert told == [f"of the older checkpoints on {server.machine()} ever fewer stay (--keep 4)"] * 2


def test_what_the_robot_an_exam_or_a_person_needs_stays(
    server: SshServer, learnt: Path, there: Path, tmp_path: Path
) -> None:
    """Two robots look at it: one in the folder beside, one in that of the log that is learnt from."""
    second = tmp_path / "robot" / "second"
    second.mkdir()
    (there.with_name("played") / ACCEPTED).write_text(json.dumps({"updates": [300, 700]}))
    (there.with_name("played") / TAKEN_BACK).write_text(json.dumps({"updates": [600]}))
    (second / ACCEPTED).write_text(json.dumps({"updates": [1500]}))
    (there / "evaluation" / "goals-1-3x5" / f"practice-{EVERY:06d}").mkdir(parents=True)
    (there / KEPT).mkdir()
    (there / KEPT / f"practice-{17 * EVERY:06d}").touch()
    (there / KEPT / "a note").touch()
    thin(server, there, learnt, [], second).carry()
    needed = (1, 2, 3, 4, 5, 7, 11, 13, 14, 15, 17)
    assert left(there) == sorted({*BY_RULE, *(EVERY * number for number in needed)})


@pytest.mark.parametrize("record", ['{"updates": [3', "", "[]"])
def test_nothing_goes_while_nobody_knows_what_the_robot_needs(
    server: SshServer, learnt: Path, there: Path, record: str
) -> None:
    (there.with_name("played") / ACCEPTED).write_text(record)
    told: list[str] = []
    thin(server, there, learnt, told).carry()
    assert len(left(there)) == len(NUMBERS)
    (sentence,) = told
    assert sentence.startswith(f"no checkpoint is removed on {server.machine()}: ")
    assert "is damaged" in sentence


def test_of_another_run_and_before_there_is_one_nothing_goes(
    server: SshServer, learnt: Path, there: Path, tmp_path: Path
) -> None:
    RunFolder.claim(tmp_path / "other", tiny_config()).close()
    for run in (tmp_path / "other", tmp_path / "not yet"):
        thin(server, there, run, []).carry()
    (there / "run.json").unlink()
    thin(server, there, learnt, []).carry()
    assert len(left(there)) == len(NUMBERS)
    thin(server, tmp_path / "nowhere", learnt, []).carry()
    assert not (tmp_path / "nowhere").exists()


def test_what_was_cut_off_is_finished_and_what_is_no_checkpoint_left_alone(
    server: SshServer, learnt: Path, there: Path, tmp_path: Path
) -> None:
    folder = there / "checkpoints"
    name = f"practice-{2 * EVERY:06d}"
    # As after a kill behind the renaming, and again under the same name.
    shutil.copytree(folder / name, folder / f".{name}.removed")
    (folder / f"practice-{EVERY:06d}").rename(tmp_path / "elsewhere")
    (folder / f"practice-{EVERY:06d}").symlink_to(tmp_path / "elsewhere")
    (folder / "practice-000001 x").mkdir()
    thin(server, there, learnt, []).carry()
    assert left(there) == sorted([*BY_RULE, EVERY])
    assert whole(tmp_path / "elsewhere")
    assert (folder / "practice-000001 x").is_dir()
    assert list(folder.glob(".*")) == []


def test_one_that_the_trainer_removes_while_it_is_brought_does_not_stop_the_others(
    server: SshServer, learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start of the transfer, and behind it: an rsync that lets it vanish, and then copies the rest."""
    key = TrainerKey.own(tmp_path / "keys")
    made = {steps: ship(learnt, steps, key) for steps in (0, EVERY, 2 * EVERY)}
    gone = {made[0]: "before", made[EVERY]: "behind"}
    lines = [f'case "$*" in *{path.name}*) {when}={path};; esac' for path, when in gone.items()]
    script = ["#!/bin/sh", *lines, '[ -z "$before" ] || rm -r "$before"', f'{program("rsync")} "$@"', "code=$?"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rsync").write_text("\n".join([*script, '[ -z "$behind" ] || rm -r "$behind"', "exit $code\n"]))
    (tmp_path / "bin" / "rsync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    there = tmp_path / "there"
    push = Push(server.ssh(), server.address(there), learnt, lambda sentence: None)
    bring(push)
    assert left(there) == [2 * EVERY]
    assert push.behind == 0


def test_a_link_that_is_cut_is_told_and_tried_again_at_once(server: SshServer, learnt: Path, there: Path) -> None:
    ssh = server.ssh()
    errand = Thin(ssh, server.address(there), learnt, NEWEST, [], lambda sentence: None)
    ssh.stop()
    for _ in range(2):
        with pytest.raises(LinkError):
            errand.carry()
    assert len(left(there)) == len(NUMBERS)


def test_none_goes_where_all_are_to_stay(server: SshServer, learnt: Path, there: Path) -> None:
    Thin(server.ssh(), server.address(there), learnt, 0, [], lambda sentence: None).carry()
    assert len(left(there)) == len(NUMBERS)
    with pytest.raises(UserError, match="too few"):
        Thin(server.ssh(), server.address(there), learnt, 1, [], lambda sentence: None).carry()
