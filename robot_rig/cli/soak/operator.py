"""The scripted operator of a soak: what a person does with `rig reset`, `rig enable` and the launch file, counted.

Called by `cli.soak.shift`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

from robot_rig.cli.soak.launch import PracticeLaunch
from robot_rig.cli.soak.watch import NO_EPISODE, EpisodeKey, PracticeWatch
from robot_rig.clock import Clock
from robot_rig.datatypes import Mode
from robot_rig.errors import UserError

BRING_UP_S = 300.0
"""From the start of the launch to the first step that it logs; a busy machine loads torch twice."""

LEADS_S = 60.0
BETWEEN_S = 1.0
"""From one order to the next: a person looks what came of it."""

LOOK_S = 0.1


class Led(NamedTuple):
    """What came of leading: the orders given, and when the first step was logged afterwards, None: none was."""

    orders: int
    step: float | None

    @property
    def back(self) -> bool:
        """Whether practice goes on."""
        return self.step is not None


class Operator:
    """Leads out of whatever only a person leads out of; `order` gives the arm process an order."""

    def __init__(
        self, launch: PracticeLaunch, watch: PracticeWatch, clock: Clock, order: Callable[[str], object]
    ) -> None:
        self._launch, self._watch, self._clock, self._give = launch, watch, clock, order

    def start(self) -> float:
        """Start the launch; when it has logged its first step (monotonic s). Raises UserError when it does not.

        The arm is enabled by the launch file's own one-shot, or, where the machine was too busy for that, by hand.
        """
        self._watch.end_of_process()
        begin = self._clock.now()
        self._launch.start()
        while not self.await_step(begin, BETWEEN_S):
            log = f"see {self._launch.home}.log"
            if not self._launch.runs:
                raise UserError("practice.launch has ended", next_step=log)
            if self._clock.now() - begin > BRING_UP_S:
                raise UserError(f"practice.launch logs no step within {BRING_UP_S:.0f} s", next_step=log)
            # It comes up disabled; what holds has been enabled before.
            if self._watch.mode(self._clock.now()) is Mode.HOLD:
                self._order("enable")
        step = self._watch.step_after(begin)
        assert step is not None
        return step

    def lead(self) -> Led:
        """Reset and enable until a step is logged, for a minute at most."""
        begin, orders = self._clock.now(), 0
        while self._launch.runs and self._clock.now() - begin < LEADS_S:
            if (step := self._watch.step_after(begin)) is not None:
                return Led(orders, step)
            now = self._clock.now()
            if self._watch.rests(now):
                self._order("reset" if self._watch.mode(now) is Mode.FAULT else "enable")
                orders += 1
            self.await_step(begin, BETWEEN_S)
        return Led(orders, self._watch.step_after(begin))

    def await_step(self, since: float, within: float, besides: EpisodeKey = NO_EPISODE) -> bool:
        """Whether a step is logged after `since` within so many seconds, in another episode than `besides`; at once
        False when the launch ends.
        """
        deadline = self._clock.now() + within
        while self._launch.runs and self._clock.now() < deadline:
            if self._watch.step_after(since, besides) is not None:
                return True
            self._clock.sleep_until(self._clock.now() + LOOK_S)
        return self._watch.step_after(since, besides) is not None

    def _order(self, word: str) -> None:
        # Refused while its cause lasts, as a person would find; the next one comes.
        with contextlib.suppress(UserError):
            self._give(word)
