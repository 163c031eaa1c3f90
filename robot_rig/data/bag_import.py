"""A rosbag that `data.bag_export` wrote as an episode again, bit for bit; and how any bag's episode is logged.

Called by `rig data import`. The bag may be a stranger's and is read through `data.bag` only; what it means is checked
here. `data.foreign_bag` makes an episode of a bag that no rig has written.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from robot_rig.data import episode as schema
from robot_rig.data.bag import Bag, BagMessage
from robot_rig.data.bag_export import ABOUT
from robot_rig.data.log import EpisodeWriter
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Frame, Step
from robot_rig.errors import UserError, plain, quoted
from robot_rig.stranger_files import parse_object

MAX_WAITING = 256
"""Messages of one topic that may wait for the rest of their step, in a bag that some tool has sorted anew."""

MAX_WAITING_BYTES = 1 << 20
"""Of these, of all topics but the pictures'; taken apart, texts take up to thirty times as much."""

MAX_FRAME_BYTES = math.prod(IMAGE_SHAPE) + 4096
"""Of the message of one picture: it would wait, too."""

SHOWN_CHARS = 160
EXPORT_AGAIN = "export it again with `rig data export --format rosbag`"
_DAMAGE = (ValueError, LookupError, OverflowError)


class BagEpisode(NamedTuple):
    """An episode about to be read out of a bag: T `steps` and, where there is one, the closing frame, in this order.

    `stage` names its file; `offset_ns` is the epoch of the stamps' zero; `ending` says why there is no closing frame.
    """

    stage: str
    meta: Mapping[str, str]
    action_dim: int
    offset_ns: int
    goal: Bytes | None
    steps: int
    parts: Iterator[Step | Frame]
    ending: str = "it has no closing frame"


def log_episode(episode: BagEpisode, path: Path, advance: Callable[[int], object]) -> int:
    """Write `episode` as the new log `path`; `advance` hears of every step. Returns the number of steps.

    Raises UserError for what cannot be logged; nothing stays at `path` then.
    """
    with _explaining():
        offset = episode.offset_ns / schema.NS
        writer = EpisodeWriter(path, episode.action_dim, episode.goal, episode.meta, clock_offset=offset)
        try:
            return _log(episode, writer, advance)
        except BaseException:
            writer.abort("the import broke off")
            path.unlink(missing_ok=True)
            raise


def _log(episode: BagEpisode, writer: EpisodeWriter, advance: Callable[[int], object]) -> int:
    steps, closing = 0, None
    for part in episode.parts:
        if isinstance(part, Frame):
            closing = part
            break
        writer.append(part)
        steps += 1
        advance(steps)
    if steps != episode.steps or not steps:
        raise ValueError(f"it holds {steps} of {episode.steps} steps")
    if closing is None:
        writer.abort(episode.ending)
    else:
        writer.finish(closing)
    return steps


def own_episode(bag: Bag) -> BagEpisode | None:
    """The episode that `data.bag_export` put into `bag`, None for another's bag; raises UserError for a broken one."""
    if not _holds(bag, ABOUT):
        return None
    with _explaining():
        about = next(bag.messages([ABOUT.name]), None)
        said = parse_object(b"{}" if about is None else about.message.data.encode())
        if said.get("format") != schema.FORMAT_VERSION:
            raise ValueError(
                f"its episode has format {quoted(said.get('format'))}, and {schema.FORMAT_VERSION} is known"
            )
        meta, damage = said["meta"], said["damage"]
        action_dim, offset_ns, steps = said["action_dim"], said["clock_offset_ns"], said["steps"]
        kinds = [type(value) for value in (meta, damage, action_dim, offset_ns, steps)]
        if kinds != [dict, str, int, int, int] or not all(isinstance(text, str) for text in meta.values()):
            raise ValueError("its description of the episode is none")
        goal = next(bag.messages([schema.GOAL.name]), None) if _holds(bag, schema.GOAL) else None
        picture = None if goal is None else schema.picture_in(schema.GOAL, goal.message)
    parts = _parts(bag, offset_ns)
    ending = damage or "it has no end"
    return BagEpisode(meta.get("stage", ""), meta, action_dim, offset_ns, picture, steps, parts, ending)


def _holds(bag: Bag, topic: schema.Topic) -> bool:
    found = bag.topics.get(topic.name)
    return found is not None and found.is_readable and found.type == topic.type


def _parts(bag: Bag, offset_ns: int) -> Iterator[Step | Frame]:
    """Steps and closing frame: the n-th message of each topic belongs to step n, however the bag is sorted.

    Raises UserError where they do not go together.
    """
    with _explaining():
        yield from _sorted_out(bag, offset_ns)


def _sorted_out(bag: Bag, offset_ns: int) -> Iterator[Step | Frame]:
    waiting: dict[str, deque[BagMessage]] = {topic.name: deque() for topic in schema.STEP_TOPICS}
    held = 0
    for found in bag.messages([topic.name for topic in schema.STEP_TOPICS if _holds(bag, topic)]):
        waiting[found.topic].append(found)
        held += _waiting_bytes(found)
        if len(waiting[found.topic]) > MAX_WAITING or held > MAX_WAITING_BYTES:
            raise ValueError(f"the messages of a step are too large, or lie more than {MAX_WAITING} steps apart")
        if all(waiting.values()):
            taken = {name: queue.popleft() for name, queue in waiting.items()}
            held -= sum(map(_waiting_bytes, taken.values()))
            parts = {name: one.message for name, one in taken.items()}
            answers = [message.header for name, message in parts.items() if name != schema.FRAME.name]
            if any((header.seq, header.stamp) != (answers[0].seq, answers[0].stamp) for header in answers):
                raise ValueError("a message of a step is missing")
            yield schema.step_in(parts, offset_ns)
    closing = waiting.pop(schema.FRAME.name)
    if any(waiting.values()) or len(closing) > 1:
        raise ValueError("a message of its last step is missing")
    for last in closing:
        yield schema.frame_in(last.message, offset_ns)


def _waiting_bytes(found: BagMessage) -> int:
    """What counts of `found` while it waits: nothing of a picture of the right size, of which only so many may."""
    if found.topic != schema.FRAME.name:
        return found.size
    if found.size > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {found.topic} has {found.size} bytes and is no picture of a rig")
    return 0


@contextlib.contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        said = plain(" ".join(str(error).split()), SHOWN_CHARS) or type(error).__name__
        raise UserError(f"the bag is damaged or hostile: {said}", next_step=EXPORT_AGAIN) from error
