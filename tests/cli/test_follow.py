"""`rig train --data --out`: a learner that SIGKILL ends learns the same, bit for bit; what is missing is said."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robot_rig.cli.follow import NICENESS
from robot_rig.cli.main import main
from robot_rig.learning.checkpoint import MANIFEST, OWN_DIGEST, RUN_ID, SIGNATURE
from robot_rig.runs import RunFolder
from robot_rig.stages.acceptance import ACCEPTED
from robot_rig.stages.curves import read_curves
from tests.house import ROOT
from tests.ros_graph import eventually
from tests.stages.test_follow import CONFIG, whole_log
from tests.stages.test_retention import checkpoint, left
from tests.tiny_run import start

Capture = pytest.CaptureFixture[str]
LIMIT_S = 200.0
OF_THE_RUN = (RUN_ID, OWN_DIGEST)


@pytest.fixture(autouse=True)
def no_lower_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A learner in this process must not slow the tests down after it."""
    monkeypatch.setattr("os.nice", lambda step: step)


def played(folder: Path) -> Path:
    """What a recorder leaves: the run that the robot has played."""
    with RunFolder.claim(folder, CONFIG) as run:
        whole_log(run.episodes)
    return folder


def words(data: Path, out: Path, *more: str) -> list[str]:
    return ["train", "--data", str(data), "--out", str(out), *more]


def checkpoints(out: Path) -> dict[str, object]:
    """Every file of every checkpoint as bytes; of a manifest all but which run it is of, its sum and its signature."""
    found: dict[str, object] = {}
    for path in {*(out / "checkpoints").rglob("*.*")} - {*(out / "checkpoints").rglob(SIGNATURE)}:
        content: object = path.read_bytes()
        if path.name == MANIFEST:
            content = {key: value for key, value in json.loads(path.read_text()).items() if key not in OF_THE_RUN}
        found[str(path.relative_to(out))] = content
    return found


def curves(out: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    return read_curves(out / "metrics", ("vae", "td3"))


def ended(child: subprocess.Popen[str]) -> int:
    said = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0, said
    return child.returncode


def kill_at(landmark: Path, child: subprocess.Popen[str]) -> None:
    assert eventually(lambda: landmark.exists() or child.poll() is not None, LIMIT_S)
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL


@pytest.mark.proof
def test_a_follower_that_is_killed_learns_the_same(tmp_path: Path) -> None:
    data = played(tmp_path / "played")
    ended(start(words(data, tmp_path / "straight")))
    out = tmp_path / "learnt"
    for landmark in ("state/following.npz", "checkpoints/practice-000050"):
        kill_at(out / landmark, start(words(data, out, "--follow")))
    ended(start(words(data, out)))
    assert checkpoints(out) == checkpoints(tmp_path / "straight") != {}
    assert curves(out) == curves(tmp_path / "straight")
    assert curves(out)["td3"]["critic_loss"]


STEP_BACK = """
import os
from robot_rig.cli.follow import step_back
from tests.cli.test_follow import session_share
for own in (True, False):  # forks of one process, which imports all of that once
    if os.fork() == 0:
        if own:
            os.setsid()
        step_back()
        print(os.nice(0), session_share(), flush=True)
        os._exit(0)
    os.wait()
"""


def session_share() -> str:
    """The niceness of this process's session; "none" where the kernel has no such thing.

    The file is there and empty for a process whose session began outside (the first one of a container).
    """
    with contextlib.suppress(OSError):
        return Path("/proc/self/autogroup").read_text().rpartition(" ")[2].strip() or "none"
    return "none"


def test_a_learner_in_a_session_of_its_own_steps_back_with_all_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", STEP_BACK], cwd=ROOT, capture_output=True, text=True, check=True)
    alone, shared = (line.split() for line in done.stdout.splitlines())
    assert alone[0] == shared[0], done
    assert alone[1] in {str(NICENESS), "none"}
    assert shared[1] == session_share()


def refused(capsys: Capture, arguments: list[str]) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_what_is_missing_is_said_in_a_line(capsys: Capture, tmp_path: Path) -> None:
    for arguments in ([], ["--follow"], ["--data", "a"], ["--run", "a", "--out", "b"]):
        assert "--data DIR --out DIR" in refused(capsys, ["train", *arguments])
    nowhere = tmp_path / "nowhere"
    assert f"there is no run in {nowhere}" in refused(capsys, words(nowhere, tmp_path / "out"))
    assert not nowhere.exists()
    assert not (tmp_path / "out").exists()


def test_what_was_learnt_with_other_settings_is_not_gone_on_with(capsys: Capture, tmp_path: Path) -> None:
    RunFolder.claim(tmp_path / "played", CONFIG).close()
    assert main(words(tmp_path / "played", tmp_path / "out")) == 0
    line = refused(capsys, [*words(tmp_path / "played", tmp_path / "out"), "--set", "vae.beta=7"])
    assert "vae.beta 1.0 -> 7.0" in line


def test_of_older_checkpoints_ever_fewer_stay_however_often_it_is_started(capsys: Capture, tmp_path: Path) -> None:
    """What the robot beside it needs stays; where nobody knows what that is, all do, and learning goes on."""
    data, out = tmp_path / "played", tmp_path / "out"
    every = CONFIG.practice.snapshot_every_steps
    for folder in (data, out):
        RunFolder.claim(folder, CONFIG).close()
    for number in range(12):
        checkpoint(out, every * number)
    assert "is too few" in refused(capsys, words(data, out, "--keep", "1"))
    assert main(words(data, out, "--keep", "0")) == 0
    (data / ACCEPTED).write_text("{")
    assert main(words(data, out, "--keep", "2")) == 0
    assert "no checkpoint is removed: " in capsys.readouterr().out
    assert len(left(out)) == 12
    (data / ACCEPTED).write_text(json.dumps({"updates": [every * 5]}))
    assert main(words(data, out, "--keep", "2")) == 0
    assert left(out) == [every * number for number in (0, 1, 2, 3, 4, 5, 8, 9, 10, 11)]
    assert "ever fewer stay (--keep 2)" in capsys.readouterr().out
    assert main(words(data, out, "--keep", "2")) == 0
    assert "ever fewer" not in capsys.readouterr().out


@pytest.mark.parametrize("busy", ["played", "out"])
def test_the_recorder_may_work_in_its_run_and_one_learner_in_its_own(
    capsys: Capture, tmp_path: Path, busy: str
) -> None:
    for name in ("played", "out"):
        RunFolder.claim(tmp_path / name, CONFIG).close()
    with RunFolder.claim(tmp_path / busy, CONFIG):
        code = main(words(tmp_path / "played", tmp_path / "out"))
    assert code == (2 if busy == "out" else 0)
