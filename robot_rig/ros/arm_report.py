"""The arm process's report once a policy period <-> diagnostic_msgs/DiagnosticArray. Called by arm_node, who makes it,
and by the recorder, the policy node, the command line and the doctor, who read it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from robot_rig.datatypes import JOINTS, Executed, Floats, Mode, Outcome, Source, Verdict
from robot_rig.ros.convert import MAX_ACTION_DIM, float32s, ros_time
from robot_rig.ros.stamps import HostStamps, Refused

NAME = "rig_arm"
LEVELS = {
    Outcome.PASSED: DiagnosticStatus.OK,
    Outcome.SCALED: DiagnosticStatus.OK,
    Outcome.HELD: DiagnosticStatus.WARN,
    Outcome.LATCHED: DiagnosticStatus.ERROR,
}


@dataclass(frozen=True, slots=True)
class ArmReport:
    """How the guard stands, and what came of the last action.

    `why`: the codes that ended motion last; `verdict`: that of the newest tick; `source` and `action_seq`: whose action
    it answers; `executed`: what came of action `executed_seq` (None and -1 before there was one); `master`: the state
    of the ROS master in a word or a sentence; `tool`: where the guard has its tip, (3,) m in base, by the table of this
    very arm, which nobody else needs to know; `meaning`: how it understands an action (`ControlConfig.meaning`), empty
    where it does not say; `box`: low and high corner of the guard's box, (2, 3) m in base.
    """

    stamp: float
    mode: Mode
    why: tuple[str, ...]
    verdict: Verdict
    source: Source | None
    action_seq: int
    executed: Executed | None
    executed_seq: int
    at_home: bool
    master: str
    tool: Floats | None = None
    meaning: str = ""
    box: Floats | None = None


def report_message(report: ArmReport, stamps: HostStamps) -> DiagnosticArray:
    """`report` for ARM_STATUS: one status whose values are JSON, so that every number arrives to the last bit."""
    values: dict[str, object] = {
        "mode": report.mode.value,
        "why": report.why,
        "outcome": report.verdict.outcome.value,
        "reasons": report.verdict.reasons,
        "source": report.source.value if report.source else None,
        "action_seq": report.action_seq,
        "executed_seq": report.executed_seq,
        "at_home": report.at_home,
        "master": report.master,
        "meaning": report.meaning,
    }
    if (executed := report.executed) is not None:
        values |= {
            "executed": executed.value.tolist(),
            "residual": executed.residual,
            "executed_outcome": executed.outcome.value,
            "executed_reasons": executed.reasons,
            "position": executed.position.tolist(),
        }
    if report.tool is not None:
        values["tool"] = report.tool.tolist()
    if report.box is not None:
        values["box"] = report.box.tolist()
    level = DiagnosticStatus.ERROR if report.mode is Mode.FAULT else LEVELS[report.verdict.outcome]
    text = ", ".join([report.mode.value, *report.why, *report.verdict.reasons])
    status = DiagnosticStatus(level=level, name=NAME, message=text, hardware_id=NAME)
    status.values = [KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]
    message = DiagnosticArray(status=[status])
    message.header.stamp = ros_time(stamps.wall(report.stamp))
    return message


def read_report(message: DiagnosticArray, stamps: HostStamps) -> ArmReport | Refused:
    """The report in a message of ARM_STATUS."""
    statuses = [status for status in message.status if status.name == NAME]
    if len(statuses) != 1:
        return Refused(f"a status message with {len(statuses)} reports of {NAME}")
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    try:
        values = {pair.key: json.loads(pair.value) for pair in statuses[0].values}
        return ArmReport(
            stamp=stamp,
            mode=Mode(values["mode"]),
            why=_words(values["why"]),
            verdict=Verdict(Outcome(values["outcome"]), _words(values["reasons"])),
            source=None if values["source"] is None else Source(values["source"]),
            action_seq=_whole(values["action_seq"]),
            executed=_executed(values) if "executed" in values else None,
            executed_seq=_whole(values["executed_seq"]),
            at_home=values["at_home"] is True,
            master=str(values["master"])[:200],
            tool=_point(values["tool"]) if "tool" in values else None,
            meaning=str(values.get("meaning", ""))[:200],
            box=_box(values["box"]) if "box" in values else None,
        )
    except KeyError as error:
        return Refused(f"a report without {error}")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return Refused(f"a report that cannot be read: {str(error)[:120]}")


def _executed(values: Mapping[str, Any]) -> Executed:
    value = float32s(_floats(values["executed"]))
    if not 0 < len(value) <= MAX_ACTION_DIM or not np.isfinite(value).all():
        raise ValueError(f"an executed action {str(values['executed'])[:60]}")
    position = np.array(_floats(values["position"]), dtype=np.float64)
    if position.shape != (JOINTS,):
        raise ValueError(f"a position of {len(position)} joints")
    (residual,) = _floats([values["residual"]])
    outcome, reasons = Outcome(values["executed_outcome"]), _words(values["executed_reasons"])
    return Executed(value, residual, outcome, reasons, position)


def _point(values: Any) -> Floats:
    point = np.array(_floats(values), dtype=np.float64)
    if point.shape != (3,):
        raise ValueError(f"a point of {len(point)} numbers")
    return point


def _box(values: Any) -> Floats:
    low, high = (_point(corner) for corner in values)
    return np.stack([low, high])


def _floats(values: Any) -> list[float]:
    """Finite numbers only: what was measured, unlike what is wished, is one."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != len(values) or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{str(values)[:60]} where numbers belong")
    return numbers


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{str(values)[:60]} where a list of words belongs")
    return tuple(values)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{str(value)[:60]} where a whole number belongs")
    return value
