"""The record of a soak: all of it comes back, it goes on only with its own paper, and it passes only without fault."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from rich.console import Console

from robot_rig.cli.soak.account import Outcome, Stop
from robot_rig.cli.soak.kinds import KINDS, Rescue
from robot_rig.cli.soak.record import Paper, Record, Stretch
from robot_rig.cli.soak.verdict import LIMIT_MIB_H, WARM_UP_S, WATCHED, complaints, growth, last_line, show, told_of
from robot_rig.cli.soak.watch import Told
from robot_rig.errors import UserError

PAPER = Paper(1.0, 3, 0, ("reach",), ("sim.multisamples=0",))
KIND = next(iter(KINDS))
FAULT = Outcome(KIND, Rescue.ALONE.value, 0, 30.0, 1.5, 3.0, 0)
STRETCH = Stretch(60.0, 100, 0, 0, 0, 0, 9.0)
VOID = replace(FAULT, kind=list(KINDS)[1], complaints=["x"], void="the machine was away for 60 ms")
AWAY = Stop(5.0, "the arm came into mode hold", "the machine was away for 60 ms")
HOUR_S = 3600.0


def filled(path: Path, mib_per_hour: float = 0.0, files_per_hour: float = 0.0, name: str = "rig_arm") -> Record:
    """A soak of an hour that went as it should, but for what its process `name` holds."""
    record = Record.begin(path, PAPER)
    record.elapsed_s, record.sittings, record.finished = HOUR_S, ["abc", "abc"], True
    record.outcomes, record.stretches = [FAULT], [STRETCH]
    record.told, record.endings = [Told(1e9, 1e9 + 5.0, 40)], {"complete": 9, "cut short": 1}
    record.logged, record.checkpoints = 500, 4
    for node in WATCHED:
        leak, files = (mib_per_hour, files_per_hour) if node == name else (0.0, 0.0)
        for i in range(360):
            hours = 10.0 * i / HOUR_S
            mib = 60.0 + 30.0 * min(1.0, 10.0 * i / WARM_UP_S) + leak * hours
            record.sample(f"{node} 7 1", node, 1e9 + 10.0 * i, mib, 20 + round(files * hours))
    return record


def complained(record: Record, planned: int = 1) -> str:
    return "; ".join(complaints(record, planned))


def test_everything_comes_back_and_the_same_paper_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    record = filled(path)
    record.stops.append(Stop(5.0, "the launch ended", "the machine was away"))
    record.save()
    again = Record.begin(path, PAPER)
    for one in fields(Record):
        assert getattr(again, one.name) == getattr(record, one.name), one.name


@pytest.mark.parametrize("other", [replace(PAPER, hours=2.0), replace(PAPER, seed=1), replace(PAPER, set=())])
def test_another_soak_is_refused_by_what_differs(tmp_path: Path, other: Paper) -> None:
    filled(tmp_path / "soak.json").save()
    with pytest.raises(UserError, match=r"of another soak: (hours 1\.0 -> 2\.0|seed 0 -> 1|set )"):
        Record.begin(tmp_path / "soak.json", other)


@pytest.mark.parametrize(
    "change",
    [
        {"elapsed_s": "long"}, {"finished": 1}, {"sittings": [3]}, {"endings": {"complete": "x"}},
        {"told": [[1.0, 2.0, 3]]}, {"stops": [{"at_s": "x", "what": "", "excused": ""}]}, {"paper": {"hours": "1"}},
        {"lives": {"a": {"name": "a", "times": [], "mib": [], "descriptors": []}}},
        {"lives": {"a": {"name": "a", "times": [1.0], "mib": ["x"], "descriptors": [1]}}},
    ],
)  # fmt: skip
def test_a_record_that_somebody_has_had_his_way_with_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "soak.json"
    filled(path).save()
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match="no record of"):
        Record.begin(path, PAPER)


@pytest.mark.parametrize("text", ["[]", "{", '{"format": 1}', '{"format": 9}', '{"format": 1, "paper": 3}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "soak.json").write_text(text)
    with pytest.raises(UserError, match="no record of"):
        Record.begin(tmp_path / "soak.json", PAPER)


def test_a_soak_as_it_should_be_passes(tmp_path: Path) -> None:
    record = filled(tmp_path / "soak.json")
    assert complained(record) == ""
    one = growth(record)["rig_arm"].slope
    assert one is not None
    assert one.per_hour == pytest.approx(0.0, abs=1e-3), "the warm-up is no growth"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"finished": False}, "not come to its end"),
        ({"outcomes": []}, "did not come to their turn"),
        ({"outcomes": [replace(FAULT, complaints=["it took long"])]}, "it took long"),
        ({"outcomes": [replace(FAULT, complaints=["x"], void="away")]}, "1 of 1 faults are void"),
        ({"stops": [Stop(5.0, "the launch ended")]}, "the launch ended, and no fault was caused"),
        ({"outcomes": [FAULT] * 9 + [VOID]}, f"{VOID.kind}: void every time"),
        ({"stops": [AWAY, AWAY]}, "practice stopped 2 times while the machine was away"),
        ({"checkpoints": 0}, "no checkpoint"),
        ({"endings": {"cut short": 90}}, "no episode was complete"),
        ({"lives": {}}, "nobody looked at the memory of rig_arm, rig_camera"),
        ({"lost": 2}, "2 steps are lost"),
        ({"stretches": []}, "no step was timed"),
        ({"stretches": [replace(STRETCH, late=2)]}, "2 of 100 steps"),
        ({"stretches": [replace(STRETCH, missed=2, timer_missed=1)]}, "2 policy periods were missed"),
        ({"stretches": [STRETCH, replace(STRETCH, void="away")]}, "1 of 2 timed stretches are void"),
    ],
)
def test_each_part_of_the_bar_can_fail(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    assert complaint in complained(replace(filled(tmp_path / "soak.json"), **change))  # type: ignore[arg-type]


def test_what_the_machine_explains_is_excused(tmp_path: Path) -> None:
    record = filled(tmp_path / "soak.json")
    record.stops = [Stop(5.0, "the arm came into mode hold", "the machine was away for 60 ms")]
    record.outcomes = [*[FAULT] * 5, replace(FAULT, complaints=["x"], void="the machine was away for 60 ms")]
    record.stretches = [replace(STRETCH, missed=1, timer_missed=1)]
    assert complained(record) == ""


def test_a_leak_fails_unless_it_is_the_log_itself(tmp_path: Path) -> None:
    assert "rig_arm grows by 3.0 MiB/h" in complained(filled(tmp_path / "a.json", mib_per_hour=3.0))
    assert complained(filled(tmp_path / "b.json", mib_per_hour=0.5)) == ""
    assert complained(filled(tmp_path / "c.json", mib_per_hour=700.0, name="rig_trainer")) == ""
    assert "opens more and more files" in complained(filled(tmp_path / "d.json", files_per_hour=20.0))


def test_a_process_that_never_lived_long_is_no_proof_that_it_does_not_grow(tmp_path: Path) -> None:
    record = filled(tmp_path / "a.json")
    life = record.lives["rig_arm 7 1"]
    life.times, life.mib, life.descriptors = life.times[:30], life.mib[:30], life.descriptors[:30]
    assert complained(record) == "rig_arm never lived long enough to say whether it grows"
    record.elapsed_s = 180.0
    assert complained(record) == ""


def test_a_slope_that_cannot_be_told_says_so(tmp_path: Path) -> None:
    grown = growth(filled(tmp_path / "soak.json"))["rig_arm"].slope
    assert grown is not None
    assert told_of(None) == "too short to say"
    assert told_of(grown) == "does not grow"
    assert told_of(grown._replace(low=-1.0, high=LIMIT_MIB_H + 1.0)) == "cannot tell"
    assert told_of(grown._replace(low=LIMIT_MIB_H + 0.1, high=9.0)) == "GROWS"


def test_a_soak_of_a_moment_has_tables_and_a_line_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, printed = Record.begin(tmp_path / "soak.json", PAPER), ""
    empty.sample("rig_arm 7 1", "rig_arm", 1e9, 60.0, 20)
    for record in (empty, filled(tmp_path / "x.json")):
        show(record, {KIND: 3}, Console(width=200))
        pairs = dict(pair.split("=", 1) for pair in last_line(record, {KIND: 3}).split()[1:])
        assert {"hours", "caused", "passed", "alone", "operator", "restart", "lost", "missed", "timer_missed"} <= set(
            pairs
        )
        json.dumps(pairs)
        with_room = capsys.readouterr().out
        printed += with_room
        show(record, {KIND: 3}, Console(width=80))
        narrow = capsys.readouterr().out
        # Nothing is cut where there are 80 columns, but for kinds and verdicts, which are words and fold.
        whole = set(re.findall(r"rig_\w+|\d\S* to \S*\d|operator|restart", with_room))
        assert whole <= set(re.findall(r"rig_\w+|\d\S* to \S*\d|operator|restart", narrow))
        assert {word for name in KINDS for word in name.split()} <= set(narrow.split())
    assert "too short to say" in printed
    assert "does not grow" in printed
    assert all(name in printed for name in KINDS)
    assert pairs["hours"] == "1.00"
    assert (pairs["planned"], pairs["passed"], pairs["alone"]) == ("3", "1", "1")
    assert float(pairs["mib_h_low"]) <= float(pairs["mib_h"]) <= float(pairs["mib_h_high"])
