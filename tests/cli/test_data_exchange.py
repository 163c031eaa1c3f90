"""`rig data export` and `rig data import` as a person types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag1 import Writer

from robot_rig.cli.main import main
from robot_rig.config_files import load_config
from robot_rig.data.episode import store
from robot_rig.data.log import read_episode
from robot_rig.data.salvage import salvage
from robot_rig.datatypes import RawFrame
from robot_rig.runs import RunFolder
from robot_rig.vision import preprocess
from tests.data.episodes import NO_LIMIT, picture, write_log

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot_rig.data.log.DiskRoom", lambda: NO_LIMIT)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with two episodes, the second with a goal."""
    with RunFolder.claim(tmp_path / "run", load_config([], [])) as folder:
        write_log(folder.episodes / "collect-000000.mcap", 4)
        write_log(folder.episodes / "practice-000001.mcap", 3, picture(9), {"stage": "practice"})
    return tmp_path / "run"


def refused(capsys: Capture, *words: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_run_goes_out_as_bags_and_comes_back_the_same(run: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["data", "export", str(run), "--format", "rosbag", "--out", str(tmp_path / "bags")]) == 0
    bags = sorted((tmp_path / "bags").iterdir())
    assert [bag.name for bag in bags] == ["collect-000000.bag", "practice-000001.bag"]
    assert "2 bags, 7 steps" in capsys.readouterr().out
    assert main(["data", "import", *map(str, bags), "--out", str(tmp_path / "back")]) == 0
    for path in sorted((run / "episodes").iterdir()):
        old, new = read_episode(path), read_episode(tmp_path / "back" / "episodes" / path.name)
        assert old.meta == new.meta
        for name in ("frames", "action", "executed_action", "stamps", "goal"):
            np.testing.assert_array_equal(getattr(old, name), getattr(new, name))
    line = refused(capsys, "data", "export", run, "--format", "rosbag", "--out", tmp_path / "bags")
    assert "exists already" in line


def test_one_episode_goes_into_the_bag_that_is_named(run: Path, tmp_path: Path) -> None:
    episode = run / "episodes" / "collect-000000.mcap"
    assert main(["data", "export", str(episode), "--format", "rosbag", "--out", str(tmp_path / "my.bag")]) == 0
    assert (tmp_path / "my.bag").is_file()


def test_a_run_goes_out_as_a_lerobot_set(run: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["data", "export", str(run), "--format", "lerobot", "--out", str(tmp_path / "set")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "2 episodes, 7 steps at 10 fps" in said
    assert "1 episodes have a goal picture; in the 1 others it is black" in said
    assert '"x"' in (tmp_path / "set/meta/info.json").read_text()
    assert "exists already" in refused(capsys, *words)


def test_what_cannot_be_exported_or_imported_is_one_line(run: Path, tmp_path: Path, capsys: Capture) -> None:
    assert "no episode to export" in refused(
        capsys, "data", "export", tmp_path, "--format", "rosbag", "--out", tmp_path / "x"
    )
    assert "lerobot" in refused(capsys, "data", "export", run, "--format", "hdf5", "--out", tmp_path / "x")
    episode = run / "episodes" / "collect-000000.mcap"
    assert "no rosbag of version" in refused(capsys, "data", "import", episode, "--out", tmp_path / "x")
    assert "no bag to import" in refused(capsys, "data", "import", "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    main(["data", "export", str(episode), "--format", "rosbag", "--out", str(tmp_path / "my.bag")])
    line = refused(
        capsys, "data", "import", tmp_path / "my.bag", "--out", tmp_path / "x", "--set", "control.axes=[x,y,z]"
    )
    assert "actions of 2 numbers and this run of 3" in line


def raw(number: int) -> Any:
    ramp = np.add.outer(np.arange(480), np.arange(640)) + 40 * number
    return np.stack([ramp % 256, ramp // 8 % 256, 255 - ramp % 256], axis=2).astype(np.uint8)


def record(path: Path, kind: str) -> Path:
    """Ten pictures of 640x480 px and ten actions, at 10 Hz."""
    types = store().types
    camera = "sensor_msgs/msg/CompressedImage" if kind in ("png", "jpg") else "sensor_msgs/msg/Image"
    with Writer(path) as writer:
        seen = writer.add_connection("/camera", camera, typestore=store())
        joy = writer.add_connection("/teleop", "sensor_msgs/msg/Joy", typestore=store())
        for number in range(10):
            time_ns = 1_700_000_000 * 10**9 + number * 10**8
            stamp = types["builtin_interfaces/msg/Time"](*divmod(time_ns, 10**9))
            header = types["std_msgs/msg/Header"](number, stamp, "")
            rgb = raw(number)
            if camera.endswith("CompressedImage"):
                packed = cv2.imencode(f".{kind}", rgb[:, :, ::-1])[1].reshape(-1)
                message = types[camera](header, kind, packed)
            else:
                pixels = rgb if kind == "rgb8" else np.ascontiguousarray(rgb[:, :, ::-1])
                message = types[camera](header, 480, 640, kind, 0, 1920, pixels.reshape(-1))
            writer.write(seen, time_ns, bytes(store().serialize_ros1(message, camera)))
            action = types["sensor_msgs/msg/Joy"](header, np.full(2, number / 10, np.float32), np.zeros(0, np.int32))
            writer.write(joy, time_ns, bytes(store().serialize_ros1(action, "sensor_msgs/msg/Joy")))
    return path


@pytest.mark.parametrize("kind", ["rgb8", "bgr8", "png", "jpg"])
def test_a_strangers_pictures_are_seen_as_the_camera_would_show_them(
    tmp_path: Path, kind: str, capsys: Capture
) -> None:
    bag = record(tmp_path / "a.bag", kind)
    assert main(["data", "import", str(bag), "--out", str(tmp_path / "run"), "--stage", "heldout"]) == 0
    path = tmp_path / "run" / "episodes" / "heldout-000000.mcap"
    episode = read_episode(path)
    assert (len(episode), episode.truncated) == (9, False)
    camera = load_config([], []).camera
    for number, frame in enumerate(episode.frames):
        want = preprocess(RawFrame(number, 0.0, raw(number)), camera).rgb
        error = np.abs(frame.astype(int) - want).max()
        assert error <= (40 if kind == "jpg" else 0), number
    assert [step.action.value[0] for step in salvage(path).steps] == [np.float32(n / 10) for n in range(9)]
    assert main(["data", "check", str(path)]) == 0
    assert "moves away from walls are too few" in refused(capsys, "data", "lag", tmp_path / "run")


def test_a_picture_that_is_not_understood_or_of_another_size_is_refused(tmp_path: Path, capsys: Capture) -> None:
    line = refused(capsys, "data", "import", record(tmp_path / "a.bag", "mono8"), "--out", tmp_path / "run")
    assert "/camera is encoded as 'mono8'" in line
    assert "rgb8, bgr8" in line
    bag, sizes = record(tmp_path / "b.bag", "png"), ["--set", "camera.width_px=800", "--set", "camera.height_px=600"]
    assert "640x480 px" in refused(capsys, "data", "import", bag, "--out", tmp_path / "other", *sizes)
    for run in ("run", "other"):
        assert not list((tmp_path / run / "episodes").iterdir())
