"""The words of `rig`, one function each: light signatures that `--help` reads, heavy imports only once a word is said.

Called by `robot_rig.cli.main`. Every function returns the exit code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from robot_rig.cli.options import Overlays, RunOptions
from robot_rig.errors import UserError


def demo(
    run: Path | None = None,
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    seed: int | None = None,
    goal_seed: int | None = None,
    resume: bool = False,
) -> int:
    """Learn to reach pictures in the simulator, from nothing to a report: collect, train, practise, examine.

    Takes about 4 minutes on 2 cores. The last line printed sums it up; the report is RUN/report.html.

    Args:
        run: Run folder; a free one under runs/ when not given (with --resume: the newest demo there).
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set vae.beta=2; may be given more than once.
        seed: Seed of everything random in the run.
        goal_seed: Seed of the exam's goal pictures, which training never sees.
        resume: Go on where Ctrl-C or a crash ended the run.
    """
    from robot_rig.cli.demo import demo_folder, run_demo

    folder = demo_folder(run, resume)
    return run_demo(RunOptions(folder, config, set, seed, goal_seed), Console())


def collect(options: Annotated[RunOptions, tyro.conf.arg(name="")]) -> int:
    """Let the arm play at random and log every step (stage 1). Goes on behind what the run holds already."""
    from robot_rig.cli.session import Session

    with Session(options, Console()) as session:
        session.collect()
    return 0


def train(
    run: Path | None = None,
    demos: Path | None = None,
    data: str | None = None,
    out: str | None = None,
    follow: bool = False,
    canary: int = 0,
    keep: int = 16,
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    seed: int | None = None,
    goal_seed: int | None = None,
) -> int:
    """Train the beta-VAE on the logged play and check it from pictures alone (stage 2); exit code 1 if it is unfit.

    With --demos, what people have shown is learnt from too, and a run may begin with that alone; `--config gcbc` then
    imitates it. With --data and --out: learn everything, VAE and policy, from what a robot has played and practised,
    apart from it; there, what people do with the arm is in the log already.

    Args:
        run: Run folder: log, checkpoints, metrics, exam and report.
        demos: Folder of demonstrations: episodes in which a person moved the arm, in it or below; copied into the run.
        data: Run folder that the robot's recorder logs into; only read. On another machine: ssh://[user@]host[:port]/DIR.
        out: Run folder for what is learnt: checkpoints, metrics, and what is needed to go on after a kill. With ssh://
            it is a local one under runs/mirror, whose checkpoints are brought there.
        follow: Do not end when the log does: new episodes are learnt from as they come, until Ctrl-C.
        canary: Goals that a policy must reach in the simulator before it is shipped; 0: none. For a simulated arm only:
            what a real camera shows, no simulator can judge.
        keep: Newest checkpoints that stay in OUT, here and on the robot. Of older ones ever fewer do, and those that an
            exam, a person or the robot needs; 0: all.
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the settings; may be given more than once.
        set: One setting, as in --set vae.beta=2; may be given more than once.
        seed: Seed of everything random in the run.
        goal_seed: Seed of the exam's goal pictures.
    """
    if canary < 0:
        raise UserError(f"--canary {canary} is no number of goals", next_step="give 0 or more, as in --canary 10")
    if run is not None and data is None and out is None and not follow:
        from robot_rig.cli.session import Session
        from robot_rig.stages.demonstrations import demonstrations_in

        options = RunOptions(run, config, set, seed, goal_seed)
        shown = [] if demos is None else demonstrations_in(demos)
        with Session(options if shown else options.begun(), Console()) as session:
            if shown:
                session.bring_in(shown)
            return 0 if session.train() else 1
    if run is not None or data is None or out is None or demos is not None:
        raise UserError(
            "it must be said where to learn from",
            choices=["--run DIR [--demos DIR]", "--data DIR --out DIR", "... --follow"],
        )
    from robot_rig.cli.follow import run_following

    chosen = RunOptions(Path(out), config, set, seed, goal_seed)
    run_following(data, out, config, chosen.settings(), float("inf") if follow else 0.0, Console(), canary, keep)
    return 0


def practice(options: Annotated[RunOptions, tyro.conf.arg(name="")]) -> int:
    """Practise on imagined goals (stage 3). Refuses to start on a VAE that failed its check."""
    from robot_rig.cli.session import Session

    with Session(options.begun(), Console()) as session:
        session.practise()
    return 0


def report(options: Annotated[RunOptions, tyro.conf.arg(name="")]) -> int:
    """Write the run's report, one HTML file that opens anywhere (stage 5)."""
    from robot_rig.cli.session import Session

    with Session(options.begun(), Console()) as session:
        session.report()
    return 0


def reach(run: Path, goal: Path, film: Path = Path("reach.gif")) -> int:
    """Show the arm a picture and watch it go there: the newest policy of a run, from home, in the simulator.

    Goal pictures to try lie in RUN/evaluation/goals-*/pictures after `rig eval` or `rig demo`.

    Args:
        run: Run folder with a checkpoint.
        goal: The picture: 84x84 colour PNG or JPEG of the same camera.
        film: Where to put the film, .gif or .mp4.
    """
    from robot_rig.cli.reach import run_reach

    run_reach(run, goal, film, Console())
    return 0


def config(options: Annotated[RunOptions, tyro.conf.arg(name="")] = RunOptions(Path())) -> int:  # noqa: B008 - frozen
    """Print every setting with its meaning, unit and range, or, with --config or --set, the resolved values."""
    from robot_rig.config_files import describe_config, dump_config

    chosen = bool(options.config or options.set or options.seed is not None or options.goal_seed is not None)
    print(dump_config(options.load()) if chosen else describe_config(), end="")
    return 0


def keys_init() -> int:
    """Make this machine's key, with which it signs checkpoints, where there is none; a robot on it believes it."""
    from robot_rig.cli.keys import init

    return init(Console())


def keys_show() -> int:
    """As whom this machine signs, and whose checkpoints a robot on it believes."""
    from robot_rig.cli.keys import show

    return show(Console())


def keys_trust(public: tyro.conf.Positional[Path]) -> int:
    """Believe the trainer whose trainer.pub this is, and no other: only its checkpoints move this robot's arm."""
    from robot_rig.cli.keys import trust

    return trust(public, Console())


def keys_sign(path: tyro.conf.Positional[Path]) -> int:
    """Sign a checkpoint, or all of a run, that bears no signature or another's; you answer for where it is from."""
    from robot_rig.cli.keys import sign

    return sign(path, Console())


def rollback(run: tyro.conf.Positional[Path]) -> int:
    """Let the robot of a practice run go back to the checkpoint before the one that acts, from the next episode on."""
    from robot_rig.cli.keys import rollback

    return rollback(run, Console())
