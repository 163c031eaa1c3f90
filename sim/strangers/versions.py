"""Files of another version of robot-rig: the robot's is not the trainer's, or last year's (row 62)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from robot_rig.data.salvage import BoundedFile, meta_checksum, read_opening, records_of
from sim.strangers.forgery import Forgery, Originals
from sim.strangers.tensors import copy, sign

OTHERS = (0, 2, 9)
"""An older one that never was, the next one, and a far one; what was released must be read, see tests/test_formats."""

OURS = 1


def another_version(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 62: a file whose version is raised or lowered, under checksums that are right; now and then our own."""
    version = OURS if rng.random() < 0.2 else int(rng.choice(OTHERS))
    kind = str(rng.choice(sorted(KINDS)))
    reader, target, said = KINDS[kind](folder, originals, version)
    if version == OURS:
        return Forgery(f"{kind} of our version", reader, target, "accepted")
    return Forgery(f"{kind} of version {version}", reader, target, "refused", (said,))


def _episode(folder: Path, originals: Originals, version: int) -> tuple[str, str, str]:
    path = folder / "play-000000.mcap"
    with originals.episode.open("rb") as file:
        meta = read_opening(originals.episode, records_of(BoundedFile(file))).meta
    content = originals.episode.read_bytes()
    key = b"\x06\0\0\0format\x01\0\0\0"
    content = content.replace(key + b"1", key + b"%d" % version, 1)
    changed = meta_checksum({**meta, "format": str(version)})
    path.write_bytes(content.replace(meta_checksum(meta).encode(), changed.encode(), 1))
    return "episode", str(path), f"format '{version}'"


def _checkpoint(folder: Path, originals: Originals, version: int) -> tuple[str, str, str]:
    target = copy(originals.checkpoint, folder)
    sign(target, version=f"robot-rig-checkpoint-{version}")
    return "checkpoint", str(target), f"'robot-rig-checkpoint-{version}'"


def _raised(path: Path, name: str, version: int) -> None:
    text = path.read_text()
    path.write_text(text.replace(f"{name}: {OURS}", f"{name}: {version}", 1))


def _run(folder: Path, originals: Originals, version: int) -> tuple[str, str, str]:
    shutil.copytree(originals.run, folder / "run")
    _raised(folder / "run" / "run.json", '"format"', version)
    return "run", str(folder / "run"), f"format {version}"


def _evaluation(folder: Path, originals: Originals, version: int) -> tuple[str, str, str]:
    shutil.copytree(originals.evaluation, folder / "evaluation")
    _raised(folder / "evaluation" / "evaluation.json", '"format"', version)
    return "evaluation", str(folder / "evaluation"), f"format {version}"


def _goal(folder: Path, originals: Originals, version: int) -> tuple[str, str, str]:
    shutil.copytree(originals.goals, folder / "goals")
    _raised(folder / "goals" / "good.yaml", "format", version)
    return "goal", f"{folder / 'goals'}\ngood", f"format {version}"


KINDS: Mapping[str, Callable[[Path, Originals, int], tuple[str, str, str]]] = {
    "episode": _episode,
    "checkpoint": _checkpoint,
    "run": _run,
    "evaluation": _evaluation,
    "goal": _goal,
}
"""Kind of file -> who makes it: its reader, what the reader is given, and what a refusal must name."""
