"""Snapshots of the simulated robot as the messages of the Intera interface. Called by `sim.wire.robot`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import genpy
import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Twist, Vector3, Wrench
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, JOINTS, Floats
from robot_rig.kinematics import LOWER_LIMITS, RATED_EFFORTS, RATED_SPEEDS, UPPER_LIMITS
from robot_rig.ros.intera_messages import InteraTypes
from sim.dynamics import BodyModel
from sim.wire import head
from sim.wire.parameters import ACCELERATION_LIMITS
from sim.wire.sawyer import Snapshot
from sim.wire.tips import TipFrames, TipPose, quaternion

BASE = "base"
TORSO = "torso_t0"
ZEROS = [0.0] * JOINTS
SINGULAR = 0.02
"""Share of the Jacobian's largest singular value below which a direction counts as one that no joint can feel."""


def pose_message(position: Floats, rotation: Floats) -> Pose:
    """A pose in base of `position` (3,) m and `rotation` (3, 3)."""
    w, x, y, z = quaternion(rotation)
    return Pose(Point(*map(float, position)), Quaternion(x, y, z, w))


class Reports:
    """Makes the messages of one robot; every method takes the snapshot and the stamp of its headers."""

    def __init__(self, types: InteraTypes, config: Config) -> None:
        self._types = types
        self._frames = TipFrames(config)
        self._body = BodyModel(config)
        self._chosen_tips = tuple(self._frames.tips)

    def choose_tips(self, names: Iterable[str]) -> None:
        """Let tip_states hold the tips of these `names` from now on; unknown names are left out."""
        chosen = frozenset(names)
        self._chosen_tips = tuple(name for name in self._frames.tips if name in chosen)

    def robot_state(self, snapshot: Snapshot, _: genpy.Time) -> Any:
        """RobotAssemblyState."""
        state = snapshot.state
        return self._types.RobotAssemblyState(
            homed=state.homed,
            ready=state.ready,
            enabled=state.enabled,
            stopped=state.stopped,
            error=state.error,
            lowVoltage=state.low_voltage,
            estop_button=int(state.estop_button),
            estop_source=int(state.estop_source),
        )

    def joint_states(self, snapshot: Snapshot, stamp: genpy.Time) -> JointState:
        """JointState of head, arm and torso: a client must go by name."""
        return JointState(
            Header(stamp=stamp),
            [head.HEAD_PAN, *JOINT_NAMES, TORSO],
            [snapshot.head_pan, *snapshot.position.tolist(), 0.0],
            [snapshot.head_speed, *snapshot.velocity.tolist(), 0.0],
            [0.0, *snapshot.effort.tolist(), 0.0],
        )

    def endpoint_state(self, snapshot: Snapshot, stamp: genpy.Time) -> Any:
        """EndpointState of the active tip. The wrench is what the tip exerts, in base."""
        pose = self._frames.pose(self._frames.active, snapshot.position)
        return self._tip(pose, snapshot, self._beyond_the_model(snapshot), Header(stamp=stamp, frame_id=BASE))

    def tip_states(self, snapshot: Snapshot, stamp: genpy.Time) -> Any:
        """EndpointStates of the chosen tips; at first of all."""
        poses, chosen = self._frames.poses(snapshot.position), self._chosen_tips
        header, torque = Header(stamp=stamp, frame_id=BASE), self._beyond_the_model(snapshot)
        states = [self._tip(poses[name], snapshot, torque, header) for name in chosen]
        return self._types.EndpointStates(header, list(chosen), states)

    def _beyond_the_model(self, snapshot: Snapshot) -> Floats:
        """(7,) N·m that the motors give besides what the body as the robot knows it needs; zeros without motors."""
        if not snapshot.state.enabled:
            return np.zeros(JOINTS)
        return snapshot.effort - self._body.model_torque(snapshot.position, snapshot.velocity)

    def _tip(self, pose: TipPose, snapshot: Snapshot, torque: Floats, header: Header) -> Any:
        """EndpointState of a tip at `pose`; `torque` (7,) N·m is laid to a force on it."""
        twist = (pose.jacobian @ snapshot.velocity).tolist()
        wrench = np.linalg.lstsq(pose.jacobian.T, torque, rcond=SINGULAR)[0].tolist()
        return self._types.EndpointState(
            header,
            pose_message(pose.position, pose.rotation),
            Twist(Vector3(*twist[:3]), Vector3(*twist[3:])),
            Wrench(Vector3(*wrench[:3]), Vector3(*wrench[3:])),
            True,
        )

    def collision_detection(self, snapshot: Snapshot, stamp: genpy.Time) -> Any:
        """CollisionDetectionState: contact with the table since the last report."""
        return self._types.CollisionDetectionState(Header(stamp=stamp), snapshot.collided)

    def collision_avoidance(self, _: Snapshot, stamp: genpy.Time) -> Any:
        """CollisionAvoidanceState: this robot never turns away from anything by itself."""
        return self._types.CollisionAvoidanceState(Header(stamp=stamp), False, [])

    def homing(self, _: Snapshot, __: genpy.Time) -> Any:
        """HomingState: every joint knows where it is, so that a HomingCommand has no effect."""
        names = [*JOINT_NAMES, head.HEAD_PAN]
        return self._types.HomingState(names, [self._types.HomingState.HOMED] * len(names))

    def gravity_compensation(self, snapshot: Snapshot, stamp: genpy.Time) -> Any:
        """SEAJointState, with what the robot believes that its weight needs."""
        message = self._types.SEAJointState(header=Header(stamp=stamp), name=list(JOINT_NAMES))
        for field, kind in zip(message.__slots__, message._slot_types, strict=True):
            if kind == "float64[]":
                setattr(message, field, ZEROS)
        message.commanded_position = snapshot.wanted_position.tolist()
        message.commanded_velocity = snapshot.wanted_velocity.tolist()
        message.commanded_acceleration = snapshot.wanted_acceleration.tolist()
        message.commanded_effort = message.actual_effort = snapshot.effort.tolist()
        message.actual_position = snapshot.position.tolist()
        message.actual_velocity = snapshot.velocity.tolist()
        message.gravity_model_effort = self._body.model_torque(snapshot.position, snapshot.velocity).tolist()
        message.gravity_only = self._body.gravity_torque(snapshot.position).tolist()
        return message

    def head_state(self, snapshot: Snapshot, _: genpy.Time) -> Any:
        """HeadState."""
        turning, blocked = snapshot.head_is_turning, snapshot.head_is_blocked
        return self._types.HeadState(snapshot.head_pan, turning, blocked, int(snapshot.head_mode))

    def joint_limits(self) -> Any:
        """JointLimits of arm and head."""

        def listed(arm: Iterable[float], of_head: float) -> list[float]:
            return [*np.asarray(arm, dtype=np.float64).tolist(), of_head]

        return self._types.JointLimits(
            joint_names=[*JOINT_NAMES, head.HEAD_PAN],
            position_lower=listed(LOWER_LIMITS, head.LOWER_LIMIT_RAD),
            position_upper=listed(UPPER_LIMITS, head.UPPER_LIMIT_RAD),
            velocity=listed(RATED_SPEEDS, head.RATED_SPEED_RAD_S),
            accel=listed(ACCELERATION_LIMITS, head.RATED_ACCELERATION_RAD_S2),
            effort=listed(RATED_EFFORTS, head.RATED_EFFORT_NM),
        )
