"""What is printed of a checkpoint's exam: tables for people, and a line for programs. Called by `checkpoint_exam`.

`rig compare` prints its tables with the same piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from robot_rig.cli.tables import narrow_table
from robot_rig.evaluation_attempts import LATENT, PIXEL, RULERS, TOOL, Score
from robot_rig.evaluation_folder import CHECKPOINT, DO_NOTHING, RANDOM, ExamFolder
from robot_rig.evaluation_live import LiveScore, live_score, verdict_sentence
from robot_rig.report_exam import SPREAD_COLUMNS, SUCCESS_COLUMNS, live_sentence, no_truth, spread_cells, success_cells


def show(found: Mapping[str, Score], folder: ExamFolder, console: Console) -> None:
    """Print a table of every ruler that was laid on, what the guard did, and what was seen live."""
    paper = folder.paper
    title = paper.checkpoint
    for ruler in found[CHECKPOINT].spreads:
        rows = {name: spread_cells(one, ruler) for name, one in found.items()}
        print_table(f"{title}: final distance, {RULERS[ruler].name}", SPREAD_COLUMNS, rows, console)
    reached = {name: one.success for name, one in found.items() if one.success is not None}
    if reached:
        rows = {name: success_cells(success, paper.n, paper.rate_hz) for name, success in reached.items()}
        within = f"{title}: within {100 * paper.success_m:g} cm"
        print_table(within, (SPREAD_COLUMNS[0], *SUCCESS_COLUMNS), rows, console)
    else:
        console.print(no_truth(paper), highlight=False, soft_wrap=True)
    one = found[CHECKPOINT]
    console.print(f"guard: {one.held} of {one.steps} steps stopped, {one.scaled} slowed", highlight=False)
    if sightings := folder.sightings():
        live = live_score(sightings)
        console.print(live_sentence(live), highlight=False, soft_wrap=True)
        if live.asked:
            console.print(verdict_sentence(live), highlight=False, soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]], console: Console) -> None:
    """Print `rows`, name -> the other cells, all of them texts, under `columns`."""
    wide = [number for number, column in enumerate(columns) if "interval" in column]
    console.print(narrow_table(title, columns, ((name, *cells) for name, cells in rows.items()), folding=wide))


def line(found: Mapping[str, Score], folder: ExamFolder, wall_s: float) -> str:
    """The last line: names and numbers that a program can read. cm stand there only where they were measured."""
    one, paper = found[CHECKPOINT], folder.paper
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
            if baseline in found:
                said[f"{name}_{suffix}"] = RULERS[ruler].show(found[baseline].spreads[ruler].median)
    if sightings := folder.sightings():
        said |= _live(live_score(sightings))
    said |= {"held_steps": one.held, "scaled_steps": one.scaled, "wall_s": f"{wall_s:.0f}", "out": folder.path}
    return " ".join(["eval", *(f"{key}={value}" for key, value in said.items())])


def _live(live: LiveScore) -> dict[str, Any]:
    said: dict[str, Any] = {
        "complete": live.complete,
        "seconds_median": f"{live.seconds_median:.1f}",
        "missed": live.missed,
        "no_picture": live.blind,
        "timer_missed": live.timer_missed,
        "slowest_ms": f"{live.slowest_ms:.1f}",
        "repeated": live.repeats,
    }
    if live.asked:
        bounds = {"by_eye_low": f"{live.low:.3f}", "by_eye_high": f"{live.high:.3f}"}
        said |= {"by_eye": live.reached, "by_eye_of": live.asked, **bounds}
    return said
