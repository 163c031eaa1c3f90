"""Does the novelty of a goal picture tell what the robot knows from what it has never seen? Run by `rig bench novelty`.

Pictures of the run's own simulated world, and of worlds that differ from it in one thing each, are shown to
`learning.novelty` with the run's encoder and log: the share that is called new, and beside it what each part alone,
and the latent distance to the nearest logged frame, would have called new at the same rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from robot_rig.cli.goal_judging import frames_of, log_of, newest_encoder
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import IMAGE_SIZE, Bytes, Floats
from robot_rig.learning.novelty import LIMIT_QUANTILE, Memory
from robot_rig.runs import CONFIG_FILE, RunFolder
from sim.exam import require_exam
from sim.rig import SimRig

OWN, FRESH = "held out", "anywhere in the box"
MOST_FALSE_ALARMS = 0.05
CLEARLY_NEW = ("light x 0.5", "light x 1.5", "lamp off", "a photo of a person")
LEAST_CAUGHT = 0.95
"""The bars: of pictures from anywhere in the box, and of those that are nothing like the run's world."""

LIGHTS = (0.5, 0.7, 0.85, 0.95, 1.05, 1.2, 1.5)


def run(folder: Path, count: int) -> int:
    """Print the table and last line for the run in `folder`, `count` pictures a world; 1 when a bar is missed."""
    console = Console()
    config = RunFolder.open(folder).config
    require_exam(config)
    encoder = newest_encoder(folder)
    known, _, held_out = frames_of(log_of(folder), console)
    memory = Memory(encoder, known, held_out)
    own = memory.measure(held_out)
    limits = {name: np.quantile(getattr(own, name), LIMIT_QUANTILE) for name in ("worst", "overall", "apart")}
    table = Table(title=f"Called new by {encoder.encoder_id}, {len(known)} frames known, {len(held_out)} held out")
    for column in ("pictures", "called new", "median novelty", "worst block", "all blocks", "latent distance"):
        table.add_column(column, justify="left" if column == "pictures" else "right")
    caught: dict[str, float] = {}
    for name, pictures in [(OWN, held_out), *worlds(config, folder, count)]:
        novelty = np.array([memory.look(picture).novelty for picture in pictures])
        found = memory.measure(pictures)
        caught[name] = float(np.mean(novelty > 1.0))
        alone = [f"{np.mean(getattr(found, part) > limit):.0%}" for part, limit in limits.items()]
        table.add_row(name, f"{caught[name]:.0%}", f"{np.median(novelty):.2f}", *alone)
    console.print(table)
    missed = [name for name in CLEARLY_NEW if caught[name] < LEAST_CAUGHT]
    missed += [FRESH] if caught[FRESH] > MOST_FALSE_ALARMS else []
    print(f"bench novelty own={caught[OWN]:.3f} anywhere={caught[FRESH]:.3f} missed={','.join(missed) or 'none'}")
    return 1 if missed else 0


def worlds(config: Config, folder: Path, count: int) -> Iterator[tuple[str, Bytes]]:
    """What is shown, by name: uint8 (count, 84, 84, 3) each."""
    rng = np.random.default_rng(0)
    low, high = np.array(config.guard.box_low_m), np.array(config.guard.box_high_m)
    inside = rng.uniform(low, high, (count, 3))
    inside[:, 2] = config.control.tool_height_m
    rig = SimRig(config, config.seed)
    try:
        fresh = _pictures(rig, config, inside)
        yield FRESH, fresh
        for away in (0.03, 0.08):
            places, side = inside.copy(), rng.integers(4, size=count)
            for axis, edge, sign in ((0, low, -1), (0, high, 1), (1, low, -1), (1, high, 1)):
                here = side == 2 * axis + (sign > 0)
                places[here, axis] = edge[axis] + sign * away
            yield f"arm {100 * away:.0f} cm outside", _pictures(rig, config, places)
        for above in (0.03, 0.08, 0.15):
            yield f"arm {100 * above:.0f} cm higher", _pictures(rig, config, inside + np.array([0.0, 0.0, above]))
        lamps = (rig.world.model.vis.headlight.ambient, rig.world.model.vis.headlight.diffuse)
        usual = [lamp.copy() for lamp in (*lamps, rig.world.model.light_diffuse)]
        for factor in LIGHTS:
            for lamp, shade in zip((*lamps, rig.world.model.light_diffuse), usual, strict=True):
                lamp[:] = factor * shade
            yield f"light x {factor:g}", _pictures(rig, config, inside)
        for lamp, shade in zip(lamps, usual[:2], strict=True):
            lamp[:] = shade
        rig.world.model.light_diffuse[:] = 0.0
        yield "lamp off", _pictures(rig, config, inside)
    finally:
        rig.close()
    pushing = load_config([folder / CONFIG_FILE], ["sim.scene=push"])
    rig = SimRig(pushing, pushing.seed)
    try:
        yield "a puck on the table", _pictures(rig, pushing, inside)
    finally:
        rig.close()
    yield "colours 10 % off", np.clip(fresh * [1.1, 1.0, 0.9], 0, 255).astype(np.uint8)
    yield "camera turned by 3 px", np.roll(fresh, 3, axis=2)
    yield "a photo of a person", _of_a_person(rng, count)


def _pictures(rig: SimRig, config: Config, places: Floats) -> Bytes:
    """What the eye sees with the tip at each of `places` (N, 3) m."""
    home = np.array(config.control.home_posture_rad)
    seen = []
    for place in places:
        rig.world.teleport(solve_position(rig.kinematics, place, TOOL_DOWN, home))
        seen.append(rig.look().rgb)
    return np.stack(seen)


def _of_a_person(rng: np.random.Generator, count: int) -> Bytes:
    """Windows of the portrait that comes with matplotlib: a picture that no robot has taken."""
    read = cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    assert read is not None
    portrait = read[..., ::-1]
    shown = []
    for _ in range(count):
        side = rng.integers(IMAGE_SIZE, min(portrait.shape[:2]))
        top, left = (rng.integers(length - side + 1) for length in portrait.shape[:2])
        window = np.ascontiguousarray(portrait[top : top + side, left : left + side])
        shown.append(cv2.resize(window, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA))
    return np.stack(shown).astype(np.uint8)
