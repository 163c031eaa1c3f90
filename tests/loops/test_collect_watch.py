"""What counts as visited, and what counts as a person's help; and that the configured play covers the box."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Action, Frame, Mode, Source
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.collect_watch import CELL_M, CellCount, CollectWatch
from sim.rig import SimRig

CONFIG = Config()


def watch() -> CollectWatch:
    return CollectWatch(CONFIG.guard, CONFIG.control)


def test_the_middle_of_every_cell_is_a_cell_of_its_own() -> None:
    cells = CellCount(CONFIG.guard, CONFIG.control)
    (x0, y0, _), (x1, y1, _) = CONFIG.guard.box_low_m, CONFIG.guard.box_high_m
    columns, rows = round((x1 - x0) / CELL_M), round((y1 - y0) / CELL_M)
    assert cells.total == columns * rows == 200
    for count, (i, j) in enumerate(itertools.product(range(columns), range(rows)), start=1):
        for _ in range(2):
            cells.add(np.array([x0 + (i + 0.5) * CELL_M, y0 + (j + 0.5) * CELL_M, 0.0]))
        assert cells.visited == count


@given(st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2)))
def test_outside_the_box_there_is_no_cell(tool: tuple[float, float, float]) -> None:
    cells = CellCount(CONFIG.guard, CONFIG.control)
    cells.add(np.array(tool))
    low, high = CONFIG.guard.box_low_m, CONFIG.guard.box_high_m
    assert cells.visited == all(low[i] <= tool[i] < high[i] for i in range(2))


def test_a_box_that_cells_do_not_fill_has_a_cut_row() -> None:
    config = load_config([], ["guard.box_low_m=[0.55, -0.2, 0.03]", "guard.box_high_m=[0.76, 0.2, 0.3]"])
    assert CellCount(config.guard, config.control).total == 11 * 20


def test_height_counts_where_actions_move_it() -> None:
    config = load_config([], ["control.axes=[x, y, z]"])
    assert CellCount(config.guard, config.control).total == 10 * 20 * 14


def told(*reports: tuple[Mode, Source | None]) -> CollectWatch:
    one = watch()
    for now, (mode, source) in enumerate(reports):
        one.report(float(now), mode, source)
    return one


@pytest.mark.parametrize(
    ("reports", "actions"),
    [
        ([(Mode.DISABLED, None), (Mode.ACTIVE, None), (Mode.ACTIVE, Source.RANDOM)], 0),
        ([(Mode.ACTIVE, None), (Mode.HOMING, Source.HOMING), (Mode.ACTIVE, Source.RANDOM)], 0),
        ([(Mode.DISABLED, None), (Mode.ACTIVE, None), (Mode.HOLD, None)], 0),
        ([(Mode.DISABLED, None), (Mode.ACTIVE, None), (Mode.HOLD, None), (Mode.ACTIVE, None)], 1),
        ([(Mode.ACTIVE, None), (Mode.HOLD, None), (Mode.HOMING, None), (Mode.HOLD, None), (Mode.ACTIVE, None)], 2),
        ([(Mode.ACTIVE, None), (Mode.FAULT, None), (Mode.DISABLED, None), (Mode.ACTIVE, None)], 2),
        ([(Mode.ACTIVE, Source.RANDOM), (Mode.ACTIVE, Source.HUMAN), (Mode.ACTIVE, Source.HUMAN)], 1),
    ],
)
def test_a_persons_acts_after_the_first_enable_are_counted(
    reports: list[tuple[Mode, Source | None]], actions: int
) -> None:
    one = told(*reports)
    assert one.enabled
    assert one.human_actions == actions
    last = reports[-1][0]
    assert one.stuck == (None if last in (Mode.ACTIVE, Mode.HOMING) else last)


def test_nothing_counts_before_the_enable_and_time_begins_with_it() -> None:
    one = told((Mode.DISABLED, None), (Mode.DISABLED, None))
    one.tool(np.array(CONFIG.control.home_tool_m))
    assert (one.enabled, one.cells.visited, one.minutes(60.0)) == (False, 0, 0.0)
    one.report(60.0, Mode.ACTIVE, None)
    one.tool(np.array(CONFIG.control.home_tool_m))
    assert one.minutes(180.0) == 2.0
    assert one.summary(180.0) == "collect minutes=2.0 cells=1 of=200 human_actions=0"


@pytest.mark.proof
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_configured_play_covers_the_box_in_twenty_minutes(seed: int) -> None:
    settings = CONFIG.collect
    policy = RandomPolicy(settings.ou_theta, settings.ou_sigma, len(CONFIG.control.axes), seed)
    rig, one = SimRig(CONFIG, seed), watch()
    one.report(rig.now(), Mode.ACTIVE, None)
    nothing = Frame(0, 0.0, np.zeros((84, 84, 3), np.uint8))
    try:
        for step in itertools.count(1):
            rig.act(Action(step, rig.now(), policy.act(nothing), Source.RANDOM, step, rig.now()))
            one.tool(rig.kinematics.pose(rig.world.joint_position()).tool)
            if one.minutes(rig.now()) >= 20.0:
                break
    finally:
        rig.close()
    assert one.cells.visited >= 0.8 * one.cells.total, one.summary(rig.now())
