"""The report of a run: one self-contained HTML file that needs no network. Called by `rig report` and `rig demo`.

It says what came out and what did not: the do-nothing baseline beside every number, every environment step counted,
the worst rollouts among the films. `report_data` holds what goes in, `report_plots` and `report_film` draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from robot_rig import report_plots
from robot_rig.datatypes import Bytes
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, Summary, in_cm, summarise
from robot_rig.report_data import ImaginedEpisode, ReportData
from robot_rig.report_film import (
    Film,
    beside,
    chosen_cases,
    data_uri,
    encode_mp4,
    encode_picture,
    enlarge,
    filmstrip,
    imagined_above,
    marked,
    three_panes,
)

PRESETS = {"rig": "this project's settings", "rig_paper": "the settings of the RIG paper"}
"""What is added to the name of a known preset."""

FILM_ENLARGEMENT = 3
IMAGINED_ENLARGEMENT = 2
PAIR_ENLARGEMENT = 2


@dataclass(frozen=True, slots=True)
class Clip:
    """A film in the page: data addresses of the video and of its last frame, size in px, the words around it.

    `panes` names what stands side by side.
    """

    video: str
    poster: str
    width: int
    height: int
    title: str
    caption: str
    panes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the result table; `worse_than_nothing` counts goals where doing nothing ended closer."""

    name: str
    summary: Summary
    worse_than_nothing: int | None


def write_report(path: Path, data: ReportData) -> None:
    """Write the report of `data` to `path`, whole or not at all. Raises UserError when it cannot be written."""
    page = render(data).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", next_step="free some space there") from error


def render(data: ReportData) -> str:
    """The page as HTML text. Names that come from outside are escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["cm"] = in_cm
    environment.filters["colour"] = report_plots.variable
    rows = _rows(data)
    return environment.get_template("report.html.j2").render(
        data=data,
        rows=rows,
        headline=rows[0].summary,
        nothing=next((row.summary for row in rows if row.name == "do nothing"), None),
        findings=list(_findings(data, rows)),
        preset_note=PRESETS.get(data.preset, ""),
        exam_steps=sum(len(exam) * exam.steps for exam in data.evaluations.values()),
        figures={name: Markup(svg) for name, svg in _figures(data).items()},
        training=[Markup(report_plots.training_curve(series, i)) for i, series in enumerate(data.metrics)],
        clips=_clips(data),
        imagined=[_imagined(episode, data.rate_hz) for episode in data.imagined],
        reconstructions=_reconstructions(data),
        traversal=_traversal(data),
        goals=_goals(data),
    )


def _rows(data: ReportData) -> list[Row]:
    rows = []
    for name, evaluation in data.evaluations.items():
        worse = None
        if data.do_nothing is not None and evaluation is not data.do_nothing:
            worse = int((evaluation.final_m > data.do_nothing.final_m).sum())
        rows.append(Row(name, summarise(evaluation.final_m, data.success_m), worse))
    return rows


def _findings(data: ReportData, rows: list[Row]) -> Iterator[str]:
    """What the numbers say, for better or worse, in plain sentences."""
    after, by_name = rows[0], {row.name: row.summary for row in rows}
    missed = after.summary.n - after.summary.successes
    yield (
        f"{missed} of {after.summary.n} goals were missed by more than {data.success_m * 100:g} cm; "
        f"the worst rollout ended {in_cm(after.summary.worst_m)} cm away and is among the films."
    )
    if after.worse_than_nothing is not None:
        yield f"On {after.worse_than_nothing} of {after.summary.n} goals doing nothing would have ended closer."
    before = by_name.get("0 practice steps")
    if before is not None and data.before_practice is not None:
        closer = int((data.after_practice.final_m < data.before_practice.final_m).sum())
        change = "shortened" if after.summary.median_m < before.median_m else "did not shorten"
        yield (
            f"Practice {change} the median distance: {in_cm(before.median_m)} cm before, "
            f"{in_cm(after.summary.median_m)} cm after; p90 {in_cm(before.p90_m)} cm before, "
            f"{in_cm(after.summary.p90_m)} cm after; {closer} of {after.summary.n} goals ended closer."
        )
    failed = [score.name for score in data.health if not score.passed]
    if failed:
        yield f"The VAE failed its health check: {', '.join(failed)}."


def _figures(data: ReportData) -> dict[str, str]:
    exams, success = data.evaluations, data.success_m
    shown = {name: exam for name, exam in exams.items() if name in ("after practice", "do nothing")}
    figures = {
        "cumulative": report_plots.cumulative(exams, success),
        "histogram": report_plots.histogram(shown, success),
        "over_time": report_plots.over_time(exams, data.rate_hz, success),
        "goal_map": report_plots.goal_map(data.after_practice, data.box_low_xy_m, data.box_high_xy_m, success),
    }
    if data.learning_curve:
        nothing = None if data.do_nothing is None else float(np.median(data.do_nothing.final_m))
        figures["learning_curve"] = report_plots.learning_curve(data.learning_curve, nothing, success)
    if data.encoders:
        figures["across_refreshes"] = report_plots.across_refreshes(data.encoders, success)
    return figures


def _clip(frames: Bytes, rate_hz: float, title: str, caption: str = "", panes: tuple[str, ...] = ()) -> Clip:
    video = data_uri("video/mp4", encode_mp4(frames, rate_hz))
    poster = data_uri("image/jpeg", encode_picture(frames[-1], "jpeg"))
    return Clip(video, poster, frames.shape[2], frames.shape[1], title, caption, panes)


def _clips(data: ReportData) -> dict[str, Clip]:
    """The films of chosen goals: title -> clip, from the best to the worst."""
    exam = data.after_practice
    clips = {}
    for title, index in chosen_cases(exam).items():
        rollout, id = exam.rollouts[index], exam.ids[index]
        film = Film.of(rollout, data.decoded_goals.get(id))
        caption = f"{id}: {in_cm(rollout.distance_m[0])} cm away at the start, {in_cm(rollout.final_m)} at the end."
        panes = ("goal", "rollout") if film.decoded_goal is None else ("goal", "goal decoded", "rollout")
        clips[title] = _clip(three_panes(film, FILM_ENLARGEMENT), data.rate_hz, title, caption, panes)
    return clips


def _imagined(episode: ImaginedEpisode, rate_hz: float) -> Clip:
    frames = imagined_above(episode.goal, episode.frames, IMAGINED_ENLARGEMENT)
    return _clip(frames, rate_hz, f"after {episode.practice_steps:,} practice steps")


def _png(picture: Bytes) -> str:
    return data_uri("image/png", encode_picture(picture, "png"))


def _reconstructions(data: ReportData) -> list[str]:
    shown = data.reconstructions
    if shown is None:
        return []
    rows = [enlarge(shown.frames, PAIR_ENLARGEMENT), enlarge(shown.decoded, PAIR_ENLARGEMENT)]
    if shown.keypoints_px is not None:
        rows.append(marked(shown.frames, shown.keypoints_px, PAIR_ENLARGEMENT))
    return [_png(picture) for picture in beside(rows, axis=1)]


def _traversal(data: ReportData) -> list[str]:
    return [] if data.traversal is None else [_png(filmstrip(row)) for row in data.traversal.pictures]


def _goals(data: ReportData) -> list[tuple[str, tuple[float, float], list[float]]]:
    """Goal id, place in m and final distance in m under each evaluation, the worst goal first."""
    exams: list[Evaluation] = list(data.evaluations.values())
    order = np.argsort(-data.after_practice.final_m, kind="stable")
    return [
        (
            data.after_practice.ids[i],
            (float(data.after_practice.rollouts[i].goal_xy_m[0]), float(data.after_practice.rollouts[i].goal_xy_m[1])),
            [exam.rollouts[i].final_m for exam in exams],
        )
        for i in order
    ]
