"""Rows of the table of faults about pictures that no camera node may pass on: another size, another encoding."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from sim.faults import judges
from sim.faults.evidence import Evidence
from sim.faults.freshness import EXPOSURE_S, IMAGE_AGE_S
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Stage
from sim.faults.rows_camera import WRONG_SIZES, judge_spoilt, passed_after, spoil_one_of

SAME_LSB = 1.0
"""Row 6: how far a declared encoding may change the mean of a patch."""

REFUSED = 2
"""The exit code of a node that ends with a sentence for a person."""

# Black ones would be refused as too dark, whatever their size.
SIZES = tuple(one | {"filled": True} for one in WRONG_SIZES)
ENCODINGS = tuple({"kind": "encoding", "encoding": name} for name in ("yuv422", "16UC1", "8UC7", ""))


def refuse(stage: Stage, faults: tuple[dict[str, Any], ...]) -> None:
    """Pictures that the camera node must refuse, one of several ways by the seed; how it then ends is written down."""
    spoil_one_of(stage, faults)
    code = stage.exit_code("camera")
    stage.marks["camera's exit code"] = -1.0 if code is None else float(code)


def judge_refused(evidence: Evidence) -> Verdict:
    """Refused as what it is; not one such picture shown or acted on; and no exception ends the camera node."""
    verdict = judge_spoilt(evidence, IMAGE_AGE_S, ("image_refused",))
    exposed = min((one.exposed for one in evidence.passed if one.fault != "none"), default=math.inf) - EXPOSURE_S
    shown = [frame for frame in evidence.frames if frame.stamp >= exposed and frame.t <= evidence.marks["return"]]
    acted = [one for one in evidence.actions if one.frame_stamp >= exposed and one.t <= evidence.marks["return"]]
    verdict.add([f"{len(shown)} such pictures shown, {len(acted)} acted on"] if shown or acted else [])
    code = evidence.marks["camera's exit code"]
    return verdict.add([] if code == REFUSED else [f"the camera node ended with {code:.0f}, not with {REFUSED}"])


def declare(stage: Stage) -> None:
    """The arm rests; the same scene comes as rgb8, bgr8 and mono8, then in an encoding that nobody declared."""
    stage.hand("order", word="hold")
    stage.wait(1.2)
    stage.mark("rgb8")
    stage.wait(0.7)
    for name in ("bgr8", "mono8"):
        stage.tell("camera", kind="encoding", encoding=name)
        stage.wait(0.4)
        stage.mark(name)
        stage.wait(0.5)
    stage.tell("camera", kind="none")
    stage.wait(0.5)
    stage.hand("order", word="enable")
    stage.wait(1.0)
    refuse(stage, ENCODINGS)


def judge_declared(evidence: Evidence) -> Verdict:
    """Known encodings look the same to 1 LSB in the mean of each patch of the picture; an unknown one is refused."""
    marks = evidence.marks
    verdict = judge_refused(passed_after(evidence, marks["fault"]))
    means = {}
    for name in ("rgb8", "bgr8", "mono8"):
        frames = judges.between(evidence.frames, marks[name], marks[name] + 0.4)
        sent = {one.fault for one in evidence.passed if marks[name] - 0.1 < one.t < marks[name] + 0.4}
        if not frames or sent != {"none" if name == "rgb8" else "encoding"}:
            return verdict.add([f"no frame from {name}"])
        means[name] = np.array(frames[-1].means).reshape(-1, 3)
    off = float(np.abs(means["rgb8"] - means["bgr8"]).max())
    grey = float(np.abs(means["rgb8"].mean(axis=1, keepdims=True) - means["mono8"]).max())
    verdict.add([f"bgr8 differs by {off:.2f} LSB"] if off > SAME_LSB else [])
    return verdict.add([f"mono8 differs by {grey:.2f} LSB"] if grey > SAME_LSB else [])


ROWS = (
    Row(5, "wrong resolution", partial(refuse, faults=SIZES), judge_refused),
    Row(6, "other encoding", declare, judge_declared),
)
