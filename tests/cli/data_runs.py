"""Runs of a few made-up episodes for the tests of `rig data`, and what is said where a word is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.config_files import load_config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Action, Bytes, Frame, Source, Step
from robot_rig.runs import RunFolder
from tests.data.episodes import ACTION_DIM, NO_LIMIT, make_frame, make_step, picture

Capture = pytest.CaptureFixture[str]
HOUR = 3600.0
EPOCH = 1.7e9


def log(run: Path, stage: str, hour: float, steps: int = 3, goal: Bytes | None = None) -> Path:
    """An episode of `stage` in the run, begun `hour` hours after a certain day; its pictures tell it from others."""
    path = EpisodeStore(run / "episodes").next_path(stage)
    meta = {"stage": stage, "policy": "random"}
    offset = EPOCH + hour * HOUR
    writer = EpisodeWriter(path, ACTION_DIM, goal, meta, clock_offset=offset, room=NO_LIMIT)
    for number in range(steps):
        step = make_step(number)
        frame = Frame(step.frame.seq, step.frame.stamp, picture(int(hour * 10) + number))
        action = Action(number + 1, frame.stamp, step.action.value, Source.RANDOM, frame.seq, frame.stamp)
        writer.append(Step(frame, action, step.executed))
    writer.finish(make_frame(steps))
    return path


def begun(run: Path, *sets: str) -> Path:
    RunFolder.claim(run, load_config([], sets)).close()
    return run


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in EpisodeStore(run / "episodes").paths()}


def refused(capsys: Capture, *arguments: object) -> str:
    return said_of(["data", *map(str, arguments)], capsys)


def said_of(words: list[str], capsys: Capture) -> str:
    """The one line with which the command is refused."""
    capsys.readouterr()
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]
