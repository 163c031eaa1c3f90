"""A person's device and a policy at one arm, on a manual clock. Used by the tests of who leads and who stops."""

from __future__ import annotations

from drivers.action_choice import PEOPLE
from robot_rig.clock import ManualClock
from robot_rig.datatypes import Source
from robot_rig.loops.hand_loop import RATE_HZ, HandLoop, HandReport, Speech
from tests.drivers.test_guard_process import PERIOD, Bench

TICKS = round(1 / (RATE_HZ * PERIOD)) or 1
REST, BACK = (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0)
STOPPED_WITHIN_S = 0.15
WIRE = object()
"""The policy's TCP connection."""


class Table(Bench):
    """The bench with a policy that pushes away and a person with a device who pulls back."""

    def __init__(self, loop: HandLoop) -> None:
        super().__init__(ManualClock())
        self.loop = loop
        self.policy: float | None = None
        self.report = HandReport()
        self.repeats = True
        self.reading = True
        self.speech = Speech.REPEATS
        self.next_send = 0.0
        now = self.clock.now()
        loop.begin(now, self.report)

    def say(self, axes: tuple[float, float, float] = REST, held: bool = False) -> None:
        self.report = HandReport(axes, held)
        self.loop.feel(self.clock.now(), self.report)

    def push(self) -> None:
        self.say(REST, held=True)
        self.live(0.05)
        self.say(BACK, held=True)

    def live(self, seconds: float) -> None:
        assert isinstance(self.clock, ManualClock)
        for i in range(round(seconds / PERIOD)):
            now = self.clock.now()
            if self.policy is not None and i % 10 == 0:
                self.ask(self.policy)
            if self.reading:
                self.loop.look(now, self.speech)
                if self.repeats and self.report.deflected:
                    self.loop.feel(now, self.report)
            if now >= self.next_send - 1e-9:
                self.send()
            self.process.tick(now)
            self.clock.advance(PERIOD)

    def send(self) -> None:
        """The sender's turn, on time or nudged."""
        now = self.clock.now()
        self.next_send = max(self.next_send + 1 / RATE_HZ, now)
        if (action := self.loop.tick(now)) is not None:
            assert self.choice.offer(action, PEOPLE)

    @property
    def along(self) -> list[float]:
        return [float(report.status.tool_velocity[0]) for report in self.reports]

    @property
    def sources(self) -> list[Source | None]:
        return [report.status.source for report in self.reports]


def with_policy_acting() -> Table:
    """A table at which the policy has been moving the arm for half a second."""
    table = Table(HandLoop(("x", "y")))
    table.process.heard(Source.POLICY, WIRE)
    table.process.enable()
    table.policy = 1.0
    table.live(0.5)
    assert table.along[-1] > 0.05
    assert table.sources[-1] is Source.POLICY
    return table
