"""Waits for a carrier to end, and says why it has. For the tests of this folder."""

from __future__ import annotations

from robot_rig.errors import UserError
from robot_rig.transport.carrier import Carrier
from tests.ros_graph import eventually

WITHIN_S = 20.0


def end_of(carrier: Carrier) -> str:
    """Why `carrier`, which has been started, has ended."""
    ends: list[str] = []

    def has_ended() -> bool:
        try:
            carrier.require_sound()
        except UserError as error:
            ends.append(str(error))
        return bool(ends)

    assert eventually(has_ended, WITHIN_S)
    return ends[0]
