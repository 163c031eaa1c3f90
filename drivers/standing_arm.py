"""An arm that nobody moves while a person moves what it carries, as the gripper's fingers. For guard_process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from drivers.order_turns import OrderTurns
from robot_rig.datatypes import Mode, Source
from robot_rig.errors import UserError
from robot_rig.loops.arm_loop import ArmLoop

LOOK_S, REST_S = 0.02, 1.0
"""How often it is looked whether the arm rests, and how long it may take to once nobody may lead it on."""


class StandingArm:
    """The arm of `loop`, whose tick goes on under `lock` and shows it no action while `active`."""

    def __init__(self, loop: ArmLoop, lock: threading.Lock, orders: OrderTurns, closing: threading.Event) -> None:
        self._loop, self._lock, self._orders, self._closing = loop, lock, orders, closing
        self.active = False

    @contextmanager
    def standing(self) -> Iterator[None]:
        """A person moves something that the arm carries: until the end of the block nobody moves the arm.

        The person has the arm then, and keeps it. UserError: it is off, on its way home, or does not come to rest.
        """
        with self._orders.take():
            with self._lock:
                self._refuse_to_stand()
                self._loop.hand_over(Source.HUMAN)
                self.active = True
            try:
                looks = range(round(REST_S / LOOK_S))
                if not any(self._loop.resting or self._closing.wait(LOOK_S) for _ in looks):
                    raise UserError("the arm does not come to rest", next_step="`rig hold`, then try again")
                self._refuse_to_stand()
                yield
            finally:
                self.active = False

    def _refuse_to_stand(self) -> None:
        if self._closing.is_set() or self._loop.mode not in (Mode.ACTIVE, Mode.HOLD):
            raise UserError(f"the arm is in mode {self._loop.mode.value}", next_step="`rig enable` first")
