"""The stages on the simulated arm, with progress bars and the words between them. Called by `robot_rig.cli.commands`.

A session claims one run folder, and every stage reads from it what the stages before have written; so the stages of a
demo and the commands of a person are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rich.console import Console

from robot_rig.cli.options import RunOptions
from robot_rig.cli.progress import stage_bar
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation
from robot_rig.keys import TrainerKey, key_folder
from robot_rig.metrics import MetricsLog
from robot_rig.report import write_report
from robot_rig.report_film import Film, thirds, write_film
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import collect, where_play_ended
from robot_rig.stages.demonstrations import bring_in
from robot_rig.stages.examine import candidates, examine, results
from robot_rig.stages.learn import SAVED, Learning
from robot_rig.stages.practice import OnRefresh, Practice, ignore_refresh
from robot_rig.stages.reporting import gather, load_health, save_health
from robot_rig.stages.shipping import ship
from robot_rig.vision import save_picture
from sim.exam import SimExam
from sim.rig import SimRig

STAGES = ("collect", "train", "practice", "eval", "report")
METRICS_EVERY = 10
"""Updates between two logged metrics."""

LOSS = {"rig": "critic_loss", "gcbc": "imitation_loss"}
"""What the bar shows of an agent."""


class Session:
    """A claimed run and the person watching it; a context manager. Raises UserError when the run cannot be claimed."""

    def __init__(self, options: RunOptions, console: Console) -> None:
        self.config = options.load()
        self._console = console
        self._since_s = options.since_s
        self.run = RunFolder.claim(options.run, self.config)
        self._metrics = MetricsLog(self.run.metrics)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics.close()
        self.run.close()

    def collect(self) -> None:
        """Stage 1: random play."""
        settings = self.config.collect
        total = settings.steps + settings.held_out_steps
        with self._stage("collect"), stage_bar(self._console, "1 random play", total) as advance:
            rig = SimRig(self.config, self.config.seed)
            try:
                collect(self.run, self.config, rig, lambda done: advance(done, "steps"))
            finally:
                rig.close()

    def bring_in(self, paths: Sequence[Path]) -> None:
        """Before stage 2: the demonstrations among `paths`, copied into the run. Raises UserError when none is one."""
        learnt = self.run.load_arrays(SAVED, next_step="delete it and run `rig train` to learn anew from the log")
        with stage_bar(self._console, "demonstrations", len(paths)) as advance:
            brought = bring_in(self.run, paths, "learnt" if learnt else "first", lambda done: advance(done, "files"))
        for sentence in brought.told():
            self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def train(self) -> bool:
        """Stage 2: the VAE and its check; whether the agent may learn on it."""
        # Signing comes at the end of hours; a key that cannot be had is to be known now.
        TrainerKey.own(key_folder())
        with self._stage("train"):
            learning = Learning(self.run, self.config)
            with stage_bar(self._console, "2 beta-VAE", self.config.vae.updates) as advance:
                learning.train_vae(self._logging("vae", advance, "reconstruction"))
            if not learning.trainer.practising:
                save_health(self.run, learning.check_health())
        health = load_health(self.run)
        verdict = "fit to practise on" if health.passed else "NOT fit to practise on"
        if not health.passed and health.serves(self.config.agent.kind):
            verdict += ", but imitation needs no reward and goes on"
        self._console.print(f"VAE check, from pictures alone: {verdict}", *health.findings, sep="\n  ")
        return health.serves(self.config.agent.kind)

    def practise(self, on_refresh: OnRefresh = ignore_refresh) -> None:
        """Stage 3: practice on imagined goals, with a checkpoint now and then."""
        if not load_health(self.run).serves(self.config.agent.kind):
            raise UserError("the VAE failed its check: practice would be wasted", next_step="see `rig train`")
        self.practise_anyway(on_refresh)

    def practise_anyway(self, on_refresh: OnRefresh = ignore_refresh) -> None:
        """Stage 3, whatever the VAE's check says: for who asks whether the check is right."""
        health, settings = load_health(self.run), self.config.practice
        with self._stage("practice"):
            learning = Learning(self.run, self.config)
            with stage_bar(self._console, "3 learn from play", settings.pretrain_updates) as advance:
                learning.begin_practice(self._logging("td3", advance, LOSS[self.config.agent.kind]), health.lag)
            if not settings.steps:
                self._tell_held(learning)
                # What an arm on the network has played can be learnt from without a simulated one to practise on.
                ship(self.run, self.config, learning.trainer, 0)
                return
            rig = SimRig(self.config, self.config.seed)
            try:
                # After demonstrations alone there is no such place: the arm begins at home.
                if ended := where_play_ended(self.run):
                    rig.load_state(ended)
                practice = Practice(self.config, rig, learning, on_refresh)
                ship(self.run, self.config, learning.trainer, practice.steps)
                with stage_bar(self._console, "3 practice", settings.steps) as advance:
                    self._practise(practice, learning, advance)
                self._tell_held(learning)
            finally:
                rig.close()

    def _tell_held(self, learning: Learning) -> None:
        self._console.print(f"the learner holds {learning.told}", highlight=False, soft_wrap=True)

    def _practise(self, practice: Practice, learning: Learning, advance: Callable[[int, str], None]) -> None:
        def progress(steps: int, metrics: Mapping[str, float]) -> None:
            self._metrics.add("td3", learning.trainer.updates, metrics)
            advance(steps, f"loss {metrics.get(LOSS[self.config.agent.kind], 0.0):.3f}")

        while not practice.finished:
            practice.until(practice.steps + self.config.practice.snapshot_every_steps, progress)
            ship(self.run, self.config, learning.trainer, practice.steps)

    def examine(self) -> dict[str, Evaluation]:
        """Stage 4: every checkpoint and the baselines, on the same goals."""
        total = len(candidates(self.run, self.config)) * self.config.evaluation.goals
        seen: dict[str, int] = {}
        with self._stage("eval"), stage_bar(self._console, "4 exam", total) as advance:
            exam = SimExam(self.config, self.config.seed)

            def progress(name: str, done: int, of: int) -> None:
                seen[name] = done
                advance(sum(seen.values()), name)

            try:
                found = examine(self.run, self.config, exam, progress)
            finally:
                exam.close()
        pictures = results(self.run, self.config) / "pictures"
        pictures.mkdir(exist_ok=True)
        shown = next(iter(found.values()))
        for id, rollout in zip(shown.ids, shown.rollouts, strict=True):
            save_picture(pictures / f"{id}.png", rollout.goal)
        return found

    def report(self) -> None:
        """Stage 5: the report."""
        path, film = self.run.path / "report.html", self.run.path / "film.gif"
        with self._stage("report"), self._console.status("5 report"):
            data = gather(self.run, self.config, self.wall_s())
            write_report(path, data)
            shown = [(data.after_practice.ids[i], data.after_practice.rollouts[i]) for i in thirds(data.after_practice)]
            films = [Film.of(rollout, data.decoded_goals[id]) for id, rollout in shown]
            write_film(film, films, data.rate_hz)
        self._console.print(f"report: {path}, film: {film}", highlight=False, soft_wrap=True)

    def wall_s(self) -> dict[str, float]:
        """Seconds that each stage has taken until it was done, imports and interrupted attempts included."""
        return {stage: self.run.progress(self._stopwatch(stage)).get("ms", 0) / 1000 for stage in STAGES}

    def _stopwatch(self, stage: str) -> str:
        """Each goal set has an exam, and so a report, of its own."""
        of_exam = stage in ("eval", "report")
        return f"wall-{stage}-{results(self.run, self.config).name}" if of_exam else f"wall-{stage}"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time the stage `name` from the end of the one before. One that was done before is not timed again."""
        before = self.run.progress(self._stopwatch(name))
        done = False
        try:
            yield
            done = True
        finally:
            if not before.get("done"):
                now = time.monotonic()
                ms = before.get("ms", 0) + round(1000 * (now - self._since_s))
                self.run.record(self._stopwatch(name), ms=ms, done=int(done))
                self._since_s = now

    def _logging(
        self, stage: str, advance: Callable[[int, str], None], shown: str
    ) -> Callable[[int, Mapping[str, float]], None]:
        def progress(done: int, metrics: Mapping[str, float]) -> None:
            if done % METRICS_EVERY == 0:
                self._metrics.add(stage, done, metrics)
                advance(done, f"{shown} {metrics[shown]:.4g}")

        return progress
