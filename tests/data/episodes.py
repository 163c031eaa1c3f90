"""Made-up steps whose every byte follows from their number, so that a reader's output can be checked bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robot_rig.data.disk_room import DiskRoom
from robot_rig.data.log import EpisodeWriter
from robot_rig.datatypes import Action, Bytes, Episode, Executed, Frame, Outcome, Source, Step

ACTION_DIM = 2
NO_LIMIT = DiskRoom(start=0, stop=0)
PERIOD = 0.1
START = 1234.5


def picture(number: int) -> Bytes:
    """A gradient that moves with `number` under noise that belongs to it: about as hard to pack as a camera's."""
    rng = np.random.default_rng([7, number])
    ramp = (np.add.outer(np.arange(84), np.arange(84)) + 3 * number).astype(np.uint8)
    return (ramp[:, :, None] // 2 + rng.integers(0, 8, (84, 84, 3))).astype(np.uint8)


def make_frame(number: int) -> Frame:
    return Frame(100 + number, START + PERIOD * number, picture(number))


def make_step(number: int) -> Step:
    rng = np.random.default_rng([8, number])
    frame = make_frame(number)
    wish, done = rng.uniform(-1, 1, (2, ACTION_DIM)).astype(np.float32)
    outcome = tuple(Outcome)[number % 4]
    reasons = ("speed", "box-x")[: number % 3]
    action = Action(number + 1, frame.stamp + 0.01, wish, Source.RANDOM, frame.seq, frame.stamp)
    return Step(frame, action, Executed(done, rng.normal(), outcome, reasons, rng.normal(size=7)))


def write_log(path: Path, steps: int, goal: Bytes | None = None, meta: dict[str, str] | None = None) -> Path:
    """A finished log of `steps` steps."""
    writer = EpisodeWriter(path, ACTION_DIM, goal, meta or {"stage": "collect"}, clock_offset=1.7e9, room=NO_LIMIT)
    for number in range(steps):
        writer.append(make_step(number))
    writer.finish(make_frame(steps))
    return path


def make_episode(episode_id: str, steps: int, seed: int, goal: bool) -> Episode:
    """An episode in memory whose pictures are constant in colour: row content tells where it came from."""
    rng = np.random.default_rng(seed)
    frames = np.broadcast_to(rng.integers(0, 256, (steps + 1, 1, 1, 3), np.uint8), (steps + 1, 84, 84, 3))
    actions = rng.uniform(-1, 1, (2, steps, ACTION_DIM)).astype(np.float32)
    aim = np.full((84, 84, 3), seed % 256, np.uint8) if goal else None
    return Episode(episode_id, frames, actions[0], actions[1], np.arange(steps + 1) * PERIOD, aim, False)


def assert_same_step(read: Step, number: int) -> None:
    """Every array bit for bit, stamps to the nanosecond."""
    written = make_step(number)
    assert read.frame.seq == written.frame.seq
    assert abs(read.frame.stamp - written.frame.stamp) < 1e-9
    np.testing.assert_array_equal(read.frame.rgb, written.frame.rgb)
    assert read.action.value.tobytes() == written.action.value.tobytes()
    assert (read.action.seq, read.action.source) == (written.action.seq, written.action.source)
    assert abs(read.action.stamp - written.action.stamp) < 1e-9
    assert read.executed.value.tobytes() == written.executed.value.tobytes()
    assert read.executed.position.tobytes() == written.executed.position.tobytes()
    assert read.executed.residual == written.executed.residual
    assert (read.executed.outcome, read.executed.reasons) == (written.executed.outcome, written.executed.reasons)
