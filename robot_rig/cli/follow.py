"""`rig train --data DIR --out DIR`: the learner apart from the robot, told by its log alone. Called by `cli.commands`.

It takes what the robot leaves it of the machine: lowest priority, the configured number of threads. Where the robot is
another machine, `cli.carriage` has local folders for both.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from robot_rig.cli.carriage import Carriage
from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data.store import EpisodeStore
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import Question
from robot_rig.keys import TrainerKey, key_folder
from robot_rig.metrics import MetricsLog
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.canary import Canary
from robot_rig.stages.follow import Following, Objection, Reports, no_objection
from robot_rig.stages.retention import Retention, thin_out
from robot_rig.stages.shipping import load_policy

NICENESS = 15
METRICS_EVERY = 10
"""Updates between two logged metrics."""

PLAYED = "played"
"""The robot's own run beside the learner's, as `practice.launch` calls it."""

NEVER = -2
LOOK_S = 0.5
"""How often the log is looked at while there is nothing new."""


def run_following(
    data: str,
    out: str,
    config: Sequence[str],
    settings: Sequence[str],
    patience: float,
    console: Console,
    canary: int = 0,
    keep: int = 0,
) -> None:
    """Learn from the run in `data`, into the run folder `out`, until no new episode has come for `patience` s.

    Both are folders, or addresses of folders on another machine (`transport.address`). A policy is shipped once it has
    reached `canary` goals in the simulator (`stages.canary`); 0: any is. The newest `keep` checkpoints stay, and of the
    older ones what `stages.retention` says; 0: all of them. Raises UserError when there is no run in `data` by then, or
    `out` cannot be worked in.
    """
    Retention(keep, every=1)
    step_back()
    # Signing comes after hours of play; a key that cannot be had is to be known now.
    TrainerKey.own(key_folder())
    with Carriage(data, out, patience, console, keep) as carriage:
        if patience <= 0.0:
            carriage.catch_up()
        await_run(carriage, patience, console)
        _learn(carriage, config, settings, patience, console, canary, keep)
        carriage.catch_up()


def _learn(
    carriage: Carriage,
    config: Sequence[str],
    settings: Sequence[str],
    patience: float,
    console: Console,
    canary: int,
    keep: int,
) -> None:
    chosen = load_config([carriage.data / CONFIG_FILE, *config], settings)
    data = RunFolder.open(carriage.data)
    log = EpisodeStore(data.episodes)
    with RunFolder.claim(carriage.out, chosen) as run, tried_on(canary, chosen) as objection:
        metrics = MetricsLog(run.metrics)
        try:
            reports = _reports(metrics, console)
            following = Following(run, chosen, log, reports, objection, data.id)
            retention = Retention(keep, chosen.practice.snapshot_every_steps)
            robots = dict.fromkeys([data.path, run.path.absolute().with_name(PLAYED)])
            _follow(following, patience, carriage.require_sound, Thinning(run.path, retention, robots, reports.say))
        finally:
            metrics.close()


@contextlib.contextmanager
def tried_on(goals: int, config: Config) -> Iterator[Objection]:
    """Objections to policies that do not reach so many `goals` in the simulator; they are not those of any exam."""
    if not goals:
        yield no_objection
        return
    # Here, because a trainer on another machine needs no simulator.
    from sim.exam import SimExam

    exam = config.evaluation
    drawn = exam.model_copy(update={"goals": goals, "goal_seed": exam.goal_seed + 1})
    examiner = SimExam(config.model_copy(update={"evaluation": drawn}), config.seed)
    canary = Canary(examiner, [Question.of(case) for case in examiner.goals], exam.episode_steps)
    try:
        yield lambda policy, before: canary.objection(policy, None if before is None else load_policy(before))
    finally:
        examiner.close()


def step_back() -> None:
    """Leave the machine to everybody else on it, first of all to the robot's own processes."""
    os.nice(NICENESS)
    # Where the kernel shares time among sessions first, a process's own value counts only within its session. roslaunch
    # gives each node one of its own; the session of a person's terminal is not ours to slow down.
    share = Path("/proc/self/autogroup")
    if os.getsid(0) == os.getpid() and share.exists():
        with contextlib.suppress(OSError):
            share.write_text(str(NICENESS))


def await_run(carriage: Carriage, patience: float, console: Console) -> None:
    """Return when there is a run to learn from. Raises UserError when there is none in `patience` s."""
    clock = WallClock()
    deadline = clock.now() + patience
    while True:
        carriage.require_sound()
        try:
            RunFolder.open(carriage.data)
        except UserError as error:
            if clock.now() >= deadline:
                raise carriage.no_run(error) from error
        else:
            return
        console.print(f"waiting for a run in {carriage.named}", highlight=False, soft_wrap=True)
        clock.sleep_until(clock.now() + 10 * LOOK_S)


class Thinning:
    """Removes checkpoints that are not kept once there is another one; `say` is told once that it does, or cannot.

    `run`, `retention` and `robots` as `stages.retention` has them.
    """

    def __init__(self, run: Path, retention: Retention, robots: Iterable[Path], say: Callable[[str], None]) -> None:
        self._run, self._retention, self._robots, self._say = run, retention, tuple(robots), say
        self._shipped = NEVER
        self._told: set[str] = set()

    def see_to(self, shipped: int) -> None:
        """The newest checkpoint is that after `shipped` steps."""
        if shipped == self._shipped:
            return
        self._shipped = shipped
        try:
            gone = thin_out(self._run, self._retention, self._robots)
        except (UserError, OSError) as error:
            # Learning goes on: what is too much on a disk is seen to by a person, or at the next checkpoint.
            self._tell(f"no checkpoint is removed: {error}")
        else:
            if gone:
                self._tell(f"of the older checkpoints ever fewer stay (--keep {self._retention.newest})")

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence)


def _follow(following: Following, patience: float, require_sound: Callable[[], None], thinning: Thinning) -> None:
    clock = WallClock()
    deadline = clock.now() + patience
    while True:
        require_sound()
        thinning.see_to(following.counts.shipped)
        if following.advance():
            deadline = clock.now() + patience
        elif clock.now() >= deadline:
            return
        else:
            clock.sleep_until(clock.now() + LOOK_S)


def _reports(metrics: MetricsLog, console: Console) -> Reports:
    def curve(stage: str, update: int, values: Mapping[str, float]) -> None:
        if update % METRICS_EVERY == 0:
            metrics.add(stage, update, values)

    return Reports(curve, lambda sentence: console.print(sentence, highlight=False, soft_wrap=True))
