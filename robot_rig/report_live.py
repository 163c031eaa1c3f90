"""The page of a live demo: pictures reached in real time over ROS, and how long each stage took. Called by `cli.live`.

One self-contained HTML file like the run's report, and made of the same pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, Summary, in_cm
from robot_rig.loops.step_trace import Spread
from robot_rig.report_film import Film, data_uri, encode_mp4, encode_picture, three_panes

ENLARGEMENT = 2


@dataclass(frozen=True, slots=True)
class LiveData:
    """What the page tells. `films` and `endings` (why an episode was cut short, or nothing) are one for each goal of
    `evaluation`; `nothing_m` is the median distance of an arm that stays at home; `latency` names each stage. `missed`,
    `blind` (for want of a picture) and `timer_missed` count policy periods.
    """

    checkpoint: str
    revision: str
    config_hash: str
    rate_hz: float
    evaluation: Evaluation
    films: Sequence[Film]
    summary: Summary
    nothing_m: float
    latency: Sequence[tuple[str, Spread]]
    missed: int
    blind: int
    timer_missed: int
    attempts: str
    voids: Sequence[str]
    factor: float
    endings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Clip:
    """A goal's film as data addresses, with its distances (m) at start and end."""

    name: str
    video: str
    poster: str
    start_m: float
    final_m: float
    ending: str


def write_live_report(path: Path, data: LiveData) -> None:
    """Write the page of `data` to `path`, whole or not at all. Raises UserError when it cannot be written."""
    page = render(data).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", next_step="free some space there") from error


def render(data: LiveData) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["cm"] = in_cm
    return environment.get_template("report_live.html.j2").render(data=data, clips=_clips(data))


def _clips(data: LiveData) -> list[Clip]:
    named = zip(data.evaluation.ids, data.films, data.endings, strict=True)
    return [_clip(name, film, ending, data.rate_hz) for name, film, ending in named]


def _clip(name: str, film: Film, ending: str, rate_hz: float) -> Clip:
    frames = three_panes(film, ENLARGEMENT)
    video = data_uri("video/mp4", encode_mp4(frames, rate_hz))
    poster = data_uri("image/jpeg", encode_picture(frames[-1], "jpeg"))
    return Clip(name, video, poster, float(film.distance_m[0]), float(film.distance_m[-1]), ending)
