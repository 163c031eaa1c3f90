"""The independent recorder as a ROS node: what was commanded and what truly happened, a line each, and the heartbeat.

    python -m sim.faults.witness --log witness.jsonl

It believes no node of the product: commands are read off the wire, motion is the simulator's truth, and times are its
own. Started by `rig faults`; `sim.faults.evidence` says what the lines are.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import genpy
import numpy as np
import rospy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import Image, JointState, Joy
from std_msgs.msg import Bool, Empty, Header

from robot_rig.ros.intera_messages import InteraTypes, load
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import prepare_process
from robot_rig.ros.topics import (
    ACTION,
    ARM_STATUS,
    CAMERA_FRAME,
    CAMERA_STATUS,
    EPISODE,
    POLICY_STATUS,
    RECORDER_STATUS,
    TELEOP,
)
from sim.faults import evidence as seen
from sim.faults.relay import PASSED
from sim.wire.robot import LIMB
from sim.wire.room import TOOL, TOUCHES, TRUTH

NODE = "witness"
QUEUE = 1000
HEARTBEAT = ("-m", "benchmarks.heartbeat", "--period", "0.001", "--over", "0.005")
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class WitnessOptions:
    """The independent recorder of fault attempts."""

    log: Path
    """Where the lines go; they are added to it."""

    release: str = "5.5.2"
    """Robot software whose messages are on the wire."""

    priority: int = 19
    """SCHED_FIFO priority of this process; 0: normal scheduling."""

    beat_priority: int = 21
    """That of the heartbeat: above every thread that is watched."""


class Witness:
    """Writes `log` until closed."""

    def __init__(self, log: Path, types: InteraTypes, node: Node) -> None:
        self._stamps = node.stamps
        self._file = log.open("a", buffering=1)
        self._lock = threading.Lock()
        self._links: dict[int, tuple[int, Any]] = {}
        for name, message, take in (
            (f"{LIMB}/joint_command", types.JointCommand, self._command),
            (TRUTH, JointState, self._truth),
            (TOOL, PointStamped, self._tool),
            ("/robot/state", types.RobotAssemblyState, self._state),
            (f"{LIMB}/collision_detection_state", types.CollisionDetectionState, self._collision),
            ("/robot/set_super_enable", Bool, lambda m: self._order("enable" if m.data else "disable", m)),
            ("/robot/set_super_stop", Empty, lambda m: self._order("stop", m)),
            ("/robot/set_super_reset", Empty, lambda m: self._order("reset", m)),
            (ACTION.name, Joy, self._action),
            (TELEOP.name, Joy, self._action),
            (PASSED, Header, self._passed),
            (CAMERA_FRAME.name, Image, self._frame),
            (EPISODE.name, DiagnosticArray, self._episode),
            (RECORDER_STATUS.name, DiagnosticArray, self._recorded),
            *((topic.name, DiagnosticArray, self._report) for topic in (ARM_STATUS, CAMERA_STATUS, POLICY_STATUS)),
        ):
            rospy.Subscriber(name, message, take, queue_size=QUEUE, tcp_nodelay=True, buff_size=2**20)

    def write(self, fact: Any) -> None:
        """One line, at once on its way to the file."""
        line = seen.line_of(fact)
        with self._lock:
            self._file.write(f"{line}\n")

    def _local(self, stamp: genpy.Time) -> float:
        """A stamp as monotonic seconds, believed whatever it is: clocks are judged from it."""
        now = time.monotonic()
        return float(stamp.to_sec()) - (self._stamps.wall(now) - now)

    def _command(self, message: Any) -> None:
        now = time.monotonic()
        values = message.velocity if message.mode == seen.VELOCITY_MODE else message.position
        self.write(seen.Command(now, _caller(message), message.mode, tuple(values), self._link(message)))

    def _link(self, message: Any) -> int:
        """The number of the connection: each has one header, which is kept, so that no later one has its place."""
        header = message._connection_header
        with self._lock:
            return self._links.setdefault(id(header), (len(self._links), header))[0]

    def _truth(self, message: JointState) -> None:
        now = time.monotonic()
        touches = message.header.frame_id == TOUCHES
        self.write(seen.Truth(now, tuple(message.position), tuple(message.velocity), touches))

    def _tool(self, message: PointStamped) -> None:
        at = message.point
        self.write(seen.Tool(time.monotonic(), (at.x, at.y, at.z), message.header.stamp.to_sec()))

    def _state(self, message: Any) -> None:
        button = message.estop_button == 1
        self.write(seen.RobotState(time.monotonic(), message.enabled, message.stopped, message.error, button))

    def _collision(self, message: Any) -> None:
        self.write(seen.Collision(time.monotonic(), message.collision_state))

    def _order(self, word: str, message: Any) -> None:
        self.write(seen.Order(time.monotonic(), word, _caller(message)))

    def _action(self, message: Joy) -> None:
        now = time.monotonic()
        seq, _, secs, nsecs = message.buttons if len(message.buttons) == 4 else (-1, -1, 0, 0)
        frame = self._local(genpy.Time(max(0, secs), max(0, nsecs)))
        stamp = self._local(message.header.stamp)
        self.write(seen.Action(now, message.header.frame_id, seq, stamp, frame, tuple(message.axes)))

    def _passed(self, message: Header) -> None:
        self.write(seen.Passed(time.monotonic(), self._local(message.stamp), message.frame_id))

    def _frame(self, message: Image) -> None:
        now = time.monotonic()
        shape = message.height // seen.PATCH_PX, seen.PATCH_PX, message.width // seen.PATCH_PX, seen.PATCH_PX, 3
        means = np.frombuffer(message.data, np.uint8).reshape(shape).mean(axis=(1, 3)).round(2).ravel()
        number = int(message.header.frame_id.rpartition(":")[2])
        self.write(
            seen.Frame(now, number, self._local(message.header.stamp), zlib.crc32(message.data), tuple(means.tolist()))
        )

    def _report(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            values = {pair.key: json.loads(pair.value) for pair in status.values}
            codes = [*values.get("why", ()), *values.get("reasons", ()), *filter(None, [values.get("code")])]
            silence = [values["silence"]] if values.get("silence") else []
            master = [f"master: {values['master']}"] if values.get("master", "ok") != "ok" else []
            mode = str(values.get("mode", values.get("phase", "")))
            self.write(seen.Report(now, status.name, mode, (*codes, *silence, *master), status.message))

    def _episode(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            values = {pair.key: json.loads(pair.value) for pair in status.values}
            self.write(seen.Episode(now, values["number"], values["stand"], values["reason"]))

    def _recorded(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            values = {pair.key: json.loads(pair.value) for pair in status.values}
            self.write(seen.Recorded(now, values["number"], values["stand"], values["steps"]))


def _caller(message: Any) -> str:
    return str(message._connection_header.get("callerid", "?")).strip("/")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def beat(
    priority: int, cores: Iterable[int], write: Callable[[Any], None], closing: threading.Event
) -> list[subprocess.Popen[str]]:
    """The heartbeat as a process of its own on each of `cores`, whose beats are written too, in step."""
    in_step, lock = seen.InStep(cores := sorted(cores)), threading.Lock()

    def read(core: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        process.stdout.readline()
        for line in process.stdout:
            if closing.is_set():
                return
            wake, gap, _ = map(float, line.split())
            with lock:
                for told in in_step.add(seen.Beat(wake, gap, core)):
                    write(told)

    processes = []
    for core in cores:
        process = subprocess.Popen(
            [sys.executable, *HEARTBEAT, "--priority", str(priority), "--core", str(core)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_die_with_parent,
        )
        processes.append(process)
        threading.Thread(target=read, args=(core, process), name="heartbeat", daemon=True).start()
    return processes


def wire(options: WitnessOptions, node: Node) -> None:
    """Begin to watch."""
    closing = threading.Event()
    prepare_process(options.priority)
    witness = Witness(options.log, load(options.release), node)
    for heart in beat(options.beat_priority, os.sched_getaffinity(0), witness.write, closing):
        node.closing(heart.kill)
    node.closing(closing.set)


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, WitnessOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
