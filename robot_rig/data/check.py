"""What is wrong with a logged episode, as a person wants to hear it. Called by `rig data check`; it only reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from robot_rig.data.log import read_episode
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError

FROZEN_FRAMES = 5
"""Identical frames in a row that a real camera never gives: its noise does not repeat."""

DARK_MEAN = 16.0
"""Mean brightness, of 255, below which a lens is covered or the light is off."""

GAP_PERIODS = 1.5
RATE_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Finding:
    """One file: what was counted and, in `faults`, what is wrong (empty: nothing).

    `repeats` are frames identical with the one before, `frozen` is the longest run of identical frames, `dark` the
    number of dark frames, `gaps` the number of steps longer than 1.5 periods, `rate_hz` the median rate (0: unknown).
    """

    path: Path
    steps: int
    truncated: bool
    repeats: int
    frozen: int
    dark: int
    gaps: int
    rate_hz: float
    faults: tuple[str, ...]


def survey(folder: Path, rate_hz: float) -> list[Finding]:
    """Look at every episode file in and below `folder`, by name; an unreadable one is a finding like any other."""
    found = []
    for path in sorted(folder.rglob("*.mcap")):
        try:
            found.append(inspect(path, rate_hz))
        except UserError as error:
            found.append(Finding(path, 0, True, 0, 0, 0, 0, 0.0, (str(error),)))
    return found


def inspect(path: Path, rate_hz: float) -> Finding:
    """Look at the episode file `path`, which should hold `rate_hz` steps a second.

    Raises UserError, as `read_episode` does, when it is missing or holds no episode.
    """
    episode = read_episode(path)
    repeats, frozen = _identical(episode.frames)
    dark = int((episode.frames.mean(axis=(1, 2, 3)) < DARK_MEAN).sum())
    intervals = np.diff(episode.stamps)
    gaps = int((intervals > GAP_PERIODS / rate_hz).sum())
    median = float(np.median(intervals)) if len(intervals) else 0.0
    rate = 1.0 / median if median > 0.0 else 0.0
    off_rate = len(intervals) > 0 and abs(rate / rate_hz - 1.0) > RATE_TOLERANCE
    named = (
        ("lost" in episode.meta, episode.meta.get("lost", "")),
        (frozen >= FROZEN_FRAMES, f"frozen: {frozen} identical frames in a row"),
        (dark > 0, f"dark: {dark} frames"),
        (gaps > 0, f"gaps: {gaps} steps took more than {GAP_PERIODS} periods"),
        (off_rate, f"rate: {rate:.2f} Hz instead of {rate_hz:g}"),
    )
    faults = tuple(text for wrong, text in named if wrong)
    return Finding(path, len(episode), episode.truncated, repeats, frozen, dark, gaps, rate, faults)


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
