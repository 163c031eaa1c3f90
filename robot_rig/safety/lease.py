"""Who may move the arm: one source at a time. Called by the gate's first stage."""

from __future__ import annotations

from robot_rig.datatypes import Source


class Lease:
    """A human takes the lease from anybody and keeps it until a person's next order; a machine takes only a free one.

    A machine's lease is free again when it has been silent for `silence_s`. Whoever takes over waits until the arm
    stands still.
    """

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self.release()

    @property
    def holder(self) -> Source | None:
        """The source that may move the arm now, if any."""
        return self._holder

    def release(self, keeper: Source | None = None) -> None:
        """Free the lease, or keep it for `keeper`: on a person's order, and when motion ends for good."""
        self._holder: Source | None = keeper
        self._settled = False
        self._renewed = 0.0

    def claim(self, now: float, source: Source, issued: float, still: bool) -> tuple[str, ...]:
        """The reasons why `source` may not move now (s); empty when it may.

        `issued` is the stamp of its action: a mailbox repeats an old action for ever, and that must not keep a lease.
        `still` says whether the last velocity sent was zero.
        """
        if source is not self._holder and not self._free_for(now, source):
            return ("human_has_arm",) if self._holder is Source.HUMAN else ("other_source",)
        if source is not self._holder:
            self._holder, self._settled = source, False
            self._renewed = issued
        self._renewed = max(self._renewed, issued)
        self._settled = self._settled or still
        return () if self._settled else ("source_change",)

    def _free_for(self, now: float, source: Source) -> bool:
        if self._holder is Source.HUMAN:
            return False
        return self._holder is None or source is Source.HUMAN or now - self._renewed > self._silence_s
