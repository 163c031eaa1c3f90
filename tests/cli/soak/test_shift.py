"""A whole soak on a clock that jumps: all recovers as it should, and each broken rule of the stack is complained of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from robot_rig.cli.soak.kinds import KINDS, Rescue
from robot_rig.cli.soak.record import Paper, Record
from robot_rig.cli.soak.run import planned_for
from robot_rig.cli.soak.verdict import WATCHED, complaints
from robot_rig.datatypes import Mode
from robot_rig.errors import UserError
from tests.cli.soak.practice_world import World

pytestmark = pytest.mark.usefixtures("ros_master")  # where ROS is missing, none of this can be collected
PAPER = Paper(0.25, 1, 3)


def soaked(
    path: Path, change: Callable[[World], object] = lambda world: None, paper: Paper = PAPER
) -> tuple[Record, World]:
    """A soak on `paper` in a world that `change` has had its way with."""
    path.mkdir(exist_ok=True)
    record = Record.begin(path / "soak.json", paper)
    world = World(record)
    change(world)
    world.shift.work(planned_for(paper).faults, lambda done, note: None, lambda: True)
    world.end()
    world.shift.write_down()
    for node in WATCHED:
        record.sample(f"{node} 7 1", node, 1e9, 60.0, 20)
    record.finished = True
    return record, world


def complained(record: Record) -> list[str]:
    return list(complaints(record, len(planned_for(record.paper).faults)))


def by_rescue(record: Record, rescue: Rescue) -> list[str]:
    return ["; ".join(one.complaints) for one in record.outcomes if one.rescue == rescue.value]


def test_all_kinds_recover_as_they_should_and_the_operator_is_counted(tmp_path: Path) -> None:
    record, world = soaked(tmp_path)
    assert complained(record) == []
    assert Counter(one.kind for one in record.outcomes) == dict.fromkeys(KINDS, 1)
    assert record.restarts == 4
    assert world.starts == 5
    assert record.stops == []
    assert {one.orders for one in record.outcomes if one.rescue != Rescue.OPERATOR.value} == {0}
    assert all(one.orders >= 1 for one in record.outcomes if one.rescue == Rescue.OPERATOR.value)
    assert sum(one.orders for one in record.outcomes) == len(world.orders)
    assert all(0.0 <= one.took_s < 60.0 for one in record.outcomes)
    assert record.elapsed_s >= PAPER.seconds
    assert sum(one.steps for one in record.stretches) > 500
    assert sum(one.missed for one in record.stretches) == 0
    told = sum(one.steps for one in record.told)
    assert 0.8 * sum(world.on_disk) < told <= sum(world.on_disk)
    assert all(one.opened > 1e9 for one in record.told), "on the clock that the files are on"


def test_a_guard_that_does_not_wait_needs_a_person_where_nobody_should_be_needed(tmp_path: Path) -> None:
    record, _ = soaked(tmp_path, lambda world: setattr(world, "held_limit_s", 0.3))
    assert set(by_rescue(record, Rescue.ALONE)) == {"practice did not go on alone"}
    assert set(by_rescue(record, Rescue.OPERATOR)) == {""}
    assert any("did not go on alone" in one for one in complained(record))


def test_a_guard_that_goes_on_by_itself_is_found(tmp_path: Path) -> None:
    record, world = soaked(tmp_path, lambda world: setattr(world, "leads_itself", lambda: True))
    assert all("went on before a person led" in said for said in by_rescue(record, Rescue.OPERATOR))
    assert set(by_rescue(record, Rescue.ALONE)) == {""}
    assert world.orders == []


def test_a_fault_that_was_never_caused_passes_for_none(tmp_path: Path) -> None:
    def deaf(world: World) -> None:
        def tell(to: str, /, **what: object) -> None:
            """The camera's cable and the robot hear nothing."""

        world.tell = tell  # type: ignore[method-assign]

    record, _ = soaked(tmp_path, deaf)
    told = {one.kind: "; ".join(one.complaints) for one in record.outcomes}
    for kind in ("picture frozen", "lens covered", "robot's state stale", "camera unplugged for long", "collision"):
        assert "neither guard nor camera told of it" in told[kind], kind
    assert told["red button"] == told["policy hangs"] == ""


def test_a_fault_that_another_one_is_taken_for_does_not_count(tmp_path: Path) -> None:
    def swapped(world: World) -> None:
        tell = world.tell

        def silent(to: str, /, **what: object) -> None:
            tell(to, **({"kind": "silence"} if what.get("kind") == "freeze" else what))

        world.tell = silent  # type: ignore[method-assign]

    record, _ = soaked(tmp_path, swapped)
    told = {one.kind: "; ".join(one.complaints) for one in record.outcomes}
    assert told["picture frozen"] == "neither guard nor camera told of it"
    assert told["lens covered"] == ""


def test_a_launch_that_does_not_come_up_again_is_told_before_it_ends_the_sitting(tmp_path: Path) -> None:
    record = Record.begin(tmp_path / "soak.json", PAPER)
    world = World(record)
    start = world.start

    def once() -> None:
        start() if world.starts == 0 else None

    world.start = once  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"practice\.launch has ended"):
        world.shift.work(planned_for(PAPER).faults, lambda done, note: None, lambda: True)
    assert record.outcomes[-1].rescue == Rescue.RESTART.value
    assert "practice did not go on at all" in record.outcomes[-1].complaints
    assert not record.outcomes[-1].void


def test_no_moment_of_the_machines_explains_a_launch_that_ends(tmp_path: Path) -> None:
    def dying(world: World) -> None:
        tick = world._tick
        world.gap_s = 0.3

        def also(now: float) -> None:
            tick(now)
            if abs(now - 1400.0) < 0.03:
                world.end()

        world._tick = also  # type: ignore[method-assign]

    record, _ = soaked(tmp_path, dying, Paper(0.25, 0, 0))
    assert [(stop.what, stop.excused) for stop in record.stops] == [("the launch ended", "")]


def test_a_launch_that_lives_on_without_a_process_is_found(tmp_path: Path) -> None:
    record, _ = soaked(tmp_path, lambda world: world.required.discard("rig_trainer"))
    said = {one.kind: "; ".join(one.complaints) for one in record.outcomes}
    assert "did not end with a process" in said["trainer killed"]
    assert said["recorder killed"] == ""


def test_a_guard_that_rests_without_a_fault_is_led_on_and_told(tmp_path: Path) -> None:
    def tripping(world: World) -> None:
        world.leads_itself = lambda: False
        tick = world._tick

        def also(now: float) -> None:
            tick(now)
            if abs(now - 1400.0) < 0.03 and world.watch.mode(now) is Mode.ACTIVE:
                world.trip()

        world._tick = also  # type: ignore[method-assign]

    quiet = Paper(0.25, 0, 0)
    record, world = soaked(tmp_path / "a", tripping, quiet)
    assert [stop.what for stop in record.stops] == ["the arm came into mode hold"]
    assert complained(record) == [
        f"at {record.stops[0].at_s:.0f} s the arm came into mode hold, and no fault was caused"
    ]
    assert world.orders == ["enable"]

    def away(world: World) -> None:
        tripping(world)
        world.gap_s = 0.3

    record, _ = soaked(tmp_path / "b", away, quiet)
    assert "was away for 300 ms" in record.stops[0].excused
    assert not any("no fault was caused" in one for one in complained(record))


def test_a_soak_that_was_interrupted_goes_on_with_the_next_fault(tmp_path: Path) -> None:
    whole, _ = soaked(tmp_path / "whole")

    class Tired(Exception):
        pass

    record = Record.begin(tmp_path / "soak.json", PAPER)
    world = World(record)

    def give_up(done: int, note: str) -> None:
        if len(record.outcomes) == 7:
            raise Tired

    with pytest.raises(Tired):
        world.shift.work(planned_for(PAPER).faults, give_up, lambda: True)
    world.end()
    world.shift.write_down()
    again, _ = soaked(tmp_path)
    assert [one.kind for one in again.outcomes] == [one.kind for one in whole.outcomes]
    assert [one.seed for one in again.outcomes] == [one.seed for one in whole.outcomes]
    assert again.elapsed_s < PAPER.seconds + 120.0
    assert complained(again) == []


def test_a_launch_that_does_not_come_up_and_a_cable_that_dies_end_the_sitting(tmp_path: Path) -> None:
    record = Record.begin(tmp_path / "soak.json", PAPER)
    world = World(record)
    with pytest.raises(UserError, match="cable has died"):
        world.shift.work([], lambda done, note: None, lambda: False)
    dead = World(record)
    dead.start = lambda: None  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"practice\.launch has ended"):
        dead.shift.work([], lambda done, note: None, lambda: True)
