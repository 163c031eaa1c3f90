"""What may be put together, in which order it stands, and how it is drawn apart: without a file."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data.outline import Outline
from robot_rig.data.sets import Origin, Placement, draw, in_one_row, refuse_differences, refuse_other_actions, twins
from robot_rig.data.store import NAME, number_of, stage_of
from robot_rig.errors import UserError

DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)


def short(name: str, minute: int | None, run: str = "a", action_dim: int = 2) -> Outline:
    begun = None if minute is None else DAY + datetime.timedelta(minutes=minute)
    meta = {"stage": name.partition("-")[0]}
    return Outline(Path(run) / f"{name}.mcap", meta, action_dim, 50, 5.0, begun, False, False, False, 1000)


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("camera.crop_left_px=100", "camera.crop_left_px is 110 and 100"),
        ("camera.focal_px=600", "camera.focal_px is 612.0 and 600.0"),
        ("control.axes=[x, y, z]", "control.axes is [x, y] and [x, y, z]"),
        ("control.policy_rate_hz=5", "control.policy_rate_hz is 10.0 and 5.0"),
        ("control.action_scale_m=0.01", "control.action_scale_m is 0.017 and 0.01"),
        ("tool.kind=custom", "tool.kind is electric and custom"),
        ("sim.scene=push", "sim.scene is reach and push"),
        ("sim.camera_position_m=[1.2, 0, 0.7]", "sim.camera_position_m is [1.3, 0.0, 0.7] and [1.2, 0.0, 0.7]"),
    ],
)
def test_runs_of_another_eye_or_action_are_refused_naming_both_values(setting: str, values: str) -> None:
    other = load_config([], [setting])
    with pytest.raises(UserError, match="cannot be learnt from together") as refused:
        refuse_differences((Path("a"), Config()), (Path("b"), other))
    assert values in str(refused.value)


@pytest.mark.parametrize("setting", ["seed=4", "vae.beta=2", "guard.tool_speed_m_s=0.1", "control.lag_s=0.1"])
def test_what_changes_no_record_may_differ(setting: str) -> None:
    refuse_differences((Path("a"), Config()), (Path("b"), load_config([], [setting])))


def test_every_setting_of_the_camera_decides() -> None:
    for key, value in Config().camera.model_dump().items():
        other = Config().model_copy(update={"camera": Config().camera.model_copy(update={key: value + 1})})
        with pytest.raises(UserError, match=f"camera.{key} is {value} and {value + 1}"):
            refuse_differences((Path("a"), Config()), (Path("b"), other))


def test_an_episode_of_another_action_size_is_named() -> None:
    refuse_other_actions(Config(), [short("collect-000000", 0)])
    with pytest.raises(UserError, match=r"collect-000001.mcap has actions of 3 numbers.*names 2"):
        refuse_other_actions(Config(), [short("collect-000000", 0), short("collect-000001", 1, action_dim=3)])


def test_episodes_stand_in_order_of_time_under_new_numbers() -> None:
    a = [short("collect-000000", 0), short("collect-000001", 20), short("heldout-000002", 30)]
    b = [short("collect-000000", 10, "b"), short("practice-000007", 25, "b")]
    placed = in_one_row([a, b])
    assert [(str(source), name) for source, name in placed] == [
        ("a/collect-000000.mcap", "collect-000000.mcap"),
        ("b/collect-000000.mcap", "collect-000001.mcap"),
        ("a/collect-000001.mcap", "collect-000002.mcap"),
        ("b/practice-000007.mcap", "practice-000003.mcap"),
        ("a/heldout-000002.mcap", "heldout-000004.mcap"),
    ]


def test_where_one_has_no_date_the_runs_follow_on_one_another() -> None:
    placed = in_one_row([[short("collect-000003", 50), short("collect-000004", 60)], [short("collect-000000", None)]])
    assert [source.name for source, _ in placed] == [f"collect-{n:06d}.mcap" for n in (3, 4, 0)]
    assert [number_of(Path(name)) for _, name in placed] == [0, 1, 2]


@given(st.lists(st.tuples(st.sampled_from(["collect", "heldout", "practice"]), st.integers(0, 99)), max_size=30))
def test_no_episode_is_lost_and_no_name_given_twice(made: list[tuple[str, int]]) -> None:
    runs = [
        [short(f"{stage}-{n:06d}", minute, run) for n, (stage, minute) in enumerate(made)] for run in ("a", "b", "c")
    ]
    placed = in_one_row(runs)
    assert {source for source, _ in placed} == {episode.path for run in runs for episode in run}
    assert len({name for _, name in placed}) == len(placed) == 3 * len(made)
    assert all(NAME.fullmatch(name) and stage_of(Path(name)) == stage_of(source) for source, name in placed)


def files(**counts: int) -> list[Path]:
    names = [stage for stage, count in counts.items() for _ in range(count)]
    return [Path(f"{stage}-{number:06d}.mcap") for number, stage in enumerate(names)]


@given(st.integers(3, 40), st.integers(0, 20), st.floats(0.2, 0.8), st.integers(0, 1000))
def test_each_stage_keeps_the_share_to_half_an_episode(play: int, held: int, share: float, seed: int) -> None:
    paths = files(collect=play, heldout=held)
    first, rest = draw(paths, share, seed)
    assert sorted([place.source for place in (*first, *rest)]) == sorted(paths)
    drawn = Counter(stage_of(place.source) for place in first)
    for stage, count in (("collect", play), ("heldout", held)):
        assert abs(drawn[stage] - share * count) <= 0.5 + 1e-9
    assert all(place.name == place.source.name for place in (*first, *rest))
    for side in (first, rest):
        assert [number_of(place.source) for place in side] == sorted(number_of(place.source) for place in side)


def test_a_seed_decides_and_another_stage_changes_nothing() -> None:
    first, _ = draw(files(collect=20), 0.5, 3)
    assert draw(files(collect=20), 0.5, 3)[0] == first
    assert draw(files(collect=20), 0.5, 4)[0] != first
    with_more, _ = draw(files(collect=20, heldout=6), 0.5, 3)
    assert [place for place in with_more if stage_of(place.source) == "collect"] == first


@pytest.mark.parametrize(("share", "count"), [(0.0, 9), (1.0, 9), (-0.5, 9), (float("nan"), 9), (0.9, 3), (0.5, 0)])
def test_a_share_that_leaves_a_side_empty_is_refused(share: float, count: int) -> None:
    with pytest.raises(UserError, match="leaves one side empty"):
        draw(files(collect=count), share, 0)


def test_a_seed_below_nought_is_refused() -> None:
    with pytest.raises(UserError, match="negative"):
        draw(files(collect=9), 0.5, -1)


def test_what_looks_the_same_is_named_once_a_pair() -> None:
    a, b = short("collect-000000", 0), short("collect-000000", 0, "b")
    assert list(twins([[a], [b], [short("collect-000001", 1)]])) == [(a.path, b.path)]


def test_a_plan_is_the_same_for_the_same_and_no_other() -> None:
    def origin(share: float, *names: str) -> Origin:
        return Origin({"word": "split", "share": share}, (Path("a"),), tuple(Placement(Path(n), n) for n in names), ())

    base = origin(0.5, "x", "y")
    assert base.plan() == origin(0.5, "x", "y").plan()
    assert len({base.plan(), origin(0.6, "x", "y").plan(), origin(0.5, "y", "x").plan(), origin(0.5, "x").plan()}) == 4
    assert not base.note({"x": "00"})["complete"]
    assert base.note({"x": "00", "y": "11"})["complete"]
