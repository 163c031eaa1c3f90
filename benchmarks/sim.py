"""How much of a bare simulator's speed is left behind action map, guard and records. Run by `rig bench sim`.

The bare loop is what one writes without a safety layer: 50 physics steps with a constant control and one picture, on
the very same model, picture size and tessellation. Both run in one process on one core, in turn; the ratio within each
round is what counts, because shared machines change their speed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import mujoco
from rich.console import Console
from rich.progress import track
from rich.table import Table

from robot_rig.config import Config
from robot_rig.datatypes import IMAGE_SIZE, Source
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop
from sim.rig import SimRig
from sim.scenes import EYE, TIMESTEP_S
from sim.world import World

STEPS_A_ROUND = 100
WARM_UP_STEPS = 20

LEAST_RATIO = 0.5
"""The bar: at least this share of the bare loop's speed is left."""


def bare_loop(config: Config) -> Callable[[int], None]:
    """A function that runs n steps of mj_step + render, nothing else."""
    world = World(config, config.seed)
    model, data = world.model, world.data
    model.vis.global_.offwidth = model.vis.global_.offheight = IMAGE_SIZE
    renderer = mujoco.Renderer(model, IMAGE_SIZE, IMAGE_SIZE)
    camera = model.camera(EYE).id
    substeps = round(1.0 / config.control.policy_rate_hz / TIMESTEP_S)

    def run(steps: int) -> None:
        for _ in range(steps):
            mujoco.mj_step(model, data, nstep=substeps)
            renderer.update_scene(data, camera)
            renderer.render()

    return run


def guarded_loop(config: Config) -> Callable[[int], None]:
    """A function that runs n steps of random play through policy loop, action map, guard and picture."""
    rig = SimRig(config, config.seed)
    policy = RandomPolicy(config.collect.ou_theta, config.collect.ou_sigma, len(config.control.axes), config.seed)
    loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / config.control.policy_rate_hz, config.control.lag_s)

    def run(steps: int) -> None:
        for _ in play(rig, loop, policy, None, Source.RANDOM, steps):
            pass

    return run


def run(rounds: int) -> int:
    """Measure `rounds` interleaved rounds, print table, bar and last line; returns the exit code, 1: bar missed."""
    console = Console()
    config = Config()
    loops = {"bare mj_step + render": bare_loop(config), "through guard and records": guarded_loop(config)}
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for loop in loops.values():
        loop(WARM_UP_STEPS)
    for _ in track(range(rounds), "rounds", console=console):
        for name, loop in loops.items():
            started = time.process_time()
            loop(STEPS_A_ROUND)
            rates[name].append(STEPS_A_ROUND / (time.process_time() - started))
    table = Table(title="10 Hz steps per second of one core's time")
    for column in ("loop", "min", "median", "max"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    for name, values in rates.items():
        table.add_row(name, *(f"{value:.0f}" for value in (min(values), statistics.median(values), max(values))))
    console.print(table)
    bare, guarded = rates.values()
    ratio = statistics.median(ours / theirs for ours, theirs in zip(guarded, bare, strict=True))
    met = ratio >= LEAST_RATIO
    console.print(f"bar: ratio at least {LEAST_RATIO}, {'met' if met else 'MISSED'}", highlight=False)
    print(f"bench sim steps_per_s={statistics.median(guarded):.0f} ratio={ratio:.2f}")
    return 0 if met else 1
