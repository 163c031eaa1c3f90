"""What a soak's record says to people, and whether it passes: tables, complaints, last line. Pure but for printing.

Called by `cli.soak.run`. The bar stands in `complaints`, and in the help of `rig soak`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.attempts import VOID_SHARE
from benchmarks.growth import Series, Slope, has_grown, slope
from robot_rig.cli.latency import LATE_S
from robot_rig.cli.soak.kinds import KINDS, Rescue
from robot_rig.cli.soak.record import Record, Samples
from robot_rig.cli.tables import narrow_table
from robot_rig.loops.episode_state import Stand

WARM_UP_S = 120.0
"""Of a process's life: its first two minutes fill buffers and caches, and are no growth."""

LIMIT_MIB_H = 1.0
KEEPS_THE_LOG = ("rig_trainer",)
"""Whose memory is meant to grow: its replay fills, up to `replay_pictures`. It is told, and not held to the bar."""

WATCHED = ("rig_arm", "rig_camera", "rig_practice", "rig_recorder", "rig_trainer")
"""Those of the product's processes that must have been looked at."""

LONG_S = 1800.0
"""After so long there are checkpoints, whole episodes, and lives long enough for a slope, or something is broken."""

LATE_SHARE = 0.01


@dataclass(frozen=True)
class Growth:
    """How one node grew over all its `lives`: memory's slope (MiB/h; None: too short to say), the last and the largest
    memory (MiB), the descriptors in its first and last third, and whether those have grown in any life.
    """

    lives: int
    slope: Slope | None
    last_mib: float
    most_mib: float
    descriptors: tuple[int, int]
    opens_more: bool


def growth(record: Record) -> dict[str, Growth]:
    """Each node's growth, by name."""
    by_name: dict[str, list[Samples]] = {}
    for life in record.lives.values():
        by_name.setdefault(life.name, []).append(life)
    return {name: _grown(lives) for name, lives in sorted(by_name.items())}


def _grown(lives: list[Samples]) -> Growth:
    lives = sorted(lives, key=lambda life: life.times[0])
    warm = [_warm(life) for life in lives]
    opened = [Series(np.array(life.times), np.array(life.descriptors, float)) for life in warm]
    longest = max(warm, key=lambda life: len(life.times))
    third = max(1, len(longest.times) // 3)
    counts = longest.descriptors or lives[-1].descriptors
    return Growth(
        lives=len(lives),
        slope=slope([Series(np.array(life.times), np.array(life.mib)) for life in warm]),
        last_mib=lives[-1].mib[-1],
        most_mib=max(max(life.mib) for life in lives),
        descriptors=(max(counts[:third]), min(counts[-third:])),
        opens_more=any(map(has_grown, opened)),
    )


def _warm(life: Samples) -> Samples:
    """What came after the warm-up."""
    first = next((i for i, when in enumerate(life.times) if when - life.times[0] >= WARM_UP_S), len(life.times))
    return Samples(life.name, life.times[first:], life.mib[first:], life.descriptors[first:])


def told_of(grown: Slope | None) -> str:
    """What a slope says of the bar."""
    if grown is None:
        return "too short to say"
    if grown.low > LIMIT_MIB_H:
        return "GROWS"
    return "does not grow" if grown.high <= LIMIT_MIB_H else "cannot tell"


def complaints(record: Record, planned: int) -> Iterator[str]:
    """Why the soak, which had `planned` faults, does not pass; nothing when it does."""
    if not record.finished:
        yield "it has not come to its end"
    if len(record.outcomes) < planned:
        yield f"{planned - len(record.outcomes)} faults did not come to their turn"
    for outcome in record.outcomes:
        if not outcome.passed and not outcome.void:
            yield f"{outcome.kind} at {outcome.at_s:.0f} s: {'; '.join(outcome.complaints)}"
    if (voids := sum(bool(one.void) for one in record.outcomes)) > VOID_SHARE * len(record.outcomes):
        yield f"{voids} of {len(record.outcomes)} faults are void"
    counted = {one.kind for one in record.outcomes if not one.void}
    for kind in dict.fromkeys(one.kind for one in record.outcomes if one.kind not in counted):
        yield f"{kind}: void every time"
    yield from (
        f"at {stop.at_s:.0f} s {stop.what}, and no fault was caused" for stop in record.stops if not stop.excused
    )
    if (excused := sum(bool(stop.excused) for stop in record.stops)) > max(1, VOID_SHARE * len(record.outcomes)):
        yield f"practice stopped {excused} times while the machine was away, too often for that to explain"
    if record.lost:
        yield f"{record.lost} steps are lost that the recorder had said were on disk"
    yield from _late(record)
    yield from _idle(record)
    grown = growth(record)
    if unseen := [name for name in WATCHED if name not in grown]:
        yield f"nobody looked at the memory of {', '.join(unseen)}"
    for name, one in grown.items():
        if one.slope is None and name in WATCHED and record.elapsed_s >= LONG_S:
            yield f"{name} never lived long enough to say whether it grows"
        if one.slope is not None and one.slope.low > LIMIT_MIB_H and name not in KEEPS_THE_LOG:
            yield f"{name} grows by {one.slope.low:.1f} MiB/h at least"
        if one.opens_more:
            yield f"{name} opens more and more files: {one.descriptors[0]} at most at first, {one.descriptors[1]} later"


def _idle(record: Record) -> Iterator[str]:
    """Practice that moves the arm, and comes to nothing."""
    if record.elapsed_s < LONG_S:
        return
    if not record.checkpoints:
        yield "the trainer has shipped no checkpoint"
    if not record.endings.get(Stand.COMPLETE.value):
        yield "no episode was complete"


def _late(record: Record) -> Iterator[str]:
    valid = [one for one in record.stretches if not one.void]
    if len(record.stretches) - len(valid) > VOID_SHARE * len(record.stretches):
        yield f"{len(record.stretches) - len(valid)} of {len(record.stretches)} timed stretches are void"
    steps, late = sum(one.steps for one in valid), sum(one.late for one in valid)
    missed, bare = sum(one.missed for one in valid), sum(one.timer_missed for one in valid)
    if not steps:
        yield "no step was timed"
    elif late > LATE_SHARE * steps:
        yield f"{late} of {steps} steps took more than {1e3 * LATE_S:.0f} ms from frame to joint command"
    if missed > bare:
        yield f"{missed} policy periods were missed, and a bare timer beside it missed {bare}"


def show(record: Record, planned: Mapping[str, int], console: Console) -> None:
    """The tables for people; `planned` counts the faults of each kind that the time was enough for."""
    console.print(_recoveries(record, planned))
    console.print(_processes(record))
    valid = [one for one in record.stretches if not one.void]
    slowest = max((one.slowest_ms for one in valid), default=-1.0)
    lines = [
        f"{record.elapsed_s / 3600:.2f} h in {len(record.sittings)} sittings at"
        f" {', '.join(dict.fromkeys(record.sittings))}",
        f"faults: there was time for {sum(planned.values())} of {record.paper.each * len(KINDS)},"
        f" {len(record.outcomes)} were caused",
        f"launch started again {record.restarts} times; stopped without a fault {len(record.stops)} times,"
        f" {sum(bool(stop.excused) for stop in record.stops)} of them while the machine was away",
        f"timed between faults: {len(valid)} stretches of 10 s ({len(record.stretches) - len(valid)} void),"
        f" {sum(one.steps for one in valid)} steps, slowest {slowest:.1f} ms from frame to joint command;"
        f" missed {sum(one.missed for one in valid)}, {sum(one.blind for one in valid)} of them without a picture;"
        f" a bare timer beside it {sum(one.timer_missed for one in valid)}",
        f"steps on disk: {record.logged}, lost: {record.lost}; episodes:"
        f" {', '.join(f'{count} {stand}' for stand, count in sorted(record.endings.items())) or 'none'};"
        f" checkpoints: {record.checkpoints}",
        *(
            f"without a fault: at {stop.at_s:.0f} s {stop.what}; {stop.excused or 'not excused'}"
            for stop in record.stops
        ),
        *(f"FAILED: {complaint}" for complaint in complaints(record, sum(planned.values()))),
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _recoveries(record: Record, planned: Mapping[str, int]) -> Table:
    headings = ("kind", "rescue", "planned", "passed of caused", "void", "back after, s: median, worst", "orders")
    rows = []
    for name, kind in KINDS.items():
        mine = [one for one in record.outcomes if one.kind == name]
        back = [one.took_s for one in mine if one.passed]
        passed = f"{sum(one.passed for one in mine)} of {len(mine)}"
        spread = f"{np.median(back):.1f}, {max(back):.1f}" if back else "–"
        void, orders = sum(bool(one.void) for one in mine), sum(one.orders for one in mine)
        rows.append((name, kind.rescue.value, str(planned.get(name, 0)), passed, str(void), spread, str(orders)))
    return narrow_table("Faults, and how practice went on", headings, rows, left=(0, 1), folding=(0,))


def _processes(record: Record) -> Table:
    headings = ("process", "lives", "MiB/h, 95 % interval", "memory", "MiB last", "most", "files, first and last third")
    rows = []
    for name, one in growth(record).items():
        rise, said = "–", told_of(one.slope)
        if one.slope is not None:
            rise = f"{one.slope.per_hour:+.2f}\n{one.slope.low:+.2f} to {one.slope.high:+.2f}"
        if name in KEEPS_THE_LOG:
            said = "keeps the log"
        files = f"{one.descriptors[0]}, {one.descriptors[1]}" + ("\nGROWS" if one.opens_more else "")
        rows.append((name, str(one.lives), rise, said, f"{one.last_mib:.0f}", f"{one.most_mib:.0f}", files))
    title = "Processes, without the first two minutes of each life"
    return narrow_table(title, headings, rows, left=(0, 3), folding=(3,))


def last_line(record: Record, planned: Mapping[str, int]) -> str:
    """Names and numbers that a program can read."""
    valid = [one for one in record.stretches if not one.void]
    grown = {name: one for name, one in growth(record).items() if name not in KEEPS_THE_LOG and one.slope is not None}
    worst = max(grown, key=lambda name: _per_hour(grown[name]), default="none")
    bounds = grown[worst].slope if grown else None
    said = {
        "hours": f"{record.elapsed_s / 3600:.2f}",
        "planned": sum(planned.values()),
        "caused": len(record.outcomes),
        "passed": sum(one.passed for one in record.outcomes),
        "void": sum(bool(one.void) for one in record.outcomes),
        **{rescue.value: sum(one.passed for one in record.outcomes if one.rescue == rescue.value) for rescue in Rescue},
        "orders": sum(one.orders for one in record.outcomes),
        "restarts": record.restarts,
        "stops": len(record.stops),
        "logged": record.logged,
        "lost": record.lost,
        "timed_steps": sum(one.steps for one in valid),
        "late": sum(one.late for one in valid),
        "missed": sum(one.missed for one in valid),
        "timer_missed": sum(one.timer_missed for one in valid),
        "steepest": worst,
        "mib_h": "none" if bounds is None else f"{bounds.per_hour:.2f}",
        "mib_h_low": "none" if bounds is None else f"{bounds.low:.2f}",
        "mib_h_high": "none" if bounds is None else f"{bounds.high:.2f}",
        "files_grow": ",".join(name for name, one in growth(record).items() if one.opens_more) or "none",
        "complaints": sum(1 for _ in complaints(record, sum(planned.values()))),
    }
    return " ".join(["soak", *(f"{key}={value}" for key, value in said.items())])


def _per_hour(one: Growth) -> float:
    return one.slope.per_hour if one.slope is not None else -np.inf
