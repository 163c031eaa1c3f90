"""Whenever the power goes, what was promised is there, at most the step under way is lost, and nothing read is wrong.

No power is cut: every state that a disk may be left in is made from the order of writes and syncs; see
`sim.faults.power_cut`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_rig.data.durable_file import DurableFile
from sim.faults.alone_disk import LOG, WORKS, cut_often, cut_power, judge_log, judge_note
from sim.faults.power_cut import Cut, Record, cuts


def put(path: Path, *parts: bytes) -> int:
    """A new file of `parts`, each of them synced but the last; its handle."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    for part in parts[:-1]:
        os.write(handle, part)
        os.fsync(handle)
    os.write(handle, parts[-1])
    return handle


def found(record: Record, path: str, stride: int = 1) -> set[bytes | None]:
    return {cut.files.get(path) for cut in cuts(record, stride)}


def test_what_was_not_synced_may_be_missing_torn_or_holed(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        handle = put(tmp_path / "a", b"safe", b"loose")
        os.close(handle)
    torn = {b"safe" + b"loose"[:n] for n in range(6)}
    # The name was never synced, and the first sync may not have ended.
    assert found(record, "a") == {None, b"", b"s", b"sa", b"saf", b"\0\0\0\0", *torn, b"safe\0\0\0\0\0"}


def test_a_synced_name_and_synced_bytes_are_there_for_good(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        handle = put(tmp_path / "a", b"safe", b"")
        folder = os.open(tmp_path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        record.mark("promised", 1)
        os.ftruncate(handle, 2)
        os.close(handle)
    after = {cut.files.get("a") for cut in cuts(record) if cut.promised}
    assert after == {b"safe", b"sa"}


def test_a_rename_may_be_undone_until_its_folder_is_synced(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        os.mkdir(tmp_path / "new")
        os.close(put(tmp_path / "new" / "a", b"x", b""))
        os.rename(tmp_path / "new", tmp_path / "kept")
    trees = {tuple(sorted(cut.files)) for cut in cuts(record)}
    assert trees == {(), ("new/a",), ("kept/a",)}


def test_a_page_in_the_middle_may_never_have_been_written(tmp_path: Path) -> None:
    content = bytes(range(1, 251)) * 40
    with Record(tmp_path) as record:
        os.close(put(tmp_path / "a", content))
    assert content[:4096] + bytes(4096) + content[8192:] in found(record, "a", 10_000)


@pytest.mark.parametrize("name", sorted(WORKS))
def test_no_power_cut_costs_more_than_the_step_under_way(tmp_path: Path, name: str) -> None:
    wrong = list(cut_often(*WORKS[name], tmp_path, 700))
    assert len(wrong) > 40
    assert set(wrong) == {""}


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(WORKS))
def test_nor_does_one_that_tears_at_any_byte(tmp_path: Path, name: str) -> None:
    count = 0
    for wrong in cut_often(*WORKS[name], tmp_path, 1):
        count += 1
        assert wrong == ""
    assert count > 10_000


def test_the_row_counts_its_cuts(tmp_path: Path) -> None:
    verdict = cut_power(np.random.default_rng(3), tmp_path)
    assert verdict.complaints == []
    assert verdict.figures["power cuts"] > 200


def test_a_writer_that_does_not_sync_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = DurableFile.sync

    def lazy(file: DurableFile) -> None:
        fdatasync, os.fdatasync = os.fdatasync, lambda handle: None
        try:
            real(file)
        finally:
            os.fdatasync = fdatasync

    monkeypatch.setattr(DurableFile, "sync", lazy)
    said = set(cut_often(*WORKS["log"], tmp_path, 900))
    assert {f"2 steps were acknowledged, {left} are left" for left in (0, 1)} <= said


def test_a_run_whose_folder_may_go_with_all_that_is_in_it_is_found_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("robot_rig.runs.make_folder", lambda folder: folder.mkdir(parents=True, exist_ok=True))
    assert "1 steps were acknowledged, 0 are left" in set(cut_often(*WORKS["log"], tmp_path, 900))


WRONG: list[tuple[Callable[[Cut, Path], str], Cut, str]] = [
    (judge_note, Cut({}, {"written": 1}), "neither"),
    (judge_note, Cut({"progress.json": b"{"}, {"written": 1}), "neither"),
    (judge_log, Cut({}, {"acknowledged": 1, "taken": 1}), "1 steps were acknowledged, 0 are left"),
    (judge_log, Cut({LOG: b""}, {"taken": 2}), "2 steps are lost"),
    (WORKS["checkpoint"][1], Cut({}, {"written": 1}), "is gone"),
    (WORKS["checkpoint"][1], Cut({"practice-000001/manifest.json": b"{}"}, {}), "torn checkpoint"),
]


@pytest.mark.parametrize(("judge", "cut", "said"), WRONG)
def test_each_loss_is_told(tmp_path: Path, judge: Callable[[Cut, Path], str], cut: Cut, said: str) -> None:
    assert said in judge(cut, tmp_path)
