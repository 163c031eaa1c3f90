"""Films show what was seen, in its colours and places, and fit where they are to be shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robot_rig import report_film
from robot_rig.datatypes import IMAGE_SHAPE
from robot_rig.errors import UserError
from robot_rig.report_film import (
    DISC_PX,
    GIF_LIMIT,
    Film,
    chosen_cases,
    encode_mp4,
    enlarge,
    marked,
    three_panes,
    write_film,
)
from tests.made_report import HOME, decoded, exam, picture, rollout


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


def test_colours_and_places_survive_the_film() -> None:
    film = Film.of(rollout(np.array([0.60, 0.15]), np.array([0.60, 0.15]), 8), picture(HOME))
    frames = three_panes(film, 3)
    shown = decoded(encode_mp4(frames, 10))
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
    frames = decoded(path)
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


def test_a_mark_lies_where_it_is_said_in_a_colour_of_its_own_and_hides_little() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, *IMAGE_SHAPE), dtype=np.uint8)
    untouched, before = enlarge(pictures, 3), pictures.copy()
    places = np.array([[(10.0, 20.0), (60.0, 40.0)], [(30.0, 70.0), (-50.0, 40.0)]])
    drawn = marked(pictures, places, 3)
    assert drawn.shape == untouched.shape
    np.testing.assert_array_equal(pictures, before)
    colours = drawn[[0, 0, 1], [3 * 20 + 1, 3 * 40 + 1, 3 * 70 + 1], [3 * 10 + 1, 3 * 60 + 1, 3 * 30 + 1]]
    assert (colours[0] == colours[2]).all(), "one keypoint, one colour"
    assert (colours[0] != colours[1]).any()
    rows, columns = np.nonzero((drawn[1] != untouched[1]).any(axis=2))
    assert np.hypot((columns - 1) / 3 - 30, (rows - 1) / 3 - 70).max() < DISC_PX, "and nothing for the one outside"
    np.testing.assert_array_equal(marked(pictures, np.zeros((2, 0, 2)), 3), untouched)
