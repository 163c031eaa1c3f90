"""The gripper's orders as services of the arm node, which holds the lease that they go through. Called by arm_node."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import rospy
from std_srvs.srv import Trigger, TriggerResponse

from drivers.gripper import Gripper
from drivers.guard_process import GuardProcess
from drivers.sawyer_gripper import SawyerGripper
from drivers.sawyer_topics import released_types
from robot_rig.config import ToolConfig
from robot_rig.errors import UserError
from robot_rig.ros.topics import GRIPPER_SERVICES

WATCH_S = 0.1

log = logging.getLogger(__name__)


class GripperService:
    """Serves until `close`; nothing is sent to a gripper, or asked of it, before a person's first order."""

    def __init__(self, tool: ToolConfig, process: GuardProcess) -> None:
        self._tool, self._process = tool, process
        self._link: SawyerGripper | None = None
        self._gripper: Gripper | None = None
        self._closing = threading.Event()
        self._one = threading.Lock()

    def start(self) -> None:
        """Let orders in."""
        orders: dict[str, Callable[[Gripper], str]] = {
            "gripper_calibrate": Gripper.calibrate,
            "gripper_open": Gripper.open,
            "gripper_close": Gripper.close,
            "gripper_status": Gripper.status,
        }
        for name in GRIPPER_SERVICES:
            rospy.Service(f"~{name}", Trigger, self._answer(orders[name]))

    def _answer(self, order: Callable[[Gripper], str]) -> Callable[[Any], Any]:
        def answer(_: Any) -> Any:
            try:
                return TriggerResponse(success=True, message=order(self._connected()))
            except UserError as error:
                return TriggerResponse(success=False, message=str(error))

        return answer

    def _connected(self) -> Gripper:
        with self._one:
            if self._gripper is None:
                self._gripper = self._connect()
                threading.Thread(target=self._watch, args=[self._gripper], name="gripper", daemon=True).start()
            return self._gripper

    def _connect(self) -> Gripper:
        if self._tool.kind != "electric":
            raise UserError(
                f"tool.kind is {self._tool.kind}, which has no fingers to move", next_step="set it to electric"
            )
        types, _ = released_types()
        self._link = SawyerGripper(types)
        process = self._process
        return Gripper(self._link, process.standing, lambda: process.mode, self._tool.fingers, time.sleep)

    def _watch(self, gripper: Gripper) -> None:
        while not self._closing.wait(WATCH_S):
            try:
                gripper.watch()
            except UserError as error:
                log.warning("the gripper could not be halted: %s", error)

    def close(self) -> None:
        """Leave the network; may be called twice."""
        self._closing.set()
        if self._link is not None:
            self._link.close()
