"""Episodes as a LeRobot dataset, version 3.0 (Parquet, MP4, JSON), without LeRobot. Called by `rig data export`.

A row is a step: the picture that was answered (video), the action as the arm executed it, the one that was asked for,
and the goal picture where any episode has one. The closing frame has no action and stays out; LeRobot's `timestamp` is
by its own design frame_index / fps, so the picture's real stamp goes along as `stamp`. Names do not begin with
`action` or `observation` unless a policy is to learn them: by these LeRobot tells a policy's features.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from robot_rig.data.lerobot_stats import Stats, histogram, number_stats, picture_stats
from robot_rig.data.lerobot_video import FILES_A_CHUNK, MAX_FILE_BYTES, FeatureVideo
from robot_rig.data.log import read_episode
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Episode, Ints
from robot_rig.disk import appearing
from robot_rig.errors import UserError

VERSION = "v3.0"
CAMERA, GOAL = "observation.images.camera", "observation.images.goal"
ACTION, WISHED, STAMP, HAS_GOAL = "action", "wished_action", "stamp", "has_goal"
TASKS = {True: "Reach what the goal picture shows.", False: "Play without a goal."}
MAX_DATA_FILE_BYTES = 100 << 20
"""What is promised of a file of numbers; one holds all of 40 hours at 10 Hz."""

FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
FIRST_FILE = FILE.format(chunk_index=0, file_index=0)
Feature = dict[str, Any]
"""dtype, shape and names of a column or a video, as info.json has them."""

COUNTERS = ("frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known of all episodes before the first is written.

    `episodes` are those with a step, `skipped` those without, by id; `fps` is the median rate as a whole number.
    """

    episodes: tuple[Path, ...]
    skipped: tuple[str, ...]
    action_dim: int
    with_goal: int
    steps: int
    fps: int


def survey(paths: Sequence[Path], advance: Callable[[int], object]) -> Survey:
    """Look through the logs `paths`; `advance` hears how many are done.

    Raises UserError when there is no step in them, when their actions are of different sizes, for an action that is no
    number, and as `read_episode` does.
    """
    taken: list[Path] = []
    skipped: list[str] = []
    sizes: dict[int, str] = {}
    intervals: list[NDArray[np.float64]] = []
    goals = steps = 0
    for done, path in enumerate(paths, 1):
        episode = read_episode(path)
        if len(episode):
            taken.append(path)
            goals += episode.goal is not None
            steps += len(episode)
            sizes.setdefault(episode.action.shape[1], str(path))
            intervals.append(np.diff(episode.stamps))
            if not (np.isfinite(episode.action).all() and np.isfinite(episode.executed_action).all()):
                raise UserError(f"{path} has an action that is not a number", next_step="leave that episode out")
        else:
            skipped.append(episode.id)
        advance(done)
    if not taken:
        raise UserError("there is no step to export", next_step="name episodes that `rig collect` has filled")
    if len(sizes) > 1:
        said = ", ".join(f"{size} in {name}" for size, name in sizes.items())
        raise UserError(f"the actions are of different sizes: {said}", next_step="export them apart")
    period = float(np.median(np.concatenate(intervals)))
    fps = max(1, round(1.0 / period)) if period > 0.0 else 1
    return Survey(tuple(taken), tuple(skipped), next(iter(sizes)), goals, steps, fps)


def write_dataset(found: Survey, axes: Sequence[str], out: Path, advance: Callable[[int], object]) -> None:
    """Write the surveyed episodes as the new folder `out`; `axes` name the numbers of an action.

    `advance` hears how many episodes are done. Raises UserError when `out` exists or cannot be written.
    """
    with appearing(out) as fresh, contextlib.ExitStack() as closing:
        writing = _Writing.begin(fresh, found, axes, closing)
        for done, path in enumerate(found.episodes, 1):
            writing.add(read_episode(path))
            advance(done)
        closing.close()
        writing.end()


@dataclass
class _Writing:
    """The dataset so far: what is on disk already, and what only its end can say."""

    folder: Path
    found: Survey
    features: Mapping[str, Feature]
    videos: Mapping[str, FeatureVideo]
    data: Any
    rows: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    levels: dict[str, Ints] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    frames: int = 0

    @classmethod
    def begin(cls, folder: Path, found: Survey, axes: Sequence[str], closing: contextlib.ExitStack) -> _Writing:
        videos = {}
        for key in (CAMERA, GOAL) if found.with_goal else (CAMERA,):
            videos[key] = FeatureVideo(folder, key, found.fps)
            closing.callback(videos[key].close)
        features = _features(found, axes, videos)
        path = folder / "data" / f"{FIRST_FILE}.parquet"
        path.parent.mkdir(parents=True)
        schema = pa.schema([(key, _column_type(said)) for key, said in features.items() if key not in videos])
        data = closing.enter_context(pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=True))
        return cls(folder, found, features, videos, data)

    def add(self, episode: Episode) -> None:
        steps, number = len(episode), len(self.rows)
        task = TASKS[episode.goal is not None]
        if task not in self.tasks:
            self.tasks.append(task)
        numbers = self._numbers(episode, number, self.tasks.index(task))
        self.data.write_table(pa.table([_column(values) for values in numbers.values()], schema=self.data.schema))
        stats: dict[str, Stats] = {key: number_stats(values) for key, values in numbers.items()}
        row = {"episode_index": number, "tasks": [task], "length": steps, "data/chunk_index": 0, "data/file_index": 0}
        row |= {"dataset_from_index": self.frames, "dataset_to_index": self.frames + steps}
        for key, video in self.videos.items():
            pictures = _pictures(episode, key)
            span = video.add(pictures)
            row |= {f"videos/{key}/chunk_index": span.chunk, f"videos/{key}/file_index": span.file}
            row |= {f"videos/{key}/from_timestamp": span.from_s, f"videos/{key}/to_timestamp": span.to_s}
            levels = histogram(pictures)
            self.levels[key] = self.levels[key] + levels if key in self.levels else levels
            stats[key] = picture_stats(levels, steps)
        row |= {f"stats/{key}/{name}": value for key, said in stats.items() for name, value in said.items()}
        self.rows.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        for key, values in numbers.items():
            self.numbers.setdefault(key, []).append(values)
        self.frames += steps

    def _numbers(self, episode: Episode, number: int, task: int) -> dict[str, NDArray[Any]]:
        """The columns of an episode, in the order of the features."""
        steps = len(episode)
        index = np.arange(steps, dtype=np.int64)
        return {
            ACTION: episode.executed_action,
            WISHED: episode.action,
            STAMP: episode.stamps[:-1],
            HAS_GOAL: np.full(steps, episode.goal is not None),
            "timestamp": (index / self.found.fps).astype(np.float32),
            "frame_index": index,
            "episode_index": np.full(steps, number, np.int64),
            "index": index + self.frames,
            "task_index": np.full(steps, task, np.int64),
        }

    def end(self) -> None:
        meta = self.folder / "meta"
        (meta / "episodes" / "chunk-000").mkdir(parents=True)
        columns = {key: [row[key] for row in self.rows] for key in self.rows[0]}
        pq.write_table(pa.table(columns), meta / "episodes" / f"{FIRST_FILE}.parquet", compression="snappy")
        pq.write_table(_task_table(self.tasks), meta / "tasks.parquet", compression="snappy")
        stats: dict[str, Stats] = {key: number_stats(np.concatenate(values)) for key, values in self.numbers.items()}
        stats |= {key: picture_stats(levels, self.frames) for key, levels in self.levels.items()}
        (meta / "stats.json").write_text(json.dumps(stats, indent=4))
        (meta / "info.json").write_text(json.dumps(self._info(), indent=4))

    def _info(self) -> dict[str, object]:
        return {
            "codebase_version": VERSION,
            "robot_type": None,
            "total_episodes": len(self.rows),
            "total_frames": self.frames,
            "total_tasks": len(self.tasks),
            "chunks_size": FILES_A_CHUNK,
            "data_files_size_in_mb": MAX_DATA_FILE_BYTES >> 20,
            "video_files_size_in_mb": MAX_FILE_BYTES >> 20,
            "fps": self.found.fps,
            "splits": {"train": f"0:{len(self.rows)}"},
            "data_path": f"data/{FILE}.parquet",
            "video_path": f"videos/{{video_key}}/{FILE}.mp4",
            "features": self.features,
        }


def _features(found: Survey, axes: Sequence[str], videos: Mapping[str, FeatureVideo]) -> dict[str, Feature]:
    names = ["height", "width", "channels"]
    said: dict[str, Feature] = {
        key: {"dtype": "video", "shape": list(IMAGE_SHAPE), "names": names, "info": dict(video.info)}
        for key, video in videos.items()
    }
    for key in (ACTION, WISHED):
        said[key] = {"dtype": "float32", "shape": [found.action_dim], "names": list(axes)}
    for key, kind in ((STAMP, "float64"), (HAS_GOAL, "bool"), ("timestamp", "float32")):
        said[key] = {"dtype": kind, "shape": [1], "names": None}
    return said | {key: {"dtype": "int64", "shape": [1], "names": None} for key in COUNTERS}


def _column_type(feature: Feature) -> Any:
    kind = pa.bool_() if feature["dtype"] == "bool" else pa.from_numpy_dtype(feature["dtype"])
    (length,) = feature["shape"]
    return kind if length == 1 else pa.list_(kind, length)


def _column(values: NDArray[Any]) -> Any:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    width = 1 if values.ndim == 1 else values.shape[1]
    return flat if width == 1 else pa.FixedSizeListArray.from_arrays(flat, width)


def _pictures(episode: Episode, key: str) -> Bytes:
    """The T pictures of a feature; the goal of an episode that has none is black."""
    if key == CAMERA:
        return episode.frames[:-1]
    goal = np.zeros(IMAGE_SHAPE, np.uint8) if episode.goal is None else episode.goal
    return np.broadcast_to(goal, (len(episode), *IMAGE_SHAPE))


def _task_table(tasks: Sequence[str]) -> Any:
    """The tasks as pandas writes a frame whose index is the task, which is how LeRobot finds them."""
    column = {"pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    index = {"pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    said = {
        "index_columns": ["task"],
        "column_indexes": [{"name": None, "field_name": None, **index, "metadata": {"encoding": "UTF-8"}}],
        "columns": [
            {"name": "task_index", "field_name": "task_index", **column},
            {"name": "task", "field_name": "task", **index},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.3",
    }
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": list(tasks)})
    return table.replace_schema_metadata({"pandas": json.dumps(said)})
