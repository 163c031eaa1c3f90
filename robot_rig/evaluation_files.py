"""An evaluation on disk, so that a report can be made again: evaluation.npz and evaluation.json. Called by the CLI.

No pickle: the arrays are a plain npz, the ids and the npz's SHA-256 are in the JSON file, which is written last.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from robot_rig.array_files import ArrayHeader, look_through, require_rows, unpack
from robot_rig.datatypes import IMAGE_SHAPE
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError, quoted
from robot_rig.evaluation import Evaluation, Rollout
from robot_rig.stranger_files import INDEX_LIMIT, open_regular, parse_object, read_regular, sha256_of

FORMAT = 1
"""Version of the files that `save_evaluation` writes."""

_COLUMNS: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
    "goal": (np.uint8, IMAGE_SHAPE),
    "frames": (np.uint8, (None, *IMAGE_SHAPE)),
    "distance_m": (np.floating, (None,)),
    "goal_xy_m": (np.floating, (2,)),
    "tool_xy_m": (np.floating, (2,)),
}
"""The arrays, a rollout a row: type, and the form of a row (None: any length)."""

_NUMBERS = ("distance_m", "goal_xy_m", "tool_xy_m")
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
        write_atomically(folder / "evaluation.npz", packed.getvalue())
        write_atomically(folder / "evaluation.json", json.dumps(index, indent=1).encode())
    except OSError as error:
        raise UserError(f"cannot write the evaluation to {folder}: {error.strerror}", next_step=_ROOM) from error


def load_evaluation(folder: Path) -> Evaluation:
    """What `save_evaluation` wrote. Raises UserError when a file is missing, damaged, foreign or of another version.

    Nothing is unpacked before its sizes, its checksums and its digest have been compared, in this order: the first cost
    nothing.
    """
    index_path, arrays_path = folder / "evaluation.json", folder / "evaluation.npz"
    if not index_path.exists():
        raise UserError(f"there is no evaluation in {folder}", next_step=_AGAIN)
    try:
        index = parse_object(read_regular(index_path, "evaluation index", INDEX_LIMIT))
        if index["format"] != FORMAT:
            raise UserError(
                f"{folder} has an evaluation of format {quoted(index['format'])}, not {FORMAT}", next_step=_AGAIN
            )
        ids = index["ids"]
        if not isinstance(ids, list) or not ids or not all(isinstance(id, str) for id in ids):
            raise ValueError("its ids are no list of names")
        if len(set(ids)) < len(ids):
            raise ValueError("its ids are not unique")
        with open_regular(arrays_path, "evaluation") as file:
            headers = look_through(file, lambda found: _require_columns(found, len(ids)))
            if sha256_of(file) != index["sha256"]:
                raise UserError(f"the evaluation in {folder} is damaged", next_step=_AGAIN)
            return _evaluation(ids, headers, file)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"the evaluation in {folder} is damaged: {error}", next_step=_AGAIN) from error


def _require_columns(headers: Mapping[str, ArrayHeader], rollouts: int) -> None:
    """Raise ValueError unless the arrays are those of so many `rollouts`."""
    require_rows(headers, rollouts, _COLUMNS)
    for name, (kind, form) in _COLUMNS.items():
        dtype, axes = headers[name].dtype, headers[name].shape[1:]
        fits = len(axes) == len(form) and all(want in (None, got) for want, got in zip(form, axes, strict=True))
        if not fits or not np.issubdtype(dtype, kind):
            raise ValueError(f"{name} has the form {headers[name].shape} of {dtype}")
    if headers["frames"].shape[1] != headers["distance_m"].shape[1] or not headers["frames"].shape[1]:
        raise ValueError("it has not one distance a picture")


def _evaluation(ids: Sequence[str], headers: Mapping[str, ArrayHeader], file: BinaryIO) -> Evaluation:
    """The evaluation in the npz `file`; pictures are unpacked last, when nothing is left that could be wrong."""
    numbers = unpack(file, {name: headers[name] for name in _NUMBERS})
    if not all(np.isfinite(values).all() for values in numbers.values()) or (numbers["distance_m"] < 0).any():
        raise ValueError("a distance or place in it is no number")
    columns = numbers | unpack(file, {name: headers[name] for name in _COLUMNS if name not in _NUMBERS})
    return Evaluation(ids=tuple(ids), rollouts=tuple(map(Rollout, *(columns[name] for name in _COLUMNS))))
