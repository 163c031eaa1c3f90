"""One sitting of a soak: faults when they are due, the operator who leads out of them, stretches timed in between.

Called by `cli.soak.run`. Everything that happens goes into the record.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.attempts import void_reason
from benchmarks.heartbeat import Heartbeat, Pulse
from robot_rig.cli.latency import ATTEMPT_S, timed
from robot_rig.cli.progress import Advance
from robot_rig.cli.soak.account import Outcome, Seen, Stop, complaints
from robot_rig.cli.soak.kinds import KINDS, Kind, Rescue
from robot_rig.cli.soak.launch import PracticeLaunch
from robot_rig.cli.soak.operator import Led, Operator
from robot_rig.cli.soak.record import Record, Stretch
from robot_rig.cli.soak.scene import SoakScene
from robot_rig.cli.soak.schedule import Planned
from robot_rig.cli.soak.watch import NO_EPISODE, EpisodeKey, PracticeWatch, Told
from robot_rig.clock import Clock
from robot_rig.errors import UserError
from robot_rig.loops.step_trace import FRAME_TO_COMMAND, stage_durations
from robot_rig.ros.step_listener import StepListener

ALONE_S = 30.0
"""Practice has gone on by itself by then: the guard waits 5 s, the policy rests as long after a failure, and then the
arm may have to go home."""

STANDS_S = 2.0
"""So long nobody leads after a fault that takes a person: does the arm stay where it is?"""

LAUNCH_ENDS_S = 60.0
GOES_ON_S = 1.5
"""A step was logged within so long: practice is under way."""

STUCK_S = 60.0
"""Without a step, a fault and a resting arm: something is wrong, and the launch is started again."""

RENEW_S = 900.0
"""The onlooker keeps all that it hears; so often it begins anew."""

TOLD_S = 0.3
"""The guard reports ten times a second, so what it says of a fault comes by so much later."""

SAVE_S, LOOK_S = 60.0, 0.1
ENDS = ("return", "thaw")
"""Marks at which a fault is over, though whoever caused it watches on for a while."""


class Watches(NamedTuple):
    """What time is taken with: the heartbeats, the bare timer beside a policy of this period, and whoever follows its
    steps through the graph, made anew by `listen`.
    """

    heart: Heartbeat
    timer: Pulse
    period_s: float
    listen: Callable[[], StepListener]


class Shift:
    """A sitting. `work` until the time of the record's paper is up; `write_down` whatever has ended it; `close`."""

    def __init__(
        self,
        record: Record,
        launch: PracticeLaunch,
        scene: SoakScene,
        watch: PracticeWatch,
        operator: Operator,
        watches: Watches,
        clock: Clock,
    ) -> None:
        self._record, self._launch, self._scene, self._watch = record, launch, scene, watch
        self._operator, self._watches, self._clock = operator, watches, clock
        self._listener: StepListener | None = None
        self._heard_since = 0.0
        self._base, self._began = record.elapsed_s, 0.0
        self._saved = clock.now()

    def work(self, faults: Sequence[Planned], advance: Advance, sound: Callable[[], bool]) -> None:
        """Practise, with those of `faults` that no sitting has caused yet, as long as all that was built is `sound`.

        Raises UserError when practice does not begin, or something that was built has died.
        """
        self._operator.start()
        self._began = self._clock.now()
        while self._at_s() < self._record.paper.seconds:
            if not sound():
                raise UserError("the camera's cable has died", next_step="see relay.log, then the same command again")
            self._one(faults)
            self._record.elapsed_s = self._at_s()
            if self._clock.now() - self._saved > SAVE_S:
                self.write_down()
            done = len(self._record.outcomes)
            advance(round(min(self._at_s(), self._record.paper.seconds)), f"{done} of {len(faults)} faults")

    def write_down(self) -> None:
        """Put everything into the record, and the record on disk."""
        if not self._launch.runs:
            self._watch.end_of_process()
        for one in self._watch.take_told():
            opened, last = self._clock.epoch(one.opened), self._clock.epoch(one.last)
            self._record.told.append(Told(opened, last, one.steps))
        for stand in list(self._watch.endings):
            count = self._watch.endings.pop(stand)
            self._record.endings[stand.value] = self._record.endings.get(stand.value, 0) + count
        self._record.save()
        self._saved = self._clock.now()

    def close(self) -> None:
        """Hear no more."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    # Inside.

    def _at_s(self) -> float:
        return self._base + self._clock.now() - self._began

    def _one(self, faults: Sequence[Planned]) -> None:
        """The next thing to do, whatever it is; takes a while."""
        now, number = self._clock.now(), len(self._record.outcomes)
        due_s = faults[number].at_s - self._at_s() if number < len(faults) else float("inf")
        under_way = self._watch.step_after(now - GOES_ON_S) is not None
        if what := self._wrong(now):
            self._lead_on(what)
        elif due_s <= 0 and self._watch.acts(now) and self._scene.connected:
            self._cause(faults[number], number)
        elif due_s > ATTEMPT_S + GOES_ON_S and under_way:
            self._time_a_stretch()
        else:
            self._clock.sleep_until(now + LOOK_S)

    def _wrong(self, now: float) -> str:
        """What has stopped practice though no fault was caused; empty when nothing has."""
        if not self._launch.runs:
            return "the launch ended"
        if self._watch.rests(now):
            return f"the arm came into mode {mode.value}" if (mode := self._watch.mode(now)) else "the arm rests"
        since = max(self._began, now - STUCK_S)
        stuck = now - since >= STUCK_S and self._watch.step_after(since) is None
        return f"no step was logged for {STUCK_S:.0f} s" if stuck else ""

    def _lead_on(self, what: str) -> None:
        """Note a stop that nobody has caused, and let the operator lead out of it."""
        now = self._clock.now()
        # A moment without the machine stops an arm; it ends no process, and no practice for a minute.
        rests = self._launch.runs and self._watch.rests(now)
        gap = self._watches.heart.worst_gap(now - ATTEMPT_S - STANDS_S, now)
        self._record.stops.append(Stop(self._at_s(), what, void_reason(gap) if rests else ""))
        if not rests or not self._operator.lead().back:
            self._restart()
        self.write_down()

    def _restart(self) -> float:
        """Start the launch again; when it logged its first step."""
        self._launch.end()
        self.close()
        self._record.restarts += 1
        return self._operator.start()

    def _cause(self, fault: Planned, number: int) -> None:
        """One fault, from its cause until practice goes on."""
        kind, seed = KINDS[fault.kind], self._record.paper.seed + number
        at_s, begin = self._at_s(), self._clock.now()
        besides = self._watch.open_episode if kind.backlog else NO_EPISODE
        self._scene.prepare(seed)
        failed = ""
        try:
            kind.inject(self._scene)
        except (UserError, OSError, subprocess.SubprocessError) as error:
            failed = f"it could not be caused: {error}"
        self._scene.heal()
        over = self._clock.now()
        ended = max([self._scene.marks[name] for name in ENDS if name in self._scene.marks], default=over)
        seen, back = self._rescued(kind, begin, over, ended, besides)
        found = [failed, *complaints(kind.rescue, seen)] if failed else complaints(kind.rescue, seen)
        took_s = -1.0 if back is None else back - (ended if kind.rescue is Rescue.ALONE else over)
        # A fault that was not caused, an end of the launch, practice that stays away: no moment explains those.
        gap = self._watches.heart.worst_gap(begin, self._clock.now() - LOOK_S)
        void = void_reason(gap) if found and not failed and not seen.launch_ended and seen.back else ""
        self._record.outcomes.append(
            Outcome(kind.name, kind.rescue.value, seed, at_s, took_s, seen.pause_s, seen.orders, tuple(found), void)
        )
        if not seen.back:
            self._restart()
        self.write_down()

    def _rescued(
        self, kind: Kind, begin: float, over: float, ended: float, besides: EpisodeKey
    ) -> tuple[Seen, float | None]:
        """What was seen of the recovery, and when the first step after it was logged, in an episode `besides` one."""
        if kind.rescue is Rescue.RESTART:
            launch_ended, back = self._launch.await_end(LAUNCH_ENDS_S), None
            # What does not come up is told of this fault before it ends the sitting: the next one begins after it.
            with contextlib.suppress(UserError):
                back = self._restart()
            pause_s = self._watch.longest_pause(begin, self._clock.now() if back is None else back)
            return Seen(pause_s, False, 0, launch_ended, back is not None, True), back
        if kind.rescue is Rescue.ALONE:
            alone = self._operator.await_step(ended, ALONE_S, besides)
        else:
            self._clock.sleep_until(over + STANDS_S)
            rested = self._watch.left_motion(begin, self._clock.now())
            alone = self._watch.step_after(over) is not None or not rested
        led = Led(0, self._watch.step_after(ended if kind.rescue is Rescue.ALONE else over, besides))
        if not led.back:
            led = self._operator.lead()
        pause_s = self._watch.longest_pause(begin, self._clock.now() if led.step is None else led.step)
        # Only while it lasts: without a word from the policy between two episodes an action is stale every time.
        told = self._watch.told(min(self._scene.marks.values(), default=begin), ended + TOLD_S)
        seen = Seen(pause_s, alone, led.orders, not self._launch.runs, led.back, bool(told & set(kind.codes)))
        return seen, led.step

    def _time_a_stretch(self) -> None:
        """Time the policy's steps for a while; what is disturbed meanwhile does not count at all."""
        begin = self._clock.now()
        if self._listener is None or begin - self._heard_since > RENEW_S:
            self.close()
            self._listener, self._heard_since = self._watches.listen(), begin
            # Its links are made by and by.
            self._clock.sleep_until(begin + GOES_ON_S)
            return
        self._clock.sleep_until(begin + ATTEMPT_S)
        end = self._clock.now()
        self._clock.sleep_until(end + self._watches.period_s)
        if self._watch.left_motion(begin, end) or not self._launch.runs:
            return
        timing = timed(self._listener, self._watches.timer, self._watches.period_s, begin, end)
        took = stage_durations(timing.steps)[FRAME_TO_COMMAND]
        self._record.stretches.append(
            Stretch(
                at_s=self._at_s(),
                steps=len(timing.steps),
                late=timing.late,
                missed=timing.missed,
                blind=timing.blind,
                timer_missed=timing.timer_missed,
                slowest_ms=round(1e3 * float(took.max()), 2) if len(took) else -1.0,
                void=void_reason(self._watches.heart.worst_gap(begin, end)),
            )
        )
