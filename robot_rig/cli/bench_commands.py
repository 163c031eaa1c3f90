"""The words of `rig bench`, one function each: light signatures that `--help` reads, heavy imports once one is said.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from robot_rig.cli.options import Overlays, RunOptions
from robot_rig.errors import UserError


def bench_seeds(
    run: Path = Path("runs/seeds"),
    seeds: tuple[int, ...] = (0, 1, 2),
    goal_seeds: tuple[int, ...] = (12345, 99),
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
) -> int:
    """Run the demo for every seed and examine it on every goal seed; all are shown. About 4 minutes a seed.

    Exit code 1 when a bar is missed or a VAE was refused.

    Args:
        run: Folder of the runs; what is there already is gone on with.
        seeds: Seeds of training.
        goal_seeds: Seeds of the exam's goal pictures.
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set vae.beta=2; may be given more than once.
    """
    from benchmarks.seeds import run as run_seeds

    if not seeds or not goal_seeds:
        raise UserError("no seed to run", next_step="name one behind --seeds and one behind --goal-seeds")
    return run_seeds(RunOptions(run, config, set), seeds, goal_seeds)


def bench_demos(
    run: Path = Path("runs/demos"),
    seeds: tuple[int, ...] = (0, 1, 2),
    demonstrations: int = 20,
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
) -> int:
    """Imitation of demonstrations against random play on 20 goals, paired, for every seed; about a minute a seed.

    The demonstrations are a scripted operator's, simulated. Exit code 1 when random play is not beaten (p < .05).

    Args:
        run: Folder of the runs; what is there already is gone on with.
        seeds: Seeds of demonstrations and training.
        demonstrations: How many, of 3 s each.
        config: A preset or a YAML file laid over those of gcbc; may be given more than once.
        set: One setting; may be given more than once.
    """
    from benchmarks.demonstrations import run as run_demos

    if not seeds or demonstrations < 2:
        raise UserError("there is nothing to compare", next_step="give a seed or more, and 2 demonstrations or more")
    return run_demos(RunOptions(run, config, set), seeds, demonstrations)


def bench_novelty(run: Path, count: int = 100) -> int:
    """Does `rig goals` know what the robot has seen from what it has not? Pictures of the run's world and of others.

    Exit code 1 when pictures of its own world are called new, or such that are nothing like it are not.

    Args:
        run: Run folder with a checkpoint, of the reach task.
        count: Pictures of each world.
    """
    from benchmarks.novelty import run as run_novelty

    if count < 1:
        raise UserError(f"--count {count} shows nothing", next_step="give 1 or more")
    return run_novelty(run, count)


def bench_push(
    run: Path = Path("runs/push"),
    seeds: tuple[int, ...] = (0,),
    goal_seed: int | None = None,
    watched_steps: int = 5000,
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
) -> int:
    """Bring a puck to where 50 pictures show it, from nothing, for every seed; and what the encoder knows of the puck.

    The actor, and a policy that plans, learnt from the same log; beside do-nothing and random play. There is no bar
    here yet, and the exit code is 0.

    Args:
        run: Folder of the runs; what is there already is gone on with.
        seeds: Seeds of training.
        goal_seed: Seed of the exam's goal pictures.
        watched_steps: Steps of play that the encoder is measured on with the truth; no learner has them.
        config: A preset or a YAML file laid over push; may be given more than once.
        set: One setting; may be given more than once.
    """
    from benchmarks.push import run as run_push

    if not seeds or watched_steps < 1000:
        raise UserError("there is nothing to measure", next_step="give a seed or more, and 1000 watched steps or more")
    return run_push(RunOptions(run, ("push", *config), set, goal_seed=goal_seed), seeds, watched_steps)


def bench_sim(rounds: int = 7) -> int:
    """10 Hz steps per second through guard and picture, against a bare mj_step + render loop; exit 1 if too slow."""
    from benchmarks.sim import run

    if rounds < 1:
        raise UserError(f"--rounds {rounds} measures nothing", next_step="give 1 round or more")
    return run(rounds)


def bench_tick(rounds: int = 5) -> int:
    """From the camera's picture to the action, under load: the engine that this machine picks, against eager torch.

    A round in which the machine was away for more than 20 ms is void and repeated; exit code 1 when more than a fifth
    are, or the p99 of eager torch is less than three times as long.
    """
    from benchmarks.tick import run

    if rounds < 1:
        raise UserError(f"--rounds {rounds} measures nothing", next_step="give 1 round or more")
    return run(rounds)


def bench_refresh(
    run: Path = Path("runs/refresh"),
    seeds: tuple[int, ...] = (0, 1, 2),
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
) -> int:
    """Does success survive when the encoder is tuned in mid-practice? The curve across each tuning, for every seed.

    Practice of 1250 steps with a tuning every 500; the policies of every 250 steps, and those of right before and right
    after a tuning, are examined on the same goals. About 4 minutes a seed; RUN/seed-N/report.html draws the curve. Exit
    code 1 when a tuning costs more than 10 points of success, or a VAE was refused.

    Args:
        run: Folder of the runs; what is there already is gone on with.
        seeds: Seeds of training.
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set vae.beta=2; may be given more than once.
    """
    from benchmarks.refresh import run as run_refresh

    if not seeds:
        raise UserError("no seed to run", next_step="name one behind --seeds")
    return run_refresh(RunOptions(run, config, set), seeds)


def bench_precision(
    run: Path = Path("runs/precision"),
    seeds: tuple[int, ...] = (0, 1, 2),
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
) -> int:
    """Gradients in bfloat16 against float32: what both learn from the same play, and how fast, for every seed.

    VAE and agent learn from random play alone, without practice, so that nothing but the format differs; their
    policies are examined on the same goals. About 5 minutes a seed. Exit code 1 when bfloat16 ends more than .2 cm
    further away (mean over the seeds' medians), or a VAE was refused.

    Args:
        run: Folder of the runs; what is there already is gone on with.
        seeds: Seeds of play and training.
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set vae.beta=2; may be given more than once.
    """
    from benchmarks.precision import run as run_precision

    if not seeds:
        raise UserError("no seed to run", next_step="name one behind --seeds")
    return run_precision(RunOptions(run, config, set), seeds)
