"""A run folder is continued by the same run only, and holds all of a write or none of it."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_rig import __version__
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.disk import require_free_space, write_atomically
from robot_rig.errors import UserError
from robot_rig.run_mark import FORMAT
from robot_rig.runs import RunFolder
from robot_rig.versions import versions

CONFIG = Config()
OTHER = load_config([], ["vae.beta=2", "seed=5"])


def begun(path: Path, config: Config = CONFIG) -> None:
    RunFolder.claim(path, config).close()


def test_a_new_run_holds_config_versions_and_its_subfolders(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path / "runs" / "one", OTHER) as run:
        assert all(folder.is_dir() for folder in (run.episodes, run.checkpoints, run.metrics, run.evaluation))
        assert load_config([run.path / "config.yaml"], []) == OTHER
        assert OTHER.hash() in (run.path / "config.yaml").read_text().splitlines()[0]
        assert run.versions["robot_rig"] == __version__
        assert run.versions["numpy"] == np.__version__
        assert {"python", "torch", "mujoco", "git"} <= set(run.versions)


def test_reading_a_run_gives_the_configuration_it_was_begun_with(tmp_path: Path) -> None:
    begun(tmp_path, OTHER)
    assert RunFolder.open(tmp_path).config == OTHER


def test_the_versions_are_found_without_loading_the_packages() -> None:
    code = "import robot_rig.runs, robot_rig.versions as r, sys; r.versions()"
    code += "; assert not {'torch', 'mujoco', 'cv2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path, CONFIG) as run:
        run.record("collect", episodes=3, steps=150)
        run.record("train", updates=10)
        run.record("collect", episodes=4)
        run.save_arrays("plant", {"q": np.arange(7.0), "bytes": np.frombuffer(b"\x00\xff", np.uint8), "n": [4]})
    with RunFolder.claim(tmp_path, CONFIG) as run:
        assert run.progress("collect") == {"episodes": 4}
        assert run.progress("train") == {"updates": 10}
        assert run.progress("practice") == {}
        arrays = run.load_arrays("plant", "start anew")
        assert arrays.keys() == {"q", "bytes", "n"}
        np.testing.assert_array_equal(arrays["q"], np.arange(7.0))
        assert arrays["bytes"].tobytes() == b"\x00\xff"
        assert run.load_arrays("absent", "start anew") == {}


def test_another_exam_may_be_set_on_a_finished_run(tmp_path: Path) -> None:
    begun(tmp_path)
    exam = load_config([], ["evaluation.goal_seed=99"])
    with RunFolder.claim(tmp_path, exam) as run:
        assert run.config.evaluation.goal_seed == 99
    assert RunFolder.open(tmp_path).config == CONFIG


def test_another_configuration_is_refused_naming_the_keys(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(UserError, match=r"seed 0 -> 5, vae\.beta 1\.0 -> 2\.0.*--run"):
        RunFolder.claim(tmp_path, OTHER)
    begun(tmp_path)


def test_many_differences_are_counted_not_listed(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(UserError, match=r"and \d+ more"):
        RunFolder.claim(tmp_path, load_config(["rig_paper"], []))


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"not empty.*thesis\.tex.*--run"):
        RunFolder.claim(tmp_path, CONFIG)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match="no run in"):
        RunFolder.open(tmp_path)
    with pytest.raises(UserError, match="no run in"):
        RunFolder.open(tmp_path / "absent")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match=r"is a file, and a run is a folder.*--run"):
        RunFolder.claim(tmp_path / "run", CONFIG)


def test_another_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    begun(tmp_path)
    mark = tmp_path / "run.json"
    mark.write_text(mark.read_text().replace(f'"format": {FORMAT}', '"format": 99'))
    for attempt in (lambda: RunFolder.claim(tmp_path, CONFIG), lambda: RunFolder.open(tmp_path)):
        with pytest.raises(UserError, match=f"format 99.*format {FORMAT}.*another --run"):
            attempt()


@pytest.mark.parametrize("format", [FORMAT, 2, None, "\x1b[31m" + "A" * 10_000])
@pytest.mark.parametrize(
    "change",
    [
        {"versions": 5},
        {"versions": ["a"]},
        {"versions": "abc"},
        {"versions": {"robot_rig": 5}},
        {"versions": {"robot_rig": "\x1b]0;own\x07" + "B" * 10_000}, "config_hash": "x"},
        {"config_hash": []},
        {"id": {}},
    ],
)
def test_a_mark_that_is_none_is_refused_in_one_short_sentence(tmp_path: Path, format: object, change: Any) -> None:
    begun(tmp_path)
    mark = tmp_path / "run.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"format": format} | change))
    for attempt in (lambda: RunFolder.claim(tmp_path, CONFIG), lambda: RunFolder.open(tmp_path)):
        with pytest.raises(UserError, match=r"--run") as refusal:
            attempt()
        assert str(refusal.value).isprintable()
        assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("name", ["versions", "config_hash"])
def test_a_mark_without_a_part_is_refused(tmp_path: Path, name: str) -> None:
    begun(tmp_path)
    said = json.loads((tmp_path / "run.json").read_text())
    del said[name]
    (tmp_path / "run.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        RunFolder.open(tmp_path)


def test_an_edited_configuration_is_noticed(tmp_path: Path) -> None:
    begun(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("beta: 1.0", "beta: 1.5"))
    with pytest.raises(UserError, match="edited"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "progress.json", "config.yaml"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    with RunFolder.claim(tmp_path, CONFIG) as run:
        run.record("collect", steps=1)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        RunFolder.open(tmp_path).progress("collect")


@pytest.mark.parametrize("content", ['{"collect": 3}', '{"collect": [1]}', '{"other": {"steps": "many"}}'])
def test_counters_that_are_none_are_refused(tmp_path: Path, content: str) -> None:
    with RunFolder.claim(tmp_path, CONFIG) as run:
        (tmp_path / "progress.json").write_text(content)
        for attempt in (lambda: run.progress("collect"), lambda: run.record("collect", steps=1)):
            with pytest.raises(UserError, match=r"progress\.json is damaged"):
                attempt()
        assert (tmp_path / "progress.json").read_text() == content


def test_damaged_arrays_are_named_and_never_unpickled(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path, CONFIG) as run:
        with pytest.raises(TypeError, match="pickle"):
            run.save_arrays("plant", {"q": np.array([{}], dtype=object)})
        run.save_arrays("plant", {"q": np.arange(100.0)})
        path = run.path / "state" / "plant.npz"
        whole = path.read_bytes()
        for cut in (0, 10, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:cut])
            with pytest.raises(UserError, match=r"plant\.npz is damaged\. Start anew\.$"):
                run.load_arrays("plant", "start anew")
        pickled = io.BytesIO()
        np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
        with zipfile.ZipFile(tmp_path / "pickled.npz", "w") as archive:
            archive.writestr("q.npy", pickled.getvalue())
        flipped = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
        for damaged in (flipped, b"neither", pickled.getvalue(), (tmp_path / "pickled.npz").read_bytes()):
            path.write_bytes(damaged)
            with pytest.raises(UserError, match=r"plant\.npz is damaged\. Start anew\.$"):
                run.load_arrays("plant", "start anew")
        with pytest.raises(ValueError, match="no name"):
            run.save_arrays("../escape", {})


def test_two_processes_do_not_work_in_one_run(tmp_path: Path) -> None:
    run = RunFolder.claim(tmp_path, CONFIG)
    with pytest.raises(UserError, match="another process"):
        RunFolder.claim(tmp_path, CONFIG)
    assert RunFolder.open(tmp_path).config == CONFIG
    run.close()
    run.close()
    begun(tmp_path)


def test_a_killed_owner_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from robot_rig.config import Config; from robot_rig.runs import RunFolder; "
        "run = RunFolder.claim(sys.argv[1], Config()); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    begun(tmp_path)


def test_a_creation_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "run.json").unlink()
    for folder in ("episodes", "checkpoints", "metrics", "evaluation", "state"):
        (tmp_path / folder).rmdir()
    (tmp_path / ".run.json.123.new").write_text("{")
    begun(tmp_path)


WRITER = """
import itertools, sys
from pathlib import Path
from robot_rig.disk import write_atomically
for n in itertools.count():
    write_atomically(Path(sys.argv[1]), bytes([n % 256]) * (1 << 16))
    if n == 0:
        print("go", flush=True)
"""


def test_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seen = set()
    for attempt in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.01 + 0.037 * attempt)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        data = path.read_bytes()
        assert len(data) == 1 << 16
        assert len(set(data)) == 1
        seen.add(data[0])
    assert len(seen) > 1, "the writer was never under way when it was killed"


def test_a_full_disk_keeps_the_old_file_and_leaves_no_scrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"disk is full.*Make room"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    require_free_space(tmp_path / "not" / "yet" / "there", 1)
    with pytest.raises(UserError, match=r"MiB are free.*--run"):
        require_free_space(tmp_path / "not" / "yet", 1 << 60)


def test_without_git_the_revision_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError("git")

    assert versions()["git"]
    monkeypatch.setattr(subprocess, "run", absent)
    assert versions()["git"] == "unknown"
