"""What is wrong with a RealSense's pictures in rows 101 to 109, as a recording that has it in it. Pure.

Called by `alone_library`, which plans, and by `library_eye`, which plays. A recording is good pictures, spoilt ones,
and good ones again; each good one has its number in its first pixel, so that who sees it knows which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from robot_rig.datatypes import Bytes
from sim.faults.library_film import HEIGHT, RATE_HZ, WIDTH, Taken

PERIOD_S = 1.0 / RATE_HZ
MARK = (77, 99)
"""Green and blue of the first pixel of a picture whose number is its red."""

SCENES = 7
UNKNOWN = -1
SAMPLE = 8

Spoil = Literal[
    "none", "gap", "frozen", "same number", "dark", "bright", "old", "replayed", "step", "lossy", "end"
]  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """An attempt, as plain values: it travels to another process as JSON.

    `good`, `bad` and `after` are numbers of pictures; `by_s` is a step of the stamps, or the gap; `signal` what the
    camera's process gets at the first bad picture, and `cont_s` later SIGCONT. `asked` is the size that the library is
    asked for, `wanted` the configured one.
    """

    spoil: Spoil = "none"
    good: int = 45
    bad: int = 24
    after: int = 30
    by_s: float = 0.0
    signal: Literal["", "SIGSTOP", "SIGKILL"] = ""
    cont_s: float = 0.0
    form: Literal["rgb8", "bgr8", "yuyv", "y8"] = "rgb8"
    stamps: Literal["arrival", "rebased"] = "arrival"
    asked: tuple[int, int] = (WIDTH, HEIGHT)
    wanted: tuple[int, int] = (WIDTH, HEIGHT)
    look_s: float = 4.0
    seed: int = 0


@cache
def scene(number: int) -> Bytes:
    """A noisy picture with a red left third: no two are equal, and none is dark or burnt."""
    rgb = np.random.default_rng(number).integers(20, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    rgb[:, : WIDTH // 3] = (200, 20, 20)
    return rgb


def marked(number: int) -> Bytes:
    """Picture `number`, with its number in it."""
    rgb: Bytes = scene(number % SCENES).copy()
    rgb[0, 0] = (number, *MARK)
    return rgb


def number_in(rgb: Bytes) -> int:
    """Which picture it is, or UNKNOWN where it does not say."""
    return int(rgb[0, 0, 0]) if tuple(rgb[0, 0, 1:]) == MARK else UNKNOWN


def levels(rgb: Bytes) -> list[float]:
    """Mean red, green and blue of a sample of the picture, without its mark."""
    return [round(float(one), 3) for one in rgb[1::SAMPLE, ::SAMPLE].mean(axis=(0, 1))]


def film(plan: Plan, wall: float) -> list[Taken]:
    """The pictures of `plan`, the first one exposed at `wall`."""
    begin, end = plan.good, plan.good + plan.bad
    pictures = [
        Taken(1 + index, wall + index * PERIOD_S, marked(1 + index), index * PERIOD_S)
        for index in range(end + plan.after)
    ]
    bad = SPOILS[plan.spoil](plan, pictures[:begin], pictures[begin:end])
    after = pictures[end:]
    if plan.spoil == "gap":
        after = [replace(one, wall=one.wall + plan.by_s, due=_later(one, plan.by_s)) for one in after]
    return [replace(one, rgb=formed(one.rgb, plan.form)) for one in [*pictures[:begin], *bad, *after]]


def formed(rgb: Bytes, form: str) -> Bytes:
    """`rgb` as a stream of the format `form` has it; the chroma of yuyv is left grey."""
    grey: Bytes = rgb.mean(axis=2).astype(np.uint8)
    if form == "yuyv":
        return np.stack([grey, np.full_like(grey, 128)], axis=2)
    return {"rgb8": rgb, "bgr8": rgb[..., ::-1], "y8": grey}[form]


def _later(one: Taken, by_s: float) -> float:
    return (one.due or 0.0) + by_s


def _frozen(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    return [replace(one, rgb=good[-1].rgb) for one in bad]


def _same_number(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    return [replace(one, number=good[-1].number) for one in bad]


def _dark(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    # As a covered lens: next to nothing, with a sensor's noise.
    return [replace(one, rgb=one.rgb // 20) for one in bad]


def _bright(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    return [replace(one, rgb=np.clip(4 * one.rgb.astype(int) + 60, 0, 255).astype(np.uint8)) for one in bad]


def _step(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    return [replace(one, wall=one.wall + plan.by_s) for one in bad]


def _replayed(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    # Whole messages of before, come once more.
    return [replace(good[index % len(good)], due=one.due) for index, one in enumerate(bad)]


def _lossy(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    """30 % are lost, and in the middle come none for 0.2 s and then those that were held up."""
    random = np.random.default_rng(plan.seed)
    held = range(len(bad) // 2, len(bad) // 2 + round(0.2 * RATE_HZ))
    kept = []
    for index, one in enumerate(bad):
        if index in held:
            one = replace(one, due=_later(bad[held[-1]], PERIOD_S / 2))
        if random.random() >= 0.3:
            kept.append(one)
    return kept


def _none(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    return list(bad)


def _missing(plan: Plan, good: Sequence[Taken], bad: Sequence[Taken]) -> list[Taken]:
    return []


SPOILS: Mapping[Spoil, Callable[[Plan, Sequence[Taken], Sequence[Taken]], list[Taken]]] = {
    "none": _none,
    "gap": _missing,
    "end": _missing,
    "frozen": _frozen,
    "same number": _same_number,
    "dark": _dark,
    "bright": _bright,
    "old": _step,
    "step": _step,
    "replayed": _replayed,
    "lossy": _lossy,
}
