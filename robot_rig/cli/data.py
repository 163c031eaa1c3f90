"""`rig data check` and `rig data view`: is a log sound, and what is on it. Called by `cli.main`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from robot_rig.cli.tables import Cell, narrow_table
from robot_rig.config_files import load_config
from robot_rig.data.check import Finding, inspect, lost_in_all, survey
from robot_rig.data.lag import arm_lag
from robot_rig.data.log import read_episode
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Bytes, Episode
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.report_film import beside, encode_mp4, encode_picture, enlarge
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.safety.limits import AXES

SHEET_COLUMNS = 10
SHEET_CELLS = 100
FILM_ENLARGEMENT = 3


def check(paths: Sequence[Path], rate_hz: float = 10.0) -> int:
    """Print a table of the episode files in `paths` (files or folders) and what is wrong with each, and with all of
    them together.

    `rate_hz` is the rate that the steps should have. Returns the exit code: 0 when all is well, else 1. Raises
    UserError when there is nothing to look at, or a file named here is missing or no episode.
    """
    findings: list[Finding] = []
    for path in paths:
        findings += survey(path, rate_hz) if path.is_dir() else [inspect(path, rate_hz)]
    if not findings:
        raise UserError("no episode to check", next_step="name .mcap files, or a folder that `rig collect` has filled")
    console = Console()
    headings = ("file", "steps", "Hz", "seen", "verdict")
    console.print(narrow_table("Episodes", headings, map(_row, findings), left=(0, 3, 4), folding=(0, 3)))
    wrong = [finding for finding in findings if finding.faults]
    for finding in wrong:
        console.print(f"{finding.path}: {'; '.join(finding.faults)}", markup=False, highlight=False, soft_wrap=True)
    lost = lost_in_all(findings)
    if lost:
        console.print(f"all together: {lost}", highlight=False, soft_wrap=True)
    steps = sum(finding.steps for finding in findings)
    console.print(f"{len(findings)} episodes, {steps} steps, {len(wrong)} with faults", highlight=False)
    return 1 if wrong or lost else 0


def lag(run: Path) -> int:
    """Print how far the arm that `run` was recorded on trails its actions; returns the exit code 0.

    Raises UserError when there is too little play, or none that this can be told from.
    """
    folder = RunFolder.open(run).episodes
    config = load_config([run / CONFIG_FILE], [])
    control = config.control
    kinematics = Kinematics(control.tool_offset_m)
    axes = [AXES.index(axis) for axis in control.axes]
    episodes = (salvage(path).steps for path in EpisodeStore(folder).paths())
    found = arm_lag(episodes, lambda position: kinematics.pose(position).tool[axes], 1.0 / control.policy_rate_hz)
    Console().print(
        f"lag {found.lag_s:.3f} s, from {found.moves} moves of which it explains {found.explained:.0%}; "
        f"control.lag_s is {control.lag_s:g}",
        highlight=False,
    )
    return 0


def view(path: Path, out: Path) -> tuple[Path, Path]:
    """Write the episode `path` as <out>/<name>.png (contact sheet) and <out>/<name>.mp4 (film); returns both paths.

    The goal picture comes first on the sheet and stands left in the film, where the episode has one.
    """
    episode = read_episode(path)
    sheet, film = out / f"{episode.id}.png", out / f"{episode.id}.mp4"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(sheet, encode_picture(contact_sheet(episode), "png"))
        write_atomically(film, encode_mp4(_film(episode), _rate(episode)))
    except OSError as error:
        raise UserError(f"cannot write into {out}: {error.strerror}", next_step="choose another folder") from error
    return sheet, film


def contact_sheet(episode: Episode) -> Bytes:
    """Up to 100 pictures of the episode, evenly spaced, ten in a row: uint8 (H, W, 3)."""
    goal = [] if episode.goal is None else [episode.goal]
    chosen = np.linspace(0, len(episode), min(len(episode) + 1, SHEET_CELLS - len(goal))).round().astype(int)
    cells = [*goal, *episode.frames[chosen]]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % SHEET_COLUMNS)
    rows = [
        beside([cell[None] for cell in cells[start : start + SHEET_COLUMNS]], axis=2)
        for start in range(0, len(cells), SHEET_COLUMNS)
    ]
    sheet: Bytes = beside(rows, axis=1)[0]
    return sheet


def _film(episode: Episode) -> Bytes:
    goal = [] if episode.goal is None else [enlarge(episode.goal[None], FILM_ENLARGEMENT)]
    return beside([*goal, enlarge(episode.frames, FILM_ENLARGEMENT)], axis=2)


def _rate(episode: Episode) -> float:
    intervals = np.diff(episode.stamps)
    return float(np.clip(1.0 / np.median(intervals), 1.0, 60.0)) if len(intervals) and np.median(intervals) > 0 else 1.0


def _row(finding: Finding) -> tuple[Cell, ...]:
    """Of what is counted in a file only what was seen in this one: nine columns of noughts hide the one that is not."""
    counts = {
        "repeats": finding.repeats,
        "frozen": finding.frozen if finding.frozen > 1 else 0,
        "dark": finding.dark,
        "exposure": finding.exposure,
        "dropped": finding.dropped,
        "gaps": finding.gaps,
    }
    seen = ["truncated"] * finding.truncated + [f"{name} {count}" for name, count in counts.items() if count]
    verdict = Text("faults", "red") if finding.faults else Text("ok", "green")
    return finding.path.name, str(finding.steps), f"{finding.rate_hz:.2f}", ", ".join(seen) or "–", verdict
