"""`rig eval --checkpoint`: any checkpoint on any goal set, in a folder that is never overwritten.

Called by `exam_commands`. The folder's name follows from what is asked, so the same command goes on after Ctrl-C; an
exam with another paper gets a folder of its own.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console

from robot_rig.cli.exam_tables import line, show
from robot_rig.cli.progress import stage_bar
from robot_rig.config import Config
from robot_rig.config_files import dump_config, load_config
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import Question, Score, Walk, digest, require_unlike
from robot_rig.evaluation_folder import IN_PROCESS, REPORT, ROBOT, ExamFolder, Paper
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from robot_rig.interfaces import Policy
from robot_rig.learning.checkpoint import MANIFEST
from robot_rig.learning.views import reconstruct
from robot_rig.report_exam import render_exam
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.appraise import Examiner, appraise, told
from robot_rig.stages.retention import keep
from robot_rig.stages.shipping import Shipment, load_checkpoint
from robot_rig.stranger_files import INDEX_LIMIT, read_regular
from robot_rig.versions import versions
from sim.exam import SimExam, require_exam

EXAMS = Path("runs/exams")
GOALS = Path("goals")
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Wanted:
    """What is to be examined: a `checkpoint` folder under the settings of `run` (None: found above it) with overlays
    laid over them; on the pictures in `goals`, or (None) on seeded goals; the first `count` (None: all). `backend`:
    beside the simulator in this process, or over the live ROS graph.
    """

    checkpoint: Path
    run: Path | None
    goals: Path | None
    count: int | None
    out: Path | None
    config: tuple[str, ...]
    settings: tuple[str, ...]
    backend: Literal["sim", "ros"] = "sim"


def run_exam(wanted: Wanted, console: Console) -> int:
    """Examine, or go on, print the result and write the report. Returns the exit code 0.

    Raises UserError for a checkpoint, a run, goals or a folder that will not do.
    """
    since = time.monotonic()
    config = _config(wanted)
    require_exam(config)
    shipment = load_checkpoint(wanted.checkpoint)
    if shipment.policy.action_dim != len(config.control.axes):
        raise UserError(
            f"{wanted.checkpoint} moves along {shipment.policy.action_dim} axes, the settings name "
            f"{len(config.control.axes)}",
            next_step="give the run that it is of with --run",
        )
    pictures = None if wanted.goals is None else _pictures(wanted.goals, config, wanted.count)
    hold = _hold_live if wanted.backend == "ros" else _hold_here
    folder, found = hold(wanted, Sitting(config, shipment, pictures), console)
    if not (folder.path / REPORT).exists():
        with console.status("report"):
            encoder = shipment.policy.encoder
            page = render_exam(folder, found, lambda shown: reconstruct(encoder, shown), dump_config(config))
            write_atomically(folder.path / REPORT, page.encode())
    if not folder.finished:
        folder.finish({"wall_s": round(time.monotonic() - since, 1), "scores": told(found)})
    show(found, folder, console)
    console.print(f"report: {folder.path / REPORT}", highlight=False, markup=False, soft_wrap=True)
    print(line(found, folder, float(folder.results()["wall_s"])))
    return 0


class Sitting(NamedTuple):
    """What an exam is held with: settings, checkpoint, and goal pictures (None: seeded goals)."""

    config: Config
    shipment: Shipment
    pictures: list[Question] | None

    def questions(self, exam: SimExam | None = None) -> list[Question]:
        """The goals; where they are seeded those of `exam`, or of one made for it: goal pictures take no simulator, and
        a robot's machine may have none. Raises UserError when two of them are called alike.
        """
        if self.pictures is not None:
            asked = self.pictures
        elif exam is not None:
            asked = [Question.of(case) for case in exam.goals]
        else:
            with closing(SimExam(self.config, self.config.seed)) as made:
                return self.questions(made)
        require_unlike(asked)
        return asked


def _hold_here(wanted: Wanted, sitting: Sitting, console: Console) -> tuple[ExamFolder, dict[str, Score]]:
    """The exam beside the simulator, in this process."""
    config = sitting.config
    with closing(SimExam(config, config.seed)) as exam:
        folder = _folder(wanted, sitting, sitting.questions(exam), IN_PROCESS, console)
        with stage_bar(console, "exam", len(folder.policies) * folder.paper.n) as advance:
            return folder, appraise(folder, sitting.shipment.policy, config, exam, advance)


def _hold_live(wanted: Wanted, sitting: Sitting, console: Console) -> tuple[ExamFolder, dict[str, Score]]:
    """The exam over the live graph."""
    # Here, because an exam in process needs no ROS.
    from robot_rig.cli.live.ending import ended_in_order
    from robot_rig.cli.live.exam import find_venue, open_examiner

    with ended_in_order(), ExitStack() as stack:
        venue = find_venue(stack)
        console.print(f"exam {venue}", highlight=False, markup=False, soft_wrap=True)
        if venue.held == ROBOT and sitting.pictures is None:
            raise UserError(
                "seeded goals are pictures of the simulated camera, and this is another one",
                next_step="take goals with `rig goals capture` and name their folder with --goals",
            )
        questions = sitting.questions()
        folder = _folder(wanted, sitting, questions, venue.held, console)
        # Whoever answers by key has the terminal's last line; a bar would draw over the question.
        shown = console if venue.joined is None else Console(force_terminal=False)

        def say(words: str) -> None:
            shown.print(words, highlight=False, markup=False, soft_wrap=True)

        waiting: list[Examiner] = []

        def examiner() -> Examiner:
            if not waiting:
                waiting.append(open_examiner(venue, folder, wanted.checkpoint, sitting.config, stack, say))
            return waiting[0]

        with stage_bar(shown, "exam", len(folder.policies) * folder.paper.n) as advance:
            return folder, appraise(folder, sitting.shipment.policy, sitting.config, Lazily(examiner), advance)


class Lazily:
    """An examiner that is made once it is needed: a finished exam brings nothing up."""

    def __init__(self, make: Callable[[], Examiner]) -> None:
        self._make = make

    def attempt(self, policy: Policy, question: Question, steps: int) -> Walk:
        """See `Examiner`."""
        return self._make().attempt(policy, question, steps)


def _config(wanted: Wanted) -> Config:
    """The settings of the checkpoint's run with what was given laid over them."""
    run = wanted.run
    if run is None:
        above = wanted.checkpoint.resolve().parents
        run = next((parent for parent in above if (parent / "run.json").is_file()), None)
    if run is None and not wanted.config:
        raise UserError(
            f"{wanted.checkpoint} lies in no run, so nobody knows its settings",
            choices=["--run RUN", "--config FILE"],
            next_step="name the run that it is of, or its config.yaml",
        )
    if run is not None:
        RunFolder.open(run)
    seeded = [f"evaluation.goals={wanted.count}"] if wanted.goals is None and wanted.count is not None else []
    own = [] if run is None else [run / CONFIG_FILE]
    return load_config([*own, *wanted.config], [*wanted.settings, *seeded])


def _pictures(folder: Path, config: Config, count: int | None) -> list[Question]:
    """The goal pictures in `folder`, by name, or those of a set, in its order; such of a goal library under the
    calibration of `config` only. A set is named GOALS/SET, or SET where the goals lie in goals/.
    """
    if not folder.is_dir():
        return _set(folder, config, count)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name[0] != ".")
    if not paths:
        raise UserError(f"there is no PNG or JPEG picture in {folder}", next_step="take some with `rig goals capture`")
    if count is not None and not 1 <= count <= len(paths):
        raise UserError(f"there are {len(paths)} pictures in {folder}, not {count}", next_step="give another -n")
    library = GoalLibrary(folder, config)
    goals = [library.import_picture(path, 0.0) for path in paths[:count]]
    return [Question(goal.id, goal.image) for goal in goals]


def _set(named: Path, config: Config, count: int | None) -> list[Question]:
    where = named.parent if len(named.parts) > 1 else GOALS
    sets = GoalSets(GoalLibrary(where, config))
    if named.name not in sets.names():
        raise UserError(
            f"{named} is neither a folder of goal pictures nor a set of goals",
            choices=[str(where / name) for name in sets.names()],
            next_step="name one, or give a --goal-seed",
        )
    goals = sets.load(named.name)
    if count is not None and not 1 <= count <= len(goals):
        raise UserError(f"there are {len(goals)} goals in the set {named}, not {count}", next_step="give another -n")
    return [Question(goal.name, goal.picture) for goal in goals[:count]]


def _paper(wanted: Wanted, sitting: Sitting, questions: Sequence[Question], held: str) -> Paper:
    config, manifest = sitting.config, sitting.shipment.manifest
    place = wanted.checkpoint.resolve()
    written = read_regular(place / MANIFEST, "manifest", INDEX_LIMIT)
    in_run = place.parent.name == "checkpoints"
    return Paper(
        checkpoint=f"{place.parent.parent.name}/{place.name}" if in_run else place.name,
        manifest=hashlib.sha256(written).hexdigest(),
        encoder=manifest.encoder_id,
        trained_under=manifest.config_hash,
        config=config.hash(),
        goals=f"seed {config.evaluation.goal_seed}" if wanted.goals is None else "pictures",
        n=len(questions),
        questions=digest(questions),
        arm_seed=config.seed,
        steps=config.evaluation.episode_steps,
        rate_hz=config.control.policy_rate_hz,
        success_m=config.evaluation.success_m,
        versions=versions(),
        held=held,
    )


def _folder(wanted: Wanted, sitting: Sitting, questions: Sequence[Question], held: str, console: Console) -> ExamFolder:
    """The folder that was named, or the first of a name made of the paper that is free or holds this very exam."""
    paper, config_text = _paper(wanted, sitting, questions, held), dump_config(sitting.config)
    folder = _place(wanted, paper, questions, config_text)
    # Whoever goes on with the exam, or asks of it what was examined, finds it again however long its run practises on.
    keep(wanted.checkpoint)
    learnt = f"checkpoint {paper.checkpoint}: {paper.encoder}, learnt in {sitting.shipment.number_format}"
    console.print(f"{learnt}\nexam: {folder.path}", highlight=False, markup=False, soft_wrap=True)
    return folder


def _place(wanted: Wanted, paper: Paper, questions: Sequence[Question], config_text: str) -> ExamFolder:
    if wanted.out is not None:
        return ExamFolder.begin(wanted.out, paper, questions, config_text)
    goals = f"pictures-{wanted.goals.resolve().name}" if wanted.goals is not None else paper.goals
    where = "" if paper.held == IN_PROCESS else f"-{wanted.backend}"
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{paper.checkpoint}-{goals}-{paper.n}x{paper.steps}{where}")
    number = 1
    while True:
        path = EXAMS / (name if number == 1 else f"{name}-{number}")
        try:
            return ExamFolder.begin(path, paper, questions, config_text)
        except UserError:
            # Somebody's, another exam or damaged: left alone. What is not there yet and still fails, fails for good.
            if not path.exists() or (path.is_dir() and not any(path.iterdir())):
                raise
        number += 1
