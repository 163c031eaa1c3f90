"""`rig data ls` and `merge` on real folders: nothing is lost, nothing is changed, and a Ctrl-C costs nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robot_rig.cli import data_sets
from robot_rig.cli.main import main
from robot_rig.config_files import load_config
from robot_rig.data import set_copy
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.set_copy import read_origin
from robot_rig.data.store import EpisodeStore
from robot_rig.disk import require_free_space
from robot_rig.runs import RunFolder
from tests.cli.data_runs import Capture, begun, contents, log, refused, said_of
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_frame, make_step
from tests.tiny_run import start


def test_ls_lists_every_file_and_sums_up(
    two: tuple[Path, Path], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC-3")
    time.tzset()
    a, b = two
    (a / "episodes" / "stranger.mcap").write_bytes(b"hello, [/red]\x1b[31m world")
    try:
        assert main(["data", "ls", str(a), str(b / "episodes"), str(b / "absent.mcap")]) == 0
    finally:
        monkeypatch.undo()
        time.tzset()
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if ".mcap" in line]
    assert len(rows) == 8
    # 1.7e9 + 1234.5 s is 22:33:54 UTC, three hours earlier than there.
    assert rows[1][1:] == ["collect", "2023-11-15", "01:33:54", "3", "0.3", "no", "random", "yes", rows[1][-1]]
    assert (rows[4][0], rows[4][6]) == (str(b / "episodes" / "collect-000000.mcap"), "yes")
    assert [row[0].rpartition("/")[2] for row in rows if "truncated" in row] == ["collect-000002.mcap"]
    assert "is not an MCAP file" in lines[1]
    assert "\x1b" not in "".join(lines)
    assert any("absent.mcap  unreadable" in line for line in lines)
    assert lines[-1] == "2 unreadable"
    totals = {line.partition(":")[0]: line for line in lines if " episodes, " in line}
    assert list(totals) == ["collect", "heldout", "practice", "all"]
    assert totals["heldout"].startswith("heldout: 1 episodes, 3 steps, 0.0 min")
    assert totals["all"].startswith("all: 6 episodes")


def test_who_waits_is_shown_how_far_it_has_come_and_nobody_else(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [str(run) for run in two]
    # A file named twice counts once.
    assert main(["data", "ls", *runs, runs[0]]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "all: 6 episodes" in said.out
    monkeypatch.setattr(data_sets, "PATIENCE_S", -1.0)
    assert main(["data", "ls", *runs]) == 0
    said = capsys.readouterr()
    assert "reading: 6/6" in said.err
    assert "reading: 6/6" not in said.out
    assert main(["data", "merge", *runs, "--out", str(tmp_path / "out")]) == 0
    assert "copying to out: 0/0" in capsys.readouterr().err


def test_ls_of_nothing_is_refused(tmp_path: Path, capsys: Capture) -> None:
    assert "no episode to list" in refused(capsys, "ls", tmp_path)
    assert "no episode to list" in refused(capsys, "ls")


def test_ls_names_one_that_is_being_written_and_a_simulated_clock(tmp_path: Path, capsys: Capture) -> None:
    writer = EpisodeWriter(tmp_path / "collect-000000.mcap", ACTION_DIM, None, {"stage": "x"}, room=NO_LIMIT)
    writer.append(make_step(0))
    writer.append(make_step(1))
    deadline = time.monotonic() + 10.0
    while writer.acknowledged < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert main(["data", "ls", str(tmp_path)]) == 0
    writer.finish(make_frame(2))
    said = capsys.readouterr().out
    assert "being written" in said
    assert "simulated" in said


def test_merge_copies_every_byte_in_order_of_time(two: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    a, b = two
    before = {run: contents(run) for run in two}
    out = tmp_path / "new" / "both"
    assert main(["data", "merge", str(a), str(b), "--out", str(out)]) == 0
    stages = ("collect", "collect", "collect", "practice", "heldout", "collect")
    merged = contents(out)
    assert list(merged) == [f"{stage}-{number:06d}.mcap" for number, stage in enumerate(stages)]
    ordered = [a / "collect-000000", b / "collect-000000", a / "collect-000001", b / "practice-000001"]
    ordered += [a / "heldout-000002", b / "collect-000002"]
    assert list(merged.values()) == [before[path.parent][f"{path.name}.mcap"] for path in ordered]
    assert {run: contents(run) for run in two} == before
    assert read_episode(out / "episodes" / "collect-000005.mcap").truncated
    assert RunFolder.open(out).config == RunFolder.open(a).config
    note = read_origin(out)
    assert note is not None
    assert note["complete"]
    assert note["runs"] == [str(run.resolve()) for run in two]
    for entry, path in zip(note["episodes"], ordered, strict=True):
        assert entry["was"] == str(path.parent.resolve() / "episodes" / f"{path.name}.mcap")
        assert entry["sha256"] == hashlib.sha256(merged[entry["file"]]).hexdigest()
    assert "has the settings of" in capsys.readouterr().out


def test_merging_again_is_no_harm_and_anything_else_in_its_place_is_refused(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    a, b = two
    out = tmp_path / "out"
    merge, half = ["merge", a, b, "--out", out], ["split", a, "--share", "0.5", "--out"]
    assert main(["data", *map(str, merge)]) == 0
    first = contents(out)
    assert main(["data", *map(str, merge)]) == 0
    assert contents(out) == first
    assert "has another configuration: seed 0 -> 7" in refused(capsys, "merge", b, a, "--out", out)
    used = begun(tmp_path / "used")
    log(used, "collect", 50)
    assert "from other episodes" in refused(capsys, "merge", a, used, "--out", out)
    (out / "episodes" / "collect-000001.mcap").write_bytes(b"changed")
    assert "no longer a copy" in refused(capsys, *merge)
    assert "is a run already" in refused(capsys, *half, used, tmp_path / "rest")
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "a.tex").write_text("mine")
    assert "a.tex" in refused(capsys, "merge", a, b, "--out", thesis)
    assert "is a file" in refused(capsys, "merge", a, b, "--out", thesis / "a.tex")
    note = json.loads((out / "origin.json").read_text())
    (out / "origin.json").write_text(json.dumps({**note, "format": 2}))
    assert "has format 2, and this is 1" in refused(capsys, *merge)


def add_progress(run: RunFolder) -> None:
    run.record("train", updates=10)


def add_checkpoint(run: RunFolder) -> None:
    (run.checkpoints / "practice-000000").mkdir()


def add_nothing(run: RunFolder) -> None:
    pass


@pytest.mark.parametrize("add", [add_progress, add_checkpoint, add_nothing])
def test_a_run_of_something_else_gets_no_copies(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture, add: Callable[[RunFolder], None]
) -> None:
    """Even an empty one: while they are copied, it would be learnt from by half."""
    other = begun(tmp_path / "other")
    add(RunFolder.open(other))
    before = sorted(path.relative_to(other) for path in other.rglob("*"))
    assert "is a run already" in refused(capsys, "merge", *two, "--out", other)
    assert sorted(path.relative_to(other) for path in other.rglob("*")) == before


def test_merging_again_leaves_alone_what_has_happened_in_the_run_since(two: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["data", "merge", *map(str, two), "--out", str(out)]
    assert main(words) == 0
    log(out, "practice", 70)
    add_progress(RunFolder.open(out))
    note = os.stat(out / "origin.json").st_ino
    assert main(words) == 0
    assert os.stat(out / "origin.json").st_ino == note, "what is complete is at no moment said not to be"
    assert RunFolder.open(out).progress("train") == {"updates": 10}
    assert len(contents(out)) == 7


def test_runs_that_do_not_belong_together_are_refused(two: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    a, b = two
    out = tmp_path / "out"
    slower = begun(tmp_path / "slower", "control.policy_rate_hz=5")
    assert "control.policy_rate_hz is 10.0 and 5.0" in refused(capsys, "merge", a, slower, "--out", out)
    assert "is named twice" in refused(capsys, "merge", a, b, a, "--out", out)
    assert "is named twice" in refused(capsys, "merge", a, b, "--out", tmp_path / "b" / ".." / "a")
    assert "two runs or more" in refused(capsys, "merge", a, "--out", out)
    assert "there is no run" in refused(capsys, "merge", a, tmp_path / "absent", "--out", out)
    copy = begun(tmp_path / "copy")
    (copy / "episodes" / "collect-000000.mcap").write_bytes((a / "episodes" / "collect-000001.mcap").read_bytes())
    assert "are the same episode" in refused(capsys, "merge", a, copy, "--out", out)
    three = begun(tmp_path / "three", "control.axes=[x, y, z]")
    log(three, "collect", 60)
    other = begun(tmp_path / "other", "control.axes=[x, y, z]")
    assert "actions of 2 numbers" in refused(capsys, "merge", three, other, "--out", out)
    empty = [begun(tmp_path / name) for name in ("e", "f")]
    assert "no episode" in refused(capsys, "merge", *empty, "--out", out)
    assert not out.exists()


def test_a_run_that_is_worked_in_is_refused(two: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    a, b = two
    out = tmp_path / "out"
    with RunFolder.claim(b, load_config([], ["seed=7"])):
        assert "another process works in" in refused(capsys, "merge", a, b, "--out", out)
    path = EpisodeStore(b / "episodes").next_path("collect")
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)
    try:
        assert f"{path} is being written" in refused(capsys, "merge", a, b, "--out", out)
        assert f"{path} is being written" in refused(capsys, "split", b, "--out", out, tmp_path / "o2")
    finally:
        writer.abort("over")
    assert not out.exists()


def test_what_is_no_episode_is_left_out_and_named(two: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    a, b = two
    broken = a / "episodes" / "collect-000009.mcap"
    broken.write_bytes(b"hello")
    out = tmp_path / "out"
    assert main(["data", "merge", str(a), str(b), "--out", str(out)]) == 0
    assert "left out: " in capsys.readouterr().out
    note = read_origin(out)
    assert note is not None
    assert [entry["was"] for entry in note["left_out"]] == [str(broken.resolve())]
    assert len(contents(out)) == 6


KILL = """
import os, signal
from robot_rig.data import set_copy
real, left = set_copy._copy, [{after}]
def copy(source, target):
    left[0] -= 1
    if left[0] < 0:
        target.with_name(f".{{target.name}}.partial").write_bytes(b"half")
        os.kill(os.getpid(), {signal})
    return real(source, target)
set_copy._copy = copy
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("after", [0, 3])
def test_an_interrupted_merge_is_repeated(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture, number: signal.Signals, after: int
) -> None:
    a, b = two
    out = tmp_path / "out"
    words = ["data", "merge", str(a), str(b), "--out", str(out)]
    child = start(words, before=KILL.format(after=after, signal=int(number)), prepare="")
    _, said = child.communicate(timeout=60)
    assert child.returncode != 0
    assert "Traceback" not in said
    assert len(contents(out)) == after
    note = read_origin(out)
    assert note is not None
    assert not note["complete"]
    assert "Give that command again" in said_of(["train", "--run", str(out)], capsys)
    assert "Give that command again" in said_of(["collect", "--run", str(out)], capsys)
    assert "Give that command again" in refused(capsys, "merge", a, out, "--out", tmp_path / "both")
    kept = {path: os.stat(path).st_mtime_ns for path in EpisodeStore(out / "episodes").paths()}
    assert main(words) == 0
    assert len(contents(out)) == 6
    assert all(os.stat(path).st_mtime_ns == stamp for path, stamp in kept.items())
    assert not list((out / "episodes").glob(".*"))
    note = read_origin(out)
    assert note is not None
    assert note["complete"]
    assert RunFolder.open(out).config == RunFolder.open(a).config


def test_what_lies_in_a_half_made_run_and_is_not_of_it_is_named(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    merge = ["merge", *map(str, two), "--out", str(out)]
    assert main(["data", *merge]) == 0
    (out / "run.json").unlink()
    log(out, "practice", 70)
    said = refused(capsys, *merge)
    assert "holds something else already: " in said
    assert "episodes/practice-000006.mcap" in said
    assert not (out / "run.json").exists()


def test_a_full_disk_is_told_and_leaves_a_run_to_repeat(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    out = tmp_path / "out"

    def full(place: Path, needed: int) -> None:
        real(place, needed + (1 << 60))

    real = require_free_space
    monkeypatch.setattr(set_copy, "require_free_space", full)
    assert "are needed" in refused(capsys, "merge", a, b, "--out", out)
    assert not out.exists()


def test_only_what_is_not_there_yet_needs_room(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that had room for all but the last copy takes the repetition once that one fits."""
    wanted: list[int] = []
    monkeypatch.setattr(set_copy, "require_free_space", lambda _, needed: wanted.append(needed))
    out = tmp_path / "out"
    words = ["data", "merge", *map(str, two), "--out", str(out)]
    assert main(words) == 0
    last = out / "episodes" / "collect-000005.mcap"
    size = last.stat().st_size
    assert main(words) == 0
    last.unlink()
    assert main(words) == 0
    assert wanted == [sum(map(len, contents(out).values())), 0, size]
