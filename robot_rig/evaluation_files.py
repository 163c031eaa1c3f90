"""An evaluation on disk, so that a report can be made again: evaluation.npz and evaluation.json. Called by the CLI.

No pickle: the arrays are a plain npz, the ids and the npz's SHA-256 are in the JSON file, which is written last.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, Rollout

FORMAT = 1
"""Version of the files that `save_evaluation` writes."""

_ROOM = "free some space there or give another folder"
_AGAIN = "run the evaluation again: rig eval"


def save_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write `folder`/evaluation.npz (arrays) and then evaluation.json (ids, digest of the npz), each atomically.

    Raises UserError when there is no room for them.
    """
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        goal=np.stack([rollout.goal for rollout in evaluation.rollouts]),
        frames=np.stack([rollout.frames for rollout in evaluation.rollouts]),
        distance_m=evaluation.distance_m,
        goal_xy_m=np.stack([rollout.goal_xy_m for rollout in evaluation.rollouts]),
        tool_xy_m=np.stack([rollout.tool_xy_m for rollout in evaluation.rollouts]),
    )
    index = {
        "format": FORMAT,
        "ids": list(evaluation.ids),
        "sha256": hashlib.sha256(packed.getbuffer()).hexdigest(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "evaluation.npz", packed.getvalue())
        replace_file(folder / "evaluation.json", json.dumps(index, indent=1).encode())
    except OSError as error:
        raise UserError(f"cannot write the evaluation to {folder}: {error.strerror}", next_step=_ROOM) from error


def load_evaluation(folder: Path) -> Evaluation:
    """What `save_evaluation` wrote. Raises UserError when a file is missing, damaged or of another version."""
    try:
        index = json.loads((folder / "evaluation.json").read_bytes())
        packed = (folder / "evaluation.npz").read_bytes()
        if index["format"] != FORMAT:
            raise UserError(f"{folder} has an evaluation of format {index['format']}, not {FORMAT}", next_step=_AGAIN)
        if hashlib.sha256(packed).hexdigest() != index["sha256"]:
            raise UserError(f"the evaluation in {folder} is damaged", next_step=_AGAIN)
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return _evaluation(index["ids"], arrays)
    except OSError as error:
        raise UserError(f"no evaluation can be read from {folder}: {error.strerror}", next_step=_AGAIN) from error
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"the evaluation in {folder} is damaged: {error}", next_step=_AGAIN) from error


def _evaluation(ids: Any, arrays: Any) -> Evaluation:
    columns = [arrays[name] for name in ("goal", "frames", "distance_m", "goal_xy_m", "tool_xy_m")]
    if {len(column) for column in columns} != {len(ids)}:
        raise ValueError(f"{len(ids)} ids, but the arrays have {[len(column) for column in columns]} rows")
    return Evaluation(ids=tuple(str(id) for id in ids), rollouts=tuple(map(Rollout, *columns)))


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all. Raises OSError, leaving the old file and nothing half-written."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
