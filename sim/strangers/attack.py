"""One attack by row and seed: forge, have it read by the watched process, judge. See `sim.strangers`."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sim.strangers import archives, damaged_logs, goals, pickles, pictures, settings, tensors, versions
from sim.strangers.forgery import Forger, Forgery
from sim.strangers.originals import originals


def _one_of(*forgers: Forger) -> Forger:
    """A forger that lets one of `forgers`, by the seed, do it."""
    return lambda rng, folder, made: forgers[rng.integers(len(forgers))](rng, folder, made)


ROWS: dict[int, Forger] = {
    16: tensors.flipped_bit,
    17: tensors.torn,
    18: tensors.no_numbers,
    19: tensors.misfit,
    26: damaged_logs.damaged,
    46: _one_of(pictures.wrong, goals.wrong_photo),
    47: _one_of(pictures.misplaced, goals.misplaced_goal),
    48: _one_of(pictures.bomb, goals.photo_bomb),
    49: _one_of(settings.malformed, goals.hostile_words),
    50: settings.beyond_ceilings,
    51: goals.other_camera,
    57: pickles.pickled,
    58: archives.archive,
    62: versions.another_version,
}
"""Row of the fault table -> who forges for it."""

SECONDS, MEBIBYTES = 1.0, 64.0
"""What a refusal may take at most: time on a core, and resident memory."""

PATIENCE_S, WARM_UP_PATIENCE_S = 120.0, 600.0
"""Wall-clock time, for a machine that may be busy, after which a reader hangs; what it takes is measured otherwise."""


class Finding(NamedTuple):
    """What came of one attack. `seconds` leaves out the time that the reader waited for a core."""

    row: int
    seed: int
    attack: str
    passed: bool
    seconds: float
    rss_growth_mib: float
    message: str


class _Watched:
    """The reading process, warm; a new one after each that dies or hangs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def read(self, forgery: Forgery, folder: Path) -> dict[str, Any]:
        """The process's answer, or {"outcome": "hung" | "died"}."""
        if self._process is None:
            self._process = self._start()
        answer = self._ask({"reader": forgery.reader, "target": forgery.target, "folder": str(folder)})
        if answer["outcome"] in ("hung", "died"):
            self.close()
        return answer

    def close(self) -> None:
        """End the process; may be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])}
        command = [sys.executable, "-m", "sim.strangers.reader"]
        self._process = subprocess.Popen(
            command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        made = originals()
        for _ in range(2):
            for reader, path in made.honest():
                request = {"reader": reader, "target": path, "folder": str(made.run.parent), "warm_up": True}
                answer = self._ask(request)
                if answer["outcome"] != "accepted":
                    raise RuntimeError(f"an honest {reader} is not read: {answer}")
        return self._process

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        patience = WARM_UP_PATIENCE_S if request.get("warm_up") else PATIENCE_S
        ready, _, _ = select.select([self._process.stdout], [], [], patience)
        line = self._process.stdout.readline() if ready else b""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        outcome = "died" if ready else "hung"
        return {
            "outcome": outcome,
            "message": f"the reader {outcome}",
            "seconds": patience,
            "rss_growth_mib": 0.0,
            "did": [],
        }


@cache
def _watched() -> _Watched:
    return _Watched()


def attack(row: int, seed: int) -> Finding:
    """Forge a file for `row` of the fault table by `seed`, have it read, and judge.

    It passed when the verdict was right, in one sentence with a next step, no code was run, nothing else was opened,
    and, unless it was an honest file, within 1 s and 64 MiB. Raises KeyError for a row without a forger.
    """
    rng = np.random.default_rng([row, seed])
    with tempfile.TemporaryDirectory(prefix="robot-rig-stranger-") as place:
        folder = Path(place)
        forgery = ROWS[row](rng, folder, originals())
        answer = _watched().read(forgery, folder)
    faults = list(_faults(forgery, answer))
    message = "; ".join([*faults, answer["message"]]) if faults else answer["message"]
    return Finding(
        row, seed, forgery.name, not faults, round(answer["seconds"], 4), round(answer["rss_growth_mib"], 2), message
    )


def attacks(row: int, count: int) -> Iterator[Finding]:
    """`count` attacks one after another."""
    for seed in range(count):
        yield attack(row, seed)


def _faults(forgery: Forgery, answer: dict[str, Any]) -> Iterator[str]:
    """What is wrong with how a forgery was received."""
    outcome, message = answer["outcome"], answer["message"]
    wanted = ("refused", "accepted") if forgery.verdict == "either" else (forgery.verdict,)
    if outcome not in wanted:
        yield f"{outcome}, should be {' or '.join(wanted)}"
    if outcome == "refused" and (not message.isprintable() or len(message) > 1200 or "[no next step]" in message):
        yield "the refusal is not one plain sentence"
    if outcome == "refused" and (unsaid := [name for name in forgery.names if name not in message]):
        yield f"the refusal does not name {', '.join(unsaid)}"
    if answer["did"]:
        yield f"the reader did {answer['did'][:3]}"
    if answer["seconds"] > SECONDS:
        yield f"took {answer['seconds']:.2f} s"
    if answer["rss_growth_mib"] > MEBIBYTES:
        yield f"took {answer['rss_growth_mib']:.0f} MiB"
