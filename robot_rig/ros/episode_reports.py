"""The words between policy process and recorder, and the policy's report to people <-> diagnostic_msgs/DiagnosticArray.

Called by policy_node and recorder_node, and by whoever shows how things stand. As in `arm_report`, values are JSON.
Where `safety.reasons` has a code for what is said, it stands beside it as `code`, for who explains it to people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from robot_rig.datatypes import Source
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand
from robot_rig.ros.convert import ros_time
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.safety.reasons import code_said

T = TypeVar("T")

EPISODE, RECORDER, POLICY = "rig_policy: episode", "rig_recorder", "rig_policy"
MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """How the policy process stands, for people: its phase, why it is silent (empty while it acts), the engine chosen,
    the episode's number and steps, the newest picture's age (s, infinite without one) and the periods missed so far.
    """

    stamp: float
    phase: str
    silence: str
    runtime: str
    episode: int
    steps: int
    camera_age_s: float
    missed: int


def episode_message(episode: EpisodeState, stamps: HostStamps, now: float) -> DiagnosticArray:
    """`episode` for topics.EPISODE, said at `now` (monotonic s)."""
    level = DiagnosticStatus.WARN if episode.stand is Stand.CUT_SHORT else DiagnosticStatus.OK
    values = {
        "session": episode.session,
        "number": episode.number,
        "stand": episode.stand.value,
        "source": episode.source.value,
        "goal": episode.goal,
        "first_action": episode.first_action,
        "last_action": episode.last_action,
        "last_frame": episode.last_frame,
        "last_stamp": stamps.wall(episode.last_stamp),
        "reason": episode.reason,
        "code": code_said(episode.reason),
        "meta": dict(episode.meta),
    }
    text = f"episode {episode.number} {episode.stand.value}"
    return _message(EPISODE, level, text, values, stamps.wall(now))


def read_episode_message(message: DiagnosticArray, stamps: HostStamps) -> EpisodeState | Refused:
    """The episode in a message of topics.EPISODE; a latched one may be old, so its stamp is not judged.

    That of its closing frame is NaN when it cannot be trusted: no frame is then taken for it.
    """

    def exposed(wall_stamp: Any) -> float:
        stamp = stamps.local(float(wall_stamp))
        return math.nan if isinstance(stamp, Refused) else stamp

    def record(values: Mapping[str, Any]) -> EpisodeState:
        return EpisodeState(
            session=_text(values["session"]),
            number=_whole(values["number"]),
            stand=Stand(values["stand"]),
            source=Source(values["source"]),
            goal=_text(values["goal"]),
            first_action=_whole(values["first_action"]),
            last_action=_whole(values["last_action"]),
            last_frame=_whole(values["last_frame"]),
            reason=_text(values["reason"]),
            meta={_text(key): _text(value) for key, value in values["meta"].items()},
            last_stamp=exposed(values["last_stamp"]),
        )

    return _read(message, EPISODE, record)


def recorder_message(recorder: RecorderState, stamps: HostStamps) -> DiagnosticArray:
    """`recorder` for topics.RECORDER_STATUS."""
    level = DiagnosticStatus.ERROR if recorder.stand is Recording.FAILED else DiagnosticStatus.OK
    values = {
        "stand": recorder.stand.value,
        "session": recorder.session,
        "number": recorder.number,
        "steps": recorder.steps,
        "code": "recorder_failed" if recorder.stand is Recording.FAILED else "",
        "reason": recorder.reason,
    }
    text = ": ".join(filter(None, [recorder.stand.value, recorder.reason]))
    return _message(RECORDER, level, text, values, stamps.wall(recorder.stamp))


def read_recorder(message: DiagnosticArray, stamps: HostStamps) -> RecorderState | Refused:
    """The recorder's word in a message of topics.RECORDER_STATUS."""
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    made = stamp

    def record(values: Mapping[str, Any]) -> RecorderState:
        return RecorderState(
            made,
            Recording(values["stand"]),
            _text(values["session"]),
            _whole(values["number"]),
            _whole(values["steps"]),
            _text(values["reason"]),
        )

    return _read(message, RECORDER, record)


def policy_message(report: PolicyReport, stamps: HostStamps) -> DiagnosticArray:
    """`report` for topics.POLICY_STATUS."""
    level = DiagnosticStatus.WARN if report.silence else DiagnosticStatus.OK
    values = {
        "phase": report.phase,
        "silence": report.silence,
        "code": code_said(report.silence) or code_said(report.runtime),
        "runtime": report.runtime,
        "episode": report.episode,
        "steps": report.steps,
        "camera_age_s": report.camera_age_s,
        "missed": report.missed,
    }
    return _message(POLICY, level, report.silence or report.phase, values, stamps.wall(report.stamp))


def read_policy(message: DiagnosticArray, stamps: HostStamps) -> PolicyReport | Refused:
    """The policy's report in a message of topics.POLICY_STATUS."""
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    made = stamp

    def record(values: Mapping[str, Any]) -> PolicyReport:
        return PolicyReport(
            stamp=made,
            phase=_text(values["phase"]),
            silence=_text(values["silence"]),
            runtime=_text(values["runtime"]),
            episode=_whole(values["episode"]),
            steps=_whole(values["steps"]),
            camera_age_s=float(values["camera_age_s"]),
            missed=_whole(values["missed"]),
        )

    return _read(message, POLICY, record)


def _message(name: str, level: int, text: str, values: Mapping[str, object], wall: float) -> DiagnosticArray:
    status = DiagnosticStatus(level=level, name=name, message=text, hardware_id=name)
    status.values = [KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]
    message = DiagnosticArray(status=[status])
    message.header.stamp = ros_time(wall)
    return message


def _read(message: DiagnosticArray, name: str, record: Callable[[Mapping[str, Any]], T]) -> T | Refused:
    statuses = [status for status in message.status if status.name == name]
    if len(statuses) != 1:
        return Refused(f"a message with {len(statuses)} reports of {name}")
    try:
        return record({pair.key: json.loads(pair.value) for pair in statuses[0].values})
    except KeyError as error:
        return Refused(f"a report without {error}")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Refused(f"a report that cannot be read: {str(error)[:120]}")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"{str(value)[:60]} where a short text belongs")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
        raise ValueError(f"{str(value)[:60]} where a whole number belongs")
    return value
