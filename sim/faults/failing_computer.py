"""The policy's episodes on a computer that grows hot, then runs out of battery, without ROS. Run by row 45.

    python -m sim.faults.failing_computer FOLDER LOOK_S SEED

The kernel's files are FOLDER/thermal and FOLDER/power_supply; the watch over them is the policy process's own, with its
thread. Prints one JSON object a line: what the files say, what the log and the policy say, and which
episode begins or ends how.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal, Mode, Source
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Rules, View
from robot_rig.nodes.computer_watch import ComputerWatch, Condition
from sim.faults.made_steps import ACTION_DIM

TICK_S, PERIOD_S = 0.01, 0.02
IMAGE_AGE_S = 0.25
STEPS = 25
"""Of an episode, which so lasts half a second."""

LOOKS = 2
"""So often the watch looks at each state of the computer; the first look may have begun before."""

LONGEST_S = 30.0


class Moment(NamedTuple):
    """What the computer is like: `name`, the values of its files, and whether episodes are to run."""

    name: str
    celsius: float
    charge: int
    runs: bool


class Still:
    """A policy that does nothing."""

    action_dim = ACTION_DIM

    def begin(self, goal: Goal) -> None:
        """Nothing."""

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """No motion."""
        return np.zeros(ACTION_DIM, np.float32)


class Watch(ComputerWatch):
    """Tells each time that it has looked."""

    def __init__(self, folder: Path, look_s: float, note: Callable[..., None]) -> None:
        super().__init__(folder / "thermal", folder / "power_supply", look_s)
        self._note = note
        self.looks = 0

    def look(self) -> Condition:
        """Look once."""
        found = super().look()
        self.looks += 1
        self._note("looked")
        return found


class Spoken(logging.Handler):
    """Passes each line of the log on."""

    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._note("logged", text=record.getMessage())


def moments(random: np.random.Generator) -> Sequence[Moment]:
    """Well, worth a warning, too much, not well enough yet, well again: of the temperature, then of the battery."""
    runs = (True, False, False, True)
    hot = [("warm", (80, 89)), ("hot", (90, 104)), ("cooling", (85, 89)), ("cool", (40, 79))]
    low = [("low", (11, 20)), ("empty", (0, 10)), ("charging", (11, 15)), ("charged", (21, 90))]
    value = [[int(random.integers(*span, endpoint=True)) for _, span in one] for one in (hot, low)]
    return [
        Moment("well", 50.0, 80, runs=True),
        *(Moment(name, float(celsius), 80, go) for (name, _), celsius, go in zip(hot, value[0], runs, strict=True)),
        *(Moment(name, 50.0, charge, go) for (name, _), charge, go in zip(low, value[1], runs, strict=True)),
    ]


class Rig:
    """Episodes one after the other, on a computer whose files are `folder`'s."""

    def __init__(self, folder: Path, look_s: float) -> None:
        self._clock = WallClock()
        self._zone, self._supply = folder / "thermal/thermal_zone0", folder / "power_supply/BAT0"
        for made in (self._zone, self._supply):
            made.mkdir(parents=True)
        (self._supply / "type").write_text("Battery\n")
        (self._supply / "status").write_text("Discharging\n")
        self._lock = threading.Lock()
        self._watch = Watch(folder, look_s, self._note)
        rules = Rules(STEPS, Source.RANDOM, "anywhere", recording="off", session="failing computer")
        self._live = LiveEpisodes(Still(), rules, IMAGE_AGE_S, PERIOD_S, 0.0)
        self._seq = 0
        self._silence = ""

    def run(self, plan: Sequence[Moment]) -> None:
        """Go through `plan`."""
        logging.getLogger().addHandler(Spoken(self._note))
        self._set(plan[0])
        self._watch.start()
        for moment in plan:
            self._set(moment)
            self._note("moment", name=moment.name, celsius=moment.celsius, charge=moment.charge)
            enough, end = self._watch.looks + LOOKS, self._clock.now() + LONGEST_S
            while (now := self._clock.now()) < end and not (self._watch.looks >= enough and self._stands(moment)):
                self._tick(now)
                self._clock.sleep_until(now + TICK_S)
        self._watch.close()

    def _stands(self, moment: Moment) -> bool:
        """Whether an episode runs where one is to, or there is a reason why none does."""
        return self._live.episode_runs if moment.runs else not self._live.episode_runs and bool(self._live.silence)

    def _set(self, moment: Moment) -> None:
        # Renamed, because the watch may read at any time.
        for folder, name, text in (
            (self._zone, "temp", f"{1000 * moment.celsius:.0f}\n"),
            (self._supply, "capacity", f"{moment.charge}\n"),
        ):
            (folder / "next").write_text(text)
            (folder / "next").rename(folder / name)

    def _tick(self, now: float) -> None:
        self._seq += 1
        frame = Frame(self._seq, now, np.zeros(IMAGE_SHAPE, np.uint8))
        arm = ArmView(now, Mode.ACTIVE, None, True, -1, None, self._watch.objection)
        move = self._live.tick(now, View(frame, None, arm, None))
        if move.announce is not None:
            self._note("episode", number=move.announce.number, stand=move.announce.stand.value)
        if self._live.silence != self._silence:
            self._silence = self._live.silence
            self._note("silence", text=self._silence)

    def _note(self, what: str, **more: object) -> None:
        with self._lock:
            os.write(1, json.dumps({"t": self._clock.now(), "what": what, **more}).encode() + b"\n")


def main() -> int:
    """Run it; returns the exit code."""
    folder, look_s, seed = sys.argv[1:]
    Rig(Path(folder), float(look_s)).run(moments(np.random.default_rng(int(seed))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
