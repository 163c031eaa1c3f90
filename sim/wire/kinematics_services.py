"""The services IKService and FKService of the simulated robot. Called by `sim.wire.robot`.

Both answer from rospy's own threads; what they need of the moving arm is the joint position of the newest snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import genpy
import numpy as np
import rospy
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from robot_rig.datatypes import JOINT_NAMES, JOINTS, Floats
from robot_rig.ros.intera_messages import InteraTypes
from sim.wire.ik_service import (
    DEFAULT_NULLSPACE_GAIN,
    NullspaceGoal,
    PoseQuery,
    PositionKinematics,
    Result,
    SeedMode,
)
from sim.wire.reports import BASE, pose_message
from sim.wire.tips import rotation_of

NODE = "/ExternalTools/right/PositionKinematicsNode"
IK_SERVICE, FK_SERVICE = f"{NODE}/IKService", f"{NODE}/FKService"


def joints_by_name(message: JointState, rest: Floats) -> Floats:
    """(7,) rad: the arm joints that `message` names, `rest` (7,) for the others. Joints of other parts are ignored.

    Raises ValueError when positions are missing or no numbers.
    """
    if len(message.position) < len(message.name):
        raise ValueError(f"{len(message.name)} joints are named, {len(message.position)} positions are given")
    if not np.isfinite(message.position).all():
        raise ValueError("a joint position is not finite")
    position = np.array(rest)
    for name, value in zip(message.name, message.position, strict=False):
        if name in JOINT_NAMES:
            position[JOINT_NAMES.index(name)] = value
    return position


class KinematicsRequests:
    """Answers requests with `kinematics`, in messages of the release `types`.

    `current` gives the arm's joint position (7,) rad, `now` the robot's time for headers. Needs no ROS graph.
    """

    def __init__(
        self,
        types: InteraTypes,
        kinematics: PositionKinematics,
        current: Callable[[], Floats],
        now: Callable[[], genpy.Time],
    ) -> None:
        self._types, self._kinematics, self._current, self._now = types, kinematics, current, now

    def solve(self, request: Any) -> Any:
        """SolvePositionIKResponse: one solution and one result for each pose.

        A failure too comes with seven joints: the nearest that were found, or where the arm is; only an unknown tip
        comes with none.
        """
        joints, results = [], []
        solved: list[Floats | None] = []
        for index in range(len(request.pose_stamp)):
            try:
                answer = self._kinematics.solve(self._query(request, index, solved), self._current())
                result, found = answer.result, answer.joints
            except ValueError as reason:
                rospy.logwarn("IK request refused: %s", reason)
                result, found = Result.FAILED, self._current()
            solved.append(found if result > 0 else None)
            joints.append(self._joint_state(found))
            results.append(int(result))
        return self._types.SolvePositionIKResponse(joints, results)

    def _joint_state(self, position: Floats | None) -> JointState:
        if position is None:
            return JointState()
        return JointState(header=Header(stamp=self._now()), name=list(JOINT_NAMES), position=position.tolist())

    def _query(self, request: Any, index: int, solved: Sequence[Floats | None]) -> PoseQuery:
        stamped = request.pose_stamp[index]
        if stamped.header.frame_id.lstrip("/") not in ("", BASE):
            raise ValueError(f"poses are taken in {BASE}, not in {stamped.header.frame_id}")
        point, turn = stamped.pose.position, stamped.pose.orientation
        position = np.array([point.x, point.y, point.z])
        if not np.isfinite(position).all():
            raise ValueError("a position holds a number that is not finite")
        mode = SeedMode(request.seed_mode)
        return PoseQuery(
            tip=_at(request.tip_names, index) or "",
            position=position,
            rotation=rotation_of(turn.w, turn.x, turn.y, turn.z),
            seed_mode=mode,
            seed=self._user_seed(mode, request, index, solved),
            nullspace_goal=self._nullspace_goal(request, index),
        )

    def _user_seed(self, mode: SeedMode, request: Any, index: int, solved: Sequence[Floats | None]) -> Floats | None:
        """The client's seed (7,) rad where `mode` starts from one; AUTO does without a seed that makes no sense."""
        if mode not in (SeedMode.AUTO, SeedMode.USER):
            return None
        try:
            return self._given_seed(request, index, solved)
        except ValueError as reason:
            if mode is SeedMode.USER:
                raise
            rospy.logwarn("user seed of an IK request left out: %s", reason)
            return None

    def _given_seed(self, request: Any, index: int, solved: Sequence[Floats | None]) -> Floats | None:
        """The solution of a pose before, where the client gives that one's index, or its angles; None without any."""
        # Software 5.3 has no such field.
        earlier: int | None = _at(getattr(request, "user_seed_indices", ()), index)
        if earlier is not None and earlier >= 0:
            if earlier >= len(solved):
                raise ValueError(f"pose {index} is to start from pose {earlier}, which comes no earlier")
            return solved[earlier]
        seed = _at(request.seed_angles, index)
        return joints_by_name(seed, self._current()) if seed is not None and seed.name and seed.position else None

    def _nullspace_goal(self, request: Any, index: int) -> NullspaceGoal | None:
        goal = _at(request.nullspace_goal, index)
        if not _at(request.use_nullspace_goal, index) or goal is None:
            return None
        gain = _at(request.nullspace_gain, index)
        gain = DEFAULT_NULLSPACE_GAIN if gain is None else gain
        if not np.isfinite(gain):
            raise ValueError("a gain is not finite")
        free = np.full(JOINTS, np.nan)
        return NullspaceGoal(joints_by_name(goal, free), min(max(gain, 0.0), 1.0))

    def forward(self, request: Any) -> Any:
        """SolvePositionFKResponse: one pose for each configuration; joints that it does not name are where they are."""
        poses, valid, colliding = [], [], []
        for index, configuration in enumerate(request.configuration):
            stamped = PoseStamped(header=Header(stamp=self._now(), frame_id=BASE))
            try:
                position = joints_by_name(configuration, self._current())
                pose = self._kinematics.forward(_at(request.tip_names, index) or "", position)
            except ValueError as reason:
                rospy.logwarn("FK request refused: %s", reason)
                pose = None
            if pose is not None:
                stamped.pose = pose_message(pose.position, pose.rotation)
            poses.append(stamped)
            valid.append(pose is not None)
            colliding.append(pose is not None and self._kinematics.in_collision(position))
        return self._types.SolvePositionFKResponse(poses, valid, colliding)


class KinematicsServices:
    """Both services on the ROS graph, answered as `KinematicsRequests` does; its parameters are that one's."""

    def __init__(
        self,
        types: InteraTypes,
        kinematics: PositionKinematics,
        current: Callable[[], Floats],
        now: Callable[[], genpy.Time],
    ) -> None:
        requests = KinematicsRequests(types, kinematics, current, now)
        self._services = [
            rospy.Service(IK_SERVICE, types.SolvePositionIK, requests.solve),
            rospy.Service(FK_SERVICE, types.SolvePositionFK, requests.forward),
        ]

    def close(self) -> None:
        """Withdraw both services."""
        for service in self._services:
            service.shutdown("the robot shuts down")


def _at(values: Sequence[Any], index: int) -> Any:
    """Entry `index`, or None where a client left the list short."""
    return values[index] if index < len(values) else None
