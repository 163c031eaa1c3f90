"""What camera_node says of its pictures, as diagnostic_msgs/DiagnosticArray for CAMERA_STATUS. Made by camera_node,
read by `rig soak` and `rig doctor`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from robot_rig.ros.convert import ros_time
from robot_rig.ros.stamps import HostStamps
from robot_rig.safety.reasons import REASONS

NAME = "rig_camera"
NOT_ASKED = "not asked"
"""What a camera's node says of its calibration that was started without one, as for a simulated camera."""


def camera_message(code: str, stamps: HostStamps, now: float, told: Mapping[str, object]) -> DiagnosticArray:
    """How the pictures are at `now` (monotonic s): `code` is why they are not passed on, or empty.

    `told`: what there is to tell of the camera, by name; it must fit into JSON.
    """
    level = DiagnosticStatus.ERROR if code else DiagnosticStatus.OK
    status = DiagnosticStatus(level=level, name=NAME, message=REASONS[code] if code else "ok", hardware_id=NAME)
    values = {"code": code, **told}
    status.values = [KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]
    message = DiagnosticArray(status=[status])
    message.header.stamp = ros_time(stamps.wall(now))
    return message


def read_code(message: DiagnosticArray) -> str:
    """Why pictures are not passed on, by a message of CAMERA_STATUS; empty where they are, or where it says nothing."""
    for status in message.status:
        for pair in status.values:
            if (status.name, pair.key) == (NAME, "code"):
                with contextlib.suppress(ValueError):
                    return str(json.loads(pair.value))
    return ""
