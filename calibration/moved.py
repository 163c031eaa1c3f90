"""Has the camera moved since its reference picture? How far what stands still has shifted; and its colours.

Called by the check at every start, and before a reference picture is kept. Corners of the reference are followed
into the picture of now; what most of them agree on is the camera's doing, and the arm, a hand or a cup that stands
elsewhere are outvoted.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from robot_rig.datatypes import Bytes, Float32s, Floats

FEATURES, APART_PX, QUALITY = 400, 8, 0.01
WINDOW_PX, LEVELS = 21, 4
"""Side of what is compared around a corner, and how often the picture is halved: 50 px are followed."""

THERE_AND_BACK_PX = 0.7
"""A corner that, followed there and back, ends further from where it began was lost."""

UNLIKE = 12.0
"""Mean difference of grey levels, after evening out, from which a corner was not found but something else."""

AGREE_PX = 1.0
FEWEST, LEAST_AGREEING = 10, 0.35
"""Corners that must agree, and the share of those that were followed; fewer could be the arm."""

AROUND_PX, LEAST_CONTRAST = 12.0, 0.5
"""Deviation of the surroundings in which contrast is evened out, and the least, as a share of the whole picture's."""


COLOUR_CELLS, LEAST_COLOUR, SWAPPED = 32, 1.5, -0.5
"""Cells along a side in which colours are averaged, the least deviation of red against blue over them, grey levels, and
the correlation of two pictures below which they are swapped."""


class Shift(NamedTuple):
    """`pixels`: root mean square shift over the whole picture; `agreeing` corners of `followed`."""

    pixels: float
    agreeing: int
    followed: int


def picture_shift(reference: Bytes, now: Bytes) -> Shift | None:
    """How far `now` uint8 (H, W, 3) is shifted, turned or scaled against `reference`, of the same size.

    None when they have too little in common to say: another scene, darkness, a camera that was turned away.
    """
    before, after = _evened(reference), _evened(now)
    corners = cv2.goodFeaturesToTrack(before, FEATURES, QUALITY, APART_PX)
    if corners is None or len(corners) < FEWEST:
        return None
    begin, end = _followed(before, after, np.asarray(corners, np.float32))
    if len(begin) < FEWEST:
        return None
    found, voted = cv2.estimateAffinePartial2D(begin, end, method=cv2.RANSAC, ransacReprojThreshold=AGREE_PX)
    agreeing = 0 if voted is None else int(voted.sum())
    if found is None or agreeing < max(FEWEST, LEAST_AGREEING * len(begin)):
        return None
    return Shift(
        _mean_shift(np.asarray(found, np.float64), reference.shape[1], reference.shape[0]), agreeing, len(begin)
    )


def can_be_compared(reference: Bytes) -> bool:
    """Whether `reference` uint8 (H, W, 3) holds enough for a later picture to be compared with it at all."""
    return picture_shift(reference, reference) is not None


def swaps_red_and_blue(reference: Bytes, now: Bytes) -> bool:
    """Whether what was redder than its surroundings in `reference` uint8 (H, W, 3) is now bluer by as much.

    Never where the scene has next to no colours.
    """
    then, since = (
        cv2.resize(one, (COLOUR_CELLS, COLOUR_CELLS), interpolation=cv2.INTER_AREA).astype(np.float64)
        for one in (reference, now)
    )
    before, after = ((one[:, :, 0] - one[:, :, 2]) - (one[:, :, 0] - one[:, :, 2]).mean() for one in (then, since))
    if min(before.std(), after.std()) < LEAST_COLOUR:
        return False
    return float((before * after).mean() / (before.std() * after.std())) < SWAPPED


def _evened(rgb: Bytes) -> Bytes:
    """`rgb` in grey with the same contrast everywhere: light and exposure do not count, nor noise where nothing is."""
    grey = cv2.GaussianBlur(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    deviation = grey - cv2.GaussianBlur(grey, (0, 0), AROUND_PX)
    contrast = np.sqrt(cv2.GaussianBlur(deviation**2, (0, 0), AROUND_PX)) + LEAST_CONTRAST * grey.std()
    return np.asarray(np.clip(128.0 + 40.0 * deviation / np.maximum(contrast, 1e-3), 0, 255), np.uint8)


def _followed(before: Bytes, after: Bytes, corners: Float32s) -> tuple[Float32s, Float32s]:
    """Those of `corners` (N, 1, 2) that are found again, before and after: (M, 2) px each."""
    there, found, unlike = _flow(before, after, corners)
    back, found_back, _ = _flow(after, before, there)
    missed = np.linalg.norm(back - corners, axis=2).ravel()
    kept = (found.ravel() == 1) & (found_back.ravel() == 1) & (missed < THERE_AND_BACK_PX) & (unlike.ravel() < UNLIKE)
    return corners[kept, 0], there[kept, 0]


def _flow(before: Bytes, after: Bytes, corners: Float32s) -> tuple[Float32s, Bytes, Float32s]:
    """Where `corners` (N, 1, 2) are after, whether they were found (N, 1), and how unlike they look (N, 1)."""
    start = corners.copy()
    there, found, unlike = cv2.calcOpticalFlowPyrLK(
        before, after, corners, start, winSize=(WINDOW_PX, WINDOW_PX), maxLevel=LEVELS
    )
    return np.asarray(there, np.float32), np.asarray(found, np.uint8), np.asarray(unlike, np.float32)


def _mean_shift(motion: Floats, width: int, height: int) -> float:
    """Root mean square over the picture of how far `motion` (2, 3) moves a pixel, px."""
    v, u = np.mgrid[0 : height : max(1, height // 20), 0 : width : max(1, width // 20)]
    pixels = np.stack([u.ravel(), v.ravel(), np.ones(u.size)]).astype(np.float64)
    return float(np.sqrt(((motion @ pixels - pixels[:2]) ** 2).sum(axis=0).mean()))
