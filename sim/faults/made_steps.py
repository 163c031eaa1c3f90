"""Steps whose every byte follows from their number, so that whoever reads a log can be held to it, bit for bit.

Called by the rows about logs and by the processes that write for them. Pure.
"""

from __future__ import annotations

import numpy as np

from robot_rig.data.disk_room import DiskRoom
from robot_rig.datatypes import IMAGE_SHAPE, Action, Bytes, Executed, Frame, Outcome, Source, Step

ACTION_DIM = 2
NO_LIMIT = DiskRoom(0, 0)
"""A nearly full disk is a row of its own."""

PERIOD_S, BEGIN_S = 0.1, 1000.0
STAMP_S = 1e-8
"""How exactly a log keeps a stamp."""


def picture(number: int) -> Bytes:
    """uint8 (84, 84, 3): about as hard to pack as a camera's."""
    noise = np.random.default_rng([5, number]).integers(0, 8, IMAGE_SHAPE, np.uint8)
    made: Bytes = noise + np.uint8(7 * number % 200)
    return made


def made_frame(number: int) -> Frame:
    """The picture of step `number`."""
    return Frame(number, BEGIN_S + PERIOD_S * number, picture(number))


def made_action(number: int, seq: int) -> Action:
    """The action of step `number`, sent as action `seq`."""
    value = np.random.default_rng([6, number]).uniform(-1, 1, ACTION_DIM).astype(np.float32)
    seen = BEGIN_S + PERIOD_S * number
    return Action(seq, seen + 0.01, value, Source.RANDOM, number, seen)


def made_executed(number: int) -> Executed:
    """What came of it."""
    rng = np.random.default_rng([7, number])
    done = rng.uniform(-1, 1, ACTION_DIM).astype(np.float32)
    return Executed(done, float(rng.normal()), Outcome.PASSED, ("speed",)[: number % 2], rng.normal(size=7))


def made_step(number: int) -> Step:
    """Step `number`, its action counted from 1."""
    return Step(made_frame(number), made_action(number, number + 1), made_executed(number))


def differs(read: Step, number: int) -> str:
    """In what the step that was read is not step `number`; empty when in nothing."""
    made = made_step(number)
    pairs = {
        "frame": (read.frame.seq, made.frame.seq),
        "picture": (read.frame.rgb.tobytes(), made.frame.rgb.tobytes()),
        "action": (read.action.value.tobytes(), made.action.value.tobytes()),
        "source": (read.action.source, made.action.source),
        "executed": (read.executed.value.tobytes(), made.executed.value.tobytes()),
        "position": (read.executed.position.tobytes(), made.executed.position.tobytes()),
        "outcome": (read.executed.outcome, made.executed.outcome),
        "reasons": (read.executed.reasons, made.executed.reasons),
        "residual": (read.executed.residual, made.executed.residual),
    }
    wrong = [name for name, (one, other) in pairs.items() if one != other]
    if abs(read.frame.stamp - made.frame.stamp) > STAMP_S or abs(read.action.stamp - made.action.stamp) > STAMP_S:
        wrong.append("stamp")
    return f"step {number} is not what was written: {', '.join(wrong)}" if wrong else ""
