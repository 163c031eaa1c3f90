"""A rosbag in which the arm wiggles before the camera, as signals for the solvers. For `rig calibrate latency`.

The bag's own times say when a picture arrived, the headers' when it was exposed and when the arm was where it says. All
are of one machine: `rosbag record` runs on the one that the camera is plugged into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_rig.data.bag import PICTURES, Bag, BagMessage
from robot_rig.datatypes import JOINT_NAMES, JOINTS, Bytes, Floats
from robot_rig.errors import UserError

STATE_TOPIC, SENT_TOPIC = "/rig/arm/state", "/rig/arm/executed"
NS = 1e-9
LEAST_S, MOST_S = 5.0, 90.0
FEWEST_REPORTS = 200

Unpack = Callable[[str, Any], Bytes]
"""(name, message of one of `PICTURES`) -> uint8 (H, W, 3); raises UserError."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Signals on one clock, s from the bag's begin: joints (M, 7) and their speeds as sent (K, 7), pictures (N,)."""

    state_at: Floats
    position: Floats
    sent_at: Floats
    sent: Floats
    arrived_at: Floats
    stamped_at: Floats


def read_recording(bag: Bag, topic: str) -> Recording:
    """The signals in `bag` with the pictures of `topic`. Raises UserError for what is missing, short or disordered."""
    _require(bag, topic)
    states, sents = list(bag.messages([STATE_TOPIC])), list(bag.messages([SENT_TOPIC]))
    pictures = [(one.time_ns, _stamp(one)) for one in bag.messages([topic])]
    if min(len(states), len(sents)) < FEWEST_REPORTS or len(pictures) < 2:
        raise UserError(
            f"the bag holds {len(pictures)} pictures, {len(states)} reports and {len(sents)} commands of the arm",
            next_step=f"record {LEAST_S:.0f} s or more while the arm wiggles",
        )
    begin = min(_stamp(states[0]), _stamp(sents[0]), pictures[0][1])

    def seconds(times: list[int], what: str) -> Floats:
        rising = np.array([(time - begin) * NS for time in times])
        if (np.diff(rising) <= 0).any():
            raise UserError(f"the stamps of {what} do not rise", next_step="record it again, on this machine")
        return rising

    state_at = seconds([_stamp(one) for one in states], STATE_TOPIC)
    if not LEAST_S <= state_at[-1] - state_at[0] <= MOST_S:
        raise UserError(
            f"the bag is {state_at[-1] - state_at[0]:.1f} s long",
            next_step=f"record {LEAST_S:.0f} to {MOST_S:.0f} s of the wiggling arm",
        )
    return Recording(
        state_at,
        np.array([_joints(one, one.message.position) for one in states]),
        seconds([_stamp(one) for one in sents], SENT_TOPIC),
        np.array([_joints(one, one.message.velocity) for one in sents]),
        np.array([(arrival - begin) * NS for arrival, _ in pictures]),
        seconds([stamp for _, stamp in pictures], topic),
    )


def recorded_pictures(bag: Bag, topic: str, unpack: Unpack) -> Iterator[Bytes]:
    """The pictures of `topic`, one at a time, in their order."""
    for number, one in enumerate(bag.messages([topic])):
        yield unpack(f"picture {number} of {topic}", one.message)


def _require(bag: Bag, topic: str) -> None:
    readable = {name: found for name, found in bag.topics.items() if found.is_readable}
    for name in (STATE_TOPIC, SENT_TOPIC):
        if name not in readable:
            raise UserError(
                f"the bag has no {name}",
                next_step=f"rosbag record {topic} {STATE_TOPIC} {SENT_TOPIC}, as the guide says",
            )
    pictures = sorted(name for name, found in readable.items() if found.type in PICTURES)
    if topic not in pictures:
        raise UserError(
            f"the bag has no pictures on {topic}", choices=pictures, next_step="name the topic with --picture"
        )


def _stamp(one: BagMessage) -> int:
    stamp = one.message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _joints(one: BagMessage, values: Any) -> Floats:
    if tuple(one.message.name) != JOINT_NAMES or len(values) != JOINTS:
        raise UserError(
            f"{one.topic} is not of the seven joints of a Sawyer", next_step="record the topics of this rig"
        )
    found = np.asarray(values, np.float64)
    if not np.isfinite(found).all():
        raise UserError(
            f"{one.topic} holds what is no number", next_step="record it again with the arm process running"
        )
    return found
