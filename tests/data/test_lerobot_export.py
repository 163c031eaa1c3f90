"""A LeRobot dataset holds every action bit for bit and every picture nearly; and LeRobot itself reads it (a proof)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from robot_rig.data import lerobot_video
from robot_rig.data.lerobot_export import CAMERA, GOAL, Survey, survey, write_dataset
from robot_rig.data.lerobot_stats import QUANTILES, histogram, number_stats, picture_stats
from robot_rig.data.log import read_episode
from robot_rig.datatypes import Bytes, Episode
from robot_rig.errors import UserError
from tests.data.episodes import picture, write_log

MEAN_ERROR = 2.5
"""Levels of 255, over all pixels of the made-up pictures, whose noise is the worst for a video: colour is halved."""

LENGTHS = (9, 1, 14)
GOALS = (None, picture(99), picture(98))


def logs(folder: Path) -> list[Path]:
    return [
        write_log(folder / f"collect-{number:06d}.mcap", steps, goal)
        for number, (steps, goal) in enumerate(zip(LENGTHS, GOALS, strict=True))
    ]


def exported(folder: Path) -> tuple[Path, Survey, list[Episode]]:
    paths = logs(folder)
    found = survey(paths, lambda _: None)
    write_dataset(found, ["x", "y"], folder / "set", lambda _: None)
    return folder / "set", found, [read_episode(path) for path in paths]


def decoded(path: Path) -> Bytes:
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def columns(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = pq.read_table(path).to_pydict()
    return table


def test_every_number_is_there_bit_for_bit(tmp_path: Path) -> None:
    root, found, episodes = exported(tmp_path)
    assert (found.steps, found.with_goal, found.fps, found.action_dim) == (24, 2, 10, 2)
    table = pq.read_table(root / "data/chunk-000/file-000.parquet")
    kind = table.schema.field("action").type
    assert (kind.list_size, str(kind.value_type)) == (2, "float")
    data = table.to_pydict()
    for key, name in (("action", "executed_action"), ("wished_action", "action")):
        want = np.concatenate([getattr(episode, name) for episode in episodes])
        assert np.array(data[key], np.float32).tobytes() == want.tobytes()
    want = np.concatenate([episode.stamps[:-1] for episode in episodes])
    assert np.array(data["stamp"]).tobytes() == want.tobytes()
    frames = [n for steps in LENGTHS for n in range(steps)]
    assert data["frame_index"] == frames
    assert data["timestamp"] == [float(np.float32(n / 10)) for n in frames]
    assert data["index"] == list(range(24))
    assert data["episode_index"] == [number for number, steps in enumerate(LENGTHS) for _ in range(steps)]
    assert data["task_index"] == [min(number, 1) for number, steps in enumerate(LENGTHS) for _ in range(steps)]
    assert data["has_goal"] == [number > 0 for number, steps in enumerate(LENGTHS) for _ in range(steps)]
    assert pq.ParquetFile(root / "data/chunk-000/file-000.parquet").num_row_groups == len(LENGTHS)


@pytest.mark.parametrize("seconds", [1000.0, 1.2])
def test_every_picture_lies_where_the_episode_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(lerobot_video, "MAX_FILE_S", seconds)
    root, _, episodes = exported(tmp_path)
    rows = columns(root / "meta/episodes/chunk-000/file-000.parquet")
    for key, want in ((CAMERA, [e.frames[:-1] for e in episodes]), (GOAL, [e.goal for e in episodes])):
        files = [root / f"videos/{key}/chunk-000/file-{number:03d}.mp4" for number in rows[f"videos/{key}/file_index"]]
        assert len(set(files)) == (1 if seconds == 1000.0 else 2)
        for number, (file, pictures) in enumerate(zip(files, want, strict=True)):
            begin, end = (round(10 * rows[f"videos/{key}/{side}_timestamp"][number]) for side in ("from", "to"))
            got = decoded(file)[begin:end]
            assert len(got) == LENGTHS[number]
            black = np.zeros((84, 84, 3)) if pictures is None else pictures
            assert np.abs(got - np.asarray(black, float)).mean() < MEAN_ERROR


def test_the_description_is_that_of_version_3(tmp_path: Path) -> None:
    root, _, _ = exported(tmp_path)
    info = json.loads((root / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 10)
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 24, 2)
    assert info["features"]["action"] == {"dtype": "float32", "shape": [2], "names": ["x", "y"]}
    seen = info["features"][CAMERA]
    assert (seen["dtype"], seen["shape"]) == ("video", [84, 84, 3])
    with av.open(str(root / info["video_path"].format(video_key=CAMERA, chunk_index=0, file_index=0))) as file:
        stream = file.streams.video[0]
        assert seen["info"]["video.codec"] == stream.codec.canonical_name
        assert seen["info"]["video.pix_fmt"] == stream.pix_fmt
        assert (stream.average_rate, stream.start_time, stream.width) == (10, 0, 84)
    assert (root / info["data_path"].format(chunk_index=0, file_index=0)).is_file()
    rows = columns(root / "meta/episodes/chunk-000/file-000.parquet")
    assert rows["length"] == list(LENGTHS)
    assert rows["dataset_to_index"] == np.cumsum(LENGTHS).tolist()
    assert [len(tasks) for tasks in rows["tasks"]] == [1, 1, 1]
    assert columns(root / "meta/tasks.parquet")["task_index"] == [0, 1]
    stats = json.loads((root / "meta/stats.json").read_text())
    assert set(stats) == set(info["features"])
    assert {key.split("/")[1] for key in rows if key.startswith("stats/")} == set(info["features"])


def test_statistics_are_those_of_all_numbers() -> None:
    rng = np.random.default_rng(2)
    values, pictures = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 256, (7, 5, 6, 3), dtype=np.uint8)
    said = number_stats(values)
    np.testing.assert_allclose(said["std"], values.astype(float).std(0))
    np.testing.assert_allclose(said["q90"], np.quantile(values, 0.9, axis=0), rtol=1e-6)
    assert said["count"] == [40]
    assert number_stats(np.arange(4))["mean"] == [1.5]
    halves = histogram(pictures[:3]) + histogram(pictures[3:])
    of_pictures = picture_stats(halves, 7)
    pixels = pictures.reshape(-1, 3) / 255
    for name, want in (
        ("mean", pixels.mean(0)),
        ("std", pixels.std(0)),
        ("min", pixels.min(0)),
        ("max", pixels.max(0)),
    ):
        assert np.shape(of_pictures[name]) == (3, 1, 1)
        np.testing.assert_allclose(np.ravel(of_pictures[name]), want)
    for q in QUANTILES:
        got = np.ravel(of_pictures[f"q{round(q * 100):02d}"])
        np.testing.assert_allclose(got, np.quantile(pixels, q, axis=0, method="inverted_cdf"), atol=1.01 / 255)


def test_what_does_not_go_together_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no step"):
        survey([write_log(tmp_path / "a.mcap", 0)], lambda _: None)
    root, found, _ = exported(tmp_path)
    with pytest.raises(UserError, match="exists already"):
        write_dataset(found, ["x", "y"], root, lambda _: None)

    def broken(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(found, ["x", "y"], tmp_path / "other", broken)
    assert not [path for path in tmp_path.iterdir() if "other" in path.name]


# --- LeRobot itself ---------------------------------------------------------------------------------------------------

INSTALL_S = 1200


def _python() -> str:
    """A Python that LeRobot runs on."""
    for name in ("python3.12", "python3.13", "python3.14", "python3"):
        found = shutil.which(name)
        asked = [found or "", "-c", "import sys; print(sys.version_info >= (3, 12), sys.executable)"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False) if found else None
        if said is not None and said.returncode == 0 and said.stdout.startswith("True "):
            return said.stdout.split(maxsplit=1)[1].strip()
    pytest.skip("no Python of version 3.12 or newer is on the path, and LeRobot needs one")


def _with_lerobot(folder: Path) -> Path:
    """The Python of a new environment with LeRobot, or of the one that ROBOT_RIG_LEROBOT_PYTHON names."""
    if "ROBOT_RIG_LEROBOT_PYTHON" in os.environ:
        return Path(os.environ["ROBOT_RIG_LEROBOT_PYTHON"])
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([_python(), "-m", "venv", str(folder)], check=True, env=clean)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "lerobot[dataset]"]
    done = subprocess.run(install, capture_output=True, text=True, check=False, env=clean, timeout=INSTALL_S)
    if done.returncode != 0:
        pytest.skip(f"LeRobot cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.fixture
def environment() -> Iterator[Path]:
    """A folder outside the checkout for some gigabytes, which pytest would keep for three runs."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "environment"


@pytest.mark.proof
def test_lerobot_loads_what_was_exported(tmp_path: Path, environment: Path) -> None:
    root, _, episodes = exported(tmp_path)
    python = _with_lerobot(environment)
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
    reader = Path(__file__).with_name("lerobot_reader.py")
    command = [str(python), str(reader), str(root), str(tmp_path / "read.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=offline, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "read.npz", allow_pickle=False) as found:
        read: dict[str, NDArray[Any]] = {key: found[key] for key in found.files}
    assert read["counts"].tolist() == [len(LENGTHS), sum(LENGTHS), 10]
    assert read["names"].tolist() == ["x", "y"]
    for key, name in (("action", "executed_action"), ("wished_action", "action")):
        assert read[key].dtype == np.float32
        assert read[key].tobytes() == np.concatenate([getattr(e, name) for e in episodes]).tobytes()
    tasks = [read["task"][start] for start in np.cumsum([0, *LENGTHS[:-1]])]
    assert ["goal picture" in task for task in tasks] == [False, True, True]
    for key, want in ((CAMERA, [e.frames[:-1] for e in episodes]), (GOAL, [e.goal for e in episodes])):
        pictures = 255.0 * read[key].transpose(0, 2, 3, 1)
        edges = np.cumsum([0, *LENGTHS])
        for (begin, end), one in zip(pairwise(edges), want, strict=True):
            error = np.abs(pictures[begin:end] - (0.0 if one is None else one.astype(float))).mean()
            assert error < MEAN_ERROR, (key, begin, error)
        assert read[f"stats/{key}/mean"].shape == (3, 1, 1)
