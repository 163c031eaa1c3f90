"""Rows of the table of faults about files from strangers: no graph, a forged file, and a reader that is watched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileRow:
    """A row whose attempts `sim.strangers.attack` makes and judges."""

    number: int
    sentence: str


ROWS = (
    FileRow(16, "checkpoint with a flipped bit"),
    FileRow(18, "checkpoint with a weight that is no number"),
    FileRow(19, "checkpoint of another size, or a policy of another encoder"),
    FileRow(26, "log that is damaged, cut short or no log"),
    FileRow(46, "goal picture or photo of a wrong form"),
    FileRow(47, "goal, set of goals or photo that is somewhere or something else"),
    FileRow(48, "picture or photo that unpacks to gigabytes"),
    FileRow(49, "settings, note of a goal or set that is malformed or ambiguous"),
    FileRow(50, "limits beyond their ceilings"),
    FileRow(51, "goal or set of goals of another camera calibration"),
    FileRow(57, "pickle that runs code"),
    FileRow(58, "log, arrays or bag of a stranger"),
    FileRow(62, "file of another version"),
)
