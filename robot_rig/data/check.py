"""What is wrong with a logged episode, as a person wants to hear it. Called by `rig data check`; it only reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from robot_rig.data.log import as_episode
from robot_rig.data.salvage import salvage
from robot_rig.data.store import logs_below
from robot_rig.datatypes import Bytes, Floats, Frame
from robot_rig.errors import UserError

FROZEN_FRAMES = 5
"""Identical frames in a row that a real camera never gives: its noise does not repeat."""

DARK_MEAN = 16.0
"""Mean brightness, of 255, below which a lens is covered or the light is off."""

BRIGHT_MEAN = 240.0
"""Mean brightness above which a sensor saturates, and more light is no longer seen."""

GAP_PERIODS = 1.5
RATE_TOLERANCE = 0.1

EXPOSURE_RATIO = 1.2
"""Brightness of one frame over that of the one before (or the other way) from which the light or the camera's exposure
has changed: a quarter of an f-stop. Flicker of 3 % a frame, as in the preset `realistic`, stays four deviations below.
"""

BLOCKS = 7
"""Blocks a side that brightness is compared in, 12x12 px each."""

LEAST_BLOCKS = 25
"""Blocks, of 49, that must be lit in both frames and not saturated in both: over a table whose picture is black there
are fewer, and what moves across them looks like light. Then brightness is not judged.
"""

AGREEING_SHARE = 0.75
"""Share of these blocks that must have changed in one direction, by half of `EXPOSURE_RATIO` (as a logarithm) or more.
An arm would have to cover or leave nineteen blocks from one frame to the next, and it goes 17 mm; so would a shadow or
a lamp, so one that reaches less of the picture is not told of.
"""

DROPPED_SHARE = 0.05
"""Share of the camera's pictures that may be lost. The policy answers every third, so a single one costs it 33 ms of
age; one in twenty is a cable, a hub or a machine that is too busy.
"""

CERTAIN = 3.0
"""Deviations by which more must be missing than chance takes at that share: of the 51 pictures of an episode eight, of
10 000 565. Few are no evidence; all files of a call are judged together.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One file: what was counted and, in `faults`, what is wrong (empty: nothing).

    `repeats` are frames identical with the one before, `frozen` is the longest run of identical frames, `dark` the
    number of dark frames, `exposure` that of jumps in brightness, `dropped` that of the camera's pictures that are seen
    to be missing between the frames, of `pictures` that were due there (`_lost_pictures` says what cannot be seen),
    `gaps` the number of steps longer than 1.5 periods, `rate_hz` the median rate (0: unknown).
    """

    path: Path
    steps: int
    truncated: bool
    repeats: int
    frozen: int
    dark: int
    exposure: int
    dropped: int
    pictures: int
    gaps: int
    rate_hz: float
    faults: tuple[str, ...]


def survey(folder: Path, rate_hz: float) -> list[Finding]:
    """Look at every episode file in and below `folder`, by name; an unreadable one is a finding like any other.

    Hidden ones are passed over, as in `logs_below`.
    """
    found = []
    for path in sorted(logs_below(folder)):
        try:
            found.append(inspect(path, rate_hz))
        except UserError as error:
            found.append(Finding(path, 0, True, 0, 0, 0, 0, 0, 0, 0, 0.0, (str(error),)))
    return found


def lost_in_all(findings: Sequence[Finding]) -> str:
    """What is to be said of the pictures that are missing in all files together; empty when they are few, or may be."""
    lost, due = sum(finding.dropped for finding in findings), sum(finding.pictures for finding in findings)
    expected = DROPPED_SHARE * due
    if lost <= expected + CERTAIN * math.sqrt(expected * (1.0 - DROPPED_SHARE)):
        return ""
    return f"dropped: {lost} of {due} pictures of the camera are missing"


def inspect(path: Path, rate_hz: float) -> Finding:
    """Look at the episode file `path`, which should hold `rate_hz` steps a second.

    Raises UserError, as `read_episode` does, when it is missing or holds no episode.
    """
    log = salvage(path)
    episode = as_episode(path, log)
    repeats, frozen = _identical(episode.frames)
    dark = int((episode.frames.mean(axis=(1, 2, 3)) < DARK_MEAN).sum())
    jumps = brightness_jumps(episode.frames)
    intervals = np.diff(episode.stamps)
    gaps = int((intervals > GAP_PERIODS / rate_hz).sum())
    dropped, pictures, renumbered = _lost_pictures(log.frames, intervals, rate_hz)
    median = float(np.median(intervals)) if len(intervals) else 0.0
    rate = 1.0 / median if median > 0.0 else 0.0
    off_rate = len(intervals) > 0 and abs(rate / rate_hz - 1.0) > RATE_TOLERANCE
    named = (
        ("lost" in episode.meta, episode.meta.get("lost", "")),
        (frozen >= FROZEN_FRAMES, f"frozen: {frozen} identical frames in a row"),
        (dark > 0, f"dark: {dark} frames"),
        (len(jumps) > 0, f"exposure: brightness jumps {_told(jumps)}"),
        (renumbered > 0, f"renumbered: the camera began to count anew {renumbered} times"),
        (gaps > 0, f"gaps: {gaps} steps took more than {GAP_PERIODS} periods"),
        (off_rate, f"rate: {rate:.2f} Hz instead of {rate_hz:g}"),
    )
    faults = tuple(text for wrong, text in named if wrong)
    counts = (repeats, frozen, dark, len(jumps), dropped, pictures, gaps)
    return Finding(path, len(episode), episode.truncated, *counts, rate, faults)


def _identical(frames: Bytes) -> tuple[int, int]:
    """Frames equal to the one before, and the longest run of equal frames (1 when none is repeated)."""
    longest = run = 1
    repeats = 0
    for before, after in pairwise(frames):
        same = np.array_equal(before, after)
        repeats += same
        run = run + 1 if same else 1
        longest = max(longest, run)
    return repeats, longest


def brightness_jumps(frames: Bytes) -> dict[int, float]:
    """Where light or exposure changed in `frames` uint8 (T, 84, 84, 3): frame -> its brightness over the one before's.

    What moves in front of the camera changes some blocks of the picture; light changes nearly all that are lit. A dark
    frame is no jump: it is told of as what it is.
    """
    side = frames.shape[1] // BLOCKS
    blocks = frames.reshape(len(frames), BLOCKS, side, BLOCKS, side, 3).mean(axis=(2, 4, 5), dtype=np.float32)
    blocks = blocks.reshape(len(frames), -1)
    is_dark = blocks.mean(axis=1) < DARK_MEAN
    least = math.log(EXPOSURE_RATIO)
    jumps = {}
    for index in np.flatnonzero(~(is_dark[:-1] | is_dark[1:])):
        before, after = blocks[index], blocks[index + 1]
        darker = np.minimum(before, after)
        seen = (darker >= DARK_MEAN) & (darker <= BRIGHT_MEAN)
        if seen.sum() < LEAST_BLOCKS:
            continue
        changes = np.log(after[seen] / before[seen])
        change = float(np.median(changes))
        agreeing = np.mean(changes * np.sign(change) > least / 2)
        if abs(change) > least and agreeing >= AGREEING_SHARE:
            jumps[int(index) + 1] = math.exp(change)
    return jumps


def _told(jumps: dict[int, float]) -> str:
    """The largest of `jumps`, and how many there are."""
    if not jumps:
        return ""
    frame = max(jumps, key=lambda index: abs(np.log(jumps[index])))
    more = f", and at {len(jumps) - 1} more" if len(jumps) > 1 else ""
    return f"by a factor of {jumps[frame]:.2f} at frame {frame}{more}"


def _lost_pictures(frames: Sequence[Frame], intervals: Floats, rate_hz: float) -> tuple[int, int, int]:
    """How many of the camera's pictures are missing between `frames`, of how many, how often it began to count anew.

    A picture that was numbered and did not come leaves a jump in the numbers; one that was lost before it had a number
    (between camera and driver) leaves more time than numbers. Over a step longer than `GAP_PERIODS` neither is asked:
    that is told of as a gap, and the policy may have passed pictures over.

    Where every picture is logged, each loss shows. Where the log keeps every third, as of a camera of 30 Hz, hardly any
    does: of the two between, the log never knew, and for a lost one that was due the policy takes its neighbour, as it
    may anyway. Several in a row are a gap; only what was lost before it had a number is counted. There, none missing is
    no proof of a sound camera.
    """
    steps: Floats = np.diff(np.array([frame.seq for frame in frames], np.float64))
    rising = steps > 0
    judged = rising & (intervals <= GAP_PERIODS / rate_hz)
    renumbered = int((~rising).sum())
    if not judged.any():
        return 0, 0, renumbered
    steps, times = steps[judged], intervals[judged]
    usual = float(np.median(steps))
    # Of several pictures a step the policy takes the one nearest to its beat, which may be one more or one less.
    slack = 1.0 if usual > 1.0 else 0.0
    jumped = np.clip(steps - usual - slack, 0.0, None).sum()
    period = float(np.median(times / steps))
    unnumbered = np.clip(np.rint(times / period) - steps, 0.0, None).sum() if period > 0.0 else 0.0
    return int(jumped + unnumbered), int(steps.sum() + unnumbered), renumbered
