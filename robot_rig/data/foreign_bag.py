"""A rosbag that no rig has written as an episode: a camera topic and a Joy topic of actions. For `rig data import`.

Every action makes a step with the picture nearest to it in time. What does not fit together is refused, with the topics
that are there: an episode that was guessed at would be learnt from like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from robot_rig.data import episode as schema
from robot_rig.data.bag import PICTURES, Bag
from robot_rig.data.bag_import import BagEpisode
from robot_rig.data.check import RATE_TOLERANCE
from robot_rig.datatypes import JOINTS, Action, Executed, Float32s, Frame, Ints, Outcome, Source, Step
from robot_rig.errors import UserError, listed

Look = Callable[[str, Any, int, float], Frame]
"""(topic, a message of `bag.PICTURES`, number, stamp s) -> the picture as the policy sees it; raises UserError."""


class Sought(NamedTuple):
    """What to take from another's bag: topics by name (None: the only one of its kind), and how it must fit.

    `limit_s` is how far a picture may lie from the action that it is paired with; `rate_hz` is the policy's.
    """

    picture: str | None
    action: str | None
    action_dim: int
    limit_s: float
    rate_hz: float
    stage: str


def foreign_episode(bag: Bag, sought: Sought, look: Look, name: str) -> BagEpisode:
    """The episode in another's bag, called `name`: a step for every action (Joy axes) that has a picture near in time.

    Stamps are those of the headers, or the time of recording where a header has none. Nobody logged what the arm made
    of an action: it counts as executed as it was asked, and no joint position is known. The last action only closes
    the episode with its picture. Raises UserError for topics that are not there and for what does not fit together.
    """
    picture = _chosen(bag, "camera", sought.picture, PICTURES)
    action = _chosen(bag, "action", sought.action, (schema.ACTION.type,))
    seen = _stamps(bag, picture)
    asked, values = _actions(bag, action, sought.action_dim)
    _check_rate(asked, sought.rate_hz, action)
    first, chosen = _matched(seen, asked, sought.limit_s, picture, action)
    # Whole seconds, so that the log's clock, which is told in float seconds, keeps every nanosecond.
    offset_ns = int(asked[0]) // schema.NS * schema.NS
    pictures = _pictures(bag, picture, chosen, seen, offset_ns, look)
    parts = _foreign_parts(pictures, asked[first:], values[first:], offset_ns)
    meta = {"stage": sought.stage, "policy": "imported", "bag": name, "picture_topic": picture, "action_topic": action}
    return BagEpisode(sought.stage, meta, sought.action_dim, offset_ns, None, len(chosen) - 1, parts)


def _matched(seen: Ints, asked: Ints, limit_s: float, picture: str, action: str) -> tuple[int, Ints]:
    """The first action that makes a step, and for it and those behind it the number of the picture that it answers."""
    nearest = paired(seen, asked, round(limit_s * schema.NS))
    (kept,) = np.nonzero(nearest >= 0)
    if len(kept) < 2:
        raise UserError(
            f"hardly a picture of {picture} lies within {limit_s:g} s of an action of {action}",
            next_step="name other topics with --picture and --action, or allow more with --limit",
        )
    first, last = int(kept[0]), int(kept[-1])
    chosen = nearest[first : last + 1]
    if chosen.min() < 0:
        hole = (asked[first + int(np.argmin(chosen))] - asked[0]) / schema.NS
        raise UserError(
            f"{action} {hole:.2f} s after its begin has no picture of {picture} within {limit_s:g} s",
            next_step="cut the bag there into two, or allow more with --limit",
        )
    if (np.diff(chosen) < 1).any():
        raise UserError(f"two actions of {action} share one picture of {picture}", next_step="record more pictures")
    return first, chosen


def paired(seen: Ints, asked: Ints, limit: int) -> Ints:
    """For each of the times `asked` (N,) the index of the nearest of `seen` (M,), -1 where none is within `limit`.

    Both rise; all in one unit. Of two equally near the earlier one is taken.
    """
    if not len(seen):
        return np.full(len(asked), -1, np.int64)
    after = np.clip(np.searchsorted(seen, asked), 0, len(seen) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(asked - seen[before]) <= np.abs(seen[after] - asked), before, after)
    return np.where(np.abs(asked - seen[nearest]) <= limit, nearest, -1).astype(np.int64)


def _chosen(bag: Bag, role: str, wanted: str | None, kinds: Sequence[str]) -> str:
    fit = sorted(name for name, topic in bag.topics.items() if topic.is_readable and topic.type in kinds)
    if wanted in fit:
        return str(wanted)
    if wanted is None and len(fit) == 1:
        return fit[0]
    option = "--picture" if role == "camera" else "--action"
    if fit:
        wrong = f"no {role} topic {wanted}" if wanted else f"more than one {role} topic"
        raise UserError(f"the bag has {wrong}", choices=listed(fit), next_step=f"name one with {option}")
    there = listed([f"{name} ({topic.type})" for name, topic in bag.topics.items()])
    raise UserError(
        f"the bag has no {role} topic ({' or '.join(kinds)}); it holds {', '.join(there) or 'nothing'}",
        next_step="record one that has",
    )


def _time_ns(time_ns: int, header: Any) -> int:
    stamped: int = header.stamp.sec * schema.NS + header.stamp.nanosec
    return stamped or time_ns


def _rising(times: Sequence[int], topic: str) -> Ints:
    rising = np.array(times, np.int64)
    if (np.diff(rising) <= 0).any():
        raise UserError(f"the stamps of {topic} do not rise", next_step="record it anew, with clocks that stand still")
    return rising


def _stamps(bag: Bag, topic: str) -> Ints:
    return _rising([_time_ns(found.time_ns, found.message.header) for found in bag.messages([topic])], topic)


def _actions(bag: Bag, topic: str, action_dim: int) -> tuple[Ints, list[Float32s]]:
    times: list[int] = []
    values: list[Float32s] = []
    for found in bag.messages([topic]):
        axes = np.array(found.message.axes, np.float32)
        if len(axes) != action_dim:
            raise UserError(
                f"{topic} has {len(axes)} axes and an action of this run {action_dim}",
                next_step="name the directions that they move along with --set control.axes=[x,y]",
            )
        if not (np.abs(axes) <= 1.0).all():
            raise UserError(f"{topic} has an action outside -1 .. 1", next_step="record it normalised")
        if len(values) > schema.MAX_STEPS:
            raise UserError(
                f"{topic} has more than {schema.MAX_STEPS} actions", next_step="cut the bag into shorter ones"
            )
        times.append(_time_ns(found.time_ns, found.message.header))
        values.append(axes)
    return _rising(times, topic), values


def _check_rate(asked: Ints, rate_hz: float, topic: str) -> None:
    rate = schema.NS / float(np.median(np.diff(asked))) if len(asked) > 1 else rate_hz
    if abs(rate / rate_hz - 1.0) > RATE_TOLERANCE:
        raise UserError(
            f"{topic} comes at {rate:.1f} Hz and this run's actions at {rate_hz:g} Hz",
            next_step="set control.policy_rate_hz to its rate, or record it at that of the policy",
        )


def _pictures(bag: Bag, topic: str, chosen: Ints, seen: Ints, offset_ns: int, look: Look) -> Iterator[Frame]:
    """The pictures number `chosen` of `topic`, one at a time."""
    wanted = iter(chosen.tolist())
    index = next(wanted, None)
    for number, found in enumerate(bag.messages([topic])):
        if number == index:
            yield look(topic, found.message, number, (int(seen[number]) - offset_ns) / schema.NS)
            index = next(wanted, None)


def _foreign_parts(
    frames: Iterator[Frame], asked: Ints, values: Sequence[Float32s], offset_ns: int
) -> Iterator[Step | Frame]:
    frame = next(frames)
    unknown = np.full(JOINTS, np.nan)
    for number, after in enumerate(frames):
        stamp = (int(asked[number]) - offset_ns) / schema.NS
        action = Action(number, stamp, values[number], Source.HUMAN, frame.seq, frame.stamp)
        yield Step(frame, action, Executed(values[number], 0.0, Outcome.PASSED, (), unknown))
        frame = after
    yield frame
