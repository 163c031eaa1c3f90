"""An episode as a rosbag (ROS 1, version 2.0), the messages as they are logged. Called by `rig data export`.

What the log says beside its messages (stage, policy, clock, damage) goes along as one text, so that `data.bag_import`
makes the same episode of it again; any other ROS tool finds plain messages under their own names and times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag1 import Writer

from robot_rig.data import episode as schema
from robot_rig.data.salvage import Salvaged
from robot_rig.disk import appearing
from robot_rig.errors import UserError

ABOUT = schema.Topic("/rig/episode/about", "std_msgs/String", latched=True)
"""A JSON object: format, action_dim, clock_offset_ns, steps, damage, and meta, an object of strings."""


def write_bag(log: Salvaged, path: Path) -> int:
    """Write the episode `log` as the new bag `path` and return how many of its steps are in it.

    An episode without its end, or with damage, goes as far as it is whole. Raises UserError when `path` exists, when it
    cannot be written, and for an episode of which nothing is whole.
    """
    first = log.steps[0].frame if log.steps else log.closing
    if first is None:
        raise UserError(f"there is no whole step for {path}: {log.damage}", next_step="leave that episode out")
    try:
        with appearing(path) as fresh, Writer(fresh) as writer:
            _write(writer, _messages(log, schema.epoch_ns(first.stamp, log.offset_ns)))
    except ValueError as error:
        # Only a log whose clock was tampered with holds times that no message can.
        raise UserError(f"{path} cannot be made of this log: {error}", next_step="leave that episode out") from error
    return len(log.steps)


def _write(writer: Writer, messages: Iterator[schema.LogMessage]) -> None:
    opened: dict[schema.Topic, Connection] = {}
    for message in messages:
        topic = message.topic
        if topic not in opened:
            text, md5 = schema.definition(topic)
            opened[topic] = writer.add_connection(
                topic.name, topic.store_type, msgdef=text, md5sum=md5, callerid="/rig", latching=int(topic.latched)
            )
        writer.write(opened[topic], message.time_ns, message.data)


def _messages(log: Salvaged, begun_ns: int) -> Iterator[schema.LogMessage]:
    """What the log's file holds, in its order, led by what it says of itself."""
    yield schema.text_message(ABOUT, begun_ns, _about(log))
    if log.goal is not None:
        yield schema.goal_message(log.goal, begun_ns)
    for index, step in enumerate(log.steps):
        yield from schema.step_messages(step, index, log.offset_ns)
    if log.closing is not None:
        yield schema.frame_message(log.closing, len(log.steps), log.offset_ns)


def _about(log: Salvaged) -> str:
    said = {
        "format": schema.FORMAT_VERSION,
        "action_dim": log.action_dim,
        "clock_offset_ns": log.offset_ns,
        "steps": len(log.steps),
        "damage": log.damage,
        "meta": dict(log.meta),
    }
    return json.dumps(said)
