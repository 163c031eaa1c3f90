"""A report is one file that hides nothing: written from a made-up but plausible run, read back as a browser would."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from robot_rig.errors import UserError
from robot_rig.evaluation import Evaluation, in_cm, summarise
from robot_rig.report import render, write_report
from robot_rig.report_data import CurvePoint, HealthScore, Series
from tests.made_report import HOME, bare, decoded, exam, full, picture, rollout


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
        "with its keypoints",
        "Latent traversal",
        "Imagined goals in practice",
        "Learning curve.",
        "Across tunings of the encoder",
        "2: bbbbbbbb",
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
    assert page.tags.count("svg") == 6 + 4
    assert page.tags.count("video") == 1 + 8 + 3


def test_keypoints_are_drawn_where_there_are_any() -> None:
    data = full()
    shown = data.reconstructions
    assert shown is not None
    without = replace(data, reconstructions=replace(shown, keypoints_px=None))
    assert "keypoints lowest" in render(data)
    assert "keypoint" not in render(without)


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
    for words in ("doing nothing", "Learning curve.", "Across tunings", "Training metrics", "goal decoded", "None"):
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


def test_the_films_in_the_page_play_and_show_the_rollout(html: str) -> None:
    videos = re.findall(r'src="data:video/mp4;base64,([^"]+)"', html)
    posters = re.findall(r'poster="data:image/jpeg;base64,([^"]+)"', html)
    assert len(videos) == len(posters) == 12
    for video in videos:
        assert len(decoded(base64.b64decode(video))) == 7 + 10, "T + 1 frames and one second of the last"
    assert all(base64.b64decode(poster)[:2] == b"\xff\xd8" for poster in posters)


@pytest.mark.usefixtures("undrawn")
def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_report(tmp_path / "report.html", bare())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
