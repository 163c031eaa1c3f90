"""Checks of what lives in the ROS graph: robot, clock, camera, arm process, policy. For `rig doctor`, once a node.

Imports ROS, so it is itself imported only where ROS is. Every look is short; silence is a finding.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calibration.check import check_camera as check_calibrated
from calibration.results import Results
from drivers.ros_camera import IMAGE_TOPIC
from drivers.sawyer import JOINT_STATES, ROBOT_STATE
from drivers.sawyer_topics import released_types
from robot_rig.cli.doctor.findings import Check, Finding, green, red, yellow
from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES, Mode
from robot_rig.errors import UserError
from robot_rig.loops.episode_state import EpisodeState
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.camera_report import NOT_ASKED
from robot_rig.ros.episode_reports import PolicyReport, read_episode_message, read_policy
from robot_rig.ros.images import pixels
from robot_rig.ros.stamps import HostStamps, LowerEnvelope, Refused
from robot_rig.ros.topics import ARM_STATE, ARM_STATUS, CAMERA_FRAME, CAMERA_RAW, CAMERA_STATUS, EPISODE, POLICY_STATUS
from robot_rig.ros.visitor import hear, listen, parameter
from robot_rig.safety.reasons import REASONS, code_said, explained

LOOK_S = 1.4
SEEN_S = 0.8
SOFTWARE = "/manifest/robot_software/version/HLR_VERSION_STRING"
OFFSET_S = 0.05
SLOWEST_CAMERA = 0.5
"""Share of its nominal rate below which the camera is too slow."""


def check_robot() -> list[Finding]:
    """Switched on, homed, stopped, in error; and what software it runs."""
    try:
        types, state_type = released_types()
    except UserError as error:
        return [yellow("robot", error.problem, error.next_step)]
    found = listen(ROBOT_STATE, getattr(types, state_type), SEEN_S, bool)
    software = str(parameter(SOFTWARE, "unknown"))
    if not found:
        return [red("robot", f"software {software}, but {ROBOT_STATE} is silent", "see whether the robot has started")]
    return judge_state(found[-1][1], software)


def judge_state(state: Any, software: str) -> list[Finding]:
    """Findings from a message of /robot/state of any release."""
    if state.estop_button == 1:
        return [
            red("robot", f"software {software}: the red button is pressed", "see why, turn it out, then `rig reset`")
        ]
    if state.error:
        return [red("robot", f"software {software}: in error", "see the robot's screen, clear the cause, `rig reset`")]
    if state.stopped:
        return [red("robot", f"software {software}: stopped", "see why it was stopped, then `rig reset`")]
    if not getattr(state, "homed", True) or not state.ready:
        return [red("robot", f"software {software}: its joints are not homed", "press the cuff, or run home_joints.py")]
    return [green("robot", f"software {software}, homed, {'enabled' if state.enabled else 'disabled'}")]


def check_clock() -> list[Finding]:
    """The robot's clock against this machine's."""
    # Other devices report there too, some on clocks of their own.
    heard = [one for one in listen(JOINT_STATES, ARM_STATE.message, LOOK_S) if JOINT_NAMES[0] in one[1].name]
    if not heard:
        return [yellow("clock", f"{JOINT_STATES} is silent", "switch the robot on, then look again")]
    return judge_clock(
        [(arrival, message.header.stamp.to_sec()) for arrival, message in heard], time.time() - time.monotonic()
    )


def judge_clock(reports: list[tuple[float, float]], epoch: float) -> list[Finding]:
    """Findings from (arrival in monotonic s, robot's stamp in s) of joint reports; `epoch`: wall time at 0."""
    envelope = LowerEnvelope()
    answers = [envelope.local(stamp, arrival) for arrival, stamp in reports]
    ahead = -(envelope.offset + epoch)
    rate = (len(reports) - 1) / max(reports[-1][0] - reports[0][0], 1e-9)
    what = f"the robot's clock is {ahead:+.3f} s off, reports at {rate:.0f} Hz, jitter {1e3 * envelope.jitter:.1f} ms"
    if isinstance(last := answers[-1], Refused):
        return [red("clock", f"{what}: {last.reason}", "put the robot on a cable of its own, not on Wi-Fi")]
    if abs(ahead) > OFFSET_S:
        return [yellow("clock", what, "nothing breaks; to compare logs, let both run NTP")]
    return [green("clock", what)]


def check_camera(stamps: HostStamps, limit_s: float) -> list[Finding]:
    """Rate and age of the pictures: the policy's, or the camera's own while nobody crops them."""
    topics = {CAMERA_FRAME.name: "camera", IMAGE_TOPIC: "camera (raw)"}
    for topic, name in topics.items():
        heard = listen(topic, CAMERA_FRAME.message, LOOK_S / len(topics))
        if heard:
            pictures = [(arrival, stamps.local(message.header.stamp.to_sec())) for arrival, message in heard]
            return judge_camera(name, topic, pictures, limit_s)
    fix = "start the camera's node and camera_node, see the launch files"
    return [yellow("camera", f"neither {' nor '.join(topics)} shows a picture", fix)]


def judge_camera(name: str, topic: str, pictures: list[tuple[float, float | Refused]], limit_s: float) -> list[Finding]:
    """Findings from (arrival, exposure or why it is unknown) of pictures on `topic`, monotonic s; `limit_s`: oldest."""
    ages = [arrival - stamp for arrival, stamp in pictures if not isinstance(stamp, Refused)]
    rate = (len(pictures) - 1) / max(pictures[-1][0] - pictures[0][0], 1e-9)
    if not ages:
        reason = next(stamp.reason for _, stamp in pictures if isinstance(stamp, Refused))
        return [red(name, f"{topic}: {reason}", "plug the camera into this machine; let its node stamp the exposure")]
    age = float(np.median(ages))
    what = f"{topic} at {rate:.0f} Hz, pictures {1e3 * age:.0f} ms old when they arrive"
    if age > limit_s:
        return [
            red(name, f"{what}, limit {1e3 * limit_s:.0f} ms", "see what delays them: exposure time, USB port, load")
        ]
    if rate < SLOWEST_CAMERA * (CAMERA_FRAME.rate_hz or 0.0):
        return [yellow(name, what, "use a USB 3 port and fix the exposure time below the frame period")]
    return [green(name, what)]


def check_eye() -> list[Finding]:
    """What camera_node says of its camera and its pictures."""
    message = hear(CAMERA_STATUS, SEEN_S)
    if message is None:
        return [yellow("eye", f"{CAMERA_STATUS.name} is silent", "start camera_node, see the launch files")]
    return judge_eye({pair.key: json.loads(pair.value) for pair in message.status[0].values})


def judge_eye(told: Mapping[str, Any]) -> list[Finding]:
    """Findings from the values of a message of CAMERA_STATUS."""
    what = " ".join(str(told[key]) for key in ("driver", "name", "device") if told.get(key)) or "a camera"
    counts = ", ".join(f"{count} times {what_for}" for what_for, count in told.get("counts", {}).items())
    if told["code"]:
        happened, _, mend = REASONS[told["code"]].partition(". ")
        return [red("eye", f"{what}: {happened}", mend)]
    if counts:
        return [yellow("eye", f"{what}: {counts}", "see cable, port and power of the camera")]
    return [green("eye", what)]


def check_calibration(folder: Path, serial: str, config: Config) -> list[Finding]:
    """Whether the camera is calibrated and stands where it stood, as its node asks before it guides a real arm."""
    results = Results(folder)
    if not results.serials():
        return [
            yellow(
                "calibration",
                f"no camera is calibrated in {folder}",
                "for a real arm `rig calibrate crop`, see docs/calibration.md; a simulated one needs none",
            )
        ]
    told = hear(CAMERA_STATUS, SEEN_S)
    said = {} if told is None else {pair.key: json.loads(pair.value) for pair in told.status[0].values}
    if said.get("calibration") == NOT_ASKED:
        return [
            yellow(
                "calibration",
                "the camera's node was started without one",
                f"for a real arm start it with calibration:={folder}; a simulated one needs none",
            )
        ]
    # Whole pictures: those of a camera that camera_node reads itself, else those of the camera's own node.
    topics = (CAMERA_RAW.name, IMAGE_TOPIC)
    heard = [one for topic in topics for one in listen(topic, CAMERA_RAW.message, SEEN_S / len(topics), bool)]
    picture = pixels(heard[-1][1]) if heard else Refused(f"silence on {' and '.join(topics)}")
    if isinstance(picture, Refused):
        return [yellow("calibration", f"not compared: {picture.reason}", "see the line on the camera")]
    checked = check_calibrated(results, serial, picture, config.camera)
    what = f"camera {checked.eye.serial}, of {checked.eye.taken}, shifted by {checked.shift.pixels:.1f} px since"
    return [green("calibration", what)]


def check_arm_process(stamps: HostStamps) -> list[Finding]:
    """The guard's mode and who else may command."""
    message = hear(ARM_STATUS, SEEN_S)
    if message is None:
        return [
            yellow("arm process", f"{ARM_STATUS.name} is silent", "start it with a launch file when the arm is to move")
        ]
    report = read_report(message, stamps)
    if isinstance(report, Refused):
        return [red("arm process", report.reason, "stop what else publishes there")]
    return judge_arm(report)


def judge_arm(report: ArmReport) -> list[Finding]:
    """Findings from a report of the arm process: what is wrong, or why an arm that is well does not move."""
    what = ", ".join([report.mode.value, *report.why, *([] if report.master == "ok" else [report.master])])
    told = " ".join(explained(report.why).values())
    if report.master != "ok":
        return [red("arm process", what, told or "see the arm process's log")]
    if report.mode is Mode.FAULT:
        return [red("arm process", what, told or "find the cause, then `rig reset`")]
    return [yellow("arm process", what, told) if told else green("arm process", what)]


def check_policy(stamps: HostStamps) -> list[Finding]:
    """Why the policy is silent, or its last episode was cut short."""
    message = hear(POLICY_STATUS, SEEN_S)
    if message is None:
        return [green("policy", "none runs")]
    report = read_policy(message, stamps)
    ended = hear(EPISODE, SEEN_S)
    episode = None if ended is None else read_episode_message(ended, stamps)
    if isinstance(report, Refused):
        return [red("policy", report.reason, "stop what else publishes there")]
    return judge_policy(report, None if isinstance(episode, Refused) else episode)


def judge_policy(report: PolicyReport, episode: EpisodeState | None) -> list[Finding]:
    """Findings from a report of the policy process and from the last `episode`, None where none was announced."""
    what = ": ".join(filter(None, [f"{report.phase}, {report.runtime}", report.silence]))
    if code := code_said(report.silence) or code_said(report.runtime):
        return [yellow("policy", what, REASONS[code])]
    if episode is not None and (code := code_said(episode.reason)):
        return [yellow("policy", f"{what}; episode {episode.number} ended: {episode.reason}", REASONS[code])]
    return [green("policy", what)]


def robot_checks(config: Config, calibration: Path, serial: str) -> dict[str, Check]:
    """All checks of this module by name; `calibration` is the folder of `rig calibrate`."""
    stamps = HostStamps()
    return {
        "robot": check_robot,
        "clock": check_clock,
        "camera": lambda: check_camera(stamps, config.guard.image_age_limit_s),
        "eye": check_eye,
        "calibration": lambda: check_calibration(calibration, serial, config),
        "arm process": lambda: check_arm_process(stamps),
        "policy": lambda: check_policy(stamps),
    }
