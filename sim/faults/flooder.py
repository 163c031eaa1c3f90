"""A stranger who sends more than anybody can want, to the guard alone: for row 61. Started by `rig faults`.

    python -m sim.faults.flooder

First senseless actions, as fast as it is told to; then one message that calls itself 500 MB long, and is. It is sent to
one subscriber over its own connection, so that the witness does not drown with it.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import Joy

from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.ros.connect import advertise
from robot_rig.ros.node import Node, run
from robot_rig.ros.topics import ACTION, CAMERA_STATUS
from sim.faults.rows_recording import CODE, FLOOD_S

NODE = "flooder"
PERIOD_S = 0.01
PIECE_BYTES = 1 << 20
PATIENCE_S = 20.0


@dataclass(frozen=True)
class FlooderOptions:
    """Somebody who sends too much."""

    to: str = "/rig_arm"
    """The node that gets it."""

    rate_hz: float = 10_000.0
    """Messages a second."""

    seconds: float = FLOOD_S
    """How long; the huge one follows."""

    huge_mb: int = 500
    """Size of the huge one, MB."""


def framed(message: Any) -> bytes:
    """`message` as it goes over the wire, behind its length."""
    buffer = io.BytesIO()
    message.serialize(buffer)
    body = buffer.getvalue()
    return struct.pack("<I", len(body)) + body


def huge(size: int) -> Iterator[bytes]:
    """A message of `size` bytes, in pieces."""
    yield struct.pack("<I", size)
    for at in range(0, size, PIECE_BYTES):
        yield bytes(min(PIECE_BYTES, size - at))


def wire(options: FlooderOptions, node: Node) -> None:
    """Begin to send once the victim listens."""
    actions, words = advertise(ACTION), advertise(CAMERA_STATUS)
    clock = WallClock()

    def victim() -> Any:
        return next((one for one in actions.impl.connections if one.endpoint_id == options.to), None)

    def work() -> None:
        deadline = clock.now() + PATIENCE_S
        while (link := victim()) is None:
            if clock.now() > deadline:
                node.fail(UserError(f"{options.to} does not listen"))
                return
            clock.sleep_until(clock.now() + PERIOD_S)
        values = [KeyValue(key="code", value=json.dumps(CODE))]
        words.publish(DiagnosticArray(status=[DiagnosticStatus(name=NODE, message=CODE, values=values)]))
        # Neither axes nor buttons: nobody can take it for an action.
        batch = framed(Joy()) * round(options.rate_hz * PERIOD_S)
        end, due = clock.now() + options.seconds, clock.now()
        try:
            while clock.now() < end:
                link.write_data(batch)
                due += PERIOD_S
                clock.sleep_until(due)
            for piece in huge(options.huge_mb * 10**6):
                link.write_data(piece)
        except Exception as error:  # noqa: BLE001  the victim hangs up, in whatever words rospy has for that
            node.fail(UserError(f"{options.to} has hung up: {error}"))

    threading.Thread(target=work, name="flood", daemon=True).start()


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, FlooderOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
