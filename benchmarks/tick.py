"""How long a policy tick takes, from the camera's picture to the action, against eager torch. Run by `rig bench tick`.

Both crop and shrink the picture in the same way and answer it with the same networks, motion under way included; eager
torch is the library's own reference policy on one thread. One process, a tick of each in turn at a camera's pace,
while a matrix product keeps every core busy: that is what a robot's computer does when a trainer runs beside it. Both
run in the real-time class where that is permitted, as the nodes do; otherwise the scheduler's whims are measured too.
A round in which a core's heartbeat, above both, stopped for more than 20 ms is void and repeated.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.attempts import Attempts, void_reason
from benchmarks.heartbeat import ABOVE_ALL, Heartbeat
from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.datatypes import Bytes, Floats, Goal, RawFrame
from robot_rig.interfaces import Policy
from robot_rig.learning.checkpoint import Manifest
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.runtime import EAGER, pick_runtime, under_way, use_one_core
from robot_rig.learning.td3 import Actor
from robot_rig.learning.vae import Vae
from robot_rig.vision import preprocess

TICKS_A_ROUND = 300
WARM_UP_TICKS = 30
PACE_S = 1 / 60
"""From one tick to the next: between two pictures the caches belong to others."""

PRIORITY = 20

LEAST_RATIO = 3.0
"""How many times as long the p99 of eager torch must be."""

LOAD = """
import numpy
a = numpy.random.default_rng(0).random((512, 512))
while True:
    a @ a
"""


def untrained(config: Config) -> tuple[LatentPolicy, Manifest]:
    """A policy of the configured sizes that has learnt nothing: its arithmetic is that of a good one."""
    pictures = np.random.default_rng(0).integers(0, 256, (64, 84, 84, 3), np.uint8)
    vae = Vae.of(config.vae, config.seed)
    vae.train_batch(pictures)
    space = LatentSpace.fit("identity", *vae.encode(pictures))
    axes = len(config.control.axes)
    torch.manual_seed(config.seed)
    actor, motion = Actor(space.feature_dim, axes, config.agent.hidden), MotionNet(space.feature_dim, axes)
    policy = LatentPolicy(vae, space, actor, motion)
    golden = np.zeros(axes, np.float32)
    manifest = Manifest(vae.encoder_id, config.hash(), vae.latent_dim, axes, 0, pictures[0], pictures[1], golden)
    return policy, manifest


@contextmanager
def busy_cores() -> Iterator[None]:
    """A matrix product on every core."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    loads = [subprocess.Popen([sys.executable, "-c", LOAD], env=environment) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for load in loads:
            load.kill()
        for load in loads:
            load.wait()


@contextmanager
def real_time() -> Iterator[str]:
    """SCHED_FIFO for this thread while the context lasts, where it is permitted; says which it is."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        yield f"normal scheduling, because SCHED_FIFO is not permitted ({error.strerror})"
        return
    try:
        yield f"SCHED_FIFO {PRIORITY}"
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def one_round(contestants: dict[str, Policy], picture: Bytes, config: Config, ticks: int) -> dict[str, Floats]:
    """Seconds of `ticks` ticks of each contestant and, as `crop`, of the part that they share.

    Every tick gets a copy of `picture` that has just been made, as a camera's driver does.
    """
    clock = WallClock()
    moving = under_way(len(config.control.axes))
    times = {name: np.empty(ticks) for name in contestants}
    crops = np.empty((ticks, len(contestants)))
    deadline = clock.now()
    for tick in range(ticks):
        for column, (name, policy) in enumerate(contestants.items()):
            deadline = max(deadline + PACE_S, clock.now())
            clock.sleep_until(deadline)
            raw = RawFrame(tick, deadline, picture)
            started = time.perf_counter()
            frame = preprocess(raw, config.camera)
            cropped = time.perf_counter()
            policy.act(frame, moving)
            times[name][tick] = time.perf_counter() - started
            crops[tick, column] = cropped - started
    return {"crop": crops.ravel(), **times}


class Heart(Protocol):
    """What a round needs to know of `benchmarks.heartbeat.Heartbeat`."""

    def worst_gap(self, since: float, until: float) -> float:
        """The longest gap (s) that overlaps `since` to `until`."""
        ...


def valid_rounds(
    one: Callable[[], dict[str, Floats]], heart: Heart, attempts: Attempts, tell: Callable[[str], None]
) -> list[dict[str, Floats]]:
    """What `one` measured in rounds during which the machine was there; fewer than wanted when too many were void."""
    clock, measured = WallClock(), []
    while attempts.wanting and not attempts.failed:
        began = clock.now()
        times = one()
        reason = void_reason(heart.worst_gap(began, clock.now()))
        if attempts.add(f"round {attempts.made + 1}", reason):
            measured.append(times)
        else:
            tell(f"void, repeated: {attempts.voids[-1]}")
    return measured


def run(rounds: int) -> int:
    """Measure `rounds` valid rounds under load, print the table and the last line.

    Exit code 1 when the ratio of the p99 is below its bar, or too many rounds were void.
    """
    console = Console()
    config = Config()
    use_one_core()
    eager, manifest = untrained(config)
    chosen = pick_runtime(eager, manifest)
    console.print(f"idle, {chosen.describe()}", highlight=False)
    contestants: dict[str, Policy] = {EAGER: eager, chosen.name: chosen.policy}
    for policy in contestants.values():
        policy.begin(Goal(manifest.golden_goal, "bench", 0.0, calibration_id="", source="imported"))
    picture = np.random.default_rng(1).integers(0, 256, (config.camera.height_px, config.camera.width_px, 3), np.uint8)
    attempts = Attempts(rounds)

    def one() -> dict[str, Floats]:
        with real_time():
            one_round(contestants, picture, config, WARM_UP_TICKS)
            return one_round(contestants, picture, config, TICKS_A_ROUND)

    with Heartbeat(ABOVE_ALL) as heart, busy_cores():
        measured = valid_rounds(one, heart, attempts, lambda line: console.print(line, highlight=False))
    with real_time() as scheduling:
        console.print(
            f"load on all {os.cpu_count()} cores, {scheduling}; heartbeat: {heart.scheduling}", highlight=False
        )
    if not measured:
        console.print(f"{attempts}: nothing was measured; try again when the machine has less to do", highlight=False)
        print(f"bench tick p99_ratio=none voids={len(attempts.voids)} attempts={attempts.made}")
        return 1
    labels = {"crop": "crop and shrink, in both", EAGER: f"{EAGER}, whole tick", chosen.name: f"{chosen.name}, whole"}
    console.print(_table(labels, measured))
    return _verdict(measured, chosen.name, attempts, console)


def _verdict(measured: Sequence[dict[str, Floats]], ours: str, attempts: Attempts, console: Console) -> int:
    ratios = [np.percentile(times[EAGER], 99) / np.percentile(times[ours], 99) for times in measured]
    p99_us = 1e6 * np.percentile(np.concatenate([times[ours] for times in measured]), 99)
    ratio = statistics.median(ratios)
    met = ratio >= LEAST_RATIO and not attempts.failed
    console.print(f"bar: ratio at least {LEAST_RATIO:g}, {attempts}: {'met' if met else 'MISSED'}", highlight=False)
    print(
        f"bench tick p99_ratio={ratio:.2f} p99_us={p99_us:.0f} runtime={ours.split()[0]}"
        f" rounds={','.join(f'{ratio:.2f}' for ratio in ratios)} voids={len(attempts.voids)} attempts={attempts.made}"
    )
    return 0 if met else 1


def _table(labels: dict[str, str], measured: Sequence[dict[str, Floats]]) -> Table:
    table = Table(title=f"microseconds under load, {len(measured)} rounds of {TICKS_A_ROUND} ticks")
    table.add_column("tick")
    for column in ("p50", "p99", "p99.9", "max"):
        table.add_column(column, justify="right")
    for name, label in labels.items():
        pooled = 1e6 * np.concatenate([times[name] for times in measured])
        table.add_row(label, *(f"{value:.0f}" for value in np.percentile(pooled, [50, 99, 99.9, 100])))
    return table
