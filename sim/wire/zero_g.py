"""The arm while a hand squeezes its cuff: it floats, and forgets what it was commanded. Called by `sim.wire.sawyer`."""

from __future__ import annotations

from sim.scenes import TIMESTEP_S
from sim.wire.controller import JointController

SUPPRESSION_S = 0.2
"""How long one message keeps the cuff without effect."""


class ZeroG:
    """Lets `controller` carry the arm's weight and no more. Call `tick` before the controller's."""

    def __init__(self, controller: JointController) -> None:
        self._controller = controller
        self._suppressed_s = 0.0
        self.floats = False
        """Whether a person moves the arm now; commands have to wait."""

    def suppress(self) -> None:
        """Ignore the cuff for the next 0.2 s."""
        self._suppressed_s = SUPPRESSION_S

    def tick(self, squeezed: bool, enabled: bool) -> None:
        """Float for one physics step while the cuff is `squeezed`; hold the place where it is let go."""
        floats = squeezed and enabled and self._suppressed_s <= 0.0
        self._suppressed_s = max(0.0, self._suppressed_s - TIMESTEP_S)
        if floats:
            self._controller.yield_to_hand()
        elif self.floats and enabled:
            self._controller.release()
        self.floats = floats
