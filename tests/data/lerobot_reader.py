"""Run by a Python that has LeRobot: load a dataset offline and write down all that it gives, for test_lerobot_loads.

    python lerobot_reader.py DATASET OUT.npz

Nothing of this repository is imported, and nothing of it is installed there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def main(root: str, out: str) -> None:
    dataset = LeRobotDataset("local/rig", root=root, video_backend="pyav")
    columns: dict[str, list[object]] = {}
    for number in range(len(dataset)):
        for key, value in dataset[number].items():
            columns.setdefault(key, []).append(value if isinstance(value, str) else np.asarray(value))
    arrays = {key: np.array(values) for key, values in columns.items()}
    stats = {
        f"stats/{key}/{name}": np.asarray(v) for key, said in dataset.meta.stats.items() for name, v in said.items()
    }
    counts = np.array([dataset.num_episodes, dataset.num_frames, dataset.fps])
    with Path(out).open("wb") as file:
        np.savez(file, counts=counts, names=np.array(dataset.meta.names["action"]), **arrays, **stats)


if __name__ == "__main__":
    main(*sys.argv[1:])
