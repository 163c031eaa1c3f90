"""Does it learn as well in bfloat16, and is it faster? Run by `rig bench precision`.

The same play is learnt from twice, in each number format (`robot_rig.learning.number_format`), with the same seed and
no practice: nothing but the format differs. Both final policies are examined on the same goals, and doing nothing too.
Then the formats take turns at updates, in CPU time, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from robot_rig.cli.options import RunOptions
from robot_rig.cli.progress import stage_bar
from robot_rig.cli.session import Session
from robot_rig.cli.tables import narrow_table
from robot_rig.data.set_copy import assemble
from robot_rig.data.sets import Origin, Placement
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Floats
from robot_rig.evaluation import Summary, in_cm, summarise
from robot_rig.learning.number_format import FORMATS
from robot_rig.run_mark import MARK_FILE
from robot_rig.runs import RunFolder
from robot_rig.stages.examine import DO_NOTHING
from robot_rig.stages.learn import Learning
from robot_rig.stages.shipping import checkpoint_path
from robot_rig.trainer import Trainer
from sim.exam import require_exam

FULL, SHORT = FORMATS

SETTINGS = ("practice.steps=0", "practice.pretrain_updates=4000")
"""No practice, which would go other ways: more updates on the play that both have."""

MOST_WORSE_M = 0.002
"""The bar: how much further away bfloat16 may end, mean over the seeds' medians; docs/results.md calls this noise."""

ROUNDS, VAE_UPDATES, AGENT_UPDATES = 7, 10, 100
"""A round is so many updates of each kind in each format, in turn."""


class Speed(NamedTuple):
    """Updates a second of CPU time, by format."""

    vae: Mapping[str, float]
    agent: Mapping[str, float]


class Outcome(NamedTuple):
    """Of one seed: how far each format's policy ended from the goals, by format, doing nothing, and the speeds."""

    seed: int
    final: Mapping[str, Summary]
    nothing: Summary
    speed: Speed


def run(options: RunOptions, seeds: Sequence[int]) -> int:
    """Learn in both formats and examine for every seed, print tables and last line; what is learnt is not repeated.

    Returns the exit code: 1 when bfloat16 misses its bar, or a VAE was refused.
    """
    console = Console()
    require_exam(options.load())
    outcomes = []
    for seed in seeds:
        outcome = _of_seed(replace(options.unless_set(*SETTINGS), seed=seed), seed, console)
        if outcome is not None:
            outcomes.append(outcome)
    show(outcomes, console)
    refused = len(seeds) - len(outcomes)
    worse = mean_worse_m(outcomes) if outcomes else float("nan")
    print(
        f"bench precision seeds={len(seeds)} refused={refused} bf16_worse_cm={100 * worse:.2f}"
        f" vae_ratio={_ratio(outcomes, lambda one: one.vae):.2f}"
        f" agent_ratio={_ratio(outcomes, lambda one: one.agent):.2f}"
    )
    return 1 if refused or not worse <= MOST_WORSE_M else 0


def mean_worse_m(outcomes: Sequence[Outcome]) -> float:
    """How much further away bfloat16 ends than float32, m: mean over the seeds' medians; below 0 it ends closer."""
    return float(np.mean([one.final[SHORT].median_m - one.final[FULL].median_m for one in outcomes]))


def _ratio(outcomes: Sequence[Outcome], kind: Callable[[Speed], Mapping[str, float]]) -> float:
    """How many times as fast bfloat16 is, median over seeds."""
    ratios = [kind(one.speed)[SHORT] / kind(one.speed)[FULL] for one in outcomes]
    return float(np.median(ratios)) if ratios else float("nan")


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print what was learnt, and how fast."""
    headings = ("seed", "format", "median", "p90", "worst 10 %", "do nothing: median", "p90")
    learnt = []
    for one in outcomes:
        for name in FORMATS:
            ended = one.final[name]
            cells = (ended.median_m, ended.p90_m, ended.worst_decile_m, one.nothing.median_m, one.nothing.p90_m)
            learnt.append((str(one.seed), name, *map(in_cm, cells)))
    title = "Learnt from the same play: tool tip to goal at the last step, cm"
    console.print(narrow_table(title, headings, learnt, left=(1,)))
    headings = ("seed", "VAE float32", "bfloat16", "ratio", "agent float32", "bfloat16", "ratio")
    fast = []
    for one in outcomes:
        row = [str(one.seed)]
        for rates in one.speed:
            row += [f"{rates[FULL]:.1f}", f"{rates[SHORT]:.1f}", f"{rates[SHORT] / rates[FULL]:.2f}"]
        fast.append(row)
    console.print(narrow_table("Updates a second of CPU time, in turn", headings, fast, left=()))
    units = bfloat16_units()
    console.print(f"this processor multiplies bfloat16 by itself: {', '.join(units) or 'no'}", highlight=False)


def bfloat16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The processor's instruction sets for bfloat16 by name; empty where there are none, or nobody tells."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    return sorted({word for word in text.split() if "bf16" in word})


def _of_seed(options: RunOptions, seed: int, console: Console) -> Outcome | None:
    """The outcome of one seed; None where a VAE was refused."""
    place = options.run / f"seed-{seed}"
    with Session(replace(options, run=place / "play", since_s=time.monotonic()), console) as session:
        session.collect()
    final, nothing = {}, None
    for name in FORMATS:
        mine = (*options.set, f"number_format={name}")
        here = replace(options, run=place / name, set=mine, since_s=time.monotonic())
        _copy_play(place / "play", here)
        with Session(here, console) as session:
            if not session.train():
                return None
            session.practise()
            found, success_m = session.examine(), session.config.evaluation.success_m
            final[name] = summarise(found[checkpoint_path(session.run, 0).name].final_m, success_m)
            nothing = summarise(found[DO_NOTHING].final_m, success_m)
    assert nothing is not None
    return Outcome(seed, final, nothing, _speed(place, console))


def _copy_play(source: Path, options: RunOptions) -> None:
    """The play of the run `source` in a run of its own, unless it lies there."""
    if not (options.run / MARK_FILE).exists():
        played = [Placement(path, path.name) for path in EpisodeStore(source / "episodes").paths()]
        assemble(options.run, options.load(), Origin({"word": "bench precision"}, (source,), tuple(played), ()))


def _speed(place: Path, console: Console) -> Speed:
    """Both learners of a seed go on for some rounds, of which nothing is kept."""
    learners: dict[str, Trainer] = {}
    for name in FORMATS:
        run = RunFolder.open(place / name)
        learners[name] = Learning(run, run.config).trainer
    took: dict[str, list[Floats]] = {name: [] for name in FORMATS}
    with stage_bar(console, "updates in turn", ROUNDS) as advance:
        for done in range(ROUNDS + 1):
            for name, trainer in learners.items():
                took[name].append(_timed(trainer))
            advance(done, "rounds")
    # The first round of each warms up.
    rates = {name: (VAE_UPDATES, AGENT_UPDATES) / np.median(rounds[1:], axis=0) for name, rounds in took.items()}
    return Speed(*({name: float(both[kind]) for name, both in rates.items()} for kind in range(2)))


def _timed(trainer: Trainer) -> Floats:
    """CPU seconds of a round's updates of the VAE and of the agent, (2,)."""
    begun = time.process_time()
    trainer.train_vae(VAE_UPDATES)
    between = time.process_time()
    trainer.update(AGENT_UPDATES)
    return np.array([between - begun, time.process_time() - between])
