"""`rig eval --checkpoint`: any checkpoint on any goal set, in a folder that is never overwritten.

Called by `exam_commands`. The folder's name follows from what is asked, so the same command goes on after Ctrl-C; an
exam with another paper gets a folder of its own.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from robot_rig.cli.progress import stage_bar
from robot_rig.config import Config
from robot_rig.config_files import dump_config, load_config
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import LATENT, PIXEL, RULERS, TOOL, Question, Score, digest, require_unlike
from robot_rig.evaluation_folder import CHECKPOINT, DO_NOTHING, POLICIES, RANDOM, REPORT, ExamFolder, Paper
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from robot_rig.learning.checkpoint import MANIFEST
from robot_rig.learning.views import reconstruct
from robot_rig.report_exam import NO_TRUTH, SPREAD_COLUMNS, SUCCESS_COLUMNS, render_exam, spread_cells, success_cells
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.appraise import appraise, told
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
    laid over them; on the pictures in `goals`, or (None) on seeded goals; the first `count` (None: all).
    """

    checkpoint: Path
    run: Path | None
    goals: Path | None
    count: int | None
    out: Path | None
    config: tuple[str, ...]
    settings: tuple[str, ...]


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
    exam = SimExam(config, config.seed)
    try:
        questions = [Question.of(case) for case in exam.goals] if pictures is None else pictures
        require_unlike(questions)
        paper = _paper(wanted, config, shipment, questions)
        folder = _folder(wanted, paper, questions, dump_config(config))
        console.print(f"exam: {folder.path}", highlight=False, markup=False, soft_wrap=True)
        with stage_bar(console, "exam", len(POLICIES) * paper.n) as advance:
            found = appraise(folder, shipment.policy, config, exam, advance)
    finally:
        exam.close()
    if not (folder.path / REPORT).exists():
        with console.status("report"):
            encoder = shipment.policy.encoder
            page = render_exam(folder, found, lambda shown: reconstruct(encoder, shown), dump_config(config))
            write_atomically(folder.path / REPORT, page.encode())
    if not folder.finished:
        folder.finish({"wall_s": round(time.monotonic() - since, 1), "scores": told(found)})
    show(found, paper, console)
    console.print(f"report: {folder.path / REPORT}", highlight=False, markup=False, soft_wrap=True)
    print(line(found, paper, float(folder.results()["wall_s"]), folder.path))
    return 0


def show(found: Mapping[str, Score], paper: Paper, console: Console) -> None:
    """Print a table of every ruler that was laid on, and what the guard did."""
    title = escape(paper.checkpoint)
    for ruler in found[CHECKPOINT].spreads:
        rows = {name: spread_cells(one, ruler) for name, one in found.items()}
        print_table(f"{title}: final distance, {RULERS[ruler].name}", SPREAD_COLUMNS, rows, console)
    reached = {name: one.success for name, one in found.items() if one.success is not None}
    if reached:
        rows = {name: success_cells(success, paper.n, paper.rate_hz) for name, success in reached.items()}
        within = f"{title}: within {100 * paper.success_m:g} cm"
        print_table(within, (SPREAD_COLUMNS[0], *SUCCESS_COLUMNS), rows, console)
    else:
        console.print(NO_TRUTH, highlight=False, soft_wrap=True)
    one = found[CHECKPOINT]
    console.print(f"guard: {one.held} of {one.steps} steps stopped, {one.scaled} slowed", highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]], console: Console) -> None:
    """Print `rows`, name -> the other cells, all of them texts, under `columns`."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


def line(found: Mapping[str, Score], paper: Paper, wall_s: float, path: Path) -> str:
    """The last line: names and numbers that a program can read. cm stand there only where they were measured."""
    one = found[CHECKPOINT]
    said: dict[str, Any] = {"goals": paper.goals.replace(" ", "-"), "n": paper.n}
    if one.success is not None:
        said |= {
            "success": one.success.reached,
            "success_low": f"{one.success.low:.3f}",
            "success_high": f"{one.success.high:.3f}",
            "steps_to_reach": "none" if one.success.steps_median is None else f"{one.success.steps_median:g}",
        }
    for ruler in one.spreads:
        suffix = {TOOL: "cm", LATENT: "latent", PIXEL: "grey"}[ruler]
        cells = spread_cells(one, ruler)[1:5]
        said |= {
            f"{name}_{suffix}": cell
            for name, cell in zip(("median", "mean", "p90", "worst_decile"), cells, strict=True)
        }
        for baseline, name in ((DO_NOTHING, "donothing"), (RANDOM, "random")):
            said[f"{name}_{suffix}"] = RULERS[ruler].show(found[baseline].spreads[ruler].median)
    said |= {"held_steps": one.held, "scaled_steps": one.scaled, "wall_s": f"{wall_s:.0f}", "out": path}
    return " ".join(["eval", *(f"{key}={value}" for key, value in said.items())])


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


def _paper(wanted: Wanted, config: Config, shipment: Shipment, questions: Sequence[Question]) -> Paper:
    place = wanted.checkpoint.resolve()
    manifest = read_regular(place / MANIFEST, "manifest", INDEX_LIMIT)
    in_run = place.parent.name == "checkpoints"
    return Paper(
        checkpoint=f"{place.parent.parent.name}/{place.name}" if in_run else place.name,
        manifest=hashlib.sha256(manifest).hexdigest(),
        encoder=shipment.manifest.encoder_id,
        trained_under=shipment.manifest.config_hash,
        config=config.hash(),
        goals=f"seed {config.evaluation.goal_seed}" if wanted.goals is None else "pictures",
        n=len(questions),
        questions=digest(questions),
        arm_seed=config.seed,
        steps=config.evaluation.episode_steps,
        rate_hz=config.control.policy_rate_hz,
        success_m=config.evaluation.success_m,
        versions=versions(),
    )


def _folder(wanted: Wanted, paper: Paper, questions: Sequence[Question], config_text: str) -> ExamFolder:
    """The folder that was named, or the first of a name made of the paper that is free or holds this very exam."""
    if wanted.out is not None:
        return ExamFolder.begin(wanted.out, paper, questions, config_text)
    goals = f"pictures-{wanted.goals.resolve().name}" if wanted.goals is not None else paper.goals
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{paper.checkpoint}-{goals}-{paper.n}x{paper.steps}")
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
