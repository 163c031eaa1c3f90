"""Checks of this machine alone: Python, packages, disk, graphics, real time, settings. Called by `rig doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from robot_rig.cli.doctor.findings import Check, Finding, green, red, yellow
from robot_rig.config import Config
from robot_rig.safety.limits import Limits

CHECKOUT = Path(__file__).resolve().parents[3]
OLDEST_PYTHON = (3, 10)
STEP_BYTES = 25_000
"""A logged step on disk: a picture and its numbers, packed."""

TRIAL_PRIORITY = 20
ASK_S = 1.5
ROS_PACKAGES = ("rospy", "rosgraph", "genpy", "std_msgs", "sensor_msgs", "diagnostic_msgs", "std_srvs")


def check_python(version: tuple[int, ...] = sys.version_info[:3], prefix: str = sys.prefix) -> list[Finding]:
    """The interpreter and its environment."""
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return [
            red("python", f"Python {shown} is too old", "use Debian 12, Ubuntu 22.04 or newer, or the Docker image")
        ]
    if prefix == sys.base_prefix:
        return [yellow("python", f"Python {shown} outside the project's .venv", "run .venv/bin/rig; `make` makes it")]
    if Path(prefix) != CHECKOUT / ".venv":
        return [yellow("python", f"Python {shown} in {prefix}", f"use {CHECKOUT / '.venv'}, which `make` keeps right")]
    return [green("python", f"Python {shown} in .venv")]


def check_apt(listing: Path = CHECKOUT / "apt.txt") -> list[Finding]:
    """The packages of apt.txt; those marked with ? are needed for ROS or a fallback only."""
    if shutil.which("dpkg-query") is None:
        return [yellow("apt", "no dpkg here", "see that the packages of apt.txt have their like on this system")]
    if not listing.is_file():
        return [yellow("apt", "no apt.txt beside the package", "run rig from a checkout")]
    entries = [line.split("#")[0].strip() for line in listing.read_text().splitlines()]
    missing = missing_packages([entry for entry in entries if entry], _installed())
    needed = [entry for entry in missing if not entry.endswith("?")]
    if needed:
        return [red("apt", f"missing: {', '.join(needed)}", f"sudo apt-get install {' '.join(_first(needed))}")]
    if missing:
        names = ", ".join(_first(missing))
        return [
            yellow("apt", f"missing: {names}", f"sudo apt-get install {names.replace(',', '')}, if this is to be ROS")
        ]
    return [green("apt", "all packages of apt.txt are installed")]


def missing_packages(entries: Iterable[str], installed: frozenset[str]) -> list[str]:
    """The `entries` (a|b: either, a?: optional) of which nothing is `installed`."""
    return [entry for entry in entries if not installed & set(entry.rstrip("?").split("|"))]


def _first(entries: Iterable[str]) -> list[str]:
    return [entry.rstrip("?").split("|")[0] for entry in entries]


def _installed() -> frozenset[str]:
    asked = ["dpkg-query", "-W", "-f=${db:Status-Status} ${Package}\n"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=ASK_S, check=False)
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return frozenset(words[1] for words in lines if words[0] == "installed" and len(words) == 2)


def has_ros() -> bool:
    """Whether this Python can import ROS's packages."""
    return all(importlib.util.find_spec(name) is not None for name in ROS_PACKAGES)


def check_ros() -> list[Finding]:
    """ROS's Python packages; none of them is imported."""
    absent = [name for name in ROS_PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        return [
            yellow(
                "ros",
                f"cannot import {', '.join(absent)}: simulation in process and training work, a robot does not",
                "sudo apt-get install python3-rospy on Debian or Ubuntu, then `make setup`, or use the Docker image",
            )
        ]
    return [green("ros", "rospy and its messages can be imported")]


def check_config(config: Config) -> list[Finding]:
    """The settings as the guard would judge them. Raises UserError, which names the key, for what it would refuse."""
    limits = Limits.from_config(config.guard, config.control)
    low, high = limits.box_low, limits.box_high
    size = " x ".join(f"{100 * side:.0f}" for side in high - low)
    return [green("guard", f"box {size} cm, tool at most {limits.tool_speed:g} m/s, config {config.hash()}")]


def check_gpu() -> list[Finding]:
    """A graphics card, and a torch that can use it."""
    build = importlib.metadata.version("torch").partition("+")[2] or "the default build"
    try:
        query = ["nvidia-smi", "--query-gpu=name,memory.free", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=ASK_S, check=False)
        cards = done.stdout.strip().splitlines() if done.returncode == 0 else []
    except FileNotFoundError:
        cards = []
    except subprocess.TimeoutExpired:
        return [yellow("gpu", "nvidia-smi hangs", "restart the driver or the machine")]
    if not cards:
        return [green("gpu", "none; the tick runs on ONNX Runtime and training on the CPU")]
    if build.startswith("cpu"):
        return [yellow("gpu", f"{cards[0]}, but torch is {build}", "install PyTorch's CUDA build to train on it")]
    return [green("gpu", f"{'; '.join(cards)} free, torch {build}")]


def check_run_folder(folder: Path) -> list[Finding]:
    """Whether a run could be written to `folder`, which need not exist; nothing is left behind there."""
    place = _existing(folder)
    if not place.is_dir():
        return [red("run folder", f"{place} is a file", "choose another --run")]
    try:
        with tempfile.TemporaryFile(dir=place) as trial:
            trial.write(b"rig doctor")
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        return [red("run folder", f"{place}: {error.strerror}", "choose another --run, or `chown` that folder")]
    return [green("run folder", f"{folder} can be written")]


def check_disk(folder: Path, hours: float, config: Config) -> list[Finding]:
    """Room for `hours` of logging at the policy's rate."""
    needed = hours * 3600 * config.control.policy_rate_hz * STEP_BYTES
    free = shutil.disk_usage(_existing(folder)).free
    possible = free / (needed / hours)
    what = f"{free / 1e9:.1f} GB free, {possible:.0f} h of logging at {config.control.policy_rate_hz:g} Hz"
    if free < needed:
        return [red("disk", what, f"free {(needed - free) / 1e9:.1f} GB for {hours:g} h, or choose another --run")]
    return [green("disk", what)]


def _existing(folder: Path) -> Path:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place


def check_real_time() -> list[Finding]:
    """What the operating system permits a tick that must be on time: tried, not guessed."""
    findings = []
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    refused = _refused_priority()
    if refused:
        findings.append(
            yellow(
                "real time",
                f"SCHED_FIFO {TRIAL_PRIORITY} is not permitted ({refused}; rtprio limit {limit})",
                "put `@realtime - rtprio 98` into /etc/security/limits.d, join that group, log in again",
            )
        )
    else:
        findings.append(green("real time", f"SCHED_FIFO {TRIAL_PRIORITY} is permitted"))
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        findings.append(
            yellow(
                "memory lock",
                f"{soft // 1024} KiB may be locked",
                "put `@realtime - memlock unlimited` into /etc/security/limits.d and log in again",
            )
        )
    else:
        findings.append(green("memory lock", "memory may be locked"))
    kernel = platform.release()
    findings.append(green("kernel", f"{kernel}, {os.cpu_count()} processors"))
    return findings


def _refused_priority() -> str:
    """Why the real-time class is refused to a thread of its own, which then ends; empty when it is not."""
    answers: list[str] = []

    def work() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(TRIAL_PRIORITY))
            answers.append("")
        except OSError as error:
            answers.append(error.strerror or "refused")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(ASK_S)
    return answers[0] if answers else "no answer"


def machine_checks(config: Config, folder: Path, hours: float) -> dict[str, Check]:
    """All checks of this module by name."""
    return {
        "python": check_python,
        "apt": check_apt,
        "ros": check_ros,
        "guard": lambda: check_config(config),
        "gpu": check_gpu,
        "run folder": lambda: check_run_folder(folder),
        "disk": lambda: check_disk(folder, hours, config),
        "real time": check_real_time,
    }
