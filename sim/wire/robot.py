"""The simulated Sawyer on a ROS network: topics, services and parameters of the vendor's robot. Called by `sim_node`.

Covers the robot's state, its arm and its head; devices and hand cameras are not here. Callbacks run in rospy's threads
and only post to the `Sawyer`; reports leave through the outbox, so that a slow network never delays a step.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import genpy
import rospy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float64, UInt16

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import load
from sim.dynamics import BodyModel
from sim.scenes import TIMESTEP_S
from sim.wire.head import PanMode
from sim.wire.ik_service import PositionKinematics
from sim.wire.joint_command import RefusedCommandError, read_joint_command
from sim.wire.kinematics_services import KinematicsServices
from sim.wire.outbox import Outbox
from sim.wire.parameters import robot_parameters
from sim.wire.reports import Reports
from sim.wire.sawyer import Sawyer, Snapshot
from sim.wire.settled_listener import SettledListener
from sim.wire.tips import TipFrames

RELEASES = ("5.5.2", "5.3.0")
"""Robot software that can be played: they differ in IK, in SEAJointState and in what clients they admit."""

LIMB = "/robot/limb/right"
REPORT_RATE_HZ = 100
MAX_RATE_HZ = round(1.0 / TIMESTEP_S)
STEPS_PER_REPORT = MAX_RATE_HZ // REPORT_RATE_HZ
REFUSAL_PERIOD_S = 1.0
QUEUE = 10
CONTACT_SUPPRESSORS = ("suppress_contact_safety", "suppress_squish_safety")
ACCEPTED_WITHOUT_EFFECT = (
    "suppress_collision_avoidance",
    "suppress_body_avoidance",
    "suppress_hand_overwrench_safety",
)
"""Topics under the limb for reflexes that this robot does not have."""

Report = tuple[rospy.Publisher, Callable[[Snapshot, genpy.Time], Any]]


class RobotOnNetwork:
    """Connects `sawyer` to the ROS graph; rospy.init_node must have been called.

    `wall_time` maps monotonic stamps to seconds since 1970 on the robot's clock; `outbox` sends what is reported.
    Raises UserError for an unknown release.
    """

    def __init__(
        self, sawyer: Sawyer, config: Config, release: str, outbox: Outbox, wall_time: Callable[[float], float]
    ) -> None:
        if release not in RELEASES:
            raise UserError(f"the simulated robot does not run software {release}", choices=RELEASES)
        self._sawyer, self._outbox, self._wall_time = sawyer, outbox, wall_time
        types = load(release)
        self._reports = Reports(types, config)
        self._muted: frozenset[str] = frozenset()
        self._unplugged = False
        self._on_their_way: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._cable = threading.Lock()
        self._latest = sawyer.snapshot(WallClock().now())
        self._steps = 0
        self._steps_per_joint_report = STEPS_PER_REPORT
        for name, value in robot_parameters(config, release).items():
            rospy.set_param(name, value)
        self._advertise(types)
        self._subscribe(types)
        kinematics = PositionKinematics(TipFrames(config), BodyModel(config).collides)
        self._services = KinematicsServices(
            types, kinematics, lambda: self._latest.position, lambda: self._robot_time(self._latest.stamp)
        )

    def _advertise(self, types: Any) -> None:
        reports = self._reports
        table = (
            ("/robot/state", types.RobotAssemblyState, reports.robot_state),
            (f"{LIMB}/endpoint_state", types.EndpointState, reports.endpoint_state),
            (f"{LIMB}/tip_states", types.EndpointStates, reports.tip_states),
            (f"{LIMB}/collision_detection_state", types.CollisionDetectionState, reports.collision_detection),
            (f"{LIMB}/collision_avoidance_state", types.CollisionAvoidanceState, reports.collision_avoidance),
            (f"{LIMB}/gravity_compensation_torques", types.SEAJointState, reports.gravity_compensation),
            ("/robot/homing_states", types.HomingState, reports.homing),
            ("/robot/head/head_state", types.HeadState, reports.head_state),
        )
        self._publishers: list[Report] = [
            (rospy.Publisher(name, message, queue_size=QUEUE), make) for name, message, make in table
        ]
        self._joint_states: Report = (
            rospy.Publisher("/robot/joint_states", JointState, queue_size=QUEUE),
            reports.joint_states,
        )
        self._joint_limits = rospy.Publisher("/robot/joint_limits", types.JointLimits, queue_size=1, latch=True)
        self._joint_limits.publish(reports.joint_limits())

    def _subscribe(self, types: Any) -> None:
        sawyer = self._sawyer

        def on(name: str, message: Any, callback: Callable[[Any], None], queue_size: int = QUEUE) -> Any:
            arrive = partial(self._arrive, callback)
            return rospy.Subscriber(name, message, arrive, queue_size=queue_size, tcp_nodelay=True)

        self._subscribers = [
            on("/robot/set_super_enable", Bool, lambda m: sawyer.post(sawyer.enable if m.data else sawyer.disable)),
            on("/robot/set_super_reset", Empty, lambda _: sawyer.post(sawyer.reset)),
            on("/robot/set_super_stop", Empty, lambda _: sawyer.post(sawyer.stop)),
            on("/robot/set_homing_mode", types.HomingCommand, lambda _: None),
            on("/robot/urdf", types.URDFConfiguration, lambda _: None),
            on(f"{LIMB}/interaction_control_command", types.InteractionControlCommand, lambda _: None),
            on("/intera/endpoint_ids", types.StringArray, lambda m: self._reports.choose_tips(m.data)),
            on("/robot/head/command_head_pan", types.HeadPanCommand, self._turn_head),
            on(f"{LIMB}/joint_command", types.JointCommand, self._command),
            on(f"{LIMB}/joint_command_timeout", Float64, partial(self._set, sawyer.controller.set_timeout)),
            on(f"{LIMB}/set_speed_ratio", Float64, partial(self._set, sawyer.controller.set_speed_ratio)),
            on(
                f"{LIMB}/suppress_gravity_compensation",
                Empty,
                lambda _: sawyer.post(sawyer.controller.suppress_gravity_compensation),
            ),
            *(
                on(f"{LIMB}/{name}", Empty, lambda _: sawyer.post(sawyer.contact_safety.suppress))
                for name in CONTACT_SUPPRESSORS
            ),
            on(f"{LIMB}/suppress_cuff_interaction", Empty, lambda _: sawyer.post(sawyer.zero_g.suppress)),
            *(on(f"{LIMB}/{name}", Empty, lambda _: None) for name in ACCEPTED_WITHOUT_EFFECT),
        ]
        self._rate_orders = SettledListener("/robot/joint_state_publish_rate", UInt16, self._set_joint_rate)

    # --- what comes in, in rospy's threads ----------------------------------------------------------------------------

    def mute(self, topics: frozenset[str]) -> None:
        """No longer publish `topics`, and all the others: a fault."""
        self._muted = topics

    def unplug(self, out: bool) -> None:
        """Pull the network cable, or put it back: what was sent meanwhile then arrives all at once, as TCP has it."""
        with self._cable:
            while not out and self._on_their_way:
                callback, message = self._on_their_way.popleft()
                callback(message)
            self._unplugged = out

    def _arrive(self, callback: Callable[[Any], None], message: Any) -> None:
        with self._cable:
            if self._unplugged:
                self._on_their_way.append((callback, message))
            else:
                callback(message)

    def _command(self, message: Any) -> None:
        try:
            targets = read_joint_command(message)
        except RefusedCommandError as reason:
            caller = message._connection_header.get("callerid", "somebody")
            rospy.logwarn_throttle(REFUSAL_PERIOD_S, f"a joint command of {caller} is refused: {reason}")
            return
        self._sawyer.post(partial(self._sawyer.command, targets))

    def _set(self, setting: Callable[[float], None], message: Float64) -> None:
        if math.isfinite(message.data):
            self._sawyer.post(partial(setting, message.data))
        else:
            rospy.logwarn_throttle(REFUSAL_PERIOD_S, f"a setting of {message.data} is refused")

    def _turn_head(self, message: Any) -> None:
        known = message.pan_mode in list(PanMode)
        if known and math.isfinite(message.target) and math.isfinite(message.speed_ratio):
            mode = PanMode(message.pan_mode)
            self._sawyer.post(partial(self._sawyer.turn_head, message.target, message.speed_ratio, mode))

    def _set_joint_rate(self, message: UInt16) -> None:
        rate = min(max(message.data, 1), MAX_RATE_HZ)
        self._steps_per_joint_report = max(1, round(MAX_RATE_HZ / rate))

    # --- what goes out ------------------------------------------------------------------------------------------------

    def after_step(self, stamp: float) -> None:
        """Report what is due after the step that stands for `stamp` (monotonic s); called by the stepping thread."""
        self._steps += 1
        joints_are_due = self._steps % self._steps_per_joint_report == 0
        rest_is_due = self._steps % STEPS_PER_REPORT == 0
        if joints_are_due or rest_is_due:
            self._latest = snapshot = self._sawyer.snapshot(stamp)
            if joints_are_due:
                self._outbox.put(partial(self._send, (self._joint_states,), snapshot))
            if rest_is_due:
                self._outbox.put(partial(self._send, self._publishers, snapshot))

    def _send(self, publishers: Iterable[Report], snapshot: Snapshot) -> None:
        stamp = self._robot_time(snapshot.stamp)
        for publisher, make in publishers:
            silent = self._unplugged or publisher.name in self._muted
            if publisher.get_num_connections() and not silent:
                publisher.publish(make(snapshot, stamp))

    def _robot_time(self, stamp: float) -> genpy.Time:
        return genpy.Time.from_sec(self._wall_time(stamp))

    def close(self) -> None:
        """Leave the network. What is still in the outbox may no longer be sent."""
        self._rate_orders.close()
        self._services.close()
        for subscriber in self._subscribers:
            subscriber.unregister()
        for publisher, _ in (*self._publishers, self._joint_states):
            publisher.unregister()
        self._joint_limits.unregister()
