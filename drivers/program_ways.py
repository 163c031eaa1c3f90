"""The ways on which a program leads the arm by itself: home between two episodes, and from posture to posture.

Called by `guard_process`, under its lock. A program goes only where a person has enabled the arm and nobody has it, and
whoever else wants it, or the program's own end, leaves it in HOLD, out of which only a person leads.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.action_choice import PEOPLE, ActionChoice
from drivers.posture_visits import PostureVisits, PostureWish
from drivers.senders import Senders
from robot_rig.datatypes import Action, Floats, Mode
from robot_rig.errors import UserError
from robot_rig.loops.arm_loop import ArmLoop
from robot_rig.safety.ways import Way


class ProgramWays:
    """Begins, watches and ends programs' ways of the arm of `loop`; `home_poses`, each (7,) rad, lead home."""

    def __init__(
        self,
        loop: ArmLoop,
        choice: ActionChoice,
        senders: Senders,
        visits: PostureVisits,
        home_poses: Sequence[Floats],
    ) -> None:
        self._loop, self._choice, self._senders, self._visits = loop, choice, senders, visits
        self._home_poses = home_poses
        self._returning = False

    def forget(self) -> None:
        """A person has given an order of where to go: a way home under way is no program's any more."""
        self._returning = False

    def watch(self, now: float, action: Action | None) -> None:
        """Once a tick at `now` (s), with the `action` that the loop will see: end what may not go on."""
        fresh = action is not None and self._choice.fresh(now, action)
        if self._loop.visiting:
            if fresh or self._visits.crowded(now):
                self._loop.give_way()
            elif self._visits.silent(now) or self._senders.lost is not None:
                self._loop.change_sender()
        elif self._returning and self._loop.mode is Mode.HOMING:
            if action is not None and fresh and action.source in PEOPLE:
                self._loop.hold()
            elif self._senders.asker_lost or self._senders.lost is not None:
                self._loop.change_sender()

    def end_visits(self) -> None:
        """A person is about to give the arm to somebody: who visits postures leads no further, whatever comes of it."""
        if self._loop.visiting:
            self._loop.hold()

    def return_home(self, program: str) -> None:
        """The node `program` sends the arm home.

        Raises UserError unless the arm is ACTIVE, no person has it (only people lead out of HOLD), the program that led
        it still runs (no other one takes over), and `program` is connected to lead it.
        """
        self._refuse([Mode.ACTIVE])
        if not self._senders.ask(program):
            raise UserError(
                f"{program} is not connected to lead the arm, and no program may move it", next_step="`rig home`"
            )
        self._loop.home(self._home_poses)
        self._returning = True

    def way_of(self, program: str, now: float) -> tuple[PostureWish, Way]:
        """What the node `program` asks for at `now` (s), and the free way there. Changes nothing, takes milliseconds.

        Needs no lock. Raises UserError where it asks for nothing new, or the way is not free.
        """
        wish = self._visits.next_of(program, now)
        return wish, self._loop.way_to(wish.position)

    def refuse_visit(self) -> None:
        """Raises UserError unless a person has enabled the arm, and nobody has it or a program visits postures."""
        self._refuse([Mode.HOMING if self._loop.visiting else Mode.ACTIVE])

    def visit(self, wish: PostureWish, way: Way, now: float) -> None:
        """Lead the arm along `way` for the program of `wish`, at `now` (s).

        Raises UserError unless a person has enabled the arm and nobody else leads it, or wants to.
        """
        self.refuse_visit()
        action = self._choice.choose(now, self._loop.leader)
        wanted = action is not None and self._choice.fresh(now, action)
        if wanted or (self._loop.visiting and not self._visits.leads(wish)):
            raise UserError("somebody else leads the arm, or wants to", next_step="end that program, then enable anew")
        self._loop.visit(way)
        self._visits.begin(wish)

    def _refuse(self, modes: Sequence[Mode]) -> None:
        if self._loop.leader in PEOPLE:
            who = "a person has the arm"
        elif self._loop.mode not in modes:
            who = f"the arm is in mode {self._loop.mode.value}"
        elif (lost := self._senders.lost) is not None:
            who = f"the program that led the arm ({lost.value}) has ended"
        else:
            return
        raise UserError(f"{who}, and no program may move it", next_step="let a person enable it, or `rig home`")
