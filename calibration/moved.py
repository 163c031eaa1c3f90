"""Has the camera moved since its reference picture? How far what stands still has shifted; and its colours.

Called by the check at every start, and before a reference picture is kept. Corners of the reference are followed
into the picture of now; what most of them agree on is the camera's doing, and the arm, a hand or a cup that stands
elsewhere are outvoted. In a regular pattern, as of holes in a table, a corner is found again one pitch further too; so
they are followed from every shift at which the two pictures look alike, and where two shifts explain it, none is told.
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

SOUGHT_PX, MOST_STARTS = 50, 5
"""How far away shifts are sought at which the pictures look alike, and how many of them are tried."""

APART_SHIFTS_PX, RIVAL = 3.0, 0.8
"""Shifts that differ by more are two; and the share of the best one's corners from which a second one is a rival."""

AROUND_PX, LEAST_CONTRAST = 12.0, 0.5
"""Deviation of the surroundings in which contrast is evened out, and the least, as a share of the whole picture's."""


COLOUR_CELLS, LEAST_COLOUR, SWAPPED = 32, 1.5, -0.5
"""Cells along a side in which colours are averaged, the least deviation of red against blue over them, grey levels, and
the correlation of two pictures below which they are swapped."""


STILL = np.eye(2, 3)


class Shift(NamedTuple):
    """`pixels`: root mean square shift over the whole picture; `agreeing` corners of `followed`."""

    pixels: float
    agreeing: int
    followed: int


def picture_shift(reference: Bytes, now: Bytes) -> Shift | None:
    """How far `now` uint8 (H, W, 3) is shifted, turned or scaled against `reference`, of the same size.

    None when they have too little in common to say: another scene, darkness, a camera that was turned away. None, too,
    when another shift explains them nearly as well: a pattern that repeats itself.
    """
    before, after = _evened(reference), _evened(now)
    corners = cv2.goodFeaturesToTrack(before, FEATURES, QUALITY, APART_PX)
    if corners is None or len(corners) < FEWEST:
        return None
    height, width = before.shape
    found = [_agreed(before, after, np.asarray(corners, np.float32), start) for start in _starts(before, after)]
    told = sorted((one for one in found if one is not None), key=lambda one: -one.agreeing)
    if not told or any(
        one.agreeing >= RIVAL * told[0].agreeing
        and _mean_shift(one.motion - told[0].motion + STILL, width, height) > APART_SHIFTS_PX
        for one in told[1:]
    ):
        return None
    return Shift(_mean_shift(told[0].motion, width, height), told[0].agreeing, told[0].followed)


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


class _Agreed(NamedTuple):
    """What `agreeing` of `followed` corners have done: `motion` (2, 3)."""

    motion: Floats
    agreeing: int
    followed: int


class _Start(NamedTuple):
    """Where corners are looked for first: (2,) px further, in a picture that is halved `levels` times."""

    further: Float32s
    levels: int


def _starts(before: Bytes, after: Bytes) -> list[_Start]:
    """From where they stood, as far as can be; and from each shift at which the pictures look alike, not leaving it."""
    height, width = before.shape
    far = min(SOUGHT_PX, height // 4, width // 4)
    alike = cv2.matchTemplate(after, before[far : height - far, far : width - far], cv2.TM_CCOEFF_NORMED)
    peaks = np.argwhere((alike == cv2.dilate(alike, np.ones((5, 5), np.uint8))) & (alike > 0))
    best = peaks[np.argsort(-alike[tuple(peaks.T)], kind="stable")][:MOST_STARTS]
    shifts = (best[:, ::-1] - far).astype(np.float32)
    return [_Start(np.zeros(2, np.float32), LEVELS), *(_Start(shift, 1) for shift in shifts)]


def _agreed(before: Bytes, after: Bytes, corners: Float32s, start: _Start) -> _Agreed | None:
    begin, end = _followed(before, after, corners, start)
    if len(begin) < FEWEST:
        return None
    found, voted = cv2.estimateAffinePartial2D(begin, end, method=cv2.RANSAC, ransacReprojThreshold=AGREE_PX)
    agreeing = 0 if voted is None else int(voted.sum())
    if found is None or agreeing < max(FEWEST, LEAST_AGREEING * len(begin)):
        return None
    return _Agreed(np.asarray(found, np.float64), agreeing, len(begin))


def _followed(before: Bytes, after: Bytes, corners: Float32s, start: _Start) -> tuple[Float32s, Float32s]:
    """Those of `corners` (N, 1, 2) that are found again from `start`, before and after: (M, 2) px each."""
    there, found, unlike = _flow(before, after, corners, start)
    back, found_back, _ = _flow(after, before, there, _Start(-start.further, start.levels))
    missed = np.linalg.norm(back - corners, axis=2).ravel()
    kept = (found.ravel() == 1) & (found_back.ravel() == 1) & (missed < THERE_AND_BACK_PX) & (unlike.ravel() < UNLIKE)
    return corners[kept, 0], there[kept, 0]


def _flow(before: Bytes, after: Bytes, corners: Float32s, start: _Start) -> tuple[Float32s, Bytes, Float32s]:
    """Where `corners` (N, 1, 2) are after, whether they were found (N, 1), and how unlike they look (N, 1)."""
    there, found, unlike = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        corners,
        corners + start.further,
        winSize=(WINDOW_PX, WINDOW_PX),
        maxLevel=start.levels,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(there, np.float32), np.asarray(found, np.uint8), np.asarray(unlike, np.float32)


def _mean_shift(motion: Floats, width: int, height: int) -> float:
    """Root mean square over the picture of how far `motion` (2, 3) moves a pixel, px."""
    v, u = np.mgrid[0 : height : max(1, height // 20), 0 : width : max(1, width // 20)]
    pixels = np.stack([u.ravel(), v.ravel(), np.ones(u.size)]).astype(np.float64)
    return float(np.sqrt(((motion @ pixels - pixels[:2]) ** 2).sum(axis=0).mean()))
