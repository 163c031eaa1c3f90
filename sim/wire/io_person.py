"""A person's hands at the simulated robot: on its buttons, wheels, cuff and arm, and eyes on its screen: under /sim.

For tests and people; no agent and no driver may listen or speak here (R17). Called by `sim.sim_node`.
"""

from __future__ import annotations

import logging
import math
from functools import partial

import numpy as np
import rospy
from geometry_msgs.msg import Vector3
from sensor_msgs.msg import Image
from std_msgs.msg import Int32, String

from robot_rig.datatypes import Bytes
from robot_rig.ros.images import image, pixels
from robot_rig.ros.stamps import Refused
from sim.wire.sawyer import Sawyer

log = logging.getLogger(__name__)

HELD_BUTTONS, PUSH_HAND, SCREEN = "/sim/held_buttons", "/sim/push_hand", "/sim/head_screen"
HEAD_DISPLAY = "/robot/head_display"
STRONGEST_PUSH_N = 100.0
SCREEN_WIDTH, SCREEN_HEIGHT = 1024, 600


def on_screen(picture: Bytes) -> Bytes:
    """The screen (600, 1024, 3) that shows `picture` (H, W, 3): from its upper left corner, cut at its edges."""
    screen = np.zeros((SCREEN_HEIGHT, SCREEN_WIDTH, 3), np.uint8)
    height, width = min(picture.shape[0], SCREEN_HEIGHT), min(picture.shape[1], SCREEN_WIDTH)
    screen[:height, :width] = picture[:height, :width]
    return screen


class Person:
    """Takes what a person does at `sawyer`; rospy.init_node must have been called.

    /sim/held_buttons std_msgs/String: the buttons that fingers are on from now on, such as "right_cuff
    right_button_ok"; /sim/head_wheel and /sim/right_wheel std_msgs/Int32: clicks to turn by; /sim/push_hand
    geometry_msgs/Vector3: N in base from now on. Publishes /sim/head_screen sensor_msgs/Image, latched: what the
    robot's screen shows.
    """

    def __init__(self, sawyer: Sawyer) -> None:
        self._sawyer = sawyer
        self._screen = rospy.Publisher(SCREEN, Image, queue_size=1, latch=True)
        self._screen.publish(image(on_screen(np.zeros((1, 1, 3), np.uint8))))
        self._subscribers = [
            rospy.Subscriber(HELD_BUTTONS, String, self._hold, queue_size=10),
            rospy.Subscriber(PUSH_HAND, Vector3, self._push, queue_size=10),
            rospy.Subscriber(HEAD_DISPLAY, Image, self._show, queue_size=2, buff_size=2**23),
            *(
                rospy.Subscriber(f"/sim/{name}", Int32, partial(self._turn, name), queue_size=10)
                for name in sawyer.io.panels.wheels
            ),
        ]

    def _hold(self, message: String) -> None:
        names = frozenset(message.data.split())
        unknown = names - set(self._sawyer.io.panels.buttons)
        if unknown:
            log.warning("%s: there is no button %s", HELD_BUTTONS, ", ".join(sorted(unknown)))
            return
        self._sawyer.post(partial(self._sawyer.io.panels.hold, names))

    def _turn(self, name: str, message: Int32) -> None:
        self._sawyer.post(partial(self._sawyer.io.panels.wheels[name].turn, message.data))

    def _push(self, message: Vector3) -> None:
        force = np.array([message.x, message.y, message.z])
        if not (np.isfinite(force).all() and math.hypot(*force) <= STRONGEST_PUSH_N):
            log.warning("%s takes up to %.0f N", PUSH_HAND, STRONGEST_PUSH_N)
            return
        self._sawyer.post(partial(self._sawyer.world.push_hand, force))

    def _show(self, message: Image) -> None:
        picture = pixels(message)
        if isinstance(picture, Refused):
            log.warning("%s: %s", HEAD_DISPLAY, picture)
            return
        self._screen.publish(image(on_screen(picture)))

    def close(self) -> None:
        """Leave the network."""
        for connection in (*self._subscribers, self._screen):
            connection.unregister()
