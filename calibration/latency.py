"""How old a picture is when it arrives, from a recording in which the arm wiggles. For `rig calibrate latency`.

Pure solvers on signals; what moves in pictures is measured by `picture_motion`. How late the arm itself is against its
commands is `servo_lag`'s to say.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from calibration.alignment import Delay, delay_between
from robot_rig.config import ControlConfig
from robot_rig.datatypes import Bytes, Float32s, Floats
from robot_rig.errors import UserError

LONGEST_S = 0.5
MOST_AGE_S, LEAST_AGE_S = 1.0, -0.01
"""A picture that arrives later after its exposure, or before it by more than this is accurate, is stamped by a clock
that does not go with the bag's."""

LEAST_MATCH = 0.7
ACCURATE_S, SURE = 0.005, 3.0
"""An age is refused unless it is known to `ACCURATE_S`, by so many of its standard deviations."""

FEWEST_PICTURES, ENOUGH_PICTURES = 45, 150
"""Fewer than the first are refused; with the second, good ones are accurate however seldom they come."""

LEAST_WIGGLE_S, MOST_WIGGLE_S = 12.0, 60.0
SLOWEST_HZ = 3.0
"""Of pictures that come less often `ENOUGH_PICTURES` would take too long, with long ways from one to the next."""

HALVED = 2
"""Pictures are looked at in half their size: motion is of pixels, and noise of less."""

MOVING = 0.15
"""Share of the most restless pixels' deviation from which a pixel belongs to what moves."""

LEAST_RESTLESS = 3.0
FEATURES = 100
LEAST_MOTION_PX = 2.0
WIGGLE_M_S = 0.1


class Latency(NamedTuple):
    """`camera_s`: age of a picture on arrival, with its spread (10th to 90th of a hundred); how well it `match`es.

    `stamp_error_s`: how much later than the exposure a picture's stamp is, 0 for one that is stamped at exposure.
    `sure_s`: all of these are known to within this.
    """

    camera_s: float
    low_s: float
    high_s: float
    stamp_error_s: float
    match: float
    sure_s: float


def wiggle_seconds(rate_hz: float) -> float:
    """How long (s) to wiggle before a camera whose pictures come at `rate_hz`, for `ENOUGH_PICTURES` of them.

    Raises UserError for pictures that come too seldom.
    """
    if rate_hz < SLOWEST_HZ:
        raise UserError(
            f"{rate_hz:.2g} pictures a second are too few, {SLOWEST_HZ:g} are needed",
            next_step="light the scene, so that exposures are short, or name a topic with --topic on which more come",
        )
    return max(LEAST_WIGGLE_S, ENOUGH_PICTURES / rate_hz)


def wiggle(seconds: float) -> float:
    """The speed, in [-1, 1], of a wiggle along a line, `seconds` after its start: soft, and never twice the same.

    A plain swing would look the same one swing later. At most 0.1 m/s lead no further than 5 cm from where it began.
    """
    slow, mid, fast = (float(np.sin(2 * np.pi * rate * seconds)) for rate in (0.37, 0.83, 1.31))
    return min(1.0, seconds / 0.5) * (0.4 * slow + 0.35 * mid + 0.25 * fast)


def wiggle_action(control: ControlConfig, along: str, seconds: float) -> Float32s:
    """The wiggle as the value (A,) of an action that moves the tool along the axis `along` at up to `WIGGLE_M_S`."""
    value = np.zeros(len(control.axes), np.float32)
    value[control.axes.index(along)] = wiggle(seconds) * WIGGLE_M_S / (control.action_scale_m * control.policy_rate_hz)
    return np.clip(value, -1.0, 1.0)


def picture_motion(pictures: Iterable[Bytes]) -> Floats:
    """(N,) px by which what moves in `pictures` (N of uint8 (H, W, 3)) has moved since the first, along its main way.

    Kept is a twelfth of each picture. Raises UserError when nothing moves in them, or too few are there.
    """
    small = [_small(one) for one in pictures]
    if len(small) < FEWEST_PICTURES:
        raise UserError(
            f"{len(small)} pictures are too few", next_step=f"record at least {FEWEST_PICTURES} of them, 10 s or more"
        )
    restless = np.std(np.stack(small[:: max(1, len(small) // 60)]).astype(np.float32), axis=0)
    moving = restless > max(MOVING * float(np.quantile(restless, 0.999)), LEAST_RESTLESS)
    mask = np.asarray(cv2.dilate(moving.astype(np.uint8), np.ones((5, 5), np.uint8)), np.uint8)
    pairs = itertools.pairwise(small)
    moves = HALVED * np.array([np.zeros(2), *(_step(before, after, mask) for before, after in pairs)])
    main = np.linalg.svd(moves - moves.mean(axis=0), full_matrices=False)[2][0]
    along: Floats = np.cumsum(moves @ main)
    if np.ptp(along) < LEAST_MOTION_PX:
        raise UserError(
            "nothing moves in the pictures", next_step="let the arm wiggle further, nearer to the camera, in good light"
        )
    return along


def _step(before: Bytes, after: Bytes, mask: Bytes) -> Floats:
    """(2,) px by which what moves inside `mask` has moved; what rests there, as the table does, hardly counts."""
    corners = cv2.goodFeaturesToTrack(before, FEATURES, 0.01, 4, mask=mask)
    if corners is None:
        return np.zeros(2)
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, corners.copy(), winSize=(15, 15), maxLevel=3)
    moved = np.asarray(there - corners, np.float64)[found.ravel() == 1, 0]
    if not len(moved):
        return np.zeros(2)
    # Outliers would weigh most: nothing counts for more than twice what is usual among what moves.
    length = np.linalg.norm(moved, axis=1)
    weight = np.where(length > 2.0 * np.quantile(length, 0.8), 0.0, length)
    step: Floats = weight @ moved / max(float(weight.sum()), 1e-9)
    return step


def _small(rgb: Bytes) -> Bytes:
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, None, fx=1 / HALVED, fy=1 / HALVED, interpolation=cv2.INTER_AREA), np.uint8)


def camera_latency(arm_at: Floats, tool: Floats, arrived_at: Floats, stamped_at: Floats, motion: Floats) -> Latency:
    """The age of pictures that arrived at `arrived_at` (N,) s, stamped `stamped_at` (N,) s, and show `motion` (N,) px.

    The arm reports its tool at `tool` (M, 3) m at `arm_at` (M,) s: when that was so, on the same clock. It goes along
    one line. Raises UserError when the two do not show the same motion, or a swing that repeats itself; when stamps are
    further off than `LONGEST_S`; when pictures arrive before they were exposed, or `MOST_AGE_S` after; and when their
    number and noise leave the age uncertain by more than `ACCURATE_S`.
    """
    moved = tool - tool.mean(axis=0)
    line = moved @ np.linalg.svd(moved, full_matrices=False)[2][0]
    stamp = _checked_delay(arm_at, line, stamped_at, motion, (-LONGEST_S / 2, LONGEST_S))
    ages = arrived_at - stamped_at + stamp.seconds
    low, high = np.quantile(ages, [0.1, 0.9])
    if not LEAST_AGE_S <= low <= high <= MOST_AGE_S:
        raise UserError(
            f"pictures seem to arrive {np.median(ages):.3g} s after their exposure, and 0 to {MOST_AGE_S:g} s can be",
            next_step="record on the machine that the camera is plugged into, whose clock stamps both",
        )
    sure = _required_accuracy(stamp, stamped_at)
    return Latency(float(np.median(ages)), float(low), float(high), stamp.seconds, stamp.match, sure)


def _required_accuracy(delay: Delay, stamped_at: Floats) -> float:
    """To within how many s the `delay` of pictures is known. Raises UserError where that is not enough.

    What a longer wiggle would do goes with the root of its length.
    """
    sure, seconds = SURE * delay.deviation_s, float(stamped_at[-1] - stamped_at[0])
    if sure <= ACCURATE_S:
        return sure
    rate = (len(stamped_at) - 1) / seconds
    longer = 5.0 * np.ceil(1.2 * seconds * (sure / ACCURATE_S) ** 2 / 5.0)
    better = "or see to better light, a longer way, a nearer camera"
    raise UserError(
        f"{len(stamped_at)} pictures, {rate:.1f} a second, tell the age to within {1e3 * sure:.0f} ms, and "
        f"{1e3 * ACCURATE_S:.0f} are wanted",
        next_step=f"wiggle for {longer:.0f} s with --seconds, {better}"
        if longer <= MOST_WIGGLE_S
        else f"record more pictures a second, for up to {MOST_WIGGLE_S:.0f} s, {better}",
    )


def _checked_delay(
    times: Floats, positions: Floats, seen_at: Floats, seen: Floats, within: tuple[float, float]
) -> Delay:
    try:
        delay = delay_between(times, positions, seen_at, seen, within)
    except ValueError as error:
        raise UserError(f"picture and arm: {error}", next_step="record both while the arm wiggles") from error
    if delay.match < LEAST_MATCH:
        raise UserError(
            f"pictures and arm do not show the same motion (they agree by {delay.match:.0%})",
            next_step="let nothing else move in the picture, wiggle further, in better light",
        )
    if delay.at_edge:
        raise UserError(
            f"pictures are stamped more than {-within[0]:g} s before or {within[1]:g} s after their exposure",
            next_step="see whose clock stamps them: the camera's driver must run on this machine",
        )
    if delay.is_ambiguous:
        raise UserError(
            "pictures and arm agree at two delays nearly as well",
            next_step="wiggle unevenly: a regular swing repeats itself",
        )
    return delay
