"""The robot's own reflex to a hard contact: it holds still for two seconds, then goes on. Called by `sim.wire.sawyer`.

As the vendor's wiki tells it of Baxter ("Collision Avoidance and Detection": impact and squish), with the threshold of
its squish log line; a Sawyer has the same topics. A repeated message on suppress_contact_safety or
suppress_squish_safety turns it off, and so does a hand on the cuff, which ends a pause too.
"""

from __future__ import annotations

from sim.scenes import TIMESTEP_S
from sim.wire.controller import SUPPRESSION_S, JointController

HARD_CONTACT_N = 16.0
PAUSE_S = 2.0


class ContactSafety:
    """Pauses `controller` when the contact force is too large; call `tick` once a physics step."""

    def __init__(self, controller: JointController) -> None:
        self._controller = controller
        self._suppressed_s = 0.0

    def suppress(self) -> None:
        """Let contacts pass for the next 0.2 s."""
        self._suppressed_s = SUPPRESSION_S

    def tick(self, force_n: float) -> None:
        """Take the contact force (N) of the last physics step."""
        self._suppressed_s = max(0.0, self._suppressed_s - TIMESTEP_S)
        if force_n > HARD_CONTACT_N and not self._suppressed_s and not self._controller.paused:
            self._controller.pause(PAUSE_S)
