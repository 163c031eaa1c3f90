"""What stays of the checkpoints of weeks: few, spread over all of them, whole whatever happens, and what is needed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.cli.main import main
from robot_rig.errors import UserError
from robot_rig.stages.acceptance import ACCEPTED, TAKEN_BACK, Acceptance
from robot_rig.stages.retention import KEPT, LEAST, SPARE, Retention, keep, thin_out, wanted_by_robot
from robot_rig.stages.shipping import shipped_in
from tests.stages.test_acceptance import Robot

EVERY = 500
Capture = pytest.CaptureFixture[str]


def checkpoint(run: Path, steps: int, updates: int | None = None) -> Path:
    """A folder like one: a manifest with the sums of its files, and some of these."""
    folder = run / "checkpoints" / f"practice-{steps:06d}"
    folder.mkdir(parents=True)
    for name in ("actor", "encoder"):
        (folder / name).write_bytes(f"{name} {steps}".encode() * 50)
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    manifest = {"train_steps": steps if updates is None else updates, "sha256": sums}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def whole(folder: Path) -> bool:
    sums = json.loads((folder / "manifest.json").read_text())["sha256"]
    return all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())


def left(run: Path) -> list[int]:
    return list(shipped_in(run / "checkpoints"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Forty checkpoints."""
    for number in range(40):
        checkpoint(tmp_path / "learnt", EVERY * number)
    return tmp_path / "learnt"


RULE = Retention(4, EVERY)
BY_RULE = [EVERY * number for number in (0, 8, 16, 24, 28, 32, 34, 35, 36, 37, 38, 39)]


def test_the_newest_stay_and_of_older_ones_ever_fewer(run: Path) -> None:
    thin_out(run, RULE, [])
    assert left(run) == BY_RULE
    assert all(whole(path) for path in shipped_in(run / "checkpoints").values())
    assert thin_out(run, RULE, []) == []


def test_a_month_of_checkpoints_a_minute_leaves_a_shelf_of_them() -> None:
    retention, everything = Retention(16, EVERY), [EVERY * number for number in range(30 * 24 * 60)]
    stays = set(everything) - set(retention.superfluous(everything))
    assert 100 < len(stays) < 150
    ages = sorted((everything[-1] - steps) // EVERY for steps in stays)
    # However old one is, the next older one is no more than a quarter further away.
    assert all(older <= newer * 1.25 + 1 for newer, older in pairwise(ages[:-1]))


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.integers(LEAST, 20), st.integers(1, 700))
def test_who_thins_out_all_the_time_keeps_what_who_thins_out_once_does(
    shipped: list[bool], newest: int, every: int
) -> None:
    """Nothing that stays now was given up before, so it matters not when it was looked, here or on the robot.

    Some of the numbers have no checkpoint: there was an objection.
    """
    retention, present, everything = Retention(newest, every), list[int](), list[int]()
    for number, ships in enumerate(shipped):
        if ships:
            steps = every * number + (7 * number) % every
            everything.append(steps)
            present.append(steps)
            present = sorted(set(present) - set(retention.superfluous(present)))
            assert present[-newest:] == everything[-newest:]
            assert present[0] == everything[0]
    at_once = set(everything) - set(retention.superfluous(everything))
    assert set(present) == at_once


def test_nobody_has_to_lose_one() -> None:
    assert Retention(0, EVERY).superfluous(range(0, 100 * EVERY, EVERY)) == []
    for few in (-1, 1):
        with pytest.raises(UserError, match="is too few"):
            Retention(few, EVERY)


def test_what_was_examined_or_is_asked_for_stays(run: Path) -> None:
    (run / "evaluation" / "goals-1-50x50" / "practice-000500").mkdir(parents=True)
    (run / "evaluation" / "goals-1-50x50" / "do-nothing").mkdir()
    (run / "run.json").write_text("{}")
    keep(run / "checkpoints" / "practice-001500")
    keep(run / "checkpoints" / "practice-001500")
    thin_out(run, RULE, [])
    assert left(run) == sorted([*BY_RULE, 500, 1500])
    (run / KEPT / "practice-001500").unlink()
    assert thin_out(run, RULE, []) == ["practice-001500"]


def test_nothing_is_written_beside_a_checkpoint_that_lies_in_no_run(tmp_path: Path) -> None:
    keep(checkpoint(tmp_path, 500))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_a_robot_that_lags_keeps_the_one_that_acts_and_those_before_it(run: Path, tmp_path: Path) -> None:
    robot = tmp_path / "played"
    robot.mkdir()
    (robot / ACCEPTED).write_text(json.dumps({"updates": [1000, 3500]}))
    (robot / TAKEN_BACK).write_text(json.dumps({"updates": [2500]}))
    thin_out(run, RULE, [robot, tmp_path / "nowhere"])
    assert left(run) == sorted({*BY_RULE, 3500, 3000, 2000, 1500, 1000})


@given(st.sets(st.integers(0, 60), min_size=1), st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_the_one_that_acts_is_wanted_and_the_next_to_go_back_to(
    there: set[int], accepted: set[int], taken_back: set[int]
) -> None:
    acceptance = Acceptance(frozenset(accepted), frozenset(taken_back))
    wanted = wanted_by_robot({number: number for number in there}, acceptance)
    acting = acceptance.newest
    older = sorted(number for number in there if number < acting and number not in taken_back)
    assert {acting} & there <= wanted
    assert set(older[-SPARE:]) <= wanted
    assert len(wanted) <= SPARE + 1


def test_going_back_goes_back_as_far_as_before(tmp_path: Path, capsys: Capture) -> None:
    """With real checkpoints, of which the robot has refused the newer ones."""
    robot = Robot(tmp_path)
    for number in range(7):
        robot.ship(EVERY * number)
        if number == 3:
            assert robot.acts() == "practice-001500"
    shutil.rmtree(robot.checkpoints / "practice-000500")
    (robot.checkpoints / "practice-001000" / "manifest.sig").unlink()
    assert thin_out(tmp_path / "learnt", Retention(2, 1), [tmp_path / "played"]) == ["practice-002000"]
    assert main(["rollback", str(tmp_path)]) == 0
    assert "practice-000000 acts from the next episode on" in capsys.readouterr().out
    robot.start()
    assert robot.acts() == "practice-003000"


def test_nothing_goes_while_nobody_knows_what_the_robot_needs(run: Path, tmp_path: Path) -> None:
    (tmp_path / "played").mkdir()
    (tmp_path / "played" / ACCEPTED).write_text('{"updates": [35')
    with pytest.raises(UserError, match="is damaged"):
        thin_out(run, RULE, [tmp_path / "played"])
    assert len(left(run)) == 40


def test_what_is_no_checkpoint_of_ours_is_left_alone(run: Path, tmp_path: Path) -> None:
    folder = run / "checkpoints"
    (folder / "practice-000500").rename(tmp_path / "elsewhere")
    (folder / "practice-000500").symlink_to(tmp_path / "elsewhere")
    (folder / "practice-001000").rename(folder / "mine")
    (folder / ".practice-001500.removed").mkdir()
    thin_out(run, RULE, [])
    assert whole(tmp_path / "elsewhere")
    assert whole(folder / "mine")
    assert left(run) == sorted([*BY_RULE, 500])
    assert list(folder.glob(".*")) == []


CHANGES = {"os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "open"}


@contextmanager
def children() -> Iterator[list[int]]:
    """Process ids that are waited for, whatever happens."""
    started: list[int] = []
    try:
        yield started
    finally:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def thin_out_until(run: Path, moment: int) -> bool:
    """Thin out in a child that SIGKILL ends before its `moment`-th change to the disk; whether it came to an end."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def kill(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event in CHANGES:
                count += 1
                if count == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        thin_out(run, RULE, [])
        os._exit(0)
    with children() as started:
        started.append(pid)
        status = os.waitpid(pid, 0)[1]
        started.clear()
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)


def test_a_kill_at_any_moment_leaves_each_whole_or_gone(tmp_path: Path) -> None:
    numbers, kept = (0, 1, 2, 4, 8, 9, 10, 11), [EVERY * number for number in (0, 4, 8, 9, 10, 11)]
    ended, moment = False, 0
    while not ended:
        moment += 1
        run = tmp_path / str(moment)
        for number in numbers:
            checkpoint(run, EVERY * number)
        ended = thin_out_until(run, moment)
        visible = shipped_in(run / "checkpoints")
        assert all(whole(path) for path in visible.values())
        assert set(visible) >= set(kept)
        thin_out(run, RULE, [])
        assert [path.name for path in (run / "checkpoints").glob(".*")] == []
        assert left(run) == kept
    assert moment > 10
