"""Processes that work until they are killed: for the rows about SIGKILL. A process of its own, run by rows and tests.

    python -m sim.faults.doomed record|ship

Each line on standard input names a folder. A fork of this process, which has imported everything, works in it and says
on standard output what it promises, a line each; the first line is its process id, and "over" comes when it is dead.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Goal, Source
from robot_rig.learning.checkpoint import read_checkpoint, write_checkpoint
from robot_rig.learning.runtime import use_one_core
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.loops.live_recorder import LiveRecorder
from sim.faults.made_steps import ACTION_DIM, BEGIN_S, NO_LIMIT, PERIOD_S, made_action, made_executed, made_frame
from sim.strangers.originals import originals

STAGE = "collect"
STEPS = 60
"""Of an episode: some are finished before the kill, and kills come between two as well."""

SHIPPED = "practice-"


def record(folder: Path) -> None:
    """Be the recorder but for ROS: take frames, actions and what came of them, and tell the steps on disk.

    A line is the number of an episode, from 0, and how many of its steps are acknowledged.
    """
    store = EpisodeStore(folder)

    def open_log(goal: Goal | None, meta: Mapping[str, str]) -> EpisodeWriter:
        return EpisodeWriter(store.next_path(STAGE), ACTION_DIM, None, meta, room=NO_LIMIT)

    live = LiveRecorder(open_log)
    sent = 0
    for number in itertools.count():
        first = sent + 1
        begun = EpisodeState("doomed", number, Stand.RUNNING, Source.RANDOM, "", first, sent, meta={"stage": STAGE})
        live.follow(BEGIN_S, begun)
        live.tick(BEGIN_S)
        for step in range(STEPS):
            sent += 1
            now = BEGIN_S + PERIOD_S * (step + 1)
            live.observe(made_frame(step))
            live.act(made_action(step, sent))
            live.report(now, sent, made_executed(step))
            _tell(f"{number} {live.tick(now).steps}")
        last = made_frame(STEPS)
        live.observe(last)
        live.follow(
            BEGIN_S, replace(begun, stand=Stand.COMPLETE, last_action=sent, last_frame=last.seq, last_stamp=last.stamp)
        )
        live.tick(BEGIN_S)
        _tell(f"{number} {STEPS}")


def ship(folder: Path) -> None:
    """Be the trainer at the moment of shipping, again and again; a line is how many checkpoints are there for good."""
    groups, manifest = read_checkpoint(originals().checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    begin = sum(1 for _ in folder.glob(f"{SHIPPED}*"))
    for number in itertools.count(begin):
        write_checkpoint(folder / f"{SHIPPED}{number:06d}", groups, manifest)
        _tell(str(number + 1))


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


WORKS: Mapping[str, Callable[[Path], None]] = {"record": record, "ship": ship}


def main() -> int:
    """Fork and wait until standard input ends; returns the exit code."""
    use_one_core()
    work = WORKS[sys.argv[1]]
    if work is ship:
        originals()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _tell(str(os.getpid()))
                work(Path(line.rstrip("\n")))
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        _tell("over")
    return 0


if __name__ == "__main__":
    sys.exit(main())
