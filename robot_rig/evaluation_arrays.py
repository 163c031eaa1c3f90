"""The arrays of an exam: what an npz of its folder must hold, compared before any of it is unpacked.

Called by `evaluation_folder`; the files may be a stranger's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_rig.array_files import ArrayHeader
from robot_rig.datatypes import IMAGE_SHAPE
from robot_rig.evaluation_attempts import RULERS, Question

FRAMES, OUTCOMES = "frames", "outcomes"

MAX_ID_BYTES = 4 * 1024
"""Of the name of a question, four a character: names of goals and of picture files."""


def require_questions(headers: Mapping[str, ArrayHeader], count: int) -> None:
    """Raise ValueError unless the arrays are those of `count` questions."""
    forms: dict[str, list[tuple[int, ...]]] = {
        "id": [(count,)],
        "image": [(count, *IMAGE_SHAPE)],
        "xy_m": [(0, 2), (count, 2)],
    }
    if headers.keys() != forms.keys() or count < 1:
        raise ValueError("its questions are none")
    for name, kind in (("id", np.str_), ("image", np.uint8), ("xy_m", np.float64)):
        if headers[name].shape not in forms[name] or not np.issubdtype(headers[name].dtype, kind):
            raise ValueError(f"its questions have another {name}")
    if headers["id"].dtype.itemsize > MAX_ID_BYTES:
        raise ValueError("its questions have longer names than anybody reads")


def require_attempt(headers: Mapping[str, ArrayHeader], steps: int) -> None:
    """Raise ValueError unless the arrays are those of an attempt of so many `steps`."""
    frames = headers.get(FRAMES)
    if frames is None or frames.shape != (steps + 1, *IMAGE_SHAPE) or frames.dtype != np.uint8:
        raise ValueError(f"it has not {steps + 1} pictures")
    for name, header in headers.items():
        if name not in (FRAMES, OUTCOMES, *RULERS) or (name != FRAMES and len(header.shape) != 1):
            raise ValueError("it holds what no attempt has")
        if name != FRAMES and (header.shape[0] > steps + 1 or header.dtype.itemsize > 8):
            raise ValueError("it has more numbers than steps")


def questions_in(arrays: Mapping[str, NDArray[Any]]) -> list[Question]:
    """The questions in `arrays`, which `require_questions` has found to be theirs."""
    ids, images, places = arrays["id"], arrays["image"], arrays["xy_m"]
    known = len(places) > 0
    return [Question(str(id), images[i], places[i] if known else None) for i, id in enumerate(ids)]
