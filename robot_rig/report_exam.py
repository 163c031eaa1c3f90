"""The page of one checkpoint's exam: a self-contained HTML file with numbers, films and what it does not show.

Called by `rig eval --checkpoint`. Distances of unlike rulers stand in tables of their own; see `evaluation_attempts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from robot_rig.datatypes import Bytes
from robot_rig.evaluation_attempts import (
    LATENT,
    PIXEL,
    RULERS,
    TOOL,
    Attempt,
    Score,
    Success,
    finals,
)
from robot_rig.evaluation_folder import CHECKPOINT, DO_NOTHING, IN_PROCESS, RANDOM, ROBOT, ExamFolder, Paper
from robot_rig.evaluation_live import LiveScore, Sighting, live_score, verdict_sentence
from robot_rig.report import Clip
from robot_rig.report_film import Film, chosen_of, data_uri, encode_mp4, encode_picture, three_panes
from robot_rig.report_plots import ended_within

ENLARGEMENT = 2
LINE_NAMES = {CHECKPOINT: "after practice", DO_NOTHING: "do nothing", RANDOM: "random policy"}
"""Whose colour and line each has in the figures."""

MEASURED_AS = {
    TOOL: "tool tip to goal in xy at the last step, measured by the examiner",
    LATENT: "in the latent metric of the checkpoint itself",
    PIXEL: "as the mean difference of the pictures",
}
NO_TRUTH = (
    "These goals are bare pictures: nobody knows where the tool was when they were taken, so there is no distance in "
    "cm and no success. The distances are between pictures, and between their latents."
)
NO_RULER = (
    "Nobody measures where this robot's tool is, nor where it was when the goals were taken, so there is no distance "
    "in cm. The distances are between pictures, and between their latents."
)
SECTIONS = {
    TOOL: ("In centimetres", "Tool tip to goal in xy. The worst decile is the mean of the worst tenth."),
    LATENT: (
        "In latent units",
        "The checkpoint's own metric, whoever acts. Another encoder has other units: no two are compared.",
    ),
    PIXEL: (
        "In grey levels",
        "Mean absolute difference between picture and goal picture, of 255. It knows nothing of the arm: a shadow "
        "counts as much.",
    ),
}
LIVE_COLUMNS = ("time", "missed periods", "by eye", "ended", "repeats")
SPREAD_COLUMNS = ("policy", "at home, median", "median", "mean", "p90", "worst decile", "worst")
SUCCESS_COLUMNS = ("success", "95 % interval", "steps to reach, median", "p90", "time to reach, median")


def main_ruler(score: Score) -> str:
    """What the headline is measured in: the tool's place where it is known, else the policy's own metric."""
    return TOOL if TOOL in score.spreads else LATENT


def no_truth(paper: Paper) -> str:
    """Why nobody can say in cm how far the goals were missed."""
    return NO_RULER if paper.held == ROBOT else NO_TRUTH


def live_sentence(live: LiveScore) -> str:
    """How the attempts went over the live graph."""
    return (
        f"{live.complete} of {live.n} episodes were complete, {live.seconds_median:.1f} s in the median (p90 "
        f"{live.seconds_p90:.1f}). Policy periods missed: {live.missed}, {live.blind} of them for want of a picture; a "
        f"bare timer beside it missed {live.timer_missed}. Slowest step from frame to joint command: "
        f"{live.slowest_ms:.1f} ms. Attempts that did not count and were made again: {live.repeats}."
    )


def success_sentence(success: Success | None, paper: Paper) -> str:
    """How many goals were reached, or why nobody can say."""
    n = paper.n
    if success is None:
        return no_truth(paper)
    said = (
        f"{success.reached} of {n} goals ended within {success.within_m * 100:g} cm "
        f"(95 % Wilson interval {success.low:.0%} to {success.high:.0%})"
    )
    if success.steps_median is None:
        return f"{said}."
    return f"{said}, where the arm was for good after {success.steps_median:g} steps in the median."


def render_exam(
    folder: ExamFolder, scores: Mapping[str, Score], decode: Callable[[Bytes], Bytes], config_text: str
) -> str:
    """The page of a `folder` that has every answer; `decode` gives what the encoder makes of (N, 84, 84, 3)."""
    attempts = {name: folder.attempts(name) for name in folder.policies}
    sightings = folder.sightings()
    ruler = main_ruler(scores[CHECKPOINT])
    unit, spread = RULERS[ruler], scores[CHECKPOINT].spreads[ruler]
    return page("report_exam.html.j2").render(
        title=f"Exam of {folder.paper.checkpoint}",
        paper=folder.paper,
        arm="a robot" if folder.paper.held == ROBOT else f"arm of seed {folder.paper.arm_seed}",
        headline=f"{unit.show(spread.median)} {unit.name}",
        measured_as=MEASURED_AS[ruler],
        success=success_sentence(scores[CHECKPOINT].success, folder.paper),
        live=list(_live(sightings)),
        sections=list(_sections(folder.paper, scores, attempts)),
        guard_columns=("policy", "steps", "stopped", "slowed"),
        guard=[(name, one.steps, one.held, one.scaled) for name, one in scores.items()],
        clips=list(_clips(folder, attempts[CHECKPOINT], ruler, decode)),
        goal_columns=(
            "goal",
            *(f"{name} ({unit.name})" for name in folder.policies),
            *(LIVE_COLUMNS if sightings else ()),
        ),
        goals=_goals(folder, attempts, ruler, sightings),
        limits=list(_limits(scores[CHECKPOINT], folder.paper)),
        config_text=config_text,
    )


def page(template: str) -> Template:
    """The template of this name, which escapes what comes from outside."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template)


def spread_cells(score: Score, ruler: str) -> list[str]:
    """The cells of `SPREAD_COLUMNS` behind the name."""
    return [RULERS[ruler].show(value) for value in score.spreads[ruler]]


def success_cells(success: Success, n: int, rate_hz: float) -> list[str]:
    """The cells of `SUCCESS_COLUMNS`."""
    cells = [f"{success.reached} of {n}", f"{success.low:.0%} to {success.high:.0%}"]
    if success.steps_median is None or success.steps_p90 is None:
        return [*cells, "–", "–", "–"]
    return [
        *cells,
        f"{success.steps_median:g}",
        f"{success.steps_p90:g}",
        f"{success.steps_median / rate_hz:.1f} s",
    ]


def _sections(
    paper: Paper, scores: Mapping[str, Score], attempts: Mapping[str, Sequence[Attempt]]
) -> Iterator[tuple[str, str, str, tuple[str, ...], list[list[str]], Markup]]:
    """(id, heading, words, columns, rows, figure) of every ruler that was laid on."""
    for ruler in scores[CHECKPOINT].spreads:
        heading, words = SECTIONS[ruler]
        columns: tuple[str, ...] = SPREAD_COLUMNS
        rows = [[name, *spread_cells(one, ruler)] for name, one in scores.items()]
        if ruler == TOOL:
            columns += SUCCESS_COLUMNS
            for row, one in zip(rows, scores.values(), strict=True):
                row += success_cells(one.success, one.n, paper.rate_hz) if one.success is not None else []
        ended = {LINE_NAMES[name]: finals(tries, ruler) * RULERS[ruler].factor for name, tries in attempts.items()}
        figure = ended_within(ended, RULERS[ruler].name, paper.success_m if ruler == TOOL else None)
        yield f"by-{ruler}", heading, words, columns, rows, Markup(figure)


def _clips(
    folder: ExamFolder, attempts: Sequence[Attempt], ruler: str, decode: Callable[[Bytes], Bytes]
) -> Iterator[Clip]:
    unit = RULERS[ruler]
    for title, index in chosen_of(finals(attempts, ruler)).items():
        question, away = folder.questions[index], attempts[index].distances[ruler]
        decoded = decode(question.image[None])[0]
        film = Film(question.image, decoded, folder.frames(CHECKPOINT, index), away)
        frames = three_panes(film, ENLARGEMENT)
        yield Clip(
            video=data_uri("video/mp4", encode_mp4(frames, folder.paper.rate_hz)),
            poster=data_uri("image/jpeg", encode_picture(frames[-1], "jpeg")),
            width=frames.shape[2],
            height=frames.shape[1],
            title=title,
            caption=f"{question.id}: {unit.show(away[0])} {unit.name} at the start, {unit.show(away[-1])} at the end.",
            panes=(),
        )


def _goals(
    folder: ExamFolder, attempts: Mapping[str, Sequence[Attempt]], ruler: str, sightings: Sequence[Sighting]
) -> list[list[str]]:
    ended = {name: finals(tries, ruler) for name, tries in attempts.items()}
    return [
        [
            folder.questions[i].id,
            *(RULERS[ruler].show(values[i]) for values in ended.values()),
            *(_live_cells(sightings[i]) if sightings else ()),
        ]
        for i in np.argsort(-ended[CHECKPOINT], kind="stable")
    ]


def _live_cells(seen: Sighting) -> list[str]:
    by_eye = {None: "–", True: "reached", False: "not reached"}[seen.reached]
    return [f"{seen.seconds:.1f} s", str(seen.missed), by_eye, seen.reason or "complete", str(len(seen.repeats))]


def _live(sightings: Sequence[Sighting]) -> Iterator[str]:
    """The sentences on what was seen live."""
    if sightings:
        score = live_score(sightings)
        yield live_sentence(score)
        if score.asked:
            yield verdict_sentence(score)


def _limits(score: Score, paper: Paper) -> Iterator[str]:
    if TOOL not in score.spreads:
        yield no_truth(paper)
    yield "The final distance is taken at the last step, wherever the arm was before."
    yield "One checkpoint on one set of goals: the interval is about goals, not about trainings with other seeds."
    if paper.held == ROBOT:
        yield "Whether a goal was reached is what a person said who watched, and knew what was being tried."
    else:
        yield "The arm, its camera and its servo are simulated; nothing here was measured on a robot."
    if paper.held != IN_PROCESS:
        yield "There is no baseline beside it: an arm that does nothing stays where the first column has it."
