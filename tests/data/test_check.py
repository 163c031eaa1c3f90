"""`rig data check` names each fault, and only faults; `rig data view` makes a sheet and a film of any episode."""

from __future__ import annotations

from pathlib import Path

import av
import matplotlib.image
import numpy as np
import pytest

from robot_rig.cli import data as data_cli
from robot_rig.data.check import Finding, brightness_jumps, inspect, lost_in_all, survey
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import Action, Bytes, Frame, Source, Step
from robot_rig.errors import UserError
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_step, picture, write_log

BLACK = np.zeros((84, 84, 3), np.uint8)


def write_pictures(path: Path, pictures: list[Bytes], stamps: list[float], numbers: list[int] | None = None) -> Path:
    writer = EpisodeWriter(path, ACTION_DIM, None, {}, room=NO_LIMIT)
    numbered = zip(range(len(stamps)) if numbers is None else numbers, stamps, pictures, strict=True)
    frames = [Frame(n, stamp, rgb) for n, stamp, rgb in numbered]
    for frame in frames[:-1]:
        step = make_step(0)
        action = Action(1, frame.stamp, step.action.value, Source.RANDOM, frame.seq, frame.stamp)
        writer.append(Step(frame, action, step.executed))
    writer.finish(frames[-1])
    return path


def at(rate_hz: float, count: int) -> list[float]:
    return [n / rate_hz for n in range(count)]


def test_a_sound_episode_has_no_fault(tmp_path: Path) -> None:
    finding = inspect(write_log(tmp_path / "a.mcap", 12), 10.0)
    assert finding.faults == ()
    assert (finding.steps, finding.truncated, finding.repeats, finding.frozen) == (12, False, 0, 1)
    assert finding.rate_hz == pytest.approx(10.0)


def test_frozen_dark_gap_and_rate_are_named(tmp_path: Path) -> None:
    moving = [picture(n) for n in range(12)]
    frozen = inspect(write_pictures(tmp_path / "f.mcap", moving[:5] + [moving[5]] * 5, at(10, 10)), 10.0)
    assert (frozen.repeats, frozen.frozen, len(frozen.faults)) == (4, 5, 1)
    assert "frozen: 5 identical frames" in frozen.faults[0]
    pair = inspect(write_pictures(tmp_path / "p.mcap", [*moving[:4], moving[3], *moving[4:8]], at(10, 9)), 10.0)
    assert (pair.repeats, pair.frozen, pair.faults) == (1, 2, ())
    dark = inspect(write_pictures(tmp_path / "d.mcap", [*moving[:3], BLACK, *moving[4:6]], at(10, 6)), 10.0)
    assert dark.faults == ("dark: 1 frames",)
    gap = inspect(write_pictures(tmp_path / "g.mcap", moving[:6], [0.0, 0.1, 0.2, 0.5, 0.6, 0.7]), 10.0)
    assert gap.gaps == 1
    assert len(gap.faults) == 1
    rate = inspect(write_pictures(tmp_path / "r.mcap", moving[:6], at(12, 6)), 10.0)
    assert rate.faults == ("rate: 12.00 Hz instead of 10",)
    assert inspect(tmp_path / "r.mcap", 12.0).faults == ()


def scene(arm: int, light: float = 1.0, noise: int = 0) -> Bytes:
    """A table with a bright arm, a third of the picture, whose edge is at column `arm`, under `light`, with noise."""
    rng = np.random.default_rng([9, noise])
    picture = np.add.outer(np.linspace(60, 110, 84), np.linspace(0, 30, 84))[:, :, None] * np.ones(3)
    picture[:, max(0, arm - 28) : arm] = 200.0
    return np.clip(np.rint(picture * light + rng.normal(0, 3, picture.shape)), 0, 255).astype(np.uint8)


def test_a_change_of_light_is_told_from_an_arm_that_moves(tmp_path: Path) -> None:
    # 15 px a step, four times what the arm can do, and half a picture brighter or darker where it has been.
    moving = [scene(arm=15 * n, noise=n) for n in range(8)]
    still = inspect(write_pictures(tmp_path / "m.mcap", moving, at(10, 8)), 10.0)
    assert (still.exposure, still.faults) == (0, ())
    flicker = np.random.default_rng(1).normal(1.0, 0.03, 200)
    flickering = [scene(arm=n % 84, light=light, noise=n) for n, light in enumerate(flicker)]
    assert brightness_jumps(np.stack(flickering)) == {}
    brighter = [scene(arm=3 * n, light=1.3 if n > 3 else 1.0, noise=n) for n in range(8)]
    found = inspect(write_pictures(tmp_path / "b.mcap", brighter, at(10, 8)), 10.0)
    assert found.exposure == 1
    assert found.faults == ("exposure: brightness jumps by a factor of 1.30 at frame 4",)
    flash = [scene(arm=3 * n, light=0.5 if n == 5 else 1.0, noise=n) for n in range(8)]
    assert brightness_jumps(np.stack(flash)).keys() == {5, 6}
    assert "and at 1 more" in inspect(write_pictures(tmp_path / "f.mcap", flash, at(10, 8)), 10.0).faults[0]


@pytest.mark.parametrize(("light", "is_told"), [(1.15, False), (1.25, True), (0.87, False), (0.79, True)])
def test_the_threshold_of_brightness_is_where_it_says(light: float, is_told: bool) -> None:
    frames = np.stack([scene(arm=40, noise=0), scene(arm=43, light=light, noise=1)])
    assert bool(brightness_jumps(frames)) == is_told


def test_an_arm_over_a_dark_table_is_no_change_of_light() -> None:
    """What is lit is the arm, and wherever it goes, most of what is lit has changed."""
    frames = np.full((8, 84, 84, 3), 4, np.uint8)
    for n, frame in enumerate(frames):
        frame[:, max(0, 15 * n - 28) : 15 * n] = 200
    assert brightness_jumps(frames) == {}
    # Half lit, half of it changing: a lamp at the edge, or an arm.
    table = np.stack([np.full((84, 84, 3), 60, np.uint8)] * 2)
    table[1, :48] = 120
    assert brightness_jumps(table) == {}
    table[1, :72] = 120
    assert brightness_jumps(table).keys() == {1}


def test_what_cannot_be_judged_is_no_change_of_light() -> None:
    white, dark = np.full_like(BLACK, 250), np.full_like(BLACK, 12)
    assert brightness_jumps(np.stack([white, np.full_like(BLACK, 255), BLACK, dark, white])) == {}


def numbered(path: Path, numbers: list[int], stamps: list[float]) -> Finding:
    """What is found in a log of pictures with these numbers."""
    return inspect(write_pictures(path, [scene(n % 84, noise=n) for n in numbers], stamps, numbers), 10.0)


def test_pictures_that_are_missing_are_counted(tmp_path: Path) -> None:
    thirds = [3 * n for n in range(21)]
    # Every third of 30 a second, and now and then its neighbour, which lies nearer to the beat.
    near = [n + (n % 7 == 0) for n in thirds]
    sound = numbered(tmp_path / "near.mcap", near, [n / 30 for n in near])
    assert (sound.dropped, sound.pictures, sound.faults) == (0, near[-1] - near[0], ())
    # Of a camera of 60 Hz the two that lay nearest to the beat are missing, four times; the neighbour may be a choice.
    sixths = np.cumsum([0] + [8 if n % 5 == 2 else 6 for n in range(20)]).tolist()
    assert numbered(tmp_path / "sixths.mcap", sixths, [n / 60 for n in sixths]).dropped == 4
    # Lost before they were numbered: the numbers go on, the time does not.
    stamps = np.cumsum([0.0] + [4 / 30 if n % 4 == 0 else 0.1 for n in range(20)]).tolist()
    late = numbered(tmp_path / "late.mcap", thirds, stamps)
    assert (late.dropped, late.pictures) == (5, 65)


def test_what_the_policy_passed_over_is_a_gap_and_no_loss(tmp_path: Path) -> None:
    """A camera that delivers all of its pictures to a policy that misses four beats."""
    numbers = np.cumsum([0] + [6 if n % 5 == 2 else 3 for n in range(20)]).tolist()
    found = numbered(tmp_path / "beats.mcap", numbers, [n / 30 for n in numbers])
    assert (found.dropped, found.pictures, found.gaps) == (0, 48, 4)
    assert found.faults == ("gaps: 4 steps took more than 1.5 periods",)


def test_loss_is_judged_over_all_files_and_only_beyond_chance(tmp_path: Path) -> None:
    def played(name: str, share: float) -> list[Finding]:
        chance = np.random.default_rng(5)
        lost = np.minimum(chance.geometric(1.0 - share, (20, 50)) - 1, 1)
        numbers = [np.cumsum([0, *(1 + row)]).tolist() for row in lost]
        return [numbered(tmp_path / f"{name}{n}.mcap", row, at(10, 51)) for n, row in enumerate(numbers)]

    sound, bad = played("sound", 0.02), played("bad", 0.12)
    assert max(finding.dropped for finding in sound) > 2, "there are episodes that are unlucky"
    assert [finding.faults for finding in [*sound, *bad]] == [()] * 40
    assert [lost_in_all([finding]) for finding in sound] == [""] * 20
    assert lost_in_all(sound) == ""
    lost, due = sum(finding.dropped for finding in bad), sum(finding.pictures for finding in bad)
    assert lost_in_all(bad) == f"dropped: {lost} of {due} pictures of the camera are missing"
    assert lost_in_all([]) == ""
    assert data_cli.check([finding.path for finding in sound]) == 0
    assert data_cli.check([finding.path for finding in bad]) == 1


def test_a_camera_that_counts_anew_is_told_and_loses_nothing_by_it(tmp_path: Path) -> None:
    anew = numbered(tmp_path / "anew.mcap", [*range(50, 60), 1, 2, *range(4, 13)], at(10, 21))
    assert (anew.dropped, anew.pictures) == (1, 20)
    assert anew.faults == ("renumbered: the camera began to count anew 1 times",)
    # From 5 to 5: the last number says nothing of how many there were.
    back = numbered(tmp_path / "back.mcap", [*range(5, 15), *range(1, 3), 4, 5], at(10, 14))
    assert back.faults == ("renumbered: the camera began to count anew 1 times",)


def test_what_is_still_arriving_is_no_episode_yet(tmp_path: Path) -> None:
    (tmp_path / "episodes").mkdir()
    good = write_log(tmp_path / "episodes" / "collect-000000.mcap", 3)
    for folder in (".incoming", ".incoming/.partial", "episodes/.incoming"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "collect-000001.mcap").write_bytes(good.read_bytes()[:9000])
    (tmp_path / "episodes" / "._collect-000000.mcap").write_bytes(b"what a file manager adds")
    assert [finding.path for finding in survey(tmp_path, 10.0)] == [good]
    # Who names the hidden folder means it.
    assert len(survey(tmp_path / ".incoming", 10.0)) == 1


def test_the_table_lists_every_file_and_the_exit_code_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    good = write_log(tmp_path / "collect-000000.mcap", 6)
    assert data_cli.check([good]) == 0
    assert "1 episodes, 6 steps, 0 with faults" in capsys.readouterr().out
    cut = tmp_path / "collect-000001.mcap"
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (tmp_path / "stranger.mcap").write_bytes(b"hello, [/red] world")
    assert data_cli.check([tmp_path]) == 1
    said = capsys.readouterr().out
    assert "3 episodes" in said
    assert "2 with faults" in said
    assert "steps are intact, the last" in said
    assert "is not an MCAP file" in said
    with pytest.raises(UserError, match="no episode to check"):
        data_cli.check([])


@pytest.mark.parametrize("steps", [0, 1, 130])
def test_sheet_and_film_show_the_episode(tmp_path: Path, steps: int) -> None:
    path = write_log(tmp_path / "a.mcap", steps, picture(500))
    sheet, film = data_cli.view(path, tmp_path / "out")
    shown = np.round(matplotlib.image.imread(sheet)[..., :3] * 255).astype(np.uint8)
    np.testing.assert_array_equal(shown[:84, :84], picture(500))
    np.testing.assert_array_equal(shown[:84, 88:172], picture(0))
    cells = min(steps + 2, 100)
    row, column = divmod(cells - 1, 10)
    np.testing.assert_array_equal(shown[row * 88 : row * 88 + 84, column * 88 : column * 88 + 84], picture(steps))
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == steps + 1 + 10 * (steps > 0) + (steps == 0)
    assert frames[0].shape[1] >= 2 * 3 * 84
    pane = frames[0][:252, -252:].astype(float)
    truth = np.kron(picture(0), np.ones((3, 3, 1)))
    assert np.abs(pane - truth).mean() < 12


def test_a_view_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.mcap", 2)
    with pytest.raises(UserError, match="cannot write"):
        data_cli.view(path, path)
    assert len(read_episode(path)) == 2
