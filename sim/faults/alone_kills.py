"""SIGKILL at any moment to who writes: the shipper of checkpoints (row 17) and the recorder. Needs no graph.

The processes are forks of `doomed`, which is started once; what they had promised is read from their pipe, and what is
left is read by the real readers.
"""

from __future__ import annotations

import atexit
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.data.durable_file import being_written
from robot_rig.data.log import read_episode
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import read_checkpoint
from robot_rig.stages.shipping import load_checkpoint, shipped_in
from sim.faults.alone_processes import ROOT, die_with_parent, surroundings
from sim.faults.doomed import STAGE, STEPS
from sim.faults.judges import Verdict
from sim.faults.made_steps import differs
from sim.strangers.attack import attack
from sim.strangers.originals import originals

KILL_WITHIN_S = 0.3
SHOWN = 3
TORN = 17


class Doomed:
    """The process that forks workers of one kind: `record` or `ship`."""

    def __init__(self, work: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.faults.doomed", work],
            cwd=ROOT,
            env=surroundings(),
            preexec_fn=die_with_parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._clock = WallClock()
        atexit.register(self.close)

    def die(self, folder: Path, after_s: float) -> list[str]:
        """Let a worker begin in `folder`, kill it `after_s` after its first promise, and return all its promises."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{folder}\n".encode())
        self._process.stdin.flush()
        worker = int(self._line())
        told = [self._line()]
        deadline = self._clock.now() + after_s
        while (left := deadline - self._clock.now()) > 0:
            # Read on, or the worker would wait for us.
            if select.select([self._process.stdout], [], [], left)[0]:
                told.append(self._line())
        os.kill(worker, signal.SIGKILL)
        while (line := self._line()) != "over":
            told.append(line)
        return told

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise UserError("the process that was to be killed has died before", next_step="see what it said above")
        return line[:-1].decode()

    def close(self) -> None:
        """End it; may be called twice."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@cache
def doomed(work: str) -> Doomed:
    """One for all attempts of this process."""
    return Doomed(work)


class Killed(NamedTuple):
    """What came of one killed recorder: complaints, and how many steps it had acknowledged."""

    complaints: list[str]
    acknowledged: int


def kill_recorder(random: np.random.Generator, folder: Path) -> Killed:
    """Kill a recorder at a random moment: each acknowledged step is there, right, and nobody holds the file."""
    told = [tuple(map(int, line.split())) for line in doomed("record").die(folder, random.uniform(0, KILL_WITHIN_S))]
    safe: dict[int, int] = {}
    for number, steps in told:
        safe[number] = max(steps, safe.get(number, 0))
    paths = EpisodeStore(folder).paths(STAGE)
    complaints = [f"{path.name} is still held" for path in paths if being_written(path)]
    if len(paths) < len(safe):
        complaints.append(f"{len(safe)} episodes were begun, {len(paths)} are there")
    for number, path in enumerate(paths):
        complaints += lost(path, safe.get(number, 0))
        # Where the next one was begun, this one had been finished.
        complaints += unfinished(path) if number + 1 in safe else []
    return Killed(complaints, sum(safe.values()))


def lost(path: Path, safe: int) -> list[str]:
    """What is wrong with an episode of which `safe` steps were acknowledged."""
    try:
        log = salvage(path)
    except UserError as error:
        # The kill came before its first bytes were on disk.
        return [str(error)] if safe else []
    few = [f"{path.name}: {safe} steps were acknowledged, {len(log.steps)} are left"] if len(log.steps) < safe else []
    wrong = [text for number, step in enumerate(log.steps) if (text := differs(step, number))]
    whole = bool(log.steps) and log.closing is None and not read_episode(path).truncated
    return [*few, *wrong, *([f"{path.name} was cut short, and nobody says so"] if whole else [])]


def unfinished(path: Path) -> list[str]:
    """What is wrong with an episode that had been finished."""
    log = salvage(path)
    sound = not log.damage and len(log.steps) == STEPS
    return [] if sound else [f"{path.name} was finished, and holds {len(log.steps)} steps: {log.damage}"]


def kill_shipper(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 17: a shipper killed twice, and a torn checkpoint of a stranger, read as any is."""
    verdict = Verdict()
    torn = attack(TORN, int(random.integers(2**31)))
    verdict.add([] if torn.passed else [f"{torn.attack}: {torn.message}"])
    for _ in range(2):
        told = doomed("ship").die(folder, random.uniform(0, KILL_WITHIN_S))
        verdict.add(half_shipped(folder, int(told[-1])))
    verdict.figures["checkpoints"] = len(shipped_in(folder))
    return verdict


def half_shipped(folder: Path, promised: int) -> Iterator[str]:
    """Every checkpoint of its name loads, and those that were promised are there; a torn one under a name is not."""
    visible = shipped_in(folder)
    if len(visible) < promised:
        yield f"{promised} checkpoints were shipped, {len(visible)} are there"
    for path in list(visible.values())[-SHOWN:]:
        try:
            load_checkpoint(path)
        except UserError as error:
            yield f"a torn checkpoint was there to be loaded: {error}"
    for scrap in folder.glob(".*.partial"):
        name = folder / "named" / "practice-999999"
        shutil.rmtree(name.parent, ignore_errors=True)
        shutil.copytree(scrap, name)
        try:
            found = load_checkpoint(name).manifest
        except UserError:
            continue
        # Where only the rename was missing it is no torn one, and holds all that was to be shipped.
        if found.sha256 != read_checkpoint(originals().checkpoint)[1].sha256:
            yield "a torn checkpoint was accepted"
