"""A report is one file that hides nothing: written from a made-up but plausible run, read back as a browser would."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest

from robot_rig import report_film
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Floats
from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, Rollout, in_cm, summarise
from robot_rig.report import render, write_report
from robot_rig.report_data import (
    CurvePoint,
    HealthScore,
    ImaginedEpisode,
    Reconstructions,
    ReportData,
    Series,
    Traversal,
)
from robot_rig.report_film import GIF_LIMIT, Film, chosen_cases, encode_mp4, three_panes, write_film

LOW, HIGH, HOME = np.array([0.55, -0.20]), np.array([0.75, 0.20]), np.array([0.65, 0.0])


def picture(tool_xy: Floats) -> Bytes:
    """A table seen from the front and an arm that ends at `tool_xy`: drawn, not simulated."""
    rows, columns = np.mgrid[0:84, 0:84]
    image = np.empty(IMAGE_SHAPE)
    image[:] = np.stack([168 - 0.3 * rows, 150 - 0.2 * rows, 128 + 0.1 * columns], axis=-1)
    row = 74 - (HIGH[0] - tool_xy[0]) * 200
    column = 42 + tool_xy[1] * 170
    reach = np.clip((row - rows) / row, 0, 1)
    middle = 42 * reach + column * (1 - reach)
    image[(np.abs(columns - middle) < 4 + 5 * reach) & (rows < row)] = (150, 28, 34)
    image[(np.abs(columns - column) < 4) & (np.abs(rows - row) < 4)] = (38, 40, 46)
    return image.clip(0, 255).astype(np.uint8)


def rollout(goal_xy: Floats, end_xy: Floats, steps: int) -> Rollout:
    share = 1 - np.exp(-np.arange(steps + 1) / (steps / 6))
    share[-1] = 1
    path = HOME + share[:, None] * (end_xy - HOME)
    distance = np.hypot(*(path - goal_xy).T)
    return Rollout(picture(goal_xy), np.stack([picture(xy) for xy in path]), distance, goal_xy, path[-1])


def exam(error_m: float, goals: int, steps: int, seed: int = 0) -> Evaluation:
    """Rollouts that end about `error_m` from their goals, heavy-tailed; infinite: they never leave home."""
    places = np.random.default_rng(7).uniform(LOW, HIGH, (goals, 2))
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(goals, 2)) * error_m * rng.lognormal(sigma=0.7, size=(goals, 1))
    ends = np.clip(places + errors, LOW, HIGH) if np.isfinite(error_m) else np.tile(HOME, (goals, 1))
    rollouts = tuple(rollout(goal, end, steps) for goal, end in zip(places, ends, strict=True))
    return Evaluation(tuple(f"goal-{i:02d}" for i in range(goals)), rollouts)


def bare(goals: int = 11, steps: int = 6) -> ReportData:
    """The least a report can be made of."""
    return ReportData(
        title="Reaching pictures",
        preset="rig",
        seed=3,
        goal_seed=12345,
        config_hash="0123456789abcdef",
        config_text="preset: rig\nseed: 3\n",
        git_revision="abc1234",
        versions={"torch": "2.13.0", "numpy": "2.4.6"},
        wall_s={"collect": 3.2, "VAE": 41.0, "practice": 80.5, "evaluation": 18.0},
        env_steps={"random play": 1000, "random play, held out": 200, "practice": 1000},
        rate_hz=10.0,
        success_m=0.03,
        box_low_xy_m=LOW,
        box_high_xy_m=HIGH,
        after_practice=exam(0.008, goals, steps),
    )


def full(goals: int = 11, steps: int = 6) -> ReportData:
    """A report with every section."""
    rng = np.random.default_rng(1)
    data = bare(goals, steps)
    after = data.after_practice
    frames = np.stack([picture(xy) for xy in rng.uniform(LOW, HIGH, (8, 2))])
    values = np.linspace(-2, 2, 7)
    line = [[picture(HOME + np.array([0.04 * v * (z == 1), 0.08 * v * (z == 0)])) for v in values] for z in range(4)]
    curve = [(1000, exam(0.013, goals, steps, 2)), (1500, exam(0.01, goals, steps, 3)), (2000, after)]
    finals = [(steps, summarise(evaluation.final_m, 0.03)) for steps, evaluation in curve]
    updates = np.arange(1, 901)
    return replace(
        data,
        before_practice=curve[0][1],
        random_policy=exam(0.15, goals, steps, 4),
        do_nothing=exam(float("inf"), goals, steps),
        decoded_goals={id: r.frames[-1] // 4 * 3 + 40 for id, r in zip(after.ids, after.rollouts, strict=True)},
        learning_curve=[CurvePoint(s - 1000, s + 200, score.median_m, score.p90_m) for s, score in finals],
        metrics=[
            Series("VAE loss", "nats", "VAE update", [(u, 900 + 4000 / u + 20 * rng.normal()) for u in updates]),
            Series(
                "critic loss", "squared return", "TD3 update", [(u, 2 / u**0.5 + 0.05 * rng.random()) for u in updates]
            ),
            Series("Q", "return", "TD3 update", [(u, -40 + 25 * u / 900) for u in updates]),
            Series(
                "latent distance",
                "whitened units",
                "practice step",
                [(s, 3 * 0.9**k) for k, s in enumerate(range(0, 1000, 50))],
            ),
        ],
        reconstructions=Reconstructions(frames, frames // 4 * 3 + 40),
        traversal=Traversal(values, np.array(line)),
        imagined=[
            ImaginedEpisode(step, r.goal // 4 * 3 + 40, r.frames)
            for step, r in zip((0, 500, 950), after.rollouts, strict=False)
        ],
        health=[
            HealthScore("rank", 0.0158, "≤ .025", True, "How often a far frame looks closer than the next one."),
            HealthScore("inv1", 0.31, "≥ .35", False, "How well one action can be told from two latents."),
        ],
        health_findings=["Collect more frames: actions are hard to tell from pictures."],
        limits_of_proof=["The arm is simulated; nothing here was measured on a robot."],
    )


class Page(HTMLParser):
    """What a browser would take from the page."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr", "image"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "poster", "action", "data", "srcset"):
                self.addresses.append(value or "")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def html() -> str:
    return render(full())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_report_is_one_file_of_bearable_size(html: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Drawn already.
    monkeypatch.setattr("robot_rig.report.render", lambda data: html)
    write_report(tmp_path / "made" / "report.html", full())
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["report.html"]
    assert 50_000 < (tmp_path / "made" / "report.html").stat().st_size < 12_000_000


def test_nothing_is_fetched_and_nothing_runs(html: str, page: Page) -> None:
    assert not re.search(r"https?:|//\w+\.|@import|url\((?!#)", re.sub(r"base64,[A-Za-z0-9+/=\s]+", "", html))
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert "default-src 'none'" in html, "a browser is told to fetch nothing"
    assert page.addresses
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert page.open == []


def test_every_link_inside_the_page_has_its_target(page: Page) -> None:
    targets = [address[1:] for address in page.addresses if address.startswith("#")]
    assert targets
    assert set(targets) <= set(page.ids)


def test_every_section_is_there(page: Page) -> None:
    for id in ("headline", "results", "errors", "films", "learning", "vae", "goals", "limits", "again"):
        assert id in page.ids
    for words in (
        "Health check before practice",
        "Reconstructions",
        "Latent traversal",
        "Imagined goals in practice",
        "Learning curve.",
        "Training metrics",
        "The box from above.",
        "critic loss",
        "2,200",
        "3.7 min",
        "nothing here was measured on a robot",
        "preset: rig",
        "goal seed 12345",
        "torch",
    ):
        assert words in page.words, words
    assert page.tags.count("svg") == 5 + 4
    assert page.tags.count("video") == 1 + 8 + 3


def test_the_numbers_are_those_of_the_evaluation(page: Page) -> None:
    data = full()
    assert data.do_nothing is not None
    after = summarise(data.after_practice.final_m, 0.03)
    nothing = summarise(data.do_nothing.final_m, 0.03)
    for number in (after.median_m, after.p90_m, after.worst_decile_m, after.worst_m, nothing.median_m):
        assert in_cm(number) in page.words
    assert f"{after.successes} of {after.n}" in page.words


@pytest.mark.usefixtures("undrawn")
def test_bad_news_is_told() -> None:
    data = full()
    worse = replace(data, after_practice=exam(0.12, 11, 6, 9), before_practice=data.after_practice)
    words = Page(render(worse)).words
    assert "Practice did not shorten the median distance" in words
    assert worse.do_nothing is not None
    count = int((worse.after_practice.final_m > worse.do_nothing.final_m).sum())
    assert count > 0
    assert f"On {count} of 11 goals doing nothing would have ended closer" in words
    assert "The VAE failed its health check: inv1" in words


def test_sections_without_data_are_left_out_and_no_others() -> None:
    page = Page(render(bare()))
    assert page.open == []
    assert set(page.ids) >= {"headline", "results", "errors", "films", "learning", "goals", "limits", "again"}
    assert "vae" not in page.ids
    for words in ("doing nothing", "Learning curve.", "Training metrics", "goal decoded", "None"):
        assert words not in page.words, words


def test_hostile_names_stay_text() -> None:
    evil = "<script>alert(1)</script>\"'&$x_1$"
    data = full()
    ids = (evil, *data.after_practice.ids[1:])

    def renamed(evaluation: Evaluation | None) -> Evaluation:
        assert evaluation is not None
        return Evaluation(ids, evaluation.rollouts)

    html = render(
        replace(
            data,
            title=evil,
            config_text=evil,
            git_revision=evil,
            versions={evil: evil},
            wall_s={evil: 1.0},
            env_steps={evil: 10},
            after_practice=renamed(data.after_practice),
            before_practice=renamed(data.before_practice),
            random_policy=renamed(data.random_policy),
            do_nothing=renamed(data.do_nothing),
            decoded_goals={evil: picture(HOME)},
            metrics=[Series(evil, evil, evil, [(0, 1.0), (1, 2.0)])],
            health=[HealthScore(evil, 1.0, evil, True, evil)],
            health_findings=[evil],
            limits_of_proof=[evil],
        )
    )
    page = Page(html)
    assert "script" not in page.tags
    assert page.open == []
    assert page.words.count(evil) >= 12


def test_distances_that_are_no_numbers_are_refused() -> None:
    good = rollout(HOME + 0.05, HOME, 4)
    with pytest.raises(ValueError, match="finite"):
        replace(good, distance_m=np.full(5, np.nan))
    with pytest.raises(UserError, match="not a number"):
        CurvePoint(0, 1200, float("nan"), 0.02)


def test_evaluations_of_other_goals_are_not_set_side_by_side() -> None:
    with pytest.raises(UserError, match="other goals"):
        replace(bare(), do_nothing=exam(float("inf"), 10, 6))
    with pytest.raises(UserError, match="other goals"):
        replace(bare(), random_policy=exam(0.1, 11, 5))


def test_a_training_curve_with_holes_and_one_of_no_points_are_drawn() -> None:
    holes = Series("Q", "return", "update", [(0, 1.0), (1, float("nan")), (2, float("inf")), (3, 2.0)])
    assert (
        Page(render(replace(bare(), metrics=[holes, Series("empty", "nats", "update", [])]))).tags.count("svg") == 4 + 2
    )


@pytest.mark.parametrize(("goals", "films"), [(1, 1), (2, 2), (3, 3), (8, 8), (9, 7), (10, 8)])
def test_few_goals_make_a_whole_report(goals: int, films: int) -> None:
    page = Page(render(bare(goals=goals, steps=2)))
    assert page.open == []
    assert page.tags.count("video") == 1 + films


def test_the_worst_are_among_the_chosen() -> None:
    evaluation = exam(0.01, 50, 1)
    chosen = chosen_cases(evaluation)
    order = np.argsort(evaluation.final_m)
    assert list(chosen) == [
        "best",
        "rank 2 of 50",
        "median",
        "rank 26 of 50",
        "rank 47 of 50",
        "rank 48 of 50",
        "rank 49 of 50",
        "worst",
    ]
    assert list(chosen.values()) == [int(i) for i in order[[0, 1, 24, 25, 46, 47, 48, 49]]]


def _decoded(film: bytes | Path) -> list[Bytes]:
    source = io.BytesIO(film) if isinstance(film, bytes) else str(film)
    with av.open(source) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_the_films_in_the_page_play_and_show_the_rollout(html: str) -> None:
    videos = re.findall(r'src="data:video/mp4;base64,([^"]+)"', html)
    posters = re.findall(r'poster="data:image/jpeg;base64,([^"]+)"', html)
    assert len(videos) == len(posters) == 12
    for video in videos:
        assert len(_decoded(base64.b64decode(video))) == 7 + 10, "T + 1 frames and one second of the last"
    assert all(base64.b64decode(poster)[:2] == b"\xff\xd8" for poster in posters)


def test_colours_and_places_survive_the_film() -> None:
    film = Film.of(rollout(np.array([0.60, 0.15]), np.array([0.60, 0.15]), 8), picture(HOME))
    frames = three_panes(film, 3)
    shown = _decoded(encode_mp4(frames, 10))
    for wanted, got in zip(frames, shown[: len(frames)], strict=True):
        height, width = wanted.shape[:2]
        assert np.abs(got[:height, :width].astype(int) - wanted).mean() < 4
    goal, last = frames[-1][:252, :252].astype(int), frames[-1][:252, -252:].astype(int)
    assert np.abs(goal - last).mean() < 1, "the rollout ends where the goal picture is"
    assert np.abs(frames[0][:252, -252:].astype(int) - goal).mean() > 3


def test_the_distance_bar_shrinks_to_nothing() -> None:
    film = Film.of(rollout(np.array([0.60, 0.15]), np.array([0.60, 0.15]), 8), None)
    bars = three_panes(film, 1)[:, -4]
    dark = (bars[..., 0] < 100).mean(axis=1)
    assert dark[0] == 1
    assert dark[-1] == 0
    assert (np.diff(dark) <= 0).all()


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_film_for_the_readme(tmp_path: Path, suffix: str) -> None:
    films = [Film.of(r, None) for r in exam(0.01, 3, 12).rollouts]
    path = tmp_path / f"film{suffix}"
    write_film(path, films, rate_hz=10)
    assert path.stat().st_size <= GIF_LIMIT
    frames = _decoded(path)
    assert len(frames) == 13 + 10
    pane = frames[-1][:168, :168].astype(int)
    assert np.abs(pane - three_panes(films[0], 2)[-1][:168, :168]).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == [f"film{suffix}"]


def test_a_gif_is_made_smaller_until_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (11, *IMAGE_SHAPE), dtype=np.uint8)
    noise = Film(frames[0], frames[1], frames, np.linspace(0.1, 0.0, 11))
    write_film(tmp_path / "wide.gif", [noise], rate_hz=10)
    whole = (tmp_path / "wide.gif").stat().st_size
    monkeypatch.setattr(report_film, "GIF_LIMIT", whole // 3)
    write_film(tmp_path / "small.gif", [noise], rate_hz=10)
    assert (tmp_path / "small.gif").stat().st_size <= whole // 3
    monkeypatch.setattr(report_film, "GIF_LIMIT", 1000)
    with pytest.raises(UserError, match="do not fit"):
        write_film(tmp_path / "none.gif", [noise], rate_hz=10)
    assert not (tmp_path / "none.gif").exists()


def test_films_that_cannot_be_written_say_why(tmp_path: Path) -> None:
    film = Film.of(rollout(HOME + 0.05, HOME, 2), None)
    with pytest.raises(UserError, match=r"Valid: \.gif, \.mp4"):
        write_film(tmp_path / "film.avi", [film], 10)
    with pytest.raises(UserError, match="one or more"):
        write_film(tmp_path / "film.mp4", [], 10)
    with pytest.raises(UserError, match="there is no folder"):
        write_film(tmp_path / "nowhere" / "film.mp4", [film], 10)


@pytest.mark.usefixtures("undrawn")
def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_report(tmp_path / "report.html", bare())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
