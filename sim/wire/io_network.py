"""The IO framework of the simulated robot as ROS topics under /io. Called by `sim.sim_node`.

    /io/<node>/config, /io/<node>/state, /io/<node>/command
    /io/<node>/<device>/config, /io/<node>/<device>/state, /io/<node>/<device>/command

A device's state is latched and sent when it changes, as a robot does; nodes repeat themselves five times a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import genpy
import rospy

from robot_rig.clock import WallClock
from robot_rig.ros.intera_messages import load
from sim.scenes import TIMESTEP_S
from sim.wire.io_device import KEPT_COMMANDS, CommandTime, Device, read_command, read_devices
from sim.wire.io_messages import STATE_RATE_HZ, UPDATE_RATE_HZ, IoMessages
from sim.wire.io_robot import IoNode
from sim.wire.outbox import Outbox
from sim.wire.sawyer import Sawyer

ROOT = "/io"
QUEUE = 10
STEPS_PER_UPDATE = round(1.0 / (UPDATE_RATE_HZ * TIMESTEP_S))
STEPS_PER_NODE_REPORT = round(1.0 / (STATE_RATE_HZ * TIMESTEP_S))


@dataclass
class _ShownDevice:
    """A device, its latched topic, and the version that was sent last."""

    device: Device
    publisher: rospy.Publisher
    sent: int = -1


@dataclass
class _ShownNode:
    """A node, its latched topics, and what was sent there."""

    node: IoNode
    configs: rospy.Publisher
    states: rospy.Publisher
    config: Any
    commands: deque[CommandTime] = field(default_factory=lambda: deque(maxlen=KEPT_COMMANDS))
    sent: Mapping[str, str] | None = None

    def tags(self) -> dict[str, str]:
        """How each device does."""
        return {device.name: device.tag for device in self.node.devices}


class IoOnNetwork:
    """Connects the devices of `sawyer` to the ROS graph; rospy.init_node must have been called.

    `wall_time` maps monotonic stamps to seconds since 1970 on the robot's clock; `outbox` sends what is reported.
    """

    def __init__(self, sawyer: Sawyer, release: str, outbox: Outbox, wall_time: Callable[[float], float]) -> None:
        self._sawyer, self._outbox, self._wall_time = sawyer, outbox, wall_time
        self._types = load(release)
        self._messages = IoMessages(self._types)
        self._steps = 0
        self._begin = self._robot_time(WallClock().now())
        self._shown: list[_ShownDevice] = []
        self._nodes: list[_ShownNode] = []
        self._connections: list[Any] = []
        for node in sawyer.io.nodes:
            self._connect_node(node)
            for device in node.devices:
                self._connect_device(device)

    def _advertise(self, topic: str, kind: Any) -> rospy.Publisher:
        publisher = rospy.Publisher(topic, kind, queue_size=QUEUE, latch=True)
        self._connections.append(publisher)
        return publisher

    def _listen(self, topic: str, callback: Callable[[Any], None]) -> None:
        kind = self._types.IOComponentCommand
        self._connections.append(rospy.Subscriber(topic, kind, callback, queue_size=QUEUE, tcp_nodelay=True))

    def _connect_node(self, node: IoNode) -> None:
        path = f"{ROOT}/{node.name}"
        config = self._messages.node_configuration(node, self._begin)
        configs = self._advertise(f"{path}/config", self._types.IONodeConfiguration)
        configs.publish(config)
        shown = _ShownNode(node, configs, self._advertise(f"{path}/state", self._types.IONodeStatus), config)
        self._nodes.append(shown)
        self._tell_node(shown, self._begin)
        self._listen(f"{path}/command", partial(self._take_node_command, shown))

    def _connect_device(self, device: Device) -> None:
        path = f"{ROOT}/{device.node}/{device.name}"
        configs = self._advertise(f"{path}/config", self._types.IODeviceConfiguration)
        configs.publish(self._messages.device_configuration(device, self._begin))
        shown = _ShownDevice(device, self._advertise(f"{path}/state", self._types.IODeviceStatus))
        self._shown.append(shown)
        self._tell_device(shown, self._begin)
        self._listen(f"{path}/command", partial(self._take_command, device))

    # --- what comes in, in rospy's threads ----------------------------------------------------------------------------

    def _take_command(self, device: Device, message: Any) -> None:
        command = read_command((message.time.secs, message.time.nsecs), message.op, message.args)
        self._sawyer.post(partial(device.apply, command))

    def _take_node_command(self, shown: _ShownNode, message: Any) -> None:
        names = read_devices(message.op, message.args)
        known = names is not None and set(names) == {device.name for device in shown.node.devices}
        self._sawyer.post(partial(self._apply, shown, (message.time.secs, message.time.nsecs), known))

    def _apply(self, shown: _ShownNode, time: CommandTime, known: bool) -> None:
        """In the stepping thread: a node command, once; one for other devices is acknowledged and does nothing."""
        if time not in shown.commands:
            shown.commands.append(time)
            if known:
                shown.node.activate()

    # --- what goes out ------------------------------------------------------------------------------------------------

    def after_step(self, stamp: float) -> None:
        """Report what is due after the step that stands for `stamp` (monotonic s); called by the stepping thread."""
        self._steps += 1
        if self._steps % STEPS_PER_UPDATE:
            return
        for shown in self._shown:
            if shown.sent != shown.device.version:
                self._tell_device(shown, self._robot_time(stamp))
        repeats = self._steps % STEPS_PER_NODE_REPORT == 0
        for node in self._nodes:
            # Who asks a node how its device does must not hear of the time before the last command.
            if repeats or node.sent != node.tags():
                self._tell_node(node, self._robot_time(stamp))
            if repeats:
                self._outbox.put(partial(node.configs.publish, node.config))

    def _tell_device(self, shown: _ShownDevice, stamp: genpy.Time) -> None:
        version, state = shown.device.version, shown.device.state()
        # One that is lost must come again: a client waits for its command in it.
        if self._outbox.put(lambda: shown.publisher.publish(self._messages.device_status(shown.device, state, stamp))):
            shown.sent = version

    def _tell_node(self, shown: _ShownNode, stamp: genpy.Time) -> None:
        tags, commands = shown.tags(), [genpy.Time(*time) for time in shown.commands]
        message = partial(self._messages.node_status, shown.node, tags, commands, stamp)
        if self._outbox.put(lambda: shown.states.publish(message())):
            shown.sent = tags

    def _robot_time(self, stamp: float) -> genpy.Time:
        return genpy.Time.from_sec(self._wall_time(stamp))

    def close(self) -> None:
        """Leave the network. What is still in the outbox may no longer be sent."""
        for connection in self._connections:
            connection.unregister()
