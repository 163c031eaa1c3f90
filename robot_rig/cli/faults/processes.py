"""The processes of a graph that faults are caused in, by name, and what is done to them by pid. Called by `stage`."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sim.faults.relay import RELAYED

SETTINGS = ("--set", "control.axes=[x, y, z]")
"""An action moves the tool along all three axes, so that every face of its box can be pushed at."""

IMAGE_AGE_MS = ("100", "140")
PROCESSES: Mapping[str, Sequence[str]] = {
    "sim": (
        "-m", "sim.sim_node", *SETTINGS, "--set", "sim.multisamples=0", "--image-age-ms", *IMAGE_AGE_MS,
        "--priority", "10",
    ),
    "relay": ("-m", "sim.faults.relay"),
    "camera": ("-m", "drivers.camera_node", *SETTINGS, "--device", RELAYED),
    "arm": ("-m", "drivers.arm_node", *SETTINGS),
    "puppet": ("-m", "sim.faults.puppet"),
    "policy": (
        "-m", "robot_rig.nodes.policy_node", *SETTINGS, "--source", "random", "--start", "anywhere", "--steps", "50",
    ),
    "recorded": (
        "-m", "robot_rig.nodes.policy_node", *SETTINGS, "--source", "random", "--start", "anywhere", "--steps", "200",
        "--record",
    ),
    "recorder": ("-m", "robot_rig.nodes.recorder_node", *SETTINGS),
    "slow recorder": ("-m", "sim.faults.slow_recorder", *SETTINGS),
    "flooder": ("-m", "sim.faults.flooder"),
    "sick": ("-m", "sim.faults.sick_policy", *SETTINGS),
    "human": ("-m", "sim.faults.puppet", "--source", "HUMAN", "--no-begin", "__name:=teleop"),
    "stranger": ("-m", "sim.faults.stranger"),
}  # fmt: skip
ALWAYS = ("sim", "relay", "camera", "arm")
ACTORS = ("puppet", "policy", "recorded", "sick")
RECORDERS = ("recorder", "slow recorder")
"""They log into a run folder of the graph's own."""

FULL_DISK_BYTES = 4000
"""Less than a log's first bytes take: what runs is ended by it, and nothing new can be begun."""


def fill_disk(pid: int, random: np.random.Generator) -> None:
    """From now on the process `pid` can make no file longer than a little, wherever it writes: its disk is full."""
    size = int(random.integers(FULL_DISK_BYTES))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))


def peak_mib(pid: int) -> float:
    """The most memory that the process `pid` had at any time, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
