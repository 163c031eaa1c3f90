"""The claim of imitation: 20 demonstrations beat random play on 20 goals. Run by `rig bench demos`.

The demonstrations are a scripted operator's in the simulator (`sim.scripted_operator`), no person's. What learns from
them is `agent.kind: gcbc`, from pictures alone, with nothing else in its run: no play, no practice. What is compared is
the final distance at the same goals, by a paired test.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from robot_rig.cli.options import RunOptions
from robot_rig.cli.progress import stage_bar
from robot_rig.cli.session import Session
from robot_rig.config import Config
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Floats
from robot_rig.disk import appearing
from robot_rig.evaluation import in_cm, summarise
from robot_rig.evaluation_compare import LEVEL, Paired, Unit, pair, sentence
from robot_rig.stages.demonstrations import demonstrations_in
from robot_rig.stages.examine import DO_NOTHING, RANDOM
from robot_rig.stages.shipping import checkpoint_path
from sim.rig import SimRig
from sim.scripted_operator import demonstrate

DEMONSTRATIONS, GOALS = 20, 20
CM = Unit("cm", 100.0, 2)


class Outcome(NamedTuple):
    """Of one seed: final distances (N,) m of imitator and random play at the same goals, and their comparison."""

    seed: int
    imitator_m: Floats
    random_m: Floats
    paired: Paired

    @property
    def met(self) -> bool:
        """Whether the imitator ended closer, and chance would not have done that."""
        return self.paired.p < LEVEL and self.paired.median < 0.0


def run(options: RunOptions, seeds: Sequence[int], demonstrations: int) -> int:
    """Show, learn and examine for every seed, and print table, sentences and last line; nothing done is repeated.

    Returns the exit code: 1 when the imitator does not beat random play on a seed, or its VAE was refused.
    """
    console = Console()
    table = Table(title=f"{demonstrations} demonstrations of a scripted operator, final distance in cm")
    for column in ("seed", "imitation: median", "mean", "p90", "random play", "do nothing", "closer on", "p", "wall s"):
        table.add_column(column, justify="right")
    outcomes: list[Outcome] = []
    for seed in seeds:
        begun = time.monotonic()
        outcome, nothing_m = _of_seed(replace(options, seed=seed, since_s=begun), seed, demonstrations, console)
        if outcome is None:
            table.add_row(str(seed), "VAE refused")
            continue
        outcomes.append(outcome)
        ended, paired = summarise(outcome.imitator_m, 0.03), outcome.paired
        cells = [in_cm(ended.median_m), in_cm(ended.mean_m), in_cm(ended.p90_m), in_cm(_median(outcome.random_m))]
        cells += [in_cm(nothing_m), f"{paired.closer} of {paired.n}", f"{paired.p:.2g}"]
        table.add_row(str(seed), *cells, f"{time.monotonic() - begun:.0f}")
    console.print(table)
    for outcome in outcomes:
        console.print(
            f"seed {outcome.seed}: {sentence('random play', 'imitation', outcome.paired, outcome.paired.p, CM)}"
        )
    met = sum(outcome.met for outcome in outcomes)
    medians = [in_cm(_median(outcome.imitator_m)) for outcome in outcomes]
    print(f"bench demos seeds={len(seeds)} met={met} median_cm={','.join(medians) or 'none'}")
    return 0 if met == len(seeds) else 1


def _of_seed(options: RunOptions, seed: int, demonstrations: int, console: Console) -> tuple[Outcome | None, float]:
    """The outcome of one seed, None where the VAE was refused, and how far doing nothing ends, m."""
    place = options.run / f"seed-{seed}"
    here = replace(
        options,
        run=place / "run",
        config=("gcbc", *options.config),
        set=(f"evaluation.goals={GOALS}", *options.set),
    )
    _show(here.load(), place / "shown", seed, demonstrations, console)
    with Session(here, console) as session:
        session.bring_in(demonstrations_in(place / "shown"))
        if not session.train():
            return None, 0.0
        session.practise()
        found = session.examine()
    imitator, randomly = (found[name].final_m for name in (checkpoint_path(session.run, 0).name, RANDOM))
    return Outcome(seed, imitator, randomly, pair(randomly, imitator)), _median(found[DO_NOTHING].final_m)


def _show(config: Config, folder: Path, seed: int, count: int, console: Console) -> None:
    """`count` demonstrations in `folder`, unless they lie there already."""
    if folder.exists():
        return
    rig = SimRig(config, seed)
    try:
        with appearing(folder) as fresh, stage_bar(console, "a scripted operator shows", count) as advance:
            store = EpisodeStore(fresh)
            demonstrate(rig, config, store, count, seed, lambda done: advance(done, "demonstrations"))
    finally:
        rig.close()


def _median(distances_m: Floats) -> float:
    return float(summarise(distances_m, 0.03).median_m)
