"""What a process can suffer: kills, Ctrl-C, a full disk, no GL library. Nothing is lost, and one line says what."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_rig.cli.main import main
from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore
from tests.cli.conftest import Demo
from tests.rig_forks import Fork, fork
from tests.tiny_run import start, words

LIMIT_S = 120.0
SOME_STEPS_BYTES = 20_000
"""A file of 50 steps has some 180,000."""

LANDMARKS = (
    "run.json",
    "episodes/collect-000000.mcap",
    "episodes/collect-000001.mcap",
    "episodes/heldout-*.mcap",
    "state/learning.npz",
    "health.json",
    "checkpoints/practice-000000",
    "episodes/practice-*3.mcap",
    "checkpoints/practice-000025",
    "checkpoints/practice-000050",
    "evaluation/*/random-policy",
    "evaluation/*/practice-000025/evaluation.json",
)
"""What a demo makes, in order: a kill comes when one of them appears, or a little later."""


def wait_for(child: Fork, seen: Callable[[], bool]) -> bool:
    """Whether `seen` came true while `child` lived."""
    deadline = time.monotonic() + LIMIT_S
    while not seen():
        if child.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the child does nothing"
        time.sleep(0.005)
    return True


def appears(run: Path, landmark: str) -> Callable[[], bool]:
    return lambda: any(run.glob(landmark))


def without_cost(line: str) -> str:
    return re.sub(r"(env_steps|wall_s)=\d+ ", "", line)


def env_steps(line: str) -> int:
    (steps,) = re.findall(r"env_steps=(\d+)", line)
    return int(steps)


def kill_and_resume(run: Path, landmarks: list[str], delays: list[float], undisturbed: str) -> None:
    """Kill one demo at each landmark, resume it, and compare its last line with that of an undisturbed one."""
    kills = 0
    for landmark, delay in zip(landmarks, delays, strict=True):
        there = appears(run, landmark)()
        child = fork(words("demo", run, resume=(run / "run.json").exists()))
        # What an earlier attempt has passed already appears no more: then any moment will do.
        if wait_for(child, appears(run, landmark)):
            time.sleep(0.5 + 3 * delay if there else delay)
            child.kill()
        child.communicate(timeout=LIMIT_S)
        kills += child.returncode == -signal.SIGKILL
    assert kills >= len(landmarks) - 1, (landmarks, delays)
    child = fork(words("demo", run, resume=True))
    output, error = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 0, (landmarks, delays, error)
    last = output.rstrip("\n").rpartition("\n")[2]
    assert without_cost(last) == without_cost(undisturbed), (landmarks, delays)
    assert env_steps(last) == sum(map(len, EpisodeStore(run / "episodes").read_new(())))
    # A kill costs one episode of random play, or the practice since the last checkpoint, at most.
    assert env_steps(undisturbed) <= env_steps(last) <= env_steps(undisturbed) + 50 * kills


def kill_at_random(demo: Demo, folder: Path, kills: int) -> None:
    rng = np.random.default_rng()
    chosen = sorted(rng.choice(len(LANDMARKS), kills, replace=False).tolist())
    delays = rng.uniform(0.0, 0.3, kills).tolist()
    kill_and_resume(folder / "run", [LANDMARKS[index] for index in chosen], delays, demo.last_line)


def test_kill_once_and_the_demo_ends_the_same(demo: Demo, tmp_path: Path) -> None:
    kill_at_random(demo, tmp_path, 1)


@pytest.mark.proof
def test_kill_ten_times_and_the_demo_ends_the_same(demo: Demo, tmp_path: Path) -> None:
    kill_at_random(demo, tmp_path, 10)


def test_ctrl_c_says_how_to_go_on_and_what_it_leaves_goes_on(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    # Enough play that the signal comes in the midst of it.
    settings = ("collect.steps=350",)
    child = fork(words("collect", run, *settings))
    third = run / "episodes" / "collect-000002.mcap"
    # A few steps into it: a file of less than one step holds no episode.
    assert wait_for(child, lambda: third.exists() and third.stat().st_size > SOME_STEPS_BYTES)
    child.send_signal(signal.SIGINT)
    _, error = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 130
    assert "--resume" in error
    assert "Traceback" not in error
    # Nothing is wrong with what was logged, but that its last episode was cut short.
    sound = main(["data", "check", str(run / "episodes")]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert sound or ("abortedafter" in said and said.endswith("1withfaults"))
    assert main(words("collect", run, *settings)) == 0
    whole = [read_episode(path) for path in EpisodeStore(run / "episodes").paths("collect")]
    kept = [episode for episode in whole if not episode.truncated]
    assert [len(episode) for episode in kept] == [50] * 7
    first = read_episode(demo.folder / "episodes" / "collect-000001.mcap")
    np.testing.assert_array_equal(kept[1].frames, first.frames)
    capsys.readouterr()


INTERRUPTED = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == {name!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
"""


@pytest.mark.parametrize("name", ["robot_rig.cli.dispatch", "tyro", "robot_rig.cli.session"])
def test_ctrl_c_during_the_imports_is_one_line(tmp_path: Path, name: str) -> None:
    child = start(words("collect", tmp_path / "run"), before=INTERRUPTED.format(name=name), prepare="")
    _, error = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 130, error
    (line,) = error.split("\n")[1:-1]
    assert line.startswith("rig: stopped")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has played at random; a test that writes takes a copy."""
    run = tmp_path_factory.mktemp("collected") / "run"
    assert main(words("collect", run)) == 0
    return run


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""


@pytest.mark.parametrize(
    ("command", "size", "survivors"),
    [
        ("collect", 100, ()),
        ("collect", 60_000, ("run.json", "config.yaml")),
        ("train", 400_000, ("run.json", "config.yaml", "episodes/collect-000000.mcap", "state/collect.npz")),
    ],
)
def test_a_full_disk_is_one_line_and_nothing_half_written(
    collected: Path, tmp_path: Path, command: str, size: int, survivors: tuple[str, ...]
) -> None:
    """A limit on the size of a file stands in for the disk: what is larger fails as on a full one."""
    run = tmp_path / "run"
    if command == "train":
        shutil.copytree(collected, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and "metrics" not in path.parts}
    child = fork(words(command, run), before=FULL.format(size=size))
    _, error = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 2, error
    assert len(error.splitlines()) == 1, error
    assert "cannot write" in error or "full" in error
    assert not [path for path in run.rglob("*") if path.name.endswith((".new", ".tmp"))]
    for path, content in before.items():
        assert path.name == "progress.json" or path.read_bytes() == content, path
    assert all((run / name).exists() for name in survivors)
    # There is room again: the same command goes on.
    shutil.rmtree(run / "metrics", ignore_errors=True)
    assert main(words(command, run)) in (0, 1)


def test_metrics_that_find_no_room_are_one_line_too(collected: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(collected, run)
    size = 3_000_000
    (run / "metrics" / "metrics.jsonl").write_text("\n" * (size - 20))
    child = fork(words("train", run), before=FULL.format(size=size))
    _, error = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 2, error
    (line,) = error.splitlines()
    assert "metrics.jsonl" in line


@pytest.mark.proof
@pytest.mark.parametrize(
    "environment",
    [{"MUJOCO_GL": "nonsense"}, {"MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_FILENAMES": "/dev/null"}],
)
def test_without_a_gl_library_the_packages_are_named(tmp_path: Path, environment: dict[str, str]) -> None:
    child = start(words("collect", tmp_path / "run"), **environment)
    _, error = child.communicate(timeout=LIMIT_S)
    assert child.returncode == 2, error
    (line,) = error.splitlines()
    assert "apt-get install libegl1" in line
    assert not list((tmp_path / "run").rglob("*.mcap"))


def test_two_processes_do_not_work_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    child = fork(words("collect", run, "collect.steps=5000"))
    assert wait_for(child, appears(run, "episodes/collect-000000.mcap"))
    assert main(words("collect", run, "collect.steps=5000")) == 2
    assert "another process works in" in capsys.readouterr().err
    child.kill()
    child.communicate(timeout=LIMIT_S)
