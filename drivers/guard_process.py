"""The guard process without ROS: one arm, its loop ticking on a thread of its own, and the orders of people.

Called by `drivers.arm_node`, which connects it to topics and services. Every command, stop and order passes one lock,
so that nothing is sent after a stop that was decided before it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from drivers.action_choice import MACHINES, PEOPLE, ActionChoice
from drivers.beat_watch import CHECK_PERIOD_S, BeatWatch
from drivers.commander_watch import CommanderWatch
from drivers.order_turns import OrderTurns
from drivers.posture_visits import PostureVisits
from drivers.program_ways import ProgramWays
from drivers.senders import Senders
from drivers.standing_arm import StandingArm
from drivers.tick_pacer import TickPacer
from drivers.tick_report import TickReport
from robot_rig.clock import Clock
from robot_rig.datatypes import Floats, Mode, Source
from robot_rig.errors import UserError
from robot_rig.interfaces import Arm
from robot_rig.loops.arm_loop import ArmLoop

LOCK_WAIT_S = 0.02
"""How long a stop waits for the tick to finish sending."""

log = logging.getLogger(__name__)


class GuardProcess:
    """Owns `arm`: nobody else may command it. Comes up DISABLED and sends nothing before the first `enable`.

    `take` gets every tick's report on the tick's thread and must return at once. `home_poses` are the via poses, each
    (7,) rad, of `home`; `period_s` is the arm loop's.
    """

    def __init__(
        self,
        arm: Arm,
        loop: ArmLoop,
        choice: ActionChoice,
        commanders: CommanderWatch,
        senders: Senders,
        visits: PostureVisits,
        clock: Clock,
        home_poses: Sequence[Floats],
        period_s: float,
        take: Callable[[TickReport], None],
    ) -> None:
        self._arm, self._loop, self._choice, self._commanders, self._senders = arm, loop, choice, commanders, senders
        self._clock, self._home_poses, self._take = clock, home_poses, take
        self._programs = ProgramWays(loop, choice, senders, visits, home_poses)
        self._lock = threading.Lock()
        self._orders = OrderTurns()
        self._closing, self._failed = threading.Event(), threading.Event()
        self._pacer = TickPacer(clock, period_s, self._closing)
        self._commanding = False
        self._standing = StandingArm(loop, self._lock, self._orders, self._closing)
        self._beats = 0

    @property
    def mode(self) -> Mode:
        """The guard's mode now."""
        return self._loop.mode

    @property
    def failed(self) -> bool:
        """Whether the tick has died or hung; the arm was stopped then and this process should end."""
        return self._failed.is_set()

    # --- the tick ---------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """One round at `now` (s): report in, command out."""
        with self._lock:
            if self._closing.is_set():
                return
            action = None if self._standing.active else self._choice.choose(now, self._loop.leader)
            self._programs.watch(now, action)
            command, status = self._loop.tick(now, self._arm.state(), action)
            if self._commanding and self._loop.streaming(now):
                self._arm.send(command)
            if status.source in MACHINES:
                self._senders.follow(status.source)
            report = TickReport(status, self._loop.why, self._loop.at_home, self._loop.tool)
        self._beats += 1
        self._take(report)

    def new_action(self) -> None:
        """An action has come: answer it now rather than up to a period later."""
        self._pacer.nudge()

    def heard(self, source: Source, connection: object) -> None:
        """An action of a machine's `source` came over `connection`: none goes on by itself where a dead one ended."""
        with self._lock:
            anew = self._senders.anew(source, connection)
            if not anew or self._loop.leader in PEOPLE or self._loop.mode not in (Mode.ACTIVE, Mode.HOMING):
                return
            self._orders.overtake()
            self._loop.change_sender()
        log.warning("%s was started anew: the arm comes to rest until a person enables it", source.value)

    def run(self) -> None:
        """Tick until `close`, at absolute deadlines; whatever ends this otherwise stops the arm first."""
        try:
            deadline = self._clock.now()
            while not self._closing.is_set():
                deadline, overrun = self._pacer.wait(deadline)
                if overrun:
                    self._rest_overrun()
                self.tick(self._clock.now())
        finally:
            if not self._closing.is_set():
                self._fail("the tick has failed")

    def _rest_overrun(self) -> None:
        if self._loop.mode in (Mode.ACTIVE, Mode.HOMING):
            with self._lock:
                self._orders.overtake()
                self._loop.overrun()
            log.error("overrun: the tick was late three times in a row; the arm comes to rest and holds")

    def watch(self) -> None:
        """The watchdog's thread: stop the arm when the tick is dead though this process is not."""
        beats = BeatWatch()
        while not self._closing.wait(CHECK_PERIOD_S):
            if beats.dead(self._clock.now(), self._beats) and not self.failed:
                self._fail("the tick hangs")

    def _fail(self, why: str) -> None:
        try:
            self.stop("tick_failed")
        finally:
            self._failed.set()
            log.critical("%s: the arm was stopped; this process ends", why)

    # --- people's orders: called from other threads -----------------------------------------------------------------

    def enable(self, leader: Source | None = None) -> None:
        """Motors on, guard open, for `leader` or whoever comes. UserError: a second commander, FAULT, or a refusal."""
        with self._orders.take() as turn:
            self._commanders.check()
            if self._loop.mode is Mode.FAULT:
                self._loop.enable()
            with self._lock:
                self._programs.end_visits()
            self._arm.enable()
            try:
                with self._lock:
                    self._open_guard(turn, leader)
            except UserError:
                self._arm.disable()
                raise

    def _open_guard(self, turn: int, leader: Source | None) -> None:
        """The second half of `enable`, seconds after the first: what has happened since the motors' order counts."""
        self._commanders.check()
        if self._orders.overtaken_since(turn):
            raise UserError("the arm was held or stopped while it was switched on", next_step="enable it again")
        self._loop.enable(leader)
        self._commanding = True
        self._senders.forget()

    def home(self) -> None:
        """A person sends the arm home through the gate. Raises UserError while disabled or in FAULT."""
        with self._orders.take(), self._lock:
            self._programs.forget()
            self._loop.home(self._home_poses)

    def moment(self) -> int:
        """When a program's order is given, which may then have to wait for what belongs to it."""
        return self._orders.moment()

    def return_home(self, program: str, given: int) -> None:
        """The node `program` sends the arm home, between two episodes. A person who takes it then ends that in HOLD.

        `given`: the `moment` of the order. Raises UserError unless the arm is ACTIVE, no person has it (only people
        lead out of HOLD), the program that led it still runs (no other one takes over), and `program` is connected to
        lead it; and while a person's order is carried out.
        """
        with self._orders.take_at_once(given), self._lock:
            self._programs.return_home(program)

    def visit(self, program: str, given: int) -> None:
        """The node `program` leads the arm straight to the posture that it asks for, and keeps it there for the next.

        Its silence or end, a person's action or order, and anybody else who wants to lead end that in HOLD.
        `given`: the `moment` of the order. Raises UserError for a way that is not free, unless a person has enabled the
        arm and nobody leads it, and while a person's order is carried out.
        """
        with self._orders.take_at_once(given) as turn:
            with self._lock:
                self._programs.refuse_visit()
            # Beside the tick, which must not wait for it.
            wish, way = self._programs.way_of(program, self._clock.now())
            with self._lock:
                if self._orders.overtaken_since(turn):
                    raise UserError("the arm was held or stopped meanwhile", next_step="look at it, then try again")
                self._programs.visit(wish, way, self._clock.now())

    def hand_back(self) -> None:
        """A person who leads hands the arm back, through rest. UserError: none does, or the program that led ended."""
        with self._orders.take(), self._lock:
            if self._loop.mode is not Mode.ACTIVE or self._loop.leader not in PEOPLE:
                raise UserError(f"no person leads an arm in mode {self._loop.mode.value}", next_step="`rig enable`")
            if (lost := self._senders.lost) is not None:
                raise UserError(f"the program that led the arm ({lost.value}) has ended", next_step="`rig enable`")
            self._choice.forget(PEOPLE, self._clock.now())
            self._loop.hand_over(None)

    def standing(self) -> AbstractContextManager[None]:
        """A block in which nobody moves the arm, for a person who moves something that it carries; see StandingArm."""
        return self._standing.standing()

    def hold(self) -> None:
        """Come to rest and stay there."""
        with self._lock:
            self._orders.overtake()
            self._loop.hold()

    def stop(self, why: str = "stop") -> None:
        """Zero at once and motors off, latched until `reset`, because of the code `why`; does not wait for anybody."""
        with self._lock_or_hurry():
            self._orders.overtake()
            self._loop.stop(why)
            self._arm.stop()

    def reset(self) -> None:
        """Clear a fault; the arm is disabled then. Raises UserError while it may move, or when the arm refuses."""
        with self._orders.take() as turn:
            if self._loop.mode in (Mode.ACTIVE, Mode.HOMING):
                raise UserError("the arm may move, there is nothing to reset", next_step="hold or stop it first")
            self._arm.reset()
            with self._lock:
                if self._orders.overtaken_since(turn):
                    self._arm.stop()
                    raise UserError("the arm was stopped while it was reset", next_step="reset it again")
                self._loop.reset()

    # --- others -----------------------------------------------------------------------------------------------------

    def see_commanders(self, publishers: Sequence[str]) -> None:
        """Take the list of those who may publish joint commands; a second one takes the motors' power away."""
        fresh = self._commanders.look(publishers)
        strangers = self._commanders.strangers
        if strangers and self._commanding and (fresh or self._loop.mode in (Mode.ACTIVE, Mode.HOMING)):
            log.error("%s can also command the arm: its motors are switched off", ", ".join(strangers))
            self.disarm()
            self._commanders.disarmed()
        elif fresh:
            log.warning("%s can also command the arm: stop or confirm it before you enable", ", ".join(strangers))

    def disarm(self) -> None:
        """Switch the motors off, or stop the arm where that fails; a person must enable it again.

        Raises what went wrong, after the stop, in the second case.
        """
        with self._lock_or_hurry():
            self._orders.overtake()
            self._loop.hold()
        try:
            self._arm.disable()
        except BaseException:
            self.stop("not_disarmed")
            raise

    def close(self) -> None:
        """End the threads' loops and release the arm; may be called twice."""
        self._closing.set()
        self._pacer.nudge()
        with self._lock_or_hurry():
            self._arm.close()

    @contextmanager
    def _lock_or_hurry(self) -> Iterator[None]:
        """The tick's lock if it is to be had soon; a tick that hangs must not keep the arm from stopping."""
        mine = self._lock.acquire(timeout=LOCK_WAIT_S)
        try:
            yield
        finally:
            if mine:
                self._lock.release()
